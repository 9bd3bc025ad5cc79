"""`rates/voltage`: spikes and subthreshold voltage from traces of voltage imaging.

Traces are raw fluorescence or dF/F at 200 frames a second or more, one channel per ROI. Beside
the spikes (EVENTS, each with its confidence, `amplitude` its height in dF/F) two derived signals
come out, one channel per ROI: "rates", spikes/s smoothed over `SMOOTH_S` with every maximum
counting as much as it is probable, and "subthreshold", dF/F with depolarisation positive.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.traces import items_of, rates_signal
from nissl.annotators.rates.vocabulary import SPIKES
from nissl.annotators.rates.voltage import TOLD, Taken, polarity_of, take_apart
from nissl.data import Signal
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.run.memory import measure_peak
from nissl.tasks import Finding, Inputs, Promises, Result

POLARITIES = {"auto": 0, "brightens": 1, "darkens": -1}
WHOLE = Promises(chunked=False, deterministic=True, memory="measured")
SLOW_HZ = 400.0
"""Frames a second below which a spike may fall between frames."""
SHORTEST_S = 0.5
"""Shortest stretch that is looked at."""
FADED = 0.5
"""Part of fluorescence lost from which on bleaching is told."""
SMOOTH_S = 0.02
LEAST = 0.02
"""Least probability with which a maximum counts in the rate."""


@dataclass(frozen=True)
class VoltageMethod:
    """Spikes, rate and subthreshold voltage of every trace of a stream."""

    name: str = "rates/voltage"
    version: str = "1"
    promises: Promises = WHOLE

    def missing(self) -> Mapping[str, str]:
        """Nothing beside the core is needed."""
        return {}

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute."""
        return {name: version(name) for name in ("numpy", "scipy")}

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values.

        `polarity` is "brightens", "darkens" or "auto" (told from the data); `least` the least
        confidence of a spike; `smooth_hz` where subthreshold voltage is cut off.
        """
        return {"polarity": "auto", "least": 0.5, "smooth_hz": 50.0}

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Take every trace apart, gap by gap.

        Raises
        ------
        BadArgumentError
            A parameter outside its values.
        BadMetadataError
            A frame rate at which voltage spikes cannot be seen, or no stretch long enough.
        """
        began, signal = time.perf_counter(), inputs.signal
        _check(signal, parameters)
        with measure_peak() as peak:
            polarity, evidence = _polarity(signal, parameters["polarity"])
            done = _taken(signal, polarity, parameters, context)
        out = np.full((2, signal.n_samples, signal.n_channels), np.nan, np.float32)
        for start, k, taken in done:
            part = slice(start, start + taken.subthreshold.size)
            out[0, part, k] = _rate(taken, signal.rate_hz)
            out[1, part, k] = taken.subthreshold
        labels = _labels(self, done, inputs, parameters, context)
        rates = rates_signal(out[0][:, :, None], signal, "spikes/s")
        log = {
            "wall_s": time.perf_counter() - began,
            "peak_memory_bytes": peak.bytes,
            "polarity": polarity,
            "polarity_evidence": evidence,
            "cells": [_facts(start, signal.channels.ids[k], taken) for start, k, taken in done],
        }
        findings = _findings(signal, parameters["polarity"], evidence, done)
        return Result(
            (labels,), sources=(rates, _subthreshold(out[1], signal)), log=log, findings=findings
        )


Done = list[tuple[int, int, Taken]]
"""First sample, channel and result of every stretch of every trace."""


def _polarity(signal: Signal, wanted: str) -> tuple[int, float | None]:
    if POLARITIES[wanted]:
        return POLARITIES[wanted], None
    start, stop = max(_stretches(signal), key=lambda each: each[1] - each[0])
    traces = [signal.read(start, stop, [k])[:, 0] for k in range(signal.n_channels)]
    return polarity_of([x for x in traces if _usable(x)], signal.rate_hz)


def _taken(signal: Signal, polarity: int, parameters: Mapping[str, Any], context: Context) -> Done:
    progress, stage = context.progress, "look for spikes in voltage"
    progress.start(stage, float(signal.n_channels), "traces")
    done: Done = []
    try:
        for k in range(signal.n_channels):
            for start, stop in _stretches(signal):
                trace = signal.read(start, stop, [k])[:, 0]
                if _usable(trace):
                    smooth = parameters["smooth_hz"]
                    taken = take_apart(
                        trace, signal.rate_hz, polarity, least=LEAST, smooth_hz=smooth
                    )
                    done.append((start, k, taken))
            progress.advance(stage, 1.0)
    finally:
        progress.finish(stage)
    return done


def _stretches(signal: Signal) -> list[tuple[int, int]]:
    """Gapless intervals that are long enough."""
    return [
        (s.start, s.stop)
        for s in signal.clock.segments
        if s.stop - s.start >= SHORTEST_S * signal.rate_hz
    ]


def _usable(trace: npt.NDArray[np.float32]) -> bool:
    known = np.isfinite(trace)
    return bool(known.mean() > 0.5 and np.ptp(trace[known]) > 0)


