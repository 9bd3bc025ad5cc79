"""Facts about any group of a sorting's spikes, without a pass over the raw data.

What the trains and amplitudes say is computed anew. Templates of whole units are averaged,
weighted by their spikes; that of a part of a unit is the mean of its kept waveforms or, where
too few of them are kept, of some that are read from the recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes import metrics
from nissl.annotators.spikes.acg import autocorrelogram
from nissl.annotators.spikes.snippets import SnippetReader, SpikeSample
from nissl.annotators.spikes.units import centre_of_mass
from nissl.clock import Clock
from nissl.labels import ItemTable, LabelSet
from nissl.run.limits import single_threaded_blas

N_FROM_SAMPLE = 10
"""Kept waveforms from which a part's template is taken without reading more."""

N_READ = 30

N_COMPARED = 100
N_COMPETITORS = 8
LONGEST_S = 1e6
"""Rates over time are not computed for what claims to be longer (a damaged time stamp)."""

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sorting:
    """A sorting at hand: its rows as arrays, the facts of its units, its waveforms.

    Parameters
    ----------
    labels : LabelSet
        EVENTS.
    items : ItemTable
        Facts of its units.
    clock : Clock
        Of the samples.
    reader : SnippetReader, optional
        None without the raw data.
    kept : SpikeSample, optional
        Waveforms kept in the project.
    """

    labels: LabelSet
    items: ItemTable
    clock: Clock
    reader: SnippetReader | None = None
    kept: SpikeSample | None = None

    @cached_property
    def sample(self) -> Ints:
        """Samples of all spikes, increasing."""
        return self.labels.column("sample")

    @cached_property
    def amplitude(self) -> Floats:
        """Amplitudes of all spikes, NaN where unknown."""
        return self.labels.column("amplitude")

    @property
    def rate_hz(self) -> float:
        """Samples per second."""
        return self.clock.rate_hz

    @cached_property
    def position_um(self) -> npt.NDArray[np.float64]:
        """Of channels, shape (n_channels, 2), micrometres; NaN where unknown."""
        place = self.items.context.get("position_um") or []
        rows = [[np.nan if v is None else v for v in row[:2]] for row in place]
        return np.asarray(rows, dtype=np.float64).reshape(-1, 2)

    @cached_property
    def base_item(self) -> Ints:
        """Item of every row in the label set."""
        return self.labels.column("item")


@dataclass(frozen=True, eq=False)
class Unit:
    """What is known of one group of spikes.

    Parameters
    ----------
    columns : mapping of str to float
        Columns of `units.SCHEMA` but `item`; NaN where unknown.
    template : ndarray, shape (n_samples, n_channels), float32, optional
    acg : ndarray, shape (101,), float32, Hz
    """

    columns: Mapping[str, float]
    template: Floats | None
    acg: Floats


def describe_group(sorting: Sorting, rows: Rows, item: Ints) -> Unit:
    """Facts about the spikes in some rows of a sorting.

    Parameters
    ----------
    sorting : Sorting
    rows : ndarray, shape (n,), int
        At least one, increasing.
    item : ndarray, shape (n_rows,), int64
        Item of every row now, for what relates the group to other units; -1 for none.
    """
    sample = np.sort(sorting.sample[rows])
    template = group_template(sorting, rows)
    duration_s = float(sorting.items.context.get("duration_s") or sorting.clock.duration_s)
    columns = {
        "n_spikes": float(rows.size),
        "firing_rate_hz": rows.size / max(duration_s, 1 / sorting.rate_hz),
        **_amplitudes(sorting, rows),
        **_trains(sample, sorting.clock),
        "sync_8": _synchrony(sorting.sample, rows, item),
        **_places(sorting, rows, template),
        "drift_um": _drift(sorting, rows),
        "nn_isolation": _isolation(sorting, rows, item),
        "expected_false_positives": _false_positives(sorting, rows),
    }
    return Unit(columns, template, autocorrelogram(sample, sorting.rate_hz))


def group_template(sorting: Sorting, rows: Rows) -> Floats | None:
    """Mean waveform of some spikes, shape (n_samples, n_channels), uV.

    None where the item table has no templates. A part of a unit of which no waveforms can be
    had, or whose templates are in a sorter's own scale, keeps its unit's template.
    """
    known = sorting.items.arrays.get("template")
    if known is None:
        return None
    units, index, counts = np.unique(
        sorting.base_item[rows], return_inverse=True, return_counts=True
    )
    total = np.zeros(known.shape[1:], np.float64)
    in_uv = sorting.items.units.get("template", "uV") == "uV"
    for k, unit in enumerate(units.tolist()):
        whole = _template_of(sorting, known, unit)
        own = whole
        if in_uv and counts[k] < sorting.labels.rows_of(unit).size:
            own = _part_template(sorting, rows[index == k], whole)
        total += own.astype(np.float64) * (counts[k] / rows.size)
    return np.asarray(total, dtype=np.float32)


