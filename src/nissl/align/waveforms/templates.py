"""Two mean waveforms of each unit on all channels, one of each half of its spikes.

Halves are halves in time: what lies between them (slow drift, changed amplitudes, the noise of a
mean) is what lies between two looks at one neuron at least, so they show how alike a unit is to
itself, without any other day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.snippets import SnippetReader, plan_of
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.labels import LabelSet

BEFORE_MS, AFTER_MS = 0.8, 1.2
MOST = 300
"""Spikes of a half that are averaged, at most."""
LEAST = 10
"""Spikes below which a unit has no template worth comparing."""
FEW = 50
"""Spikes below which a unit's waveform is doubtful."""
SAME_PLACE_UM = 1.0
_VALUES_AT_ONCE = 8_000_000

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class UnitTemplates:
    """Mean waveforms of the units of one session.

    Parameters
    ----------
    items : ndarray, shape (n_units,), int64
        What the units are called in their label set.
    halves : ndarray, shape (2, n_units, n_samples, n_channels), float32, uV
        Of the first and of the second half of each unit's spikes; NaN on channels left out.
    position_um : ndarray, shape (n_channels, 2), float64
        NaN where the probe has no geometry.
    shank : ndarray, shape (n_channels,), int64
        Shank, or tetrode; units of two of them are never the same.
    n_spikes : ndarray, shape (n_units,), int64
    rate_hz : float
    n_before : int
        Samples before the spike.
    name : str
        Of the session, for errors.
    """

    items: Ints
    halves: Singles
    position_um: Floats
    shank: Ints
    n_spikes: Ints
    rate_hz: float
    n_before: int
    name: str = ""

    def __len__(self) -> int:
        return self.items.size

    @property
    def mean(self) -> Singles:
        """Mean of both halves, shape (n_units, n_samples, n_channels), uV."""
        return np.asarray(self.halves.mean(axis=0), np.float32)

    @property
    def has_geometry(self) -> bool:
        """Whether every channel has a place and there are several."""
        return len(self.position_um) > 1 and bool(np.isfinite(self.position_um).all())

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.int64]) -> UnitTemplates:
        """Some of the units."""
        return replace(
            self,
            items=self.items[rows],
            halves=self.halves[:, rows],
            n_spikes=self.n_spikes[rows],
        )

    def on(self, channels: npt.NDArray[np.intp]) -> UnitTemplates:
        """The same units on some of the channels."""
        return replace(
            self,
            halves=self.halves[..., channels],
            position_um=self.position_um[channels],
            shank=self.shank[channels],
        )

    def half(self, k: int) -> UnitTemplates:
        """A session that only has one half of the spikes."""
        return replace(self, halves=self.halves[[k, k]])


