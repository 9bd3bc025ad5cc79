"""How long a population's geometry and dynamics hold: pieces of one recording after the first.

The same units all along, cut into pieces of some minutes. Of every piece is told, beside what the
first piece's own halves reach and what chance gives: how alike the correlations of units are (the
cosine of both matrices, as Escoufier's RV coefficient of 1973, without their diagonals), how
much of the space of most variance is the same (principal angles), and how well the first piece's
linear rule, which predicts latents half a second ahead, predicts here. Smoothing reaches less
far than that, so that it predicts nothing by itself; "nothing changes" stands beside the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats, Fragment, runs
from nissl.align.latent.decoding import ridge
from nissl.align.latent.geometry import principal_angles
from nissl.align.latent.maps import Map
from nissl.align.latent.smoothing import smoothed
from nissl.align.latent.spaces import own_space
from nissl.errors import BadArgumentError

N_NULL = 99
N_AXES = 6
LEAST_BINS = 200
AHEAD_S = 0.5
"""How far the rule looks."""
MEASURES = ("correlations", "space", "rule")


@dataclass(frozen=True, eq=False)
class Held:
    """A measure over the pieces of a recording.

    Parameters
    ----------
    measure : str
    value : ndarray, shape (n_pieces,)
        The first is that of its own halves.
    null : ndarray, shape (n_pieces,)
        95th percentile of chance.
    own : ndarray, shape (n_pieces,)
        What the piece's own first half reaches in its second: the most that can be asked for.
    trend : float
        Rank correlation of value over own with time, the first piece left out; NaN below four.
    p : float
        Of the trend, one-sided: falling.
    """

    measure: str
    value: Floats
    null: Floats
    own: Floats
    trend: float
    p: float

    @property
    def lasts(self) -> int:
        """Pieces in a row, from the first, that exceed chance."""
        lost = np.flatnonzero(~(self.value > self.null))
        return int(lost[0]) if len(lost) else len(self.value)


@dataclass(frozen=True, eq=False)
class Holding:
    """How a recording's geometry and dynamics hold.

    Parameters
    ----------
    start_s : ndarray, shape (n_pieces,)
        Beginnings of the pieces.
    minutes : float
        Of a piece.
    measures : tuple of Held
        "correlations", "space" and "rule".
    angle : ndarray, shape (n_pieces,)
        Largest principal angle to the first piece's space, degrees.
    persistence : ndarray, shape (n_pieces,)
        Skill of "nothing changes".
    silent : tuple of int
        Units that fire in the first piece and not in the last, or the other way round.
    """

    start_s: Floats
    minutes: float
    measures: tuple[Held, ...]
    angle: Floats
    persistence: Floats
    silent: tuple[int, ...]


def holding(
    pieces: Sequence[Fragment],
    start_s: Floats,
    rng: np.random.Generator,
    *,
    n_axes: int = N_AXES,
    smooth_s: float = 0.1,
    n_null: int = N_NULL,
) -> Holding:
    """Compare every piece with the first.

    Parameters
    ----------
    pieces : sequence of Fragment
        Of the same units, in order of time; a window is a gapless stretch.
    start_s : ndarray, shape (n_pieces,)
    rng : numpy.random.Generator
    n_axes : int
    smooth_s : float
    n_null : int

    Raises
    ------
    BadArgumentError
        Of fewer than three pieces, other units, or pieces of too few bins or axes.
    """
    if len(pieces) < 3:
        raise BadArgumentError(
            "a recording of three pieces or more", f"{len(pieces)}", "Ask for shorter pieces."
        )
    if len({p.n_units for p in pieces}) > 1:
        raise BadArgumentError(
            "pieces of the same units",
            f"{sorted({p.n_units for p in pieces})} units",
            "Cut one sorting; of several days align them first.",
        )
    short = min(p.n_bins for p in pieces)
    if short < LEAST_BINS:
        raise BadArgumentError(
            f"pieces of {LEAST_BINS} bins or more", f"{short}", "Ask for longer pieces."
        )
    first = pieces[0]
    rate = np.array([p.activity.mean(axis=0) for p in pieces]) / first.bin_s
    fires = rate[[0, -1]] > 0.01
    heard = np.flatnonzero((rate > 0).any(axis=0))
    kept = [p.select(heard) for p in pieces]
    halves = [_halves(p) for p in kept]
    reference = own_space(halves[0][0], n_axes=n_axes, smooth_s=smooth_s)
    rows: dict[str, list[tuple[float, float, float]]] = {m: [] for m in MEASURES}
    angles, persistence = [], []
    for k, piece in enumerate(kept):
        # The first piece's rule and space are those of its first half throughout.
        there = halves[0][1] if k == 0 else piece
        alike = _covariance(halves[0][0], there, halves[k], smooth_s, rng, n_null)
        rows["correlations"].append(alike)
        value, null, own, angle = _space(reference, there, halves[k], n_axes, smooth_s, rng, n_null)
        rows["space"].append((value, null, own))
        angles.append(angle)
        *rule, stays = _rule(reference, halves[0][0], there, halves[k], rng, n_null)
        rows["rule"].append((rule[0], rule[1], rule[2]))
        persistence.append(stays)
    measures = tuple(_held(m, np.array(v, float)) for m, v in rows.items())
    minutes = float(np.median([p.n_bins for p in pieces])) * first.bin_s / 60
    silent = tuple(int(u) for u in np.flatnonzero(fires[0] != fires[1]))
    return Holding(start_s, minutes, measures, np.array(angles), np.array(persistence), silent)


def cut(fragment: Fragment, start_s: Floats, minutes: float) -> tuple[list[Fragment], Floats]:
    """Pieces of a recording by the time of bins; a piece half recorded or less is left out.

    Parameters
    ----------
    fragment : Fragment
    start_s : ndarray, shape (n_bins,)
        Beginning of every bin.
    minutes : float

    Raises
    ------
    BadArgumentError
        Of pieces of no length.
    """
    if not minutes > 0:
        raise BadArgumentError("pieces longer than nothing", f"{minutes:g} min", "--minutes 10")
    of = np.floor((start_s - start_s[0]) / (60 * minutes) + 1e-9).astype(np.int64)
    least = 0.5 * 60 * minutes / fragment.bin_s
    numbers = [k for k in np.unique(of).tolist() if (of == k).sum() > least]
    pieces = [fragment.take(of == k) for k in numbers]
    return pieces, np.array([start_s[of == k][0] for k in numbers], float)


def _halves(piece: Fragment) -> tuple[Fragment, Fragment]:
    middle = piece.n_bins // 2
    return piece.take(np.arange(middle)), piece.take(np.arange(middle, piece.n_bins))


def _cov(piece: Fragment, smooth_s: float) -> Floats:
    """Correlation of units, that of silent ones 0."""
    x = smoothed(piece, smooth_s)
    x = x - x.mean(axis=0)
    x = x / np.maximum(x.std(axis=0), 1e-9)
    out = np.asarray(x.T @ x / len(x), float)
    np.fill_diagonal(out, 0.0)  # every unit is like itself, which tells nothing
    return out


def _alike(a: Floats, b: Floats) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / size if size > 0 else 0.0


def _covariance(
    first: Fragment,
    there: Fragment,
    halves: tuple[Fragment, Fragment],
    smooth_s: float,
    rng: np.random.Generator,
    n_null: int,
) -> tuple[float, float, float]:
    a, b = _cov(first, smooth_s), _cov(there, smooth_s)
    null = []
    for _ in range(n_null):
        order = rng.permutation(len(b))
        null.append(_alike(a, b[np.ix_(order, order)]))
    own = _alike(_cov(halves[0], smooth_s), _cov(halves[1], smooth_s))
    return _alike(a, b), float(np.quantile(null, 0.95)), own


def _space(
    reference: Map,
    there: Fragment,
    halves: tuple[Fragment, Fragment],
    n_axes: int,
    smooth_s: float,
    rng: np.random.Generator,
    n_null: int,
) -> tuple[float, float, float, float]:
    """Mean squared cosine of principal angles, its chance by other units, own, largest angle."""
    own = [own_space(h, n_axes=n_axes, smooth_s=smooth_s).weights for h in halves]
    other = own_space(there, n_axes=n_axes, smooth_s=smooth_s).weights
    angle = principal_angles(reference.weights, other)
    null = [
        float((np.cos(principal_angles(reference.weights, rng.permutation(other))) ** 2).mean())
        for _ in range(n_null)
    ]
    top = float((np.cos(principal_angles(own[0], own[1])) ** 2).mean())
    value = float((np.cos(angle) ** 2).mean())
    return value, float(np.quantile(null, 0.95)), top, float(np.degrees(angle.max()))


def _steps(piece: Fragment, latents: Floats) -> tuple[Floats, Floats]:
    """Latents of bins and of those `AHEAD_S` later within the same stretch."""
    ahead = max(round(AHEAD_S / piece.bin_s), 1)
    here, after = [latents[:0]], [latents[:0]]
    for a, b in zip(*runs(piece)[1:], strict=True):
        if b - a > ahead:
            here.append(latents[a : b - ahead])
            after.append(latents[a + ahead : b])
    x, y = np.concatenate(here), np.concatenate(after)
    if len(x) < LEAST_BINS // 4:
        raise BadArgumentError(
            f"gapless stretches of {2 * AHEAD_S:g} s or more",
            f"{len(x)} bins with a bin {AHEAD_S:g} s later in {piece.name!r}",
            "Cut a recording without pauses.",
        )
    return x, y


def _rule(
    reference: Map,
    first: Fragment,
    there: Fragment,
    halves: tuple[Fragment, Fragment],
    rng: np.random.Generator,
    n_null: int,
) -> tuple[float, float, float, float]:
    """Skill of the first piece's rule, its chance, that of the piece's own rule, persistence."""
    x, y = _steps(first, reference.transform(first))
    weights, offset = ridge(x, y)
    x, y = _steps(there, reference.transform(there))
    # Slow drift of rates is none of the rule: both are taken about the piece's own mean.
    shift = x.mean(axis=0)
    said = (x - shift) @ weights
    total = float(((y - y.mean(axis=0)) ** 2).sum())
    value = 1 - float((((y - y.mean(axis=0)) - said) ** 2).sum()) / max(total, 1e-12)
    stays = 1 - float((((y - y.mean(axis=0)) - (x - shift)) ** 2).sum()) / max(total, 1e-12)
    null = []
    for _ in range(n_null):
        # The rule of other axes: its axes exchanged and turned over at random, which keeps how
        # fast latents decay and forgets how they drive each other.
        order, sign = rng.permutation(len(offset)), rng.choice([-1.0, 1.0], len(offset))
        other = weights[np.ix_(order, order)] * sign[:, None] * sign
        null.append(1 - float((((y - y.mean(axis=0)) - (x - shift) @ other) ** 2).sum()) / total)
    a, b = (_steps(h, reference.transform(h)) for h in halves)
    mine, _ = ridge(*a)
    left = b[1] - b[1].mean(axis=0)
    away = left - (b[0] - b[0].mean(axis=0)) @ mine
    own = 1 - float((away**2).sum()) / max(float((left**2).sum()), 1e-12)
    return value, float(np.quantile(null, 0.95)), own, stays


def _held(measure: str, rows: Floats) -> Held:
    from scipy.stats import spearmanr

    value, null, own = rows[:, 0], rows[:, 1], rows[:, 2]
    trend = p = float("nan")
    later = (value / np.maximum(own, 1e-3))[1:]
    if len(later) >= 4 and np.ptp(later) > 0:
        found = spearmanr(np.arange(len(later)), later, alternative="less")
        trend, p = float(found.statistic), float(found.pvalue)
    return Held(measure, value, null, own, trend, p)


__all__ = ["Held", "Holding", "cut", "holding"]
