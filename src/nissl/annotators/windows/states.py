"""Two states of one number that wanders, low and high, by a hidden Markov model.

What is measured (speed, muscle tone, restlessness of a population) differs by orders of magnitude
between recordings, so no fixed limit can tell rest from movement. Its logarithm has two normal
distributions whose states last; both are learnt from the recording itself by expectation and
maximisation (Rabiner 1989, Proc. IEEE 77:257-286). Where the two do not stand apart, as for
constant behaviour, that is refused instead of cut at some place.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

APART = 2.0
"""Distance of means in standard deviations below which states are one (Ashman et al. 1994)."""
LASTS_S = 5.0
"""Shortest mean stay in a state that is believed, s."""
SUREST = 0.999
"""No window is certain: what was measured may not be movement at all."""
_FLOOR = 0.01
_ROUNDS = 40


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of one state.

    Parameters
    ----------
    start, stop : ndarray of int, shape (n,)
        Bins, half-open.
    confidence : ndarray, shape (n,)
        Mean probability of the state over the stretch, NaN where nothing tells.
    """

    start: Ints
    stop: Ints
    confidence: Floats


def low_probability(measured: Floats, bin_s: float, segment: Ints | None = None) -> Floats:
    """Probability of the low state in every bin, shape (n_bins,).

    Parameters
    ----------
    measured : ndarray, shape (n_bins,)
        Not negative.
    bin_s : float
    segment : ndarray of int, shape (n_bins,), optional
        Number of the gapless stretch that each bin lies in; states forget across gaps.

    Raises
    ------
    BadArgumentError
        Of fewer than 20 bins, or of values that are one state.
    """
    known = measured[np.isfinite(measured)]
    if len(known) < 20:
        raise BadArgumentError(
            "20 or more bins that were measured", f"{len(known)}", "Record longer."
        )
    x = np.log(np.maximum(measured, 0.0) + _FLOOR * max(float(np.quantile(known, 0.95)), 1e-12))
    whole = float(np.std(x[np.isfinite(x)]))
    if whole < 1e-6:
        raise _one_state("the same value everywhere")
    # The first guess cuts where the two parts' variances are least (Otsu 1979).
    cuts = np.quantile(x[np.isfinite(x)], np.linspace(0.05, 0.95, 37))
    cut = min(cuts, key=lambda c: _within(x, float(c)))
    parts = [x[x <= cut], x[x > cut]]
    if not all(p.size for p in parts):
        raise _one_state("nearly the same value everywhere")
    mean = np.array([p.mean() for p in parts])
    sd = np.array([max(float(p.std()), 0.05 * whole) for p in parts])
    stay = np.array([1 - min(bin_s / LASTS_S, 0.4)] * 2)
    least = stay.copy()
    start = np.full(2, 0.5)
    first = np.ones(len(x), bool) if segment is None else np.r_[True, np.diff(segment) != 0]
    if segment is None:
        first[1:] = False
    p, before = np.empty((len(x), 2)), -np.inf
    for _ in range(_ROUNDS):
        density = _densities(x, mean, sd)
        p, moves, likelihood = _smoothed(density, stay, start, first)
        seen = np.where(np.isfinite(x), 1.0, 0.0)[:, None] * p
        total = np.maximum(seen.sum(axis=0), 1e-9)
        mean = (seen * np.nan_to_num(x)[:, None]).sum(axis=0) / total
        apart = (np.nan_to_num(x)[:, None] - mean) ** 2
        sd = np.maximum(np.sqrt((seen * apart).sum(axis=0) / total), 0.05 * whole)
        stay = np.clip(np.diag(moves) / np.maximum(moves.sum(axis=1), 1e-9), least, 1 - 1e-6)
        start = p[first].mean(axis=0)
        if likelihood - before < 1e-4 * abs(likelihood):
            break
        before = likelihood
    low = int(np.argmin(mean))
    distance = float(np.sqrt(2) * abs(mean[1] - mean[0]) / np.sqrt((sd**2).sum()))
    if distance < APART:
        raise _one_state(f"one: what it calls two lie {distance:.1f} standard deviations apart")
    return p[:, low]


