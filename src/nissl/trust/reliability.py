"""Does a confidence mean what it says? Reliability with its intervals.

The expected calibration error (ECE) of few items is large even for a perfect model, for chance
alone moves the accuracy of a bin away from its confidence: about 0.09 at 106 items. So it never
stands alone: beside it stand the range that a perfectly calibrated model with these very
confidences would show at this number of items, and a debiased estimate.

Bins hold equal numbers of items, but for ties, which stay together. Sources: reliability and ECE,
Naeini, Cooper and Hauskrecht 2015, AAAI, and Guo et al. 2017, ICML; debiasing, Kumar, Liang and
Ma 2019, Verified uncertainty calibration, NeurIPS (section 5 for the squared error; for the
absolute error their library's normal approximation, here in closed form); the perfect model's
range, Bröcker and Smith 2007, Increasing the reliability of reliability diagrams, Weather
Forecast. 22, 651-661 (consistency resampling).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.bands import split
from nissl.trust.checked import (
    Floats,
    Integers,
    Names,
    Truths,
    checked_pair,
    checked_probabilities,
    checked_weights,
    group_codes,
    plain,
)
from nissl.trust.intervals import Interval, binomial_interval, percentiles, resampled_sums
from nissl.trust.ranked import Ranked

_BINS = 10
_LEAST_PER_BIN = 5
_SMALL = 1e-6
_SIMULATIONS = 1000
_MANY = 5000  # items from which on the sums of bins are normal enough to be drawn directly


@dataclass(frozen=True)
class ReliabilityBin:
    """Items of neighbouring confidence.

    Parameters
    ----------
    low, high : float
        Least and greatest confidence in it.
    n : int
    confidence : float
        Mean.
    accuracy : Interval
    share : float
        Of all items, by weight.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: Interval
    share: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        numbers = {"low": self.low, "high": self.high, "n": self.n, "share": self.share}
        return {**numbers, "confidence": self.confidence, "accuracy": self.accuracy.to_json()}


