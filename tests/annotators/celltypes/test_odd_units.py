"""Whatever a unit is like, features are numbers or missing, without a warning."""

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.celltypes.features import NAMES, featurise_units
from nissl.annotators.celltypes.unit import Unit


@st.composite
def units(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([0, 1, 2, 3, 40, 99, 100, 150, 2000]))
    span = draw(st.sampled_from([1e-3, 0.1, 3.0, 100.0, 30_000.0]))
    kind = draw(st.sampled_from(["random", "regular", "grid", "clumped"]))
    spikes_s = np.sort(rng.uniform(0, span, n))
    if kind == "regular":
        spikes_s = np.linspace(0, span, n)
    elif kind == "grid":
        spikes_s = np.round(spikes_s * 100) / 100
    elif kind == "clumped":
        spikes_s = np.sort(rng.choice(spikes_s, n)) if n else spikes_s
    duration_s = draw(st.sampled_from([None, span * 1.5 + 0.01]))
    n_samples = draw(st.integers(1, 90))
    n_channels = draw(st.integers(1, 12))
    waveform = rng.normal(size=(n_samples, n_channels)) * draw(st.sampled_from([0.0, 1e-9, 50.0]))
    waveform[:, rng.random(n_channels) < 0.2] = np.nan
    position = rng.uniform(0, 100, (n_channels, 2)) * draw(st.sampled_from([0.0, 1.0]))
    rate_hz = draw(st.sampled_from([8_000.0, 30_000.0, 250_000.0]))
    return Unit(spikes_s, duration_s, waveform, rate_hz, draw(st.sampled_from([None, position])))


@settings(max_examples=150, deadline=None)
@given(st.lists(units(), min_size=1, max_size=3))
def test_features_are_numbers_or_missing(given_units):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = featurise_units(given_units)
    assert table.values.shape == (len(given_units), len(NAMES))
    assert not np.any(np.isinf(table.values))


@settings(max_examples=20, deadline=None)
@given(st.lists(units(), min_size=2, max_size=4))
def test_a_unit_has_the_same_features_among_others(given_units):
    together = featurise_units(given_units).values
    alone = np.concatenate([featurise_units([unit]).values for unit in given_units])
    assert np.allclose(together, alone, rtol=1e-6, atol=1e-6, equal_nan=True)
