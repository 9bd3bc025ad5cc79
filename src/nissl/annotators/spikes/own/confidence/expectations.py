"""How many spikes of a unit are false, and how many of its own it has lost.

False positives: the mean of one minus the confidence of its spikes. False negatives: spikes that
were left out as doubtful, as far as their own confidence says that they were the unit's; spikes too
small for the sorter, by the Gaussian of the unit's amplitudes cut off at its threshold (as in Hill
et al. 2011, J Neurosci 31:8699, whose estimate of missed spikes takes the mirrored upper half of
the histogram; here the Gaussian is fitted to what is above the cut, so that units that have lost
more than half of theirs are told too), and spikes that fell into the time after another one in
which the unit, or a unit with nearly the same template, cannot be told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST = 20
"""With fewer spikes nothing is said of the Gaussian."""
ROUNDS = 3
REACH_SD = 3.0
"""Amplitudes further from the peak are left out of the fit: bursts, collisions, other cells."""
CERTAIN_SD = 2.0
"""Coincidences are held to be missing where more are than this many SDs of their number."""
TOGETHER_MS = 0.5
FLANK_MS = (2.0, 10.0)
"""Lags at which coincidences are as frequent as chance has it, templates no longer overlap."""


@dataclass(frozen=True)
class Expected:
    """What to expect of a unit.

    Parameters
    ----------
    unit : int
    n_spikes : int
    false_positives : float
        Share of its spikes that are not its own; NaN where no spike has a confidence.
    below_threshold : float
        Share of its own spikes that are too small to be found; NaN with too few spikes.
    collided : float
        Share of its own spikes that are hidden by others.
    left_out : float
        Share of its own spikes, of those that were found, that were not given out.
    false_negatives : float
        Share of its own spikes that are lost, of any cause; of those known where one is NaN.
    """

    unit: int
    n_spikes: int
    false_positives: float
    below_threshold: float
    collided: float
    left_out: float = 0.0

    @property
    def false_negatives(self) -> float:
        """Share of the unit's own spikes that were not found."""
        lost = 0.0 if np.isnan(self.below_threshold) else self.below_threshold
        return 1 - (1 - lost) * (1 - self.collided) * (1 - self.left_out)

    @property
    def true_spikes(self) -> float:
        """How many spikes the unit is expected to have fired."""
        false = 0.0 if np.isnan(self.false_positives) else self.false_positives
        return self.n_spikes * (1 - false) / max(1 - self.false_negatives, 1e-9)


def expected(
    unit: int,
    amplitude: npt.ArrayLike,
    confidence: npt.ArrayLike,
    least: npt.ArrayLike,
    collided: float = 0.0,
    given: npt.NDArray[np.bool_] | None = None,
) -> Expected:
    """Expect false positives and negatives of a unit.

    Parameters
    ----------
    unit : int
    amplitude : array_like, shape (n,)
        Of its spikes, in templates or any other unit.
    confidence : array_like, shape (n,)
        Probability that each spike is the unit's; NaN where nobody knows.
    least : float or array_like, shape (n,)
        Smallest amplitude that is found, in the same unit.
    collided : float
        Share of its own spikes that are hidden by others, from `hidden_share`.
    given : ndarray, shape (n,), bool, optional
        Which spikes are given out; all by default. Left-out ones tell of the amplitudes too.

    Raises
    ------
    BadArgumentError
        Confidences outside 0 to 1, or of another number than the amplitudes.
    """
    size = np.asarray(amplitude, np.float64).ravel()
    sure = np.asarray(confidence, np.float64).ravel()
    known = np.isfinite(sure)
    if sure.size != size.size or np.any((sure[known] < 0) | (sure[known] > 1)):
        low, high = np.min(sure[known], initial=1), np.max(sure[known], initial=0)
        raise BadArgumentError(
            f"{size.size} confidences from 0 to 1, one a spike",
            f"{sure.size} from {low:g} to {high:g}",
            "Give probabilities, NaN where there is none.",
        )
    out = np.ones(size.size, bool) if given is None else given
    false = float(np.mean(1 - sure[known & out])) if np.any(known & out) else float("nan")
    weight = np.where(known, sure, 1.0)
    total = float(weight.sum())
    left_out = float(weight[~out].sum()) / total if total > 0 else 0.0
    below = truncated_share(size, least, weight)
    return Expected(unit, int(out.sum()), false, below, collided, left_out)


def truncated_share(amplitude: Values, least: npt.ArrayLike, weight: Values | None = None) -> float:
    """Share of a Gaussian that lies below a threshold, from the values above it.

    Parameters
    ----------
    amplitude : ndarray, shape (n,)
        Smaller ones than `least` count as if they lay at it.
    least : float or array_like, shape (n,)
    weight : ndarray, shape (n,), optional
        How far each counts: its probability to be the unit's.

    Returns
    -------
    float
        At most one half: a Gaussian whose peak lies below the threshold cannot be told from others.
        NaN where the weights sum to fewer than 20 spikes.
    """
    weight = np.ones(amplitude.size) if weight is None else weight
    if weight.sum() < FEWEST:
        return float("nan")
    above, weight = _sorted(np.maximum(amplitude - np.asarray(least, np.float64), 0.0), weight)
    peak = _median(above, weight)
    sd = 1.4826 * _median(*_sorted(np.abs(above - peak), weight))
    for _ in range(ROUNDS):
        if not sd > 0:
            return 0.0 if peak > 0 else 0.5
        low, high = max(0.0, peak - REACH_SD * sd), peak + REACH_SD * sd
        held = (above >= low) & (above <= high)
        if weight[held].sum() < FEWEST / 2:
            break
        peak, sd = _gaussian(above[held], weight[held], low, high, sd)
    from scipy.special import ndtr

    return float(ndtr(-peak / sd)) if sd > 0 else 0.0


