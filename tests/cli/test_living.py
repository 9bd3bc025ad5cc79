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
from nissl.annotators.decoding.simulate import simulate_trials
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


def test_a_reader_that_goes_away_and_a_broken_journal_are_in_nobodys_way(tmp_path, night):
    study = tmp_path / "study"
    told = ["live", study, "--task", "sleep", "--set", "epoch_s=2", "--from", night]
    command = [sys.executable, "-m", "nissl", *map(str, told), "--speed", "2"]
    session = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    session.stdout.readline()
    session.stdout.close()
    words = session.stderr.read()
    session.wait()
    assert "Traceback" not in words
    assert "kept: " in words
    (study / "live" / "broken.jsonl").write_text("{}\n")
    result = nissl_(*told, "--speed", "inf", "--seconds", "4")
    assert "broken.jsonl could not be made labels" in result.stderr
    assert "kept: 2 labels" in result.stderr


def test_decoding_is_taught_first(tmp_path, night):
    with pytest.raises(BadArgumentError, match="teach"):
        nissl_("live", tmp_path / "s", "--task", "decoding/csp", "--from", night)
    with pytest.raises(BadArgumentError, match="method for streams"):
        nissl_("live", tmp_path / "s", "--task", "sleep/yasa", "--from", night)


def test_a_decoder_taught_on_a_session_decides_on_its_replay(tmp_path):
    made = simulate_trials(21, n_trials=60, n_unknown=20, trial_s=1.5)
    stream = made.recording["eeg"]
    ids = np.array(stream.channels.ids)
    path, study = tmp_path / "session.npz", tmp_path / "study"
    np.savez(path, data=stream.read().T, rate_hz=stream.rate_hz, gain_uv=1.0, ch_names=ids)
    names = ["n/a" if n == "unknown" else n for n in made.trials.vocabulary.names]
    columns = [made.trials.column(n) for n in ("start", "stop", "label")]
    rows = [
        f"{a / 128:.6f}\t{(b - a) / 128:.6f}\t{names[k]}" for a, b, k in zip(*columns, strict=True)
    ]
    (tmp_path / "events.tsv").write_text("\n".join(["onset\tduration\ttrial_type", *rows]) + "\n")
    with nissl.open(study) as project:
        project.add(path)
        project.add_labels("session", tmp_path / "events.tsv")
    told = ("live", study, "--task", "decoding/csp", "--teach", "session", "--from", path)
    result = nissl_(*told, "--speed", "inf")
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["start"] for line in said] == columns[0].tolist()
    truth = made.truth.column("label")[40:]
    vocabulary = made.truth.vocabulary.names
    right = [line["label"] == vocabulary[k] for line, k in zip(said[40:], truth, strict=True)]
    assert np.mean(right) >= 0.8
    with nissl.open(study) as project:
        (row,) = project.store.label_sets(task="decoded")
        assert row.n_rows == len(said)
