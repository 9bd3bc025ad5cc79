"""From behaviour seen by a camera to spikes on a probe, through both clock maps."""

import numpy as np
import pytest

from nissl.annotators.clock_checks import clock_findings, frame_limit_s
from nissl.annotators.spikes.psth import onset_samples, psth
from nissl.data.onsets import detect_onsets
from nissl.errors import BadArgumentError
from nissl.io.lines import recording_lines
from nissl.io.trial_tables import Columns, read_csv
from nissl.io.trials import to_spans
from nissl.labels import Author, Provenance
from nissl.labels.remap import Target, join_pieces, remap
from nissl.sync import frame_times, match_pulses
from nissl.testing.sessions import FRAME_RATE_HZ, simulate_session, wandering_clock

HALF_FRAME_S = 0.5 / FRAME_RATE_HZ


@pytest.fixture(scope="module")
def session():
    return simulate_session(5)


def line(recording, name):
    return next(line for line in recording.lines if line.name == name)


@pytest.fixture(scope="module")
def board_to_probe(session):
    match = match_pulses(line(session.board, "sync").rising_s, line(session.probe, "sync").rising_s)
    return match.clock_map(a="board", b="probe")


@pytest.fixture(scope="module")
def frames(session):
    return frame_times(line(session.board, "camera").rising_s, numbers=session.frame_numbers)


def test_clock_maps_agree_with_the_truth(session, board_to_probe, frames):
    truth = session.truth
    lab = np.linspace(5, 115, 1000)
    error = board_to_probe(truth.board_clock(lab)) - truth.probe_clock(lab)
    assert np.abs(error).max() < 0.4e-3  # pulses are sampled at 5 and 10 kHz
    assert clock_findings(board_to_probe) == []
    np.testing.assert_allclose(frames.times_s, truth.board_clock(truth.frames_s), atol=0.4e-3)
    every = np.arange(truth.frame_numbers[-1])
    assert frames.dropped.tolist() == np.setdiff1d(every, truth.frame_numbers).tolist()
    assert frames.dropped.size > 0
    found = clock_findings(
        frames.clock_map(a="camera", b="board"), frame_limit_s(FRAME_RATE_HZ), frames=frames
    )
    assert {f.check for f in found} <= {"frames_dropped", "frame_pulses_lost"}


def test_behaviour_joined_to_spikes_is_right_to_half_a_frame(
    session, board_to_probe, frames, tmp_path
):
    truth, probe = session.truth, session.probe["ap"]
    # the labels arrive as a table of frames, as a scoring program would write it
    path = tmp_path / "behaviour.csv"
    names = [session.behaviour.vocabulary.names[c] for c in session.behaviour.column("label")]
    rows = zip(
        names,
        session.behaviour.column("start"),
        session.behaviour.column("stop") - 1,
        strict=True,
    )
    path.write_text("what,first,last\n" + "\n".join(f"{n},{a},{b}" for n, a, b in rows))
    columns = Columns("first", "last", label="what", unit="samples", last_included=True)
    trials = read_csv(path, columns, clock=frames.clock)
    about = Provenance("behaviour", "camera", Author("person", "observer"), "frames")
    imported = to_spans(trials, frames.clock, about)
    _, start, stop = join_pieces(imported)  # bouts are in pieces where a frame was dropped
    np.testing.assert_array_equal(start, session.behaviour.column("start"))
    np.testing.assert_array_equal(stop, session.behaviour.column("stop"))
    assert imported.n_rows > session.behaviour.n_rows

    camera_to_probe = frames.clock_map(a="camera", b="board").then(board_to_probe)
    target = Target(probe.clock, session.probe.fingerprint, "ap")
    moved = remap(imported, frames.clock, target, clock_map=camera_to_probe)
    assert (camera_to_probe.a, camera_to_probe.b) == ("camera", "probe")
    onsets = onset_samples(moved)
    error_s = onsets / probe.rate_hz - truth.probe_clock(truth.onsets_s)
    beside_drop = np.isin(
        np.searchsorted(truth.frames_s, truth.onsets_s),
        np.flatnonzero(np.diff(truth.frame_numbers) > 1) + 1,
    )
    assert np.abs(error_s[~beside_drop]).max() < HALF_FRAME_S + 0.5e-3
    assert np.abs(error_s).max() < 2 * HALF_FRAME_S + 0.5e-3

    found = psth(session.spikes, onsets, probe.clock, window_s=(-0.1, 0.3), bin_s=0.002)
    assert found.n_events == truth.onsets_s.size
    for unit, latency_s in enumerate(truth.latencies_s):
        counts = found.counts[unit].astype(float)
        near = np.abs(found.times_s - latency_s) < 0.04
        background = np.median(counts[found.times_s < 0])
        weight = counts[near] - background
        centre_s = float(weight @ found.times_s[near] / weight.sum())
        assert abs(centre_s - latency_s) < HALF_FRAME_S
        assert abs(centre_s - latency_s) < 6e-3  # the mean over bouts is better than that


def test_without_the_clock_maps_it_would_be_wrong(session):
    """The same average with frames taken as seconds of the probe misses the responses."""
    starts = session.behaviour.column("start") / FRAME_RATE_HZ
    naive = np.rint(starts * session.probe["ap"].rate_hz).astype(np.int64)
    found = psth(session.spikes, naive, session.probe["ap"].clock, window_s=(-0.1, 0.3))
    assert found.rate_hz.max() < 25


def test_flashes_on_the_photodiode(session):
    onsets = detect_onsets(session.board["nidq"], "photodiode")
    true = session.truth.board_clock(session.truth.flashes_s)
    assert onsets.rising_s.size == true.size
    error = onsets.rising_s - true
    assert np.abs(error).max() < 0.2e-3
    jitter = onsets.jitter_s[onsets.direction > 0]
    assert 0.5 < np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(jitter**2)) < 1.5


def test_lines_become_labels(session):
    events, spans = recording_lines(session.board)
    assert events.vocabulary.names == ("sync", "camera")
    assert events.provenance.stream == "nidq"
    assert spans.n_rows == events.n_rows


def test_the_same_seed_gives_the_same_session():
    one, two = (simulate_session(3, duration_s=20) for _ in range(2))
    assert one.spikes == two.spikes
    assert one.behaviour == two.behaviour
    np.testing.assert_array_equal(one.probe["ap"].read_raw(), two.probe["ap"].read_raw())
    other = simulate_session(4, duration_s=20)
    assert other.spikes != one.spikes
    assert other.probe.fingerprint != one.probe.fingerprint


def test_spikes_are_in_the_signal(session):
    signal, spikes = session.probe["ap"], session.spikes
    mine = spikes.rows_of(2)
    channel = int(spikes.column("channel")[mine[0]])
    values = signal.read(channels=[channel])[:, 0]
    assert values[spikes.column("sample")[mine]].mean() < -70
    assert abs(values.mean()) < 1


def test_wandering_clock_starts_where_it_should_and_drifts_as_told():
    clock = wandering_clock(3600, np.random.default_rng(0), offset_s=12.5, drift_ppm=40)
    assert clock(0.0) == pytest.approx(12.5, abs=1e-9)
    assert (clock(3600.0) - clock(0.0)) / 3600 - 1 == pytest.approx(40e-6, abs=4e-6)


@pytest.mark.parametrize(
    "options", [{"duration_s": 5}, {"n_units": 0}, {"lost": 0.5}, {"dropped": -0.1}]
)
def test_impossible_sessions(options):
    with pytest.raises(BadArgumentError):
        simulate_session(0, **options)