def _sorted(values: Values, weight: Values) -> tuple[Values, Values]:
    order = np.argsort(values, kind="stable")
    return values[order], weight[order]


def _median(values: Values, weight: Values) -> float:
    """Weighted median of sorted values."""
    return float(values[int(np.searchsorted(np.cumsum(weight), 0.5 * weight.sum()))])


def _gaussian(
    values: Values, weight: Values, low: float, high: float, scale: float
) -> tuple[float, float]:
    """Peak (at least 0) and SD of a Gaussian of which only what lies between two bounds is seen."""
    from scipy.optimize import minimize
    from scipy.special import ndtr

    mean = float(weight @ values) / float(weight.sum())
    spread = float(weight @ (values - mean) ** 2) / float(weight.sum())

    def cost(x: Values) -> float:
        """Negative log likelihood of a value, by (peak, log SD) over the scale."""
        peak, sd = x[0] * scale, np.exp(x[1]) * scale
        inside = ndtr((high - peak) / sd) - ndtr((low - peak) / sd)
        square = ((mean - peak) ** 2 + spread) / (2 * sd**2)
        return float(np.log(sd / scale) + square + np.log(max(inside, 1e-300)))

    bounds = [(0.0, high / scale), (-3.0, 1.5)]
    found = minimize(cost, np.asarray([mean / scale, 0.0]), method="L-BFGS-B", bounds=bounds).x
    return float(found[0] * scale), float(np.exp(found[1]) * scale)


def hidden_share(own: Ints, larger: Ints, within: int, flank: tuple[int, int]) -> float:
    """Share of a unit's spikes that larger units hide, from coincidences that are missing.

    Spikes of two units that know nothing of each other fall together as often as they fall a few
    milliseconds apart. What is missing of them at short lags was not resolved. Units that keep
    quiet after each other for a reason of their own (one cell in two units, inhibition) miss
    them too.

    Parameters
    ----------
    own, larger : ndarray, int64, sorted
        Samples of the unit's spikes, and of those of larger units that overlap with it.
    within : int
        Lags up to this, in samples, count as together.
    flank : tuple of int
        Lags from and to which coincidences are counted for comparison.

    Returns
    -------
    float
        0 where no more are missing than by chance: of 200 expected coincidences 28.
    """
    together = _coincidences(own, larger, 0, within)
    apart = _coincidences(own, larger, *flank)
    usual = apart * (2 * within + 1) / (2 * (flank[1] - flank[0] + 1))
    missing = usual - together
    if missing < CERTAIN_SD * np.sqrt(usual):
        return 0.0
    return float(missing / (own.size + missing)) if own.size else 0.0


def _coincidences(own: Ints, others: Ints, low: int, high: int) -> int:
    """Pairs whose lag, either way, is from `low` to `high` samples."""
    after = np.searchsorted(others, own + high, "right") - np.searchsorted(
        others, own + low, "left"
    )
    before = np.searchsorted(others, own - low, "right") - np.searchsorted(
        others, own - high, "left"
    )
    same = np.searchsorted(others, own, "right") - np.searchsorted(others, own, "left")
    return int(np.sum(after + before) - (np.sum(same) if low == 0 else 0))


def least_amplitudes(norm: Values, cost: Values, prior: float, floor: float) -> Values:
    """Smallest amplitude, in templates, at which a spike of each unit gains anything.

    Parameters
    ----------
    norm : ndarray, shape (n_units,)
        Squared norms of templates.
    cost : ndarray, shape (n_units,)
        What a spike must gain, from `pursuit.costs`.
    prior, floor : float
        `pursuit.PRIOR` and `pursuit.LEAST_AMPLITUDE`.
    """
    least = (np.sqrt(2 * (norm + prior) * (prior / 2 + cost)) - prior) / np.maximum(norm, 1e-9)
    return np.asarray(np.maximum(least, floor), np.float64)


def expect_all(
    sample: Ints,
    unit: Ints,
    amplitude: npt.ArrayLike,
    confidence: npt.ArrayLike,
    *,
    given: npt.NDArray[np.bool_],
    least: Values,
    norm: Values,
    overlaps: npt.NDArray[np.bool_],
    rate_hz: float,
) -> list[Expected]:
    """Expect false positives and negatives of all units.

    Parameters
    ----------
    sample, unit : ndarray, shape (n,), int64
        In order of samples; units 0 to n_units - 1.
    amplitude, confidence : array_like, shape (n,)
        See `expected`.
    given : ndarray, shape (n,), bool
        Which spikes are given out.
    least : ndarray, shape (n,)
        Smallest amplitude that would have been found of each.
    norm : ndarray, shape (n_units,)
        Squared norm of the template: of two units that fall together the smaller one is held to
        be lost.
    overlaps : ndarray, shape (n_units, n_units), bool
        Which units' templates share channels.
    rate_hz : float
        Of the samples.
    """
    size, sure = np.asarray(amplitude, np.float64), np.asarray(confidence, np.float64)
    within = round(TOGETHER_MS * rate_hz / 1000)
    flank = (round(FLANK_MS[0] * rate_hz / 1000), round(FLANK_MS[1] * rate_hz / 1000))
    found = []
    for u in range(norm.size):
        own = unit == u
        larger = overlaps[u] & ((norm > norm[u]) | ((norm == norm[u]) & (np.arange(norm.size) < u)))
        larger[u] = False
        hidden = hidden_share(sample[own], sample[larger[unit]], within, flank)
        found.append(expected(u, size[own], sure[own], least[own], hidden, given[own]))
    return found
