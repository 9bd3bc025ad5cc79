"""A rule of how a population goes on: an autoregression of latents, run forwards.

Latents of the next bin are a linear function of those of the last few (a vector autoregression),
fitted by ridge regression within windows; further steps by running the rule on what it said. A rule
that was learnt elsewhere is adapted by counting it as so many bins of evidence beside the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nissl.align.fragments import Floats, Ints

ORDERS = (1, 2, 3, 5)
PENALTIES = (0.1, 1.0, 10.0)
"""In hundredths of the mean sum of squares of a column."""
EVIDENCE = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Bins that a rule from elsewhere may count for."""
USUAL = 300.0
"""Where one window leaves nothing to choose by; set once, not compared with others."""
_FOLDS = 4


@dataclass(frozen=True, eq=False)
class Course:
    """Latents over windows.

    Parameters
    ----------
    values : ndarray, shape (n_bins, n_axes)
    start, stop : ndarray of int, shape (n_windows,)
    """

    values: Floats
    start: Ints
    stop: Ints

    def take(self, windows: Ints) -> Course:
        """Only these windows (indices)."""
        return replace(self, start=self.start[windows], stop=self.stop[windows])

    def steps(self, ahead: int) -> tuple[Ints, Ints]:
        """Bins from which so many steps ahead lie in the same window, and that window."""
        pairs = [np.arange(a, b - ahead) for a, b in zip(self.start, self.stop, strict=True)]
        window = np.repeat(np.arange(len(pairs)), [len(p) for p in pairs])
        return np.concatenate(pairs).astype(np.int64), window

    def histories(self, order: int) -> Floats:
        """Latents of each bin and of those before it, newest first, (n_bins, order * n_axes).

        Before a window began nothing is known: its first bin stands for that.
        """
        first = np.zeros(len(self.values), np.int64)
        for a, b in zip(self.start, self.stop, strict=True):
            first[a:b] = a
        at = np.arange(len(self.values))
        parts = [self.values[np.maximum(at - k, first)] for k in range(order)]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, eq=False)
class Dynamics:
    """The rule.

    Parameters
    ----------
    weights : ndarray, shape (order * n_axes, n_axes)
        From the newest bins, newest first, to the next.
    order : int
    penalty : float
    evidence : ndarray, shape (order * n_axes, order * n_axes)
        Mean square of what it was learnt from, a bin's worth.
    """

    weights: Floats
    order: int
    penalty: float
    evidence: Floats

    def ahead(self, course: Course, n: int) -> Floats:
        """What it says in each bin of the next n, shape (n, n_bins, n_axes)."""
        known, n_axes = course.histories(self.order), self.weights.shape[1]
        out = []
        for _ in range(n):
            out.append(known @ self.weights)
            known = np.concatenate([out[-1], known[:, :-n_axes]], axis=1)
        return np.array(out)


def learnt(course: Course, order: int, penalty: float) -> Dynamics:
    """Fit a rule on all windows.

    Parameters
    ----------
    course : Course
    order : int
        Bins that it looks back.
    penalty : float
    """
    x, y = _examples(course, order)
    gram = x.T @ x
    gram = gram + penalty * 0.01 * np.trace(gram) / len(gram) * np.eye(len(gram))
    gram += 1e-9 * np.eye(len(gram))
    weights = np.asarray(np.linalg.solve(gram, x.T @ y), float)
    return Dynamics(weights, order, penalty, gram / max(len(x), 1))


def best(course: Course, n_steps: int, rng: np.random.Generator) -> Dynamics:
    """Fit a rule whose order and penalty predict left-out windows best, all steps alike.

    Parameters
    ----------
    course : Course
        Of the windows to learn from.
    n_steps : int
        Bins ahead, at most.
    rng : numpy.random.Generator
        Of the windows left out.
    """
    fold = rng.permutation(np.arange(len(course.start)) % min(_FOLDS, len(course.start)))
    longest = int((course.stop - course.start).max()) - 1
    orders = [o for o in ORDERS if o <= max(longest, 1)]
    among = [(o, p) for o in orders for p in PENALTIES]
    if fold.max() < 1:
        return learnt(course, *among[1])
    lost = np.zeros(len(among))
    for k in range(int(fold.max()) + 1):
        train, test = (course.take(np.flatnonzero(rows)) for rows in (fold != k, fold == k))
        lost += [error(learnt(train, *each), test, n_steps) for each in among]
    return learnt(course, *among[int(np.argmin(lost))])


def adapted(rule: Dynamics, course: Course, n_steps: int) -> tuple[Dynamics, float]:
    """A rule that new windows have corrected, and how many bins it counted for.

    Parameters
    ----------
    rule : Dynamics
        Learnt elsewhere.
    course : Course
        The new windows; how much the rule counts is chosen by leaving each of them out.
    n_steps : int
    """
    n, evidence = len(course.start), USUAL
    if n > 1:
        lost = np.zeros(len(EVIDENCE))
        for k in range(n):
            others = course.take(np.setdiff1d(np.arange(n), k))
            own = course.take(np.array([k]))
            lost += [error(_corrected(rule, others, m), own, n_steps) for m in EVIDENCE]
        evidence = EVIDENCE[int(np.argmin(lost))]
    return _corrected(rule, course, evidence), evidence


def error(rule: Dynamics, course: Course, n_steps: int) -> float:
    """Squared error of latents, each step in parts of what is there.

    Parameters
    ----------
    rule : Dynamics
    course : Course
        Of windows that the rule was not fitted to.
    n_steps : int
        Bins ahead, at most.
    """
    said, out = rule.ahead(course, n_steps), 0.0
    for k in range(n_steps):
        rows, _ = course.steps(k + 1)
        came = course.values[rows + k + 1]
        if came.size:
            out += float(((came - said[k][rows]) ** 2).sum() / max((came**2).sum(), 1e-12))
    return out * float((course.stop - course.start).sum())


def _corrected(rule: Dynamics, course: Course, bins: float) -> Dynamics:
    x, y = _examples(course, rule.order)
    prior = (bins + 1e-3) * rule.evidence
    weights = np.linalg.solve(x.T @ x + prior, x.T @ y + prior @ rule.weights)
    return replace(rule, weights=np.asarray(weights, float))


def _examples(course: Course, order: int) -> tuple[Floats, Floats]:
    rows, _ = course.steps(1)
    return course.histories(order)[rows], course.values[rows + 1]


def turned(rule: Dynamics, by: Sequence[Sequence[float]] | Floats) -> Dynamics:
    """The same rule in a space that was turned by an orthogonal matrix (z becomes z @ by)."""
    turn = np.asarray(by, float)
    blocks = np.kron(np.eye(rule.order), turn)
    return replace(
        rule,
        weights=blocks.T @ rule.weights @ turn,
        evidence=blocks.T @ rule.evidence @ blocks,
    )
