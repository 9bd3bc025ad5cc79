"""Merges and splits of units, judged by their spikes.

Two units are one where their spikes, cleaned of all others, make one heap along the line
between the two templates. The line comes from one half of the spikes and is looked at with the
other, so that it cannot follow their noise.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.clustering import (
    HEAPS,
    LEAST,
    LOOSE,
    cluster,
    kmeans,
    reduce_features,
    steady,
)
from nissl.annotators.spikes.own.finding.unimodality import BIN_SD, two_heaps
from nissl.annotators.spikes.own.matching.pieces import mapped
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.matching.subtraction import used_amplitude
from nissl.annotators.spikes.own.templates.projection import project_at, shifted
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

ALIKE = 0.5
"""Correlation of templates from which two units may be one."""
FAR = 18
"""Samples by which doubles of a unit may come apart."""
SAME = 0.12
"""Norm of the difference over the smaller norm below which they are."""
ALONG, STRICT = 2.5, 12.0
"""Two whose shapes differ by less, in noise SDs, are one at two amplitudes, as overlaps and bursts
make them, unless the statistic of `two_heaps` is that large."""
RATIO = 3
N_CHANNELS = 12
N_SPLIT_CHANNELS = 8
MOST_SPIKES = 2000
SPLIT_SHARE = 0.08
STARTS = 3
FEWEST, OTHER, SMALL = 25, 3.0, 7.0
"""Or so many spikes of one waveform, in noise SDs that far from the unit's at any amplitude, and
that large: the smallest units are mixtures."""


@dataclass(frozen=True)
class Pair:
    """Two units that may be one.

    Parameters
    ----------
    one, other : int
    lag : float
        Samples by which the other's template comes later.
    likeness : float
        Correlation of the templates at that lag.
    difference : float
        Norm of the difference over the smaller norm.
    """

    one: int
    other: int
    lag: float
    likeness: float
    difference: float


def alike(templates: Templates, least: float = ALIKE) -> list[Pair]:
    """Pairs of units with similar templates, the most similar first."""
    start, columns = templates.pairs
    norms = templates.norms
    found = []
    for u in range(len(templates)):
        for q in range(start[u], start[u + 1]):
            v = int(columns[q])
            if v <= u:
                continue
            # echoes of u in scores of v, the middle phase is a shift of 0
            near = slice(templates.reach - FAR, templates.reach + FAR + 1)
            row = templates.echoes[q][:, near]
            phase, lag = np.unravel_index(int(np.argmax(row)), row.shape)
            peak = float(row[phase, lag])
            likeness = peak / float(np.sqrt(norms[u] * norms[v]))
            if likeness < least:
                continue
            # the score of v is largest `later` samples after u's peak, so v's template is earlier
            later = float(lag) - FAR - (float(phase) / 10 - 0.5)
            apart = max(float(norms[u] + norms[v]) - 2 * peak, 0.0)
            found.append(
                Pair(u, v, -later, likeness, float(np.sqrt(apart / min(norms[u], norms[v]))))
            )
    return sorted(found, key=lambda p: -p.likeness)


def cleaned(
    templates: Templates,
    residual: Samples,
    spikes: Matched,
    unit: int,
    channels: Ints,
    lag: float = 0.0,
    most: int = MOST_SPIKES,
) -> tuple[Samples, Ints]:
    """Features of a unit's spikes freed of all others, and which spikes they are.

    Parameters
    ----------
    templates, residual, spikes
        The residual is without all spikes; the unit's own template is put back.
    unit : int
    channels : ndarray, shape (n_near,)
    lag : float
        Samples by which to look later.
    most : int
        Evenly taken from all.

    Returns
    -------
    features : ndarray, shape (n, n_shapes, n_near), float32
        Noise of unit variance.
    rows : ndarray, shape (n,), int64
    """
    rows = np.flatnonzero(spikes.unit == unit)
    if rows.size > most:
        rows = rows[np.linspace(0, rows.size - 1, most).astype(np.int64)]
    windows = templates.windows
    late = spikes.shift[rows] + np.float32(lag)
    whole = np.round(late)
    near = np.broadcast_to(channels.astype(np.int32), (rows.size, channels.size))
    left = project_at(
        residual,
        spikes.at[rows] + whole.astype(np.int64),
        (late - whole).astype(np.float32),
        np.ascontiguousarray(near),
        templates.moved_basis,
        windows.before,
    )
    wave = templates.waveforms[unit][:, channels].T
    moved = shifted(wave, -lag)[:, windows.lead : windows.lead + windows.scored]
    own = np.einsum("kj,cj->kc", templates.basis, moved)
    amplitude = used_amplitude(spikes.taken(rows), templates)
    return left + amplitude[:, None, None] * own[None].astype(np.float32), rows


def apartness(templates: Templates, residual: Samples, spikes: Matched, pair: Pair) -> float:
    """Statistic of `two_heaps` between two units, the line from one half, the look from the other.

    Infinite where either has too few spikes to tell and the templates differ clearly.
    """
    power = np.sum(templates.waveforms[[pair.one, pair.other]] ** 2, axis=(0, 1))
    channels = np.sort(np.argsort(-power, kind="stable")[:N_CHANNELS])
    one, _ = cleaned(templates, residual, spikes, pair.one, channels)
    other, _ = cleaned(templates, residual, spikes, pair.other, channels, pair.lag)
    if min(len(one), len(other)) < 2 * LEAST:
        return 0.0 if pair.difference < 2 * SAME else float("inf")
    slope = _slope(templates, pair.one, channels)
    norm = float(np.sqrt(min(templates.norms[pair.one], templates.norms[pair.other])))
    return between(one.reshape(len(one), -1), other.reshape(len(other), -1), norm, slope)


def between(one: Samples, other: Samples, norm: float, slope: Samples | None = None) -> float:
    """Statistic of `two_heaps` along the line between two sets' means.

    The line comes from one half of each and is looked at with the other, so that it cannot
    follow the noise of the features that it is looked at with.

    Parameters
    ----------
    one, other : ndarray, shape (n, n_dimensions), float32
        Noise of unit variance.
    norm : float
        Of the templates: bins are wider for large units.
    slope : ndarray, shape (n_dimensions,), optional
        A direction, of unit norm, that does not count.
    """
    if min(len(one), len(other)) < 2:
        return float("inf")
    seen: tuple[list[Samples], list[Samples]] = ([], [])
    for a, b in ((0, 1), (1, 0)):
        means = [features[a::2].mean(axis=0) for features in (one, other)]
        line = means[1] - means[0]
        if slope is not None:
            line = line - slope * (slope @ line)
        line = line / max(float(np.linalg.norm(line)), 1e-9)
        middle = 0.5 * (means[0] + means[1]) @ line
        for side, features in zip(seen, (one, other), strict=True):
            side.append(features[b::2] @ line - middle)
    width = BIN_SD * max(1.0, LOOSE * norm)
    first, second = (np.concatenate(side).astype(np.float64) for side in seen)
    most = RATIO * min(first.size, second.size)
    return two_heaps(_thinned(first, most), _thinned(second, most), width)


def limit(shape: float) -> float:
    """Statistic of `two_heaps` from which two are two.

    Parameters
    ----------
    shape : float
        How far they are apart at any amplitude, noise SDs.
    """
    return HEAPS if shape >= ALONG else STRICT


def _thinned(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.float64]:
    """Evenly taken from all, so that a large unit does not hide a small one."""
    if values.size <= most:
        return values
    return values[np.linspace(0, values.size - 1, most).astype(np.int64)]


def _slope(templates: Templates, unit: int, channels: Ints) -> Samples:
    """How a template changes with time, of unit norm: what badly known moments change."""
    wave = templates.waveforms[unit][:, channels]
    windows = templates.windows
    change = np.gradient(wave, axis=0)[windows.lead : windows.lead + windows.scored]
    flat = np.einsum("kj,jc->kc", templates.basis, change).ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-9), dtype=np.float32)


def merge(
    templates: Templates,
    residual: Samples,
    spikes: Matched,
    pool: ThreadPoolExecutor | None = None,
) -> tuple[Templates, Ints]:
    """Units that are one, joined.

    Parameters
    ----------
    templates, residual, spikes
        As of `cleaned`.
    pool : ThreadPoolExecutor, optional
        Pairs are shared among its threads, with the same result.

    Returns
    -------
    templates : Templates
        The larger part's template stands for both.
    into : ndarray, shape (n_units,), int64
        New number of each old unit.
    """
    n = len(templates)
    templates.moved_basis  # noqa: B018, before threads share it
    norms = np.sqrt(templates.norms.astype(np.float64))

    def one(pair: Pair) -> bool:
        norm = min(norms[pair.one], norms[pair.other])
        shape = float(norm) * float(np.sqrt(max(1 - pair.likeness**2, 0)))
        same = pair.difference < SAME
        return same or apartness(templates, residual, spikes, pair) < limit(shape)

    into = np.arange(n)
    done: set[int] = set()
    count = np.bincount(spikes.unit, minlength=n)
    pairs = alike(templates)
    for pair, same in zip(pairs, list(mapped(pool, one, pairs)), strict=True):
        if not same or pair.one in done or pair.other in done:
            continue
        keep, gone = pair.one, pair.other
        if count[gone] > count[keep]:
            keep, gone = gone, keep
        into[gone] = keep
        done |= {keep, gone}
    kept = np.unique(into)
    rate = np.bincount(into, templates.rate_hz, n).astype(np.float64)
    new = Templates(templates.waveforms[kept], templates.basis, rate[kept], templates.windows)
    return new, np.searchsorted(kept, into)


def split(
    templates: Templates,
    residual: Samples,
    spikes: Matched,
    rng: np.random.Generator,
    pool: ThreadPoolExecutor | None = None,
) -> tuple[Templates, Ints]:
    """Units whose spikes make several heaps, taken apart.

    Parameters
    ----------
    templates, residual, spikes
        As of `cleaned`.
    rng : numpy Generator
    pool : ThreadPoolExecutor, optional
        Units are shared among its threads, with the same result.

    Returns
    -------
    templates : Templates
    of : ndarray, shape (n_parts,), int64
        The unit that each was part of.
    """
    seeds = rng.integers(2**63, size=len(templates))
    templates.moved_basis  # noqa: B018, before threads share it

    def one(unit: int) -> tuple[list[Samples], list[float]]:
        return _parts(templates, residual, spikes, unit, np.random.default_rng(seeds[unit]))

    parts = list(mapped(pool, one, range(len(templates))))
    of = np.repeat(np.arange(len(templates)), [len(rates) for _, rates in parts])
    if of.size == len(templates):
        return templates, of
    waves = np.stack([wave for own, _ in parts for wave in own])
    rates = np.asarray([rate for _, own in parts for rate in own])
    return replace(templates, waveforms=waves, rate_hz=rates), of


def _parts(
    templates: Templates, residual: Samples, spikes: Matched, unit: int, rng: np.random.Generator
) -> tuple[list[Samples], list[float]]:
    """Waveforms and rates of a unit's parts; its own where it is one."""
    power = np.sum(templates.waveforms[unit] ** 2, axis=0)
    channels = np.sort(np.argsort(-power, kind="stable")[:N_SPLIT_CHANNELS])
    features, rows = cleaned(templates, residual, spikes, unit, channels, most=4000)
    if not rows.size:
        return [templates.waveforms[unit]], [float(templates.rate_hz[unit])]
    labels = np.zeros(rows.size, np.int64)
    if rows.size >= 4 * LEAST:
        labels = _distinct(features, rng, float(templates.norms[unit]) ** 0.5)
    size = np.bincount(labels, minlength=1) / max(rows.size, 1)
    parts = np.flatnonzero((size >= SPLIT_SHARE) | _others(features, labels))
    rate = float(templates.rate_hz[unit])
    if parts.size < 2:
        return [templates.waveforms[unit]], [rate]
    waves = [_part(templates, residual, spikes, unit, rows[labels == part]) for part in parts]
    return waves, (rate * size[parts]).tolist()