def templates_of(
    signal: Signal, spikes: LabelSet, *, name: str = "", most: int = MOST, seed: int = 0
) -> UnitTemplates:
    """Mean waveforms of the units of a sorting, read from the raw data piece by piece.

    Parameters
    ----------
    signal : Signal
    spikes : LabelSet
        EVENTS whose samples are the signal's.
    name : str
        Of the session.
    most : int
        Spikes of each half that are averaged, spread evenly over it.
    seed : int
        Of the search for bad channels, where the sorting does not say which it left out.

    Returns
    -------
    UnitTemplates
        Memory: twice the templates and a piece of the recording, whatever its length. Units with
        fewer than `LEAST` spikes are left out.

    Raises
    ------
    BadArgumentError
        No unit has that many spikes.
    """
    window = round(BEFORE_MS * signal.rate_hz / 1000), round(AFTER_MS * signal.rate_hz / 1000)
    reader = SnippetReader(signal, plan_of(signal, spikes, seed), window)
    column = spikes.column("sample")
    trains = {item: np.sort(column[spikes.rows_of(item)]) for item in spikes.items.tolist()}
    items = np.asarray([item for item, own in trains.items() if own.size >= LEAST], np.int64)
    if not items.size:
        raise BadArgumentError(
            f"units with {LEAST} spikes or more" + (f" of {name!r}" if name else ""),
            f"{len(trains)} units, none with as many",
            "Sort the recording, or use a longer one.",
        )
    chosen, owner = _chosen([trains[item] for item in items.tolist()], most)
    shape = (2 * items.size, sum(window), signal.n_channels)
    total, counts = np.zeros(shape, np.float32), np.zeros(2 * items.size, np.int64)
    step = max(1, _VALUES_AT_ONCE // (shape[1] * shape[2]))
    for start in range(0, chosen.size, step):
        part = reader.read(chosen[start : start + step])
        whole = np.isfinite(part).any(axis=(1, 2))
        rows = owner[start : start + step][whole]
        np.add.at(total, rows, part[whole])
        counts += np.bincount(rows, minlength=counts.size)
    total /= np.maximum(counts, 1)[:, None, None].astype(np.float32)
    halves = total.reshape(2, items.size, *shape[1:])
    sizes = np.asarray([trains[item].size for item in items.tolist()], np.int64)
    seen = np.flatnonzero((counts.reshape(2, -1) > 0).all(axis=0))
    place = signal.channels.position_um[:, :2].astype(np.float64)
    shank = np.asarray(signal.channels.shank, np.int64)
    found = UnitTemplates(items, halves, place, shank, sizes, signal.rate_hz, window[0], name)
    return found.take(seen)


def _chosen(trains: list[Ints], most: int) -> tuple[Ints, Ints]:
    """Samples to read, increasing, and the row of each: twice as many rows as trains."""
    samples, owners = [], []
    for row, train in enumerate(trains):
        for half, own in enumerate(np.array_split(train, 2)):
            at = np.unique(np.linspace(0, own.size - 1, min(most, own.size)).astype(np.int64))
            samples.append(own[at])
            owners.append(np.full(at.size, half * len(trains) + row, np.int64))
    sample, owner = np.concatenate(samples), np.concatenate(owners)
    order = np.argsort(sample, kind="stable")
    return sample[order], owner[order]


def on_shared_channels(
    a: UnitTemplates, b: UnitTemplates
) -> tuple[UnitTemplates, UnitTemplates, npt.NDArray[np.intp]]:
    """Both sessions on the channels that both know, and which these are.

    Raises
    ------
    BadArgumentError
        Probes or rates differ, or no channel is known in both.
    """
    if abs(a.rate_hz - b.rate_hz) > 1e-3 * a.rate_hz:
        raise BadArgumentError(
            "recordings of one rate",
            f"{a.rate_hz:g} and {b.rate_hz:g} Hz",
            "Resample one of them, and sort it anew.",
        )
    same = a.position_um.shape == b.position_um.shape and bool(np.all(a.shank == b.shank))
    if same and a.has_geometry and b.has_geometry:
        same = float(np.abs(a.position_um - b.position_um).max()) <= SAME_PLACE_UM
    if not same or a.has_geometry != b.has_geometry:
        raise BadArgumentError(
            "recordings of one probe, with the same channels at the same places",
            f"{_probe(a)} and {_probe(b)}",
            "Waveforms of two probes cannot be compared; align by overlap, or correct the probe.",
        )
    known = [np.isfinite(each.halves).all(axis=(0, 1, 2)) for each in (a, b)]
    both = np.flatnonzero(known[0] & known[1])
    if not both.size:
        raise BadArgumentError(
            "channels that are good on both days", "none", "Look at the channels left out."
        )
    return a.on(both), b.on(both), both


def _probe(day: UnitTemplates) -> str:
    n, of = len(day.position_um), f" of {day.name!r}" if day.name else ""
    if not day.has_geometry:
        return f"{n} channels without places{of}"
    low, high = day.position_um[:, 1].min(), day.position_um[:, 1].max()
    return f"{n} channels from {low:g} to {high:g} um{of}"


__all__ = ["FEW", "LEAST", "UnitTemplates", "on_shared_channels", "templates_of"]
