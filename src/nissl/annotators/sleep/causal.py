"""What an epoch follows: features of staging while the night goes on.

`nissl.annotators.sleep.context` looks at the whole night: at the minutes after an epoch, and at
the night's own scale, which is known in the morning. Here nothing lies ahead. The scale is that
of the night so far; means and spreads reach backwards only, with the falling half of the same
triangles; there are no epochs after this one, and the share of the recording is not known.
Offline is the same code over the epochs of a file, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.context import SPREADS_MIN, TRIANGLES_MIN, with_ratios
from nissl.annotators.sleep.sleep_edf import EPOCH_S, Night
from nissl.labels import FeatureTable
from nissl.tasks import Examples

Values = npt.NDArray[np.float64]

LAGS_MIN = (0.5, 1.0, 1.5, 3.0)
LONGEST_MIN = 720.0
"""Minutes of the past that make the scale: what is older is forgotten, so memory is bounded."""


def causal_row(
    values: Values, names: Sequence[str], epoch_s: float, *, earlier: int = 0
) -> tuple[Values, tuple[str, ...]]:
    """Features of the last of some epochs.

    Parameters
    ----------
    values : ndarray, shape (n_epochs, n), float64
        Numbers of the epochs so far, at least one; NaN where missing.
    names : sequence of str, length n
        "derivation:quantity", see `nissl.annotators.sleep.context.with_ratios`.
    epoch_s : float
    earlier : int
        Epochs before the first of `values` that were forgotten.

    Returns
    -------
    ndarray, shape (n_features,), float64
    tuple of str
    """
    hours = (len(values) - 1 + earlier) * epoch_s / 3600
    plain, told = with_ratios(values[-remembered(epoch_s) :], names)
    middle, width = _scale(plain)
    now = plain[-1]
    blocks, labels = [now, (now - middle) / width], [told, tuple(f"{n}|so far" for n in told)]
    for minutes in TRIANGLES_MIN:
        blocks.append((_mean(plain, minutes, epoch_s) - middle) / width)
        labels.append(tuple(f"{n}|mean of {minutes:g} min before" for n in told))
    for minutes in SPREADS_MIN:
        square = _mean((plain - now) ** 2, minutes, epoch_s)
        spread = square - _mean(plain - now, minutes, epoch_s) ** 2
        blocks.append(np.sqrt(np.maximum(spread, 0.0)) / width)
        labels.append(tuple(f"{n}|spread of {minutes:g} min before" for n in told))
    for minutes in LAGS_MIN:
        row = plain[max(0, len(plain) - 1 - _epochs(minutes, epoch_s))]
        blocks.append((row - middle) / width)
        labels.append(tuple(f"{n}|-{minutes:g} min" for n in told))
    blocks.append(np.asarray([hours]))
    labels.append(("hours since the start",))
    return np.concatenate(blocks), tuple(name for own in labels for name in own)


def remembered(epoch_s: float) -> int:
    """Epochs of the past that features are made from."""
    return int(LONGEST_MIN * 60 / epoch_s)


def causal_context(
    values: Values, names: Sequence[str], epoch_s: float
) -> tuple[Values, tuple[str, ...]]:
    """Features of every epoch of a night, each from the epochs up to it.

    Parameters and what is returned are those of `nissl.annotators.sleep.context.context`.
    """
    rows = [causal_row(values[: k + 1], names, epoch_s) for k in range(len(values))]
    return np.stack([row for row, _ in rows]), rows[0][1]


def causal_examples(nights: Sequence[Night]) -> Examples:
    """Scored nights as examples of what follows, not of what surrounds."""
    tables = [causal_context(night.values, night.names, EPOCH_S) for night in nights]
    values = np.concatenate([wide for wide, _ in tables])
    names = tables[0][1]
    table = FeatureTable(
        items=np.arange(len(values), dtype=np.int64),
        names=names,
        values=values,
        units=("",) * len(names),
        subject=tuple(night.subject for night in nights for _ in night.stage),
        session=tuple(night.name for night in nights for _ in night.stage),
    )
    stage = np.concatenate([night.stage for night in nights])
    return Examples(table, stage, np.ones(len(stage)))


def _scale(plain: Values) -> tuple[Values, Values]:
    """Median, and range from the 5th to the 95th percentile, of each column so far."""
    middle, width = np.full(plain.shape[1], np.nan), np.full(plain.shape[1], np.nan)
    known = np.isfinite(plain)
    whole = known.all(axis=0)
    if whole.any():
        low, middle[whole], high = np.percentile(plain[:, whole], [5, 50, 95], axis=0)
        width[whole] = high - low
    for k in np.flatnonzero(~whole & known.any(axis=0)):
        low, middle[k], high = np.percentile(plain[known[:, k], k], [5, 50, 95])
        width[k] = high - low
    return middle, np.maximum(width, 1e-6)


def _epochs(minutes: float, epoch_s: float) -> int:
    return max(1, round(minutes * 60 / epoch_s))


def _mean(values: Values, width_min: float, epoch_s: float) -> Values:
    """Mean of the past that weighs the last epoch most, over what is known."""
    half = _epochs(width_min, epoch_s)
    weight = (np.arange(half, 0, -1) / half)[: len(values)][::-1, None]
    recent = values[-len(weight) :]
    known = np.isfinite(recent)
    total = (np.where(known, recent, 0.0) * weight).sum(axis=0)
    sum_of = (known * weight).sum(axis=0)
    return np.asarray(np.where(sum_of > 0.05, total / np.maximum(sum_of, 1e-9), np.nan))


__all__ = ["causal_context", "causal_examples", "causal_row", "remembered"]
