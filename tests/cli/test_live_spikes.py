"""`nissl live --task spikes`: a recording teaches, and a replay leaves spikes and triggers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.annotators.spikes.own.planted import (
    N_CHANNELS,
    N_UNITS,
    RATE_HZ,
    planted,
    taught,
)
from typer.testing import CliRunner

import nissl
from nissl.annotators.spikes.own.live.taught import save_taught
from nissl.cli import app
from nissl.labels import Kind
from nissl.live.latency import matched
from nissl.live.triggers import read_log
from nissl.project.live_sorter import path_of

SECONDS = 8.0


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("spikes") / "probe.npz"
    signal = planted(seconds=SECONDS).signal
    x = np.round(signal.read(0, signal.n_samples)).astype(np.int16)
    np.savez(path, data=x, rate=RATE_HZ, channels=np.array([f"c{k}" for k in range(N_CHANNELS)]))
    return path


def nissl_(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def shared(one, other, tolerance):
    units = np.union1d(one[1], other[1])
    return sum(
        matched(np.sort(one[0][one[1] == u]), np.sort(other[0][other[1] == u]), tolerance)
        for u in units
    )


def test_a_recording_teaches_a_replay_is_labelled_as_offline(tmp_path, recording):
    pytest.importorskip("zmq")
    study = tmp_path / "study"
    run = ("live", study, "--task", "spikes", "--from", recording, "--speed", "inf")
    send = ("--trigger", "zmq:tcp://127.0.0.1:*", "--trigger-on", "unit=0", "--set", "follow=false")
    result = nissl_(*run, "--teach", "probe", *send)
    assert result.exit_code == 0
    assert "Sorting 'probe'" in result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert {line["label"] for line in said} == {"unit"}
    with nissl.open(study) as project:
        (row,) = project.store.label_sets(task="spikes")
        live = project.store.get_labels(row.digest)
        assert live.kind is Kind.EVENTS
        assert live.provenance.parameters["live"] is True
        assert live.provenance.parameters["taught"]["source"] == live.provenance.source
        offline = project.annotate("probe", "spikes/nissl").labels
    one, other = ((labels.column("sample"), labels.column("item")) for labels in (live, offline))
    most = max(live.n_rows, offline.n_rows)
    assert most > 0.9 * N_UNITS * 20 * SECONDS
    np.testing.assert_array_equal(np.unique(one[1]), np.unique(other[1]))
    assert shared(one, other, 1) >= 0.98 * most
    assert shared(one, other, 4) >= 0.99 * most
    for u in np.unique(one[1]):
        sizes = [np.median(s.column("amplitude")[s.column("item") == u]) for s in (live, offline)]
        assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
    (log,) = (study / "live").glob("*.triggers")
    assert [each.start for each in read_log(log)] == [c["start"] for c in said if c["unit"] == 0]
    again = nissl_(*run, "--teach", "probe", "--set", "follow=false", "--seconds", "1")
    assert "Sorting" not in again.stderr  # it was kept
    first = [json.loads(line) for line in again.stdout.splitlines()]
    assert first == said[: len(first)]


def test_the_beginning_teaches_and_the_rest_is_labelled_live(tmp_path, recording):
    study = tmp_path / "study"
    nissl_("add", study, recording)
    run = ("live", study, "--task", "spikes", "--teach", "probe", "--from", recording)
    result = nissl_(*run, "--speed", "inf", "--teach-seconds", 4)
    assert result.exit_code == 0
    assert "Sorting the first 4 s of 'probe'" in result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines()]
    with nissl.open(study) as project:
        (row,) = project.store.label_sets(task="spikes")
        learnt = project.store.get_labels(row.digest).provenance.parameters["taught"]
    assert learnt["n_samples"] == 4 * RATE_HZ
    late = [line for line in said if line["start"] > 4 * RATE_HZ]
    start = np.asarray([line["start"] for line in late])
    unit = np.asarray([line["unit"] for line in late])
    truth = planted(seconds=SECONDS)
    for u in np.unique(truth.unit):
        true = np.sort(truth.sample[(truth.unit == u) & (truth.sample > 4 * RATE_HZ)])
        hits = [matched(np.sort(start[unit == k]), true, 12) for k in np.unique(unit)]
        assert max(hits) >= 0.9 * true.size
    (kept,) = (study / "live").glob("spikes-*.npz")
    nissl_(*run, "--speed", "inf", "--seconds", 0.1)  # all of it teaches another one
    assert len(list((study / "live").glob("spikes-*.npz"))) == 2
    assert kept.exists()


def test_it_is_said_when_the_recording_that_taught_moved(tmp_path, recording):
    nissl_("add", tmp_path, recording)
    run = ("live", tmp_path, "--task", "spikes", "--teach", "probe", "--from", recording)
    for range_um in (0.0, 12.5):
        origin = {**taught().origin, "range_um": [0.0, range_um]}
        names = tuple(f"c{k}" for k in range(N_CHANNELS))
        with nissl.open(tmp_path) as project:
            path = path_of(project.store, project.source("probe"), {})
        path.parent.mkdir(exist_ok=True)
        save_taught(path, replace(taught(), channels=names, origin=origin))
        result = nissl_(*run, "--speed", "inf", "--seconds", 0.2)
        assert result.exit_code == 0
        assert ("moved by 12.5 um in 'probe'" in result.stderr) == (range_um > 0)


def test_seconds_that_cannot_teach_are_refused(tmp_path, recording):
    nissl_("add", tmp_path, recording)
    run = ["live", str(tmp_path), "--from", str(recording), "--speed", "inf"]
    for more, told in (
        (["--task", "spikes", "--teach", "probe", "--teach-seconds", "9"], "up to 8"),
        (["--task", "spikes", "--teach", "probe", "--teach-seconds", "0"], "above 0"),
        (["--task", "spikes", "--teach-seconds", "2"], "--teach SOURCE"),
        (["--task", "events/bursts", "--teach-seconds", "2"], "--task events/bursts"),
    ):
        result = CliRunner().invoke(app, run + more)
        assert result.exit_code != 0
        assert told in str(result.exception) + result.output


def test_without_a_teacher_it_is_said_what_is_missing(tmp_path, recording):
    result = CliRunner().invoke(
        app, ["live", str(tmp_path / "s"), "--task", "spikes", "--from", str(recording)]
    )
    assert result.exit_code != 0
    assert "--teach" in str(result.exception) + result.output
