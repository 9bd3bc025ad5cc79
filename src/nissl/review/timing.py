"""How long a decision takes, learned from the journal's own timings.

The logarithm of the time is a linear function of the kind of decision, the item's ambiguity, the
order within the session and the reader; it is fitted by ridge regression towards a stated prior
(a Bayesian linear model, Gelman et al. 2013, Bayesian Data Analysis, ch. 14) with Huber's weights
(Huber 1964, Ann. Math. Statist. 35, 73-101), so that it gives sensible times before the first
answer and is not misled by odd ones. Idle gaps are cut: what lasted longer than `IDLE_S`, or than
six times the reader's median, says nothing about deciding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.labels import Edit, EditKind
from nissl.trust.intervals import Interval

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

IDLE_S = 120.0
"""Longest time that can be one decision, seconds."""

SESSION_GAP_S = 600.0
"""A pause of this length begins a new session, seconds."""

PRIOR_MEDIAN_S = 4.0
"""Median time of a clear item before anything is known, seconds."""

_LONGEST = 6.0  # times the reader's median
_FASTEST_S = 0.05  # key repeats and batch accepts are no decisions
_HUBER = 1.345
_PRIOR_SIGMA = 0.6  # of the log time
_PRIOR_N = 10.0  # decisions that the prior of sigma is worth
_COMMON_SD = (0.7, 0.7, 0.2)  # prior of level, ambiguity, order
_PRIOR_MEAN = (math.log(PRIOR_MEDIAN_S), 0.7, 0.0)
_KIND_SD = 0.7
_READER_SD = 0.4
_ROUNDS = 30
_LONG_SESSION = 300  # decisions after which a session's pace is taken as settled

_TIMED = frozenset(
    kind
    for kind in EditKind
    if kind not in (EditKind.UNDO, EditKind.NOTE, EditKind.FLAG, EditKind.ADD)
)


@dataclass(frozen=True)
class Answers:
    """Timed decisions, one per row.

    Parameters
    ----------
    kind : tuple of str
        What was decided on: a view ("units", "spans"), or any other name.
    reader : tuple of str
    ambiguity : ndarray, shape (n,), float64
        0 (clear) to 1, as known before the answer.
    order : ndarray, shape (n,), int64
        Decisions of the same session that went before.
    took_s : ndarray, shape (n,), float64
        Seconds, above 0.
    """

    kind: tuple[str, ...]
    reader: tuple[str, ...]
    ambiguity: Floats
    order: npt.NDArray[np.int64]
    took_s: Floats

    def __post_init__(self) -> None:
        sizes = {len(self.kind), len(self.reader)}
        sizes |= {len(self.ambiguity), len(self.order), len(self.took_s)}
        if len(sizes) != 1 or not np.all((self.took_s > 0) & np.isfinite(self.took_s)):
            raise BadArgumentError(
                "columns of one length and times above 0",
                f"lengths {sorted(sizes)}",
                "Make them by `timed_answers`.",
            )

    def __len__(self) -> int:
        return len(self.took_s)

    def only(self, keep: Bools) -> Answers:
        """Rows that are marked."""
        rows = np.flatnonzero(keep)
        return Answers(
            tuple(self.kind[i] for i in rows),
            tuple(self.reader[i] for i in rows),
            self.ambiguity[rows],
            self.order[rows],
            self.took_s[rows],
        )


def timed_answers(
    edits: Iterable[Edit],
    kinds: Mapping[str, str],
    ambiguity: Mapping[tuple[str, int], float] | None = None,
) -> Answers:
    """Gather the decisions whose time is known from edits in the order of the journal.

    Batch accepts (edits of one group on several items at one moment) are no decisions on single
    items, and undo, notes, flags and additions are not timed.

    Parameters
    ----------
    edits : iterable of Edit
    kinds : mapping of str to str
        Base digest to kind ("units"); edits on other bases are left out.
    ambiguity : mapping of (str, int) to float, optional
        By base digest and item, 0 to 1; 0.5 where it is not known.

    Returns
    -------
    Answers
        Idle gaps are still in it (see `plausible`).
    """
    known = ambiguity or {}
    last: dict[str, tuple[float, int]] = {}
    rows: list[tuple[str, str, float, int, float]] = []
    for edit in edits:
        if edit.base not in kinds or edit.kind not in _TIMED or edit.took_s is None:
            continue
        before, count = last.get(edit.reviewer, (-math.inf, 0))
        order = count if edit.when_s - before <= SESSION_GAP_S else 0
        last[edit.reviewer] = (edit.when_s, order + 1)
        if edit.took_s < _FASTEST_S or len(edit.items) == 0:
            continue
        doubt = max(known.get((edit.base, item), 0.5) for item in edit.items)
        rows.append((kinds[edit.base], edit.reviewer, doubt, order, edit.took_s))
    return Answers(
        tuple(r[0] for r in rows),
        tuple(r[1] for r in rows),
        np.array([r[2] for r in rows], dtype=np.float64),
        np.array([r[3] for r in rows], dtype=np.int64),
        np.array([r[4] for r in rows], dtype=np.float64),
    )


def plausible(answers: Answers) -> Bools:
    """Mark times that are decisions, not idle gaps.

    Parameters
    ----------
    answers : Answers

    Returns
    -------
    ndarray, shape (n,), bool
        At most `IDLE_S`, and at most six times the median of the same reader and kind.
    """
    keep = answers.took_s <= IDLE_S
    cells = list(zip(answers.reader, answers.kind, strict=True))
    for cell in set(cells):
        rows = np.array([c == cell for c in cells], dtype=bool)
        usual = answers.took_s[rows & keep]
        if len(usual) >= 5:
            keep &= ~rows | (answers.took_s <= _LONGEST * np.median(usual))
    return np.asarray(keep, dtype=np.bool_)


@dataclass(frozen=True)
class TimeModel:
    """Times of decisions still to come.

    Parameters
    ----------
    kinds, readers : tuple of str
        Those that it has seen; others get the common level with its uncertainty.
    mean : ndarray, shape (p,), float64
        Weights: level, ambiguity, order, one per kind, one per reader.
    covariance : ndarray, shape (p, p), float64
    sigma : float
        Standard deviation of the log time of one decision.
    n : int
        Decisions it was fitted to.
    """

    kinds: tuple[str, ...]
    readers: tuple[str, ...]
    mean: Floats
    covariance: Floats
    sigma: float
    n: int

    def seconds(
        self,
        kind: str,
        ambiguity: Floats,
        *,
        reader: str | None = None,
        order: npt.ArrayLike = 20,
    ) -> Floats:
        """Expected time of each decision.

        Parameters
        ----------
        kind : str
        ambiguity : ndarray, shape (n,), float64
            0 to 1.
        reader : str, optional
            Nobody in particular by default.
        order : array-like, shape (n,) or (), int
            Decisions of the session that go before.

        Returns
        -------
        ndarray, shape (n,), float64
            Seconds, above 0.
        """
        design = self._design(kind, ambiguity, reader, order)
        return np.asarray(np.exp(design @ self.mean + self.sigma**2 / 2), dtype=np.float64)

    def minutes_left(
        self,
        parts: Sequence[tuple[str, Floats]],
        *,
        reader: str | None = None,
        order: int = 0,
        level: float = 0.9,
    ) -> Interval:
        """Minutes that all decisions still to come will take together.

        The total is taken as log-normal, with the variance of the single decisions (Fenton 1960)
        and that of the weights, which all decisions share.

        Parameters
        ----------
        parts : sequence of (kind, ndarray of shape (n,), float64)
            Ambiguity of every item left, by kind.
        reader : str, optional
        order : int
            Decisions of the session so far.
        level : float
            Of the interval, 0 to 1.

        Returns
        -------
        Interval
            Minutes; `n` is the number of decisions left.
        """
        from scipy.special import ndtri

        left = sum(len(ambiguity) for _, ambiguity in parts)
        if not left:
            return Interval(0.0, 0.0, 0.0, level, 0)
        steps = order + np.arange(left)
        designs, start = [], 0
        for kind, ambiguity in parts:
            stop = start + len(ambiguity)
            designs.append(self._design(kind, ambiguity, reader, steps[start:stop]))
            start = stop
        design = np.concatenate(designs)
        each = np.exp(design @ self.mean + self.sigma**2 / 2)
        total = float(each.sum())
        single = float((each**2).sum()) * math.expm1(self.sigma**2) / total**2
        slope = each @ design / total
        shared = self._stranger(reader) + float(slope @ self.covariance @ slope)
        spread = math.sqrt(math.log1p(single) + shared)
        far = float(ndtri((1 + level) / 2)) * spread
        minutes = total / 60
        return Interval(minutes, minutes * math.exp(-far), minutes * math.exp(far), level, left)

    def _stranger(self, reader: str | None) -> float:
        """Variance of a reader whose own level is not known."""
        return 0.0 if reader in self.readers else _READER_SD**2

    def _design(
        self, kind: str, ambiguity: Floats, reader: str | None, order: npt.ArrayLike
    ) -> Floats:
        n = len(ambiguity)
        names = ("",) * n if reader is None else (reader,) * n
        steps = np.broadcast_to(np.asarray(order), (n,))
        return _design((kind,) * n, names, ambiguity, steps, (self.kinds, self.readers))


def fit_times(answers: Answers) -> TimeModel:
    """Learn how long decisions take.

    Parameters
    ----------
    answers : Answers
        Implausible times are left out; without any the prior is returned.

    Returns
    -------
    TimeModel
    """
    kept = answers.only(plausible(answers))
    names = (tuple(sorted(set(kept.kind))), tuple(sorted(set(kept.reader))))
    design = _design(kept.kind, kept.reader, kept.ambiguity, kept.order, names)
    deviations = [*_COMMON_SD, *[_KIND_SD] * len(names[0]), *[_READER_SD] * len(names[1])]
    prior = np.diag(1 / np.array(deviations) ** 2)
    centre = np.zeros(len(deviations))
    centre[:3] = _PRIOR_MEAN
    target = np.log(kept.took_s) - design @ centre
    mean = np.zeros(len(centre))
    sigma, weight = _PRIOR_SIGMA, np.ones(len(kept))
    covariance: Floats = np.linalg.inv(prior).astype(np.float64)
    for _ in range(_ROUNDS):
        weighted = design * weight[:, None] / sigma**2
        covariance = np.linalg.inv(prior + weighted.T @ design).astype(np.float64)
        before, mean = mean, covariance @ (weighted.T @ target)
        residual = target - design @ mean
        sigma = _spread(residual)
        weight = np.minimum(1.0, _HUBER * sigma / np.maximum(np.abs(residual), 1e-12))
        if np.max(np.abs(mean - before), initial=0.0) < 1e-6:
            break
    return TimeModel(*names, mean + centre, covariance, sigma, len(kept))


def ambiguity_of(probabilities: Floats) -> Floats:
    """Ambiguity of items for a reader: entropy of the model's probabilities over its largest.

    Parameters
    ----------
    probabilities : ndarray, shape (n, k), float64

    Returns
    -------
    ndarray, shape (n,), float64
        0 to 1.
    """
    from nissl.review.policies.measures import entropy_of

    largest = float(np.log(probabilities.shape[1]))
    return np.asarray(entropy_of(probabilities) / largest, dtype=np.float64)


def _spread(residual: Floats) -> float:
    """Robust standard deviation, shrunk to the prior by `_PRIOR_N` decisions."""
    n = len(residual)
    if n == 0:
        return _PRIOR_SIGMA
    robust = 1.4826 * float(np.median(np.abs(residual)))
    return math.sqrt((_PRIOR_N * _PRIOR_SIGMA**2 + n * robust**2) / (_PRIOR_N + n))


def _design(
    kind: Sequence[str],
    reader: Sequence[str],
    ambiguity: Floats,
    order: npt.NDArray[np.int64],
    names: tuple[Sequence[str], Sequence[str]],
) -> Floats:
    """Level, ambiguity, log of the order (about 0 at the twentieth), kinds, readers."""
    went = np.log1p(np.minimum(order, _LONG_SESSION)) - math.log(21)
    common = [np.ones(len(kind)), ambiguity, went]
    kinds = [np.array([k == name for k in kind], dtype=np.float64) for name in names[0]]
    readers = [np.array([r == name for r in reader], dtype=np.float64) for name in names[1]]
    return np.stack([*common, *kinds, *readers], axis=1)
