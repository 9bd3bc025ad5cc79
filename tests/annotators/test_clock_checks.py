import numpy as np

from nissl.annotators.clock_checks import (
    check_clock_map,
    check_frames,
    check_pulses,
    clock_findings,
    frame_limit_s,
)
from nissl.sync import ClockMap, frame_times, match_pulses
from nissl.testing.sessions import jittered_train


def map_with_outlier(size_s):
    b = np.arange(20.0)
    b[7] += size_s
    return ClockMap.through(np.arange(20.0), b, a="probe", b="board")


def test_a_residual_above_half_a_millisecond_is_an_error_for_ephys():
    (finding,) = check_clock_map(map_with_outlier(0.8e-3))
    assert (finding.check, finding.severity, finding.unit) == ("clock_residual", "error", "ms")
    assert np.isclose(finding.value, 0.8)
    assert finding.limit == 0.5
    assert "0.8 ms" in finding.sentence
    assert "probe and board" in finding.sentence


def test_the_same_residual_is_fine_for_video_and_below_the_limit_for_ephys():
    assert check_clock_map(map_with_outlier(0.8e-3), frame_limit_s(30.0)) == []
    assert check_clock_map(map_with_outlier(0.4e-3)) == []
    (finding,) = check_clock_map(map_with_outlier(20e-3), frame_limit_s(30.0))
    assert np.isclose(finding.limit, 500 / 30)


def test_two_pulses_cannot_be_checked():
    (finding,) = check_clock_map(ClockMap.through([0.0, 10.0], [1.0, 11.0]))
    assert finding.severity == "warning"
    assert "2 pulses only" in finding.sentence
    assert "1 pulse only" in check_clock_map(ClockMap.identity())[0].sentence


def test_a_long_gap_is_noted():
    times = np.concatenate([np.arange(10.0), np.arange(1000.0, 1010.0)])
    (finding,) = check_clock_map(ClockMap.through(times, times))
    assert (finding.check, finding.value) == ("clock_gap", 991.0)


def test_lost_and_ambiguous_pulses():
    train = jittered_train(200.0, np.random.default_rng(0))
    lossy = np.delete(train, np.arange(5, train.size - 5, 14))
    match = match_pulses(train, np.sort(np.append(lossy, lossy[20] + 4e-4)))
    lost, ambiguous = check_pulses(match, a="probe", b="board")
    assert lost.sentence.startswith("board lacks")
    assert lost.value > 0.05
    assert ambiguous.check == "pulses_ambiguous"
    everything = clock_findings(match.clock_map(a="probe", b="board"), match=match)
    assert [f.check for f in everything] == ["pulses_lost", "pulses_ambiguous"]


def test_dropped_frames_and_lost_frame_pulses():
    times = np.delete(np.arange(200.0) / 30, [50])
    numbers = np.delete(np.arange(200), [20, 21, 22])
    frames = frame_times(times, numbers=numbers)
    dropped, lost = check_frames(frames, camera="top view")
    assert (dropped.check, dropped.severity, dropped.value) == ("frames_dropped", "warning", 0.015)
    assert "number 20" in dropped.sentence
    assert (lost.check, lost.severity) == ("frame_pulses_lost", "note")
    assert check_frames(frame_times(np.arange(9.0), n_frames=9)) == []
    found = clock_findings(frames.clock_map(), frames.limit_s, frames=frames)
    assert [f.check for f in found] == ["frames_dropped", "frame_pulses_lost"]
