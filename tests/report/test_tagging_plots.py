"""Figures of tagged units: which spikes they show."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nissl.report.tagging_plots import FROM_MS, TO_MS, around


@given(st.integers(0, 40), st.integers(1, 8), st.integers(0, 10**6))
def test_every_spike_near_a_pulse_is_shown_once_per_pulse(n, pulses, seed):
    rng = np.random.default_rng(seed)
    spikes, onsets = np.sort(rng.uniform(0, 1, n)), np.sort(rng.uniform(0, 1, pulses))
    trial, since = around(spikes, onsets)
    away = 1e3 * (spikes[None] - onsets[:, None])
    assert trial.size == np.sum((away >= FROM_MS) & (away < TO_MS))
    assert np.all((since >= FROM_MS - 1e-6) & (since < TO_MS + 1e-6))
