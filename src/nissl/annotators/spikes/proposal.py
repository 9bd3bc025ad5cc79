"""From what a sorter found on each shank to a label set with its item table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.measuring import locate, measure
from nissl.annotators.spikes.preprocess import Plan
from nissl.annotators.spikes.sorting import Spikes, UnitFacts
from nissl.annotators.spikes.units import empty_table, table_of
from nissl.data import Signal
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Annotator, Inputs, Result

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float32]
VOCABULARY = ("unit",)


class ShankSpikes(Protocol):
    """Anything that holds the spikes of a shank."""

    @property
    def shank(self) -> int:
        """Number of the shank."""

    @property
    def spikes(self) -> Spikes:
        """What the sorter found."""


def propose(
    method: Annotator,
    inputs: Inputs,
    parameters: Mapping[str, Any],
    context: Context,
    plan: Plan,
    shanks: Sequence[ShankSpikes],
) -> Result:
    """Join the shanks' units, put every spike on its peak, and measure.

    Returns
    -------
    Result
        EVENTS with one item per unit, numbered 0 to n - 1 in the order of shanks; `confidence`
        is NaN where the sorter has none; `x_um` and `y_um` are there where the probe's geometry
        is known. Its item table stands beside it. No units give an
        empty set.
    """
    signal = inputs.signal
    provenance = Provenance(
        task="spikes",
        source=inputs.recording.fingerprint,
        author=Author("model", method.name, method.version),
        stream=inputs.stream,
        parameters=dict(parameters),
        seed=context.seed,
        packages=dict(method.packages()),
    )
    sample, unit, sure, shank, facts = join(shanks, signal.n_samples)
    if not sample.size:
        nothing = np.empty(0, np.float32)
        labels = events(sample, unit, sure, nothing, unit, nothing.reshape(0, 2), provenance)
        return Result((labels,), (empty_table(labels.digest, signal),))
    located = locate(signal, plan, sample, unit, seed=context.seed, shank=shank)
    sample, unit, sure = on_peak(sample, unit, sure, located.shift, signal)
    measured = measure(signal, plan, sample, unit, located, context)
    channel = measured.best[unit]
    place = measured.place if signal.channels.has_geometry else None
    labels = events(sample, unit, sure, measured.amplitude, channel, place, provenance)
    return Result((labels,), (table_of(labels, measured, signal, facts),))


def join(found: Sequence[ShankSpikes], n_samples: int) -> tuple[Ints, Ints, Reals, Ints, UnitFacts]:
    """Spikes of all shanks in order of samples, and the shank of each unit.

    Returns
    -------
    sample, unit : ndarray, shape (n_spikes,), int64
        Units 0 to n - 1, none empty.
    confidence : ndarray, shape (n_spikes,), float32
        NaN where the sorter has none.
    shank : ndarray, shape (n_units,), int64
    facts : UnitFacts
    """
    samples, units, sure, shanks = [], [], [], np.empty(0, np.int64)
    facts = UnitFacts.unknown(0)
    for each in found:
        spikes = each.spikes
        inside = (spikes.sample >= 0) & (spikes.sample < n_samples)
        names, number = np.unique(spikes.unit[inside], return_inverse=True)
        samples.append(spikes.sample[inside])
        given = spikes.confidence
        sure.append(np.full(number.size, np.nan, np.float32) if given is None else given[inside])
        units.append(number.astype(np.int64) + shanks.size)
        told = spikes.facts
        facts += UnitFacts.unknown(names.size) if told is None else told.of(names, shanks.size)
        shanks = np.concatenate([shanks, np.full(names.size, each.shank, np.int64)])
    sample, unit = np.concatenate(samples), np.concatenate(units)
    order = in_order(sample, unit)
    return sample[order], unit[order], np.concatenate(sure)[order], shanks, facts


def on_peak(
    sample: Ints, unit: Ints, confidence: Reals, shift: Ints, signal: Signal
) -> tuple[Ints, Ints, Reals]:
    """Move each unit's spikes onto the peak of its mean waveform, none across a gap."""
    starts = np.asarray([s.start for s in signal.clock.segments])
    stops = np.asarray([s.stop for s in signal.clock.segments])
    segment = np.searchsorted(starts, sample, side="right") - 1
    moved = np.clip(sample + shift[unit], starts[segment], stops[segment] - 1)
    order = in_order(moved, unit)
    return moved[order], unit[order], confidence[order]


def in_order(sample: Ints, unit: Ints) -> Ints:
    """Order by sample, ties by unit."""
    return np.asarray(np.lexsort((unit, sample)), dtype=np.int64)


def events(
    sample: Ints,
    unit: Ints,
    confidence: Reals,
    amplitude: Reals,
    channel: Ints,
    place: Reals | None,
    provenance: Provenance,
) -> LabelSet:
    """Spikes as a label set; without a `place` (n, 2) it has no positions."""
    columns = {
        "item": unit,
        "sample": sample,
        "confidence": confidence,
        "amplitude": amplitude,
        "channel": channel,
    }
    if place is not None:
        columns |= {"x_um": place[:, 0], "y_um": place[:, 1]}
    return LabelSet.build(Kind.EVENTS, columns, VOCABULARY, provenance)
