"""Verify a sorting: add known units, sort again, compare; halves and another sorter beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.annotators.spikes.preprocess import require_sortable
from nissl.annotators.spikes.sorting import in_files
from nissl.annotators.spikes.verifying.agreement import (
    Agreement,
    halves_agreement,
    sorters_agreement,
)
from nissl.annotators.spikes.verifying.bed import Bed, bed_of
from nissl.annotators.spikes.verifying.injecting import Injected, inject
from nissl.annotators.spikes.verifying.judged import Judged, judged
from nissl.annotators.spikes.verifying.library import built_in
from nissl.annotators.spikes.verifying.outcome import Band, Outcome, band, banded, outcomes
from nissl.annotators.spikes.verifying.own import OwnUnit, own_units
from nissl.annotators.spikes.verifying.placing import Design, planned
from nissl.annotators.spikes.verifying.sortings import Sorter, Sorting, require_long
from nissl.annotators.spikes.verifying.verdict import (
    Confidence,
    Verdict,
    confidence_of,
    edges_of,
    judge,
)
from nissl.data import Recording
from nissl.data.added import part_of
from nissl.errors import BadArgumentError
from nissl.labels.atomic import make_folder
from nissl.labels.digest import digest_json
from nissl.run.context import Context
from nissl.tasks import Annotator

UNITS = ("both", "own", "library")
LEAST_S = 10.0
_BUILT_IN = 40


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be verified, and how.

    Parameters
    ----------
    recording : Recording
    stream : str
    method : Annotator
    parameters : mapping
        Complete parameters of the method.
    design : Design
    units : {"both", "own", "library"}
        Where added units come from.
    library : tuple of HybridUnit
        Brought units; empty for the built-in shapes.
    halves : bool
        Whether to sort both halves of the time too.
    also : Annotator, optional
        Another sorter to compare with, with its default parameters.
    """

    recording: Recording
    stream: str
    method: Annotator
    parameters: Mapping[str, Any]
    design: Design = field(default_factory=Design)
    units: str = "both"
    library: tuple[HybridUnit, ...] = ()
    halves: bool = True
    also: Annotator | None = None

    def __post_init__(self) -> None:
        if self.units not in UNITS:
            raise BadArgumentError(f"units among {UNITS}", repr(self.units), "Choose one of them.")

    @property
    def n_sortings(self) -> int:
        """Sortings that have to be run."""
        return 1 + self.design.rounds + 2 * self.halves + (self.also is not None)

    @property
    def method_name(self) -> str:
        """The method with its version."""
        return f"{self.method.name} {self.method.version}"


@dataclass(frozen=True, eq=False)
class Verification:
    """All that was found.

    Parameters
    ----------
    verdict : Verdict
    units : tuple of Outcome
    overall : Band
    by_snr, by_depth, by_amplitude, by_origin : tuple of Band
    confidence : Confidence
    halves, sorters : Agreement or None
    facts : mapping
        JSON values: what was added to what, and how.
    notes : tuple of str
        What limits the statements, a sentence each.
    """

    verdict: Verdict
    units: tuple[Outcome, ...]
    overall: Band
    by_snr: tuple[Band, ...]
    by_depth: tuple[Band, ...]
    by_amplitude: tuple[Band, ...]
    by_origin: tuple[Band, ...]
    confidence: Confidence
    halves: Agreement | None
    sorters: Agreement | None
    facts: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        bands = ("by_snr", "by_depth", "by_amplitude", "by_origin")
        return {
            "verdict": self.verdict.to_json(),
            "overall": self.overall.to_json(),
            **{name: [b.to_json() for b in getattr(self, name)] for name in bands},
            "units": [unit.to_json() for unit in self.units],
            "confidence": self.confidence.to_json(),
            "halves": None if self.halves is None else self.halves.to_json(),
            "sorters": None if self.sorters is None else self.sorters.to_json(),
            "facts": dict(self.facts),
            "notes": list(self.notes),
        }


def verify(request: Request, folder: Path, context: Context) -> Verification:
    """Verify a method on a recording.

    Each sorting is a job of its own, kept in `folder`: after an interruption the same call goes
    on at the first that is not finished.

    Parameters
    ----------
    request : Request
    folder : Path
        Created when absent.
    context : Context
        Its seed is that of the added units and of the sorter.

    Raises
    ------
    BadSamplesError, BadMetadataError
        Shorter than 10 s, or no recording that could hold spikes.
    MethodFailedError
        The sorter failed; its log is named.
    InterruptedRunError
        Ctrl-C.
    """
    signal = request.recording[request.stream]
    require_long(signal.duration_s, LEAST_S)
    require_sortable(signal)
    make_folder(folder)
    run = _Run(request, folder, context)
    with_files = in_files(signal, folder / "samples")
    recording = _with_signal(request.recording, request.stream, with_files)
    context.progress.start("sortings", request.n_sortings, "sortings")
    try:
        first = run.sort(recording)
        bed = bed_of(with_files, replace(context, workdir=make_folder(folder / "work")))
        made = _rounds(request, recording, first, bed, folder, context.seed)
        again = [run.sort(each.recording) for each in made]
        halves = run.halves(recording) if request.halves else None
        other = run.sort(recording, request.also) if request.also is not None else None
    finally:
        context.progress.finish("sortings")
    rng = np.random.default_rng([context.seed, 1])
    sorters = None
    if other is not None and request.also is not None:
        names = (request.method.name, request.also.name)
        sorters = sorters_agreement(first, other, names, signal.rate_hz, rng)
    return _told(request, first, bed, list(zip(made, again, strict=True)), halves, sorters, rng)


