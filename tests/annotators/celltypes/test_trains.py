"""Intervals and autocorrelograms, against plain counting and known processes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.celltypes import trains
from nissl.annotators.celltypes.acg3d import acg3, deciles, instantaneous_rate
from nissl.annotators.celltypes.acg_fit import FIT_FEATURES, LAG_MS, curve, fit_acgs
from nissl.annotators.celltypes.axes import LAG_EDGES_S, LOG_EDGES_S, LOG_S, N_LOG
from nissl.annotators.celltypes.lags import (
    count_lags,
    counts_by_ms,
    decile_counts,
    log_counts,
    log_intervals,
    narrow_counts,
)


def renewal(rate_hz=20.0, duration_s=900.0, *, shape=2.0, dead_s=0.002, seed=0):
    """Gamma intervals after a dead time: a refractory neuron without bursts."""
    rng = np.random.default_rng(seed)
    mean = 1 / rate_hz - dead_s
    n = int(rate_hz * duration_s * 1.2) + 50
    times = np.cumsum(dead_s + rng.gamma(shape, mean / shape, n))
    return times[times < duration_s]


def lags_of(spikes_s, duration_s=900.0):
    return count_lags(spikes_s, duration_s, deciles(spikes_s))


def found_in(spikes_s, duration_s=900.0):
    return trains.interval_features(spikes_s, duration_s, trains.log_isi(spikes_s))


@settings(max_examples=25)
@given(st.integers(100, 400), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_plain_counting(n, seed):
    rng = np.random.default_rng(seed)
    tick = np.unique(rng.integers(0, rng.integers(200_000, 4_000_000), n))
    spikes_s = tick * 1e-5
    decile = rng.integers(0, 10, tick.size)
    lags = count_lags(spikes_s, 40.0, decile)
    first, later = np.triu_indices(tick.size, 1)
    apart = tick[later] - tick[first]
    ms = (apart + 50) // 100
    assert np.array_equal(counts_by_ms(lags), np.bincount(ms[ms <= 1000], minlength=1001))
    by_tick = np.zeros((10, 6350))
    for spike in (first, later):
        near = apart < 6350
        np.add.at(by_tick, (decile[spike[near]], apart[near]), 1)
    assert np.array_equal(lags.by_tick, by_tick)
    by_ms = np.zeros((10, 1001))
    for spike in (first, later):
        near = ms <= 1000
        np.add.at(by_ms, (decile[spike[near]], ms[near]), 1)
    assert np.array_equal(lags.by_ms, by_ms)


def test_rebinned_counts_agree_with_exact_ones():
    spikes_s = renewal(duration_s=150.0)
    lags = lags_of(spikes_s, 150.0)
    first, later = np.triu_indices(spikes_s.size, 1)
    apart = spikes_s[later] - spikes_s[first]
    exact = np.histogram(apart, LOG_EDGES_S)[0]
    ours = log_counts(lags)
    assert ours.shape == (N_LOG,)
    wide = exact > 200
    assert np.allclose(ours[wide], exact[wide], rtol=0.08)
    assert ours.sum() == pytest.approx(exact.sum(), rel=0.02)
    exact = np.histogram(apart, (np.arange(101) + 0.5) * 5e-4)[0]
    assert np.sum(np.abs(narrow_counts(lags) - exact)) < 0.1 * exact.sum()
    twice = 2 * np.histogram(apart, LAG_EDGES_S)[0]
    assert np.allclose(decile_counts(lags).sum(axis=0)[20:], twice[20:], rtol=0.1)


def test_intervals_on_the_axis_are_counted_once():
    interval = np.diff(renewal(rate_hz=0.5, shape=0.3))
    exact = np.histogram(interval, LOG_EDGES_S)[0]
    ours = log_intervals(interval)
    assert ours.sum() == pytest.approx(exact.sum(), abs=3)
    assert np.array_equal(ours[75:], exact[75:])


def test_a_poisson_train_is_flat_and_irregular():
    rng = np.random.default_rng(1)
    spikes_s = np.sort(rng.uniform(0, 900, 18_000))
    spikes_s = trains.once(spikes_s)
    lags = lags_of(spikes_s)
    assert np.allclose(trains.log_acg(lags)[30:], 1, atol=0.12)
    found = found_in(spikes_s) | trains.acg_features(lags)
    assert found["firing_rate_hz"] == pytest.approx(20, rel=0.01)
    for name in ("cv", "cv2", "lv"):
        assert found[name] == pytest.approx(1, abs=0.05)
    assert found["burst_royer"] == pytest.approx(1, abs=0.1)
    assert found["theta_modulation"] == pytest.approx(0, abs=0.02)
    assert found["isi_median_ms"] == pytest.approx(1000 * np.log(2) / 20, rel=0.03)
    assert found["isi_mode_ms"] == pytest.approx(50, rel=0.3)


def test_a_regular_train_and_a_dead_time():
    spikes_s = renewal(shape=100.0)
    found = found_in(spikes_s) | trains.acg_features(lags_of(spikes_s))
    assert found["cv"] < 0.12
    assert found["lv"] < 0.05
    assert found["isi_mode_ms"] == pytest.approx(50, rel=0.1)
    dead = trains.acg_features(lags_of(renewal(dead_s=0.008, shape=1.0)))
    assert dead["refractory_ms"] == pytest.approx(8, abs=1)


def test_bursts_and_theta_are_seen():
    rng = np.random.default_rng(3)
    pairs = np.sort(rng.uniform(0, 900, 4000))
    bursty = trains.once(np.sort(np.concatenate([pairs, pairs + rng.normal(0.004, 5e-4, 4000)])))
    found = found_in(bursty) | trains.acg_features(lags_of(bursty))
    assert found["burst_mizuseki"] > 0.9
    assert found["burst_royer"] > 5
    assert found["burst_doublets"] > 5
    times = rng.uniform(0, 900, 40_000)
    theta = np.sort(times[rng.random(40_000) < 0.5 * (1 + np.cos(2 * np.pi * times * 8))])
    assert trains.acg_features(lags_of(theta))["theta_modulation"] > 0.2


@pytest.mark.parametrize("rate_hz", [20_000.0, 24_414.0, 25_000.0, 30_000.0, 32_000.0])
def test_the_grid_of_samples_does_not_show(rate_hz):
    spikes_s = renewal(rate_hz=40.0, shape=1.0)
    on_grid = np.round(spikes_s * rate_hz) / rate_hz
    lags, other = lags_of(spikes_s), lags_of(on_grid)
    pairs = log_counts(lags)
    slack = 4 * np.sqrt(pairs) + 1
    assert np.all(np.abs(log_counts(other) - pairs) < slack)
    assert np.allclose(acg3(lags), acg3(other), atol=0.3)
    assert np.max(np.abs(trains.log_isi(spikes_s) - trains.log_isi(on_grid))) < 2e-3


def test_thirty_per_cent_of_spikes_missing_leaves_normalised_correlograms():
    rng = np.random.default_rng(5)
    spikes_s = renewal(rate_hz=30.0, shape=3.0)
    kept = spikes_s[rng.random(spikes_s.size) < 0.7]
    lags, fewer = lags_of(spikes_s), lags_of(kept)
    assert np.mean(np.abs(trains.log_acg(lags) - trains.log_acg(fewer))) < 0.03
    one, other = (
        fit_acgs(trains.narrow_acg(x)[None], np.array([x.n_spikes / 900.0])) for x in (lags, fewer)
    )
    assert np.sqrt(np.mean((curve(one) - curve(other)) ** 2)) < 0.06
    before, after = (trains.acg_features(x) for x in (lags, fewer))
    assert after["theta_modulation"] == pytest.approx(before["theta_modulation"], abs=0.02)
    assert after["burst_royer"] == pytest.approx(before["burst_royer"], abs=0.05)


def test_spikes_found_twice_count_once():
    spikes_s = renewal()
    twice = np.sort(np.concatenate([spikes_s, spikes_s[::3], spikes_s[::7] + 1e-4]))
    assert np.array_equal(trains.once(twice), spikes_s)
    assert trains.duplicated(twice) == pytest.approx(1 / 3.1, abs=0.01)
    assert trains.duplicated(spikes_s) == 0


def test_three_spikes_have_a_rate_and_nothing_else():
    few = np.array([1.0, 2.0, 5.0])
    found = found_in(few)
    known = {name for name, value in found.items() if np.isfinite(value)}
    assert known == {"firing_rate_hz", "log_n_spikes"}
    assert found_in(np.empty(0), 10.0)["firing_rate_hz"] == 0
    assert np.all(np.isnan(trains.log_acg(None)))
    assert np.all(np.isnan(acg3(None)))
    assert np.all(np.isnan(list(trains.acg_features(None).values())))


def test_lags_that_the_recording_hardly_holds_are_missing():
    spikes_s = renewal(rate_hz=40.0, duration_s=8.0)
    acg = trains.log_acg(lags_of(spikes_s, 8.0))
    assert np.all(np.isnan(acg[LOG_S > 4]))
    assert np.all(np.isfinite(acg[LOG_S < 4]))


def test_instantaneous_rate_of_a_change_and_its_deciles():
    slow, fast = np.arange(0, 100, 0.1), np.arange(100, 200, 0.02)
    spikes_s = np.concatenate([slow, fast])
    rate = instantaneous_rate(spikes_s)
    assert np.allclose(rate[20:-5020], 10)
    assert np.allclose(rate[1020:-20], 50)
    tenth = deciles(spikes_s)
    assert np.all(np.bincount(tenth) == 600)
    assert set(tenth[:600]) <= {0, 1}


def test_the_3d_correlogram_sees_what_depends_on_rate():
    """Bursts of 100 Hz in a train of 5 Hz: only the fast deciles have short intervals."""
    rng = np.random.default_rng(9)
    base = np.cumsum(0.1 + rng.exponential(0.1, 4500))
    bursts = (rng.uniform(0, 900, 400)[:, None] + 0.01 * np.arange(6)).ravel()
    spikes_s = trains.once(np.sort(np.concatenate([base[base < 900], bursts])))
    found = acg3(lags_of(spikes_s))
    assert found.shape == (10, 50)
    at_10_ms = (LAG_EDGES_S[:-1] < 0.0101) & (LAG_EDGES_S[1:] > 0.0099)
    assert np.all(found[9, at_10_ms] > 5)
    assert np.all(found[0, at_10_ms] < 0.5)


def test_the_fit_finds_the_time_constants_of_its_own_curve():
    truth = np.array(
        [
            [60.0, 2.0, 1.0, 1.5, 0.2, 0.3, 1.0, 0.0],
            [20.0, 5.0, 0.5, 2.0, 1.5, 0.0, 0.8, 0.0],
        ]
    )
    shapes = curve(truth)
    assert shapes.shape == (2, LAG_MS.size)
    found = fit_acgs(shapes * 12.0, np.array([12.0, 12.0]))
    assert np.allclose(curve(found), shapes, atol=0.06)
    rise = FIT_FEATURES.index("acg_tau_rise_ms")
    assert found[1, rise] == pytest.approx(5, rel=0.3)
    half = FIT_FEATURES.index("acg_refractory_ms")
    reached = np.interp(found[:, half], [0.5, 50], [0.5, 50])
    assert np.all((reached > 0) & (reached < 20))


def test_a_correlogram_without_shape_is_not_fitted():
    nothing = np.stack([np.full(100, np.nan), np.zeros(100), np.full(100, 3.0)])
    assert np.all(np.isnan(fit_acgs(nothing, np.array([np.nan, 1.0, 3.0]))))
    rng = np.random.default_rng(0)
    noise = rng.poisson(3.0, (1, 100)).astype(float)
    assert np.sum(np.isfinite(fit_acgs(noise, np.array([3.0])))) in (0, len(FIT_FEATURES))
