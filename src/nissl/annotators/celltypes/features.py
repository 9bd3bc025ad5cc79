"""What the kind of a neuron is told by: named scalars, and arrays on the axes of `axes`.

Nothing here needs raw data: spike times, the mean waveform and the place of the unit suffice,
and any of them may be missing. A feature that cannot be computed is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes import trains, waveforms
from nissl.annotators.celltypes.acg3d import acg3, deciles
from nissl.annotators.celltypes.acg_fit import FIT_FEATURES, fit_acgs
from nissl.annotators.celltypes.axes import ACG, ACG3, ISI, WAVE
from nissl.annotators.celltypes.lags import N_NARROW, Lags, count_lags
from nissl.annotators.celltypes.layers import layer_code
from nissl.annotators.celltypes.unit import Unit
from nissl.errors import BadArgumentError
from nissl.labels import FeatureTable, ItemTable, LabelSet

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Feature:
    """One scalar feature.

    Parameters
    ----------
    name, unit : str
    says : str
        A sentence part for readers with a place for the value.
    source : str
        Where its definition is from; the definition itself is in the notes of the function
        that computes it.
    """

    name: str
    unit: str
    says: str
    source: str


_PETERSEN = "Petersen et al. 2021, Neuron 109:3594-3608 (CellExplorer)"
_JIA = "Jia et al. 2019, J Neurophysiol 121:1831-1847"
_SPIKEINTERFACE = "SpikeInterface, template metrics"

SCALARS = (
    Feature("polarity", "", "balance of upward and downward deflection {:+.2f}", "this library"),
    Feature("trough_to_peak_ms", "ms", "{:.2f} ms from trough to peak", _PETERSEN),
    Feature(
        "trough_to_peak_derivative_ms",
        "ms",
        "{:.2f} ms from its steepest fall to its steepest rise",
        _PETERSEN,
    ),
    Feature("half_width_ms", "ms", "trough {:.2f} ms wide at half depth", _SPIKEINTERFACE),
    Feature(
        "peak_trough_ratio", "", "peak after the trough {:.2f} times the trough", _SPIKEINTERFACE
    ),
    Feature("ab_ratio", "", "asymmetry {:+.2f} of the peaks around the trough", _PETERSEN),
    Feature("repolarization_per_ms", "1/ms", "returns from the trough at {:.2f} sizes a ms", _JIA),
    Feature("recovery_per_ms", "1/ms", "changes after the peak by {:.2f} sizes a ms", _JIA),
    Feature("positive_peaks", "", "{:.0f} positive peaks", _SPIKEINTERFACE),
    Feature("negative_peaks", "", "{:.0f} negative peaks", _SPIKEINTERFACE),
    Feature("spread_um", "um", "seen over {:.0f} um of the probe", _JIA),
    Feature("decay_per_um", "1/um", "falls off with distance by {:.2g} per um", _SPIKEINTERFACE),
    Feature("velocity_above_s_per_m", "s/m", "travels up the probe in {:.2g} s per m", _JIA),
    Feature("velocity_below_s_per_m", "s/m", "travels down the probe in {:.2g} s per m", _JIA),
    Feature("firing_rate_hz", "Hz", "{:.3g} spikes a second", "spikes over the duration"),
    Feature("log_n_spikes", "", "10 to the {:.1f} spikes", "log10 of their number"),
    Feature("cv", "", "intervals vary by {:.2f} of their mean", "sd over mean of intervals"),
    Feature(
        "cv2",
        "",
        "neighbouring intervals differ by {:.2f} (CV2)",
        "Holt et al. 1996, J Neurophysiol 75:1806-1814",
    ),
    Feature("lv", "", "local variation {:.2f}", "Shinomoto et al. 2003, Neural Comput 15:2823"),
    Feature(
        "lvr",
        "",
        "local variation {:.2f} beyond its refractory period",
        "Shinomoto et al. 2009, PLoS Comput Biol 5:e1000433",
    ),
    Feature("isi_mode_ms", "ms", "most often {:.3g} ms between spikes", "mode on a log axis"),
    Feature("isi_median_ms", "ms", "half of the intervals under {:.3g} ms", "median interval"),
    Feature(
        "burst_mizuseki",
        "",
        "{:.0%} of spikes within 6 ms of another",
        "Mizuseki et al. 2012, Hippocampus 22:1659-1680",
    ),
    Feature("rate_instability", "", "rate drifts by {:.0%} every 3 minutes", _PETERSEN),
    Feature(
        "burst_royer",
        "",
        "{:.2g} times as many spikes 3-5 ms after one as 200-300 ms",
        "Royer et al. 2012, Nat Neurosci 15:769-775",
    ),
    Feature("burst_doublets", "", "doublets {:.2g} times the spikes just later", _PETERSEN),
    Feature(
        "theta_modulation",
        "",
        "theta modulation {:+.2f}",
        "Cacucci et al. 2004, J Neurosci 24:8265-8277",
    ),
    Feature(
        "refractory_ms",
        "ms",
        "silent for {:.1f} ms after a spike",
        "Royer et al. 2012, Nat Neurosci 15:769-775",
    ),
    Feature("acg_tau_decay_ms", "ms", "autocorrelogram decays in {:.3g} ms", _PETERSEN),
    Feature("acg_tau_rise_ms", "ms", "autocorrelogram rises in {:.2g} ms", _PETERSEN),
    Feature("acg_tau_burst_ms", "ms", "bursts decay in {:.2g} ms", _PETERSEN),
    Feature("acg_c", "", "decaying part {:.2g} times the mean rate", _PETERSEN),
    Feature("acg_d", "", "rising part {:.2g} times the mean rate", _PETERSEN),
    Feature("acg_h", "", "bursts {:.2g} times the mean rate", _PETERSEN),
    Feature("acg_asymptote", "", "levels off at {:.2g} times the mean rate", _PETERSEN),
    Feature("acg_refractory_ms", "ms", "half recovered {:.1f} ms after a spike", _PETERSEN),
    Feature(
        "n_excites",
        "",
        "seems to excite {:.0f} other units",
        "Stark and Abeles 2009, J Neurosci Methods 179:90-100",
    ),
    Feature(
        "n_inhibits",
        "",
        "seems to inhibit {:.0f} other units",
        "Stark and Abeles 2009, J Neurosci Methods 179:90-100",
    ),
    Feature("depth_um", "um", "{:.0f} um deep", "below the recording's reference"),
    Feature("layer", "", "in layer {:.1f}", "ordinal from the surface, see `layers`"),
)
SCALAR_NAMES = tuple(feature.name for feature in SCALARS)
NAMES = (*SCALAR_NAMES, *WAVE, *ACG, *ISI, *ACG3)
UNITS = (*(feature.unit for feature in SCALARS), *[""] * (len(NAMES) - len(SCALARS)))
_WIDTHS = (len(SCALARS), len(WAVE), len(ACG), len(ISI), len(ACG3))
_START = dict(zip(("scalar", "wave", "acg", "isi", "acg3"), np.cumsum((0, *_WIDTHS)), strict=False))


def featurise(
    labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
) -> FeatureTable:
    """Features of the units of a sorting.

    Parameters
    ----------
    labels : LabelSet
        EVENTS of the task "spikes".
    items : ItemTable, optional
        Facts about its units: array "template", columns "depth_um" and "layer" where there are
        any; context `rate_hz` (without it spike times are not known in seconds), `duration_s`,
        `position_um`, and `surface_y_um`, the height on the probe from which depth counts.
    subject, session : str

    Returns
    -------
    FeatureTable
        One row per unit, in the order of `labels.items`; columns as `NAMES`.
    """
    return featurise_units(
        units_of(labels, items), items=labels.items, subject=subject, session=session
    )


def featurise_units(
    units: Sequence[Unit],
    *,
    items: npt.NDArray[np.int64] | None = None,
    outgoing: Values | None = None,
    subject: str | Sequence[str] = "",
    session: str | Sequence[str] = "",
) -> FeatureTable:
    """Features of units given as bare arrays.

    Parameters
    ----------
    units : sequence of Unit
    items : ndarray, shape (n_units,), int64, optional
        Their ids; 0, 1, .. without.
    outgoing : ndarray, shape (n_units, 2), float64, optional
        How many others each seems to excite and to inhibit, as `connections.outgoing` counts
        them; without it those features are NaN.
    subject, session : str or sequence of str
        One for all, or one per unit.

    Returns
    -------
    FeatureTable
        Columns as `NAMES`.
    """
    n = len(units)
    values = np.full((n, len(NAMES)), np.nan)
    narrow = np.full((n, N_NARROW), np.nan)
    for unit, row in zip(units, values, strict=True):  # kind by kind is faster than unit by unit
        _write(row, _wave_part(unit, row) | _place_part(unit))
    for unit, row, own in zip(units, values, narrow, strict=True):
        _write(row, _train_part(unit, row, own))
    fit = [SCALAR_NAMES.index(name) for name in FIT_FEATURES]
    values[:, fit] = fit_acgs(narrow, values[:, SCALAR_NAMES.index("firing_rate_hz")])
    if outgoing is not None:
        values[:, [SCALAR_NAMES.index(name) for name in ("n_excites", "n_inhibits")]] = outgoing
    values[~np.isfinite(values)] = np.nan
    return FeatureTable(
        items=np.arange(n, dtype=np.int64) if items is None else np.asarray(items, np.int64),
        names=NAMES,
        values=values,
        units=UNITS,
        subject=_each(subject, n, "subject"),
        session=_each(session, n, "session"),
    )


def units_of(labels: LabelSet, items: ItemTable | None) -> list[Unit]:
    """Units of a sorting as bare arrays, in the order of `labels.items`; see `featurise`."""
    context: Mapping[str, Any] = {} if items is None else dict(items.context)
    rate_hz, duration_s = context.get("rate_hz"), context.get("duration_s")
    unit = np.searchsorted(labels.items, labels.column("item"))
    order = np.argsort(unit, kind="stable")
    sample = labels.column("sample").astype(np.int64)[order]
    edges = np.cumsum(np.bincount(unit, minlength=labels.items.size))[:-1]
    position = _positions(context)
    out = []
    for item, own in zip(labels.items.tolist(), np.split(sample, edges), strict=True):
        facts = _facts(items, item, context)
        waveform = facts.pop("waveform", None) if rate_hz else None
        out.append(
            Unit(
                spikes_s=np.sort(own) / float(rate_hz) if rate_hz else None,
                duration_s=float(duration_s) if duration_s else None,
                waveform=waveform,
                rate_hz=float(rate_hz) if rate_hz else None,
                position_um=position if waveform is not None else None,
                in_uv=items is not None and items.units.get("template", "") == "uV",
                depth_um=facts.get("depth_um"),
                layer=facts.get("layer", ""),
            )
        )
    return out


def _facts(items: ItemTable | None, item: int, context: Mapping[str, Any]) -> dict[str, Any]:
    """Waveform, depth and layer of one unit, as far as the item table has them."""
    out: dict[str, Any] = {}
    if items is None or not np.isin(item, items.items):
        return out
    row = items.row_of(item)
    template = items.arrays.get("template")
    if template is not None and 0 not in template.shape:
        out["waveform"] = template[row].astype(np.float64)

    def cell(name: str) -> Any:
        return items.table.column(name)[row].as_py() if name in items.table.column_names else None

    depth, y, surface = cell("depth_um"), cell("y_um"), context.get("surface_y_um")
    if depth is None and y is not None and surface is not None:
        depth = float(surface) - float(y)
    if depth is not None:
        out["depth_um"] = float(depth)
    out["layer"] = str(cell("layer") or "")
    return out


def _positions(context: Mapping[str, Any]) -> Values | None:
    given = context.get("position_um")
    if not given:
        return None
    return np.asarray([[np.nan if v is None else v for v in row] for row in given], np.float64)


def _write(row: Values, found: Mapping[str, float]) -> None:
    for name, value in found.items():
        row[SCALAR_NAMES.index(name)] = value


def _place_part(unit: Unit) -> dict[str, float]:
    depth_um = float("nan") if unit.depth_um is None else float(unit.depth_um)
    return {"depth_um": depth_um, "layer": layer_code(unit.layer)}


def _wave_part(unit: Unit, row: Values) -> dict[str, float]:
    shape = waveforms.shape_of(unit)
    row[_START["wave"] : _START["acg"]] = waveforms.on_axis(shape)
    return waveforms.waveform_features(shape) | waveforms.space_features(unit, shape)


def _train_part(unit: Unit, row: Values, narrow: Values) -> dict[str, float]:
    if unit.spikes_s is None:
        return {}
    spikes_s = trains.once(unit.spikes_s)
    lags = _lags(spikes_s, unit.duration_s)
    row[_START["acg"] : _START["isi"]] = trains.log_acg(lags)
    share = trains.log_isi(spikes_s)
    row[_START["isi"] : _START["acg3"]] = share
    row[_START["acg3"] :] = acg3(lags).ravel()
    if lags is not None:
        narrow[:] = trains.narrow_acg(lags)
    return trains.interval_features(spikes_s, unit.duration_s, share) | trains.acg_features(lags)


def _lags(spikes_s: Values, duration_s: float | None) -> Lags | None:
    if spikes_s.size < trains.MIN_SPIKES:
        return None
    span = duration_s if duration_s is not None else float(np.ptp(spikes_s))
    return count_lags(spikes_s, span, deciles(spikes_s))


def _each(value: str | Sequence[str], n: int, name: str) -> tuple[str, ...]:
    given = (value,) * n if isinstance(value, str) else tuple(value)
    if len(given) != n:
        raise BadArgumentError(
            f"one {name} for all, or {n} of them", f"{len(given)}", "Give one per unit."
        )
    return given


__all__ = [
    "NAMES",
    "SCALARS",
    "SCALAR_NAMES",
    "UNITS",
    "Feature",
    "featurise",
    "featurise_units",
    "units_of",
]
