"""One population read by all: the numbers of a row of the error map, and what they stand on.

A `Plan` holds everything that rows are made from, chance included, so that each row is a piece of
work of its own: on any number of processes, or another machine, it comes out the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.errormap.chance import reordered
from nissl.align.errormap.responses import Responses
from nissl.align.fragments import Floats, Ints
from nissl.align.latent.spaces import principal
from nissl.errors import BadArgumentError
from nissl.run.chunks import Chunk
from nissl.run.results import Arrays

N_AXES = 8
PENALTIES = (0.05, 0.2, 0.5, 1.0)
"""Of the linear rule, relative to the variance of an axis; each fold's is the one by which the
first half of the other folds is predicted best."""
N_NULL = 99
N_RESAMPLED = 200
N_FOLDS = 10
RULES = ("linear", "rotation")
SHOWN_AXES = 3
SHOWN_UNITS = 4
"""Of a prediction: the two that are read best, and the two that are read worst."""
VERSION = 2
"""Of the numbers: rows of another version are computed anew."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the rows of a map are computed from.

    Parameters
    ----------
    fragments : tuple of Responses
        Of the rows that all visited.
    seen : ndarray of int
        Those rows, among all that were given.
    fold : ndarray of int, shape (n_rows,)
    orders : ndarray of int, shape (1 + n_null, n_rows)
    weights : ndarray of int, shape (n_resampled, n_folds)
        How often each fold is drawn, for intervals.
    rule : {"linear", "rotation"}
    n_axes : int
    """

    fragments: tuple[Responses, ...]
    seen: Ints
    fold: Ints
    orders: Ints
    weights: Ints
    rule: str
    n_axes: int

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        found = hashlib.sha256(f"{VERSION} {self.rule} {self.n_axes}".encode())
        arrays: list[npt.NDArray[Any]] = [self.seen, self.fold, self.orders, self.weights]
        for one in self.fragments:
            found.update(one.name.encode() + b"\0")
            arrays += [one.first, one.second]
        for array in arrays:
            found.update(f"{array.dtype.str} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    @property
    def bytes_per_row(self) -> int:
        """What a row needs at its peak."""
        n_orders, n_rows = self.orders.shape
        most = max(f.n_units for f in self.fragments)
        each = (len(PENALTIES) + 1) * n_rows + (len(PENALTIES) + 3) * most
        return int(8 * n_orders * n_rows * each + 10**7)


def planned(
    fragments: Sequence[Responses],
    rng: np.random.Generator,
    *,
    rule: str = "linear",
    n_axes: int = N_AXES,
    n_null: int = N_NULL,
) -> Plan:
    """Check fragments, and draw what chance decides; arguments as of `error_map`.

    Parameters
    ----------
    fragments : sequence of Responses
    rng : numpy.random.Generator
    rule : {"linear", "rotation"}
    n_axes : int
        Of the population that is read.
    n_null : int
        Orders that chance gives.

    Raises
    ------
    BadArgumentError
        Of one fragment, of rows that are not the same, of an unknown rule, or of fewer than three
        blocks that all visited.
    """
    if len(fragments) < 2:
        raise BadArgumentError("two or more fragments", f"{len(fragments)}", "Name another one.")
    shapes = sorted({len(f.first) for f in fragments})
    if len(shapes) > 1 or any((f.block != fragments[0].block).any() for f in fragments):
        raise BadArgumentError(
            "fragments of the same conditions",
            f"{shapes} rows",
            "Compare fragments of one task, or of places laid out alike.",
        )
    if rule not in RULES:
        raise BadArgumentError(f"a rule among {list(RULES)}", repr(rule), "Choose one.")
    seen = np.flatnonzero(
        np.all([np.isfinite(f.first + f.second).all(axis=1) for f in fragments], axis=0)
    )
    kept = tuple(f.take(seen) for f in fragments)
    block = kept[0].block
    if len(np.unique(block)) < 3:
        raise BadArgumentError(
            "three or more blocks of conditions that all fragments visited",
            f"{len(np.unique(block))}",
            "Leave out fragments that visited little.",
        )
    orders = _orders(kept[0], n_null, rng)
    fold = np.unique(block, return_inverse=True)[1] % N_FOLDS
    n_folds = int(fold.max()) + 1
    weights = rng.multinomial(n_folds, np.full(n_folds, 1 / n_folds), N_RESAMPLED)
    return Plan(kept, seen, np.asarray(fold, np.int64), orders, weights, rule, n_axes)


def read_row(plan: Plan, chunk: Chunk) -> Arrays:
    """Numbers and predictions of all populations as read from one.

    Parameters
    ----------
    plan : Plan
    chunk : Chunk
        Its `start` is the row.

    Returns
    -------
    dict of str to ndarray
        `skill`, `low`, `high`, `null` and `p`, each of shape (n,); of every predicted fragment
        `axes` (n, n_rows, 3), its prediction on its own first axes; `unit_skill`
        (n, most units), NaN beyond its units; `units` (n, 4), those that are read best and
        worst, -1 where there are fewer; and `traces` (n, n_rows, 4), what is predicted of these.
    """
    fold, n_rows = plan.fold, len(plan.fold)
    n, most = len(plan.fragments), max(f.n_units for f in plan.fragments)
    latents = _latents(plan.fragments[chunk.start], plan.n_axes)[plan.orders]
    smoothers = _smoothers(latents, fold) if plan.rule == "linear" else None
    out: Arrays = {name: np.full(n, np.nan) for name in ("skill", "low", "high", "null", "p")}
    out |= {
        "axes": np.zeros((n, n_rows, SHOWN_AXES), np.float32),
        "unit_skill": np.full((n, most), np.nan, np.float32),
        "units": np.full((n, SHOWN_UNITS), -1, np.int64),
        "traces": np.zeros((n, n_rows, SHOWN_UNITS), np.float32),
    }
    for j, fragment in enumerate(plan.fragments):
        target = _target(fragment, plan.n_axes if plan.rule == "rotation" else None, fold)
        if smoothers is None:
            said = _rotated(latents, target.first, fold)
        else:
            said = _chosen(smoothers, target.first, fold)
        errors = _errors(said, target, fold)
        value = 1 - errors.sum(axis=1) / target.totals.sum()
        out["skill"][j] = value[0]
        if len(value) > 1:
            out["null"][j] = value[1:].mean()
        out["p"][j] = (1 + int((value[1:] >= value[0]).sum())) / len(value)
        spread = 1 - (plan.weights @ errors[0]) / np.maximum(plan.weights @ target.totals, 1e-12)
        out["low"][j], out["high"][j] = np.quantile(spread, [0.05, 0.95])
        _show(out, j, fragment, target, said[0])
    return out


def _show(out: Arrays, j: int, fragment: Responses, target: _Target, said: Floats) -> None:
    """What the observed order predicts of a fragment, on its first axes and of single units."""
    k = min(SHOWN_AXES, said.shape[1])
    out["axes"][j, :, :k] = said[:, :k]
    units = said @ target.axes.T
    came = fragment.second - target.mean
    total = (came**2).sum(axis=0)
    left = ((units - came) ** 2).sum(axis=0)
    skill = np.where(total > 0, 1 - left / np.where(total > 0, total, 1.0), np.nan)
    out["unit_skill"][j, : len(skill)] = skill
    order = np.argsort(-np.nan_to_num(skill, nan=-np.inf), kind="stable")
    order = order[: int(np.isfinite(skill).sum())]
    half = SHOWN_UNITS // 2
    chosen = np.concatenate([order[:half], order[half:][-half:]])
    out["units"][j, : len(chosen)] = chosen
    out["traces"][j, :, : len(chosen)] = (units + target.mean)[:, chosen]


def skill_of(source: Responses, target: Responses) -> float:
    """Skill of one pair by the linear rule: that cell of the map, without its null."""
    both = np.isfinite(source.first).all(axis=1) & np.isfinite(target.first + target.second).all(
        axis=1
    )
    seen = np.flatnonzero(both)
    read, predicted = source.take(seen), target.take(seen)
    fold = np.asarray(np.unique(read.block, return_inverse=True)[1] % N_FOLDS, np.int64)
    goal = _target(predicted, None, fold)
    said = _chosen(_smoothers(_latents(read, N_AXES)[None], fold), goal.first, fold)
    return float(1 - _errors(said, goal, fold).sum() / goal.totals.sum())


def came(fragment: Responses) -> Floats:
    """The half that is predicted, on the axes that predictions are shown on, (n_rows, 3)."""
    target = _target(fragment, SHOWN_AXES, np.zeros(len(fragment.block), np.int64))
    out = np.zeros((len(fragment.block), SHOWN_AXES))
    out[:, : target.second.shape[1]] = target.second
    return out


@dataclass(frozen=True, eq=False)
class _Target:
    """A population that is predicted, on the axes that its first half spans.

    Nothing outside of those axes can be predicted by a map fitted on the first half: `outside` is
    that part of each row of the second half, shape (n_rows,).
    """

    first: Floats
    second: Floats
    outside: Floats
    totals: Floats
    axes: Floats
    mean: Floats


def _target(fragment: Responses, n_axes: int | None, fold: Ints) -> _Target:
    mean = fragment.first.mean(axis=0)
    first, second = fragment.first - mean, fragment.second - mean
    axes = np.linalg.svd(first, full_matrices=False)[2][:n_axes].T
    inside = second @ axes
    whole = (second**2).sum(axis=1)
    totals = np.asarray(np.bincount(fold, weights=whole), float)
    return _Target(first @ axes, inside, whole - (inside**2).sum(axis=1), totals, axes, mean)


def _latents(fragment: Responses, n_axes: int) -> Floats:
    x = fragment.first - fragment.first.mean(axis=0)
    return np.asarray(x @ principal(x, n_axes), float)


def _orders(fragment: Responses, n_null: int, rng: np.random.Generator) -> Ints:
    """Rows as they are, then in orders that chance might give, shape (1 + n_null, n_rows)."""
    own = np.arange(len(fragment.block))
    orders = [own]
    while len(orders) < 1 + n_null:
        other = reordered(fragment.block, fragment.path, rng)
        if (other != own).any():
            orders.append(other)
    return np.array(orders)


def _smoothers(x: Floats, fold: Ints) -> Floats:
    """Ridge regression on latents as matrices that act on what is predicted, for each penalty.

    Row r of the result says how the other folds' rows make the prediction of row r; its own
    fold's columns are 0. Shape (n_penalties, n_orders, n_rows, n_rows).
    """
    n_orders, n_rows, k = x.shape
    out = np.zeros((len(PENALTIES), n_orders, n_rows, n_rows))
    for name in np.unique(fold):
        left, rest = np.flatnonzero(fold == name), np.flatnonzero(fold != name)
        mean = x[:, rest].mean(axis=1, keepdims=True)
        known = x[:, rest] - mean
        gram = np.swapaxes(known, 1, 2) @ known
        size = np.trace(gram, axis1=1, axis2=2) / k
        for p, penalty in enumerate(PENALTIES):
            damped = gram + (penalty * size + 1e-12)[:, None, None] * np.eye(k)
            solved = np.linalg.solve(damped, np.swapaxes(known, 1, 2))
            part = (x[:, left] - mean) @ solved + 1 / len(rest)
            out[p][np.ix_(np.arange(n_orders), left, rest)] = part
    return out


def _chosen(smoothers: Floats, y: Floats, fold: Ints) -> Floats:
    """Predictions of the first half by each fold's penalty, (n_orders, n_rows, n_axes)."""
    said = smoothers @ y
    names, of = np.unique(fold, return_inverse=True)
    errors = ((said - y) ** 2).sum(axis=3) @ (of[:, None] == np.arange(len(names))[None])
    others = errors.sum(axis=2, keepdims=True) - errors
    best = others.argmin(axis=0)[:, of]
    orders, rows = np.indices(best.shape)
    return np.asarray(said[best, orders, rows], float)


