"""Simulated units whose kind is known: shapes and trains of textbook caricatures.

A kind is a region of a few numbers (widths, peaks, refractory period, bursts, rhythm, rate), wide
enough that kinds overlap. They say whether code works and let encoders learn what curves look
like; how good a model is on neurons they cannot say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import CORTICAL
from nissl.annotators.spikes.groundtruth import (
    Declaration,
    Spikes,
    Templates,
    collect,
    grid_um,
    probe_table,
    recording_of,
    truth_of,
)
from nissl.clock import Clock
from nissl.data import Recording
from nissl.labels import Author, Kind, LabelSet, Provenance

Values = npt.NDArray[np.float64]
Range = tuple[float, float]

RATE_HZ = 30_000.0
BEFORE_S, AFTER_S = 1.0e-3, 2.0e-3
NOISE_UV = 8.0
_BLOCK_S = 2.0


@dataclass(frozen=True)
class Caricature:
    """Ranges from which a unit of a kind is drawn, each evenly; rates and times on a log scale.

    Parameters
    ----------
    trough_ms : tuple of float
        Half width of the trough (standard deviation of a Gaussian).
    delay_ms, peak : tuple of float
        When the peak after the trough comes, and its size.
    before : tuple of float
        Size of the peak before the trough.
    rate_hz, refractory_ms : tuple of float
    order : tuple of float
        Shape of the gamma distribution of intervals: 1 Poisson, more: more regular.
    bursts : tuple of float
        Share of spikes that begin a burst.
    theta : tuple of float
        Depth of modulation at 6 to 9 Hz.
    """

    trough_ms: Range
    delay_ms: Range
    peak: Range
    before: Range
    rate_hz: Range
    refractory_ms: Range
    order: Range
    bursts: Range
    theta: Range


CARICATURES = {
    "PV": Caricature(
        (0.05, 0.08), (0.22, 0.38), (0.3, 0.7), (0.0, 0.2),
        (5, 40), (1.0, 2.0), (1.2, 3.0), (0.0, 0.05), (0.0, 0.5),
    ),
    "SST": Caricature(
        (0.07, 0.11), (0.3, 0.55), (0.2, 0.5), (0.0, 0.15),
        (2, 15), (1.5, 4.0), (1.0, 1.8), (0.0, 0.2), (0.0, 0.8),
    ),
    "VIP": Caricature(
        (0.08, 0.13), (0.35, 0.65), (0.15, 0.45), (0.0, 0.15),
        (1, 10), (2.0, 5.0), (0.8, 1.4), (0.0, 0.1), (0.0, 0.3),
    ),
    "pyramidal": Caricature(
        (0.09, 0.14), (0.5, 0.9), (0.15, 0.45), (0.0, 0.1),
        (0.3, 4), (2.0, 4.0), (0.8, 1.2), (0.1, 0.4), (0.0, 0.8),
    ),
    "axo-axonic": Caricature(
        (0.05, 0.09), (0.25, 0.5), (0.3, 0.8), (0.05, 0.35),
        (3, 25), (1.0, 2.5), (0.9, 1.6), (0.0, 0.15), (0.2, 0.9),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cells:
    """Simulated units and what they are.

    Parameters
    ----------
    units : tuple of Unit
    waveforms : tuple of ndarray, each (n_samples, n_channels), float64, uV
        Of the units.
    kind : tuple of str
        Names of `CARICATURES`.
    place_um : ndarray, shape (n_units, 2), float64
    """

    units: tuple[Unit, ...]
    waveforms: tuple[Values, ...]
    kind: tuple[str, ...]
    place_um: Values


def simulate_units(
    seed: int, *, n_units: int = 20, duration_s: float = 600.0, n_channels: int = 16
) -> Cells:
    """Units of all kinds in turn, as bare arrays.

    Parameters
    ----------
    seed : int
    n_units : int
    duration_s : float
    n_channels : int
        Of a probe with two columns, 20 um apart.
    """
    names = list(CARICATURES)
    position = grid_um(n_channels)
    units, waveforms, kinds, places = [], [], [], []
    for k in range(n_units):
        rng = np.random.default_rng([seed, k])
        kind = names[k % len(names)]
        own = CARICATURES[kind]
        low, high = position.min(axis=0), position.max(axis=0)
        place = rng.uniform(low - 10, high + 10)
        waveform = _waveform(own, rng)[:, None] * _spread(place, position, rng)
        waveforms.append(waveform * 10 ** rng.uniform(1.8, 2.3))
        units.append(
            Unit(
                spikes_s=train(own, duration_s, rng),
                duration_s=duration_s,
                waveform=waveforms[-1],
                rate_hz=RATE_HZ,
                position_um=position,
            )
        )
        kinds.append(kind)
        places.append(place)
    return Cells(tuple(units), tuple(waveforms), tuple(kinds), np.asarray(places).reshape(-1, 2))


def simulate_cells(
    seed: int, *, n_units: int = 10, duration_s: float = 60.0, n_channels: int = 16
) -> tuple[Recording, LabelSet, LabelSet]:
    """A recording of simulated units, its true spikes and the true kind of each.

    Parameters
    ----------
    seed : int
    n_units : int
    duration_s : float
    n_channels : int

    Returns
    -------
    recording : Recording
    spikes : LabelSet
        EVENTS, item = unit.
    truth : LabelSet
        CLASSES over the units.
    """
    cells = simulate_units(seed, n_units=n_units, duration_s=duration_s, n_channels=n_channels)
    n_before = round(BEFORE_S * RATE_HZ)
    waveforms = np.stack(cells.waveforms).astype(np.float32)
    templates = Templates(waveforms, n_before, cells.place_um, NOISE_UV)
    n_samples = round(duration_s * RATE_HZ)
    margin = waveforms.shape[1]
    sample, owner = [], []
    for k, unit in enumerate(cells.units):
        at = np.round(np.asarray(unit.spikes_s) * RATE_HZ).astype(np.int64)
        at = at[(at > margin) & (at < n_samples - margin)]
        sample.append(at)
        owner.append(np.full(at.size, k, np.int64))
    spikes = Spikes(
        np.concatenate(sample),
        np.concatenate(owner),
        templates.peak_uv[np.concatenate(owner)],
    )
    blocks = _blocks(seed, spikes, templates, (n_samples, n_channels))
    kept = collect(blocks, (n_samples, n_channels), None)
    declared = Declaration(
        "simulated",
        (),
        (
            "waveforms: sums of Gaussians, scaled by distance to each contact",
            "trains: gamma intervals with refractory period, bursts and theta",
            f"background: white Gaussian noise of {NOISE_UV:g} uV",
        ),
        {"n_units": n_units, "duration_s": duration_s, "n_channels": n_channels},
        tuple({"kind": kind} for kind in cells.kind),
    )
    clock = Clock.regular(RATE_HZ, n_samples)
    recording = recording_of(kept, probe_table(grid_um(n_channels)), clock, declared)
    author = Author("model", "simulated cells", "1")
    events = truth_of(spikes, templates, recording, author, seed, {})
    return recording, events, _truth(events, cells.kind, seed)


def train(kind: Caricature, duration_s: float, rng: np.random.Generator) -> Values:
    """Spike times of a unit of a kind, seconds, increasing.

    Parameters
    ----------
    kind : Caricature
    duration_s : float
    rng : numpy.random.Generator
    """
    rate = _log(kind.rate_hz, rng)
    refractory = _log(kind.refractory_ms, rng) / 1000
    order, share = rng.uniform(*kind.order), rng.uniform(*kind.bursts)
    depth, frequency = rng.uniform(*kind.theta), rng.uniform(6, 9)
    slow = rng.uniform(0.0, 0.6)
    phase = rng.uniform(0, 2 * np.pi, 2)
    mean = 1 / rate
    n = int(duration_s * rate * 3 + 100)
    gaps = rng.gamma(order, mean / order, n)
    warped = np.cumsum(gaps)
    fine = np.linspace(0, duration_s, max(int(duration_s * 100), 2))
    drive = 1 + depth * np.sin(2 * np.pi * frequency * fine + phase[0])
    drive *= 1 + slow * np.sin(2 * np.pi * fine / rng.uniform(60, 400) + phase[1])
    clock = np.concatenate([[0.0], np.cumsum((drive[1:] + drive[:-1]) / 2 * np.diff(fine))])
    times = np.interp(warped[warped < clock[-1]], clock, fine)
    starts = rng.random(times.size) < share
    extra = [
        times[starts][rng.random(int(starts.sum())) < 0.8**k] + k * rng.uniform(0.003, 0.006)
        for k in (1, 2, 3)
    ]
    # a burst's spikes keep their own distances apart from noise of half a millisecond
    out = np.sort(np.concatenate([times, *(e + rng.normal(0, 5e-4, e.size) for e in extra)]))
    out = out[(out > 0) & (out < duration_s)]
    keep = np.concatenate([[True], np.diff(out) > refractory]) if out.size else np.zeros(0, bool)
    return np.asarray(out[keep])


def _waveform(kind: Caricature, rng: np.random.Generator) -> Values:
    at = np.arange(-round(BEFORE_S * RATE_HZ), round(AFTER_S * RATE_HZ)) / RATE_HZ * 1000
    width, delay = rng.uniform(*kind.trough_ms), rng.uniform(*kind.delay_ms)
    trough = -np.exp(-0.5 * (at / width) ** 2)
    rise = np.where(at < delay, 0.45, 0.9) * delay
    after = rng.uniform(*kind.peak) * np.exp(-0.5 * ((at - delay) / rise) ** 2)
    gate = 1 / (1 + np.exp(-(at - 0.8 * width) / (0.3 * width)))
    early = rng.uniform(*kind.before) * np.exp(-0.5 * ((at + 2.5 * width) / (1.2 * width)) ** 2)
    shape = trough + after * gate + early
    return np.asarray(shape / np.abs(shape).max())


def _spread(place: Values, position: Values, rng: np.random.Generator) -> Values:
    away = np.sqrt(((position - place) ** 2).sum(axis=1) + rng.uniform(10, 25) ** 2)
    size = away ** -rng.uniform(1.2, 2.0)
    return np.asarray(size / size.max())


def _blocks(
    seed: int, spikes: Spikes, templates: Templates, shape: tuple[int, int]
) -> Iterator[npt.NDArray[np.float32]]:
    rng = np.random.default_rng([seed, 1])
    step, size = round(_BLOCK_S * RATE_HZ), templates.waveforms_uv.shape[1]
    order = np.argsort(spikes.sample, kind="stable")
    sample, unit = spikes.sample[order] - templates.n_before, spikes.unit[order]
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        block = rng.normal(0, NOISE_UV, (stop - start, shape[1])).astype(np.float32)
        first, last = np.searchsorted(sample, (start - size, stop))
        for at, k in zip(sample[first:last].tolist(), unit[first:last].tolist(), strict=True):
            a, b = max(at, start), min(at + size, stop)
            if a < b:
                block[a - start : b - start] += templates.waveforms_uv[k, a - at : b - at]
        yield block


def _truth(events: LabelSet, kinds: tuple[str, ...], seed: int) -> LabelSet:
    items = events.items
    made = events.provenance
    columns: dict[str, Any] = {
        "id": items,
        "item": items,
        "target": items,
        "label": np.asarray([CORTICAL.code(kinds[k]) for k in items.tolist()], np.int32),
    }
    provenance = Provenance(
        "celltypes", made.source, made.author, made.stream, seed=seed, targets=(events.digest,)
    )
    return LabelSet.build(Kind.CLASSES, columns, CORTICAL, provenance)


def _log(limits: Range, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))
