import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import AmbiguousClockError, BadArgumentError, BadMetadataError
from nissl.sync import ClockMap, match_pulses
from nissl.testing.sessions import jittered_train, wandering_clock


def seen(train, rng, *, lost=0.01, noise_s=2e-5):
    """Indices of the train that a device saw, and their times."""
    keep = np.flatnonzero(rng.random(train.size) >= lost)
    return keep, train[keep] + rng.normal(0, noise_s, keep.size)


def check_pairs(match, in_a, in_b):
    """Every pair joins the same pulse of the train."""
    np.testing.assert_array_equal(in_a[match.pairs[:, 0]], in_b[match.pairs[:, 1]])


def check_partition(match):
    """Every pulse stands in exactly one list."""
    for side, n in (("a", match.a_s.size), ("b", match.b_s.size)):
        column = 0 if side == "a" else 1
        other = "b" if side == "a" else "a"
        lists = [
            match.pairs[:, column],
            getattr(match, f"missing_{other}"),
            getattr(match, f"extra_{side}"),
            getattr(match, f"outside_{side}"),
            getattr(match, f"ambiguous_{side}"),
        ]
        np.testing.assert_array_equal(np.sort(np.concatenate(lists)), np.arange(n))


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-150, 150),
    st.floats(-1e6, 1e6),
    st.integers(0, 15),
    st.integers(0, 15),
)
@settings(max_examples=40, deadline=None)
def test_jittered_trains_match_whatever_the_offset(seed, drift_ppm, offset_s, cut_a, cut_b):
    rng = np.random.default_rng(seed)
    train = jittered_train(200.0, rng)
    device = wandering_clock(200.0, rng, offset_s=offset_s, drift_ppm=drift_ppm)
    in_a, a = seen(train[cut_a:], rng)
    in_b, b = seen(train[: train.size - cut_b], rng)
    match = match_pulses(a, device(b))
    in_a = in_a + cut_a
    check_pairs(match, in_a, in_b)
    check_partition(match)
    common = np.intersect1d(in_a, in_b)
    assert match.n_pairs == common.size
    inside = (train >= max(a[0], b[0]) - 1e-3) & (train <= min(a[-1], b[-1]) + 1e-3)
    only_a = np.setdiff1d(in_a, in_b)
    np.testing.assert_array_equal(in_a[match.missing_b], only_a[inside[only_a]])
    only_b = np.setdiff1d(in_b, in_a)
    np.testing.assert_array_equal(in_b[match.missing_a], only_b[inside[only_b]])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_matching_is_symmetric(seed):
    rng = np.random.default_rng(seed)
    train = jittered_train(150.0, rng)
    _, a = seen(train, rng, lost=0.03)
    _, b = seen(train, rng, lost=0.03)
    there, back = match_pulses(a, b + 7), match_pulses(b + 7, a)
    np.testing.assert_array_equal(there.pairs, back.pairs[:, ::-1])
    np.testing.assert_array_equal(there.missing_a, back.missing_b)


def test_glitches_close_to_a_pulse_are_extra_and_lost_pulses_missing():
    rng = np.random.default_rng(3)
    train = jittered_train(300.0, rng)
    a = np.delete(train, [40, 120])
    glitches = train[[60, 200]] + 0.2
    b = np.sort(np.concatenate([np.delete(train, 90), glitches]))
    match = match_pulses(a, b)
    np.testing.assert_allclose(match.b_s[match.extra_b], glitches)
    np.testing.assert_allclose(match.b_s[match.missing_a], train[[40, 120]])
    np.testing.assert_allclose(match.a_s[match.missing_b], train[[90]])
    assert match.summary()["pairs"] == train.size - 3
    assert "extra_b" in repr(match)


def test_two_candidates_within_the_tolerance_are_left_out():
    rng = np.random.default_rng(4)
    train = jittered_train(100.0, rng)
    b = np.sort(np.append(train, train[30] + 5e-4))
    match = match_pulses(train, b)
    assert match.ambiguous_a.tolist() == [30]
    assert match.ambiguous_b.tolist() == [30, 31]
    check_partition(match)


