"""Partners of units as LINKS, with both templates for whoever judges them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.align.links import DIFFERENT, DOUBTFUL, LINKED, SAME, TASK, absences
from nissl.align.waveforms.matching import UnitMatches
from nissl.align.waveforms.templates import Floats, Singles, UnitTemplates
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

METHOD = "align/waveforms"
VERSION = "1"
SHOWN = 12
"""Channels of the two templates that are kept for review."""


def unit_links(
    matches: UnitMatches,
    a: UnitTemplates,
    b: UnitTemplates,
    spikes: tuple[LabelSet, LabelSet],
    *,
    targets: tuple[str, str] | None = None,
) -> tuple[LabelSet, ItemTable]:
    """LINKS of the units of two sessions, and facts about each.

    Parameters
    ----------
    matches : UnitMatches
        Of rows of `a` and `b`.
    a, b : UnitTemplates
    spikes : tuple of LabelSet
        EVENTS of both sessions.
    targets : tuple of str, optional
        Digests of the sets that the units belong to; those of `spikes` by default.

    Returns
    -------
    links : LabelSet
        Every pair of the assignment is called the same; further pairs that are not unlikely stand
        beside them as candidates that are not. `confidence` is that of the call.
    items : ItemTable
        Distance, likeness and ratio of sizes; both templates on the channels around the pair; the
        probabilities to be absent and the probe's movement in its context.
    """
    pairs, same = matches.pairs, matches.same
    called = np.zeros(len(pairs), bool)
    called[matches.chosen] = True
    rows = np.flatnonzero(called | (same >= DOUBTFUL))
    p = np.stack([same[rows], 1 - same[rows]], axis=1)
    label = np.where(called[rows], SAME, DIFFERENT).astype(np.int32)
    made_by = spikes[0].provenance
    points = targets or (spikes[0].digest, spikes[1].digest)
    made = Provenance(
        task=TASK,
        source=made_by.source,
        author=Author("model", METHOD, VERSION),
        stream=made_by.stream,
        parameters={"with": spikes[1].provenance.source, "by": "waveform"},
        made_from=points,
        targets=points,
    )
    found = LabelSet.build(
        Kind.LINKS,
        {
            "a": a.items[pairs.a[rows]],
            "b": b.items[pairs.b[rows]],
            "label": label,
            "confidence": p[np.arange(rows.size), label],
            "probabilities": p,
        },
        LINKED,
        made,
    )
    columns = {
        "item": np.arange(rows.size, dtype=np.int64),
        "distance_um": pairs.distance_um[rows],
        "likeness": pairs.likeness[rows],
        "size_log_ratio": pairs.size_log_ratio[rows],
        "spikes_a": a.n_spikes[pairs.a[rows]],
        "spikes_b": b.n_spikes[pairs.b[rows]],
    }
    arrays = _pictures(matches, a, rows)
    return found, ItemTable(
        found.digest,
        pa.table(columns),
        {"distance_um": "um", "template_a": "uV", "template_b": "uV", "place_um": "um"},
        arrays,
        _context(matches, a, b),
    )


def _pictures(
    matches: UnitMatches, a: UnitTemplates, rows: npt.NDArray[np.int64] | npt.NDArray[np.intp]
) -> dict[str, npt.NDArray[Any]]:
    """Both templates on the channels around each pair, the second as if nothing had moved."""
    here = a.on(matches.channels).mean
    there = matches.moved
    width = min(SHOWN, len(matches.channels))
    first = np.full((rows.size, here.shape[1], width), np.nan, np.float32)
    second, place = first.copy(), np.full((rows.size, width, 2), np.nan, np.float32)
    positions = a.position_um[matches.channels]
    for n, k in enumerate(rows.tolist()):
        i, j = int(matches.pairs.a[k]), int(matches.pairs.b[k])
        near = _around(here[i], positions, a.shank[matches.channels], width, a.has_geometry)
        first[n, :, : near.size], second[n, :, : near.size] = here[i][:, near], there[j][:, near]
        place[n, : near.size] = positions[near]
    return {"template_a": first, "template_b": second, "place_um": place}


def _around(
    wave: Singles, position: Floats, shank: npt.NDArray[np.int64], width: int, geometry: bool
) -> npt.NDArray[np.intp]:
    best = int(np.argmax(np.ptp(wave, axis=0)))
    away = np.zeros(len(position))
    if geometry:
        away = np.linalg.norm(position - position[best], axis=1)
    away[shank != shank[best]] = np.inf
    order = np.argsort(away, kind="stable")[:width]
    return np.sort(order[np.isfinite(away[order])])


def _context(matches: UnitMatches, a: UnitTemplates, b: UnitTemplates) -> dict[str, Any]:
    rounded = [
        [round(float(y), 1), round(float(s), 2)]
        for y, s in zip(matches.drift.depth_um, matches.drift.shift_um, strict=True)
    ]
    return {
        "drift_um": rounded,
        "rate_hz": a.rate_hz,
        "n_before": a.n_before,
        "absent_a": absences(a.items, matches.absent_a),
        "absent_b": absences(b.items, matches.absent_b),
    }


__all__ = ["METHOD", "unit_links"]
