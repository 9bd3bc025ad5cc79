"""`nissl review` as a process: its address, its end, its disk, its neighbours."""

import http.client
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from nissl.errors import BadArgumentError
from nissl.project import open_project
from nissl.web.serve import Address, listen


def journal(study):
    with open_project(study.path, create=False) as project:
        assert project.store.verify() == []
        return [str(edit.uuid) for edit in project.store.edits()]


# --- the address ---------------------------------------------------------------------------------


def test_it_listens_on_this_machine_only_and_on_a_free_port():
    with listen(None) as first, listen(None) as second:
        ports = [bound.getsockname() for bound in (first, second)]
        assert {host for host, _ in ports} == {"127.0.0.1"}
        assert len({port for _, port in ports}) == 2
        with pytest.raises(BadArgumentError, match="another program"):
            listen(ports[0][1])
    with pytest.raises(BadArgumentError):
        listen(70_000)


def test_the_address_names_the_way_through_ssh():
    address = Address(8477, "abc")
    assert address.url == "http://127.0.0.1:8477/?token=abc"
    assert address.tunnel.startswith("ssh -N -L 8477:127.0.0.1:8477 ")


# --- one server, a whole life --------------------------------------------------------------------


def test_a_server_from_its_start_to_ctrl_c(bench, study):
    with bench.serving(study) as server:
        late = time.monotonic() + 10  # the line on ssh comes after the address
        while "ssh -N -L" not in "".join(server.lines) and time.monotonic() < late:
            time.sleep(0.02)
        said = "".join(server.lines)
        assert "2 label sets of 1 source." in said
        assert "ssh -N -L" in said
        client = server.client("Ana")
        client.open_page(study)
        client.decide(bench.edit("accept", study.spans, [1], "Ana"))
        stranger = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        stranger.request("GET", "/api/project")
        assert stranger.getresponse().status == 401
        events = listening(server)
        with bench.serving(study) as second:  # side by side
            assert f"port {server.port}" in "".join(second.lines)
            theirs = second.client("Ben")
            theirs.decide(bench.edit("relabel", study.spans, [2], "Ben", label="R"))
            assert theirs.get("/api/project")["readers"] == ["Ana", "Ben"]
            assert second.stop() == 0
        assert events.get(timeout=10) == b'data: {"position": 2}\n'  # heard across servers
        assert [e["edit"]["reviewer"] for e in client.get("/api/edits")["edits"]] == ["Ana", "Ben"]
        began = time.monotonic()
        assert server.stop() == 0  # with a page still listening
        assert time.monotonic() - began < 8
        assert "has ended" in "".join(server.lines)
        assert server.token not in "".join(server.lines).replace(server.url, "")
    assert len(journal(study)) == 2
    assert not list((study.path / "work" / "review").iterdir())


def listening(server):
    """Queue of the events that follow the first."""
    import queue

    heard = queue.Queue()

    def run():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request(
            "GET", "/api/events", headers={"Authorization": f"Bearer {server.token}"}
        )
        answer = connection.getresponse()
        lines = (line for line in answer if line.startswith(b"data:"))
        ready.put(next(lines))
        for line in lines:
            heard.put(line)

    ready = queue.Queue()
    threading.Thread(target=run, daemon=True).start()
    assert ready.get(timeout=10) == b'data: {"position": 1}\n'
    return heard


class Forward(socketserver.BaseRequestHandler):
    """What ssh -L does: the bytes of a port here to a port there, untouched."""

    def handle(self):
        with socket.create_connection(("127.0.0.1", self.server.there), timeout=10) as there:
            back = threading.Thread(target=self.copy, args=(there, self.request), daemon=True)
            back.start()
            self.copy(self.request, there)
            back.join(10)

    @staticmethod
    def copy(source, target):
        try:
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_it_works_through_another_port_of_another_machine(bench, study):
    tunnel = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward)
    with bench.serving(study) as server, tunnel as forward:
        forward.there, forward.daemon_threads = server.port, True
        threading.Thread(target=forward.serve_forever, daemon=True).start()
        port = forward.server_address[1]
        browser = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        browser.request("GET", f"/?token={server.token}")
        answer = browser.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        headers = {
            "Cookie": answer.headers["Set-Cookie"].partition(";")[0],
            "Origin": f"http://127.0.0.1:{port}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
        }
        browser.request("POST", "/api/decisions", b'{"edits": []}', headers)
        answer = browser.getresponse()
        assert (answer.status, answer.read()[:15]) == (200, b'{"acknowledged"')
        browser.close()
        forward.shutdown()


