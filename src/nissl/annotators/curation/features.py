"""What the quality of a unit is judged by: 23 features that need no raw data, and 5 for rules.

One table says for each feature its name and unit here, the words a reader understands, and the
column of UnitRefine's published metrics (Jain et al. 2025, UnitRefine) that holds the same
quantity, with the factor from that column's unit to ours. UnitRefine's columns are those of
SpikeInterface before version 0.103, whose definitions stand here.

Columns of UnitRefine without a counterpart: counts of spikes and violations (they grow with the
recording), principal-component metrics (they need the raw data), velocities (undefined for most
units), drift (estimated otherwise here, and undefined for most units there).

Missing is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.templates import (
    RULED_FEATURES,
    TEMPLATE_FEATURES,
    template_features,
)
from nissl.annotators.curation.trains import TRAIN_FEATURES, train_features
from nissl.labels import FeatureTable, ItemTable, LabelSet

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One feature and where it comes from.

    Parameters
    ----------
    name, unit : str
    says : str
        A sentence part for readers with a place for the value.
    unitrefine : str
        Column of UnitRefine's metrics; "" where they have none.
    factor : float
        From the unit of that column to ours.
    column : str
        Column of nissl's item table, "" where it is computed from trains or templates.
    """

    name: str
    unit: str
    says: str
    unitrefine: str
    factor: float = 1.0
    column: str = ""


def _kept(name: str, unit: str, says: str, unitrefine: str) -> Feature:
    return Feature(name, unit, says, unitrefine, column=name)


FEATURES = (
    _kept("firing_rate_hz", "Hz", "{:.3g} spikes a second", "firing_rate"),
    _kept("presence_ratio", "", "fires in {:.0%} of the minutes", "presence_ratio"),
    _kept("snr", "", "{:.3g} times the noise", "snr"),
    _kept(
        "isi_violations_ratio",
        "",
        "intervals under 1.5 ms at {:.2g} times its own rate",
        "isi_violations_ratio",
    ),
    _kept(
        "rp_contamination",
        "",
        "at most {:.0%} foreign spikes by the refractory period",
        "sliding_rp_violation",
    ),
    Feature(
        "foreign_fraction",
        "",
        "{:.0%} foreign spikes estimated from intervals under 1 ms",
        "rp_contamination",
    ),
    Feature(
        "amplitude_uv",
        "uV",
        "{:.3g} uV median amplitude",
        "amplitude_median",
        column="amplitude_median_uv",
    ),
    _kept("amplitude_cutoff", "", "{:.1%} of spikes below the detection limit", "amplitude_cutoff"),
    Feature("amplitude_cv", "", "amplitudes vary by {:.0%}", "amplitude_cv_median"),
    Feature(
        "amplitude_cv_range",
        "",
        "that variation itself ranges over {:.0%}",
        "amplitude_cv_range",
    ),
    Feature("sync_2", "", "{:.2%} of spikes coincide with another unit's", "sync_spike_2"),
    Feature("sync_4", "", "{:.2%} of spikes coincide with 3 other units", "sync_spike_4"),
    Feature("sync_8", "", "{:.2%} of spikes coincide with 7 other units", "sync_spike_8"),
    _kept("firing_range_hz", "Hz", "its rate ranges over {:.3g} Hz", "firing_range"),
    Feature(
        "trough_to_peak_ms", "ms", "{:.2f} ms from trough to peak", "peak_to_valley", factor=1e3
    ),
    Feature("half_width_ms", "ms", "trough {:.2f} ms wide at half depth", "half_width", factor=1e3),
    Feature(
        "peak_trough_ratio",
        "",
        "peak after the trough {:.2f} times the trough",
        "peak_trough_ratio",
    ),
    Feature(
        "repolarization_uv_per_ms",
        "uV/ms",
        "returns from the trough at {:.3g} uV/ms",
        "repolarization_slope",
        factor=1e-3,
    ),
    Feature(
        "recovery_uv_per_ms",
        "uV/ms",
        "recovers after the peak at {:.3g} uV/ms",
        "recovery_slope",
        factor=1e-3,
    ),
    Feature("positive_peaks", "", "{:.0f} positive peaks", "num_positive_peaks"),
    Feature("negative_peaks", "", "{:.0f} negative peaks", "num_negative_peaks"),
    Feature("spread_um", "um", "seen over {:.0f} um of the probe", "spread"),
    Feature("decay_per_um", "1/um", "falls off with distance by {:.2g} per um", "exp_decay"),
)
NAMES = tuple(feature.name for feature in FEATURES)

