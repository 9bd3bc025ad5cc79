"""What every detector shares: streams cut at gaps, channels chosen, provenance, one log.

A detector is a function from one gapless stretch of samples to `Found`; `SpanMethod` makes an
annotator of it. Detectors that look at one channel at a time read one channel at a time, so an
8-h recording of 64 channels never stands in memory as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.data.electrodes import electrodes
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.run.context import Context
from nissl.run.installed import installed
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

Ints = npt.NDArray[np.int64]
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
BRAIN = ("eeg", "meg", "seeg", "ecog", "lfp")
"""Types of channels that detectors look at by default."""
ALL_CHANNELS = -1


@dataclass(frozen=True, eq=False)
class Found:
    """Spans of one stretch, in samples of the stream counted from the stretch's start.

    Parameters
    ----------
    start, stop : ndarray, shape (n,), int64
        Half-open.
    label : ndarray, shape (n,), int64
        Codes of the method's vocabulary.
    channel : ndarray, shape (n,), int64
        Index of the stream's channel; `ALL_CHANNELS` for an event of the whole head.
    probabilities : ndarray, shape (n, n_classes), float64, optional
        Over the vocabulary; None where the method has none.
    facts : tuple of mapping
        What the log tells of stretches and channels, JSON values.
    """

    start: Ints
    stop: Ints
    label: Ints
    channel: Ints
    probabilities: npt.NDArray[np.float64] | None = None
    facts: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(
        cls,
        start: npt.ArrayLike,
        stop: npt.ArrayLike,
        *,
        label: int = 0,
        channel: int = ALL_CHANNELS,
        probability: npt.NDArray[np.float64] | None = None,
        n_classes: int = 2,
    ) -> Found:
        """Spans of one class on one channel; `probability` is that of the class."""
        first = np.asarray(start, np.int64)
        p = None
        if probability is not None:
            p = np.zeros((first.size, n_classes))
            p[:, -1] = 1 - probability
            p[:, label] = probability
        return cls(
            first,
            np.asarray(stop, np.int64),
            np.full(first.size, label, np.int64),
            np.full(first.size, channel, np.int64),
            p,
        )

    def moved(self, by: int, n_samples: int) -> Found:
        """The same spans counted from another sample, cut to ``[by, by + n_samples)``."""
        start = np.clip(self.start, 0, max(n_samples - 1, 0))
        stop = np.clip(np.maximum(self.stop, start + 1), 1, n_samples)
        return replace(self, start=start + by, stop=stop + by)


def together(parts: Sequence[Found]) -> Found:
    """Spans of several stretches or channels; probabilities only where all have them."""
    if not parts:
        nothing = np.empty(0, np.int64)
        return Found(nothing, nothing, nothing, nothing)
    known = [p.probabilities for p in parts if p.probabilities is not None]
    columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in _COLUMNS}
    p = np.concatenate(known) if len(known) == len(parts) else None
    return Found(**columns, probabilities=p, facts=tuple(f for part in parts for f in part.facts))


_COLUMNS = ("start", "stop", "label", "channel")

Detector = Callable[[Signal, int, int, Sequence[int], Mapping[str, Any]], Found]
"""``(signal, start, stop, channels, parameters) -> Found``, samples counted from `start`."""


@dataclass(frozen=True)
class SpanMethod:
    """A detector as an annotator of the task "events".

    Parameters
    ----------
    name : str
    detect : callable
        See `Detector`.
    vocabulary : Vocabulary
    parameters : mapping
        Defaults, JSON values; "channels" (names, or null for those of `types`) is added.
    types : tuple of str
        Types of channels that it looks at (see `nissl.data.electrodes`).
    requires : mapping of str to str
        Packages beside the core's, with the command that installs each.
    by_channel : bool
        Whether channels are independent, so that they are handed over one by one.
    """

    name: str
    detect: Detector
    vocabulary: Vocabulary
    parameters: Mapping[str, Any] = field(default_factory=dict)
    types: tuple[str, ...] = BRAIN
    requires: Mapping[str, str] = field(default_factory=dict)
    by_channel: bool = True
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""
        return {name: how for name, how in self.requires.items() if not installed(name)}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        names = ("numpy", "scipy", *self.requires)
        return {name: installed(name) for name in names if installed(name)}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values."""
        return {**self.parameters, "channels": None}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Look for events on every chosen channel, gap by gap.

        Raises
        ------
        MissingInputError
            No channel of a type that the method looks at.
        BadArgumentError
            A parameter outside its values.
        BadMetadataError
            A rate that is too low.
        """
        began = time.perf_counter()
        signal = inputs.signal
        channels = chosen(signal, parameters["channels"], self.types)
        with measure_peak() as peak:
            found = searched(self, signal, channels, parameters, context)
        log = {
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
            "channels": [signal.channels.ids[k] for k in channels],
            "preprocessing": preprocessing(signal),
        }
        if found.facts:
            log["facts"] = [dict(each) for each in found.facts]
        labels = label_set(self, found, inputs, parameters, context)
        return Result((labels,), log=log, findings=_said(labels))


def searched(
    method: SpanMethod,
    signal: Signal,
    channels: Sequence[int],
    parameters: Mapping[str, Any],
    context: Context,
) -> Found:
    """Everything that a method finds, samples of the stream."""
    groups = [[c] for c in channels] if method.by_channel else [list(channels)]
    progress, stage = context.progress, f"look for events ({method.name})"
    progress.start(stage, float(len(groups) * len(signal.clock.segments)), "channels")
    parts = []
    try:
        for segment in signal.clock.segments:
            for group in groups:
                found = method.detect(signal, segment.start, segment.stop, group, parameters)
                parts.append(found.moved(segment.start, segment.stop - segment.start))
                progress.advance(stage, 1.0)
    finally:
        progress.finish(stage)
    return together(parts)


def label_set(
    method: Any,
    found: Found,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    context: Context,
    weights: str = "",
    vocabulary: Vocabulary | None = None,
) -> LabelSet:
    """SPANS of what was found, by this method, under its vocabulary or another."""
    order = np.lexsort((found.channel, found.stop, found.start))
    columns: dict[str, Any] = {name: getattr(found, name)[order] for name in _COLUMNS}
    channel = columns["channel"].tolist()
    columns["channel"] = [None if c == ALL_CHANNELS else c for c in channel]
    columns["label"] = columns["label"].astype(np.int32)
    if found.probabilities is not None:
        p = found.probabilities[order]
        columns["probabilities"] = p.astype(np.float32)
        columns["confidence"] = p[np.arange(len(p)), columns["label"]].astype(np.float32)
    return LabelSet.build(
        Kind.SPANS,
        columns,
        method.vocabulary if vocabulary is None else vocabulary,
        Provenance(
            task="events",
            source=inputs.recording.fingerprint,
            stream=inputs.stream,
            author=Author("model", method.name, method.version, weights),
            parameters={**parameters, "preprocessing": preprocessing(inputs.signal)},
            seed=context.seed,
            packages=dict(method.packages()),
        ),
    )


def preprocessing(signal: Signal) -> list[dict[str, Any]]:
    """The one step before all methods, with what scores need to know: rate and length."""
    facts = {"rate_hz": float(signal.rate_hz), "duration_s": float(signal.duration_s)}
    text = "Each channel is taken gap by gap, its median removed, samples that are no numbers as 0."
    return [{"step": "read", "by": "nissl", "parameters": facts, "text": text}]


def chosen(signal: Signal, names: Any, types: Sequence[str]) -> list[int]:
    """Indices of the channels that are asked for, or of those of some types.

    A stream whose channels are all of unknown type is taken as it is.
    """
    ids = signal.channels.ids
    if names is not None:
        if not isinstance(names, (list, tuple)) or not names:
            raise BadArgumentError(
                "a list of channel names, or null", repr(names), f"The stream has {list(ids)[:12]}."
            )
        return [int(k) for k in signal.channels.index(list(names))]
    known = electrodes(ids)
    found = [k for k, each in enumerate(known) if each.type in types]
    if found:
        return found
    if all(not each.known or each.type == "misc" for each in known):
        return list(range(len(ids)))
    raise MissingInputError(
        f"a channel of the type {', '.join(types)}",
        f"{[f'{e.given} ({e.type})' for e in known][:12]}",
        "Name the channels to use: --set channels='[\"C3\"]'",
    )


def samples(signal: Signal, start: int, stop: int, channel: int) -> npt.NDArray[np.float64]:
    """One channel of a stretch, (n_samples,) float64 in uV, its median removed; NaN become 0."""
    x = signal.read(start, stop, [channel])[:, 0].astype(np.float64)
    good = np.isfinite(x)
    if not good.all():
        x[~good] = np.median(x[good]) if good.any() else 0.0
    return x - np.median(x) if x.size else x


def _said(labels: LabelSet) -> tuple[Finding, ...]:
    if labels.n_rows:
        return ()
    names = ", ".join(labels.vocabulary.names[:-1])
    return (Finding("none_found", "note", f"No event of the classes {names} was found."),)
