"""Templates that follow slow changes: a running mean of each unit's clean spikes.

Of each spike of which we are sure what is left of the samples, with the spike itself put back,
moves its template by one part in `n`: the spikes of the last `time_s` seconds, and never fewer
than `FEWEST`, so that a silent unit is not made of noise. A template goes no farther from what was
fitted than `bound` of its norm, and to no other channels; what moves farther is fitted anew.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.estimating import sum_residuals
from nissl.annotators.spikes.own.projection import phases
from nissl.annotators.spikes.own.pursuit import Matched, no_spikes, subtract, used_amplitude
from nissl.annotators.spikes.own.templates import Templates, correlograms, padded, spectra
from nissl.errors import BadArgumentError

Samples = npt.NDArray[np.float32]

FEWEST = 100.0
EVERY_S = 0.05
"""Spikes are looked at that often; then one template takes up what was learnt."""
LEAST_AMPLITUDE, MOST_AMPLITUDE = 0.6, 1.6
SURE = 3.0
"""A spike gains so many times what its rival would have gained."""


class Following:
    """Templates that are changed as spikes come.

    Parameters
    ----------
    templates : Templates
        As fitted; they are copied.
    rate_hz : float
        Of the white samples.
    time_s : float
        Time constant.
    bound : float
        Farthest that a template goes, as a share of its norm.

    Attributes
    ----------
    templates : Templates
        As they are now: its arrays change in place, between two pushes of the stream.

    Raises
    ------
    BadArgumentError
        A time constant or a bound that is not above 0.
    """

    def __init__(
        self, templates: Templates, rate_hz: float, *, time_s: float = 60.0, bound: float = 0.5
    ) -> None:
        if not (0 < time_s < math.inf and 0 < bound < 1):
            raise BadArgumentError(
                "a time constant above 0 s, and a bound between 0 and 1",
                f"{time_s} s and {bound}",
                "--set follow_s=60 --set follow_bound=0.5, or --set follow=false",
            )
        self.templates = replace(templates, waveforms=templates.waveforms.copy())
        for name in ("channels", "overlaps", "pairs", "echoes", "own", "moved", "norms"):
            getattr(self.templates, name)  # all that depends on the waveforms exists from now on
        self._spectra = spectra(self.templates)
        self._fitted = templates.waveforms
        self._size = np.linalg.norm(templates.waveforms, axis=(1, 2))
        self._mean = templates.waveforms.copy()
        self._count = np.full(len(templates), FEWEST)
        self._mask = _mask(templates.waveforms)
        self._keep = math.exp(-EVERY_S / time_s)
        self._bound = bound
        self._every = max(1, round(EVERY_S * rate_hz))
        self._turn = 0
        self.reset()

    @property
    def distance(self) -> npt.NDArray[np.float64]:
        """How far each mean is from what was fitted, as a share of its norm."""
        apart = np.linalg.norm(self._mean - self._fitted, axis=(1, 2))
        return np.asarray(apart / np.maximum(self._size, 1e-9), np.float64)

    def reset(self) -> None:
        """Begin a new segment; what was learnt stays."""
        n_channels = self._fitted.shape[2]
        self._z = np.empty((0, n_channels), np.float32)
        self._pieces: list[Samples] = []
        self._begin = 0  # sample of the first row of `_z`
        self._spikes = no_spikes()
        self._new: list[Matched] = []
        self._done = 0  # peaks before it were learnt from
        self._due = self._every

    def warm(self) -> None:
        """Compile all that is needed later; nothing is learnt."""
        templates = self.templates
        z = np.zeros((2 * templates.windows.long, self._fitted.shape[2]), np.float32)
        zero = np.zeros(1, np.float32)
        none = np.zeros(1, np.int64)
        spike = Matched(none + templates.windows.long, zero, none, zero, zero, none - 1, zero)
        sum_residuals(subtract(z, spike, templates), spike, templates)
        take_up(templates, self._spectra, 0, self._mean[0])

    def add(self, z: Samples, told: Matched, last: int) -> None:
        """Take white samples, and the spikes that were told meanwhile.

        Parameters
        ----------
        z : ndarray, shape (n, n_channels), float32
        told : Matched
            `at` is where the scored window begins, in white samples of the segment.
        last : int
            All spikes up to there were told.
        """
        windows = self.templates.windows
        self._pieces.append(z)
        if len(told):
            self._new.append(told.moved(windows.before))
        if last < self._due:
            return
        self._due = last + self._every
        self._z = np.concatenate([self._z, *self._pieces])
        for each in self._new:
            self._spikes = self._spikes.joined(each)
        self._pieces, self._new = [], []
        self._learn(last + windows.before - windows.long)
        self._take_up()

    def _learn(self, until: int) -> None:
        """Learn from spikes before a sample: all that overlap them were told."""
        windows, templates = self.templates.windows, self.templates
        within = (self._spikes.at >= self._done) & (self._spikes.at < until)
        sure = self._sure() & within
        if sure.any():
            residual = subtract(self._z, self._spikes.moved(-self._begin), templates)
            own = self._spikes.taken(sure).moved(-self._begin)
            n = len(templates)
            sums = sum_residuals(residual, own, templates)
            count = np.bincount(own.unit, minlength=n)
            size = np.bincount(own.unit, used_amplitude(own, templates), n).astype(np.float64)
            self._move(sums, count, size)
        self._count *= self._keep
        self._done = max(self._done, until)
        start = max(self._done - windows.long_before - 1, self._begin)
        self._z, self._begin = self._z[start - self._begin :], start
        self._spikes = self._spikes.taken(self._spikes.at >= self._done - windows.long)

    def _sure(self) -> npt.NDArray[np.bool_]:
        spikes, templates = self._spikes, self.templates
        amplitude = spikes.amplitude
        sure = (amplitude > LEAST_AMPLITUDE) & (amplitude < MOST_AMPLITUDE)
        sure &= spikes.gain > SURE * spikes.rival_gain
        near = np.abs(spikes.at[:, None] - spikes.at) < templates.windows.scored // 2
        near &= templates.overlaps[spikes.unit[:, None], spikes.unit]
        return np.asarray(sure & (near.sum(axis=1) == 1))

    def _move(
        self, sums: Samples, count: npt.NDArray[np.int64], size: npt.NDArray[np.float64]
    ) -> None:
        """Move means towards the spikes that came."""
        for u in np.flatnonzero(count).tolist():
            self._count[u] += count[u]
            seen = sums[u] + np.float32(size[u]) * self.templates.waveforms[u]
            step = (seen - np.float32(count[u]) * self._mean[u]) * self._mask[u]
            mean = self._mean[u] + step / np.float32(max(self._count[u], FEWEST))
            away = mean - self._fitted[u]
            far = float(np.linalg.norm(away)) / max(float(self._size[u]), 1e-9)
            self._mean[u] = self._fitted[u] + away * np.float32(
                min(1.0, self._bound / max(far, 1e-9))
            )

    def _take_up(self) -> None:
        """Let the next unit's template be its mean."""
        if len(self.templates):
            take_up(self.templates, self._spectra, self._turn, self._mean[self._turn])
            self._turn = (self._turn + 1) % len(self.templates)


