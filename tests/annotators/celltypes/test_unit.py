"""What a unit may be made of, and how layers are read."""

import numpy as np
import pytest

from nissl.annotators.celltypes.layers import layer_code
from nissl.annotators.celltypes.unit import Unit
from nissl.errors import BadArgumentError


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"spikes_s": np.array([1.0, 3.0, 2.0])}, "do not decrease"),
        ({"spikes_s": np.array([1.0, np.nan])}, "finite time per spike"),
        ({"spikes_s": np.zeros((2, 2))}, "finite time per spike"),
        ({"spikes_s": np.array([1.0, 30.0]), "duration_s": 10.0}, "29 s from the first"),
        ({"duration_s": 0.0}, "above 0 s"),
        ({"waveform": np.zeros(40), "rate_hz": 3e4}, "n_samples, n_channels"),
        ({"waveform": np.zeros((40, 1))}, "sampling rate"),
        ({"waveform": np.zeros((40, 1)), "rate_hz": np.nan}, "sampling rate"),
        (
            {"waveform": np.zeros((40, 2)), "rate_hz": 3e4, "position_um": np.zeros((3, 2))},
            r"positions of shape \(2, 2\)",
        ),
    ],
)
def test_what_cannot_be_is_refused(given, says):
    with pytest.raises(BadArgumentError, match=says):
        Unit(**given)


def test_nothing_and_repeated_times_are_allowed():
    assert Unit().spikes_s is None
    assert Unit(spikes_s=[1, 1, 2]).spikes_s.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("L2/3", 2.5),
        ("layer 5", 5.0),
        ("VISp6a", 6.0),
        ("IV", 4.0),
        ("2-3", 2.5),
        ("molecular layer", 1.0),
        ("PCL", 2.0),
        ("granule cell layer", 3.0),
    ],
)
def test_layers_have_an_order(name, code):
    assert layer_code(name) == code


@pytest.mark.parametrize("name", ["", "unknown", "CA1", "7", "deep"])
def test_other_names_of_layers_are_missing(name):
    assert np.isnan(layer_code(name))
