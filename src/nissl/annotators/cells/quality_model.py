"""What `cells/quality` learns: a logistic regression, and trees on what it leaves over.

A few dozen decisions carry a regression; thousands carry more. Trees (LightGBM) go on from the
regression's log odds, as many rounds as predict left-out decisions best, none where they do not
help. Members differ by the weights of a Bayesian bootstrap (Rubin 1981, Ann. Stat. 9, 130-134).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators import trees
from nissl.annotators.trees import Shape
from nissl.errors import BadArgumentError
from nissl.labels.digest import canonical_json
from nissl.trust.calibration import Calibration, choose, fit
from nissl.trust.frame import Frame, fit_frame

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

MODEL = "model.json"
MEMBERS = 5
ROUNDS = (0, 25, 75, 200)
MIN_FOR_TREES = 100
"""Decisions below which trees are not tried."""
MIN_TO_CALIBRATE = 30
MIN_GROUPS, MIN_PER_GROUP = 3, 20
_FOLDS = 5
_RIDGE = 1.0
_SHAPE = Shape(rounds=0, rate=0.06, leaves=7, min_leaf=15, l2=1.0)


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted classifier of cells.

    Parameters
    ----------
    frame : Frame
        Scale of the features that it reads.
    linear : ndarray, shape (n_members, 3 d + 1), float64
        Weights of `design`, the intercept last.
    forests : tuple of str
        LightGBM's text of each member, "" for none.
    calibration : Calibration
        Over (cell, not cell).
    calibrated_on : str
        In words.
    """

    frame: Frame
    linear: Values
    forests: tuple[str, ...]
    calibration: Calibration
    calibrated_on: str

    def raw(self, values: Values) -> Values:
        """Log odds of being a cell by each member, not calibrated, (n_members, n)."""
        x = design(self.frame, values)
        out = self.linear[:, :-1] @ x.T + self.linear[:, -1:]
        for row, text in enumerate(self.forests):
            if text and len(values):
                out[row] += trees.raw_scores(text, values)
        return np.asarray(out)

    def probabilities(self, raw: Values) -> Values:
        """Calibrated probabilities of cell and not cell, shape (n, 2)."""
        return self.calibration.apply(both(raw))

    def contributions(self, values: Values) -> Values:
        """What each feature adds to the log odds of being a cell, (n, d); exact."""
        d = len(self.frame.names)
        mean = self.linear[:, :-1].mean(axis=0)
        parts = design(self.frame, values) * mean
        out = parts[:, :d] + parts[:, d : 2 * d] + parts[:, 2 * d :]
        for text in self.forests:
            if text:
                out += trees.shares(text, values)[:, 0, :-1] / len(self.forests)
        return np.asarray(out)


def design(frame: Frame, values: Values) -> Values:
    """Columns of the regression, (n, 3 d): value, missing unexpectedly, curvature."""
    embedded = frame.embed(frame.z(values))
    value = embedded[:, : len(frame.names)]
    return np.hstack([embedded, np.minimum(value**2, 9.0) / 3.0])


def both(raw: Values) -> Values:
    """Probabilities of log odds and of their complement, shape (n, 2)."""
    p = 1.0 / (1.0 + np.exp(-np.clip(raw, -30, 30)))
    return np.stack([p, 1.0 - p], axis=1)


def grown(
    values: Values,
    cell: Flags,
    weight: Values,
    names: Sequence[str],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
) -> Model:
    """Model of decided regions.

    Parameters
    ----------
    values : ndarray, shape (n, n_features), float64
        NaN where missing. Features that tell nothing apart are left out.
    cell : ndarray, shape (n,), bool
    weight : ndarray, shape (n,), float64
        Mean 1.
    names : sequence of str, length n_features
    groups : sequence of str, length n
        Subject or session of each; left out whole where there are enough.
    rng : numpy.random.Generator
    """
    told = [k for k in range(values.shape[1]) if _tells(values[:, k])]
    chosen = np.ascontiguousarray(values[:, told])
    frame = fit_frame(chosen, [names[k] for k in told])
    seed = int(rng.integers(2**31 - 1))
    fold, grouped = _folds(groups, cell, rng)
    rounds, left_out = _rounds(frame, chosen, cell, weight, fold, seed)
    calibration, words = _calibration(left_out, cell, weight, groups if grouped else None, rng)
    linear, forests = [], []
    for member in range(MEMBERS):
        drawn = weight * rng.exponential(size=cell.size)
        row, text = _fitted(frame, chosen, cell, drawn / drawn.mean(), rounds, seed + member)
        linear.append(row)
        forests.append(text)
    return Model(frame, np.stack(linear), tuple(forests), calibration, words)


def _tells(column: Values) -> bool:
    known = column[np.isfinite(column)]
    return known.size >= max(5, 0.05 * column.size) and bool(np.ptp(known) > 0)


def _fitted(
    frame: Frame, values: Values, cell: Flags, weight: Values, rounds: int, seed: int
) -> tuple[Values, str]:
    """Weights of the regression, and LightGBM's text of the trees on top of it."""
    x = design(frame, values)
    row = logistic(x, cell, weight)
    if not rounds:
        return row, ""
    start = x @ row[:-1] + row[-1]
    shape = Shape(rounds, _SHAPE.rate, _SHAPE.leaves, _SHAPE.min_leaf, _SHAPE.l2)
    code = cell.astype(np.int64)
    text = trees.boosted(values, code, weight, shape, 2, seed, start=start, columns=0.8)
    return row, text


