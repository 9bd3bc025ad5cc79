"""Is axis k of one population axis k of another? A probability for each, from windows held out.

The other population is aligned by one half of its windows; on the other half, what conditions do
along each axis (their mean over conditions taken away) is correlated with what they do along each
axis of the reference, and the halves change places. An axis is the same where it follows its own
partner and no other axis as much. How much is enough was learnt from simulated subjects by
`simulated` and `fitted`; the curve's three numbers stand here. Beside it stands p from conditions
in another order, which needs no simulation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Bools, Floats, Fragment, Ints, conditions, runs
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.maps import Map
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.latent.trajectories import n_steps, trajectories

CURVE = (-2.353, 3.277, 1.200)
"""Offset, slope over the correlation and over its lead, both as arc hyperbolic tangents."""
LEAST_CONDITIONS = 4
SAME = 0.7
"""Correlation on many windows from which on simulated axes were called the same."""
_CLOSE = 0.999
_N_NULL = 199


@dataclass(frozen=True, eq=False)
class SameAxes:
    """Evidence for each axis of the common space.

    Parameters
    ----------
    correlation : ndarray, shape (n_axes,)
        Of held-out windows with the reference, mean of both halves.
    rival : ndarray, shape (n_axes,)
        Largest correlation with any other axis, either way.
    p : ndarray, shape (n_axes,)
        Share of orders of conditions that correlate as much; NaN with all else where too few
        conditions are known.
    """

    correlation: Floats
    rival: Floats
    p: Floats

    @property
    def probability(self) -> Floats:
        """That both are one axis, NaN where nothing can be said."""
        own, lead = _facts(self)
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-(CURVE[0] + CURVE[1] * own + CURVE[2] * lead))))


def same_axes(
    used: tuple[Fragment, Fragment],
    told: tuple[Fragment, Fragment],
    method: str,
    rng: np.random.Generator,
    settings: Settings,
) -> SameAxes:
    """Evidence that axes of a reference and of another population are the same.

    Parameters
    ----------
    used : tuple of Fragment
        What the aligner sees: the reference, and the other.
    told : tuple of Fragment
        The same with every condition that is known.
    method : str
    rng : numpy.random.Generator
    settings : Settings
    """
    nothing = np.full(settings.n_axes, np.nan)
    shared = _shared(told)
    if len(shared) < LEAST_CONDITIONS:
        return SameAxes(nothing, nothing, nothing)
    number, _, _ = runs(told[1])
    half = _halves(conditions(told[1]))
    found = []
    for k in (0, 1):
        part = used[1].in_windows(number[half == k])
        rest = told[1].in_windows(number[half != k])
        if len(np.intersect1d(_shared((told[0], rest)), shared)) < len(shared):
            return SameAxes(nothing, nothing, nothing)
        maps = align((used[0], part), method, rng=rng, settings=settings).maps
        found.append(_courses((told[0], rest), maps, shared))
    own, rival = (np.mean(x, axis=0) for x in zip(*(_read(*c) for c in found), strict=True))
    beaten = np.zeros(settings.n_axes)
    for _ in range(_N_NULL):
        order = rng.permutation(len(shared))
        null = np.mean([_read(a, b[order])[0] for a, b in found], axis=0)
        beaten += null >= own - 1e-12
    return SameAxes(own, rival, (1 + beaten) / (1 + _N_NULL))


def _shared(told: tuple[Fragment, Fragment]) -> Ints:
    known = np.intersect1d(conditions(told[0]), conditions(told[1]))
    return np.asarray(known[known >= 0], np.int64)


def _halves(condition: Ints) -> Ints:
    """0 or 1 for every window, each condition's windows by turns."""
    out = np.zeros(len(condition), np.int64)
    for c in np.unique(condition):
        own = np.flatnonzero(condition == c)
        out[own] = np.arange(len(own)) % 2
    return out


def _courses(
    told: tuple[Fragment, Fragment], maps: tuple[Map, ...], shared: Ints
) -> tuple[Floats, Floats]:
    """What conditions do beyond their mean, shape (n_conditions, n_steps, n_axes) each."""
    steps = n_steps(*told)
    out = []
    for fragment, own in zip(told, maps, strict=True):
        t = trajectories(fragment, own.transform(fragment), steps)
        mean = np.array([t.values[t.condition == c].mean(axis=0) for c in shared.tolist()])
        out.append(mean - mean.mean(axis=0))
    return out[0], out[1]


def _read(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Correlation of every axis with its partner, and the largest with any other."""
    flat = [x.reshape(-1, x.shape[2]) for x in (a, b)]
    scaled = [x / np.maximum(np.linalg.norm(x, axis=0), 1e-12) for x in flat]
    table = scaled[0].T @ scaled[1]
    other = np.abs(table) - 2 * np.eye(len(table))
    return np.diag(table).copy(), np.maximum(other.max(axis=0), other.max(axis=1))


def _facts(found: SameAxes) -> tuple[Floats, Floats]:
    own = np.arctanh(np.clip(found.correlation, -_CLOSE, _CLOSE))
    return own, own - np.arctanh(np.clip(found.rival, -_CLOSE, _CLOSE))


def simulated(seeds: Iterable[int], method: str = "transport") -> tuple[Floats, Bools]:
    """Facts of axes of simulated pairs of days, shape (n, 2), and whether they are the same.

    The same: on 240 other windows they correlate by more than `SAME`, and with no axis more.
    """
    settings, facts, right = Settings(n_axes=6), [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 3])
        subject = simulate_subject(rng)
        n, noise = int(rng.integers(48, 120)), rng.uniform(0.1, 0.5)
        whole = [
            simulate_day(rng, subject, n_trials=n + 240, noise=noise, n_units=u, change=c).fragment
            for u, c in ((80, 0.0), (int(rng.integers(30, 90)), rng.uniform(0, 1.2)))
        ]
        told = (whole[0].in_windows(np.arange(n)), whole[1].in_windows(np.arange(n)))
        used = (told[0].without_conditions(), told[1].without_conditions())
        if method != "transport":
            used = told
        found = same_axes(used, told, method, rng, settings)
        maps = align(used, method, rng=rng, settings=settings).maps
        later = tuple(f.in_windows(np.arange(n, n + 240)) for f in whole)
        true = _read(*_courses((later[0], later[1]), maps, _shared((later[0], later[1]))))
        facts.append(np.stack(_facts(found), axis=1))
        right.append((true[0] > SAME) & (true[0] >= true[1]))
    return np.concatenate(facts), np.concatenate(right)


def fitted(facts: Floats, right: Bools) -> tuple[float, float, float]:
    """Numbers of the curve: `CURVE` came from seeds 0 to 39 of two methods."""
    from sklearn.linear_model import LogisticRegression

    curve = LogisticRegression(C=100.0).fit(facts, right)
    slopes = curve.coef_[0]
    return float(curve.intercept_[0]), float(slopes[0]), float(slopes[1])
