"""Gradient-boosted trees, kept as LightGBM's text.

Ke et al. 2017, LightGBM (NeurIPS 30). One thread and fixed seeds: the same examples give the same
bytes. The text holds no example.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import MissingDependencyError

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_PACKAGE = "pip install lightgbm"
_OPENMP = "apt install libgomp1 (Debian, Ubuntu), brew install libomp (macOS)."
_UNREAD = ("tree_sizes=", "split_gain=", "leaf_weight=", "internal_weight=", "internal_value=")


@dataclass(frozen=True)
class Shape:
    """How trees are grown."""

    rounds: int
    rate: float
    leaves: int
    min_leaf: int
    l2: float


def missing() -> dict[str, str]:
    """Packages that trees need and that are not installed, with the command for each.

    LightGBM's library is loaded, but not the package, which brings scikit-learn and pandas and
    takes seconds.
    """
    spec = find_spec("lightgbm")
    if spec is None:
        return {"lightgbm": _PACKAGE}
    try:
        for folder in spec.submodule_search_locations or ():
            for library in Path(folder).glob("lib/lib_lightgbm*"):
                ctypes.CDLL(str(library))
    except OSError:
        return {"lightgbm": _OPENMP}
    return {}


def require_lightgbm() -> Any:
    """LightGBM, or `MissingDependencyError` that says what is lacking."""
    try:
        import lightgbm
    except ImportError:
        raise MissingDependencyError(
            "LightGBM, for learning", "no such package", f"Install it: {_PACKAGE}"
        ) from None
    except OSError as error:
        raise MissingDependencyError(
            "LightGBM with the OpenMP library of the system",
            str(error)[:200],
            f"Install it: {_OPENMP}",
        ) from None
    return lightgbm


def boosted(
    values: Values,
    label: Codes,
    weight: Values,
    shape: Shape,
    n_classes: int,
    seed: int,
    *,
    start: Values | None = None,
    rising: Sequence[int] = (),
    columns: float = 0.5,
) -> str:
    """LightGBM's text of trees grown on examples.

    Parameters
    ----------
    values : ndarray, shape (n, n_features), float64
        NaN where missing.
    label : ndarray, shape (n,), int64
    weight : ndarray, shape (n,), float64
    shape : Shape
    n_classes : int
        Of two, the log odds of the second are learnt; of more, a score for each.
    seed : int
    start : ndarray, shape (n,) or (n, n_classes), optional
        Raw scores to go on from.
    rising : sequence of int
        1 for a feature that may only raise the score, -1 only lower it, 0 as it likes.
    columns : float
        Share of the features that each tree may use.
    """
    lightgbm = require_lightgbm()
    parameters = {
        "objective": "multiclass",
        "num_class": n_classes,
        "learning_rate": shape.rate,
        "num_leaves": shape.leaves,
        "min_data_in_leaf": shape.min_leaf,
        "feature_fraction": columns,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": shape.l2,
        "boost_from_average": start is None,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    if n_classes == 2:
        parameters |= {"objective": "binary", "num_class": 1}
    if any(rising):
        parameters["monotone_constraints"] = list(rising)
    data = lightgbm.Dataset(
        values,
        label,
        weight=weight,
        init_score=None if start is None else start.ravel(order="F"),
        free_raw_data=True,
    )
    return _slim(str(lightgbm.train(parameters, data, shape.rounds).model_to_string()))


def _slim(text: str) -> str:
    """LightGBM's text without what neither predictions nor contributions read."""
    trees = text.split("\nfeature_importances:")[0].splitlines()
    return "\n".join(line for line in trees if not line.startswith(_UNREAD)) + "\n"


def raw_scores(text: str, values: Values) -> Values:
    """Raw scores of trees, shape (n,) or (n, n_classes)."""
    booster = _booster(text)
    return np.asarray(booster.predict(values, raw_score=True, num_threads=1), np.float64)


def shares(text: str, values: Values) -> Values:
    """What features add to the raw scores of one booster, (n, n_scores, n_features + 1)."""
    if not text:
        return np.zeros((len(values), 1, values.shape[1] + 1))
    given = _booster(text).predict(values, pred_contrib=True, num_threads=1)
    return np.asarray(given).reshape(len(values), -1, values.shape[1] + 1)


@lru_cache(maxsize=16)
def _booster(text: str) -> Any:
    """Trees of a text; reading them takes longer than asking them about an epoch."""
    return require_lightgbm().Booster(model_str=text)


__all__ = ["Shape", "boosted", "raw_scores", "require_lightgbm", "shares"]
