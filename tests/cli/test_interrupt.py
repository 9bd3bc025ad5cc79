"""Ctrl-C and kill -9 during a real run: the project opens, the same command finishes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

METHOD = "spikes/tridesclous2"


@pytest.fixture
def study(nissl, tmp_path):
    """A project with a small simulated recording, not yet sorted."""
    pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
    from nissl.annotators.spikes.simulate import simulate

    recording, _ = simulate(0, n_channels=4, duration_s=10.0, n_units=2, rate_hz=30_000.0)
    one = recording.signal
    path = tmp_path / "rec.bin"
    one.read_raw().tofile(path)
    probe = tmp_path / "probe.json"
    probe.write_text(json.dumps(one.channels.probe))
    facts = ["--rate", 30000, "--channels", 4, "--dtype", one.dtype, "--probe", probe]
    gain = ["--gain-uv", float(one.channels.gain_uv[0])]
    assert nissl("add", tmp_path / "study", path, *facts, *gain).code == 0
    return tmp_path / "study"


def started(study: Path, method: str = METHOD, sign: str = "shank-*") -> subprocess.Popen:
    """`nissl annotate` in a process group of its own, as a terminal gives it, while it sorts."""
    run = subprocess.Popen(
        [sys.executable, "-m", "nissl", "annotate", str(study), "--task", method, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not list((study / "work").glob(f"*/{sign}")):  # a sorter's own process begins
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    assert leftover(study)
    return run


def leftover(study: Path) -> list[str]:
    """Command lines of processes that still work for a project."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_text().replace("\0", " ")
        except OSError:
            continue
        if str(study) in command:
            found.append(command)
    return found


def finishes(nissl, study, method=METHOD):
    shown = json.loads(nissl("show", study, "--json").out)
    assert [row["task"] for row in shown] == [None]
    assert nissl("verify", study).code == 0
    again = nissl("annotate", study, "--task", method, "--json")
    assert again.code == 0, again.err
    (row,) = json.loads(again.out)
    assert row["items"] >= 1
    assert row["from_before"] is False
    assert not any((study / "work").iterdir())
    return again.err


def test_ctrl_c_ends_in_two_lines_and_the_same_command_finishes(nissl, study):
    run = started(study)
    os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to all processes in the foreground
    out, err = run.communicate(timeout=30)
    assert (run.returncode, out) == (130, ""), err
    _, _, said = err.partition("nissl: ")  # progress comes before
    assert said.startswith("Expected ")
    assert len(said.strip().splitlines()) == 2, err
    # within a sorter, or between two stages
    remedies = (
        "The same command starts this stage again; stages that had finished are kept.",
        "What is finished was kept; the same command goes on from there.",
    )
    assert said.strip().splitlines()[1] in remedies
    assert "Traceback" not in err
    assert leftover(study) == []
    finishes(nissl, study)


def test_our_sorter_goes_on_after_its_units_were_found(nissl, study):
    run = started(study, "spikes/nissl", "units-*.npz")
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert "finding units" in err
    again = finishes(nissl, study, "spikes/nissl")
    assert "matching" in again
    assert "finding units" not in again


def test_a_killed_run_is_finished_by_the_same_command(nissl, study):
    run = started(study)
    run.kill()
    run.communicate(timeout=30)
    until = time.monotonic() + 20
    while leftover(study) and time.monotonic() < until:
        time.sleep(0.1)
    assert leftover(study) == [], "the sorter must not outlive its parent"
    finishes(nissl, study)


def test_ctrl_c_in_any_command_ends_in_two_lines(study, tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-c", SLOW_SHOW, str(study)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout.readline() == "open\n"
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.startswith("nissl: Expected ")
    assert len(err.strip().splitlines()) == 2


SLOW_SHOW = """
import sys, time
import nissl.project
from nissl.cli import main

class Slow(nissl.project.Project):
    def sources(self):
        print("open", flush=True)
        time.sleep(60)

nissl.project.Project = Slow
sys.argv = ["nissl", "show", sys.argv[1]]
main()
"""