def test_regular_trains_are_refused():
    train = np.arange(0.0, 100.0)
    with pytest.raises(AmbiguousClockError, match="a whole period apart"):
        match_pulses(train[3:], train + 17.2)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_regular_trains_with_losses_and_glitches_are_never_guessed(seed):
    """Lost pulses and glitches give a square wave shape, but another one on each device."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 600))
    train = np.arange(float(n))
    trains = []
    for _ in range(2):
        _, times = seen(train, rng, lost=0.03)
        trains.append(np.unique(np.concatenate([times, rng.uniform(0, n, 3)])))
    with pytest.raises(AmbiguousClockError):
        match_pulses(trains[0], trains[1] + 123.0)


def test_regular_trains_match_near_an_approximate_map():
    rng = np.random.default_rng(5)
    train = np.arange(0.0, 1000.0)
    device = wandering_clock(1000.0, rng, offset_s=40.0, drift_ppm=80)
    in_a, a = seen(train, rng)
    in_b, b = seen(train, rng)
    match = match_pulses(a, device(b), near=ClockMap.offset(0.0, 40.3), within_s=0.45)
    check_pairs(match, in_a, in_b)
    assert match.n_pairs == np.intersect1d(in_a, in_b).size


@pytest.mark.parametrize("within_s", [None, 0.5, 3.0, 0.0])
def test_an_approximate_map_must_be_closer_than_half_a_period(within_s):
    train = np.arange(0.0, 50.0)
    with pytest.raises(AmbiguousClockError, match="half the train's shortest interval"):
        match_pulses(train, train, near=ClockMap.identity(), within_s=within_s)


def test_an_approximate_map_that_is_wrong_is_refused():
    train = jittered_train(100.0, np.random.default_rng(6))
    with pytest.raises(AmbiguousClockError):
        match_pulses(train, train, near=ClockMap.offset(0.0, 500.0), within_s=0.2)


def test_regular_train_with_odd_pauses_is_matched_by_its_pauses():
    rng = np.random.default_rng(7)
    pieces, t = [], 0.0
    for _ in range(6):
        pieces.append(t + np.arange(60.0))
        t = pieces[-1][-1] + rng.uniform(2, 9)
    train = np.concatenate(pieces)
    in_a, a = seen(train[10:], rng)
    in_b, b = seen(train, rng)
    match = match_pulses(a, b * (1 + 30e-6) - 5)
    check_pairs(match, in_a + 10, in_b)


def test_a_train_that_repeats_itself_is_ambiguous():
    once = jittered_train(60.0, np.random.default_rng(8))
    train = np.concatenate([once, once + 70.0, once + 140.0])
    with pytest.raises(AmbiguousClockError):
        match_pulses(train, train[: once.size * 2])


@pytest.mark.parametrize("where", [0.5, 0.9])
def test_a_device_that_restarted_is_refused(where):
    train = jittered_train(600.0, np.random.default_rng(10))
    half = int(train.size * where)
    restarted = np.concatenate([train[:half], train[half:] + 25.0])
    with pytest.raises(AmbiguousClockError, match="restarted"):
        match_pulses(train, restarted)
    assert match_pulses(train, restarted[:half]).n_pairs == half


def test_different_trains_do_not_match():
    rng = np.random.default_rng(9)
    with pytest.raises(AmbiguousClockError):
        match_pulses(jittered_train(500.0, rng), jittered_train(500.0, rng))


def test_bad_times_and_options():
    train = jittered_train(50.0, np.random.default_rng(1))
    with pytest.raises(BadMetadataError, match="index 1"):
        match_pulses([0.0, 0.0, 1.0], train)
    with pytest.raises(BadMetadataError, match="device b"):
        match_pulses(train, [0.0, np.nan])
    with pytest.raises(BadMetadataError, match="shape"):
        match_pulses(train[None], train)
    with pytest.raises(AmbiguousClockError, match="at least two pulses"):
        match_pulses(train, [1.0])
    with pytest.raises(BadArgumentError):
        match_pulses(train, train, tolerance_s=0)
