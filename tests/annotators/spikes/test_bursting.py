"""Spikes within bursts: smaller one after another, whole again after a rest."""

import numpy as np
import pytest

from nissl.annotators.spikes.bursting import FLOOR, burst_factors
from nissl.annotators.spikes.hybrid_options import HybridOptions
from nissl.errors import BadArgumentError


def test_each_spike_of_a_burst_is_smaller_and_a_rest_restores_it():
    factor = burst_factors(np.asarray([0.0, 0.004, 0.008, 1.0]), 0.3, 0.010)
    assert factor[0] == 1.0
    assert factor[1] == pytest.approx(1 - 0.3 * np.exp(-0.4))
    assert factor[2] < factor[1]
    assert factor[3] == pytest.approx(1.0)


def test_amplitudes_do_not_vanish_in_long_bursts():
    factor = burst_factors(np.arange(200) * 0.002, 0.5)
    assert factor.min() == pytest.approx(FLOOR)


def test_no_loss_changes_nothing_and_short_trains_are_taken():
    assert np.all(burst_factors(np.arange(9) * 0.003, 0.0) == 1)
    assert burst_factors(np.empty(0), 0.3).size == 0
    assert burst_factors(np.ones(1), 0.3).tolist() == [1.0]


def test_a_loss_outside_its_limits_is_refused():
    with pytest.raises(BadArgumentError, match="burst_loss"):
        HybridOptions(burst_loss=0.9)
