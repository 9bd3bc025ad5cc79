"""Intervals around a predicted rate: how far true rates lay from predictions on sets left out.

Predictions of traces that no member of the network was trained on are sorted by their value; the
interval at a value spans the quantiles of the truth there, each set counting alike. It has no
error bar from the network itself: what networks say of their own doubt holds on the sets that they
know, and it is the step to a new set that costs most.

Where the truth is often zero the interval begins there, and the whole error is above it; else it
is halved between both sides. An interval that begins at zero holds all silence, so more than the
stated share lies within where cells are silent; where they are active it is the share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingInputError

Values = npt.NDArray[np.float64]

COVERAGE = 0.9
N_BINS = 24
ZERO = 0.02
"""Spikes per second below which a smoothed truth counts as silence."""
ACTIVE = 0.5
"""Spikes per second from which a frame counts as active, by what was predicted."""
WIDER = (0.0, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8)
"""Parts of what is left above the coverage by which the quantiles may be moved outwards."""
ENOUGH = 5000
"""Frames of a set from which that is learnt."""
_OFFSET = 0.1


@dataclass(frozen=True, eq=False)
class Spread:
    """The interval by predicted rate; between the values it is interpolated.

    Parameters
    ----------
    rate, low, high : ndarray, shape (n,), float64, spikes/s
        Increasing predictions, and the ends of the interval there.
    coverage : float
    scale : float
        What predictions are multiplied by first: true spikes over predicted ones on the sets
        left out, their geometric mean.
    """

    rate: Values
    low: Values
    high: Values
    coverage: float = COVERAGE
    scale: float = 1.0

    def __call__(self, predicted: npt.NDArray[Any]) -> tuple[Values, Values]:
        """Low and high ends for scaled predictions of any shape; the prediction lies within."""
        x = np.asarray(predicted, np.float64)
        at, known = np.log(np.maximum(x, 0) + _OFFSET), np.log(self.rate + _OFFSET)
        beyond = np.maximum(x / max(float(self.rate[-1]), 1e-9), 1.0)
        low = np.interp(at, known, self.low) * beyond
        high = np.interp(at, known, self.high) * beyond
        return np.minimum(low, x), np.maximum(high, x)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        columns = {name: getattr(self, name).tolist() for name in ("rate", "low", "high")}
        return {**columns, "coverage": self.coverage, "scale": self.scale}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Spread:
        """Inverse of `to_json`."""
        rate, low, high = (np.asarray(value[name], np.float64) for name in ("rate", "low", "high"))
        return cls(rate, low, high, float(value["coverage"]), float(value["scale"]))


def fit_spread(
    predicted: Sequence[Values], true: Sequence[Values], coverage: float = COVERAGE
) -> Spread:
    """Learn scale and interval from predictions on sets that were left out.

    With three sets or more the quantiles are those with which the interval, learnt from all but
    one of them, holds the stated share of that one's active frames on average: a new set is
    further from those known than they are from themselves.

    Parameters
    ----------
    predicted, true : sequence of ndarray, spikes/s
        One pair per set; sets count alike, however long.
    coverage : float
        Share of frames whose truth is to lie within.

    Raises
    ------
    MissingInputError
        Fewer frames than intervals can be told from.
    """
    n_frames = sum(len(each) for each in predicted)
    if n_frames < 20 * N_BINS:
        raise MissingInputError(
            f"{20 * N_BINS} frames or more", f"{n_frames}", "Give longer or more traces."
        )
    wider = [coverage + share * (1 - coverage) for share in WIDER]
    level = wider[0]
    if len(predicted) >= 3:
        few = [_thinned(p, t) for p, t in zip(predicted, true, strict=True)]
        held = (level for level in wider if _left_out(few, level) >= coverage)
        level = next(held, wider[-1])
    return replace(_fitted(predicted, true, level), coverage=coverage)


def _thinned(predicted: Values, true: Values) -> tuple[Values, Values]:
    step = max(len(predicted) // ENOUGH, 1)
    return np.asarray(predicted[::step], np.float64), np.asarray(true[::step], np.float64)


def _left_out(sets: Sequence[tuple[Values, Values]], level: float) -> float:
    """Mean over sets of the share of active frames that the others' interval holds."""
    shares = []
    for k, (predicted, true) in enumerate(sets):
        others = [pair for j, pair in enumerate(sets) if j != k]
        spread = _fitted([p for p, _ in others], [t for _, t in others], level)
        said = spread.scale * np.maximum(predicted, 0.0)
        low, high = spread(said)
        active = said >= ACTIVE
        if active.any():
            shares.append(float(np.mean((true >= low)[active] & (true <= high)[active])))
    return float(np.mean(shares)) if shares else 1.0


def _fitted(predicted: Sequence[Values], true: Sequence[Values], level: float) -> Spread:
    """Quantiles of a level, whatever they hold of other sets."""
    ratios = [np.sum(t) / np.sum(p) for p, t in zip(predicted, true, strict=True) if np.any(p)]
    known = [ratio for ratio in ratios if ratio > 0]
    scale = float(np.exp(np.mean(np.log(known)))) if known else 1.0
    x = scale * np.maximum(np.concatenate([np.asarray(p, np.float64) for p in predicted]), 0.0)
    y = np.concatenate([np.asarray(t, np.float64) for t in true])
    weight = np.concatenate([np.full(len(p), 1 / len(p)) for p in predicted if len(p)])
    order = np.argsort(x, kind="stable")
    x, y, weight = x[order], y[order], weight[order]
    # half of the bins by number, half by value: most frames are silent, and all rates matter
    total = np.cumsum(weight) / weight.sum()
    by_number = np.searchsorted(total, np.linspace(0, 1, N_BINS // 2 + 1)[1:-1])
    by_value = np.searchsorted(x, np.geomspace(0.2, max(x[-1], 0.4), N_BINS // 2 + 1)[:-1])
    cuts = np.unique(np.concatenate([[0], by_number, by_value, [x.size]]))
    rows = []
    for first, stop in pairwise(cuts.tolist()):
        if stop - first >= 20:
            part = slice(first, stop)
            middle = _quantile(x[part], weight[part], 0.5)
            rows.append((middle, *_ends(y[part], weight[part], level)))
    rate, low, high = np.array(rows).T
    distinct = np.concatenate([[True], np.diff(rate) > 1e-9])
    return Spread(rate[distinct], low[distinct], high[distinct], level, scale)


def _ends(y: Values, weight: Values, coverage: float) -> tuple[float, float]:
    tail = (1 - coverage) / 2
    low = _quantile(y, weight, tail)
    if low <= ZERO:
        return 0.0, _quantile(y, weight, coverage)
    return low, _quantile(y, weight, 1 - tail)


def _quantile(values: Values, weight: Values, share: float) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    at = int(np.searchsorted(total, share * total[-1]))
    return float(values[order][min(at, values.size - 1)])


__all__ = ["COVERAGE", "Spread", "fit_spread"]
