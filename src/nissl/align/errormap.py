"""Error map: how well each fragment is predicted from each other one, where it was not fitted.

For every ordered pair an explicit map is fitted from the first population's latents to the second
population's activity, on one half of the second's windows and nine tenths of the conditions (or
places); it predicts the left-out tenth in the other half. Skill is the part of the variance that
is explained there: 1 is perfect, 0 as good as the mean, below 0 worse. Beside each stands its null,
where the first population's conditions are in another order (its paths shifted and turned), an
interval over conditions, and what the second population's own other half explains, the most that
can be asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from nissl.align.fragments import Floats, Ints
from nissl.align.latent.spaces import principal
from nissl.align.responses import Responses
from nissl.errors import BadArgumentError
from nissl.run.progress import Progress, Silent
from nissl.trust.discoveries import benjamini_hochberg

N_AXES = 8
PENALTY = 0.05
"""Relative to the variance of an axis."""
N_NULL = 99
N_RESAMPLED = 200
N_FOLDS = 10
RULES = ("linear", "rotation")
STAGE = "error map"


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """Skill of every ordered pair of fragments.

    Parameters
    ----------
    names : tuple of str
    skill : ndarray, shape (n, n)
        Row: read from; column: predicted. The diagonal predicts a fragment's second half from its
        own first.
    low, high : ndarray, shape (n, n)
        90 % interval, by resampling blocks of conditions.
    null : ndarray, shape (n, n)
        Mean skill where conditions are in another order.
    p, q : ndarray, shape (n, n)
        Permutation p, and its false discovery rate over the pairs off the diagonal (1 on it).
    """

    names: tuple[str, ...]
    skill: Floats
    low: Floats
    high: Floats
    null: Floats
    p: Floats
    q: Floats

    @property
    def ceiling(self) -> Floats:
        """Skill of each fragment's own halves, shape (n,)."""
        return np.diag(self.skill).copy()

    @property
    def relative(self) -> Floats:
        """Skill in parts of what the predicted fragment's own half explains; NaN where nothing."""
        top = np.where(self.ceiling > 0.02, self.ceiling, np.nan)
        return np.asarray(self.skill / top[None], float)

    @property
    def asymmetry(self) -> Floats:
        """How much better the row predicts the column than the other way round, relative skill."""
        return np.asarray(self.relative - self.relative.T, float)

    def distance(self) -> Floats:
        """Symmetric distance, 0 for fragments that predict each other as themselves."""
        both = np.nan_to_num((self.relative + self.relative.T) / 2, nan=0.0)
        out = 1 - np.clip(both, 0.0, 1.0)
        np.fill_diagonal(out, 0.0)
        return out

    def order(self) -> Ints:
        """Fragments in an order that puts those together that predict each other."""
        if len(self.names) < 3:
            return np.arange(len(self.names))
        tree = linkage(squareform(self.distance(), checks=False), "average", optimal_ordering=True)
        return np.asarray(leaves_list(tree), np.int64)


