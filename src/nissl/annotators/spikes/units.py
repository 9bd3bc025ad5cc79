"""The item table of sorted units: its schema, how it is made, and how an edit changes it."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.spikes import metrics
from nissl.annotators.spikes.acg import HALF_MS, autocorrelogram
from nissl.annotators.spikes.measuring import NEAR_UM, Measured, locate, measure
from nissl.annotators.spikes.preprocess import make_plan
from nissl.annotators.spikes.sorting import UnitFacts
from nissl.data import Signal
from nissl.labels import ItemTable, LabelSet
from nissl.run.context import Context
from nissl.tasks import Inputs

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One declared column of the item table."""

    name: str
    unit: str
    text: str
    dtype: str = "float64"


SCHEMA = (
    Column("item", "", "The unit's id.", "int64"),
    Column("n_spikes", "", "Number of spikes.", "int64"),
    Column("channel", "", "Index of the channel on which the mean spike is largest.", "int32"),
    Column("x_um", "um", "Position across the probe (centre of mass of the template)."),
    Column("y_um", "um", "Position along the probe (centre of mass of the template)."),
    Column("shank", "", "Shank of the best channel.", "int32"),
    Column("firing_rate_hz", "Hz", "Spikes per second of recording."),
    Column("amplitude_median_uv", "uV", "Median signed peak on the best channel."),
    Column("snr", "", "Peak of the mean spike over the noise of the best channel."),
    Column("isi_violations_ratio", "", "Rate of intervals below 1.5 ms over the unit's rate."),
    Column("rp_contamination", "", "Least contamination that a sliding refractory period allows."),
    Column("presence_ratio", "", "Fraction of the recording in which the unit fires."),
    Column("amplitude_cutoff", "", "Estimated fraction of spikes too small to be detected."),
    Column("drift_um", "um", "Movement along the probe over the recording, peak to peak."),
    Column("nn_isolation", "", "Nearest-neighbour isolation from the closest unit."),
    Column("firing_range_hz", "Hz", "95th minus 5th percentile of the rate over time."),
    Column("sync_8", "", "Fraction of spikes at the very sample of 7 or more other units."),
    Column("expected_false_positives", "", "Expected fraction of spikes that are not its own."),
    Column("expected_false_negatives", "", "Expected fraction of its own spikes that are missing."),
    Column("split_probability", "", "Probability that it holds two neurons, as the sorter tells."),
)
ARRAY_UNITS = {"template": "uV", "acg": "Hz"}


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts about the units of a label set, measured on the recording.

    Parameters
    ----------
    labels : LabelSet
        EVENTS of the task "spikes".
    inputs : Inputs
    context : Context

    Returns
    -------
    ItemTable
        Columns of `SCHEMA`; arrays "template" (n_items, n_samples, n_channels) float32, uV and
        "acg" (n_items, 101) float32, Hz, in 1-ms bins.
    """
    signal = inputs.signal
    items, unit = np.unique(labels.column("item"), return_inverse=True)
    sample = labels.column("sample").astype(np.int64)
    plan = make_plan(signal, labels.provenance.parameters, context.seed)
    if not items.size:
        return empty_table(labels.digest, signal)
    unit = unit.astype(np.int64)
    located = locate(signal, plan, sample, unit, seed=context.seed)
    measured = measure(signal, plan, sample, unit, located, context)
    return table_of(labels, measured, signal)


def table_of(
    labels: LabelSet, measured: Measured, signal: Signal, facts: UnitFacts | None = None
) -> ItemTable:
    """Item table of label set and measurement; rows of both are in the same order.

    Parameters
    ----------
    labels : LabelSet
    measured : Measured
    signal : Signal
    facts : UnitFacts, optional
        What the sorter says of the units.
    """
    items, unit = np.unique(labels.column("item"), return_inverse=True)
    unit = unit.astype(np.int64)
    sample = labels.column("sample").astype(np.int64)
    n = items.size
    facts = facts or UnitFacts.unknown(n)
    counts = np.bincount(unit, minlength=n)
    at_peak = measured.template[np.arange(n), measured.n_before, measured.best]
    place = positions(measured, signal)
    columns: dict[str, npt.NDArray[Any]] = {
        "item": items,
        "n_spikes": counts,
        "channel": measured.best,
        "x_um": place[:, 0],
        "y_um": place[:, 1],
        "shank": signal.channels.shank[measured.best],
        "firing_rate_hz": counts / signal.duration_s,
        "amplitude_median_uv": medians(measured.amplitude, unit, n),
        "snr": np.abs(at_peak) / measured.noise[measured.best],
        "amplitude_cutoff": metrics.amplitude_cutoffs(measured.amplitude, unit, n),
        "drift_um": metrics.drift_um(measured.y, sample, unit, n),
        "nn_isolation": metrics.isolation(measured, n),
        **metrics.train_metrics(sample, unit, n, signal.clock),
        "expected_false_positives": metrics.false_positives(labels.column("confidence"), unit, n),
        "expected_false_negatives": facts.missed,
        "split_probability": facts.split,
    }
    acg = np.stack([autocorrelogram(sample[unit == k], signal.rate_hz) for k in range(n)])
    return ItemTable(
        of=labels.digest,
        table=to_arrow(columns),
        units=declared_units(),
        arrays={"template": measured.template, "acg": acg},
        context=_context(signal, measured.n_before, measured.noise)
        | ({"apart": [list(pair) for pair in facts.apart]} if facts.apart else {}),
    )


def apart_of(items: ItemTable) -> dict[tuple[int, int], float]:
    """Log likelihood ratio of two neurons over one, of pairs that the sorter looked at."""
    return {(int(a), int(b)): float(told) for a, b, told in items.context.get("apart", ())}


def without_pairs(context: Mapping[str, Any], changed: Container[int]) -> dict[str, Any]:
    """Context of an item table of which some units are no longer what the sorter looked at."""
    kept = [p for p in context.get("apart", ()) if p[0] not in changed and p[1] not in changed]
    return {**context, "apart": kept} if "apart" in context else dict(context)


def empty_table(of: str, signal: Signal) -> ItemTable:
    """Table without units."""
    return ItemTable(
        of=of,
        table=to_arrow({column.name: np.empty(0) for column in SCHEMA}),
        units=declared_units(),
        arrays={
            "template": np.empty((0, 0, signal.n_channels), np.float32),
            "acg": np.empty((0, 2 * HALF_MS + 1), np.float32),
        },
        context=_context(signal, 0, np.full(signal.n_channels, np.nan)),
    )


def positions(measured: Measured, signal: Signal) -> Values:
    """Centre of mass of each template's peak-to-peak amplitudes near its best channel.

    Returns
    -------
    ndarray, shape (n_units, 2), float64, um
        NaN where positions are unknown.
    """
    channels = signal.channels
    out = np.full((len(measured.best), 2), np.nan)
    for k, best in enumerate(measured.best.tolist()):
        out[k] = centre_of_mass(measured.template[k], best, channels.position_um, channels.shank)
    return out


def centre_of_mass(
    template: npt.NDArray[np.float32],
    best: int,
    position_um: Values,
    shank: npt.NDArray[Any],
) -> Values:
    """Centre of mass of one template's peak-to-peak amplitudes near its best channel.

    Parameters
    ----------
    template : ndarray, shape (n_samples, n_channels), uV
    best : int
    position_um : ndarray, shape (n_channels, 2), micrometres
    shank : ndarray, shape (n_channels,)

    Returns
    -------
    ndarray, shape (2,), float64, um
        NaN where positions are unknown.
    """
    distance = np.linalg.norm(position_um - position_um[best], axis=1)
    size = np.ptp(template, axis=0).astype(np.float64)
    near = (distance <= NEAR_UM) & (shank == shank[best]) & np.isfinite(size)
    if not np.any(near) or not size[near].sum() > 0:
        return np.full(2, np.nan)
    return np.asarray(np.average(position_um[near], axis=0, weights=size[near]))


def medians(values: npt.NDArray[np.float32], unit: Ints, n_units: int) -> Values:
    """Median of each unit's values, shape (n_units,)."""
    order = np.argsort(unit, kind="stable")
    parts = np.split(values[order], np.cumsum(np.bincount(unit, minlength=n_units))[:-1])
    return np.asarray([float(np.median(p)) if p.size else np.nan for p in parts])


def to_arrow(columns: dict[str, npt.NDArray[Any]]) -> pa.Table:
    """Columns in the order and types of the schema."""
    return pa.table({c.name: pa.array(np.asarray(columns[c.name]).astype(c.dtype)) for c in SCHEMA})


def declared_units() -> dict[str, str]:
    """Unit of every column and array."""
    return {column.name: column.unit for column in SCHEMA} | ARRAY_UNITS


def _context(signal: Signal, n_before: int, noise: Values) -> dict[str, Any]:
    def plain(values: Values) -> list[Any]:
        return [None if np.isnan(v) else float(v) for v in values]

    return {
        "rate_hz": signal.rate_hz,
        "n_before": n_before,
        "duration_s": signal.duration_s,
        "channel_ids": list(signal.channels.ids),
        "position_um": [plain(row) for row in signal.channels.position_um],
        "shank": signal.channels.shank.tolist(),
        "noise_uv": plain(noise),
        "columns": {column.name: column.text for column in SCHEMA},
    }
