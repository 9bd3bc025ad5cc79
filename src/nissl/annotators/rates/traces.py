"""What every method of the task shares: traces read gap by gap, bad ones told, one result.

A method is a function from one gapless trace to `Inferred`. Rates come back as one derived signal
"rates": for each ROI a channel of its name, and where the method has an interval two more,
"<id>.low" and "<id>.high"; a channel is NaN where nothing can be said. Single spikes are EVENTS
whose items are the ROIs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.noise import noise_level
from nissl.annotators.rates.vocabulary import SPIKES
from nissl.data import ChannelTable, Signal
from nissl.errors import BadMetadataError, BadSamplesError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Annotator, Finding, Inputs, Result

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RATES_HZ = (1.0, 1000.0)
"""Frame rates that calcium traces have."""
SHORTEST_S = 5.0
MISSING = 0.5
"""Share of missing frames from which nothing is said of a trace."""
NOT_DFF = 50.0
"""Median size of traces, over cells, that no dF/F as a fraction has."""
TOO_NOISY = 40.0
"""Noise level, % per sqrt(Hz), median over cells, that no dF/F as a fraction has."""
LOW, HIGH = ".low", ".high"


@dataclass(frozen=True, eq=False)
class Inferred:
    """What a method says of one gapless trace.

    Parameters
    ----------
    rate : ndarray, shape (n_frames,), float64
    low, high : ndarray, shape (n_frames,), float64, optional
        Ends of the interval of each frame.
    frames : ndarray, shape (n_spikes,), int64
        Single spikes.
    sizes : ndarray, shape (n_spikes,), float32
        What each accounts for, in spikes (or the unit of the rate times seconds).
    doubt : str
        Why the trace is unlike what the method knows; empty where it is not.
    """

    rate: Values
    low: Values | None = None
    high: Values | None = None
    frames: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    sizes: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    doubt: str = ""


Infer = Callable[[Values, float], Inferred]
"""``(dff, rate_hz) -> Inferred`` of a trace without missing frames."""


def annotated(
    method: Annotator,
    infer: Infer,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    context: Context,
    *,
    unit: str,
    intervals: bool,
    weights: str = "",
) -> Result:
    """Rates and spikes of every trace of a stream.

    Parameters
    ----------
    method : Annotator
    infer : callable
    inputs : Inputs
    parameters : mapping
    context : Context
    unit : str
        Of the rates.
    intervals : bool
        Whether the method has them.
    weights : str
        Digest of its weights.

    Raises
    ------
    BadMetadataError
        A frame rate that no calcium trace has.
    BadSamplesError
        Raw fluorescence or percent instead of dF/F, or traces shorter than `SHORTEST_S`.
    """
    began, signal = time.perf_counter(), inputs.signal
    check_stream(signal)
    n, ids = signal.n_channels, signal.channels.ids
    columns = 3 if intervals else 1
    out = np.full((signal.n_samples, n, columns), np.nan, np.float32)
    findings: list[Finding] = []
    events: list[tuple[Ints, int, npt.NDArray[np.float32]]] = []
    stage = "infer rates"
    context.progress.start(stage, float(n), "traces")
    with measure_peak() as peak:
        check_scale(signal)
        for k, item in enumerate(items_of(ids)):
            for segment in signal.clock.segments:
                part = slice(segment.start, segment.stop)
                trace = signal.read(segment.start, segment.stop, [k])[:, 0].astype(np.float64)
                known = np.isfinite(trace)
                told = told_of(trace, known, signal.rate_hz, item, ids[k])
                findings += told
                if any(each.severity == "error" for each in told):
                    continue
                filled = np.interp(np.arange(trace.size), np.flatnonzero(known), trace[known])
                found = infer(filled, signal.rate_hz)
                for column, values in enumerate((found.rate, found.low, found.high)[:columns]):
                    if values is not None:
                        out[part, k, column] = np.where(known, values, np.nan)
                if found.doubt:
                    findings.append(doubted(found.doubt, item, ids[k]))
                if found.frames.size:
                    events.append((found.frames + segment.start, k, found.sizes))
            context.progress.advance(stage, 1.0)
    context.progress.finish(stage)
    labels = label_set(method, events, inputs, parameters, context, weights)
    log = {
        "wall_s": time.perf_counter() - began,
        "peak_memory_bytes": peak.bytes,
        "unit": unit,
        "traces": n,
    }
    return Result(
        (labels,), sources=(rates_signal(out, signal, unit),), log=log, findings=tuple(findings)
    )


def items_of(ids: Sequence[str]) -> list[int]:
    """Item of each channel: its name where all names are whole numbers, else its place."""
    if all(name.isdecimal() for name in ids) and len({int(name) for name in ids}) == len(ids):
        return [int(name) for name in ids]
    return list(range(len(ids)))


def rates_signal(values: npt.NDArray[np.float32], signal: Signal, unit: str) -> Signal:
    """Derived signal of (n_frames, n_traces, 1 or 3) rates, low and high ends."""
    ids = [
        name + suffix
        for name in signal.channels.ids
        for suffix in ("", LOW, HIGH)[: values.shape[2]]
    ]
    table = ChannelTable.plain(ids, kind="rate")
    flat = np.ascontiguousarray(values.reshape(len(values), -1))
    made = Signal.from_array(flat, signal.rate_hz, name="rates", channels=table, clock=signal.clock)
    return Signal(made.name, made.reader, made.channels, made.clock, {"unit": unit})


def label_set(
    method: Annotator,
    events: Sequence[tuple[Ints, int, npt.NDArray[np.float32]]],
    inputs: Inputs,
    parameters: Mapping[str, Any],
    context: Context,
    weights: str,
) -> LabelSet:
    """EVENTS of single spikes; `amplitude` is what each accounts for."""
    item = np.array(items_of(inputs.signal.channels.ids), np.int64)
    nothing = [np.empty(0, np.int64)]
    sample = np.concatenate([frames for frames, _, _ in events] or nothing)
    channel = np.concatenate([np.full(f.size, k, np.int64) for f, k, _ in events] or nothing)
    size = np.concatenate([sizes for _, _, sizes in events] or [np.empty(0, np.float32)])
    order = np.lexsort((channel, sample))
    columns = {
        "item": item[channel[order]],
        "sample": sample[order],
        "amplitude": size[order],
        "channel": channel[order],
    }
    provenance = Provenance(
        task="rates",
        source=inputs.recording.fingerprint,
        stream=inputs.stream,
        author=Author("model", method.name, method.version, weights),
        parameters=dict(parameters),
        seed=context.seed,
        packages=dict(method.packages()),
    )
    return LabelSet.build(Kind.EVENTS, columns, SPIKES, provenance)


def check_stream(signal: Signal) -> None:
    """Refuse what cannot be traces of calcium."""
    if not RATES_HZ[0] <= signal.rate_hz <= RATES_HZ[1]:
        raise BadMetadataError(
            f"a frame rate of {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz",
            f"{signal.rate_hz:g} Hz",
            "Check the frame rate of the recording; traces of voltage go to rates/voltage.",
        )
    longest = max((s.stop - s.start) / s.rate_hz for s in signal.clock.segments)
    if longest < SHORTEST_S:
        raise BadSamplesError(
            f"traces of {SHORTEST_S:g} s or more without a gap",
            f"{longest:.2f} s",
            "Give a longer recording.",
        )


def check_scale(signal: Signal, n: int = 2000) -> None:
    """Refuse raw fluorescence and percent, which dF/F as a fraction cannot be mistaken for."""
    first = signal.clock.segments[0]
    seen = signal.read(first.start, min(first.stop, first.start + n))
    columns = [column for column in seen.T if np.isfinite(column).any()]
    if not columns:
        return
    size = float(np.median([np.nanmedian(np.abs(column)) for column in columns]))
    level = float(np.median([noise_level(column, signal.rate_hz) for column in columns]))
    if size > NOT_DFF or level > TOO_NOISY:
        raise BadSamplesError(
            "dF/F as a fraction (1 = 100 %)",
            f"traces whose median size is {size:.3g} and noise level {level:.3g} % per sqrt(Hz)",
            "Compute dF/F first: task cells gives it, or (F - F0) / F0 of raw fluorescence; "
            "divide percent by 100.",
        )


def told_of(
    trace: Values, known: npt.NDArray[np.bool_], rate_hz: float, item: int, name: str
) -> list[Finding]:
    """What is wrong with a trace; an "error" leaves its rates open."""
    missing = 1 - float(known.mean())
    if missing > MISSING or trace.size < SHORTEST_S * rate_hz:
        return [_error("missing_frames", f"{name}: {missing:.0%} of {trace.size} frames are no "
                       "numbers; its rate is left open.", item, missing, MISSING)]  # fmt: skip
    found = []
    low, high = float(np.min(trace[known])), float(np.max(trace[known]))
    if high <= low:
        return [_error("constant_trace", f"{name} is constant; its rate is left open.",
                       item, high - low, 0.0)]  # fmt: skip
    if missing:
        found.append(Finding("missing_frames", "note", f"{name}: {missing:.1%} of its frames are "
                             "no numbers; they were bridged, and their rates are left open.",
                             item, missing, 0.0))  # fmt: skip
    if low < -1 - 5 * noise_level(trace[known], rate_hz) * np.sqrt(rate_hz) / 100:
        found.append(Finding("negative_fluorescence", "warning", f"{name} falls to a dF/F of "
                             f"{low:.2g}: fluorescence below zero, as after too large a neuropil "
                             "factor or offset; spikes at such times cannot be trusted.",
                             item, low, -1.0))  # fmt: skip
    return found


def doubted(why: str, item: int, name: str) -> Finding:
    """A trace unlike what the method was trained on."""
    sentence = f"{name} is unlike the traces of training: {why}. Its interval is withheld."
    return Finding("novelty", "note", sentence, item=item)


def _error(check: str, sentence: str, item: int, value: float, limit: float) -> Finding:
    return Finding(check, "error", sentence, item=item, value=value, limit=limit)


__all__ = ["HIGH", "LOW", "Inferred", "annotated", "items_of", "rates_signal"]
