"""Constant lags of data sets, found with a network that knows none of them."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.rates.alignment import aligned, correlations, lag_of, lags_of, shifted
from nissl.annotators.rates.model import shipped
from nissl.annotators.rates.train import simulated
from nissl.annotators.rates.training import Paired

RATE_HZ = 30.0


def late(traces, seconds):
    """Sets whose truth stands too late."""
    return [replace(t, rate=shifted(t.rate, seconds * RATE_HZ).astype(np.float32)) for t in traces]


@pytest.fixture(scope="module")
def traces():
    rng = np.random.default_rng(4)
    names = ("GCaMP6f", "GCaMP7f")
    return simulated(RATE_HZ, 12, rng, 60.0, indicators=names, cell_types=("pyramidal",))


def test_a_planted_lag_is_found_and_taken_back(traces):
    network = shipped().nearest(RATE_HZ)
    none = lags_of(traces, network, RATE_HZ)
    assert set(none) == {"simulated GCaMP6f", "simulated GCaMP7f"}
    assert max(abs(lag) for lag in none.values()) <= 0.5
    for seconds in (-0.1, 0.067):
        planted = late(traces, seconds)
        found = lags_of(planted, network, RATE_HZ)
        for group, lag in found.items():
            assert lag - none[group] == pytest.approx(seconds * RATE_HZ, abs=0.5)
        mended = lags_of(aligned(planted, found, 1.0), network, RATE_HZ)
        assert max(abs(lag) for lag in mended.values()) <= 0.5


def test_what_has_no_lag_is_left_as_it_is(traces):
    assert all(a.rate is b.rate for a, b in zip(aligned(traces, {}), traces, strict=True))
    flat = np.zeros(400)
    assert lag_of([flat], [flat], RATE_HZ) == 0.0
    assert np.isnan(correlations([flat], [flat], [0.0, 1.0])).all()
    # a lag that betters little is none
    rng = np.random.default_rng(0)
    noise = rng.normal(size=4000)
    assert lag_of([noise], [shifted(noise, 1.0)], RATE_HZ) == 1.0
    slow = np.sin(np.arange(4000) / 400)
    assert lag_of([slow], [shifted(slow, 4.0)], RATE_HZ) == 0.0


def test_no_lag_beyond_the_longest():
    rng = np.random.default_rng(1)
    x = rng.normal(size=4000)
    assert abs(lag_of([x], [shifted(x, 30.0)], RATE_HZ)) <= 0.15 * RATE_HZ


def test_a_shifted_rate():
    x = np.arange(5, dtype=np.float64)
    np.testing.assert_array_equal(shifted(x, 1), [0, 0, 1, 2, 3])
    np.testing.assert_array_equal(shifted(x, -0.5), [0.5, 1.5, 2.5, 3.5, 4])


def test_long_cells_are_not_read_to_their_end():
    n = 60_000
    rng = np.random.default_rng(0)
    trace = Paired(rng.normal(size=n).astype(np.float32), np.ones(n, np.float32), "a", "g")
    seen = []

    def network(dff):
        seen.append(dff.size)
        return np.zeros(dff.size)

    lags_of([trace, trace], network, RATE_HZ)
    assert seen == [7_200]
