"""Servers of one project know of each other, and forget those that were killed."""

import json
import os
import subprocess
import sys
import time

from nissl.web.sessions import Keys, Running, announced, others


def test_each_server_has_a_cookie_of_its_own():
    assert Keys().cookie != Keys().cookie
    assert Keys().token not in Keys().cookie


def test_a_server_is_seen_while_it_runs_and_leaves_nothing(tmp_path):
    assert others(tmp_path) == []
    with announced(tmp_path, 8477):
        (seen,) = others(tmp_path)
        assert (seen.port, seen.pid) == (8477, os.getpid())
        note = next((tmp_path / "work" / "review").iterdir()).read_text()
        assert set(json.loads(note)) == {"host", "pid", "started_s", "port"}  # no token
    assert others(tmp_path) == []
    assert not list((tmp_path / "work" / "review").iterdir())


def test_a_killed_server_is_forgotten(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from nissl.web.sessions import announced\n"
        "with announced(Path(sys.argv[1]), 1): print('here', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
        assert [r.pid for r in others(tmp_path)] == [process.pid]
        process.kill()
    assert others(tmp_path) == []
    assert not list((tmp_path / "work" / "review").iterdir())


def test_a_new_process_with_an_old_number_is_not_the_server(tmp_path):
    note = Running(os.uname().nodename, os.getpid(), time.time() - 1e7, 1)
    assert not note.alive
    assert not Running("another-machine", os.getpid(), note.started_s, 1).alive


def test_notes_that_do_not_parse_are_nobody(tmp_path):
    folder = tmp_path / "work" / "review"
    folder.mkdir(parents=True)
    for n, text in enumerate(("", "[]", '{"host": 1}', "\x00", '{"pid": 1}')):
        (folder / f"{n}.json").write_text(text)
    assert others(tmp_path) == []


def test_a_project_that_cannot_be_written_is_served_without_a_note(tmp_path):
    (tmp_path / "work").write_text("a file is in the way")
    with announced(tmp_path, 1):
        assert others(tmp_path) == []
