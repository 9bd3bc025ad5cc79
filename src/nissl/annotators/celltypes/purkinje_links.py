"""LINKS between the complex-spike and the simple-spike unit of each Purkinje cell."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.ground_truth import (
    VERSION,
    GroundTruth,
    item_table,
    require_spikes,
)
from nissl.annotators.celltypes.purkinje import DOUBTFUL, PairTest, Pause, judged, measured
from nissl.clock import Clock
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.tasks import Finding

TASK = "purkinje"
METHOD = "celltypes/purkinje"
VOCABULARY = ("complex and simple spikes of one cell",)
COLUMNS = {
    "complex_unit": "",
    "simple_unit": "",
    "complex_hz": "Hz",
    "simple_hz": "Hz",
    "n_complex": "spikes",
    "observed": "",
    "expected": "",
    "ratio": "",
    "p": "",
    "q": "",
    "pause_ms": "ms",
}
"""Numbers in the item table and their units; `PairTest` says what they are."""

Values = npt.NDArray[np.float64]
Pair = frozenset[int]


def link_purkinje(
    spikes: LabelSet,
    clock: Clock,
    *,
    place_um: Mapping[int, Values] | None = None,
    merges: Mapping[Pair, str] | None = None,
    pause: Pause | None = None,
) -> GroundTruth:
    """Link the units that a pause proves to be one Purkinje cell; nothing is merged.

    Parameters
    ----------
    spikes : LabelSet
        EVENTS; an item is a unit.
    clock : Clock
        Of their stream.
    place_um : mapping of int to ndarray, shape (2,), um, optional
        Where each unit lies; units of unknown place are compared with all.
    merges : mapping of frozenset of int to str, optional
        Pairs that somebody merged or suggests to merge, and who does.
    pause : Pause, optional

    Returns
    -------
    GroundTruth
        LINKS, a = complex-spike unit, b = simple-spike unit; of the two the one that fires less
        is taken for the complex spikes.
    """
    limits = pause or Pause()
    require_spikes(spikes)
    sample = spikes.column("sample")
    trains = {
        unit: clock.to_seconds(np.unique(sample[spikes.rows_of(unit)]))
        for unit in spikes.items.tolist()
    }
    recorded = [[s.t0_s, s.end_s] for s in clock.segments]
    found = [
        measured((low, high), trains[low], trains[high], recorded, limits)
        for low, high in _pairs(trains, place_um or {}, limits.near_um)
    ]
    tests = judged(found, limits)
    linked = [each for each in tests if each.linked]
    labels = _links(spikes, linked, limits)
    rows = {k: each.to_json() for k, each in enumerate(linked)}
    tested = tuple(each.to_json() for each in tests)
    context = {"criteria": limits.to_json(), "pairs": len(tests)}
    items = item_table(labels, rows, COLUMNS, context)
    return GroundTruth(labels, items, _findings(tests, merges or {}), tested)


def _links(spikes: LabelSet, linked: list[PairTest], limits: Pause) -> LabelSet:
    made = spikes.provenance
    return LabelSet.build(
        Kind.LINKS,
        {
            "a": np.asarray([each.complex_unit for each in linked], np.int64),
            "b": np.asarray([each.simple_unit for each in linked], np.int64),
        },
        VOCABULARY,
        Provenance(
            task=TASK,
            source=made.source,
            stream=made.stream,
            author=Author("model", METHOD, VERSION),
            parameters={"criteria": limits.to_json()},
            made_from=(spikes.digest,),
            targets=(spikes.digest, spikes.digest),
        ),
    )


def _pairs(
    trains: Mapping[int, Values], place_um: Mapping[int, Values], near_um: float
) -> list[tuple[int, int]]:
    """Near pairs, the one with fewer spikes first."""
    nowhere = np.full(2, np.nan)
    pairs = []
    for a, b in combinations(trains, 2):
        away = np.linalg.norm(place_um.get(a, nowhere) - place_um.get(b, nowhere))
        if not away > near_um:
            pairs.append((a, b) if trains[a].size <= trains[b].size else (b, a))
    return pairs


def _findings(tests: tuple[PairTest, ...], merges: Mapping[Pair, str]) -> tuple[Finding, ...]:
    findings = []
    for each in tests:
        pair = frozenset((each.complex_unit, each.simple_unit))
        if each.linked and pair in merges:
            findings.append(
                Finding(
                    "purkinje_merge",
                    "warning",
                    f"{merges[pair]}: units {each.complex_unit} and {each.simple_unit}. These are "
                    "complex and simple spikes of one Purkinje cell: link, do not merge.",
                    item=each.complex_unit,
                    value=each.ratio,
                )
            )
        if each.verdict == DOUBTFUL and each.p == each.p and each.q == each.q:
            findings.append(
                Finding(
                    "doubtful_pause",
                    "note",
                    f"Units {each.complex_unit} and {each.simple_unit} are not linked. "
                    f"{each.sentence}",
                    item=each.complex_unit,
                    value=each.ratio,
                )
            )
    return tuple(findings)