def take_up(
    templates: Templates,
    held_spectra: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    u: int,
    waveform: Samples,
) -> None:
    """Give a unit another waveform on the same channels, and correct all that depends on it.

    Parameters
    ----------
    templates : Templates
        Changed in place.
    held_spectra : tuple of ndarray
        From `spectra`, changed in place.
    u : int
    waveform : ndarray, shape (n_long, n_channels), float32
    """
    windows = templates.windows
    length = padded(windows)
    templates.waveforms[u] = waveform
    cut = waveform[windows.lead : windows.lead + windows.scored]
    templates.weights[u] = templates.basis @ cut
    templates.norms[u] = np.sum(templates.weights[u] ** 2)
    templates.scored[u] = templates.basis.T @ templates.weights[u]
    longs, scored = held_spectra
    longs[u] = np.fft.rfft(waveform, length, axis=0)
    scored[u] = np.conj(np.fft.rfft(templates.scored[u], length, axis=0))
    start, columns = templates.pairs
    others = columns[start[u] : start[u + 1]]
    held = np.flatnonzero(np.any(waveform != 0, axis=0))
    mine = np.einsum("fc,vfc->vf", longs[u][:, held], scored[others][:, :, held])
    templates.echoes[start[u] : start[u + 1]] = correlograms(mine, windows)
    theirs = np.einsum("vfc,fc->vf", longs[others][:, :, held], scored[u][:, held])
    back = correlograms(theirs, windows)
    for v, rows in zip(others.tolist(), back, strict=True):
        templates.echoes[start[v] + np.searchsorted(columns[start[v] : start[v + 1]], u)] = rows
    own = start[u] + np.searchsorted(others, u)
    templates.own[u] = templates.echoes[own][:, templates.reach - 1 : templates.reach + 2]
    near = templates.channels[u]
    on = waveform[:, np.maximum(near, 0)] * (near >= 0)
    templates.moved[u] = phases(np.ascontiguousarray(on.T)).transpose(0, 2, 1)


def _mask(waveforms: Samples) -> Samples:
    """Where templates may change: channels that they have, less towards both ends."""
    held = np.any(waveforms != 0, axis=1)
    n = waveforms.shape[1]
    ramp = np.minimum(1, np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / 6)
    return np.asarray(held[:, None, :] * ramp[None, :, None], np.float32)