@dataclass(frozen=True)
class _Run:
    """Sorts, and counts."""

    request: Request
    folder: Path
    context: Context

    def sort(self, recording: Recording, method: Annotator | None = None) -> Sorting:
        request = self.request
        chosen = request.method if method is None else method
        parameters = request.parameters if method is None else method.defaults()
        sorter = Sorter(chosen, parameters, self.folder / "jobs", self.context)
        found = sorter.sort(recording, request.stream)
        self.context.progress.advance("sortings", 1)
        return found

    def halves(self, recording: Recording) -> Agreement:
        signal = recording[self.request.stream]
        middle = signal.n_samples // 2
        found = []
        for start, stop in ((0, middle), (middle, signal.n_samples)):
            part = part_of(signal, start, stop)
            name = digest_json({"source": recording.fingerprint, "part": [start, stop]})
            half = replace(_with_signal(recording, self.request.stream, part), fingerprint=name)
            found.append(self.sort(half))
        return halves_agreement(found[0], found[1], np.random.default_rng([self.context.seed, 2]))


def _with_signal(recording: Recording, stream: str, signal: Any) -> Recording:
    return replace(recording, streams={**recording.streams, stream: signal})


def _rounds(
    request: Request, recording: Recording, first: Sorting, bed: Bed, folder: Path, seed: int
) -> list[Injected]:
    """Recordings with units added, one per round."""
    rng = np.random.default_rng([seed, 0])
    own = own_units(first.items, bed.position_um) if bed.good.size > 1 else ()
    units: list[OwnUnit | HybridUnit] = []
    if request.units in ("both", "own"):
        units += own
    if request.units in ("both", "library") or not units:
        brought = request.library or built_in(_BUILT_IN, rng)
        n = max(1, len(units)) if request.units == "both" and units else len(brought)
        units += [brought[k] for k in rng.permutation(len(brought))[:n].tolist()]
    clock = recording[request.stream].clock
    rounds = planned(units, bed, clock, first.labels.n_rows, request.design, rng)
    added = make_folder(folder / "added")
    return [inject(recording, request.stream, each, bed, added) for each in rounds]


def _told(
    request: Request,
    first: Sorting,
    bed: Bed,
    rounds: Sequence[tuple[Injected, Sorting]],
    halves: Agreement | None,
    sorters: Agreement | None,
    rng: np.random.Generator,
) -> Verification:
    units = tuple(u for made, found in rounds for u in outcomes(made, found, bed.rate_hz))
    spikes = Judged.joined([judged(made, found, first, bed) for made, found in rounds])
    confidence = confidence_of(spikes, rng)
    verdict = judge(
        confidence,
        int(np.unique(spikes.unit).size),
        method=request.method_name,
        source=request.recording.fingerprint,
        stream=request.stream,
    )
    depth = [u.y_um for u in units]
    size = [u.amplitude_uv for u in units]
    origin = ["own, moved" if u.name.startswith("own ") else "library" for u in units]
    return Verification(
        verdict,
        units,
        band(units, "all", rng),
        tuple(
            band([u for u in units if u.snr == level], f"{level:g}", rng)
            for level in sorted({u.snr for u in units})
        ),
        banded(units, depth, rng, edges_of(np.asarray(depth))),
        banded(units, size, rng, edges_of(np.asarray(size))),
        banded(units, origin, rng),
        confidence,
        halves,
        sorters,
        _facts(request, first, bed, rounds),
        _notes(request, first, bed, rounds),
    )


def _facts(
    request: Request, first: Sorting, bed: Bed, rounds: Sequence[tuple[Injected, Sorting]]
) -> dict[str, Any]:
    signal = request.recording[request.stream]
    noise = float(np.nanmedian(bed.noise_uv))
    return {
        "method": request.method_name,
        "parameters": dict(request.parameters),
        "source": request.recording.fingerprint,
        "stream": request.stream,
        "channels": signal.n_channels,
        "duration_s": signal.duration_s,
        "noise_uv": noise,
        "units_first": int(first.labels.items.size),
        "spikes_first": first.labels.n_rows,
        "rounds": [
            {
                "units": len(made.units),
                "spikes": made.truth.n_rows,
                "extra": made.truth.n_rows / max(first.labels.n_rows, 1),
                "found_units": int(found.labels.items.size),
                "wall_s": None if np.isnan(found.wall_s) else found.wall_s,
            }
            for made, found in rounds
        ],
    }


def _notes(
    request: Request, first: Sorting, bed: Bed, rounds: Sequence[tuple[Injected, Sorting]]
) -> tuple[str, ...]:
    notes = []
    if not bed.known_geometry:
        notes.append(
            "The places of the contacts are not known: they were taken as a line, 20 um apart, "
            "so that nothing is said of real depth, and footprints of added units are a guess."
        )
    if bed.good.size == 1:
        notes.append("One channel: the recording's own units cannot be moved; shapes are built in.")
    elif request.units != "library" and not own_units(first.items, bed.position_um):
        notes.append(
            "The first sorting found no unit of its own to move (50 spikes, a signal-to-noise "
            "ratio of 4): all added units are of the library."
        )
    most = max(made.truth.n_rows for made, _ in rounds) / max(first.labels.n_rows, 1)
    if most > 1.5 * request.design.most_extra:
        notes.append(
            f"Added spikes are up to {100 * most:.0f} % of those of the first sorting, more than "
            f"the {100 * request.design.most_extra:.0f} % that leave a recording as it is: units "
            "need spikes to be found by, and it is short or quiet."
        )
    return tuple(notes)
