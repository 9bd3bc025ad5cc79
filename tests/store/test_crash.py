"""What was acknowledged survives a kill at any moment.

The killed processes are real ones, forked from a server that has nissl imported, so that a
hundred of them take seconds. A kill does not empty the page cache; that the data are also
forced to the disk before they are acknowledged is shown by the system calls (strace).
"""

from __future__ import annotations

import itertools
import multiprocessing as mp
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.store import Store

FORKS = mp.get_context("forkserver")


def edit(reviewer: str = "anna") -> Edit:
    return Edit(uuid.uuid4(), EditKind.ACCEPT, "b" * 64, (1, 2), reviewer, time.time())


def labels(seed: int, n: int = 1_000) -> LabelSet:
    rng = np.random.default_rng(seed)
    columns = {"sample": np.sort(rng.integers(0, 10**9, n)), "item": rng.integers(0, 9, n)}
    author = Author("model", "spikes/test")
    return LabelSet.build(
        Kind.EVENTS, columns, ("unit",), Provenance("spikes", "f", author, seed=seed)
    )


def write_edits(path: str, acknowledged: Connection) -> None:
    with Store.open(path) as store:
        acknowledged.send_bytes(b"ready")
        while True:
            for done in store.append([edit(), edit()]):
                acknowledged.send_bytes(done.bytes)


def write_labels(path: str, acknowledged: Connection) -> None:
    seed = int.from_bytes(os.urandom(6), "little")
    sets = [labels(seed + n) for n in range(15)]
    with Store.open(path) as store:
        acknowledged.send_bytes(b"ready")
        for made in sets:
            store.record_labels(store.put_labels(made))
            acknowledged.send_bytes(made.digest.encode())
    time.sleep(10)


def first_open(path: str, acknowledged: Connection) -> None:
    acknowledged.send_bytes(b"ready")
    with Store.open(path) as store:
        one = edit()
        store.append([one])
        acknowledged.send_bytes(one.uuid.bytes)
        time.sleep(10)


def kill_one(work, path: Path, delay_s: float) -> list[bytes]:
    """Run `work` in a process, kill it after a delay; returns what it had acknowledged."""
    receive, send = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=work, args=(str(path), send), daemon=True)
    process.start()
    send.close()
    received = []
    assert receive.recv_bytes() == b"ready"
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    try:
        while True:
            received.append(receive.recv_bytes())
    except (EOFError, OSError):
        pass  # also a message cut short: it was not acknowledged in full
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return received


@pytest.fixture(scope="module", autouse=True)
def _warm_server():
    FORKS.set_forkserver_preload(["nissl.store", "nissl.labels.serialise", "numpy"])


def test_acknowledged_edits_survive_seventy_kills(tmp_path):
    rng = np.random.default_rng(0)
    acknowledged: set[bytes] = set()
    for _ in range(70):
        acknowledged |= set(kill_one(write_edits, tmp_path, rng.uniform(0, 0.05)))
        with Store.open(tmp_path, create=False) as store:
            assert acknowledged <= {e.uuid.bytes for e in store.edits()}
    with Store.open(tmp_path, create=False) as store:
        assert store.verify() == []
        assert len(store.edits()) % 2 == 0  # a batch is kept whole or not at all
    assert len(acknowledged) > 20  # the kills did come while it wrote


def test_finished_label_sets_survive_thirty_kills(tmp_path):
    Store.open(tmp_path).close()
    rng = np.random.default_rng(1)
    acknowledged: set[str] = set()
    for _ in range(30):
        received = kill_one(write_labels, tmp_path, rng.uniform(0, 0.08))
        acknowledged |= {digest.decode() for digest in received}
        with Store.open(tmp_path, create=False) as store:
            assert acknowledged <= {row.digest for row in store.label_sets()}
    with Store.open(tmp_path, create=False) as store:
        assert store.verify() == []  # reads every label set on record
        for file in (tmp_path / "labels").glob("[!.]*.parquet"):
            assert store.get_labels(file.stem).digest == file.stem
    assert len(acknowledged) > 10


