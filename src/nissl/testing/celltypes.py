"""A project of units with proposed cell types, for tests and demonstrations of their review.

The classes are caricatures: narrow spikes of cells that fire fast and regularly, wide ones of
cells that burst, and what lies between. Nothing is fitted: curves and probabilities are drawn.
Spikes and templates of the sorting are drawn like them, so that a method can be asked as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.celltypes.axes import (
    BEFORE,
    LAG_EDGES_S,
    LOG_S,
    N_DECILES,
    WAVE_MS,
)
from nissl.annotators.celltypes.vocabulary import CORTICAL
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.store import SourceRow, Store

Values = npt.NDArray[np.float64]

METHOD = "celltypes/simulated"
RATE_HZ = 30_000.0
_CHANNEL = np.arange(16)
GRID_UM = np.stack([16.0 * (_CHANNEL % 4 * 2 % 5) + 11.0, 20.0 * (_CHANNEL // 2)], axis=1)
"""Staggered channels of the probe, x and y."""
LEAST = 0.6
"""Probability below which no class is claimed."""
DURATION_S = 600.0
_SPIKES = (50, 1500)
_REACH_UM = 45.0
_UV = 80.0
_LAG_S = np.sqrt(LAG_EDGES_S[:-1] * LAG_EDGES_S[1:])


@dataclass(frozen=True)
class Sort:
    """How the units of a class look.

    Parameters
    ----------
    peak_ms, peak : float
        When the waveform peaks after its trough, and how high, of the trough's depth.
    refractory_ms, burst, burst_ms : float
        Of the autocorrelogram: how long it stays low, and how high and how long a burst is.
    rate_hz : float
    place : tuple of float
        On the map.
    share : float
        How frequent.
    """

    peak_ms: float
    peak: float
    refractory_ms: float
    burst: float
    burst_ms: float
    rate_hz: float
    place: tuple[float, float]
    share: float


SORTS = {
    "PV": Sort(0.26, 0.45, 2.0, 0.3, 12.0, 22.0, (2.2, 0.3), 0.25),
    "SST": Sort(0.40, 0.35, 3.5, 0.9, 25.0, 8.0, (0.4, -1.5), 0.2),
    "VIP": Sort(0.34, 0.22, 3.0, 1.8, 9.0, 6.0, (-0.4, 1.7), 0.15),
    "pyramidal": Sort(0.62, 0.25, 2.2, 4.0, 5.0, 2.5, (-2.3, -0.4), 0.3),
    "axo-axonic": Sort(0.29, 0.30, 2.6, 1.0, 15.0, 12.0, (1.5, 1.9), 0.1),
}


def celltypes_study(
    path: str | Path, *, n_units: int = 60, n_sessions: int = 1, seed: int = 0
) -> dict[str, list[str]]:
    """Write a project of units with proposed cell types; raw data are not there.

    Of the last three units of every session the first has no positions of channels, the next no
    waveform, the last no spike times; the fourth from the end is unlike anything known.

    Parameters
    ----------
    path : str or Path
        A new project folder.
    n_units, n_sessions : int
        Units per session, at least 8. Every session is another subject.
    seed : int

    Returns
    -------
    dict of str to list of str
        Digest of each set of cell types to the true class of its units, in order of their ids.
    """
    truth: dict[str, list[str]] = {}
    rng = np.random.default_rng(seed)
    with Store.open(Path(path)) as store:
        for session in range(n_sessions):
            source = SourceRow(
                fingerprint=f"{session + 1:064x}",
                name=f"mouse-{session + 1}",
                path=f"gone/mouse-{session + 1}.bin",
                format="simulated",
                subject={"id": f"mouse-{session + 1}"},
                session={"id": "day1"},
                streams={"ap": {"rate_hz": RATE_HZ, "duration_s": DURATION_S}},
            )
            store.add_source(source)
            drawn = draw_units(n_units, rng)
            units = sorting(drawn, source.fingerprint, rng)
            store.put_labels(units)
            store.record_labels(units.digest, items=store.put_items(unit_facts(units, drawn)))
            labels = proposed_types(units, drawn)
            store.put_labels(labels)
            store.record_labels(labels.digest, items=store.put_items(facts(labels, drawn, rng)))
            truth[labels.digest] = [_NAMES[code] for code in drawn.code]
    return truth


_NAMES = tuple(SORTS)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Units of known class.

    Parameters
    ----------
    code : ndarray, shape (n_units,), int64
        Of `SORTS`.
    place : ndarray, shape (n_units, 2), float64
        On the map.
    probabilities : ndarray, shape (n_units, n_classes + 1), float64
        The last is that of "unknown".
    sorts : list of Sort
        What each unit is like.
    curves : dict of str to ndarray, (n_units, ...), float64
        "waveform", "acg", "isi", "acg3".
    template : ndarray, shape (n_units, 61, 16), float64
        On the channels of `GRID_UM`, size 1 on the main one.
    """

    code: npt.NDArray[np.int64]
    place: Values
    probabilities: Values
    sorts: list[Sort]
    curves: dict[str, Values]
    template: Values


