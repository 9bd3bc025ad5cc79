"""Where the tissue stands on a stream, as the spikes that come say.

Templates at rest are displaced by kriging (`motion.shifting`), on a grid of displacements along
the probe around the one at which the recording that taught ended. Of the clean spikes of the last
seconds the sum of what was seen is kept, unit by unit: from it follows by how much the samples are
more probable with templates displaced a little further. All channels go the same way from where
they began; what moves otherwise is left to the means of `following`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.live.displacing import displacing
from nissl.annotators.spikes.own.motion.estimate import MIN_SPAN_UM
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

STEP_UM = 2.0
REACH_UM = 60.0
"""Displacements from where the stream began are looked at up to this."""
WIDE_UM = 20.0
"""Templates have the channels that they may need up to this; further on they lose some."""
AHEAD = (-15, -8, -4, -2, -1, 0, 1, 2, 4, 8, 15)
"""Steps that are tried from where the tissue is held to stand."""
TIME_S = 0.7
LEAST_GAIN = 30.0
"""Log likelihood that a displacement must add to be believed."""
HELD = 1e-6
"""Where a template is not yet but may come to be, so that its channels are known."""


def can_drift(place_um: Values) -> bool:
    """Whether channels say enough of where they are for a displacement to be seen."""
    known = bool(np.isfinite(place_um).all())
    return known and float(np.ptp(place_um[:, 1])) >= MIN_SPAN_UM


class Drift:
    """Templates by displacement, and the displacement that spikes speak for.

    Parameters
    ----------
    templates : Templates
        At rest.
    whitening : ndarray, shape (n_channels, n_channels), float32
    place_um : ndarray, shape (n_channels, 2), um
    start_um : ndarray, shape (n_channels,), um
        Displacement with which the stream begins.
    rate_hz : float
        Of the white samples.

    Attributes
    ----------
    templates : Templates
        Where the stream begins, on all channels that they may come to.
    at : int
        Row of the grid where the tissue is held to stand.
    """

    def __init__(
        self,
        templates: Templates,
        whitening: Samples,
        place_um: Values,
        start_um: Values,
        rate_hz: float,
    ) -> None:
        self._rest = templates.waveforms
        self._grid = np.arange(-REACH_UM, REACH_UM + 1, STEP_UM)
        self._matrix = [displacing(whitening, place_um, start_um + um) for um in self._grid]
        self.at = self._begin = self._grid.size // 2
        self.templates = self._supported(templates)
        self._used = [np.flatnonzero(np.any(wave != 0, axis=0)) for wave in self._rest]
        self._held = [c[c >= 0].astype(np.int64) for c in self.templates.channels]
        self._sum = np.zeros(self._rest.shape, np.float32)
        self._power = np.zeros(len(self._rest))
        self._seen = np.zeros(len(self._rest))
        self._gain = np.zeros(len(AHEAD))
        self._time = TIME_S * rate_hz

    @property
    def moved_um(self) -> float:
        """Displacement since the stream began."""
        return float(self._grid[self.at] - self._grid[self._begin])

    def waveform(self, u: int, at: int) -> Samples:
        """Waveform of a template at a displacement of the grid, shape (n_long, n_channels)."""
        used, held = self._used[u], self._held[u]
        out = np.zeros(self._rest.shape[1:], np.float32)
        out[:, held] = self._rest[u][:, used] @ self._matrix[at][np.ix_(used, held)]
        return out

    def add(
        self,
        residual: Samples,
        first: Ints,
        unit: Ints,
        shift: Samples,
        amplitude: Samples,
        used: Templates,
    ) -> None:
        """Add clean spikes.

        Parameters
        ----------
        residual : ndarray, shape (n, n_channels), float32
            White samples without any spike.
        first : ndarray, shape (n_spikes,), int64
            Where their long windows begin.
        unit, shift, amplitude : ndarray, shape (n_spikes,)
        used : Templates
            That were taken out of the samples.
        """
        _add(
            residual, first, unit, shift, amplitude, used.channels, used.waveforms, self._sum,
            self._power,
        )  # fmt: skip

    def judge(self, u: int, now: int) -> None:
        """Add what the spikes of a unit say of each step; what is old counts less.

        Parameters
        ----------
        u : int
        now : int
            White sample since the stream began.
        """
        if self._power[u] > 0:
            for k, step in enumerate(AHEAD):
                wave = self.waveform(u, self._inside(step))
                self._gain[k] += np.vdot(self._sum[u], wave)
                self._gain[k] -= self._power[u] * np.vdot(wave, wave) / 2
        left = math.exp((self._seen[u] - now) / self._time)
        self._sum[u] *= left
        self._power[u] *= left
        self._seen[u] = now

    def decide(self) -> None:
        """Go where the spikes of all units that were judged say."""
        here = AHEAD.index(0)
        best = int(np.argmax(self._gain))
        if self._gain[best] - self._gain[here] > LEAST_GAIN:
            self.at = self._inside(AHEAD[best])
        self._gain[:] = 0

    def _inside(self, step: int) -> int:
        return min(max(self.at + step, 0), self._grid.size - 1)

    def _supported(self, templates: Templates) -> Templates:
        wide = round(WIDE_UM / STEP_UM)
        held = np.zeros((len(templates), templates.waveforms.shape[2]), bool)
        for at in (self._begin - wide, self._begin, self._begin + wide):
            waves = without_noise(templates.waveforms @ self._matrix[at])
            held |= np.any(waves != 0, axis=1)
        begin = templates.waveforms @ self._matrix[self._begin]
        begin = np.where(held[:, None], begin, 0).astype(np.float32)
        begin[:, 0] += HELD * held
        return replace(templates, waveforms=begin)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(
    residual: Samples,
    first: Ints,
    unit: Ints,
    shift: Samples,
    amplitude: Samples,
    channels: npt.NDArray[np.int32],
    waveforms: Samples,
    sums: Samples,
    power: Values,
) -> None:
    n_long = waveforms.shape[1]
    for i in range(len(first)):
        u, size = unit[i], amplitude[i]
        a = first[i] + (0 if shift[i] >= 0 else -1)
        part = np.float32(shift[i] if shift[i] >= 0 else 1 + shift[i])
        if a < 0 or a + n_long + 1 > len(residual):
            continue
        power[u] += size**2
        for j in range(n_long):
            for m in range(channels.shape[1]):
                c = channels[u, m]
                if c < 0:
                    break
                left = residual[a + j, c] * (1 - part) + residual[a + j + 1, c] * part
                sums[u, j, c] += size * (left + size * waveforms[u, j, c])
