"""Facts about sorted units that need no raw data: from spike trains and templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.spikes.acg import autocorrelogram
from nissl.annotators.spikes.metrics import amplitude_cutoffs, train_metrics
from nissl.annotators.spikes.units import SCHEMA, declared_units, medians
from nissl.clock import Clock
from nissl.labels import ItemTable, LabelSet

LONGEST_S = 1e6
"""Rates over time are not computed for what claims to be longer (a damaged time stamp)."""


@dataclass(frozen=True)
class Sorted:
    """What a folder of sorted spikes holds besides the spikes.

    Parameters
    ----------
    rate_hz : float
    n_samples : int
        Length of the recording, or the last spike's sample + 1 where it is not known.
    template : ndarray, shape (n_units, n_template_samples, n_channels), float32, optional
        NaN for units without one.
    template_unit : str
        "uV", or "a.u." where the folder's templates are scaled or whitened.
    amplitude_unit : str
    n_before : int, optional
        Samples before the peak in `template`.
    channel_ids : tuple of str
    position_um : ndarray, shape (n_channels, 2), micrometres, optional
    shank : ndarray, shape (n_channels,), optional
    columns : mapping of str to ndarray, each of shape (n_units,)
        Metrics that the folder gives, kept under their own names.
    context : mapping
        Further JSON facts.
    """

    rate_hz: float
    n_samples: int
    template: npt.NDArray[np.float32] | None = None
    template_unit: str = "uV"
    amplitude_unit: str = "uV"
    n_before: int | None = None
    channel_ids: tuple[str, ...] = ()
    position_um: npt.NDArray[np.float64] | None = None
    shank: npt.NDArray[Any] | None = None
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


def best_channels(template: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Channel of the largest absolute deflection of each template, -1 where all are NaN or 0.

    Parameters
    ----------
    template : ndarray, shape (n_units, n_samples, n_channels)

    Returns
    -------
    ndarray, shape (n_units,), int32
    """
    if 0 in template.shape:
        return np.full(template.shape[0], -1, np.int32)
    height = np.nan_to_num(np.abs(template), nan=0.0).max(axis=1)
    best: npt.NDArray[np.int32] = np.argmax(height, axis=1).astype(np.int32)
    best[height.max(axis=1) == 0] = -1
    return best


def item_table(labels: LabelSet, units: npt.NDArray[np.int64], sorted_: Sorted) -> ItemTable:
    """Item table of imported units, with the columns that the task "spikes" declares.

    Parameters
    ----------
    labels : LabelSet
        EVENTS, item = unit.
    units : ndarray, shape (n_units,), int64
        Increasing; units without spikes are allowed.
    sorted_ : Sorted

    Returns
    -------
    ItemTable
        What needs the raw data is NaN. Amplitudes in a sorter's own scale stand in the column
        `amplitude_median`, never in one that says uV.
    """
    index = np.searchsorted(units, labels.column("item")).astype(np.int64)
    count = np.bincount(index, minlength=units.size).astype(np.int64)
    amplitude = labels.column("amplitude")
    in_uv = sorted_.amplitude_unit == "uV"
    median = medians(amplitude, index, units.size)
    columns: dict[str, Any] = {
        "item": units.astype(np.int64),
        "n_spikes": count,
        "firing_rate_hz": count * sorted_.rate_hz / max(sorted_.n_samples, 1),
        "amplitude_median_uv": median if in_uv else np.full(units.size, np.nan),
        "amplitude_cutoff": _cutoffs(amplitude, index, units.size),
        **_places(units.size, sorted_),
        **_train_facts(labels.column("sample"), index, units.size, sorted_),
    }
    if not in_uv:
        columns["amplitude_median"] = median
    given = {name: values for name, values in sorted_.columns.items() if name not in columns}
    columns |= {c.name: np.full(units.size, np.nan) for c in SCHEMA if c.name not in columns}
    columns |= given
    arrays: dict[str, npt.NDArray[Any]] = {}
    if sorted_.template is not None:
        arrays["template"] = sorted_.template
    samples = labels.column("sample")
    arrays["acg"] = np.stack(
        [autocorrelogram(samples[index == k], sorted_.rate_hz) for k in range(units.size)]
    )
    units_of = {**declared_units(), "template": sorted_.template_unit}
    if not in_uv:
        units_of["amplitude_median"] = sorted_.amplitude_unit
    known = {k: v for k, v in units_of.items() if k in columns or k in arrays}
    return ItemTable(labels.digest, pa.table(columns), known, arrays, _context(sorted_))


def _train_facts(
    sample: npt.NDArray[np.int64], index: npt.NDArray[np.int64], n: int, sorted_: Sorted
) -> dict[str, npt.NDArray[np.float64]]:
    """Metrics of the trains; none where SpikeInterface is not installed."""
    if find_spec("spikeinterface") is None or sorted_.n_samples / sorted_.rate_hz > LONGEST_S:
        return {}
    clock = Clock.regular(sorted_.rate_hz, sorted_.n_samples)
    return train_metrics(sample, index, n, clock)


def _cutoffs(
    amplitude: npt.NDArray[np.float32], index: npt.NDArray[np.int64], n: int
) -> npt.NDArray[np.float64]:
    if find_spec("spikeinterface") is None or not np.all(np.isfinite(amplitude)):
        return np.full(n, np.nan)
    return amplitude_cutoffs(amplitude, index, n)


def _places(n_units: int, sorted_: Sorted) -> dict[str, npt.NDArray[Any]]:
    channel = np.full(n_units, -1, np.int32)
    if sorted_.template is not None:
        channel = best_channels(sorted_.template)
    out: dict[str, npt.NDArray[Any]] = {"channel": channel}
    known = channel >= 0
    for axis, name in enumerate(("x_um", "y_um")):
        values = np.full(n_units, np.nan)
        if sorted_.position_um is not None and sorted_.position_um.size:
            values[known] = sorted_.position_um[channel[known], axis]
        out[name] = values
    shank = np.zeros(n_units, np.int32)
    if sorted_.shank is not None and sorted_.shank.size:
        shank[known] = sorted_.shank[channel[known]]
    out["shank"] = shank
    return out


def _n_before(sorted_: Sorted) -> int | None:
    """Samples before the peak: as told, or the median place of the templates' own peaks."""
    if sorted_.n_before is not None or sorted_.template is None or 0 in sorted_.template.shape:
        return sorted_.n_before
    height = np.nan_to_num(np.abs(sorted_.template), nan=0.0).max(axis=2)
    known = height.max(axis=1) > 0
    return int(np.median(np.argmax(height[known], axis=1))) if known.any() else None


def _context(sorted_: Sorted) -> dict[str, Any]:
    context: dict[str, Any] = {
        "rate_hz": float(sorted_.rate_hz),
        "duration_s": sorted_.n_samples / sorted_.rate_hz,
        **sorted_.context,
    }
    n_before = _n_before(sorted_)
    if n_before is not None:
        context["n_before"] = n_before
    if sorted_.channel_ids:
        context["channel_ids"] = list(sorted_.channel_ids)
    if sorted_.position_um is not None:
        context["position_um"] = [
            [None if not np.isfinite(v) else float(v) for v in row] for row in sorted_.position_um
        ]
    if sorted_.shank is not None:
        context["shank"] = [int(s) for s in sorted_.shank]
    return context