def draw_units(n: int, rng: np.random.Generator) -> Drawn:
    """Units of all classes; the fourth from the end is unlike any."""
    share = np.asarray([sort.share for sort in SORTS.values()])
    code = rng.choice(len(SORTS), n, p=share / share.sum())
    centres = np.asarray([sort.place for sort in SORTS.values()])
    place = centres[code] + rng.normal(0, 0.45, (n, 2))
    place[-4] = (4.4, -2.8)
    apart = np.linalg.norm(place[:, None] - centres[None], axis=2)
    near = np.exp(-(apart**2) / 0.7)
    strange = np.clip(1 - np.exp(-(np.maximum(apart.min(axis=1) - 0.4, 0) ** 2)), 0.01, 0.97)
    known = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-12)
    p = np.hstack([known * (1 - strange[:, None]), strange[:, None]])
    own = [_varied(list(SORTS.values())[each], rng) for each in code]
    curves = {
        "waveform": np.stack([waveform(sort) for sort in own]),
        "acg": np.stack([acg(sort) for sort in own]),
        "isi": np.stack([intervals(sort) for sort in own]),
        "acg3": np.stack([acg_by_rate(sort) for sort in own]),
    }
    curves["waveform"] += rng.normal(0, 0.015, curves["waveform"].shape)
    for name, spread in (("acg", 0.08), ("isi", 0.15), ("acg3", 0.15)):
        curves[name] *= rng.gamma(1 / spread**2, spread**2, curves[name].shape)
    curves["isi"] /= curves["isi"].sum(axis=1, keepdims=True)
    templates = np.stack([template(wave, rng) for wave in curves["waveform"]])
    p /= p.sum(axis=1, keepdims=True)
    return Drawn(code, place, p, own, curves, templates)


def sorting(drawn: Drawn, source: str, rng: np.random.Generator) -> LabelSet:
    """Spikes of units, their intervals drawn one by one."""
    samples, units = [], []
    for unit, sort in enumerate(drawn.sorts):
        n = int(np.clip(sort.rate_hz * DURATION_S, *_SPIKES))
        gaps_s = rng.choice(LOG_S, n, p=intervals(sort)) * rng.uniform(0.955, 1.047, n)
        own = np.cumsum(gaps_s) + rng.uniform(0, 1)
        own = own[own < DURATION_S]
        samples.append((own * RATE_HZ).astype(np.int64))
        units.append(np.full(own.size, unit))
    item = np.concatenate(units)
    columns = {
        "item": item,
        "sample": np.concatenate(samples),
        "amplitude": rng.normal(-_UV, 8, item.size).astype(np.float32),
    }
    about = Provenance("spikes", source, Author("model", "spikes/simulated", "1"), "ap")
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), about)