def _template_of(sorting: Sorting, known: npt.NDArray[Any], unit: int) -> Floats:
    row = int(np.searchsorted(sorting.items.items, unit))
    if row < len(known) and sorting.items.items[row] == unit:
        return np.asarray(known[row], np.float32)
    return np.full(known.shape[1:], np.nan, np.float32)


def _part_template(sorting: Sorting, rows: Rows, whole: Floats) -> Floats:
    """Template of a part of one unit: from kept waveforms, else a few that are read.

    Reading takes milliseconds per spike on large probes, so it is done only where too few are
    kept. On channels that were not kept the template of the whole unit stands.
    """
    places = np.empty(0, np.intp) if sorting.kept is None else sorting.kept.among(rows)
    if sorting.kept is not None and places.size >= min(N_FROM_SAMPLE, rows.size):
        part = _mean(sorting.kept.on(places, np.arange(whole.shape[1])))
    elif sorting.reader is not None:
        chosen = rows[spread(rows.size, N_READ)]
        part = _mean(sorting.reader.read(sorting.sample[chosen]))
    else:
        return whole
    return np.where(np.isfinite(part), part, whole) if part.shape == whole.shape else whole


def _mean(waveforms: Floats) -> Floats:
    """Mean over spikes, NaN where none has a value."""
    known = np.isfinite(waveforms)
    total = np.sum(np.where(known, waveforms, 0.0), axis=0, dtype=np.float64)
    count = np.sum(known, axis=0)
    return (total / np.where(count > 0, count, np.nan)).astype(np.float32)


