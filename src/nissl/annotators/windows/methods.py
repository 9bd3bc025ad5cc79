"""`windows/movement`, `windows/sleep`, `windows/population`: rest found by state, in this order.

A signal of movement tells most; stages of sleep tell rest of one kind; the population alone, least
of all, for a monotonous movement looks like rest in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.windows.evidence import (
    SHORT,
    Grid,
    asleep,
    movement,
    moving_channels,
    of_population,
)
from nissl.annotators.windows.states import Floats, Ints, low_probability, stretches
from nissl.annotators.windows.vocabulary import MOVEMENT, REST, VOCABULARY
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.installed import installed
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

BIN_S = 0.5
POPULATION_BIN_S = 1.0
LEAST_S = 10.0


@dataclass(frozen=True, eq=False)
class Spans:
    """Windows of one source, in its samples.

    Parameters
    ----------
    start, stop : ndarray of int, shape (n,)
    label : ndarray of int, shape (n,)
        Codes of `VOCABULARY`.
    confidence : ndarray, shape (n,)
        NaN where nothing tells.
    told : str
        By what they were found.
    """

    start: Ints
    stop: Ints
    label: Ints
    confidence: Floats
    told: str = ""

    @classmethod
    def of(cls, name: str, start: Ints, stop: Ints, confidence: Floats, told: str = "") -> Spans:
        """Windows of one class."""
        code = np.full(len(start), VOCABULARY.code(name), np.int64)
        return cls(np.asarray(start, np.int64), np.asarray(stop, np.int64), code, confidence, told)

    def take(self, own: npt.NDArray[np.bool_], told: str | None = None) -> Spans:
        """Only some of them."""
        said = self.told if told is None else told
        return Spans(self.start[own], self.stop[own], self.label[own], self.confidence[own], said)


def together(parts: list[Spans]) -> Spans:
    """Windows of several kinds in order of time."""
    names = ("start", "stop", "label", "confidence")
    columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
    order = np.lexsort((columns["label"], columns["start"]))
    told = "; ".join(dict.fromkeys(p.told for p in parts if p.told))
    return Spans(**{n: c[order] for n, c in columns.items()}, told=told)


def two_states(measured: Floats, grid: Grid, least_s: float, told: str) -> Spans:
    """Rest and movement by a number that is low at rest."""
    low = low_probability(measured, grid.bin_s, grid.segment)
    parts = []
    for name, p in ((REST, low), (MOVEMENT, 1 - low)):
        found = stretches(p, grid.bin_s, least_s, grid.segment)
        start, stop = grid.samples(found)
        parts.append(Spans.of(name, start, stop, found.confidence, told))
    return together(parts)


def by_movement(
    signal: Signal, least_s: float, channels: list[str] | None = None, how: str | None = None
) -> Spans:
    """Rest and movement by the channels of a signal that tell movement.

    Raises
    ------
    MissingInputError
        No channel is called by anything that moves.
    """
    if channels is not None:
        own = [int(k) for k in signal.channels.index(channels)]
        kind = how or moving_channels(channels)[1] or "speed"
    else:
        own, kind = moving_channels(signal.channels.ids)
        kind = how or kind
    if not own:
        raise MissingInputError(
            "a channel of speed, position, acceleration or EMG",
            f"the channels {list(signal.channels.ids)[:12]} of {signal.name!r}",
            "Name it: --set channels='[\"wheel\"]' --set how=speed",
        )
    grid = Grid.of(signal.clock, BIN_S)
    told = f"{kind} of {', '.join(signal.channels.ids[k] for k in own)}"
    return two_states(movement(signal, own, kind, grid), grid, least_s, told)


def _movement(inputs: Inputs, parameters: Mapping[str, Any]) -> Spans:
    names = parameters["channels"]
    return by_movement(
        inputs.signal, float(parameters["least_s"]), names and list(names), parameters["how"]
    )


def _sleep(inputs: Inputs, parameters: Mapping[str, Any]) -> Spans:
    least = round(float(parameters["least_s"]) * inputs.signal.rate_hz)
    return Spans.of(REST, *asleep(inputs.labels["sleep"], least), told="stages of sleep")


def _population(inputs: Inputs, parameters: Mapping[str, Any]) -> Spans:
    grid = Grid.of(inputs.signal.clock, POPULATION_BIN_S)
    if grid.width < SHORT:
        raise BadArgumentError(
            f"{SHORT} or more samples a second",
            f"{inputs.signal.rate_hz:g} Hz",
            "Take another signal of movement.",
        )
    sample = inputs.labels["spikes"].column("sample").astype(np.int64)
    measured = of_population(sample, grid)
    return two_states(measured, grid, float(parameters["least_s"]), "the population alone")


@dataclass(frozen=True)
class WindowMethod:
    """A way to find windows as an annotator of the task "windows".

    Parameters
    ----------
    name : str
    find : callable
        ``(inputs, parameters) -> Spans``.
    needs : tuple of str
        Tasks whose labels it works on.
    parameters : mapping
    """

    name: str
    find: Callable[[Inputs, Mapping[str, Any]], Spans]
    needs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"least_s": LEAST_S})
    version: str = "1"
    promises: Promises = Promises(chunked=False, deterministic=True, memory="measured")  # noqa: RUF009

    def missing(self) -> Mapping[str, str]:
        """Nothing beyond the core's packages."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {"numpy": installed("numpy")}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values."""
        return dict(self.parameters)

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Find windows of a recording; `BadArgumentError` where nothing tells two states."""
        began, stage = time.perf_counter(), f"look for windows ({self.name})"
        if not float(parameters["least_s"]) > 0:
            raise BadArgumentError(
                "windows longer than nothing", f"{parameters['least_s']!r} s", "--set least_s=10"
            )
        context.progress.start(stage, 1.0, "recordings")
        try:
            with measure_peak() as peak:
                found = self.find(inputs, parameters)
            context.progress.advance(stage, 1.0)
        finally:
            context.progress.finish(stage)
        provenance = Provenance(
            task="windows",
            source=inputs.recording.fingerprint,
            stream=inputs.stream,
            author=Author("model", self.name, self.version),
            parameters=dict(parameters),
            seed=context.seed,
            packages=dict(self.packages()),
            made_from=tuple(inputs.labels[n].digest for n in self.needs),
        )
        log = {
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
            "told_by": found.told,
        }
        said = (Finding("told_by", "note", f"Rest was told by {found.told}."),)
        return Result((label_set(found, provenance),), log=log, findings=said)


def label_set(found: Spans, provenance: Provenance) -> LabelSet:
    """SPANS of windows."""
    columns = {
        "start": found.start,
        "stop": found.stop,
        "label": found.label.astype(np.int32),
        "confidence": found.confidence.astype(np.float32),
    }
    return LabelSet.build(Kind.SPANS, columns, VOCABULARY, provenance)


BY_MOVEMENT = WindowMethod(
    "windows/movement", _movement, (), {"least_s": LEAST_S, "channels": None, "how": None}
)
BY_SLEEP = WindowMethod("windows/sleep", _sleep, ("sleep",))
BY_POPULATION = WindowMethod("windows/population", _population, ("spikes",))
