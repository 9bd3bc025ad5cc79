"""What a sorting is worth, unit by unit and spike by spike: bands, overlaps, confidence.

A true unit's band is that of its signal-to-noise ratio (extreme value of its template at rest
over the standard deviation of the background). A spike is *right* where the unit that it was put
into is matched with a true unit (agreement of 0.5 or more, one to one, as SpikeForest does), and
a true spike of that unit lies within the tolerance, one to one. Every other spike is wrong, those
of units that match none included.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.labels import LabelSet
from nissl.labels.compare import compare

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOLERANCE_S = 0.4e-3
OVERLAP_S = 1e-3
NEAR_UM = 60.0
CLEAR_SNR = 8.0
EDGES = (6.0, 10.0)
BANDS = ("SNR < 6", "SNR 6-10", "SNR > 10")
BIN_EDGES = np.asarray([*np.arange(0.0, 0.95, 0.05), 0.95, 0.98, 0.99, 0.995, 1.0])
"""Edges of the bins of confidence: finer at the end, where most spikes are."""


def band_of(snr: npt.ArrayLike) -> Ints:
    """Index into `BANDS` of signal-to-noise ratios; both edges belong to the middle."""
    value = np.asarray(snr, dtype=np.float64)
    return np.asarray((value >= EDGES[0]).astype(np.int64) + (value > EDGES[1]))


def train_hits(true: Ints, found: Ints, tolerance: int) -> tuple[Bools, Bools]:
    """Match two increasing trains one to one, the earliest free spike first.

    Parameters
    ----------
    true, found : ndarray, shape (n_true,) and (n_found,), int64, samples, increasing
    tolerance : int
        Samples.

    Returns
    -------
    ndarray, shape (n_true,), bool
    ndarray, shape (n_found,), bool
    """
    hit_true, hit_found = np.zeros(len(true), dtype=bool), np.zeros(len(found), dtype=bool)
    a, b = true.tolist(), found.tolist()
    i = j = 0
    while i < len(a) and j < len(b):
        gap = b[j] - a[i]
        if gap < -tolerance:
            j += 1
        elif gap > tolerance:
            i += 1
        else:
            hit_true[i] = hit_found[j] = True
            i += 1
            j += 1
    return hit_true, hit_found


def near_pairs(snr: Floats, position_um: Floats) -> Bools:
    """Pairs of different units that both stand out clearly and lie near each other.

    Parameters
    ----------
    snr : ndarray, shape (n_units,)
    position_um : ndarray, shape (n_units, 2), micrometres

    Returns
    -------
    ndarray, shape (n_units, n_units), bool
    """
    clear = snr > CLEAR_SNR
    apart = np.linalg.norm(position_um[:, None] - position_um[None], axis=2)
    near = clear[:, None] & clear[None] & (apart <= NEAR_UM)
    np.fill_diagonal(near, False)
    return np.asarray(near)


def overlapped(sample: Ints, unit: Ints, near: Bools, window: int) -> Bools:
    """Spikes with a spike of a near unit within the window.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64, not decreasing
    unit : ndarray, shape (n_spikes,), int64
        Row of `near`.
    near : ndarray, shape (n_units, n_units), bool
    window : int
        Samples, both ends included.
    """
    out = np.zeros(len(sample), dtype=bool)
    for step in range(1, len(sample)):
        close = sample[step:] - sample[:-step] <= window
        if not close.any():
            break
        pair = np.flatnonzero(close)
        pair = pair[near[unit[pair], unit[pair + step]]]
        out[pair] = out[pair + step] = True
    return out


def score(
    truth: LabelSet, labels: LabelSet, facts: Mapping[str, Any], rate_hz: float
) -> dict[str, Any]:
    """Accuracy over true units, by SpikeForest's definition, and what is known of each.

    Parameters
    ----------
    truth, labels : LabelSet
        EVENTS; `confidence` of `labels` may be NaN, `amplitude` in uV may be null.
    facts : mapping
        Of the true units, in the order of ``truth.items``: "snr", "position_um", "group" ("" for
        none), and "noise_uv" of the recording.
    rate_hz : float

    Returns
    -------
    dict
        Means, counts of unmatched and redundant units, "units" (one mapping per true unit) and
        "calibration" (one mapping per found unit, None where no spike has a confidence).
    """
    tolerance = round(TOLERANCE_S * rate_hz)
    snr = np.asarray(facts["snr"], dtype=np.float64)
    groups = facts["group"]
    animals = dict(zip(truth.items.tolist(), groups, strict=True)) if any(groups) else None
    found = compare(truth, labels, groups=animals, tolerance=tolerance, by_item=True)
    metrics, interval = found.metrics, found.intervals["accuracy"]
    match = found.items.column("match").to_numpy()
    hit_true, hit_found = _all_hits(truth, labels, match, tolerance)
    row = np.searchsorted(truth.items, truth.column("item"))
    near = near_pairs(snr, np.asarray(facts["position_um"], dtype=np.float64).reshape(-1, 2))
    window = round(OVERLAP_S * rate_hz)
    shared = overlapped(truth.column("sample"), row, near, window)
    columns = {
        name: found.items.column(name).to_pylist() for name in ("accuracy", "precision", "recall")
    }
    units = [
        {
            "snr": float(snr[k]),
            "group": groups[k],
            "n": int(np.sum(row == k)),
            "n_overlaps": int(np.sum(shared & (row == k))),
            "n_overlaps_found": int(np.sum(shared & hit_true & (row == k))),
            **{name: float(values[k]) for name, values in columns.items()},
        }
        for k in range(truth.items.size)
    ]
    return {
        "accuracy_mean": metrics["accuracy"],
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "accuracy_median": metrics["accuracy_median"],
        "precision_mean": metrics["precision"],
        "recall_mean": metrics["recall"],
        "n_true": int(truth.items.size),
        "n_good": int(metrics["n_good"]),
        "n_false_positive": int(metrics["n_false_positive"]),
        "n_redundant": int(metrics["n_redundant"]),
        "n_found": int(labels.items.size),
        "accuracy_by_unit": columns["accuracy"],
        "units": units,
        "calibration": _calibration(labels, match, snr, hit_found, float(facts["noise_uv"])),
    }


def _all_hits(
    truth: LabelSet, labels: LabelSet, match: Ints, tolerance: int
) -> tuple[Bools, Bools]:
    """True spikes that were found, and found spikes that are right."""
    hit_true, hit_found = np.zeros(truth.n_rows, bool), np.zeros(labels.n_rows, bool)
    for item, other in zip(truth.items.tolist(), match.tolist(), strict=True):
        if other < 0:
            continue
        mine, theirs = truth.rows_of(item), labels.rows_of(other)
        trains = truth.column("sample")[mine], labels.column("sample")[theirs]
        hit_true[mine], hit_found[theirs] = train_hits(*trains, tolerance)
    return hit_true, hit_found


def _calibration(
    labels: LabelSet, match: Ints, snr: Floats, right: Bools, noise_uv: float
) -> list[dict[str, Any]] | None:
    confidence = labels.column("confidence").astype(np.float64)
    if not np.any(np.isfinite(confidence)):
        return None
    size = np.abs(labels.column("amplitude").astype(np.float64)) / noise_uv
    known = {int(other): float(snr[k]) for k, other in enumerate(match.tolist()) if other >= 0}
    rows = []
    for item in labels.items.tolist():
        mine = labels.rows_of(item)
        own = known.get(item, float(np.nanmedian(size[mine])))
        about = {"band": int(band_of(own)), "matched": item in known}
        rows.append(about | binned(confidence[mine], right[mine]))
    return rows


def binned(confidence: Floats, right: Bools) -> dict[str, Any]:
    """Sums that calibration is computed from.

    Parameters
    ----------
    confidence : ndarray, shape (n,)
        0 to 1; NaN: none, and the spike is only counted.
    right : ndarray, shape (n,), bool

    Returns
    -------
    dict
        "without": spikes without a confidence; "squared": sum of squared errors; "bins": rows
        of bin, spikes, sum of confidences, right ones, for bins of `BIN_EDGES` with any.
    """
    known = np.isfinite(confidence)
    p, y = confidence[known], right[known].astype(np.float64)
    at = np.clip(np.searchsorted(BIN_EDGES, p, side="right") - 1, 0, len(BIN_EDGES) - 2)
    sums = [np.bincount(at, w, len(BIN_EDGES) - 1) for w in (np.ones(p.size), p, y)]
    return {
        "without": int(np.sum(~known)),
        "squared": float(np.sum((p - y) ** 2)),
        "bins": [
            [int(k), int(sums[0][k]), float(sums[1][k]), int(sums[2][k])]
            for k in np.flatnonzero(sums[0])
        ],
    }


def facts_of(items: Any, groups: Sequence[str]) -> dict[str, Any]:
    """What `score` needs to know of true units, from their item table; JSON values."""
    table = items.table
    return {
        "snr": table.column("snr").to_pylist(),
        "position_um": list(
            zip(table.column("x_um").to_pylist(), table.column("y_um").to_pylist(), strict=True)
        ),
        "group": [groups[i] for i in table.column("item").to_pylist()],
        "noise_uv": float(items.context["noise_uv"]),
    }


def packed(labels: LabelSet) -> str:
    """Spikes as text, kept in a cell so that they can be scored anew: see `unpacked`."""
    columns = {
        "item": labels.column("item").astype(np.int32),
        "step": np.diff(labels.column("sample"), prepend=0).astype(np.int32),
        "amplitude": labels.column("amplitude").astype(np.float16),
        "confidence": labels.column("confidence").astype(np.float16),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpacked(text: str) -> dict[str, npt.NDArray[Any]]:
    """Columns "item", "sample", "amplitude" and "confidence" of `packed`, rounded to 16 bits."""
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as kept:
        out = {name: kept[name] for name in ("item", "amplitude", "confidence")}
        return out | {"sample": np.cumsum(kept["step"].astype(np.int64))}
