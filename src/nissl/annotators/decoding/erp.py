"""Responses to events, P300 above all: xDAWN filters, then covariances or a discriminant.

xDAWN: Rivet, Souloumiac, Attina and Gibert 2009, xDAWN algorithm to enhance evoked potentials:
application to brain-computer interface, IEEE Trans. Biomed. Eng. 56, 2035-2043. With prototype
responses as further channels of covariances, as Barachant and Congedo 2014, A plug&play P300 BCI
using information geometry, arXiv:1409.0107. Both are pyriemann's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import (
    Chances,
    Codes,
    Trials,
    checked_examples,
    checked_trials,
)
from nissl.annotators.decoding.riemann import require


@dataclass(frozen=True)
class XdawnTangent:
    """xDAWN covariances in the tangent space, logistic regression: `decoding/xdawn`.

    Parameters
    ----------
    n_filters : int
        Per class.
    strength : float
        Inverse of the ridge penalty.
    """

    n_filters: int = 4
    strength: float = 1.0

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedPipeline:
        """Learn from trials."""
        del rng  # nothing in it is random
        require()
        from pyriemann.estimation import XdawnCovariances
        from pyriemann.tangentspace import TangentSpace
        from sklearn.linear_model import LogisticRegression

        trials, codes, _ = checked_examples(x, y)
        scale = _scale(trials)
        n = min(self.n_filters, trials.shape[1])
        steps: list[Any] = [
            XdawnCovariances(nfilter=n, estimator="oas", xdawn_estimator="oas"),
            TangentSpace(),
        ]
        values = trials / scale
        for step in steps:
            values = step.fit_transform(values, codes)
        model = LogisticRegression(C=self.strength, max_iter=1000).fit(values, codes)
        return FittedPipeline(scale, tuple(steps), model)


@dataclass(frozen=True)
class XdawnDiscriminant:
    """xDAWN filters, decimated outputs, shrunk linear discriminant.

    Parameters
    ----------
    n_filters : int
        Per class.
    n_points : int
        Means over so many stretches of the window are the features of each filter.
    """

    n_filters: int = 4
    n_points: int = 16

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedPipeline:
        """Learn from trials."""
        del rng  # nothing in it is random
        require()
        from pyriemann.spatialfilters import Xdawn
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        trials, codes, _ = checked_examples(x, y)
        scale = _scale(trials)
        spatial = Xdawn(nfilter=min(self.n_filters, trials.shape[1]), estimator="oas")
        shorter = Means(min(self.n_points, trials.shape[2]))
        values = shorter.transform(spatial.fit_transform(trials / scale, codes))
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(values, codes)
        return FittedPipeline(scale, (spatial, shorter), model)


@dataclass(frozen=True)
class Means:
    """Means over stretches of time as a plain feature vector."""

    n_points: int

    def transform(self, x: Trials) -> npt.NDArray[np.float64]:
        """(n_trials, n_channels * n_points) of (n_trials, n_channels, n_samples)."""
        parts = np.array_split(x, self.n_points, axis=2)
        return np.stack([p.mean(axis=2) for p in parts], axis=2).reshape(len(x), -1)


@dataclass(frozen=True)
class FittedPipeline:
    """Steps and a classifier that have been fitted."""

    scale: float
    steps: tuple[Any, ...]
    model: Any

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities, (n_trials, n_classes)."""
        values = checked_trials(x) / self.scale
        for step in self.steps:
            values = step.transform(values)
        return np.asarray(self.model.predict_proba(values))


def _scale(x: Trials) -> float:
    """Standard deviation over all samples; 1 where nothing varies."""
    return float(x.std()) or 1.0