def logistic(x: Values, y: Flags, weight: Values, *, ridge: float = _RIDGE) -> Values:
    """Ridge logistic regression by Newton's method; the intercept is last and not penalised.

    Parameters
    ----------
    x : ndarray, shape (n, d), float64
    y : ndarray, shape (n,), bool
    weight : ndarray, shape (n,), float64
    ridge : float
        Half the penalty on the sum of squared weights, in examples.
    """
    full = np.hstack([x, np.ones((len(x), 1))])
    penalty = np.full(full.shape[1], ridge)
    penalty[-1] = 1e-3  # keeps examples of one class finite
    w = np.zeros(full.shape[1])
    loss = np.inf
    for _ in range(100):
        score = np.clip(full @ w, -30, 30)
        now = float(weight @ (np.logaddexp(0, score) - y * score) + 0.5 * penalty @ w**2)
        if loss - now < 1e-9 * max(abs(now), 1.0):
            break
        loss = now
        p = 1 / (1 + np.exp(-score))
        gradient = full.T @ (weight * (p - y)) + penalty * w
        curvature = (full * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ full
        w = w - np.linalg.solve(curvature + np.diag(penalty), gradient)
    return w


def _folds(
    groups: Sequence[str], cell: Flags, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], bool]:
    """Fold of each example: whole groups where three are large enough, else at random."""
    names, code, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    if np.sum(counts >= MIN_PER_GROUP) >= MIN_GROUPS:
        place = np.empty(names.size, np.int64)
        place[rng.permutation(names.size)] = np.arange(names.size) % _FOLDS
        return place[code.ravel()], True
    fold = np.empty(cell.size, np.int64)
    for kind in (True, False):
        rows = rng.permutation(np.flatnonzero(cell == kind))
        fold[rows] = np.arange(rows.size) % _FOLDS
    return fold, False


def _rounds(
    frame: Frame,
    values: Values,
    cell: Flags,
    weight: Values,
    fold: npt.NDArray[np.int64],
    seed: int,
) -> tuple[int, Values]:
    """Rounds of trees that predict left-out decisions best, and log odds of those."""
    tried = ROUNDS if cell.size >= MIN_FOR_TREES else ROUNDS[:1]
    best, kept, loss = 0, np.zeros(cell.size), np.inf
    for rounds in tried:
        raw = np.zeros(cell.size)
        for out in np.unique(fold):
            train, test = fold != out, fold == out
            row, text = _fitted(frame, values[train], cell[train], weight[train], rounds, seed)
            raw[test] = design(frame, values[test]) @ row[:-1] + row[-1]
            if text:
                raw[test] += trees.raw_scores(text, values[test])
        now = float(np.average(np.logaddexp(0, raw) - cell * raw, weights=weight))
        if now < loss:
            best, kept, loss = rounds, raw, now
    return best, kept


def _calibration(
    raw: Values,
    cell: Flags,
    weight: Values,
    groups: Sequence[str] | None,
    rng: np.random.Generator,
) -> tuple[Calibration, str]:
    """Calibration on left-out decisions, and on how many, in words."""
    p, truth = both(raw), (~cell).astype(np.int64)
    if groups is not None:
        found, _ = choose(p, truth, list(groups), rng=rng, weights=weight)
        return found, f"{cell.size} decisions, whole groups left out in turn"
    if cell.size < MIN_TO_CALIBRATE:
        return Calibration("identity", 2), f"nothing: {cell.size} decisions are too few"
    found = fit(p, truth, "temperature", weights=weight)
    return found, f"{cell.size} decisions, left out in turn"


def to_files(model: Model) -> dict[str, bytes]:
    """Model as files by name: numbers and LightGBM's text, no example."""
    frame = model.frame
    head = {
        "format": 1,
        "features": list(frame.names),
        "centre": frame.centre.tolist(),
        "scale": frame.scale.tolist(),
        "missing": frame.missing.tolist(),
        "usual": frame.usual.tolist(),
        "linear": model.linear.tolist(),
        "trees": [bool(text) for text in model.forests],
        "calibration": model.calibration.to_json(),
        "calibrated_on": model.calibrated_on,
    }
    texts = {f"member-{k}.txt": t.encode() for k, t in enumerate(model.forests) if t}
    return {MODEL: canonical_json(head)} | texts


def from_files(files: Mapping[str, bytes]) -> Model:
    """Inverse of `to_files`; `BadArgumentError` where they are not such files."""
    try:
        head = json.loads(files[MODEL])
        if head["format"] != 1:
            raise ValueError(f"format {head['format']}")
        numbers = {n: np.asarray(head[n], np.float64) for n in ("centre", "scale", "missing")}
        frame = Frame(
            names=tuple(str(name) for name in head["features"]),
            usual=np.asarray(head["usual"], np.float64).reshape(-1, 2),
            **numbers,
        )
        there = enumerate(head["trees"])
        return Model(
            frame=frame,
            linear=np.asarray(head["linear"], np.float64),
            forests=tuple(files[f"member-{k}.txt"].decode() if t else "" for k, t in there),
            calibration=Calibration.from_json(head["calibration"]),
            calibrated_on=str(head["calibrated_on"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadArgumentError(
            "the files of a model of cells/quality",
            f"{sorted(files)} ({error})",
            "Take another model: nissl models STUDY",
        ) from None


__all__ = ["Model", "both", "design", "from_files", "grown", "logistic", "to_files"]
