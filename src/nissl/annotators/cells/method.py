"""`cells/nissl`: from a movie to cells with traces.

Motion is taken out; pictures of the field are made; cells are found by their shape in the
pictures and by their transients in the movie, and joined; each gets a trace, and facts by which
people and classifiers judge it. Every stage goes through the movie chunk by chunk and is kept
in the job's folder, from where an interrupted run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.activity import ActivitySettings, find_active
from nissl.annotators.cells.describing import field_images, item_table
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.joining import Joined, joined
from nissl.annotators.cells.motion import (
    Motion,
    MotionSettings,
    corrected,
    estimate,
    findings,
)
from nissl.annotators.cells.traces import MODALITIES, Traces, TraceSettings, extract
from nissl.annotators.cells.vocabulary import CELL, NOT_CELL
from nissl.annotators.cells.windows import judged
from nissl.clock import Clock
from nissl.data import ChannelTable, Movie, Signal
from nissl.errors import BadArgumentError
from nissl.labels import Author, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.installed import installed
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

DIAMETER_UM = 11.0
"""Of a soma, where the movie says how large its pixels are but nobody how large its cells."""
WHOLE = Promises(chunked=True, deterministic=True, memory="measured")
LIES_STILL = (
    "Frames fit no better once they are moved, as in movies that were registered before; they "
    "were left as they are."
)
SOURCES = {"fluorescence": "dff", "raw": "raw", "neuropil": "neuropil"}
"""Names of derived signals, and the traces that they hold."""


NEEDED = ("numba", "onnxruntime")
"""Packages of the extra "imaging" that it computes with."""


@dataclass(frozen=True)
class CellsMethod:
    """Cells by shape and activity, with traces."""

    name: str = "cells/nissl"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {name: "pip install 'nissl[imaging]'" for name in NEEDED if not installed(name)}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: installed(name) for name in ("numpy", "scipy", *NEEDED)}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `modality`: "two-photon" or "one-photon". `diameter_px`: of a soma; null looks for it.
        `motion`, `shape`, `activity`: which stages run. `bidirectional`: with motion, odd lines
        are moved back by the offset that was measured. `baseline_s`: window of the running
        baseline. `coefficient`: part of the neuropil to take off; null fits it for each cell.
        `dark`: what the detector reads without light.
        """
        return {
            "modality": "two-photon",
            "diameter_px": None,
            "motion": True,
            "bidirectional": False,
            "shape": True,
            "activity": True,
            "baseline_s": 60.0,
            "coefficient": None,
            "dark": 0.0,
        }

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Find the cells of a movie and extract their traces.

        Raises
        ------
        BadArgumentError
            An option outside its values.
        BadSamplesError
            A movie without a frame.
        InterruptedRunError
            Ctrl-C; finished chunks are kept.
        """
        began = time.perf_counter()
        require_sound(parameters)
        seconds: dict[str, float] = {}
        with measure_peak() as peak:
            found = _found(inputs.movie, parameters, context, seconds)
            labels = self._labels(found.joined, inputs, parameters, context)
        known = np.isfinite(found.traces.coefficient_error)
        field = float(np.median(found.traces.coefficient[known])) if known.any() else None
        scores = {
            "shape_score": found.joined.shape_score,
            "activity_score": found.joined.activity_score,
            "window_score": found.joined.window_score,
        }
        items = item_table(
            labels,
            found.joined.cells,
            found.traces,
            found.images,
            found.movie,
            scores=scores,
            field=field,
        )
        origin = found.joined.cells.origin
        motion, clock = found.motion, inputs.movie.clock
        applied = found.movie is not inputs.movie
        moved = () if motion is None or not applied else (motion.to_signal(clock),)
        doubts = () if motion is None else findings(motion, inputs.movie)
        if motion is not None and not applied:
            doubts = (*doubts, Finding("lies_still", "note", LIES_STILL))
        log = {
            "n_regions": len(origin),
            "n_cells": int(found.joined.plausible.sum()),
            "found_by": {name: origin.count(name) for name in ("shape", "activity", "both")},
            "diameter_px": found.diameter_px,
            "neuropil_coefficient": field,
            "motion": None if motion is None else motion.to_json() | {"applied": applied},
            "stages_s": {name: round(value, 3) for name, value in seconds.items()},
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
        }
        return Result(
            labels=(labels,),
            items=(items,),
            sources=(*sources(found.traces, labels, clock), *moved),
            images=found.images,
            log=log,
            findings=(*doubts, *doubts_of(found.traces, labels)),
        )

    def _labels(
        self,
        joined: Joined,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        context: Context,
    ) -> LabelSet:
        made_by = Provenance(
            task="cells",
            source=inputs.recording.fingerprint,
            stream=inputs.stream,
            author=Author("model", self.name, self.version),
            parameters=dict(parameters),
            seed=context.seed,
            packages=dict(self.packages()),
        )
        called = np.where(joined.plausible, CELL, NOT_CELL)
        return joined.cells.to_labels(made_by, label=called.astype(np.int32))


@dataclass(frozen=True, eq=False)
class Found:
    """What the stages gave."""

    movie: Movie
    motion: Motion | None
    images: Mapping[str, npt.NDArray[np.float32]]
    diameter_px: float
    joined: Joined
    traces: Traces


def require_sound(parameters: Mapping[str, Any]) -> None:
    """Raise `BadArgumentError` for parameters outside their values."""
    diameter, part = parameters["diameter_px"], parameters["coefficient"]
    if parameters["modality"] not in MODALITIES:
        TraceSettings(modality=parameters["modality"])
    if diameter is not None and not (isinstance(diameter, (int, float)) and 3 <= diameter <= 200):
        raise BadArgumentError(
            "diameter_px from 3 to 200, or null",
            repr(diameter),
            "Measure a soma in the mean image, in pixels.",
        )
    if part is not None and not (isinstance(part, (int, float)) and 0 <= part <= 1):
        raise BadArgumentError(
            "coefficient from 0 to 1, or null", repr(part), "Leave it out: it is then fitted."
        )
    if not (parameters["shape"] or parameters["activity"]):
        raise BadArgumentError(
            "shape, activity, or both", "neither", "Leave them out: both are then looked for."
        )


def _found(
    raw: Movie, parameters: Mapping[str, Any], context: Context, seconds: dict[str, float]
) -> Found:
    began = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal began
        seconds[name] = time.perf_counter() - began
        began = time.perf_counter()

    still, motion = at_rest(raw, parameters, context)
    lap("motion")
    images = field_images(still, context)
    lap("pictures")
    diameter = told_diameter(still, parameters) or _seen_diameter(images)
    shapes = _by_shape(still, images, diameter) if parameters["shape"] else _none(still)
    lap("shapes")
    looked = ActivitySettings(modality=parameters["modality"], diameter_px=diameter)
    both = joined(shapes, _none(still))
    if parameters["activity"]:
        active = find_active(still, context, looked)
        lap("activity")
        seen = judged(active, images, diameter)
        both = joined(shapes, seen.cells, seen.score)
    lap("windows")
    traces = extract(still, both.cells, context, trace_settings(parameters, diameter))
    lap("traces")
    return Found(still, motion, images, diameter, both, traces)


def at_rest(
    raw: Movie, parameters: Mapping[str, Any], context: Context
) -> tuple[Movie, Motion | None]:
    """The movie without its motion, where taking it out pays; and the motion, if looked for."""
    if not parameters["motion"] or raw.n_frames < 2:
        return raw, None
    settings = MotionSettings(
        optics=parameters["modality"], bidirectional=bool(parameters["bidirectional"])
    )
    motion = estimate(raw, settings, context)
    if motion.quality.pays or settings.bidirectional:
        return corrected(raw, motion), motion
    return raw, motion


def trace_settings(parameters: Mapping[str, Any], diameter_px: float) -> TraceSettings:
    """How traces are extracted, as parameters of the method say."""
    return TraceSettings(
        modality=parameters["modality"],
        baseline_s=float(parameters["baseline_s"]),
        coefficient=parameters["coefficient"],
        dark=float(parameters["dark"]),
        diameter_px=diameter_px,
    )


def told_diameter(movie: Movie, parameters: Mapping[str, Any]) -> float | None:
    """Diameter of a soma in pixels as told, or from the size of a pixel; None if neither is."""
    if parameters["diameter_px"] is not None:
        return float(parameters["diameter_px"])
    if movie.spacing_um is not None and movie.spacing_um[2] > 0:
        return float(np.clip(DIAMETER_UM / movie.spacing_um[2], 3.0, 200.0))
    return None


def _seen_diameter(images: Mapping[str, npt.NDArray[np.float32]]) -> float:
    """Diameter of a soma in pixels, as the pictures of the middle plane show it."""
    from nissl.annotators.cells.network import images_of, likely_diameter, shipped

    middle = len(next(iter(images.values()))) // 2
    seen = images_of({name: image[middle] for name, image in images.items()})
    return float(likely_diameter(seen, shipped()))


def _by_shape(
    movie: Movie, images: Mapping[str, npt.NDArray[np.float32]], diameter: float
) -> Footprints:
    """Cells of all planes by their shape."""
    from nissl.annotators.cells.network import detect

    pixels: list[Any] = []
    weights: list[Any] = []
    score: list[float] = []
    _, height, width = movie.shape
    for z in range(movie.n_planes):
        summary = {name: image[z] for name, image in images.items()}
        found = detect(summary, diameter_px=diameter)
        pixels += [p + z * height * width for p in found.pixels]
        weights += list(found.weights)
        score += found.score.tolist()
    return Footprints.build(movie.shape, pixels, weights, score=score, origin="shape")


def _none(movie: Movie) -> Footprints:
    return Footprints.build(movie.shape, [])


def sources(traces: Traces, labels: LabelSet, clock: Clock) -> tuple[Signal, ...]:
    """Derived signals, one channel per cell, named by its item."""
    ids = [str(item) for item in labels.column("item").tolist()]
    if not ids:
        return ()
    made = []
    for name, attribute in SOURCES.items():
        table = ChannelTable.plain(ids, kind=name)  # rates are inferred from "fluorescence" alone
        values = np.ascontiguousarray(getattr(traces, attribute), np.float32)
        signal = Signal.from_array(values, clock.rate_hz, name=name, channels=table, clock=clock)
        unit = "dF/F, a fraction" if attribute == "dff" else "as the movie"
        made.append(replace(signal, metadata={"unit": unit}))
    return tuple(made)


def doubts_of(traces: Traces, labels: LabelSet) -> list[Finding]:
    """What extraction itself found doubtful."""
    found = []
    for flags, check, sentence in (
        (
            traces.floored,
            "low_baseline",
            "Without neuropil its fluorescence at rest is close to nothing: its dF/F is a bound.",
        ),
        (
            ~traces.told_apart,
            "coincides",
            "It has the pixels of another cell: their traces cannot be told apart.",
        ),
    ):
        for row in np.flatnonzero(flags).tolist():
            item = int(labels.column("item")[row])
            found.append(Finding(check, "warning", sentence, item=item))
    return found


NISSL = CellsMethod()
