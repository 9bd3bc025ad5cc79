"""The causal band-pass: the same as SciPy's, in any chunks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt

from nissl.annotators.spikes.own.preprocessing.filtering import design, fresh_state, run_filter
from nissl.errors import BadMetadataError


def noise(n, channels=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, channels)).astype(np.float32) * 30


@pytest.mark.parametrize("rate_hz", [10_000.0, 20_000.0, 24_414.0, 30_000.0, 50_000.0])
def test_it_is_the_filter_that_was_designed(rate_hz):
    band = design(rate_hz)
    x = noise(3000)
    found, phase = run_filter(x, band, fresh_state(band, 3))
    s = band.sections.astype(np.float64)
    sos = np.concatenate([s[:, :3], np.ones((len(s), 1)), s[:, 3:]], axis=1)
    expected = sosfilt(sos, x.astype(np.float64), axis=0)[:: band.step]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert phase == len(found) * band.step - len(x)
    assert min(rate_hz, 15_000) * 0.999 <= band.kept_hz <= 30_000


@given(cuts=st.lists(st.integers(0, 900), max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_chunks_give_the_same(cuts):
    band = design(30_000.0)
    x = noise(900)
    whole, _ = run_filter(x, band, fresh_state(band, 3))
    state, phase, parts = fresh_state(band, 3), 0, []
    edges = [0, *sorted(cuts), 900]
    for a, b in pairwise(edges):
        part, phase = run_filter(x[a:b], band, state, phase)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_what_lies_outside_the_band_is_gone():
    rate = 30_000.0
    band, t = design(rate), np.arange(30_000) / rate

    def left(hz):
        x = np.sin(2 * np.pi * hz * t).astype(np.float32)[:, None]
        out, _ = run_filter(x, band, fresh_state(band, 1))
        return float(np.std(out[3000:]) / np.std(x))

    assert left(20) < 0.01
    assert left(2000) == pytest.approx(1, abs=0.05)
    assert left(9000) < 0.02  # would come back as 6 kHz after decimation


def test_rates_too_low_are_refused():
    with pytest.raises(BadMetadataError, match="5000 Hz"):
        design(1000.0)
