"""Two devices of one session, written as files: links, a clock map, events of the other."""

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.errors import BadArgumentError, NisslError
from nissl.labels import Kind
from nissl.testing.files import write_nidq, write_spikeglx
from nissl.testing.sessions import simulate_session

METHOD = "spikes/crossings"


def level(line, n_samples):
    out = np.zeros(n_samples, np.int16)
    steps = np.zeros(n_samples + 1, np.int64)
    np.add.at(steps, line.rising, 1)
    np.add.at(steps, line.falling, -1)
    out[:] = np.cumsum(steps[:-1]) > 0
    return out


@pytest.fixture(scope="module")
def made():
    return simulate_session(3, duration_s=40.0)


@pytest.fixture
def session(project, made, tmp_path):
    """Probe and board as SpikeGLX files, both in the project."""
    probe, board = made.probe.signal, made.board.signal
    sync = level(made.probe.lines[0], probe.n_samples)
    path = write_spikeglx(
        tmp_path / "probe", probe.read_raw().astype(np.int16), sync=sync, rate_hz=probe.rate_hz
    )
    lines = {line.name: level(line, board.n_samples) for line in made.board.lines}
    words = lines["sync"] | lines["camera"] << 1
    other = write_nidq(
        tmp_path / "board",
        board.read_raw().astype(np.int16),
        digital=words,
        rate_hz=board.rate_hz,
    )
    return project.add(path), project.add(other)


def names(source):
    return [line.name for line in source.recording.lines]


def test_lines_become_labels_when_a_source_is_added(project, session):
    probe, board = session
    assert len(names(probe)) == 1
    assert len(names(board)) >= 2
    kinds = {row.kind for row in project.store.label_sets(source=board.fingerprint)}
    assert kinds == {Kind.EVENTS, Kind.SPANS}


def test_shared_pulses_relate_the_clocks(project, session, made):
    probe, board = session
    line = names(board)[0]
    result = project.sync(board, probe, line_b=names(probe)[0], line_a=line)
    truth = made.truth
    expected = truth.probe_clock(truth.onsets_s)
    assert np.abs(result.map(truth.board_clock(truth.onsets_s)) - expected).max() < 0.5e-3
    (row,) = project.store.label_sets(task="sync", kind=Kind.LINKS)
    kept = project.store.get_labels(row.digest)
    assert kept == result.links
    a, b = (project.store.get_labels(d) for d in kept.provenance.targets)
    assert (a.provenance.source, b.provenance.source) == (board.fingerprint, probe.fingerprint)
    assert np.isin(kept.column("a"), a.items).all()
    assert np.isin(kept.column("b"), b.items).all()
    assert kept.n_rows > 0.9 * truth.sync_s.size
    assert result.to_json()["left_out_max_ms"] < 0.5
    project.sync(board, probe, line_b=names(probe)[0], line_a=line)
    assert len(project.store.label_sets(task="sync")) == 1, "the same again is kept once"


def camera_of(dossier):
    (name,) = [k for k in dossier.events if k.startswith("run_g0_t0-nidq")]
    return dossier.events[name]


@pytest.mark.parametrize("towards", ["probe", "board"])
def test_events_of_the_other_device_come_on_this_clock(project, session, made, crossings, towards):
    probe, board = session
    draft = project.annotate(probe, METHOD, parameters={"threshold_uv": 30.0})
    before = project.dossier(probe, "spikes", draft=True).events
    assert not any(board.name in name for name in before)
    ends = {"a": board, "b": probe, "line_a": names(board)[0], "line_b": names(probe)[0]}
    if towards == "board":
        ends = {"a": probe, "b": board, "line_a": names(probe)[0], "line_b": names(board)[0]}
    project.sync(**ends)
    dossier = project.dossier(probe, "spikes", draft=True)
    (name,) = [k for k in dossier.events if board.name in k]
    events = dossier.events[name]
    assert names(board)[0] not in name, "the shared pulses themselves are no events to look at"
    assert events.provenance.source == probe.fingerprint
    clock = Clock.from_json(probe.row.streams[draft.labels.provenance.stream]["clock"])
    found_s = clock.to_seconds(events.column("sample" if events.kind == Kind.EVENTS else "start"))
    exposures_s = made.truth.probe_clock(made.truth.exposures_s)
    nearest = np.abs(found_s[:, None] - exposures_s[None]).min(axis=1)
    assert np.median(nearest) < 0.5e-3
    assert found_s.size > 0.95 * exposures_s.size


def test_lines_must_be_named_where_there_are_several(project, session):
    probe, board = session
    with pytest.raises(BadArgumentError, match="--line-a"):
        project.sync(board, probe)
    with pytest.raises(BadArgumentError, match="nonsense"):
        project.sync(board, probe, line_a="nonsense")
    assert project.store.label_sets(task="sync") == []


def test_pulses_that_do_not_fit_are_refused(project, session):
    probe, board = session
    camera = names(board)[1]
    with pytest.raises(NisslError):
        project.sync(board, probe, line_a=camera)
    assert project.store.label_sets(task="sync") == []
