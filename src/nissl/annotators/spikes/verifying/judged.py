"""Spikes of which it is known whether they belong to their unit, and what confidence they have.

On a real recording little is known: only of the added units. What is judged is

- every spike of a found unit that is mostly an added one: right where it is one of the added
  spikes, wrong otherwise (whatever it is, it is not of that neuron, which the recording did not
  have before);
- an added spike that a unit of another neuron near by has taken: wrong, unless the first sorting
  had a spike there at that time, which may then be meant.

Of all other spikes of the recording nothing is known, and nothing is said: units that match
nothing may be neurons of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.verifying.bed import Bed
from nissl.annotators.spikes.verifying.injecting import Injected
from nissl.annotators.spikes.verifying.outcome import tolerance
from nissl.annotators.spikes.verifying.sortings import Sorting

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEAR_UM = 75.0
_MOSTLY = 0.5
_LEAST_HITS = 5

RIGHT, NEW, OLD, TAKEN = 0, 1, 2, 3
KINDS = (
    "added spikes in their own unit",
    "further spikes there, not in the first sorting",
    "further spikes there that the first sorting gave to a neuron near by",
    "added spikes that another unit has taken",
)


@dataclass(frozen=True, eq=False)
class Judged:
    """Spikes that can be judged. Arrays have one value per spike.

    Parameters
    ----------
    confidence : ndarray, float64
        As the sorter gave it; NaN where it gave none.
    right : ndarray, bool
    kind : ndarray, int64
        Row of `KINDS`; only the first is right.
    unit : ndarray, int64
        Added unit it is about.
    snr, depth_um, amplitude_uv : ndarray, float64
        Of that unit.
    """

    confidence: npt.NDArray[np.float64]
    right: Bools
    kind: Ints
    unit: Ints
    snr: npt.NDArray[np.float64]
    depth_um: npt.NDArray[np.float64]
    amplitude_uv: npt.NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Judged]) -> Judged:
        """All rounds together; units are numbered on."""
        names = [f.name for f in fields(cls)]
        columns = {n: [getattr(p, n) for p in parts] for n in names}
        first = 0
        for k, part in enumerate(parts):
            columns["unit"][k] = part.unit + first
            first += int(part.unit.max(initial=-1)) + 1
        empty = {"right": np.bool_, "kind": np.int64, "unit": np.int64}
        return cls(
            **{
                n: np.concatenate(c) if c else np.empty(0, empty.get(n, np.float64))
                for n, c in columns.items()
            }
        )

    def counts(self) -> dict[str, int]:
        """How many spikes there are of each kind."""
        return {name: int(np.sum(self.kind == k)) for k, name in enumerate(KINDS)}


def judged(made: Injected, sorting: Sorting, first: Sorting, bed: Bed) -> Judged:
    """Judge the spikes of one round.

    Parameters
    ----------
    made : Injected
    sorting : Sorting
        Of `made.recording`.
    first : Sorting
        Of the recording as it was.
    bed : Bed
    """
    reach = tolerance(bed.rate_hz)
    own = _homes(made, sorting, bed, reach)
    rows: list[Ints] = []
    kinds: list[Ints] = []
    units: list[Ints] = []
    for k, added in enumerate(made.units):
        near = _near(first, added.channel, bed)
        before = _samples(first, near)
        mine = [j for j, owner in own.items() if owner == k]
        claimed = np.zeros(added.sample.size, np.bool_)
        for j in mine:
            row = sorting.labels.rows_of(j)
            sample = sorting.labels.column("sample")[row]
            hit, which = paired(added.sample, sample, reach)
            claimed[which[hit]] = True
            old = ~hit & within(sample, before, reach)
            rows.append(row)
            kinds.append(np.where(hit, RIGHT, np.where(old, OLD, NEW)))
            units.append(np.full(row.size, k))
        for j in (j for j in _near(sorting, added.channel, bed) if j not in own):
            row = sorting.labels.rows_of(j)
            sample = sorting.labels.column("sample")[row]
            hit, which = paired(added.sample, sample, reach)
            taken = hit & ~within(sample, before, reach)
            taken[hit] &= ~claimed[which[hit]]
            rows.append(row[taken])
            kinds.append(np.full(int(taken.sum()), TAKEN))
            units.append(np.full(int(taken.sum()), k))
    row, kind, unit = (
        np.concatenate(x).astype(np.int64) if x else np.empty(0, np.int64)
        for x in (rows, kinds, units)
    )
    about = made.units
    confidence = sorting.labels.column("confidence").astype(np.float64)
    return Judged(
        confidence[row],
        kind == RIGHT,
        kind,
        unit,
        np.asarray([u.snr for u in about])[unit],
        np.asarray([float(u.place_um[1]) for u in about])[unit],
        np.asarray([u.amplitude_uv for u in about])[unit],
    )


def _homes(made: Injected, sorting: Sorting, bed: Bed, reach: int) -> dict[int, int]:
    """Found units that are mostly an added one, with that one's number."""
    own: dict[int, int] = {}
    for k, added in enumerate(made.units):
        for j in _near(sorting, added.channel, bed):
            sample = sorting.labels.column("sample")[sorting.labels.rows_of(j)]
            hits = int(paired(added.sample, sample, reach)[0].sum())
            if hits >= _LEAST_HITS and hits >= _MOSTLY * sample.size:
                own.setdefault(j, k)
    return own


def _near(sorting: Sorting, channel: int, bed: Bed) -> list[int]:
    """Units whose best channel lies near a channel, on its shank."""
    best = sorting.channel
    away = np.linalg.norm(bed.position_um[best] - bed.position_um[channel], axis=1)
    near = (away <= NEAR_UM) & (bed.shank[best] == bed.shank[channel])
    found: list[int] = sorting.labels.items[near].tolist()
    return found


def _samples(sorting: Sorting, units: Sequence[int]) -> Ints:
    """Samples of all spikes of some units, increasing."""
    parts = [sorting.labels.column("sample")[sorting.labels.rows_of(j)] for j in units]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def within(sample: Ints, others: Ints, reach: int) -> Bools:
    """Which samples have one of `others` (increasing) at most `reach` away."""
    low = np.searchsorted(others, sample - reach)
    high = np.searchsorted(others, sample + reach, side="right")
    return np.asarray(high > low)


def paired(true: Ints, found: Ints, reach: int) -> tuple[Bools, Ints]:
    """Pair found spikes with true ones, each with at most one.

    Parameters
    ----------
    true, found : ndarray of int64, increasing
        True spikes are farther than twice `reach` apart (a refractory train).
    reach : int
        Samples.

    Returns
    -------
    hit : ndarray, shape (n_found,), bool
        Of several found spikes near a true one, the nearest is its hit.
    which : ndarray, shape (n_found,), int64
        Index of the nearest true spike.
    """
    if not true.size or not found.size:
        return np.zeros(found.size, np.bool_), np.zeros(found.size, np.int64)
    right = np.clip(np.searchsorted(true, found), 0, true.size - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(true[left] - found) <= np.abs(true[right] - found)
    which = np.where(closer, left, right).astype(np.int64)
    away = np.abs(true[which] - found)
    order = np.lexsort((away, which))
    first = np.ones(order.size, np.bool_)
    first[1:] = which[order][1:] != which[order][:-1]
    hit = np.zeros(found.size, np.bool_)
    hit[order[first]] = True
    return hit & (away <= reach), which
