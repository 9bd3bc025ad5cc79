"""Gaussian-process factor analysis: few latents, each smooth at a pace that is learnt.

Yu, Cunningham, Santhanam, Ryu, Shenoy and Sahani (2009, J. Neurophysiol. 102:614-635): square
roots of counts are a linear readout of latents with noise of each unit's own; each latent is a
Gaussian process with a squared-exponential kernel. Expectation and maximisation, inference exact
within a window for each length that occurs. Windows longer than `LONGEST` bins are cut: pieces are
taken for independent while the model is learnt, and read with `MARGIN` bins on either side.

A `Process` takes the place of the Gaussian that activity is smoothed with otherwise: what it gives
is the activity that the latents speak of, unit by unit, of which axes are then read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints, runs

LONGEST = 60
MARGIN = 20
WHITE = 1e-3
"""Part of a latent's variance that is independent from bin to bin: keeps kernels invertible."""
_ROUNDS = 80
_DONE = 1e-5
_LEAST = 1e-4
_SLOWEST = 3.0
"""Timescales are sought up to so many times the longest window."""


@dataclass(frozen=True, eq=False)
class Process:
    """Latents that are Gaussian processes, and how units read them.

    Parameters
    ----------
    mean : ndarray, shape (n_units,)
        Of square roots of activity.
    loading : ndarray, shape (n_units, n_axes)
        Zero rows are units that take no part.
    noise : ndarray, shape (n_units,)
        Variance.
    timescale : ndarray, shape (n_axes,)
        Of the kernels exp(-dt² / 2 timescale²), bins.
    """

    mean: Floats
    loading: Floats
    noise: Floats
    timescale: Floats

    def latents(self, x: Floats, windows: Ints) -> Floats:
        """Posterior means, shape (n_bins, n_axes).

        Parameters
        ----------
        x : ndarray, shape (n_bins, n_units)
            Square roots of activity.
        windows : ndarray of int, shape (n_bins,)
            Bins of one window are contiguous; bins outside all (-1) are read one by one.
        """
        out = np.zeros((len(x), self.loading.shape[1]))
        scaled = self.loading / self.noise[:, None]
        inner, q = scaled.T @ self.loading, out.shape[1]
        drive = (x - self.mean) @ scaled
        by_length: dict[int, Floats] = {}
        for left, right, first, last in _pieces(windows):
            n = right - left
            if n not in by_length:
                by_length[n] = _covariance(n, self.timescale, inner)[0]
            read = (by_length[n] @ drive[left:right].T.reshape(-1)).reshape(q, n).T
            out[first:last] = read[first - left : last - left]
        return out

    def denoised(self, x: Floats, windows: Ints) -> Floats:
        """Activity that the latents speak of, shape as of `x`."""
        return np.asarray(self.mean + self.latents(x, windows) @ self.loading.T, float)

    def left_out(self, x: Floats, windows: Ints) -> Floats:
        """Every unit predicted from the others alone, shape as of `x`."""
        out = np.empty_like(x)
        for unit in range(x.shape[1]):
            loading = self.loading.copy()
            loading[unit] = 0.0
            others = Process(self.mean, loading, self.noise, self.timescale)
            out[:, unit] = self.mean[unit] + others.latents(x, windows) @ self.loading[unit]
        return out

    def of_units(self, mine: Ints, theirs: Ints, n_units: int) -> Process:
        """The same for another population, whose unit `theirs[k]` is this one's `mine[k]`."""
        mean, noise = np.zeros(n_units), np.ones(n_units)
        loading = np.zeros((n_units, self.loading.shape[1]))
        mean[theirs], noise[theirs] = self.mean[mine], self.noise[mine]
        loading[theirs] = self.loading[mine]
        return Process(mean, loading, noise, self.timescale)


def learnt(
    x: Floats, windows: Ints, loading: Floats, noise: Floats, rounds: int = _ROUNDS
) -> tuple[Process, list[float]]:
    """Fit a process by expectation and maximisation.

    Parameters
    ----------
    x : ndarray, shape (n_bins, n_units)
        Square roots of activity.
    windows : ndarray of int, shape (n_bins,)
        Bins outside all (-1) are left out.
    loading : ndarray, shape (n_units, n_axes)
        To begin with, as of factor analysis.
    noise : ndarray, shape (n_units,)
    rounds : int

    Returns
    -------
    process : Process
    likelihood : list of float
        Log-likelihood before each round, nats.
    """
    groups = _groups(x, windows)
    longest = max(g.shape[1] for g in groups)
    mean = np.concatenate([g.reshape(-1, x.shape[1]) for g in groups]).mean(axis=0)
    now = Process(mean, loading, noise, np.full(loading.shape[1], max(2.0, longest / 6)))
    seen: list[float] = []
    for _ in range(rounds):
        now, value = _round(now, groups, longest)
        seen.append(value)
        if len(seen) > 1 and seen[-1] - seen[-2] < _DONE * abs(seen[-1]):
            break
    return now, seen


