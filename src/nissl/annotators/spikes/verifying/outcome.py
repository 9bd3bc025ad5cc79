"""What became of each added unit: found, split, merged, partly found, missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.verifying.injecting import Injected
from nissl.annotators.spikes.verifying.sortings import Sorting
from nissl.labels.compare.events import hungarian, match_counts
from nissl.trust.bands import split
from nissl.trust.intervals import Interval, bootstrap_interval

TOLERANCE_S = 0.4e-3
MATCHED = 0.5
"""Least agreement of an added unit with the found one that counts as it (SpikeForest's)."""
_MOSTLY = 0.5
_MERGED = 0.3
_PART = 0.2

FATES = ("found", "split", "merged", "part", "missed")


@dataclass(frozen=True)
class Outcome:
    """An added unit, and what the sorter made of it.

    Parameters
    ----------
    name : str
    round : int
    x_um, y_um : float
        Of its best channel; y is depth along the probe.
    snr, amplitude_uv : float
    n_spikes : int
    found : int
        The unit of the sorting that counts as it, -1 without one.
    accuracy, precision, recall : float
        0 where no unit counts as it; precision then is not a number.
    fate : str
        One of `FATES`: "split" over several units that are mostly it; "merged" into a unit
        that is mostly another neuron; "part": some unit has a fifth of it or more.
    others : tuple of int
        Found units behind "split", "merged" and "part".
    """

    name: str
    round: int
    x_um: float
    y_um: float
    snr: float
    amplitude_uv: float
    n_spikes: int
    found: int
    accuracy: float
    precision: float
    recall: float
    fate: str
    others: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = asdict(self) | {"others": list(self.others)}
        return plain | {"precision": None if np.isnan(self.precision) else self.precision}


def tolerance(rate_hz: float) -> int:
    """Samples within which two spikes are the same."""
    return max(1, round(TOLERANCE_S * rate_hz))


def outcomes(made: Injected, sorting: Sorting, rate_hz: float) -> tuple[Outcome, ...]:
    """Compare what was added with what was found.

    Parameters
    ----------
    made : Injected
    sorting : Sorting
        Of `made.recording`.
    rate_hz : float

    Returns
    -------
    tuple of Outcome
        One for each added unit, in order. Units are matched one to one by the Hungarian method
        (Magland et al. 2020, eLife 9:e55167).
    """
    truth, found = made.truth, sorting.labels
    n_true = np.asarray([u.ticks.size for u in made.units])
    counts = np.zeros((len(made.units), found.items.size), np.int64)
    if truth.n_rows and found.n_rows:
        counts[truth.items] = match_counts(truth, found, tolerance(rate_hz))
    n_found = np.asarray([found.rows_of(i).size for i in found.items.tolist()], np.int64)
    agreement = counts / np.maximum(n_true[:, None] + n_found[None, :] - counts, 1)
    left, right = hungarian(agreement, MATCHED)
    match = dict(zip(left.tolist(), right.tolist(), strict=True))
    told = []
    for k, unit in enumerate(made.units):
        j = match.get(k)
        hits = 0 if j is None else int(counts[k, j])
        size = 0 if j is None else int(n_found[j])
        fate, others = ("found", ()) if j is not None else _fate(counts[k], n_true[k], n_found)
        told.append(
            Outcome(
                unit.name, unit.round, float(unit.place_um[0]), float(unit.place_um[1]),
                unit.snr, unit.amplitude_uv, int(n_true[k]),
                -1 if j is None else int(found.items[j]),
                hits / max(int(n_true[k]) + size - hits, 1),
                hits / size if size else float("nan"),
                hits / max(int(n_true[k]), 1),
                fate,
                tuple(int(found.items[o]) for o in others),
            )
        )  # fmt: skip
    return tuple(told)


def _fate(
    counts: npt.NDArray[np.int64], n_true: int, n_found: npt.NDArray[np.int64]
) -> tuple[str, tuple[int, ...]]:
    """Why no unit counts as an added one, and which units have its spikes."""
    if not counts.size or not n_true:
        return "missed", ()
    share = counts / n_true
    mostly = counts / np.maximum(n_found, 1) >= _MOSTLY
    parts = np.flatnonzero(mostly & (share >= 0.05))
    host = int(np.argmax(counts))
    if parts.size > 1 and share[parts].sum() >= MATCHED:
        return "split", tuple(parts.tolist())
    if share[host] >= _MERGED and not mostly[host]:
        return "merged", (host,)
    if share[host] >= _PART:
        return "part", (host,)
    return "missed", ()


@dataclass(frozen=True)
class Band:
    """Added units that are alike.

    Parameters
    ----------
    name : str
    n : int
        Units.
    recall, accuracy : Interval
        Means over units, 0 for those that were not found.
    precision : Interval
        Mean over units that were found.
    fates : dict of str to int
    """

    name: str
    n: int
    recall: Interval
    accuracy: Interval
    precision: Interval
    fates: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        means = {k: getattr(self, k).to_json() for k in ("recall", "accuracy", "precision")}
        return {"band": self.name, "units": self.n, **means, "fates": self.fates}


def banded(
    units: Sequence[Outcome],
    values: Sequence[Any],
    rng: np.random.Generator,
    edges: Sequence[float] | None = None,
) -> tuple[Band, ...]:
    """Mean recall, accuracy and precision in bands, with bootstrap intervals over units.

    Parameters
    ----------
    units : sequence of Outcome
    values : sequence
        What bands are cut by, one per unit.
    rng : numpy.random.Generator
    edges : sequence of float, optional
        See `nissl.trust.bands.split`; without them each value is a band.
    """
    parts = split(values, len(units), edges=edges)
    return tuple(
        band([u for u, inside in zip(units, mask.tolist(), strict=True) if inside], name, rng)
        for name, mask in parts.items()
    )


def band(units: Sequence[Outcome], name: str, rng: np.random.Generator) -> Band:
    """Means over some units."""
    found = [u.precision for u in units if u.found >= 0]
    return Band(
        name,
        len(units),
        bootstrap_interval([u.recall for u in units], rng=rng),
        bootstrap_interval([u.accuracy for u in units], rng=rng),
        bootstrap_interval(found, rng=rng),
        {fate: n for fate in FATES if (n := sum(u.fate == fate for u in units))},
    )
