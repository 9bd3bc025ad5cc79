"""How likely each spike is to be one of its unit: evidence, weighed as it was in known recordings.

A logistic model over the columns of `evidence` and their squares. The weights come from
`benchmarks/train_spike_confidence.py`, which sorts simulated and hybrid recordings and looks up
which spikes are true; `model.json` says which, and how well it holds on other kinds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.confidence.evidence import COLUMNS, ROWS
from nissl.errors import BadMetadataError

Values = npt.NDArray[np.float64]
MOST = 0.9995
LEAST_CONFIDENCE = 0.35
"""Spikes that are less likely to be real than this are not given out."""


@dataclass(frozen=True, eq=False)
class Weighing:
    """Weights of the evidence.

    Parameters
    ----------
    middle, scale : ndarray, shape (n_columns,)
        Columns are taken from the middle and divided by the scale, within three scales.
    weight : ndarray, shape (2 * n_columns,)
        Of the columns, then of their squares.
    intercept : float
    """

    middle: Values
    scale: Values
    weight: Values
    intercept: float

    def __call__(self, columns: Values) -> npt.NDArray[np.float32]:
        """Probabilities, shape (n,), of rows of evidence, shape (n, n_columns)."""
        odds = terms(columns, self.middle, self.scale) @ self.weight + self.intercept
        p = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
        return np.minimum(p, MOST).astype(np.float32)


def terms(columns: Values, middle: Values, scale: Values) -> Values:
    """Standardised columns and their squares, shape (n, 2 * n_columns)."""
    z = np.clip((columns - middle) / scale, -3, 3)
    return np.concatenate([z, z**2], axis=1)


def confidences(columns: Values) -> npt.NDArray[np.float32]:
    """Probability that each spike is one of its unit, shape (n,), with the shipped weights.

    Parameters
    ----------
    columns : ndarray, shape (n, n_columns)
        From `evidence.evidence`.
    """
    weights = shipped()
    out = np.empty(len(columns), np.float32)
    for first in range(0, len(columns), ROWS):
        out[first : first + ROWS] = weights(columns[first : first + ROWS])
    return out


@cache
def shipped() -> Weighing:
    """Weights that come with the package.

    Raises
    ------
    BadMetadataError
        The file is of other columns than this version computes.
    """
    text = files("nissl.annotators.spikes.own.confidence").joinpath("model.json").read_text("utf-8")
    held = json.loads(text)
    if held["columns"] != list(COLUMNS):
        raise BadMetadataError(
            f"weights of the columns {list(COLUMNS)}",
            f"weights of {held['columns']}",
            "Train them anew: benchmarks/train_spike_confidence.py.",
        )
    return Weighing(
        np.asarray(held["middle"], np.float64),
        np.asarray(held["scale"], np.float64),
        np.asarray(held["weight"], np.float64),
        float(held["intercept"]),
    )
