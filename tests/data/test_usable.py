import numpy as np
import pytest

from nissl.data import Signal
from nissl.data.usable import BLOCK_SAMPLES, require_usable
from nissl.errors import BadSamplesError


def signal(samples):
    return Signal.from_array(np.asarray(samples), 1000.0)


def test_ordinary_samples_pass():
    rng = np.random.default_rng(0)
    require_usable(signal(rng.normal(size=(500, 3))))
    require_usable(signal(rng.integers(-5, 5, (500, 3))))


@pytest.mark.parametrize("shape", [(0, 4), (10, 0)])
def test_nothing(shape):
    with pytest.raises(BadSamplesError, match="samples in the stream"):
        require_usable(signal(np.zeros(shape)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 250, -1])
def test_not_a_number(value, place):
    samples = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    samples[place, 1] = value
    with pytest.raises(BadSamplesError, match=f"channel '1' at sample {place % 500}"):
        require_usable(signal(samples))


def test_constant():
    samples = np.full((100, 2), 7, np.int16)
    with pytest.raises(BadSamplesError, match="constant"):
        require_usable(signal(samples))
    samples[:, 0] = np.arange(100)  # one channel alone may be constant
    require_usable(signal(samples))


def test_constant_but_for_a_moment_between_the_blocks():
    samples = np.zeros((100 * BLOCK_SAMPLES, 1), np.int8)
    samples[BLOCK_SAMPLES + 5] = 1
    require_usable(signal(samples), n_blocks=4)


def test_a_single_nan_anywhere_in_a_long_floating_signal_is_found():
    samples = np.random.default_rng(0).normal(size=(700_000, 2)).astype(np.float32)
    samples[654_321, 1] = np.nan
    with pytest.raises(BadSamplesError, match="channel '1' at sample 654321"):
        require_usable(Signal.from_array(samples, 30_000.0))