def test_a_project_opens_after_a_kill_while_it_was_made(tmp_path):
    rng = np.random.default_rng(2)
    start = time.perf_counter()
    Store.open(tmp_path / "timed").close()
    longest_s = 3 * (time.perf_counter() - start)
    finished = 0
    for n in range(20):
        path = tmp_path / f"p{n}"
        acknowledged = kill_one(first_open, path, rng.uniform(0, longest_s) if n else 1.5)
        finished += bool(acknowledged)
        with Store.open(path) as store:
            known = [e.uuid.bytes for e in store.edits()]
            assert set(acknowledged) <= set(known)
            store.append([edit()])
            assert store.verify() == []
        with Store.open(path, create=False) as again:
            assert again.id == store.id
            assert len(again.edits()) == len(known) + 1
    assert finished > 0


def append_all(address: str, path: str, reviewer: str, seeds: list[int], start) -> None:
    sets = [labels(seed, 50) for seed in seeds]
    with Store.open(path, database=address) as store:
        start.wait(60)
        for made in sets:
            store.append([edit(reviewer), edit(reviewer)])
            store.record_labels(store.put_labels(made))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path, kind, request):
    address = "sqlite" if kind == "sqlite" else request.getfixturevalue("postgresql")
    start = FORKS.Barrier(2)
    work = [
        FORKS.Process(target=append_all, args=(address, str(tmp_path), name, seeds, start))
        for name, seeds in (("anna", list(range(60))), ("ben", list(range(30, 90))))
    ]  # neither finds a project there: both make it
    for process in work:
        process.start()
    for process in work:
        process.join(60)
        assert process.exitcode == 0
    with Store.open(tmp_path, create=False, database=address) as store:
        edits = store.edits()
        assert len(edits) == 240
        for name in ("anna", "ben"):
            times = [e.when_s for e in edits if e.reviewer == name]
            assert len(times) == 120
            assert times == sorted(times)  # each one's own order is kept
        pairs = list(zip(edits[::2], edits[1::2], strict=True))
        assert all(a.reviewer == b.reviewer for a, b in pairs)  # batches are never mixed
        authors = [a.reviewer for a, _ in pairs]
        assert sum(a != b for a, b in itertools.pairwise(authors)) > 2  # they did run together
        assert {r.digest for r in store.label_sets()} == {labels(n, 50).digest for n in range(90)}
        assert store.verify() == []


_TRACED = """
import os, sys, uuid
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_crash import edit, labels
from nissl.store import Store
with Store.open(sys.argv[1]) as store:
    made = labels(0, 10)
    os.write(1, b"NISSL-BEGIN")
    store.append([edit()])
    os.write(1, b"NISSL-EDIT")
    digest = store.put_labels(made)
    os.write(1, b"NISSL-PUT")
    store.record_labels(digest)
    os.write(1, b"NISSL-RECORDED")
"""


def test_data_are_forced_to_the_disk_before_they_are_acknowledged(tmp_path, require):
    strace = shutil.which("strace")
    if strace is None:
        require("strace", "no strace; run: apt-get install -y strace")
    log = tmp_path / "strace.log"
    calls = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
    command = [strace, "-f", "-y", "-s", "64", "-e", f"trace={calls}", "-o", str(log)]
    program = [sys.executable, "-c", _TRACED, str(tmp_path / "p"), str(Path(__file__).parent)]
    done = subprocess.run([*command, *program], capture_output=True, timeout=120, check=False)
    if b"PTRACE" in done.stderr:
        require("strace", "this machine does not let strace follow a process")
    assert done.returncode == 0, done.stderr.decode()
    lines = log.read_text().splitlines()
    marks = [
        next(n for n, line in enumerate(lines) if f'"NISSL-{word}"' in line)
        for word in ("BEGIN", "EDIT", "PUT", "RECORDED")
    ]
    edit_calls, put_calls, record_calls = (lines[a + 1 : b] for a, b in itertools.pairwise(marks))
    for part in (edit_calls, record_calls):
        written = _last(part, "pwrite64(", "journal.db-wal")
        assert 0 <= written < _last(part, "sync(", "journal.db-wal")
    file_written = _last(put_calls, "write(", ".partial")
    file_forced = _last(put_calls, "fsync(", ".partial")
    renamed = _last(put_calls, "rename(", ".parquet")
    folder_forced = _last(put_calls, "fsync(", "/labels>")
    assert 0 <= file_written < file_forced < renamed < folder_forced


def _last(lines: list[str], call: str, file: str) -> int:
    return max((n for n, line in enumerate(lines) if call in line and file in line), default=-1)
