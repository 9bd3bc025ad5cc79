"""Flags beside a unit's quality: found twice, drifted out, likely a mixture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.mixture import flagged
from nissl.annotators.spikes.similarity import Templates, near_rows, similarities
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Finding

COINCIDENT_MS = 0.4
SHARED = 0.5
"""Share of the smaller unit's spikes that another holds as well from which it is a duplicate."""

ALIKE = 0.6
LIKELY = 0.8
THIRDS = 3
GONE = 0.1
"""Share of its mean rate below which a unit has left a third of the recording."""


def flags(units: LabelSet, items: ItemTable | None) -> list[Finding]:
    """Findings "duplicate", "drifted_out" and "split_suspect" about the units of a sorting.

    Parameters
    ----------
    units : LabelSet
        EVENTS.
    items : ItemTable, optional
        Templates and `rate_hz`, `duration_s` in its context; without it nothing is said.
    """
    if items is None or not items.context.get("rate_hz"):
        return []
    rate_hz = float(items.context["rate_hz"])
    of, sample = units.column("item"), units.column("sample").astype(np.int64)
    trains = {u: np.sort(sample[of == u]) for u in units.items.tolist()}
    duration_s = float(items.context.get("duration_s") or 0.0)
    return [
        *duplicates(trains, items, rate_hz),
        *drifted_out(trains, rate_hz, duration_s),
        *split_suspects(units, rate_hz, split_of(items)),
    ]


def duplicates(
    trains: dict[int, npt.NDArray[np.int64]], items: ItemTable, rate_hz: float
) -> list[Finding]:
    """Near units with alike templates of which one holds most spikes of the other.

    Parameters
    ----------
    trains : dict of int to ndarray of int64
        Samples of each unit, increasing.
    items : ItemTable
    rate_hz : float
    """
    templates = Templates.of(items, np.asarray(sorted(trains), np.int64))
    reach = round(COINCIDENT_MS * rate_hz / 1000)
    out = []
    for row in range(len(templates.item)):
        near = near_rows(templates, row)
        near = near[near > row]
        alike, _ = similarities(templates, row, near)
        for other in near[alike >= ALIKE].tolist():
            a, b = int(templates.item[row]), int(templates.item[other])
            less, more = sorted((a, b), key=lambda u: trains[u].size)
            share = shared(trains[less], trains[more], reach)
            if share >= SHARED:
                out.append(
                    Finding(
                        "duplicate",
                        "warning",
                        f"{share:.0%} of its spikes stand in unit {more} as well, whose template "
                        "is alike: one neuron found twice.",
                        item=less,
                        value=share,
                        limit=SHARED,
                    )
                )
    return out


def drifted_out(
    trains: dict[int, npt.NDArray[np.int64]], rate_hz: float, duration_s: float
) -> list[Finding]:
    """Units that fire throughout a part of the recording, and hardly in the first or last third.

    Parameters
    ----------
    trains : dict of int to ndarray of int64
    rate_hz, duration_s : float
    """
    out: list[Finding] = []
    if duration_s <= 0:
        return out
    edges = np.linspace(0, duration_s * rate_hz, THIRDS + 1)
    for unit, train in trains.items():
        if train.size < 30:
            continue
        part = np.histogram(train, edges)[0] * THIRDS / train.size
        at = "end" if part[-1] < GONE else "beginning" if part[0] < GONE else ""
        if at:
            value = float(part[-1] if at == "end" else part[0])
            out.append(
                Finding(
                    "drifted_out",
                    "warning",
                    f"It fires at {value:.0%} of its mean rate in the third at the {at}: it may "
                    "have drifted out of reach, or into that of another unit.",
                    item=unit,
                    value=value,
                    limit=GONE,
                )
            )
    return out


def split_suspects(
    units: LabelSet, rate_hz: float, told: Mapping[int, float] | None = None
) -> list[Finding]:
    """Units that are likely mixtures of neurons, with the probability of simulations.

    Parameters
    ----------
    units : LabelSet
    rate_hz : float
    told : mapping of int to float, optional
        Probabilities that the sorter gives, which has seen more of the spikes: they stand.
    """
    told = told or {}
    own = {unit: p for unit, p in told.items() if p >= LIKELY}
    seen = {u: p for u, p in flagged(units, rate_hz, LIKELY).items() if u not in told}
    return [
        Finding(
            "split_suspect",
            "note",
            f"A mixture of neurons with a probability of {p:.0%} (of simulations), by {by}: a "
            "split may help.",
            item=unit,
            value=p,
            limit=LIKELY,
        )
        for found, by in (
            (own, "how its spikes, freed of all others, divide"),
            (seen, "its refractory period and the spread of its amplitudes"),
        )
        for unit, p in found.items()
    ]


def split_of(items: ItemTable) -> dict[int, float]:
    """What the sorter says of each unit that it looked at: the probability of two neurons."""
    if "split_probability" not in items.table.column_names:
        return {}
    values = items.table.column("split_probability").to_numpy()
    pairs = zip(items.items.tolist(), values.tolist(), strict=True)
    return {unit: p for unit, p in pairs if np.isfinite(p)}


def shared(less: npt.NDArray[np.int64], more: npt.NDArray[np.int64], reach: int) -> float:
    """Share of spikes of one train with a spike of the other within `reach` samples."""
    if not less.size or not more.size:
        return 0.0
    low = np.searchsorted(more, less - reach, side="left")
    return float(np.mean(np.searchsorted(more, less + reach, side="right") > low))
