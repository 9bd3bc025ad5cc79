"""Unit metrics against slow or independent computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes import metrics
from nissl.annotators.spikes.acg import autocorrelogram, later_spikes
from nissl.annotators.spikes.measuring import Measured
from nissl.clock import Clock

RATE = 30_000.0


def poisson(rate_hz, seconds, seed, dead_s=0.0):
    rng = np.random.default_rng(seed)
    gaps = dead_s + rng.exponential(1 / rate_hz, int(rate_hz * seconds * 2))
    times = np.cumsum(gaps)
    return np.round(times[times < seconds] * RATE).astype(np.int64)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=40), st.integers(1, 90), st.integers(1, 30))
def test_pairs_are_counted_as_by_hand(samples, width, n_bins):
    times = np.sort(np.asarray(samples, dtype=np.int64))
    counts = np.zeros(n_bins, np.int64)
    for i in range(times.size):
        for j in range(i + 1, times.size):
            k = (times[j] - times[i]) // width
            if k < n_bins:
                counts[k] += 1
    assert later_spikes(times, width, n_bins).tolist() == counts.tolist()


def test_acg_is_symmetric_in_hz_and_shows_the_refractory_period():
    acg = autocorrelogram(poisson(40, 300, 0, dead_s=0.005), RATE)
    assert acg.shape == (101,)
    assert np.array_equal(acg, acg[::-1])
    assert acg[46:55].max() == 0.0
    expected = 1 / (1 / 40 + 0.005)
    assert acg[:20].mean() == pytest.approx(expected, rel=0.1)


def test_acg_of_a_million_spikes_is_quick():
    import time

    train = poisson(50, 20_000, 1)
    began = time.perf_counter()
    autocorrelogram(train, RATE)
    assert train.size > 900_000
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("dead_s", [0.0, 0.003])
def test_sliding_refractory_period_is_spikeinterfaces(dead_s):
    from spikeinterface.core import NumpySorting
    from spikeinterface.metrics.quality.misc_metrics import slidingRP_violations

    train = poisson(20, 200, 3, dead_s)
    clock = Clock.regular(RATE, round(200 * RATE))
    sorting = NumpySorting.from_samples_and_labels(
        [train], [np.zeros(train.size, int)], RATE, unit_ids=[0]
    )
    expected = slidingRP_violations(sorting, 200.0)
    assert metrics.sliding_refractory(train, clock) == pytest.approx(expected, nan_ok=True)


def test_train_metrics_of_known_trains():
    clock = Clock.regular(RATE, round(100 * RATE))
    steady = (np.arange(1000) * 0.1 * RATE).astype(np.int64)
    half = steady[:500] + 7
    doubled = np.sort(np.concatenate([half, half + 30]))
    sample = np.concatenate([steady, doubled])
    unit = np.repeat([0, 1], [steady.size, doubled.size])
    order = np.lexsort((unit, sample))
    found = metrics.train_metrics(sample[order], unit[order], 2, clock)
    assert found["presence_ratio"].tolist() == [1.0, 0.5]
    assert found["isi_violations_ratio"][0] == 0
    # 500 violations in 1000 spikes: 500 / (2 * 1000 * 1.5 ms) over 10 Hz
    assert found["isi_violations_ratio"][1] == pytest.approx(500 / (2 * 1000 * 0.0015) / 10)
    assert found["firing_range_hz"][0] == pytest.approx(0.0, abs=0.21)
    assert found["firing_range_hz"][1] == pytest.approx(20.0, abs=0.5)
    assert found["rp_contamination"][0] < 0.05 < 0.1 < found["rp_contamination"][1]


def test_synchrony_counts_units_at_the_very_sample():
    sample = np.concatenate([np.full(8, 100), np.full(7, 200), [300]])
    unit = np.concatenate([np.arange(8), np.arange(7), [0]])
    found = metrics.synchrony(sample, unit, 8)
    assert found.tolist() == pytest.approx([1 / 3] + [1 / 2] * 6 + [1.0])


def test_drift_is_the_spread_of_medians():
    sample = np.arange(500) * 100
    y = np.repeat([0.0, 10.0, 20.0, 30.0, 40.0], 100).astype(np.float32)
    unit = np.zeros(500, np.int64)
    assert metrics.drift_um(y, sample, unit, 1)[0] == pytest.approx(40.0)
    assert np.isnan(metrics.drift_um(y[:30], sample[:30], unit[:30], 1)[0])


def test_expected_false_positives_are_what_confidence_leaves():
    sure = np.asarray([0.5, 1.0, np.nan, 0.75, np.nan], np.float32)
    told = metrics.false_positives(sure, np.asarray([0, 0, 0, 1, 2]), 4)
    assert told[:2].tolist() == [0.25, 0.25]
    assert np.isnan(told[2:]).all()


def test_amplitude_cutoff_sees_a_missing_tail():
    rng = np.random.default_rng(0)
    whole = -rng.normal(100, 15, 5000)
    cut = whole[whole < -95]
    values = np.concatenate([whole, cut]).astype(np.float32)
    unit = np.repeat([0, 1], [whole.size, cut.size])
    complete, missing = metrics.amplitude_cutoffs(values, unit, 2)
    assert complete < 0.02
    assert missing > 0.15


def measured_of(groups, near):
    waveforms = np.concatenate(groups).astype(np.float32)
    compared = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    blank = np.zeros(0, np.float32)
    return Measured(
        blank, 0, np.zeros(0, np.int64), np.zeros(0), blank, blank, blank, waveforms, compared, near
    )


def test_isolation_is_half_for_one_unit_twice_and_one_for_unlike_units():
    rng = np.random.default_rng(0)
    same = [rng.standard_normal((80, 30, 2)) for _ in range(2)]
    other = rng.standard_normal((80, 30, 2)) + 20 * np.sin(np.arange(30))[None, :, None]
    near = np.asarray([[0, 1], [0, 1], [1, 0]])
    found = metrics.isolation(measured_of([*same, other], near), 3)
    assert found[:2] == pytest.approx([0.5, 0.5], abs=0.07)
    assert found[2] == pytest.approx(1.0)
    apart = metrics.isolation(measured_of(same, np.asarray([[0, 1], [2, 3]])), 2)
    assert apart.tolist() == [1.0, 1.0]
