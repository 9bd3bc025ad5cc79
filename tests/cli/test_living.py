"""`nissl live` from end to end: a file replayed, a stream of LSL, a process that is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.cli import app
from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.live import StreamInfo, live_method, offline
from nissl.live.lsl import require_pylsl

RATE = 100.0


@pytest.fixture
def night(tmp_path):
    x = (20 * np.random.default_rng(0).standard_normal((4000, 2))).astype(np.float32)
    path = tmp_path / "night.npz"
    np.savez(path, data=x, rate=RATE, channels=np.array(["Fpz-Cz", "Pz-Oz"]))
    return path


def nissl_(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_a_replayed_file_leaves_a_label_set_on_it(tmp_path, night):
    study = tmp_path / "study"
    run = ("live", study, "--task", "sleep", "--set", "epoch_s=5", "--from", night, "--speed")
    result = nissl_(*run, "inf")
    assert result.exit_code == 0
    said = [json.loads(line) for line in result.stdout.splitlines()]
    recording = nissl.read(night)["signal"]
    again = live_method("sleep", StreamInfo.of(recording), {"epoch_s": 5.0})
    wanted = offline(again, recording)
    assert [line["start"] for line in said] == [claim.start for claim in wanted]
    with nissl.open(study) as project:
        (row,) = project.store.label_sets(task="sleep")
        labels = project.store.get_labels(row.digest)
        assert labels.column("start").tolist() == [claim.start for claim in wanted]
        assert labels.provenance.source == project.sources()[0].fingerprint
        assert labels.provenance.author.name == "sleep/nissl"
        assert labels.provenance.parameters["live"] is True
        confidence = labels.column("confidence")
    assert np.allclose(confidence, [claim.confidence for claim in wanted])
    assert not list((study / "live").glob("*.jsonl"))
    assert nissl_(*run, "inf", "--seconds", "12").stdout.count("\n") == 2


def test_a_killed_session_is_kept_by_the_next(tmp_path, night):
    study = tmp_path / "study"
    told = ["live", study, "--task", "sleep", "--set", "epoch_s=2", "--from", night, "--speed"]
    command = [sys.executable, "-m", "nissl", *map(str, told), "4"]
    session = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = [json.loads(session.stdout.readline()) for _ in range(5)]
    result = nissl_(*told, "inf", "--seconds", "4")  # beside it: its journal is in use
    assert "kept: 2 labels" in result.stderr
    session.send_signal(signal.SIGKILL)
    said += [json.loads(line) for line in session.stdout.readlines() if line.endswith("\n")]
    session.wait()
    nissl_(*told, "inf", "--seconds", "4")
    with nissl.open(study) as project:
        sets = [project.store.get_labels(r.digest) for r in project.store.label_sets(task="sleep")]
    most = max(sets, key=lambda labels: labels.n_rows)
    assert most.column("start").tolist()[: len(said)] == [line["start"] for line in said]


def test_ctrl_c_ends_cleanly(tmp_path, night):
    study = tmp_path / "study"
    told = ["live", study, "--task", "sleep", "--set", "epoch_s=2", "--from", night]
    session = subprocess.Popen(
        [sys.executable, "-m", "nissl", *map(str, told)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(session.stdout.readline())["start"] == 0
    session.send_signal(signal.SIGINT)
    _, words = session.communicate(timeout=60)
    assert session.returncode == 0
    assert "ended by you" in words
    assert "kept: " in words


def test_a_stream_of_lsl_is_recorded_and_labelled(tmp_path):
    try:
        pylsl = require_pylsl()
    except MissingDependencyError as error:
        pytest.skip(f"no liblsl: {error}")
    name = f"nissl-cli-{os.getpid()}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 2, RATE, pylsl.cf_float32, name))
    if not pylsl.resolve_byprop("name", name, timeout=3.0):
        pytest.skip("liblsl finds no stream on this machine: neither multicast nor loopback")
    study = tmp_path / "study"
    command = [sys.executable, "-m", "nissl", "live", str(study), "--task", "sleep"]
    command += ["--set", "epoch_s=2", "--set", 'channels=["1","2"]', "--from", f"lsl:{name}"]
    session = subprocess.Popen(
        [*command, "--idle", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert outlet.wait_for_consumers(60)
    time.sleep(0.5)
    x = (20 * np.random.default_rng(0).standard_normal((1000, 2))).astype(np.float32)
    stamps = pylsl.local_clock() + np.arange(1000) / RATE
    stamps[500:] += 2.0
    for a in range(0, 1000, 50):
        outlet.push_chunk(x[a : a + 50].tolist(), float(stamps[a + 49]))
    out, words = session.communicate(timeout=90)
    assert session.returncode == 0, words
    said = [json.loads(line) for line in out.splitlines()]
    assert [line["gap"]["sample"] for line in said if "gap" in line] == [500]
    assert [line["start"] for line in said if "start" in line] == [0, 200, 500, 700]
    with nissl.open(study) as project:
        (source,) = project.sources()
        signal_ = source.recording["raw"]
        assert np.array_equal(signal_.read(500, 1000), x[500:])
        assert len(signal_.clock.segments) == 2
        (row,) = project.store.label_sets(source=source.fingerprint)
        assert row.n_rows == 4
        assert [f["check"] for f in project.store.findings(row.digest)] == ["lost_samples"]


def test_decoding_is_taught_first(tmp_path, night):
    with pytest.raises(BadArgumentError, match="teach"):
        nissl_("live", tmp_path / "s", "--task", "decoding/csp", "--from", night)
    with pytest.raises(BadArgumentError, match="method for streams"):
        nissl_("live", tmp_path / "s", "--task", "sleep/yasa", "--from", night)