def error_map(
    fragments: Sequence[Responses],
    rng: np.random.Generator,
    *,
    rule: str = "linear",
    n_axes: int = N_AXES,
    n_null: int = N_NULL,
    progress: Progress | None = None,
) -> ErrorMap:
    """Predict every fragment from every other.

    Parameters
    ----------
    fragments : sequence of Responses
        Two or more, of the same rows.
    rng : numpy.random.Generator
    rule : {"linear", "rotation"}
        What the map may do. Any smooth code of the same thing can be read from any other by a
        linear map; a rotation with one scale asks for the same geometry too.
    n_axes : int
        Of the population that is read; with rotations, of both.
    n_null : int
    progress : Progress, optional
        Told of each fragment that has been read.

    Raises
    ------
    BadArgumentError
        Of one fragment, or of rows that are not the same.
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
    n = len(fragments)
    seen = np.all([np.isfinite(f.first + f.second).all(axis=1) for f in fragments], axis=0)
    kept = [f.take(np.flatnonzero(seen)) for f in fragments]
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
    skill, low, high, null, p = (np.zeros((n, n)) for _ in range(5))
    weights = rng.multinomial(n_folds, np.full(n_folds, 1 / n_folds), N_RESAMPLED)
    targets = [_target(f, n_axes if rule == "rotation" else None, fold) for f in kept]
    bar = progress or Silent()
    bar.start(STAGE, n, "fragments")
    for i, source in enumerate(kept):
        latents = _latents(source, n_axes)[orders]
        smoothers = _smoothers(latents, fold) if rule == "linear" else None
        for j, target in enumerate(targets):
            if smoothers is None:
                said = _rotated(latents, target.first, fold)
            else:
                said = smoothers @ target.first
            errors = _errors(said, target, fold)
            value = 1 - errors.sum(axis=1) / target.totals.sum()
            skill[i, j] = value[0]
            null[i, j] = value[1:].mean() if n_null else np.nan
            p[i, j] = (1 + int((value[1:] >= value[0]).sum())) / (1 + n_null)
            spread = 1 - (weights @ errors[0]) / np.maximum(weights @ target.totals, 1e-12)
            low[i, j], high[i, j] = np.quantile(spread, [0.05, 0.95])
        bar.advance(STAGE, 1)
    bar.finish(STAGE)
    off = ~np.eye(n, dtype=bool)
    q = np.ones((n, n))
    q[off] = benjamini_hochberg(p[off])
    return ErrorMap(tuple(f.name for f in fragments), skill, low, high, null, p, q)


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


def _target(fragment: Responses, n_axes: int | None, fold: Ints) -> _Target:
    mean = fragment.first.mean(axis=0)
    first, second = fragment.first - mean, fragment.second - mean
    axes = np.linalg.svd(first, full_matrices=False)[2][:n_axes].T
    inside = second @ axes
    whole = (second**2).sum(axis=1)
    totals = np.asarray(np.bincount(fold, weights=whole), float)
    return _Target(first @ axes, inside, whole - (inside**2).sum(axis=1), totals)


def _latents(fragment: Responses, n_axes: int) -> Floats:
    x = fragment.first - fragment.first.mean(axis=0)
    return np.asarray(x @ principal(x, n_axes), float)


def _orders(fragment: Responses, n_null: int, rng: np.random.Generator) -> Ints:
    """Rows as they are, then in orders that chance might give, shape (1 + n_null, n_rows)."""
    own = np.arange(len(fragment.block))
    orders = [own]
    while len(orders) < 1 + n_null:
        path = fragment.path
        other = _permuted(fragment.block, rng) if path is None else _moved(path, rng)
        if (other != own).any():
            orders.append(other)
    return np.array(orders)


def _permuted(block: Ints, rng: np.random.Generator) -> Ints:
    """Rows with whole blocks in another order."""
    names = np.unique(block)
    rows = [np.flatnonzero(block == k) for k in names]
    order = np.empty(len(block), np.int64)
    for here, k in zip(rows, rng.permutation(len(names)), strict=True):
        # Blocks may differ in length where some rows were never visited.
        order[here] = np.resize(rows[k], len(here))
    return order


def _moved(path: Ints, rng: np.random.Generator) -> Ints:
    """Rows with each path shifted around and perhaps turned, so that neighbours stay neighbours."""
    order = np.empty(len(path), np.int64)
    for name in np.unique(path):
        rows = np.flatnonzero(path == name)
        moved = np.roll(rows, int(rng.integers(len(rows))))
        order[rows] = moved[::-1] if rng.random() < 0.5 else moved
    return order


def _smoothers(x: Floats, fold: Ints) -> Floats:
    """Ridge regression on latents as matrices that act on what is predicted.

    Row r of the result says how the other folds' rows make the prediction of row r; its own
    fold's columns are 0. Shape (n_orders, n_rows, n_rows).
    """
    n_orders, n_rows, k = x.shape
    out = np.zeros((n_orders, n_rows, n_rows))
    for name in np.unique(fold):
        left, rest = np.flatnonzero(fold == name), np.flatnonzero(fold != name)
        mean = x[:, rest].mean(axis=1, keepdims=True)
        known = x[:, rest] - mean
        gram = np.swapaxes(known, 1, 2) @ known
        damping = PENALTY * np.trace(gram, axis1=1, axis2=2) / k + 1e-12
        solved = np.linalg.solve(
            gram + damping[:, None, None] * np.eye(k), np.swapaxes(known, 1, 2)
        )
        part = (x[:, left] - mean) @ solved + 1 / len(rest)
        out[np.ix_(np.arange(n_orders), left, rest)] = part
    return out


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
