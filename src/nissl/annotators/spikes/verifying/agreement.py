"""Whether a sorting agrees with itself over halves of the time, and with another sorter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.verifying.outcome import tolerance
from nissl.annotators.spikes.verifying.sortings import Sorting
from nissl.labels import ItemTable
from nissl.labels.compare.events import compare_events, hungarian
from nissl.trust.intervals import Interval, bootstrap_interval

Values = npt.NDArray[np.float64]

ALIKE = 0.8
"""Least cosine of two templates of one neuron."""
NEAR_UM = 60.0
_SHIFT_S = 0.5e-3


@dataclass(frozen=True)
class Partner:
    """A unit, and the one that matches it.

    Parameters
    ----------
    unit : int
    partner : int
        -1 without one.
    agreement : float
        Cosine of templates (halves), or spikes in common over all spikes of both (sorters).
    x_um, y_um, snr : float
        Of the unit.
    """

    unit: int
    partner: int
    agreement: float
    x_um: float
    y_um: float
    snr: float


@dataclass(frozen=True)
class Agreement:
    """How two sortings agree.

    Parameters
    ----------
    a, b : str
        What they are.
    n_a, n_b : int
        Units.
    share : Interval
        Share of the units of `a` that have a partner.
    mean : Interval
        Mean agreement over the units of `a`, 0 without a partner.
    units : tuple of Partner
    """

    a: str
    b: str
    n_a: int
    n_b: int
    share: Interval
    mean: Interval
    units: tuple[Partner, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not a number is None."""
        rows = [{k: None if v != v else v for k, v in asdict(each).items()} for each in self.units]
        return {
            "a": self.a, "b": self.b, "units_a": self.n_a, "units_b": self.n_b,
            "share": self.share.to_json(), "mean": self.mean.to_json(), "units": rows,
        }  # fmt: skip


def halves_agreement(first: Sorting, second: Sorting, rng: np.random.Generator) -> Agreement:
    """Match the units of two halves of the time by the templates over space.

    Parameters
    ----------
    first, second : Sorting
        Of the two halves, on the same channels.
    rng : numpy.random.Generator

    Returns
    -------
    Agreement
        Units within 60 um of each other are matched one to one by the cosine of their templates
        over all channels (the largest over shifts of 0.5 ms); partners reach 0.8.
    """
    alike = template_cosines(first.items, second.items)
    place_a, place_b = _places(first.items), _places(second.items)
    if alike.size:
        away = np.linalg.norm(place_a[:, None] - place_b[None], axis=2)
        alike = np.where(~(away <= NEAR_UM) & np.isfinite(away), 0.0, alike)
    left, right = hungarian(alike, ALIKE)
    pairs = {
        int(first.items.items[i]): (int(second.items.items[j]), float(alike[i, j]))
        for i, j in zip(left.tolist(), right.tolist(), strict=True)
    }
    return _told("first half", "second half", first, second, pairs, rng)


def sorters_agreement(
    a: Sorting, b: Sorting, names: tuple[str, str], rate_hz: float, rng: np.random.Generator
) -> Agreement:
    """Spikes in common of each unit of one sorter with its match of another.

    Parameters
    ----------
    a, b : Sorting
        Of one recording.
    names : tuple of str
        Of the two methods.
    rate_hz : float
    rng : numpy.random.Generator

    Returns
    -------
    Agreement
        Partners have half of all their spikes in common or more.
    """
    pairs: dict[int, tuple[int, float]] = {}
    if a.labels.n_rows and b.labels.n_rows:
        scored = compare_events(a.labels, b.labels, tolerance=tolerance(rate_hz), by_item=True)
        columns = (scored.items.column(n).to_pylist() for n in ("item", "match", "accuracy"))
        pairs = {i: (m, float(x)) for i, m, x in zip(*columns, strict=True) if m >= 0}
    return _told(*names, a, b, pairs, rng)


def template_cosines(a: ItemTable, b: ItemTable) -> Values:
    """Cosine of every pair of templates, the largest over shifts; shape (n_a, n_b)."""
    x, y = a.arrays.get("template"), b.arrays.get("template")
    if x is None or y is None or not x.size or not y.size:
        return np.zeros((a.items.size, b.items.size))
    x, y = (np.nan_to_num(t.astype(np.float64)) for t in (x, y))
    width = min(x.shape[1], y.shape[1])
    x, y = x[:, :width], y[:, :width]
    reach = max(1, round(_SHIFT_S * float(a.context["rate_hz"])))
    flat = x.reshape(len(x), -1)
    norm_x = np.linalg.norm(flat, axis=1)
    norm_y = np.linalg.norm(y.reshape(len(y), -1), axis=1)
    best = np.full((len(x), len(y)), -1.0)
    for shift in range(-reach, reach + 1):
        turned = np.zeros_like(y)
        source = slice(max(0, -shift), width - max(0, shift))
        target = slice(max(0, shift), width - max(0, -shift))
        turned[:, target] = y[:, source]
        best = np.maximum(best, flat @ turned.reshape(len(y), -1).T)
    return np.asarray(best / np.maximum(norm_x[:, None] * norm_y[None, :], 1e-12), np.float64)


def _places(items: ItemTable) -> Values:
    table = items.table
    columns = [table.column(n).to_numpy(zero_copy_only=False) for n in ("x_um", "y_um")]
    return np.stack(columns, axis=1).astype(np.float64)


def _told(
    name_a: str,
    name_b: str,
    a: Sorting,
    b: Sorting,
    pairs: dict[int, tuple[int, float]],
    rng: np.random.Generator,
) -> Agreement:
    place = _places(a.items)
    snr = a.items.table.column("snr").to_numpy()
    rows = []
    for k, unit in enumerate(a.items.items.tolist()):
        partner, value = pairs.get(unit, (-1, 0.0))
        x, y = place[k].tolist()
        rows.append(Partner(unit, partner, value, x, y, float(snr[k])))
    return Agreement(
        name_a,
        name_b,
        int(a.labels.items.size),
        int(b.labels.items.size),
        bootstrap_interval([float(r.partner >= 0) for r in rows], rng=rng),
        bootstrap_interval([r.agreement for r in rows], rng=rng),
        tuple(rows),
    )