def _rate(taken: Taken, rate_hz: float) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    n = taken.subthreshold.size
    expected = np.bincount(taken.frame, taken.confidence, n) * rate_hz
    out: npt.NDArray[np.float64] = gaussian_filter1d(expected, SMOOTH_S * rate_hz)
    return out


def _subthreshold(values: npt.NDArray[np.float32], signal: Signal) -> Signal:
    made = Signal.from_array(
        values,
        signal.rate_hz,
        name="subthreshold",
        channels=replace(signal.channels, kind="voltage"),
        clock=signal.clock,
    )
    return replace(made, metadata={"unit": "dF/F"})


def _labels(
    method: VoltageMethod,
    done: Done,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    context: Context,
) -> LabelSet:
    item = items_of(inputs.signal.channels.ids)
    columns: dict[str, list[npt.NDArray[Any]]] = {
        name: [np.empty(0, dtype)]
        for name, dtype in (("item", int), ("sample", int), ("channel", int),
                            ("amplitude", np.float32), ("confidence", np.float32))
    }  # fmt: skip
    for start, k, taken in done:
        kept = taken.confidence >= parameters["least"]
        n = int(kept.sum())
        columns["item"].append(np.full(n, item[k]))
        columns["sample"].append(taken.frame[kept] + start)
        columns["channel"].append(np.full(n, k))
        columns["amplitude"].append(taken.height[kept].astype(np.float32))
        columns["confidence"].append(taken.confidence[kept].astype(np.float32))
    rows = {name: np.concatenate(parts) for name, parts in columns.items()}
    order = np.lexsort((rows["channel"], rows["sample"]))
    provenance = Provenance(
        task="rates",
        source=inputs.recording.fingerprint,
        stream=inputs.stream,
        author=Author("model", method.name, method.version),
        parameters=dict(parameters),
        seed=context.seed,
        packages=dict(method.packages()),
    )
    sorted_rows = {name: values[order] for name, values in rows.items()}
    return LabelSet.build(Kind.EVENTS, sorted_rows, SPIKES, provenance)


def _facts(start: int, name: str, taken: Taken) -> dict[str, Any]:
    """What the log tells of a stretch of a trace."""
    return {
        "channel": name,
        "start": start,
        "n_frames": int(taken.subthreshold.size),
        "n_spikes": int((taken.confidence >= 0.5).sum()),
        "snr": None if np.isnan(taken.snr) else round(taken.snr, 2),
        "lost_to_bleaching": round(_lost(taken), 3),
    }


def _lost(taken: Taken) -> float:
    first, last = float(taken.baseline[0]), float(taken.baseline[-1])
    return 1 - last / first if first > 0 else 0.0


def _findings(
    signal: Signal, wanted: str, evidence: float | None, done: Done
) -> tuple[Finding, ...]:
    found = []
    items, ids = items_of(signal.channels.ids), signal.channels.ids
    if evidence is not None and evidence < TOLD:
        found.append(Finding(
            "polarity_unknown", "warning",
            "The traces do not tell whether spikes brighten or darken; the likelier was taken. "
            "State it: --set polarity=darkens.", value=evidence, limit=TOLD,
        ))  # fmt: skip
    if signal.rate_hz < SLOW_HZ:
        found.append(Finding(
            "slow_for_voltage", "warning",
            f"At {signal.rate_hz:g} frames a second spikes fall between frames: many are missed.",
            value=signal.rate_hz, limit=SLOW_HZ, unit="Hz",
        ))  # fmt: skip
    seen = {k for _, k, _ in done}
    for k in range(signal.n_channels):
        if k not in seen:
            found.append(Finding("no_trace", "error", f"{ids[k]} is constant or holds no numbers; "
                                 "nothing is said of it.", item=items[k]))  # fmt: skip
    for _, k, taken in done:
        if _lost(taken) > FADED:
            found.append(Finding(
                "bleached", "warning",
                f"{ids[k]} lost {_lost(taken):.0%} of its light: late spikes are harder to see.",
                item=items[k], value=_lost(taken), limit=FADED,
            ))  # fmt: skip
    return tuple(found)


def _check(signal: Signal, parameters: Mapping[str, Any]) -> None:
    from nissl.annotators.rates.bleaching import SLOWEST_HZ

    if parameters["polarity"] not in POLARITIES:
        raise BadArgumentError(
            f"a polarity among {sorted(POLARITIES)}", repr(parameters["polarity"]), "Choose one."
        )
    for name, low, high in (("least", LEAST, 1.0), ("smooth_hz", 0.1, 1e5)):
        value = parameters[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise BadArgumentError(
                f"a {name} between {low:g} and {high:g}", repr(value), f"--set {name}=0.5"
            )
    if signal.rate_hz < SLOWEST_HZ or not _stretches(signal):
        raise BadMetadataError(
            f"at least {SLOWEST_HZ:g} frames a second, and {SHORTEST_S:g} s of them in a row",
            f"{signal.duration_s:g} s at {signal.rate_hz:g} Hz",
            "Traces of calcium go to rates/nissl.",
        )


VOLTAGE = VoltageMethod()

__all__ = ["VOLTAGE", "VoltageMethod"]