@dataclass(frozen=True)
class Reliability:
    """How far confidences can be trusted.

    Parameters
    ----------
    n : int
    n_groups : int or None
        Groups resampled for the intervals; None where items count as independent.
    accuracy : Interval
    mean_confidence : float
    bins : tuple of ReliabilityBin
        From the least confident.
    ece : float
        Mean distance of a bin's confidence from its accuracy.
    ece_debiased : Interval
        `ece` less its bias by chance, about half of which remains where the model is calibrated;
        reversed (basic) bootstrap, as resampling adds chance again.
    rms_debiased : float
        Root of the debiased squared error; 0 where chance explains it.
    perfect : tuple of float
        Range of `ece` (2.5 to 97.5 % at level 0.95) of a perfectly calibrated model whose items
        are independent.
    brier_skill, log_loss_skill : Interval
        1 - loss / loss of always saying the base rate of these items; NaN where all are right or
        all wrong.
    auroc : Interval
        Chance that a right item is more confident than a wrong one; NaN likewise.
    level : float
    """

    n: int
    n_groups: int | None
    accuracy: Interval
    mean_confidence: float
    bins: tuple[ReliabilityBin, ...]
    ece: float
    ece_debiased: Interval
    rms_debiased: float
    perfect: tuple[float, float]
    brier_skill: Interval
    log_loss_skill: Interval
    auroc: Interval
    level: float

    @property
    def consistent(self) -> bool:
        """Whether the ECE is no larger than a perfectly calibrated model's may be."""
        return self.ece <= self.perfect[1]

    def statement(self) -> str:
        """The result as a sentence for people."""
        low, high = self.perfect
        verdict = "as of a calibrated model" if self.consistent else "more than chance explains"
        return (
            f"Confidence is off by {self.ece:.3f} on average (ECE; debiased "
            f"{self.ece_debiased.estimate:.3f}), {verdict}: at {self.n} items one shows "
            f"{low:.3f} to {high:.3f}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values and the sentence; what could not be computed is None."""
        intervals = {
            name: getattr(self, name).to_json()
            for name in ("accuracy", "ece_debiased", "brier_skill", "log_loss_skill", "auroc")
        }
        return {
            "n": self.n,
            "n_groups": self.n_groups,
            "mean_confidence": self.mean_confidence,
            "bins": [part.to_json() for part in self.bins],
            "ece": self.ece,
            "rms_debiased": plain(self.rms_debiased),
            "perfect": list(self.perfect),
            "consistent": self.consistent,
            "level": self.level,
            "sentence": self.statement(),
            **intervals,
        }


def top_label(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, Truths]:
    """Confidence of the likeliest class, and whether it is right.

    Parameters
    ----------
    probabilities : array-like, shape (n_items, n_classes)
    truth : array-like of int, shape (n_items,)
        Class index of each item.

    Returns
    -------
    confidence : ndarray, shape (n_items,), float64
    correct : ndarray, shape (n_items,), bool
    """
    p = checked_probabilities(probabilities)
    y = np.asarray(truth)
    if y.shape != (len(p),):
        raise BadArgumentError(f"{len(p)} class indices", f"shape {y.shape}", "Give one per item.")
    return p.max(axis=1), np.asarray(p.argmax(axis=1) == y)


def reliability(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    groups: Names | None = None,
    weights: npt.ArrayLike | None = None,
    level: float = 0.95,
    rng: np.random.Generator,
) -> Reliability:
    """Calibration and skill of confidences, with intervals.

    Parameters
    ----------
    confidence : array-like, shape (n_items,)
        Of items that neither the model nor its calibration has learned from.
    correct : array-like of bool, shape (n_items,)
    groups : sequence of length n_items, optional
        Subject of each item; intervals then resample whole subjects.
    weights : array-like, shape (n_items,), optional
        Inverse probability of each item to have been asked (audit weights, queried items).
    level : float
    rng : numpy.random.Generator

    Returns
    -------
    Reliability

    Raises
    ------
    BadArgumentError
        No items, or arrays that do not fit.
    """
    p, right = checked_pair(confidence, correct)
    if not p.size:
        raise BadArgumentError("items with an answer", "none", "Label some first.")
    w = checked_weights(weights, p.size)
    codes = None if groups is None else group_codes(groups, p.size)[0]
    y = right.astype(np.float64)
    codes = np.arange(p.size) if groups is None else group_codes(groups, p.size)[0]
    resampled = int(codes.max()) + 1
    bins = _equal_mass(p)
    n_bins = int(bins.max()) + 1
    columns = _columns(p, y, w, bins)
    seen = _Parts.of(columns.sum(axis=0)[None], n_bins)
    drawn = _Parts.of(resampled_sums(columns, groups, rng=rng), n_bins)

    def interval(estimate: Floats, draws: Floats) -> Interval:
        low, high = percentiles(draws, level)
        return Interval(float(estimate[0]), float(low), float(high), level, resampled)

    def rate(estimate: Floats, draws: Floats, inside: Truths) -> Interval:
        exact = binomial_interval(int(right[inside].sum()), int(inside.sum()), level=level)
        if groups is None and weights is None:
            return exact
        drawn = interval(estimate, draws)  # never narrower than that of independent items
        low, high = np.fmin(drawn.low, exact.low), np.fmax(drawn.high, exact.high)
        return Interval(drawn.estimate, float(low), float(high), level, resampled)

    def one_bin(b: int) -> ReliabilityBin:
        inside = bins == b
        return ReliabilityBin(
            low=float(p[inside].min()),
            high=float(p[inside].max()),
            n=int(inside.sum()),
            confidence=float(seen.confidence[0, b]),
            accuracy=rate(seen.accuracy[:, b], drawn.accuracy[:, b], inside),
            share=float(seen.share[0, b]),
        )

    ranked = Ranked.of(p, y, w, codes)
    off = (seen.confidence - seen.accuracy)[0]
    spread = _spread(seen.accuracy[0], w, bins)
    debiased = max(0.0, float(2 * seen.ece[0] - seen.share[0] @ _folded_mean(off, spread)))
    squared = float(seen.share[0] @ (off**2 - spread**2))
    return Reliability(
        n=p.size,
        n_groups=None if groups is None else resampled,
        accuracy=rate(seen.right, drawn.right, np.ones(p.size, dtype=np.bool_)),
        mean_confidence=float(np.average(p, weights=w)),
        bins=tuple(one_bin(b) for b in range(n_bins)),
        ece=float(seen.ece[0]),
        ece_debiased=_reversed(interval(seen.ece, drawn.ece), debiased),
        rms_debiased=float(np.sqrt(max(0.0, squared))),
        perfect=_perfect_range(p, w, bins, level, rng),
        brier_skill=interval(seen.brier_skill, drawn.brier_skill),
        log_loss_skill=interval(seen.log_loss_skill, drawn.log_loss_skill),
        auroc=interval(ranked.areas(np.ones((1, resampled))), ranked.draws(resampled, rng)),
        level=level,
    )


def bands(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    values: Names,
    *,
    edges: Sequence[float] | None = None,
    groups: Names | None = None,
    rng: np.random.Generator,
) -> dict[str, Reliability]:
    """Reliability apart in bands of difficulty: SNR, class, distance.

    Parameters
    ----------
    confidence, correct : array-like, shape (n_items,)
    values : sequence of length n_items
        What the bands are cut by.
    edges : sequence of float, optional
        Inner edges of numeric bands; see `bands.split`.
    groups : sequence of length n_items, optional
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Reliability by name of the band, in order.

    Raises
    ------
    BadArgumentError
        Arrays that do not fit.
    """
    p, right = checked_pair(confidence, correct)
    parts = split(values, p.size, edges=edges)
    everyone = None if groups is None else np.asarray(groups)
    if everyone is not None:
        group_codes(everyone, p.size)
    return {
        name: reliability(
            p[mask], right[mask], groups=None if everyone is None else everyone[mask], rng=rng
        )
        for name, mask in parts.items()
    }


@dataclass(frozen=True, eq=False)
class _Parts:
    """What follows from sums over items; every array's first axis runs over resamples."""

    share: Floats  # (n_draws, n_bins)
    confidence: Floats
    accuracy: Floats
    right: Floats  # (n_draws,)
    brier_skill: Floats
    log_loss_skill: Floats

    @classmethod
    def of(cls, sums: Floats, n_bins: int) -> _Parts:
        """From (n_draws, 3 n_bins + 2): weight, confidence and right ones per bin; two losses."""
        mass, confidence, hits = (sums[:, i * n_bins : (i + 1) * n_bins] for i in range(3))
        total = mass.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # empty bins of a resample: NaN
            right = hits.sum(axis=1) / total
            entropy = -(right * np.log(right) + (1 - right) * np.log1p(-right))
            return cls(
                mass / total[:, None],
                confidence / mass,
                hits / mass,
                right,
                _finite(1 - sums[:, -2] / total / (right * (1 - right))),
                _finite(1 - sums[:, -1] / total / entropy),
            )

    @property
    def ece(self) -> Floats:
        off = self.share * np.abs(self.confidence - self.accuracy)
        return np.asarray(np.nansum(off, axis=1))


def _columns(p: Floats, y: Floats, w: Floats, bins: Integers) -> Floats:
    inside = np.zeros((p.size, int(bins.max()) + 1))
    inside[np.arange(p.size), bins] = w
    brier = w * (p - y) ** 2
    log_loss = -w * np.log(np.maximum(np.where(y > 0, p, 1 - p), _SMALL))
    return np.column_stack([inside, inside * p[:, None], inside * y[:, None], brier, log_loss])


def _equal_mass(p: Floats) -> Integers:
    """Bin of each item, 0 the least confident; equal confidences share a bin."""
    n_bins = min(_BINS, max(1, p.size // _LEAST_PER_BIN))
    ordered = np.sort(p)
    edges = ordered[np.arange(1, n_bins) * p.size // n_bins]
    codes = np.searchsorted(edges, p, side="right")
    return np.asarray(np.unique(codes, return_inverse=True)[1])


def _spread(accuracy: Floats, w: Floats, bins: Integers) -> Floats:
    """Standard error of each bin's accuracy, at its effective number of items."""
    n = np.bincount(bins, w) ** 2 / np.bincount(bins, w**2)
    return np.asarray(np.sqrt(accuracy * (1 - accuracy) / np.maximum(n - 1, 1)))


def _folded_mean(d: Floats, spread: Floats) -> Floats:
    """Mean of ``|d + spread z|`` for a standard normal z (Leone et al. 1961, Technometrics 3)."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = d / spread
        density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
        folded = 2 * spread * density + d * (1 - 2 * ndtr(-ratio))
    return np.where(spread > 0, folded, np.abs(d))


def _perfect_range(
    p: Floats, w: Floats, bins: Integers, level: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Range of the ECE when every item is right with its own confidence."""
    mass = np.bincount(bins, w)
    if p.size <= _MANY:
        order = np.argsort(bins, kind="stable")
        starts = np.searchsorted(bins[order], np.arange(mass.size))
        q, v = p[order], w[order]
        off = v * (q - (rng.random((_SIMULATIONS, p.size)) < q))
        distance = np.abs(np.add.reduceat(off, starts, axis=1))
    else:  # bins are normal enough
        spread = np.sqrt(np.bincount(bins, w**2 * p * (1 - p)))
        distance = np.abs(rng.normal(0, 1, (_SIMULATIONS, mass.size)) * spread)
    low, high = percentiles(distance.sum(axis=1) / mass.sum(), level)
    return float(low), float(high)


def _reversed(interval: Interval, estimate: float) -> Interval:
    """Basic bootstrap around a debiased estimate: the resamples' bias is taken off once more."""
    low = max(0.0, 2 * interval.estimate - interval.high)
    high = max(0.0, 2 * interval.estimate - interval.low)
    return Interval(estimate, min(low, estimate), max(high, estimate), interval.level, interval.n)


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