RULED = (
    Feature("largest_peak_ratio", "", "goes up {:.2f} times as far as down", ""),
    Feature("early_peak_ratio", "", "peak before the trough {:.2f} times the trough", ""),
    Feature("early_late_ratio", "", "peak before the trough {:.2f} times that after it", ""),
    Feature("early_peak_ms", "ms", "peak before the trough {:.2f} ms wide", ""),
    Feature("baseline_ratio", "", "baseline up to {:.2f} of the waveform", ""),
)
"""Features that rules read and no model learns from: published metrics with votes lack them."""
ALL = (*FEATURES, *RULED)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "amplitudes": ("snr", "amplitude_uv", "repolarization_uv_per_ms", "recovery_uv_per_ms"),
    "spread of amplitudes": ("amplitude_cutoff", "amplitude_cv", "amplitude_cv_range"),
    "synchrony": ("sync_2", "sync_4", "sync_8"),
    "refractory period": ("isi_violations_ratio", "rp_contamination", "foreign_fraction"),
    "space": ("spread_um", "decay_per_um"),
    "waveform": (
        "trough_to_peak_ms",
        "half_width_ms",
        "peak_trough_ratio",
        "positive_peaks",
        "negative_peaks",
    ),
    "rate": ("firing_rate_hz", "presence_ratio", "firing_range_hz"),
}
"""Features that another pipeline has or lacks together."""

MIXED: Mapping[str, int] = {
    "snr": -1,
    "amplitude_uv": -1,
    "presence_ratio": -1,
    "isi_violations_ratio": 1,
    "rp_contamination": 1,
    "foreign_fraction": 1,
    "amplitude_cutoff": 1,
}
"""Whether more of a feature may only speak for (1) or only against (-1) a mixture of neurons."""


def featurise(
    labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
) -> FeatureTable:
    """Features of the units of a sorting.

    Parameters
    ----------
    labels : LabelSet
        EVENTS of the task "spikes".
    items : ItemTable, optional
        Facts about its units; units that it lacks get NaN where only it could tell.
    subject, session : str

    Returns
    -------
    FeatureTable
        One row per unit, in the order of `labels.items`; columns as `ALL`.
    """
    context = {} if items is None else dict(items.context)
    found = {
        **_from_table(labels.items, items),
        **train_features(labels, context),
        **_from_templates(labels.items, items),
    }
    found["amplitude_uv"] = np.abs(found["amplitude_uv"])
    names = tuple(feature.name for feature in ALL)
    values = np.stack([found[name] for name in names], axis=1)
    values[~np.isfinite(values)] = np.nan
    n = labels.items.size
    return FeatureTable(
        items=labels.items,
        names=names,
        values=values,
        units=tuple(feature.unit for feature in ALL),
        subject=(subject,) * n,
        session=(session,) * n,
    )


def _from_table(units: npt.NDArray[np.int64], items: ItemTable | None) -> dict[str, Values]:
    out = {f.name: np.full(units.size, np.nan) for f in FEATURES if f.column}
    if items is None:
        return out
    rows, known = _rows(units, items)
    for feature in FEATURES:
        if feature.column in items.table.column_names:
            column = items.table.column(feature.column).to_numpy().astype(np.float64)
            out[feature.name][known] = column[rows[known]]
    return out


def _from_templates(units: npt.NDArray[np.int64], items: ItemTable | None) -> dict[str, Values]:
    names = (*TEMPLATE_FEATURES, *RULED_FEATURES)
    out = {name: np.full(units.size, np.nan) for name in names}
    if items is None or "template" not in items.arrays:
        return out
    rows, known = _rows(units, items)
    computed = template_features(
        items.arrays["template"][rows[known]],
        float(items.context["rate_hz"]),
        position_um=_positions(items),
        in_uv=items.units.get("template", "") == "uV",
    )
    for name, values in computed.items():
        out[name][known] = values
    return out


def _rows(
    units: npt.NDArray[np.int64], items: ItemTable
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Row of each unit in the item table, and whether it has one."""
    rows = np.searchsorted(items.items, units)
    known = np.isin(units, items.items)
    return np.where(known, rows, 0), known


def _positions(items: ItemTable) -> Values | None:
    given = items.context.get("position_um")
    if not given:
        return None
    position = np.asarray([[np.nan if v is None else v for v in row] for row in given], np.float64)
    return position if np.all(np.isfinite(position)) else None


__all__ = [
    "ALL",
    "FEATURES",
    "GROUPS",
    "MIXED",
    "NAMES",
    "RULED",
    "TRAIN_FEATURES",
    "Feature",
    "featurise",
]