def unit_facts(units: LabelSet, drawn: Drawn) -> ItemTable:
    """Templates of the units of the sorting."""
    n = units.items.size
    counts = np.unique(units.column("item"), return_counts=True)[1]
    return ItemTable(
        of=units.digest,
        table=pa.table({"item": np.arange(n), "n_spikes": counts}),
        units={"n_spikes": "", "template": "uV"},
        arrays={"template": (_UV * drawn.template).astype(np.float32)},
        context={
            "rate_hz": RATE_HZ,
            "duration_s": DURATION_S,
            "position_um": GRID_UM.tolist(),
            "n_before": BEFORE,
        },
    )


def proposed_types(units: LabelSet, drawn: Drawn) -> LabelSet:
    """Classes of units; "unknown" where none is likely enough."""
    p = drawn.probabilities
    top = p[:, :-1].max(axis=1)
    claimed = top >= LEAST
    columns: dict[str, Any] = {
        "id": units.items,
        "item": units.items,
        "target": units.items,
        "label": np.where(claimed, p[:, :-1].argmax(axis=1), len(SORTS)).astype(np.int32),
        "confidence": np.where(claimed, top, np.nan).astype(np.float32),
        "probabilities": p.astype(np.float32),
    }
    about = Provenance(
        "celltypes",
        units.provenance.source,
        Author("model", METHOD, "1"),
        units.provenance.stream,
        targets=(units.digest,),
        made_from=(units.digest,),
    )
    return LabelSet.build(Kind.CLASSES, columns, CORTICAL, about)


def facts(labels: LabelSet, drawn: Drawn, rng: np.random.Generator) -> ItemTable:
    """What the view of cell types shows of each unit, with exemplars of the classes."""
    n = drawn.code.size
    arrays = {name: values.copy() for name, values in drawn.curves.items()}
    main = np.abs(drawn.template).max(axis=1).argmax(axis=1)
    away = np.linalg.norm(GRID_UM[None] - GRID_UM[main][:, None], axis=2)
    order = np.argsort(away, axis=1, kind="stable")
    arrays["template"] = np.take_along_axis(drawn.template, order[:, None], axis=2)
    arrays["template_position_um"] = GRID_UM[order]
    arrays["map"] = drawn.place
    context = {
        "wave_ms": [float(v) for v in WAVE_MS],
        "log_s": [float(v) for v in LOG_S],
        "lag_edges_s": [float(v) for v in LAG_EDGES_S],
        "classes": [_exemplar(code, drawn) for code in range(len(SORTS))],
    }
    arrays["template_position_um"][-3] = np.nan
    for name in ("waveform", "template"):
        arrays[name][-2] = np.nan
    for name in ("acg", "isi", "acg3"):
        arrays[name][-1] = np.nan
    unlike = [""] * n
    unlike[-4] = "unlike the units that the model knows: fires 61 spikes per second"
    columns = {
        "item": np.arange(n),
        "target": np.arange(n),
        "unlike": unlike,
        "trough_to_peak_ms": [sort.peak_ms for sort in drawn.sorts],
        "firing_rate_hz": [sort.rate_hz for sort in drawn.sorts],
        "acg_refractory_ms": [sort.refractory_ms for sort in drawn.sorts],
        "cv2": rng.normal(1, 0.15, n),
    }
    return ItemTable(
        of=labels.digest,
        table=pa.table(columns),
        units={"trough_to_peak_ms": "ms", "firing_rate_hz": "Hz", "acg_refractory_ms": "ms"},
        arrays={name: array.astype(np.float32) for name, array in arrays.items()},
        context=context,
    )


def _varied(sort: Sort, rng: np.random.Generator) -> Sort:
    """A unit of a class: every number some percent off."""
    off = rng.lognormal(0, 0.12, 6)
    return Sort(
        sort.peak_ms * off[0] ** 0.5,
        sort.peak * off[1],
        sort.refractory_ms * off[2],
        sort.burst * off[3],
        sort.burst_ms * off[4],
        sort.rate_hz * off[5] ** 3,
        sort.place,
        sort.share,
    )


