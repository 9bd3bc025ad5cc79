"""Templates of units: what spikes are told by, what they are subtracted with, how these overlap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.templates.projection import N_PHASES, phases
from nissl.annotators.spikes.own.windows import Windows

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FAR_SHARE = 0.04
"""Channels on which a template stays below this share of its largest norm are left to noise."""
MOST_CHANNELS = 48
OFF_PEAK = 2
OF_UNITS = ("weights", "norms", "scored", "channels", "main", "moved", "own")
"""What is derived of each unit by itself."""


@dataclass(frozen=True, eq=False)
class Templates:
    """Mean waveforms of units in white samples.

    Parameters
    ----------
    waveforms : ndarray, shape (n_units, n_long, n_channels), float32
        Noise SDs.
    basis : ndarray, shape (n_shapes, n_scored), float32
        Orthonormal temporal shapes.
    rate_hz : ndarray, shape (n_units,), float64
        How often each fires.
    windows : Windows
    """

    waveforms: Samples
    basis: Samples
    rate_hz: npt.NDArray[np.float64]
    windows: Windows

    def __len__(self) -> int:
        return len(self.waveforms)

    @cached_property
    def moved_basis(self) -> Samples:
        """The basis at 11 shifts, -0.5 to 0.5 samples, shape (11, n_shapes, n_scored)."""
        return phases(self.basis)

    @cached_property
    def weights(self) -> Samples:
        """Scored part in the basis, shape (n_units, n_shapes, n_channels)."""
        lead, n = self.windows.lead, self.windows.scored
        cut = self.waveforms[:, lead : lead + n]
        return np.asarray(np.einsum("kj,ujc->ukc", self.basis, cut, optimize=True), np.float32)

    @cached_property
    def norms(self) -> Samples:
        """Squared norms of the scored part: (amplitude over noise) squared of a matched filter."""
        return np.asarray(np.sum(self.weights**2, axis=(1, 2)), np.float32)

    @cached_property
    def scored(self) -> Samples:
        """Scored part as the basis has it, shape (n_units, n_scored, n_channels)."""
        whole = np.einsum("kj,ukc->ujc", self.basis, self.weights, optimize=True)
        return np.asarray(whole, np.float32)

    @cached_property
    def channels(self) -> npt.NDArray[np.int32]:
        """Channels that a template has, the largest first; -1 fills up."""
        power = np.sum(self.waveforms**2, axis=1)
        most = min(MOST_CHANNELS, power.shape[1])
        order = np.argsort(-power, axis=1, kind="stable")[:, :most].astype(np.int32)
        held = np.take_along_axis(power, order.astype(np.int64), axis=1)
        out = np.where(held > 0, order, -1)
        used = max(1, int(np.max(np.sum(out >= 0, axis=1), initial=0)))
        return np.ascontiguousarray(out[:, :used])

    @cached_property
    def main(self) -> Ints:
        """Channel on which each is largest."""
        return np.asarray(np.argmax(np.sum(self.waveforms**2, axis=1), axis=1), np.int64)

    @cached_property
    def moved(self) -> Samples:
        """Waveforms at 11 shifts, -0.5 to 0.5 samples, on `channels`: (unit, phase, long, near)."""
        near = np.maximum(self.channels, 0).astype(np.int64)
        held = np.take_along_axis(self.waveforms, near[:, None, :], axis=2)
        held = np.where(self.channels[:, None, :] >= 0, held, 0).astype(np.float32)
        at_phases = phases(np.ascontiguousarray(held.transpose(0, 2, 1)))
        return np.ascontiguousarray(at_phases.transpose(1, 0, 3, 2))

    @cached_property
    def overlaps(self) -> npt.NDArray[np.bool_]:
        """Which units' scores a spike of another changes."""
        power = np.sum(self.waveforms**2, axis=1) > 0
        return np.asarray(power.astype(np.float32) @ power.T.astype(np.float32) > 0)

    @cached_property
    def pairs(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Units that each one changes: start of each unit's own in the list, and the list."""
        rows, columns = np.nonzero(self.overlaps)
        start = np.searchsorted(rows, np.arange(len(self) + 1))
        return start.astype(np.int32), columns.astype(np.int32)

    @cached_property
    def echoes(self) -> Samples:
        """What a spike does to scores, shape (n_pairs, 11, n_lags).

        Of pair (u, v), phase p and lag l: the score of v at l - `reach` samples after a spike
        of u that came p / 10 - 0.5 samples late.
        """
        start, columns = self.pairs
        size = self.windows.scored + self.windows.long - 1
        out = np.empty((len(columns), N_PHASES + 1, size), np.float32)
        longs, scored = spectra(self)
        for u in range(len(self)):
            others = columns[start[u] : start[u + 1]]
            held = np.flatnonzero(np.any(self.waveforms[u] != 0, axis=0))
            product = np.einsum("fc,vfc->vf", longs[u][:, held], scored[others][:, :, held])
            out[start[u] : start[u + 1]] = correlograms(product, self.windows)
        return out

    @property
    def reach(self) -> int:
        """Row of `echoes` that stands for the moment of the spike itself."""
        return self.windows.scored - 1 + self.windows.lead

    @cached_property
    def own(self) -> Samples:
        """Each unit's score one sample before, at and after its own spike: (n_units, 11, 3)."""
        start, columns = self.pairs
        out = np.empty((len(self), N_PHASES + 1, 3), np.float32)
        for u in range(len(self)):
            at = start[u] + int(np.flatnonzero(columns[start[u] : start[u + 1]] == u)[0])
            out[u] = self.echoes[at][:, self.reach - 1 : self.reach + 2]
        return out

    def kept(self, which: npt.NDArray[np.bool_] | Ints) -> Templates:
        """Those of some units; what has been derived of them is not derived again."""
        rows = np.arange(len(self))[which]
        out = Templates(self.waveforms[rows], self.basis, self.rate_hz[rows], self.windows)
        known = self.__dict__
        for name in OF_UNITS:
            if name in known:
                out.__dict__[name] = known[name][rows]
        if "moved_basis" in known:
            out.__dict__["moved_basis"] = known["moved_basis"]
        if "overlaps" in known:
            out.__dict__["overlaps"] = known["overlaps"][np.ix_(rows, rows)]
        if "echoes" in known:
            number = np.full((len(self), len(self)), -1)
            start, columns = self.pairs
            number[np.repeat(np.arange(len(self)), np.diff(start)), columns] = np.arange(
                columns.size
            )
            held = number[np.ix_(rows, rows)]
            out.__dict__["echoes"] = known["echoes"][held[held >= 0]]
        return out


def padded(windows: Windows) -> int:
    """Length of the transforms that correlograms are made of."""
    return 1 << (windows.scored + windows.long - 2).bit_length()


def spectra(templates: Templates) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Of waveforms, and of scored parts (conjugated), each (n_units, n_freqs, n_channels)."""
    length = padded(templates.windows)
    longs = np.fft.rfft(templates.waveforms, length, axis=1)
    return longs, np.conj(np.fft.rfft(templates.scored, length, axis=1))


def correlograms(product: npt.NDArray[Any], windows: Windows) -> Samples:
    """Correlograms at 11 shifts from products of spectra.

    Parameters
    ----------
    product : ndarray, shape (n_pairs, n_freqs)
        Waveform times conjugated scored part, summed over channels.
    windows : Windows

    Returns
    -------
    ndarray, shape (n_pairs, 11, n_lags)
    """
    length = padded(windows)
    turns = np.exp(
        -2j * np.pi * np.fft.rfftfreq(length)[None] * (np.arange(11)[:, None] / N_PHASES - 0.5)
    )
    wave = np.fft.irfft(product[:, None] * turns[None], length, axis=2)
    # lag 0 of the correlation is both windows beginning together
    size = windows.scored + windows.long - 1
    return np.asarray(np.roll(wave, windows.scored - 1, axis=2)[:, :, :size])


def on_their_peaks(waveforms: Samples, windows: Windows) -> Samples:
    """Waveforms moved so that each is largest where its spike is said to be.

    Those that are so within `OFF_PEAK` samples are left as they are. What moves in is zero.

    Parameters
    ----------
    waveforms : ndarray, shape (n_units, n_long, n_channels), float32
    windows : Windows
    """
    out = waveforms.copy()
    n_long = waveforms.shape[1]
    for unit, wave in enumerate(waveforms):
        main = int(np.argmax(np.sum(wave**2, axis=0)))
        late = int(np.argmax(np.abs(wave[:, main]))) - windows.long_before
        if abs(late) <= OFF_PEAK:
            continue
        out[unit] = 0
        first, last = max(-late, 0), min(n_long - late, n_long)
        out[unit, first:last] = wave[first + late : last + late]
    return out


def without_noise(waveforms: Samples) -> Samples:
    """Waveforms with nothing on channels where they are hardly there, tapered at both ends."""
    power = np.sqrt(np.sum(waveforms**2, axis=1))
    most = power.max(axis=1, keepdims=True)
    held = power > FAR_SHARE * most
    order = np.argsort(-power, axis=1, kind="stable")[:, MOST_CHANNELS:]
    np.put_along_axis(held, order, False, axis=1)
    n = waveforms.shape[1]
    ramp = np.minimum(1, np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / 6)
    return np.asarray(waveforms * held[:, None, :] * ramp[None, :, None], dtype=np.float32)
