"""Short pieces of the recording around spikes: read from the raw data, and kept as a sample.

A sample of every unit's spikes, on the channels around the unit, is kept in the project, so
that features, templates of parts and isolation can be had at once, and without the raw data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.measuring import choose_spikes, near_channels, window_samples
from nissl.annotators.spikes.preprocess import Plan, Step, apply_plan, kept_channels, make_plan
from nissl.annotators.spikes.sampling import read_uv
from nissl.data import Signal
from nissl.labels import ItemTable, LabelSet

SAMPLED = 20_000
"""Spikes of a sorting of which the waveforms are kept, about."""

LEAST_SAMPLED, MOST_SAMPLED = 50, 300
"""Of each unit."""

_READ_TOGETHER = 2000  # samples between spikes that are read in one piece
_VALUES_AT_ONCE = 4_000_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def plan_of(signal: Signal, labels: LabelSet, seed: int = 0) -> Plan:
    """Return the preprocessing the labels were made with; the default one where they do not say.

    Parameters
    ----------
    signal : Signal
    labels : LabelSet
    seed : int
        Of the search for bad channels, where it has to be done.
    """
    done = [s for s in labels.provenance.parameters.get("preprocessing", []) if s["by"] == "nissl"]
    if not done:
        return make_plan(signal, labels.provenance.parameters, seed)
    steps = tuple(Step(s["step"], s["by"], s["parameters"], s["text"]) for s in done)
    removed = [name for s in steps for name in s.parameters.get("removed", [])]
    return Plan(steps, dict.fromkeys(removed, ""))


class SnippetReader:
    """Reads waveforms, unwhitened and filtered as templates are measured on, in uV.

    Parameters
    ----------
    signal : Signal
    plan : Plan
    window : tuple of int, optional
        Samples before and after a spike; those of nissl's own templates by default.
    """

    def __init__(self, signal: Signal, plan: Plan, window: tuple[int, int] | None = None) -> None:
        self.signal = signal
        self.plan = plan
        self.window = window_samples(signal.rate_hz) if window is None else window
        self.kept = np.asarray(kept_channels(signal, plan), dtype=np.int64)

    @cached_property
    def _recording(self) -> Any:
        return apply_plan(self.signal, self.plan)

    def traces(self, start: int, stop: int) -> Floats:
        """Samples of an interval within one segment, shape (n_samples, n_channels), uV.

        Channels that were left out are NaN.
        """
        x = read_uv(self._recording, self.signal.clock, start, stop)
        out = np.full((len(x), self.signal.n_channels), np.nan, np.float32)
        out[:, self.kept] = x
        return out

    def read(self, sample: Ints, channels: Ints | None = None) -> Floats:
        """Waveforms of spikes.

        Parameters
        ----------
        sample : ndarray, shape (n,), int64
            Increasing.
        channels : ndarray, shape (n, n_channels) or (n_channels,), int64, optional
            Columns of the signal, -1 for none; all by default.

        Returns
        -------
        ndarray, shape (n, n_samples, n_channels), float32, uV
            NaN where a window leaves its segment, and on channels that are none or left out.
        """
        before, after = self.window
        wanted = np.arange(self.signal.n_channels) if channels is None else channels
        wanted = np.broadcast_to(wanted, (sample.size, wanted.shape[-1]))
        out = np.full((sample.size, before + after, wanted.shape[1]), np.nan, np.float32)
        for first, last, low, high in self._pieces(sample):
            x = self.traces(low, high)
            for k in range(first, last):
                at = int(sample[k]) - low
                if before <= at <= len(x) - after:
                    own = x[at - before : at + after]
                    out[k] = np.where(wanted[k] >= 0, own[:, np.maximum(wanted[k], 0)], np.nan)
        return out

    def _cuts(self, sample: Ints, offset: int) -> list[int]:
        """Where spikes are divided: at long gaps, and where a piece would be large."""
        if not sample.size:
            return []
        longest = max(_READ_TOGETHER, _VALUES_AT_ONCE // max(self.signal.n_channels, 1))
        cell = (sample - sample[0]) // longest
        apart = (np.diff(sample) > _READ_TOGETHER) | (np.diff(cell) > 0)
        inner = np.flatnonzero(apart) + 1
        return [offset, *(offset + inner).tolist(), offset + sample.size]

    def _pieces(self, sample: Ints) -> list[tuple[int, int, int, int]]:
        """Spikes read together: first, last, and the interval, all half-open."""
        before, after = self.window
        pieces = []
        for segment in self.signal.clock.segments:
            low, high = np.searchsorted(sample, [segment.start, segment.stop]).tolist()
            for first, last in pairwise(self._cuts(sample[low:high], low)):
                start = max(segment.start, int(sample[first]) - before)
                stop = min(segment.stop, int(sample[last - 1]) + after)
                pieces.append((first, last, start, stop))
        return pieces


@dataclass(frozen=True, eq=False)
class SpikeSample:
    """Waveforms of some spikes of every unit, on the channels around it.

    Parameters
    ----------
    row : ndarray, shape (n,), int64
        Rows of the label set, increasing.
    unit : ndarray, shape (n,), int64
        Index of each one's unit among the items of the label set.
    near : ndarray, shape (n_units, n_near), int64
        Columns of the signal, -1 for none.
    waveform : ndarray, shape (n, n_samples, n_near), float16, uV
        NaN where a window leaves its segment.
    """

    row: Ints
    unit: Ints
    near: Ints
    waveform: npt.NDArray[np.float16]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is kept, by name."""
        return {"row": self.row, "unit": self.unit, "near": self.near, "waveform": self.waveform}

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> SpikeSample:
        """Inverse of `arrays`."""
        return cls(arrays["row"], arrays["unit"], arrays["near"], arrays["waveform"])

    def among(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Places in the sample of those of these rows (increasing) that are in it."""
        at = np.searchsorted(rows, self.row)
        at = np.minimum(at, max(rows.size - 1, 0))
        return np.flatnonzero(rows[at] == self.row) if rows.size else np.empty(0, np.intp)

    def on(self, places: npt.NDArray[np.intp], channels: Ints) -> Floats:
        """Waveforms on chosen channels.

        Parameters
        ----------
        places : ndarray, shape (n,), int
            Places in the sample.
        channels : ndarray, shape (n_channels,), int64
            Columns of the signal.

        Returns
        -------
        ndarray, shape (n, n_samples, n_channels), float32, uV
            NaN on channels that were not kept for a spike.
        """
        near = self.near[self.unit[places]]
        hit = near[:, :, None] == channels[None, None, :]
        column, known = np.argmax(hit, axis=1), np.any(hit, axis=1)
        out = np.take_along_axis(
            self.waveform[places].astype(np.float32), column[:, None, :], axis=2
        )
        return np.where(known[:, None, :], out, np.float32(np.nan))


def n_sampled(n_units: int) -> int:
    """Spikes of each unit of which the waveforms are kept."""
    return int(np.clip(SAMPLED // max(n_units, 1), LEAST_SAMPLED, MOST_SAMPLED))


def take_sample(
    labels: LabelSet,
    items: ItemTable,
    reader: SnippetReader,
    *,
    seed: int,
    n: int | None = None,
) -> SpikeSample:
    """Read the waveforms of up to `n` spikes of every unit, at random.

    Parameters
    ----------
    labels : LabelSet
        EVENTS.
    items : ItemTable
        With the best channel of each unit.
    reader : SnippetReader
    seed : int
        Of the choice of spikes.
    n : int, optional
        As `n_sampled` says by default.
    """
    n = n_sampled(labels.items.size) if n is None else n
    unit = np.searchsorted(labels.items, labels.column("item")).astype(np.int64)
    row = np.flatnonzero(choose_spikes(unit, labels.items.size, n, seed)).astype(np.int64)
    near = _near(labels, items, reader)
    waveform = reader.read(labels.column("sample")[row], near[unit[row]])
    return SpikeSample(row, unit[row], near, waveform.astype(np.float16))


def _near(labels: LabelSet, items: ItemTable, reader: SnippetReader) -> Ints:
    """Channels around each unit's best one that were not left out."""
    channels, kept = reader.signal.channels, reader.kept
    best = np.full(labels.items.size, -1, np.int64)
    known = np.isin(labels.items, items.items)
    rows = np.searchsorted(items.items, labels.items[known])
    best[known] = items.table.column("channel").to_numpy()[rows]
    centre = np.searchsorted(kept, best)
    centre = np.minimum(centre, kept.size - 1)
    there = kept[centre] == best
    near = near_channels(centre, channels.position_um[kept], channels.shank[kept])
    near = np.where(near >= 0, kept[np.maximum(near, 0)], -1)
    return np.where(there[:, None], near, -1)
