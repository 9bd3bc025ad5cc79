"""How well each recording is read through each other one, by rank, in conditions left out.

Windows of every condition fall into two halves. A map is fitted on the first halves of all
conditions but one, and reads the second half of that one: no window that fitted is tested. What
all conditions have in common (the course of a window) is taken away before, so that a skill of 0
is what the mean of the other conditions gives, and only differences between conditions count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.errormap.chance import reordered
from nissl.align.errormap.responses import Responses
from nissl.align.fragments import Floats, Ints
from nissl.align.latent.spaces import principal
from nissl.errors import BadArgumentError
from nissl.run.progress import Progress, Silent

N_AXES = 8
PENALTY = 0.3
"""Relative to the variance of an axis; chosen on simulations, where 0.05 and 3 read less."""
MOST_FOLDS = 16
FEWEST_CONDITIONS = 5
STAGE = "transfers"


@dataclass(frozen=True, eq=False)
class Halves:
    """Responses of sources to the same conditions, without what conditions have in common.

    Parameters
    ----------
    names : tuple of str
    first, second : tuple of ndarray, shape (n_rows, n_units of each)
    block : ndarray of int, shape (n_rows,)
        Condition of each row.
    step : ndarray of int, shape (n_rows,)
        Of the window's course.
    fold : ndarray of int, shape (n_rows,)
        Conditions that are left out together: single ones, or stretches of a track.
    path : ndarray of int, optional
    """

    names: tuple[str, ...]
    first: tuple[Floats, ...]
    second: tuple[Floats, ...]
    block: Ints
    step: Ints
    fold: Ints
    path: Ints | None = None

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def swapped(self) -> Halves:
        """First halves in the place of both: what may be used to choose with."""
        return Halves(
            self.names, self.first, self.first, self.block, self.step, self.fold, self.path
        )


def halves(parts: Sequence[Responses]) -> Halves:
    """Lay responses of several sources over each other.

    Raises
    ------
    BadArgumentError
        Of rows that are not the same, or of fewer than five conditions.
    """
    first = parts[0]
    if any(len(p.block) != len(first.block) or (p.block != first.block).any() for p in parts):
        raise BadArgumentError(
            "sources of the same conditions", "others", "Compare recordings of one task."
        )
    seen = np.all([np.isfinite(p.first + p.second).all(axis=1) for p in parts], axis=0)
    kept = [p.take(np.flatnonzero(seen)) for p in parts]
    block = np.unique(kept[0].block, return_inverse=True)[1].astype(np.int64)
    n = int(block.max(initial=-1)) + 1
    if n < FEWEST_CONDITIONS:
        raise BadArgumentError(
            f"{FEWEST_CONDITIONS} or more conditions that all sources have, two windows of each",
            f"{n}",
            "With fewer, leaving one out tells nothing: record more conditions.",
        )
    counts = np.bincount(block)
    even = bool((counts == counts[0]).all())
    step = np.zeros(len(block), np.int64)
    if even:
        for k in range(n):
            step[block == k] = np.arange(counts[0])
    path = kept[0].path
    if path is None:
        fold = block % MOST_FOLDS if n > MOST_FOLDS else block
    else:  # neighbours are alike: whole stretches are left out
        fold = np.arange(len(block)) * min(MOST_FOLDS, n) // len(block)
    return Halves(
        tuple(p.name for p in kept),
        tuple(_without_course(p.first, step) for p in kept),
        tuple(_without_course(p.second, step) for p in kept),
        block,
        step,
        fold,
        path,
    )


def _without_course(x: Floats, step: Ints) -> Floats:
    out = x.copy()
    for k in np.unique(step):
        out[step == k] -= x[step == k].mean(axis=0)
    return out


def shuffles(data: Halves, n: int, rng: np.random.Generator) -> Ints:
    """Orders of rows that chance might give, shape (n, n_rows); conditions stay whole.

    Parameters
    ----------
    data : Halves
    n : int
    rng : numpy.random.Generator
    """
    out = [reordered(data.block, data.path, rng) for _ in range(n)]
    return np.array(out, np.int64).reshape(n, len(data.block))


@dataclass(frozen=True, eq=False)
class Transfers:
    """Skill of every ordered pair of sources.

    Parameters
    ----------
    errors : ndarray, shape (n, n, n_folds, n_ranks)
        Squared, read from the row's source about the column's; NaN on the diagonal.
    totals : ndarray, shape (n, n_folds)
        What the mean of other conditions leaves.
    null : ndarray, shape (n, n, n_shuffles, n_folds)
        Errors at full rank where conditions are in another order.
    """

    errors: Floats
    totals: Floats
    null: Floats

    def skill(self, rank: int | None = None) -> Floats:
        """Skill of pairs, shape (n, n); the diagonal is NaN."""
        at = self.errors.shape[3] if rank is None else rank
        left = self.errors[:, :, :, at - 1].sum(axis=2)
        return np.asarray(1 - left / np.maximum(self.totals.sum(axis=1), 1e-12)[None], float)

    def null_skill(self) -> Floats:
        """The same by chance, shape (n, n, n_shuffles)."""
        left = self.null.sum(axis=3)
        total = np.maximum(self.totals.sum(axis=1), 1e-12)
        return np.asarray(1 - left / total[None, :, None], float)


def transfers(
    data: Halves,
    rng: np.random.Generator,
    *,
    rule: str = "linear",
    n_null: int = 0,
    apart: bool = False,
    progress: Progress | None = None,
) -> Transfers:
    """Read each source through each other one.

    Parameters
    ----------
    data : Halves
    rng : numpy.random.Generator
    rule : {"linear", "rotation"}
    n_null : int
    apart : bool
        Whether each source's conditions come in an order of their own (nothing is shared by any),
        or in one that is alike for all that a source is read through (it shares nothing with them,
        who may share much).
    progress : Progress, optional
    """
    n, rows = len(data.names), len(data.block)
    n_axes = min(N_AXES, *(x.shape[1] for x in data.first))
    if apart:
        each = [shuffles(data, n_null, rng) for _ in range(n)]
        back = [np.argsort(o, axis=1) for o in each]
    else:
        each = [shuffles(data, n_null, rng)] * n
        back = [np.tile(np.arange(rows), (n_null, 1))] * n
    own = np.arange(rows)[None]
    full = _full if rule == "linear" else _full_turned
    latents = []
    for one, other in zip(data.first, data.second, strict=True):
        axes = principal(one, n_axes)
        latents.append((one @ axes, other @ axes))
    errors = np.full((n, n, data.n_folds, n_axes), np.nan)
    null = np.full((n, n, n_null, data.n_folds), np.nan)
    targets = [_targets(data, j, n_axes if rule == "rotation" else None) for j in range(n)]
    totals = np.array([[(t.left**2).sum() for t in of] for of in targets])
    bar = progress or Silent()
    bar.start(STAGE, n, "sources")
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for j in others:
            errors[i, j] = _errors(latents[i], targets[j], own)[0]
        # orders that are alike for all others are fitted for all of them at once
        for group in [[j] for j in others] if apart else [others]:
            if n_null:
                orders = np.take_along_axis(each[i], back[group[0]], axis=1)
                null[i, group] = full(latents[i], [targets[j] for j in group], orders)
        bar.advance(STAGE, 1)
    bar.finish(STAGE)
    return Transfers(errors, totals, null)


@dataclass(frozen=True, eq=False)
class _Target:
    """What is read in one fold: rows that fit, and the left-out rows, from the mean of those."""

    rest: Ints
    out: Ints
    known: Floats
    left: Floats
    axes: Floats | None


def _narrow(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """The same rows in as many columns as they span: squared errors stay, units are fewer."""
    both = np.concatenate([first, second])
    if both.shape[1] <= len(both):
        return first, second
    left, size, _ = np.linalg.svd(both, full_matrices=False)
    same = left * size
    return same[: len(first)], same[len(first) :]


def _targets(data: Halves, j: int, n_axes: int | None) -> list[_Target]:
    out = []
    first, second = _narrow(data.first[j], data.second[j])
    for name in range(data.n_folds):
        rest, left = np.flatnonzero(data.fold != name), np.flatnonzero(data.fold == name)
        known, tested = first[rest].copy(), second[left].copy()
        for k in np.unique(data.step):
            mean = known[data.step[rest] == k].mean(axis=0)
            known[data.step[rest] == k] -= mean
            tested[data.step[left] == k] -= mean
        axes = None if n_axes is None else principal(known, n_axes)
        out.append(_Target(rest, left, known, tested, axes))
    return out


def _full(
    latents: tuple[Floats, Floats], groups: Sequence[Sequence[_Target]], orders: Ints
) -> Floats:
    """Squared errors at full rank of linear maps, shape (n_groups, n_orders, n_folds)."""
    first, second = (x[orders] for x in latents)
    out = np.empty((len(groups), len(orders), len(groups[0])))
    edges = np.cumsum([0, *(of[0].known.shape[1] for of in groups)])[:-1]
    for f in range(len(groups[0])):
        rest, new = groups[0][f].rest, groups[0][f].out
        x = first[:, rest]
        mean = x.mean(axis=1, keepdims=True)
        x = x - mean
        turned = np.swapaxes(x, 1, 2)
        known = np.concatenate([of[f].known for of in groups], axis=1)
        left = np.concatenate([of[f].left for of in groups], axis=1)
        weights = np.linalg.solve(_damped(turned @ x), turned @ known)
        said = (second[:, new] - mean) @ weights
        lost = ((left - said) ** 2).sum(axis=1)
        out[:, :, f] = np.add.reduceat(lost, edges, axis=1).T
    return out


def _full_turned(
    latents: tuple[Floats, Floats], groups: Sequence[Sequence[_Target]], orders: Ints
) -> Floats:
    """The same of rotations."""
    return np.array([_errors(latents, of, orders)[:, :, -1] for of in groups])


def _damped(gram: Floats) -> Floats:
    k = gram.shape[1]
    damping = PENALTY * np.trace(gram, axis1=1, axis2=2) / k + 1e-12
    return np.asarray(gram + damping[:, None, None] * np.eye(k), float)


def _errors(latents: tuple[Floats, Floats], targets: Sequence[_Target], orders: Ints) -> Floats:
    """Squared errors, shape (n_orders, n_folds, n_ranks).

    Predictions of rank d are sums of d orthogonal parts, so that their errors follow from the
    parts' sizes and from what each has in common with the truth.
    """
    first, second = (x[orders] for x in latents)
    n_axes = first.shape[2]
    out = np.empty((len(orders), len(targets), n_axes))
    for f, target in enumerate(targets):
        x = first[:, target.rest]
        mean = x.mean(axis=1, keepdims=True)
        x, new = x - mean, second[:, target.out] - mean
        if target.axes is None:
            a, q, size = _linear(x, target.known, new)
        else:
            a, q, size = _turned(x, target.known @ target.axes, new)
            q = q @ target.axes.T
        common = ((target.left @ np.swapaxes(q, 1, 2)) * a).sum(axis=1).cumsum(axis=1)
        power = ((a**2).sum(axis=1) * (q**2).sum(axis=2)).cumsum(axis=1)
        out[:, f] = (target.left**2).sum() - 2 * size * common + size**2 * power
    return out


def _linear(x: Floats, y: Floats, new: Floats) -> tuple[Floats, Floats, Floats]:
    """Reduced-rank ridge regression: parts of predictions, their directions, and scales."""
    k = x.shape[2]
    half = np.linalg.cholesky(_damped(np.swapaxes(x, 1, 2) @ x))
    # in coordinates in which the damped axes are white, the weights' singular vectors are the parts
    whitened = np.linalg.solve(half, np.swapaxes(x, 1, 2) @ y)
    _, turn = np.linalg.eigh(whitened @ np.swapaxes(whitened, 1, 2))
    turn = turn[:, :, ::-1]
    white_new = np.swapaxes(np.linalg.solve(half, np.swapaxes(new, 1, 2)), 1, 2)
    return white_new @ turn, np.swapaxes(turn, 1, 2) @ whitened, np.ones((len(x), k))


def _turned(x: Floats, y: Floats, new: Floats) -> tuple[Floats, Floats, Floats]:
    """A rotation with one scale, of the axes that both have most in common."""
    u, common, v = np.linalg.svd(np.swapaxes(x, 1, 2) @ y)
    power = ((x @ u) ** 2).sum(axis=1).cumsum(axis=1)
    return new @ u, v, common.cumsum(axis=1) / np.maximum(power, 1e-12)