def waveform(sort: Sort) -> Values:
    """Mean spike on the main channel, shape (61,), its trough -1."""
    trough = np.exp(-((WAVE_MS / (0.09 + 0.1 * sort.peak_ms)) ** 2) / 2)
    late = np.exp(-(((WAVE_MS - sort.peak_ms) / (0.08 + 0.45 * sort.peak_ms)) ** 2) / 2)
    early = np.exp(-(((WAVE_MS + 0.28) / 0.1) ** 2) / 2)
    wave = -trough + sort.peak * late * (WAVE_MS > 0) + 0.08 * early
    return np.asarray(wave / -wave.min())


def acg(sort: Sort, lag_s: Values | None = None, burst: float | None = None) -> Values:
    """Rate at a lag over the mean rate."""
    ms = (LOG_S if lag_s is None else lag_s) * 1000
    recovered = 1 / (1 + np.exp(-(ms - sort.refractory_ms) / (0.2 * sort.refractory_ms)))
    height = sort.burst if burst is None else burst
    return np.asarray(recovered * (1 + height * np.exp(-ms / sort.burst_ms)))


def acg_by_rate(sort: Sort) -> Values:
    """The same for each decile of the firing rate, shape (10, 50): bursts belong to fast times."""
    strength = sort.burst * np.linspace(0.2, 2.2, N_DECILES)
    level = np.linspace(0.35, 1.9, N_DECILES)
    settled = 1 / (1 + (_LAG_S / 0.3) ** 2)
    rows = [
        acg(sort, _LAG_S, burst) * (1 + (own - 1) * settled)
        for burst, own in zip(strength, level, strict=True)
    ]
    return np.stack(rows)


def intervals(sort: Sort) -> Values:
    """Share of intervals per logarithmic bin, of a Poisson cell with this autocorrelogram."""
    hazard = acg(sort) * sort.rate_hz
    passed = np.cumsum(hazard * np.gradient(LOG_S))
    share = hazard * LOG_S * np.exp(-passed)
    return np.asarray(share / share.sum())


def template(wave: Values, rng: np.random.Generator) -> Values:
    """Waveform on the channels of `GRID_UM`, shape (61, 16): smaller and later further away."""
    main = int(rng.integers(4, 12))
    samples = np.arange(wave.size)
    columns = [
        np.interp(samples - 0.06 * away, samples, wave) * np.exp(-away / _REACH_UM)
        for away in np.linalg.norm(GRID_UM - GRID_UM[main], axis=1).tolist()
    ]
    out = np.stack(columns, axis=1)
    return np.asarray(out + rng.normal(0, 0.01, out.shape) * (np.arange(len(GRID_UM)) != main))


def _exemplar(code: int, drawn: Drawn) -> dict[str, Any]:
    """Means over the units of a class, as a learner tells those of its training units."""
    rows = np.flatnonzero(drawn.code == code)
    name = _NAMES[code]
    sort = SORTS[name]
    if rows.size < 3:
        own = {"waveform": waveform(sort), "acg": acg(sort), "acg3": acg_by_rate(sort)}
        spread, place = np.full(WAVE_MS.size, 0.08), np.asarray(sort.place)
    else:
        own = {key: drawn.curves[key][rows].mean(axis=0) for key in ("waveform", "acg", "acg3")}
        spread = drawn.curves["waveform"][rows].std(axis=0)
        place = drawn.place[rows].mean(axis=0)
    return {
        "name": name,
        "n": 40 - 6 * code,
        "waveform": _plain(own["waveform"]),
        "waveform_sd": _plain(spread),
        "acg": _plain(own["acg"]),
        "acg3": [_plain(row) for row in own["acg3"]],
        "map": _plain(place),
        "map_sd": [0.45, 0.45],
    }


def _plain(values: Values) -> list[float]:
    return [round(float(v), 5) for v in values]