def stretches(
    probability: Floats, bin_s: float, least_s: float, segment: Ints | None = None
) -> Stretches:
    """Stretches where a state is more likely than not, none across a gap, none shorter than told.

    Parameters
    ----------
    probability : ndarray, shape (n_bins,)
    bin_s, least_s : float
    segment : ndarray of int, shape (n_bins,), optional
    """
    inside = np.nan_to_num(probability) > 0.5
    cut = np.zeros(len(inside), bool) if segment is None else np.r_[False, np.diff(segment) != 0]
    change = np.r_[True, (inside[1:] != inside[:-1]) | cut[1:]]
    start = np.flatnonzero(change)
    stop = np.r_[start[1:], len(inside)]
    kept = inside[start] & ((stop - start) * bin_s >= least_s - 1e-9)
    start, stop = start[kept].astype(np.int64), stop[kept].astype(np.int64)
    sure = [min(float(probability[a:b].mean()), SUREST) for a, b in zip(start, stop, strict=True)]
    return Stretches(start, stop, np.array(sure, float))


def restlessness(counts: Floats, per: int) -> Floats:
    """How much a population's summed rate varies within a bin, beside what chance gives.

    Variance over mean of the summed counts (Fano 1947): 1 for independent units of constant
    rate, more where they are driven together.

    Parameters
    ----------
    counts : ndarray, shape (n_bins * per, n_units)
        Spikes in short bins.
    per : int
        Short bins per bin, four or more.
    """
    n = len(counts) // per
    total = counts[: n * per].sum(axis=1).reshape(n, per)
    mean = total.mean(axis=1)
    return np.asarray(np.where(mean > 0, total.var(axis=1, ddof=1) / np.maximum(mean, 1e-9), 0.0))


def _within(x: Floats, cut: float) -> float:
    parts = (x[x <= cut], x[x > cut])
    return float(sum(p.var() * p.size for p in parts if p.size))


def _densities(x: Floats, mean: Floats, sd: Floats) -> Floats:
    """Likelihood of each state up to a factor per bin; 1 where nothing was measured."""
    log = -0.5 * ((x[:, None] - mean) / sd) ** 2 - np.log(sd)
    log = np.where(np.isfinite(log), log, 0.0)
    # A bin unlike both states says little about which it is.
    return np.asarray(np.exp(np.maximum(log - log.max(axis=1, keepdims=True), -30.0)), float)


def _smoothed(
    density: Floats, stay: Floats, start: Floats, first: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, float]:
    """State probabilities, expected moves (2, 2) and log likelihood up to a constant."""
    a, b = float(stay[0]), float(stay[1])
    s0, s1 = float(start[0]), float(start[1])
    d, begins = density.tolist(), first.tolist()
    n, likelihood = len(d), 0.0
    forward = [(0.5, 0.5)] * n
    scale = [1.0] * n
    f0 = f1 = 0.5
    for k in range(n):
        p0, p1 = (s0, s1) if begins[k] else (f0 * a + f1 * (1 - b), f0 * (1 - a) + f1 * b)
        f0, f1 = p0 * d[k][0], p1 * d[k][1]
        total = f0 + f1 or exp(-60.0)
        f0, f1 = f0 / total, f1 / total
        forward[k], scale[k] = (f0, f1), total
        likelihood += log(total)
    b0 = b1 = 1.0
    p = np.empty((n, 2))
    moves = np.zeros((2, 2))
    for k in range(n - 1, -1, -1):
        f0, f1 = forward[k]
        total = f0 * b0 + f1 * b1 or exp(-60.0)
        p[k] = f0 * b0 / total, f1 * b1 / total
        if begins[k]:
            b0 = b1 = 1.0
            continue
        u0, u1 = d[k][0] * b0 / scale[k], d[k][1] * b1 / scale[k]
        g0, g1 = forward[k - 1]
        moves += [[g0 * a * u0, g0 * (1 - a) * u1], [g1 * (1 - b) * u0, g1 * b * u1]]
        b0, b1 = a * u0 + (1 - a) * u1, (1 - b) * u0 + b * u1
    return p, moves, likelihood


def _one_state(got: str) -> BadArgumentError:
    return BadArgumentError(
        "two states of what was measured, rest and movement",
        got,
        "Constant behaviour has no rest to tell apart: mark it by hand and name the spans, "
        "or give another signal of movement.",
    )


__all__ = ["Stretches", "low_probability", "restlessness", "stretches"]
