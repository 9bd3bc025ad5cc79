"""How probable it is that a neuron is where it was placed.

A logistic regression of a few facts of each neuron in each volume, one for those that a blob
shows and one for those that only neighbours place. Its weights were fitted on simulated worms
(`nissl.annotators.tracks.train_confidence`); no animal and no benchmark took part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.procedure import Followed

Floats = npt.NDArray[np.float64]

FACTS = ("probability", "agreed", "off_field", "spread", "volume", "neighbours", "jump")
NEIGHBOURS = 6
SHOWN = (3.602, 0.135, 0.183, -0.884, -1.492, 1.891, 3.487, -0.664)
"""Intercept, and weights of `FACTS`, of neurons that a blob shows."""
HIDDEN = (7.953, 0.0, 0.0, 0.0, -6.607, 3.668, -2.221, -0.801)
"""The same of those that neighbours place."""
LEAST, MOST = 0.01, 0.995


def facts(followed: Followed) -> Floats:
    """What confidence follows from, (n_frames, n_neurons, len(FACTS)); see `FACTS`.

    Parameters
    ----------
    followed : Followed

    Returns
    -------
    ndarray
        Log odds that it is its blob; logarithm of what the transformer alone says of it; distance
        from where neighbours say, um; logarithm of how far off that may be, um; how well the
        blobs of the volume are explained; mean probability of the nearest neurons; and how much
        further it moved from the volumes beside than others did, um.
    """
    named = followed.named
    sure = np.stack([each.probability for each in named])
    shown = np.stack([each.blob >= 0 for each in named])
    xyz = np.stack([each.xyz for each in named])
    off = np.linalg.norm(xyz - np.stack([each.field for each in named]), axis=2)
    score = np.array([each.score for each in named])
    odds = np.clip(sure, 1e-3, 1 - 1e-3)
    columns = [
        np.where(shown, np.log(odds / (1 - odds)), 0.0),
        np.clip(np.nan_to_num(followed.agreed), -8, 0),
        np.clip(np.nan_to_num(off), 0, 5),
        np.log(np.clip(np.nan_to_num(np.stack([each.spread for each in named]), nan=20), 0.1, 20)),
        np.broadcast_to(np.clip(np.nan_to_num(score, neginf=-10), -10, 0)[:, None], sure.shape),
        _of_neighbours(xyz, np.where(shown, sure, np.nan)),
        np.clip(_jump(xyz), 0, 10),
    ]
    return np.asarray(np.stack(columns, axis=2))


def confidence(followed: Followed) -> npt.NDArray[np.float32]:
    """Probability that each place is right, (n_frames, n_neurons); NaN where there is none."""
    told = facts(followed)
    shown = np.stack([each.blob >= 0 for each in followed.named])
    out = np.where(shown, _logistic(told, SHOWN), _logistic(told, HIDDEN))
    placed = np.isfinite(followed.xyz).all(axis=2)
    return np.where(placed, np.clip(out, LEAST, MOST), np.nan).astype(np.float32)


def fitted(told: Floats, right: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    """Intercept and weights of a logistic regression, lightly shrunk.

    Parameters
    ----------
    told : ndarray, shape (n, len(FACTS))
    right : ndarray, shape (n,)
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=1000).fit(told, right)
    return (float(model.intercept_[0]), *(float(w) for w in model.coef_[0]))


def _logistic(told: Floats, weights: tuple[float, ...]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(weights[0] + told @ np.asarray(weights[1:])))))


def _of_neighbours(xyz: Floats, sure: Floats) -> Floats:
    """Mean probability of the nearest neurons that blobs show; 0 where there are none."""
    from scipy.spatial import cKDTree

    out = np.zeros(sure.shape)
    for row in range(len(xyz)):
        placed = np.flatnonzero(np.isfinite(xyz[row]).all(axis=1))
        known = np.flatnonzero(np.isfinite(sure[row]) & np.isfinite(xyz[row]).all(axis=1))
        if len(known) < 2 or not placed.size:
            continue
        n = min(NEIGHBOURS + 1, len(known))
        _, which = cKDTree(xyz[row, known]).query(xyz[row, placed], k=n)
        near = sure[row, known][which]
        other = known[which] != placed[:, None]
        out[row, placed] = (near * other).sum(axis=1) / np.maximum(other.sum(axis=1), 1)
    return out


def _jump(xyz: Floats) -> Floats:
    """How much further each neuron moved than the median one, the lesser of both sides, um."""
    step = np.linalg.norm(np.diff(xyz, axis=0), axis=2)
    if not len(step):
        return np.zeros(xyz.shape[:2])
    with np.errstate(invalid="ignore"):
        usual = np.array([_median(row) for row in step])
    further = np.nan_to_num(step - usual[:, None], nan=0.0)
    before = np.concatenate([further[:1], further])
    after = np.concatenate([further, further[-1:]])
    return np.asarray(np.maximum(np.minimum(before, after), 0.0))


def _median(row: npt.NDArray[Any]) -> float:
    known = row[np.isfinite(row)]
    return float(np.median(known)) if known.size else 0.0


__all__ = ["FACTS", "confidence", "facts", "fitted"]
