"""Intervals around a predicted rate: how far true rates lay from predictions on sets left out.

Two things make a rate wrong. Within a set true rates scatter around predictions: predictions of
traces that no member of the network was trained on, each set on its own scale and counting alike,
are sorted by their value, and the truth at a value has quantiles. And nothing in a trace tells how
much one spike adds to it, so the scale of a new set is unknown: it is drawn like the scales of the
known ones, whose logarithms scatter as they do around their mean. The interval spans the quantiles
of both together. It has no error bar from the network itself: what networks say of their own doubt
holds on the sets that they know, and it is the step to a new set that costs most.

Where the truth is often zero the interval begins there, and the whole error is above it; else it
is halved between both sides. An interval that begins at zero holds all silence, so more than the
stated share lies within where cells are silent; where they are active it is the share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
UNKNOWN = 0.6
"""Standard deviation of the logarithm of scales where fewer than three sets are there to say it."""
NODES = 9
"""Scales that stand for all that a new set may have."""
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
    sums = [(float(np.sum(t)), float(np.sum(p))) for p, t in zip(predicted, true, strict=True)]
    own = [t / p if t > 0 and p > 0 else np.nan for t, p in sums]
    logs = np.log([ratio for ratio in own if np.isfinite(ratio)])
    scale = float(np.exp(logs.mean())) if logs.size else 1.0
    off = _scales(logs)
    scaled = [
        (ratio if np.isfinite(ratio) else scale) * np.maximum(np.asarray(p, np.float64), 0.0)
        for ratio, p in zip(own, predicted, strict=True)
    ]
    x, y = np.concatenate(scaled), np.concatenate([np.asarray(t, np.float64) for t in true])
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
            truth = np.outer(y[part], off).ravel()
            rows.append((middle, *_ends(truth, np.repeat(weight[part], off.size), coverage)))
    rate, low, high = np.array(rows).T
    distinct = np.concatenate([[True], np.diff(rate) > 1e-9])
    return Spread(rate[distinct], low[distinct], high[distinct], coverage, scale)


def _scales(logs: Values) -> Values:
    """What the scale of a new set may be over the mean of the known ones; equally likely."""
    from scipy.special import ndtri

    n = logs.size
    # the mean itself is known from n sets only
    sd = float(logs.std(ddof=1) * np.sqrt(1 + 1 / n)) if n >= 3 else UNKNOWN
    return np.asarray(np.exp(sd * ndtri((np.arange(NODES) + 0.5) / NODES)))


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