def spread(n: int, wanted: int) -> Rows:
    """Up to `wanted` places of n, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).round().astype(np.intp))


def _amplitudes(sorting: Sorting, rows: Rows) -> dict[str, float]:
    amplitude = sorting.amplitude[rows]
    median = float(np.median(amplitude))
    scaled = "amplitude_median" in sorting.items.table.column_names  # in a sorter's own scale
    out = {"amplitude_median" if scaled else "amplitude_median_uv": median}
    out["amplitude_cutoff"] = float("nan")
    if find_spec("spikeinterface") is not None and np.all(np.isfinite(amplitude)):
        one = np.zeros(rows.size, np.int64)
        out["amplitude_cutoff"] = float(metrics.amplitude_cutoffs(amplitude, one, 1)[0])
    return out


def _false_positives(sorting: Sorting, rows: Rows) -> float:
    sure = sorting.labels.column("confidence")[rows]
    return float(metrics.false_positives(sure, np.zeros(rows.size, np.int64), 1)[0])


def _trains(sample: Ints, clock: Clock) -> dict[str, float]:
    if find_spec("spikeinterface") is None or clock.duration_s > LONGEST_S:
        return dict.fromkeys(metrics.TRAIN_METRICS, float("nan"))
    found = metrics.train_metrics(sample, np.zeros(sample.size, np.int64), 1, clock)
    return {name: float(values[0]) for name, values in found.items()}


def _synchrony(sample: Ints, rows: Rows, item: Ints, size: int = 8) -> float:
    """`metrics.synchrony` of one unit: only samples at which that many rows stand are looked at."""
    own = sample[rows]
    low = np.searchsorted(sample, own, side="left")
    high = np.searchsorted(sample, own, side="right")
    crowded = np.unique(low[high - low >= size])
    hits = 0
    for first in crowded.tolist():
        last = int(np.searchsorted(sample, sample[first], side="right"))
        there = item[first:last]
        if np.unique(there[there >= 0]).size >= size:
            hits += int(np.sum(own == sample[first]))
    return hits / rows.size


def _places(sorting: Sorting, rows: Rows, template: Floats | None) -> dict[str, float]:
    """Best channel, position and SNR, from the template."""
    nothing = dict.fromkeys(("x_um", "y_um", "snr"), float("nan")) | {"channel": -1, "shank": 0}
    if template is None or 0 in template.shape or not np.any(np.isfinite(template)):
        return nothing
    context = sorting.items.context
    before = int(context.get("n_before") or 0)
    at_peak = np.nan_to_num(np.abs(template[before]), nan=0.0)
    best = int(np.argmax(at_peak))
    shanks = np.asarray(context.get("shank") or np.zeros(template.shape[1]), dtype=np.int64)
    x, y = (
        centre_of_mass(template, best, sorting.position_um, shanks)
        if len(sorting.position_um) == template.shape[1]
        else (np.nan, np.nan)
    )
    noise = context.get("noise_uv") or []
    level = noise[best] if best < len(noise) and noise[best] else float("nan")
    return {
        "channel": best,
        "x_um": float(x),
        "y_um": float(y),
        "shank": int(shanks[best]),
        "snr": float(at_peak[best]) / level,
    }


def _drift(sorting: Sorting, rows: Rows) -> float:
    """Movement along the probe, from the kept waveforms."""
    if sorting.kept is None or not len(sorting.position_um):
        return float("nan")
    places = sorting.kept.among(rows)
    if not places.size:
        return float("nan")
    near = sorting.kept.near[sorting.kept.unit[places]]
    y = centres_um(sorting, sorting.kept.waveform[places].astype(np.float32), near)
    sample = sorting.sample[sorting.kept.row[places]]
    return float(metrics.drift_um(y, sample, np.zeros(places.size, np.int64), 1)[0])


def centres_um(sorting: Sorting, waveforms: Floats, near: Ints) -> Floats:
    """Centre of mass along the probe of spikes, by squared peak-to-peak within half a ms.

    Parameters
    ----------
    sorting : Sorting
    waveforms : ndarray, shape (n, n_samples, n_near), float32, uV
    near : ndarray, shape (n, n_near), int64
        Channels, -1 for none.

    Returns
    -------
    ndarray, shape (n,), float32, um
        NaN without geometry.
    """
    if not len(sorting.position_um):
        return np.full(len(waveforms), np.nan, np.float32)
    reach = max(1, round(0.0005 * sorting.rate_hz))
    before = int(sorting.items.context.get("n_before") or waveforms.shape[1] // 3)
    inner = waveforms[:, max(before - reach, 0) : before + reach]
    size = np.nan_to_num(np.ptp(inner, axis=1), nan=0.0).astype(np.float64) ** 2
    size = np.where(near >= 0, size, 0.0)
    y = np.nan_to_num(sorting.position_um[np.maximum(near, 0), 1], nan=0.0)
    weight = size.sum(axis=1)
    centre = np.sum(size * y, axis=1) / np.where(weight > 0, weight, np.nan)
    return np.asarray(centre, dtype=np.float32)


def _isolation(sorting: Sorting, rows: Rows, item: Ints) -> float:
    """Nearest-neighbour isolation from the closest competitors, from the kept waveforms."""
    kept = sorting.kept
    if kept is None:
        return float("nan")
    mine = kept.among(rows)
    if mine.size < metrics.MIN_COMPARED:
        return float("nan")
    units, counts = np.unique(kept.unit[mine], return_counts=True)
    near = kept.near[units[np.argmax(counts)]]
    own = _whole(kept.on(mine[spread(mine.size, N_COMPARED)], near))
    now = item[kept.row]
    other = np.setdiff1d(np.arange(kept.row.size), mine)
    competitors = _competitors(kept, other[now[other] >= 0], now, near)
    score = 1.0
    with single_threaded_blas():  # on matrices this small more threads only wait for each other
        for places in competitors:
            theirs = kept.near[kept.unit[places[0]]]
            waveforms = _whole(kept.on(places[spread(places.size, N_COMPARED)], theirs))
            pair = metrics.pair_isolation(own, waveforms, near, theirs)
            score = score if pair is None else min(score, pair)
    return score


def _whole(waveforms: Floats) -> Floats:
    """Waveforms that were read whole; channels that some lack are 0."""
    complete = np.any(np.isfinite(waveforms), axis=(1, 2))
    return np.nan_to_num(waveforms[complete], nan=0.0)


def _competitors(kept: SpikeSample, places: Rows, now: Ints, near: Ints) -> list[Rows]:
    """Kept places of the units that share most channels with `near`."""
    shared = np.isin(kept.near, near[near >= 0]).sum(axis=1)
    places = places[2 * shared[kept.unit[places]] >= np.sum(near >= 0)]
    if not places.size:
        return []
    order = np.argsort(now[places], kind="stable")
    edges = np.flatnonzero(np.diff(now[places[order]])) + 1
    groups = list(np.split(places[order], edges))
    groups.sort(key=lambda group: -int(shared[kept.unit[group[0]]]))
    return groups[:N_COMPETITORS]
