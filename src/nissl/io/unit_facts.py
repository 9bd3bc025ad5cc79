"""Facts about sorted units that need no raw data: from spike trains and templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.labels import ItemTable, LabelSet

REFRACTORY_S = 0.0015
PRESENCE_BIN_S = 60.0

UNITS = {
    "firing_rate_hz": "Hz",
    "isi_violations_ratio": "",
    "presence_ratio": "",
    "x_um": "um",
    "y_um": "um",
}


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
    """Item table of imported units.

    Parameters
    ----------
    labels : LabelSet
        EVENTS, item = unit.
    units : ndarray, shape (n_units,), int64
        Increasing; units without spikes are allowed.
    sorted_ : Sorted

    Notes
    -----
    `isi_violations_ratio` is the rate of intervals under 1.5 ms relative to the unit's rate
    (Hill, Mehta & Kleinfeld 2011, J Neurosci 31:8699); `presence_ratio` the share of minutes
    with at least one spike.
    """
    samples, item = labels.column("sample"), labels.column("item")
    order = np.argsort(item, kind="stable")
    starts = np.searchsorted(item[order], units, side="left")
    stops = np.searchsorted(item[order], units, side="right")
    trains = [samples[order[a:b]] for a, b in zip(starts, stops, strict=True)]
    columns: dict[str, Any] = {"item": units.astype(np.int64)}
    columns |= train_facts(trains, sorted_.rate_hz, sorted_.n_samples)
    amplitudes = labels.column("amplitude")[order]
    medians = [
        float(np.median(amplitudes[a:b])) if b > a else np.nan
        for a, b in zip(starts, stops, strict=True)
    ]
    name = "amplitude_median_uv" if sorted_.amplitude_unit == "uV" else "amplitude_median"
    columns[name] = np.asarray(medians, np.float64)
    columns |= _places(units.size, sorted_)
    columns |= {n: v for n, v in sorted_.columns.items() if n not in columns}
    arrays = {} if sorted_.template is None else {"template": sorted_.template}
    units_of = {k: v for k, v in UNITS.items() if k in columns}
    units_of[name] = sorted_.amplitude_unit
    if arrays:
        units_of["template"] = sorted_.template_unit
    return ItemTable(labels.digest, pa.table(columns), units_of, arrays, _context(sorted_))


def train_facts(
    trains: list[npt.NDArray[np.int64]], rate_hz: float, n_samples: int
) -> dict[str, npt.NDArray[Any]]:
    """Count, rate, refractory violations and presence of each train of samples."""
    duration_s = max(n_samples / rate_hz, 1.0 / rate_hz)
    count = np.asarray([t.size for t in trains], np.int64)
    close = np.asarray([int(np.sum(np.diff(t) < REFRACTORY_S * rate_hz)) for t in trains])
    rate = count / duration_s
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = close / (2 * count * REFRACTORY_S) / rate
    n_bins = max(int(duration_s // PRESENCE_BIN_S), 1)
    width = max(n_samples / n_bins, 1.0)
    present = [np.unique(np.minimum(t // width, n_bins - 1)).size / n_bins for t in trains]
    return {
        "n_spikes": count,
        "firing_rate_hz": rate,
        "isi_violations_ratio": np.where(count > 0, ratio, np.nan),
        "presence_ratio": np.asarray(present, np.float64),
    }


def _places(n_units: int, sorted_: Sorted) -> dict[str, npt.NDArray[Any]]:
    if sorted_.template is None:
        return {}
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
    context: dict[str, Any] = {"rate_hz": float(sorted_.rate_hz), **sorted_.context}
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