def _distinct(features: Samples, rng: np.random.Generator, norm: float) -> Ints:
    """Clusters that are two by halves: the most that any of some starts finds."""
    best, reduced = np.zeros(len(features), np.int64), reduce_features(features)
    for _ in range(STARTS):
        labels = cluster(reduced, rng)
        if not labels.any():  # many small clusters join one by one where two large ones would not
            labels = kmeans(reduced, 2, rng)
        apart = _apart(features.reshape(len(features), -1), reduced, labels, norm)
        if apart.max() > best.max():
            best = apart
    return best


def _apart(flat: Samples, reduced: Samples, labels: Ints, norm: float) -> Ints:
    """Clusters joined that are no farther apart than what subtraction leaves, or one by halves."""
    labels = labels.copy()
    settled: set[tuple[int, int]] = set()
    while True:
        pair = _nearest(reduced, labels, settled)
        if pair is None:
            return np.unique(labels, return_inverse=True)[1].astype(np.int64)
        one, other = (labels == k for k in pair)
        first, second = flat[one].mean(axis=0), flat[other].mean(axis=0)
        if np.linalg.norm(first) < np.linalg.norm(second):
            first, second = second, first
        shape = float(np.linalg.norm(second - first * (first @ second) / (first @ first)))
        near = float(np.linalg.norm(first - second)) < SAME * norm
        if near or between(reduced[one], reduced[other], norm) < limit(shape):
            labels[labels == pair[1]] = pair[0]
            settled = {p for p in settled if not set(p) & set(pair)}
        else:
            settled.add(pair)


