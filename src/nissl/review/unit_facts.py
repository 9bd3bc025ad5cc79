"""Facts of units as the units view shows them, as plain values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.checks import LIMITS, check_units
from nissl.annotators.spikes.grouping import Grouping
from nissl.annotators.spikes.live import LiveUnits
from nissl.annotators.spikes.units import SCHEMA
from nissl.labels import ItemTable

N_CHANNELS = 24
"""Channels around a unit that are drawn."""
N_TRACES = 12
MOST_BINS = 300

Ints = npt.NDArray[np.int64]


def cards(items: ItemTable) -> list[dict[str, Any]]:
    """Metrics of each unit with their limits and what is doubtful about them.

    Returns
    -------
    list of dict
        `item`, `facts` (name, value, unit, text, limit, doubt), `acg` (Hz), `wave` (the
        template on the best channel) and `channel`; None for what is unknown.
    """
    doubts: dict[int, dict[str, str]] = {}
    column_of = {limit.check: limit.column for limit in LIMITS}
    for finding in check_units(items):
        if finding.item is not None:
            doubts.setdefault(finding.item, {})[column_of[finding.check]] = finding.sentence
    texts = {c.name: c.text for c in SCHEMA}
    limits = {limit.column: (limit.limit, limit.above) for limit in LIMITS}
    found = []
    for row, values in enumerate(items.table.to_pylist()):
        item = int(values.pop("item"))
        facts = [
            {
                "name": name,
                "value": _plain(value),
                "unit": items.units.get(name, ""),
                "text": texts.get(name, ""),
                "limit": None if name not in limits else limits[name][0],
                "above": None if name not in limits else limits[name][1],
                "doubt": doubts.get(item, {}).get(name),
            }
            for name, value in values.items()
        ]
        found.append({"item": item, "facts": facts, **_shapes(items, row, values)})
    return found


def _shapes(items: ItemTable, row: int, values: dict[str, Any]) -> dict[str, Any]:
    acg, template = items.arrays.get("acg"), items.arrays.get("template")
    channel = values.get("channel")
    channel = None if channel is None or channel < 0 else int(channel)
    wave = None
    if template is not None and channel is not None and channel < template.shape[2]:
        wave = [_plain(float(v)) for v in template[row, :, channel]]
    return {
        "channel": channel,
        "acg": None if acg is None else [_plain(float(v)) for v in acg[row]],
        "wave": wave,
    }


def _plain(value: Any) -> Any:
    """JSON value; NaN is None."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, int | str | bool) or value is None else str(value)


def channels_around(items: ItemTable, row: int, n: int = N_CHANNELS) -> list[int]:
    """Channels nearest to the best one of a unit, on its shank, in order of columns."""
    place = items.context.get("position_um") or []
    n_channels = len(place) or (items.arrays["template"].shape[2] if items.arrays else 0)
    names = items.table.column_names
    best = items.table.column("channel")[row].as_py() if "channel" in names else None
    if best is None or not 0 <= best < n_channels:
        return list(range(min(n, n_channels)))
    xy = np.asarray([[np.nan if v is None else v for v in p[:2]] for p in place])
    away = np.abs(np.arange(n_channels) - best).astype(np.float64)
    if len(xy) and np.isfinite(xy[best]).all():
        away = np.nan_to_num(np.linalg.norm(xy - xy[best], axis=1), nan=np.inf)
    shank = np.asarray(items.context.get("shank") or np.zeros(n_channels))
    away = np.where(shank == shank[best], away, np.inf)
    nearest = np.argsort(away, kind="stable")[:n]
    return sorted(nearest[np.isfinite(away[nearest])].tolist())


def firing_rate(
    units: LiveUnits, grouping: Grouping, item: int
) -> tuple[npt.NDArray[np.float32], float]:
    """Firing rate over time, shape (n_bins,), Hz, and the width of a bin, seconds."""
    clock = units.sorting.clock
    n_bins = int(np.clip(clock.duration_s, 1, MOST_BINS))
    width = max(1, -(-clock.n_samples // n_bins))
    at = grouping.train(item) // width
    counts = np.bincount(np.minimum(at, n_bins - 1), minlength=n_bins)
    return (counts * (clock.rate_hz / width)).astype(np.float32), width / clock.rate_hz


def raw_around(
    units: LiveUnits, grouping: Grouping, item: int, *, spike: int, window_ms: float
) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    """Filtered samples around one spike of a unit, with all spikes of all units in them.

    Parameters
    ----------
    units : LiveUnits
    grouping : Grouping
    item : int
    spike : int
        The how-manieth of the unit's spikes; beyond the last it is the last.
    window_ms : float

    Returns
    -------
    traces : ndarray, shape (n_channels, n_samples), float32, uV
    facts : dict
        `start` and `sample` (samples), `channels`, `spike`, `n_spikes`, `items` and `samples`
        of the spikes in the window.

    Without a recording the traces are empty.
    """
    sorting = units.sorting
    train = grouping.train(item)
    spike = int(np.clip(spike, 0, train.size - 1))
    sample = int(train[spike])
    half = max(1, round(window_ms * sorting.rate_hz / 2000))
    inside = [s for s in sorting.clock.segments if s.start <= sample < s.stop]
    low, high = (inside[0].start, inside[0].stop) if inside else (0, sorting.clock.n_samples)
    start, stop = max(low, sample - half), min(high, sample + half)
    table = units.some(grouping, [item])
    channels = channels_around(table, 0, N_TRACES)
    first, last = np.searchsorted(sorting.sample, [start, stop]).tolist()
    owner = grouping.item[first:last]
    known = owner >= 0
    facts = {
        "start": start,
        "sample": sample,
        "channels": channels,
        "spike": spike,
        "n_spikes": int(train.size),
        "items": owner[known].tolist(),
        "samples": sorting.sample[first:last][known].tolist(),
    }
    if sorting.reader is None:
        return np.empty((0, 0), np.float32), facts
    traces = sorting.reader.traces(start, stop)[:, channels].T
    return np.ascontiguousarray(traces), facts