def _rotated(x: Floats, y: Floats, fold: Ints) -> Floats:
    """Predictions by a rotation and one scale, each fold's from the other folds' rows.

    Parameters
    ----------
    x : ndarray, shape (n_orders, n_rows, n_axes)
    y : ndarray, shape (n_rows, n_axes)
    fold : ndarray, shape (n_rows,)
    """
    out = np.empty((len(x), len(y), y.shape[1]))
    for name in np.unique(fold):
        left, rest = fold == name, fold != name
        mean_x, mean_y = x[:, rest].mean(axis=1, keepdims=True), y[rest].mean(axis=0)
        known = x[:, rest] - mean_x
        u, size, v = np.linalg.svd(np.swapaxes(known, 1, 2) @ (y[rest] - mean_y))
        scale = size.sum(axis=1) / np.maximum((known**2).sum(axis=(1, 2)), 1e-12)
        out[:, left] = (x[:, left] - mean_x) @ (u @ v) * scale[:, None, None] + mean_y
    return out


def _errors(said: Floats, target: _Target, fold: Ints) -> Floats:
    """Squared errors of each order and fold, shape (n_orders, n_folds)."""
    each = ((said - target.second) ** 2).sum(axis=2) + target.outside
    return np.asarray(each @ (fold[:, None] == np.unique(fold)[None]), float)
