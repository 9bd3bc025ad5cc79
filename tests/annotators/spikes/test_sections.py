"""Filters over many channels at once: SciPy's numbers, whatever the number of channels."""

import numpy as np
import pytest
from scipy.signal import iirfilter, sosfilt_zi, sosfiltfilt

from nissl.annotators.spikes.band_pass import zero_phase
from nissl.annotators.spikes.sections import FEW, run_sections


@pytest.mark.parametrize("n_channels", [1, FEW - 1, FEW, 33])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_forwards_and_backwards_as_scipy_does(n_channels, order):
    sos = iirfilter(order, [300, 6000], fs=30_000, btype="bandpass", ftype="butter", output="sos")
    x = np.random.default_rng(order).standard_normal((5000, n_channels)) * 40 - 900
    kept = x.copy()
    found = zero_phase(x, sos, sosfilt_zi(sos))
    np.testing.assert_allclose(found, sosfiltfilt(sos, x, axis=0), atol=2e-3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(x, kept)


def test_channels_do_not_depend_on_how_many_there_are():
    rng = np.random.default_rng(0)
    sos = iirfilter(3, [300, 6000], fs=30_000, btype="bandpass", output="sos")
    sections = np.delete(sos, 3, axis=1).astype(np.float32)
    x = rng.standard_normal((900, 40)).astype(np.float32)
    whole = np.empty((300, 40), np.float32)
    run_sections(x, sections, np.zeros((3, 2, 40), np.float32), 2, 3, whole)
    for first, stop in ((0, 3), (3, 40), (17, 18)):
        own = np.ascontiguousarray(x[:, first:stop])
        part = np.empty((300, stop - first), np.float32)
        run_sections(own, sections, np.zeros((3, 2, stop - first), np.float32), 2, 3, part)
        np.testing.assert_allclose(part, whole[:, first:stop], atol=1e-5)