def _others(features: Samples, labels: Ints) -> npt.NDArray[np.bool_]:
    """Which of the clusters, however small, are not the largest at another amplitude."""
    count = np.bincount(labels)
    flat = features.reshape(len(features), -1)
    means = np.stack([flat[labels == k].mean(axis=0) for k in range(count.size)])
    usual = means[np.argmax(count)]
    amplitude = means @ usual / max(float(usual @ usual), 1e-9)
    apart = np.linalg.norm(means - amplitude[:, None] * usual, axis=1)
    large = np.linalg.norm(means, axis=1) > SMALL
    return np.asarray((count >= FEWEST) & (apart > OTHER) & large & steady(features, labels), bool)


def _nearest(
    features: Samples, labels: Ints, settled: set[tuple[int, int]]
) -> tuple[int, int] | None:
    """The two clusters that are nearest of those that have not been judged."""
    names = [int(k) for k in np.unique(labels)]
    means = {k: features[labels == k].mean(axis=0) for k in names}
    found = [
        (float(np.sum((means[a] - means[b]) ** 2)), a, b)
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        if (a, b) not in settled
    ]
    return min(found)[1:] if found else None


def _part(
    templates: Templates, residual: Samples, spikes: Matched, unit: int, rows: Ints
) -> Samples:
    from nissl.annotators.spikes.own.templates.estimating import refine

    own = spikes.taken(rows)
    moved = replace(own, unit=np.zeros(rows.size, np.int64))
    alone = templates.kept(np.asarray([unit]))
    return np.asarray(refine(alone, residual, moved, 1e9, 1.0).waveforms[0], np.float32)
