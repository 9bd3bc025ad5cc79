"""Templates from spikes: means of what is left of the samples when all other spikes are gone."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.matching.subtraction import used_amplitude
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

STEP = 1.5


def refine(
    templates: Templates, residual: Samples, spikes: Matched, seconds: float, rate_hz: float
) -> Templates:
    """Least-squares templates from the residual around each spike, given its amplitude.

    Parameters
    ----------
    templates : Templates
        That the spikes were found with.
    residual : ndarray, shape (n, n_channels), float32
        From `subtraction.subtract`.
    spikes : Matched
    seconds : float
        Time that the samples stand for.
    rate_hz : float
        Of the samples.
    """
    n = len(templates)
    sums = np.zeros(templates.waveforms.shape, np.float32)
    amplitude = used_amplitude(spikes, templates)
    _add_residuals(
        residual,
        spikes.at - templates.windows.long_before,
        spikes.unit,
        spikes.shift,
        amplitude,
        sums,
    )
    power = np.bincount(spikes.unit, amplitude**2, n)
    count = np.bincount(spikes.unit, minlength=n)
    step = steps(templates, count / seconds, rate_hz)
    moved = templates.waveforms + (step / np.maximum(power, 1e-6))[:, None, None] * sums
    # a template twice as large with amplitudes of a half says the same: 1 is the usual spike
    usual = np.where(count > 0, power / np.maximum(np.bincount(spikes.unit, amplitude, n), 1e-6), 1)
    waveforms = moved * usual[:, None, None]
    return replace(
        templates, waveforms=without_noise(waveforms.astype(np.float32)), rate_hz=count / seconds
    )


def steps(templates: Templates, each_hz: Values, rate_hz: float) -> Values:
    """How far each template may go towards what the residual says, shape (n_units,).

    All templates are corrected at once. Where several spikes lie within one window, each corrects
    what they all share, and whole steps would overshoot further each time.
    """
    together = templates.overlaps.astype(np.float64) @ each_hz * templates.windows.long / rate_hz
    return np.minimum(1.0, STEP / (1 + together))


def mean_waveforms(
    z: Samples,
    at: Ints,
    shift: Samples,
    labels: Ints,
    n_labels: int,
    long_before: int,
    n_long: int,
) -> Samples:
    """Mean of the samples around events, per label; shape (n_labels, n_long, n_channels)."""
    sums = np.zeros((n_labels, n_long, z.shape[1]), np.float32)
    one = np.ones(at.size, np.float32)
    _add_residuals(z, at - long_before, labels, shift, one, sums)
    count = np.bincount(labels, minlength=n_labels)
    return np.asarray(sums / np.maximum(count, 1)[:, None, None], dtype=np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _add_residuals(
    residual: Samples, first: Ints, unit: Ints, shift: Samples, amplitude: Samples, sums: Samples
) -> None:
    n_long, n_channels = sums.shape[1:]
    for i in range(len(first)):
        a = first[i] + (0 if shift[i] >= 0 else -1)
        part = np.float32(shift[i] if shift[i] >= 0 else 1 + shift[i])
        if a < 0 or a + n_long + 1 > len(residual):
            continue
        w0, w1 = amplitude[i] * (1 - part), amplitude[i] * part
        own = sums[unit[i]]
        for j in range(n_long):
            x0, x1 = residual[a + j], residual[a + j + 1]
            for c in range(n_channels):
                own[j, c] += w0 * x0[c] + w1 * x1[c]