def _round(now: Process, groups: list[Floats], longest: int) -> tuple[Process, float]:
    """One round; the likelihood is that of the process that it began from."""
    n_units, q = now.loading.shape
    scaled = now.loading / now.noise[:, None]
    inner = scaled.T @ now.loading
    second, cross = np.zeros((q + 1, q + 1)), np.zeros((n_units, q + 1))
    squares, n_bins, value = np.zeros(n_units), 0, 0.0
    moments: list[tuple[int, int, Floats]] = []
    for x in groups:
        m, n = x.shape[:2]
        covariance, log_size = _covariance(n, now.timescale, inner)
        centred = x - now.mean
        drive = np.swapaxes(centred @ scaled, 1, 2).reshape(m, q * n)
        flat = drive @ covariance
        z = np.swapaxes(flat.reshape(m, q, n), 1, 2)
        blocks = covariance.reshape(q, n, q, n)
        with_one = np.concatenate([z, np.ones((m, n, 1))], axis=2).reshape(-1, q + 1)
        rows = x.reshape(-1, n_units)
        second += with_one.T @ with_one
        second[:q, :q] += m * np.einsum("injn->ij", blocks)
        cross += rows.T @ with_one
        squares += (rows**2).sum(axis=0)
        n_bins += m * n
        own = np.stack([m * blocks[k, :, k] + z[:, :, k].T @ z[:, :, k] for k in range(q)])
        moments.append((n, m, own))
        quadratic = (centred**2 / now.noise).sum() - (drive * flat).sum()
        size = n * float(np.log(2 * np.pi * now.noise).sum()) + log_size
        value -= 0.5 * (m * size + float(quadratic))
    both = np.linalg.solve(second, cross.T).T
    loading, mean = both[:, :q], both[:, q]
    noise = np.maximum((squares - (both * cross).sum(axis=1)) / n_bins, _LEAST)
    timescale = np.array([_pace(k, moments, now.timescale[k], longest) for k in range(q)])
    return Process(mean, loading, noise, timescale), value


def _pace(k: int, moments: list[tuple[int, int, Floats]], now: float, longest: int) -> float:
    """Timescale under which a latent's second moments are most likely, bins."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import minimize_scalar

    def cost(log_scale: float) -> float:
        total = 0.0
        for n, m, own in moments:
            factor = cho_factor(kernel(n, float(np.exp(log_scale))), lower=True)
            total += m * 2 * float(np.log(np.diag(factor[0])).sum())
            total += float(np.trace(cho_solve(factor, own[k])))
        return total

    low, high = np.log(0.3), np.log(_SLOWEST * max(longest, 2))
    # Near the pace of the last round, so that a round costs little and never goes downhill.
    at = float(np.clip(np.log(now), low, high))
    around = (max(low, at - 0.7), min(high, at + 0.7))
    found = minimize_scalar(cost, bounds=around, method="bounded", options={"xatol": 0.02})
    return float(np.exp(found.x if found.fun < cost(at) else at))


def kernel(n: int, timescale: float) -> Floats:
    """Covariance of a latent over `n` bins, shape (n, n)."""
    apart = np.subtract.outer(np.arange(n), np.arange(n)) / timescale
    return np.asarray((1 - WHITE) * np.exp(-0.5 * apart**2) + WHITE * np.eye(n), float)


def _covariance(n: int, timescale: Floats, inner: Floats) -> tuple[Floats, float]:
    """Posterior covariance of latents, latent by latent; log |K| + log |K^-1 + readout|."""
    from scipy.linalg import cho_factor, cho_solve

    q = len(timescale)
    precision = np.kron(inner, np.eye(n))
    log_size = 0.0
    for k, scale in enumerate(timescale.tolist()):
        factor = cho_factor(kernel(n, scale), lower=True)
        here = slice(k * n, (k + 1) * n)
        precision[here, here] += cho_solve(factor, np.eye(n))
        log_size += 2 * float(np.log(np.diag(factor[0])).sum())
    factor = cho_factor(precision, lower=True)
    log_size += 2 * float(np.log(np.diag(factor[0])).sum())
    covariance = cho_solve(factor, np.eye(q * n))
    return np.asarray((covariance + covariance.T) / 2, float), log_size


def _stretches(windows: Ints) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(windows)) + 1
    bounds = [0, *edges.tolist(), len(windows)]
    for a, b in pairwise(bounds):
        if windows[a] >= 0:
            yield a, b
        else:
            yield from ((k, k + 1) for k in range(a, b))


def _pieces(windows: Ints) -> Iterator[tuple[int, int, int, int]]:
    """What is read together (left, right) for what is kept of it (first, last)."""
    for a, b in _stretches(windows):
        if b - a <= LONGEST:
            yield a, b, a, b
            continue
        for first in range(a, b, LONGEST):
            last = min(first + LONGEST, b)
            yield max(first - MARGIN, a), min(last + MARGIN, b), first, last


def _groups(x: Floats, windows: Ints) -> list[Floats]:
    """Windows, and pieces of long ones, by length: arrays (n_windows, n_bins, n_units)."""
    by_length: dict[int, list[Floats]] = {}
    for a, b in _stretches(windows):
        if windows[a] < 0:
            continue
        for part in np.array_split(x[a:b], -(-(b - a) // LONGEST)):
            by_length.setdefault(len(part), []).append(part)
    return [np.stack(by_length[n]) for n in sorted(by_length)]


def roots(fragment: Fragment) -> Floats:
    """Square roots of activity, not smoothed, shape (n_bins, n_units)."""
    runs(fragment)  # refuses windows that come again
    return np.asarray(np.sign(fragment.activity) * np.sqrt(np.abs(fragment.activity)), float)
