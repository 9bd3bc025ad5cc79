"""A recording teaches the sorter its units, for streams from the same probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.adapter import Shank, shanks_of
from nissl.annotators.spikes.detecting import require_spikes
from nissl.annotators.spikes.measuring import Located, Measured, locate, measure
from nissl.annotators.spikes.own.confidence.usual import Usual
from nissl.annotators.spikes.own.live.displacing import last_displacement
from nissl.annotators.spikes.own.live.taught import TaughtShank, TaughtSorter
from nissl.annotators.spikes.own.matching.devices import CPU, chosen
from nissl.annotators.spikes.own.method import VERSION
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.sorter import (
    Found,
    fit,
    found_of,
    matched_spikes,
    usual_of_all,
)
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.preprocess import apply_plan, make_plan, require_sortable
from nissl.annotators.spikes.proposal import join, on_peak
from nissl.annotators.spikes.sorting import Spikes, in_files
from nissl.data import Signal
from nissl.run.context import Context

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Sorted:
    shank: int
    spikes: Spikes
    front: Front
    templates: Templates
    found: Found
    usual: Usual


def teach(
    signal: Signal, source: str, parameters: Mapping[str, Any], context: Context
) -> TaughtSorter:
    """Sort a recording, and keep what the sorter then knows.

    Units are numbered as in the label set that the method gives of the same recording with the
    same parameters and seed.

    Parameters
    ----------
    signal : Signal
    source : str
        Fingerprint of the recording.
    parameters : mapping
        Those of the method, complete.
    context : Context

    Raises
    ------
    BadMetadataError, BadSamplesError
        A signal that cannot hold spikes, or holds none.
    BadArgumentError, MissingDependencyError
        A device that is not there.
    """
    require_sortable(signal)
    stream, signal = signal.name, in_files(signal, context.workdir / "samples")
    plan = make_plan(signal, {**parameters, "reference": "none"}, context.seed)
    require_spikes(apply_plan(signal, plan), signal.clock, context.seed)
    band = (float(parameters["freq_min_hz"]), float(parameters["freq_max_hz"]))
    device = chosen(str(parameters.get("device", CPU)))
    every = [_sorted(signal, each, band, context, device) for each in shanks_of(signal, plan)]
    done = [each for each in every if each is not None and each.found.sample.size]
    shanks: list[TaughtShank] = []
    if done:
        sample, unit, sure, shank, _ = join(done, signal.n_samples)
        located = locate(signal, plan, sample, unit, seed=context.seed, shank=shank)
        sample, unit, _ = on_peak(sample, unit, sure, located.shift, signal)
        measured = measure(signal, plan, sample, unit, located, context)
        first = 0
        for each in done:
            shanks.append(_shank(each, first, signal, unit, located, measured))
            first += each.found.template.size
    origin = {
        "source": source,
        "stream": stream,
        "n_samples": signal.n_samples,
        "seed": context.seed,
        "parameters": dict(parameters),
        "version": VERSION,
        "range_um": [_range_um(each.front) for each in done],
    }
    return TaughtSorter(signal.rate_hz, tuple(signal.channels.ids), tuple(shanks), origin)


def _range_um(front: Front) -> float:
    return 0.0 if front.rest is None else round(front.rest.motion.range_um, 1)


def _sorted(
    signal: Signal, shank: Shank, band: tuple[float, float], context: Context, device: str
) -> _Sorted | None:
    of = "" if shank.alone else f", shank {shank.number}"
    fitted = fit(signal, shank.columns, band, context, f"finding units{of}", device)
    if fitted.templates is None or not len(fitted.templates):
        return None
    placed = matched_spikes(signal, fitted, context, f"matching{of}")
    found = found_of(placed, fitted, signal)
    spikes = Spikes(found.sample, found.unit, 0.0, 0)
    usual = usual_of_all(placed, fitted, signal)
    return _Sorted(shank.number, spikes, fitted.front, fitted.templates, found, usual)


def _shank(
    done: _Sorted,
    first: int,
    signal: Signal,
    unit: Ints,
    located: Located,
    measured: Measured,
) -> TaughtShank:
    n = len(done.templates)
    number, channel = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    shift = np.zeros(n, np.int64)
    amplitude, position = np.full(n, np.nan, np.float32), np.full((n, 2), np.nan, np.float32)
    found = done.found
    for k in range(found.template.size):
        u = first + k
        own, given = measured.amplitude[unit == u], found.unit == k
        pieces = np.unique(found.piece[given])
        number[pieces], channel[pieces] = u, measured.best[u]
        shift[pieces] = located.shift[u]
        position[pieces, 0] = signal.channels.position_um[measured.best[u], 0]
        position[pieces, 1] = np.median(measured.y[unit == u])
        for piece in pieces.tolist():
            of = found.piece[given] == piece
            # of a spike as large as its template
            amplitude[piece] = np.median(own[of]) / np.median(found.amplitude[given][of])
    per_unit = number, shift, channel, amplitude, position
    place = np.asarray(signal.channels.position_um, np.float64)[list(done.front.columns), :2]
    moved = last_displacement(done.front, signal.n_samples)
    return TaughtShank(done.front, done.templates, *per_unit, done.usual, place, moved)


__all__ = ["teach"]