def test_sigterm_ends_it_in_order(bench, study):
    with bench.serving(study) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert not list((study.path / "work" / "review").iterdir())


# --- the disk ------------------------------------------------------------------------------------


def test_a_decision_is_forced_to_the_disk_before_it_is_acknowledged(
    bench, study, tmp_path, require
):
    strace = shutil.which("strace")
    if strace is None:
        require("strace", "no strace; run: apt-get install -y strace")
    log = tmp_path / "strace.log"
    calls = "trace=write,pwrite64,fsync,fdatasync,sendto,sendmsg"
    prefix = [strace, "-f", "-y", "-s", "200", "-e", calls, "-o", str(log)]
    try:
        server = bench.Server(study, prefix=prefix)
    except RuntimeError as error:
        if "PTRACE" in str(error):
            require("strace", "this machine does not let strace follow a process")
        raise
    try:
        client = server.client("Ana")
        client.open_page(study)
        made = [bench.edit("accept", study.spans, [n], "Ana") for n in range(3)]
        for each in made:
            client.decide(each)
    finally:
        for child in psutil.Process(server.process.pid).children(recursive=True):
            child.kill()
        server.process.wait(10)
    lines = log.read_text().splitlines()
    for each in made:
        answered = next(
            n for n, line in enumerate(lines) if each["uuid"] in line and is_answer(line)
        )
        before = lines[:answered]
        written = last(before, "pwrite64(", "journal.db-wal")
        forced = last(before, "sync(", "journal.db-wal")
        assert 0 <= written < forced < answered
        asked = [n for n, line in enumerate(before) if is_answer(line) and "acknowledged" in line]
        assert written > max(asked, default=0)  # it is this decision's own page


def is_answer(line):
    return ("sendto(" in line or "write(" in line or "sendmsg(" in line) and "acknowledged" in line


def last(lines, *words):
    found = [n for n, line in enumerate(lines) if all(word in line for word in words)]
    return max(found, default=-1)


@pytest.fixture
def mount(require):
    """``mount(folder, options)`` mounts a tmpfs, or changes the options of one, until the end."""
    if os.geteuid() != 0:
        require("root", "mounting needs root; run: sudo make test")
    mounted = []

    def mount_(folder, options):
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            require("root", f"mounting is not allowed here: {done.stderr.decode().strip()}")
        mounted.append(folder)

    yield mount_
    for folder in set(mounted):
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_in_mid_session_loses_nothing(bench, study, tmp_path, mount):
    from dataclasses import replace

    medium = tmp_path / "medium"
    mount(medium, "size=8m")
    shutil.copytree(study.path, medium / "study")
    small = replace(study, path=medium / "study")
    with bench.serving(small) as server:
        client = server.client("Ana")
        client.open_page(small)
        kept = [bench.edit("accept", small.spans, [n], "Ana") for n in range(3)]
        for each in kept:
            client.decide(each)
        free = os.statvfs(medium)
        ballast = medium / "ballast"
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize))
        text = "x" * 4000
        refused = None
        for n in range(400):  # SQLite has pages to spare
            note = bench.edit("note", small.spans, [n % 9], "Ana", text=text)
            status, _, body = client.request("POST", "/api/decisions", {"edits": [note]})
            if status != 200:
                refused = note
                break
            kept.append(note)
        assert refused is not None
        assert status == 507
        assert b"Free some space" in body
        assert client.get("/api/edits")["position"] == len(kept)  # reading goes on
        ballast.unlink()
        client.decide(refused)  # as the page does, with the same uuid
        kept.append(refused)
        assert server.stop() == 0
    assert journal(small) == [each["uuid"] for each in kept]
    assert Path(medium / "study" / "project.toml").is_file()


def test_a_damaged_label_file_does_not_stop_the_server(bench, study):
    file = study.path / "labels" / f"{study.spans}.parquet"
    file.write_bytes(b"PAR1")
    with bench.serving(study) as server:
        client = server.client("Ana")
        faults = {d["key"]: d["fault"] for d in client.get("/api/project")["desks"]}
        assert faults[study.spans]
        assert not faults[study.units]
        assert client.get("/api/queue")["entries"]
