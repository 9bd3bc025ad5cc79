"""Optotagging on trains of known answers: error rates, power, artefacts, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.celltypes.evoked_waveforms import WaveformMatch, waveform_match
from nissl.annotators.celltypes.optotagging import Criteria, measure, tag_trains
from nissl.annotators.celltypes.pulses import Pulses, first_spikes, windows_of
from nissl.annotators.celltypes.salt import distances, salt
from nissl.annotators.celltypes.simulate_tagging import (
    simulate_answer,
    simulate_pulses,
    simulate_train,
)
from nissl.errors import BadArgumentError, BadLabelsError, MissingInputError

CRITERIA = Criteria()
NO_HOLE = np.full((1, 2), np.nan)


def windows(onsets, duration_s, pulse_s=0.005, **changes):
    limits = {"within_s": 0.01, "look_s": 0.03, "dead_s": 0.0005, "recovery_s": 0.05} | changes
    return windows_of(Pulses(onsets, np.full(len(onsets), pulse_s)), [[0, duration_s]], **limits)


def session(rng, n=120, period_s=0.5):
    onsets = simulate_pulses(rng, n=n, period_s=period_s)
    duration_s = period_s * (n + 4)
    return onsets, duration_s, windows(onsets, duration_s)


def test_a_pulse_without_spikes_in_its_window_has_no_first_spike():
    spikes = np.asarray([1.0, 1.2, 1.25])
    starts = np.asarray([0.9, 1.1, 1.3])
    found = first_spikes(spikes, starts, 0.105, np.repeat(NO_HOLE, 3, axis=0))
    np.testing.assert_allclose(found, [0.1, 0.1, np.inf])
    hole = np.asarray([[0.05, 0.12]] * 3)
    found = first_spikes(spikes, starts, 0.2, hole)
    np.testing.assert_allclose(found, [np.inf, 0.15, np.inf])


@given(st.integers(2, 6), st.integers(2, 8), st.integers(0, 10**6))
def test_divergence_is_a_metric(n, bins, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(bins), n)
    d = distances(p)
    np.testing.assert_allclose(d, d.T, atol=1e-7)
    assert np.all(np.diag(d) < 1e-6)
    assert np.all(d <= np.sqrt(2 * np.log(2)) + 1e-9)
    assert np.all(d[:, None] <= d[:, :, None] + d[None] + 1e-6)


NULLS = [
    ("poisson", 5, 0.0),
    ("poisson", 30, 0.8),
    ("regular", 30, 0.0),
    ("bursty", 8, 0.8),
    ("rhythmic", 8, 0.0),
]


@pytest.mark.parametrize(("kind", "rate_hz", "drift"), NULLS)
def test_units_that_ignore_light_are_hardly_ever_significant(kind, rate_hz, drift):
    rng = np.random.default_rng(5)
    _, duration_s, laid = session(rng)
    found = [
        measure(0, simulate_train(rng, duration_s, rate_hz, kind=kind, drift=drift), laid)
        for _ in range(80)
    ]
    rank = np.asarray([f.salt_rank_p for f in found])
    published = np.asarray([f.salt_p for f in found])
    assert np.mean(rank <= 0.05) <= 0.15  # 80 draws of a chance of 0.05: 99.99 %
    assert np.mean(published < 0.01) <= 0.05
    assert np.mean(published) > 0.2


def test_driven_units_are_tagged_with_their_latency():
    rng = np.random.default_rng(1)
    onsets, duration_s, laid = session(rng)
    trains = {
        k: simulate_answer(rng, simulate_train(rng, duration_s, rate), onsets, reliability=share)
        for k, (rate, share) in enumerate([(1, 0.3), (5, 0.3), (5, 0.8), (30, 0.6)])
    }
    for each in tag_trains(trains, laid, CRITERIA):
        assert each.tagged, each.sentence
        assert each.latency_ms == pytest.approx(3.0, abs=0.4)
        assert each.jitter_ms == pytest.approx(0.5, abs=0.4)
    shares = [each.reliability for each in tag_trains(trains, laid, CRITERIA)]
    np.testing.assert_allclose(shares, [0.3, 0.3, 0.8, 0.6], atol=0.17)


def test_units_driven_through_others_are_doubtful():
    rng = np.random.default_rng(2)
    onsets, duration_s, laid = session(rng)
    trains = {
        k: simulate_answer(rng, simulate_train(rng, duration_s, 5), onsets, kind="network")
        for k in range(10)
    }
    found = tag_trains(trains, laid, CRITERIA)
    assert {each.verdict for each in found} == {"doubtful"}
    assert all("through other neurons" in each.sentence for each in found)


def test_a_unit_that_light_silences_is_doubtful_and_not_negative():
    rng = np.random.default_rng(3)
    onsets, duration_s, laid = session(rng)
    spikes = simulate_train(rng, duration_s, 40)
    since = spikes - onsets[np.maximum(np.searchsorted(onsets, spikes) - 1, 0)]
    (found,) = tag_trains({0: spikes[(since < 0) | (since > 0.02)]}, laid, CRITERIA)
    assert found.verdict == "doubtful"
    assert "inhibited" in found.sentence


def test_an_unanswered_pulse_is_no_negative_label():
    rng = np.random.default_rng(4)
    _, duration_s, laid = session(rng)
    (found,) = tag_trains({0: simulate_train(rng, duration_s, 5)}, laid, CRITERIA)
    assert found.verdict == "not responsive"
    assert "does not make it another class" in found.sentence


def test_light_artefacts_are_not_tagged():
    rng = np.random.default_rng(5)
    onsets, duration_s, laid = session(rng)
    quiet = simulate_train(rng, duration_s, 2)
    exact = simulate_answer(rng, quiet, onsets, kind="artefact", reliability=0.9)
    in_dead_time = np.sort(np.concatenate([quiet[:20], onsets + 0.0002]))
    unlike = WaveformMatch(0.2, 0.97, 1.5, 100, 100)
    alike = WaveformMatch(0.98, 0.97, 1.0, 100, 100)
    for match in ({}, {0: unlike}):
        (found,) = tag_trains({0: exact}, laid, CRITERIA, match)
        assert found.verdict == "doubtful"
        assert "artefact" in found.sentence
    assert tag_trains({0: exact}, laid, CRITERIA, {0: alike})[0].tagged
    (found,) = tag_trains({0: in_dead_time}, laid, CRITERIA)
    assert found.verdict == "doubtful"
    assert found.n_dead == laid.onset_s.size
    assert "artefact" in found.sentence


def test_unlike_waveforms_are_not_tagged_and_missing_ones_may_be_required():
    rng = np.random.default_rng(6)
    onsets, duration_s, laid = session(rng)
    train = simulate_answer(rng, simulate_train(rng, duration_s, 2), onsets)
    (found,) = tag_trains({0: train}, laid, CRITERIA, {0: WaveformMatch(0.5, 0.95, 1, 50, 50)})
    assert found.verdict == "doubtful"
    (found,) = tag_trains({0: train}, laid, CRITERIA, {0: WaveformMatch(0.8, 0.7, 1, 8, 50)})
    assert "few or noisy" in found.sentence
    assert tag_trains({0: train}, laid, CRITERIA)[0].tagged
    (found,) = tag_trains({0: train}, laid, Criteria(need_waveform=True))
    assert found.verdict == "doubtful"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12))
def test_a_unit_of_few_spikes_is_never_tagged(seed, n):
    rng = np.random.default_rng(seed)
    onsets = simulate_pulses(rng, n=40, period_s=0.5)
    laid = windows(onsets, 22.0)
    spikes = np.append(onsets[: n // 2] + 0.003, rng.uniform(0, 22, n - n // 2))
    (found,) = tag_trains({0: spikes}, laid, CRITERIA)
    assert not found.tagged


def test_duplicated_spikes_change_nothing():
    rng = np.random.default_rng(7)
    onsets, duration_s, laid = session(rng)
    train = simulate_answer(rng, simulate_train(rng, duration_s, 5), onsets)
    assert measure(0, np.repeat(train, 3), laid) == measure(0, train[::-1], laid)


def test_many_silent_units_raise_the_bar():
    rng = np.random.default_rng(8)
    onsets, duration_s, laid = session(rng)
    weak = simulate_answer(rng, simulate_train(rng, duration_s, 5), onsets, reliability=0.2)
    alone = tag_trains({0: weak}, laid, CRITERIA)[0]
    crowd = {k: simulate_train(rng, duration_s, 5) for k in range(1, 30)}
    among = tag_trains({0: weak} | crowd, laid, CRITERIA)[0]
    assert among.q > alone.q
    assert among.salt_p == alone.salt_p


def test_trains_of_pulses_are_compared_with_the_dark_before_them():
    rng = np.random.default_rng(9)
    onsets = (np.arange(2, 42, 4.0)[:, None] + 0.1 * np.arange(10)).ravel()
    laid = windows(onsets, 46.0)
    assert laid.onset_s.size >= 80
    assert laid.lag_s.size >= 50
    starts = laid.onset_s[:, None] - laid.lag_s
    assert laid.dark(starts).all()
    assert laid.dark(starts + 0.01).all()
    train = simulate_answer(rng, simulate_train(rng, 46.0, 10), onsets)
    assert tag_trains({0: train}, laid, CRITERIA)[0].tagged


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 3.0), st.floats(0, 0.45))
def test_irregular_pulses_keep_most_of_them(seed, period_s, jitter):
    rng = np.random.default_rng(seed)
    onsets = simulate_pulses(rng, n=60, period_s=period_s, jitter_s=jitter * period_s)
    onsets = onsets[np.append(True, np.diff(onsets) > 0.01)]
    apart = np.diff(onsets).min() > 0.25
    if apart:
        laid = windows(onsets, onsets[-1] + 5)
        assert laid.onset_s.size >= 0.85 * (onsets.size - 3)
        assert laid.dark(laid.onset_s[:, None] - laid.lag_s).all()


@pytest.mark.parametrize(
    ("onsets", "duration", "error", "match"),
    [
        ([], 0.005, MissingInputError, "light pulses"),
        ([2.0, 1.0], 0.005, BadLabelsError, "each after the one before"),
        ([1.0, 1.0], 0.005, BadLabelsError, "each after the one before"),
        ([1.0, np.nan], 0.005, BadLabelsError, "finite"),
        ([1.0, 1.5], 0.6, BadLabelsError, "overlapping"),
        ([1.0, 1.5], -0.1, BadLabelsError, "negative"),
    ],
)
def test_pulses_that_cannot_be(onsets, duration, error, match):
    with pytest.raises(error, match=match):
        Pulses(np.asarray(onsets), np.full(len(onsets), duration))


@pytest.mark.parametrize(
    ("onsets", "changes", "error", "match"),
    [
        ([5.0], {}, BadLabelsError, "at least 10 pulses"),
        (np.arange(1000, 1100, 1.0), {}, BadLabelsError, "within the recording"),
        (np.arange(1, 50, 0.02), {}, BadArgumentError, "apart"),
        (np.arange(1, 50, 0.06), {}, BadArgumentError, "dark windows"),
        (np.arange(5, 50, 1.0), {"within_s": 0.05}, BadArgumentError, "dead time shorter"),
        (np.arange(5, 50, 1.0), {"dead_s": 0.02}, BadArgumentError, "dead time shorter"),
    ],
)
def test_windows_that_cannot_be(onsets, changes, error, match):
    with pytest.raises(error, match=match):
        windows(np.asarray(onsets), 60.0, **changes)


def test_pulses_outside_or_across_gaps_are_left_out():
    onsets = np.arange(5.0, 70.0, 1.0)
    pulses = Pulses(onsets, np.full(onsets.size, 0.005))
    limits = {"within_s": 0.01, "look_s": 0.03, "dead_s": 0.0005, "recovery_s": 0.05}
    whole = windows_of(pulses, [[0, 60]], **limits)
    assert whole.onset_s.max() < 60
    gapped = windows_of(pulses, [[0, 30], [30.5, 60]], **limits)
    assert 30.0 not in gapped.onset_s
    assert gapped.n_given == onsets.size


@pytest.mark.parametrize(
    "changes",
    [{"alpha": 0}, {"dead_ms": 20}, {"within_ms": -1}, {"look_ms": 5}, {"min_pulses": 2}],
)
def test_criteria_that_cannot_be(changes):
    with pytest.raises(BadArgumentError):
        Criteria(**changes)


def test_salt_needs_windows():
    with pytest.raises(BadArgumentError, match="baseline windows"):
        salt(np.ones(5), np.ones((5, 1)), 0.01)


def test_waveforms_of_one_unit_match_and_others_do_not():
    rng = np.random.default_rng(0)
    shape = np.outer(np.sin(np.linspace(0, 6, 40)), [1.0, 0.5, 0.2]) * 50
    noise = rng.normal(0, 10, (160, 40, 3))
    spontaneous = (shape + noise[:100]).astype(np.float32)
    same = waveform_match((shape + noise[100:]).astype(np.float32), spontaneous, rng)
    assert same.r > 0.97
    assert same.r >= same.null_r - 0.02
    assert same.size_ratio == pytest.approx(1, abs=0.1)
    other = waveform_match(-np.roll(shape, 7, axis=0) + noise[100:], spontaneous, rng)
    assert other.r < other.null_r
    few = waveform_match(spontaneous[:2], spontaneous, rng)
    assert np.isnan(few.r)
    assert few.n_evoked == 2
    dead = spontaneous.copy()
    dead[:, :, 2] = np.nan
    assert waveform_match(dead[:20], dead[20:], rng).r > 0.9
    flat = np.zeros((60, 40, 3))
    assert np.isnan(waveform_match(flat, flat, rng).r)
    assert np.isnan(waveform_match(np.empty((0, 0, 0)), spontaneous, rng).r)
