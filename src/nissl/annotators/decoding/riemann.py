"""Covariances in the tangent space at their mean, and logistic regression: `decoding/riemann`.

Barachant, Bonnet, Congedo and Jutten 2012, Multiclass brain-computer interface classification
by Riemannian geometry, IEEE Trans. Biomed. Eng. 59, 920-928. For steady-state responses signals
filtered around each frequency are stacked as further channels (Congedo, Barachant and Andreev
2013, arXiv:1310.8115). Covariances, means and the map are pyriemann's.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from nissl.errors import BadArgumentError, MissingDependencyError

BAND_ORDER = 2
INSTALL = "pip install 'nissl[eeg]'"


def missing() -> Mapping[str, str]:
    """Pyriemann with the command that installs it, where it is not there."""
    from importlib.util import find_spec

    return {} if find_spec("pyriemann") else {"pyriemann": INSTALL}


def require() -> None:
    """Raise `MissingDependencyError` where pyriemann is not installed."""
    if missing():
        raise MissingDependencyError("pyriemann", "no such package", f"Install it: {INSTALL}")


@dataclass(frozen=True)
class TangentSpace:
    """Tangent-space logistic regression.

    Parameters
    ----------
    rate_hz : float
        Of the trials; only needed with `bands`.
    bands : tuple of (float, float), optional
        Hz; a copy of the channels filtered to each is stacked. None: the channels as they are.
    strength : float
        Inverse of the ridge penalty of the logistic regression.
    """

    rate_hz: float = 1.0
    bands: tuple[tuple[float, float], ...] = ()
    strength: float = 1.0

    def fit(
        self,
        x: Trials,
        y: Codes,
        *,
        rng: np.random.Generator,
        weight: npt.NDArray[np.float64] | None = None,
    ) -> FittedTangent:
        """Learn from trials; `weight` (n_trials,) says how much each counts."""
        del rng  # nothing in it is random
        require()
        from pyriemann.tangentspace import TangentSpace as Map
        from sklearn.linear_model import LogisticRegression

        trials, codes, _ = checked_examples(x, y)
        spread = self.covariances(trials)
        onto = Map(metric="riemann").fit(spread, sample_weight=weight)
        vectors = onto.transform(spread)
        scale = float(np.sqrt(np.mean(vectors.var(axis=0)))) or 1.0
        model = LogisticRegression(C=self.strength, max_iter=1000)
        model.fit(vectors / scale, codes, sample_weight=weight)
        return FittedTangent(self, onto, model, scale)

    def covariances(self, x: Trials) -> npt.NDArray[np.float64]:
        """Shrunk covariances (OAS) of trials, (n_trials, d, d)."""
        from pyriemann.estimation import Covariances

        return np.asarray(Covariances("oas").transform(stacked(x, self.rate_hz, self.bands)))


@dataclass(frozen=True)
class FittedTangent:
    """What `TangentSpace.fit` returns."""

    settings: TangentSpace
    onto: Any
    model: Any
    scale: float

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities, (n_trials, n_classes)."""
        spread = self.settings.covariances(checked_trials(x))
        return np.asarray(self.model.predict_proba(self.onto.transform(spread) / self.scale))


def stacked(x: Trials, rate_hz: float, bands: tuple[tuple[float, float], ...]) -> Trials:
    """Trials with a filtered copy of their channels per band, (n_trials, bands * channels, ...).

    Raises
    ------
    BadArgumentError
        A band that is not between 0 Hz and half the rate.
    """
    if not bands:
        return x
    from scipy.signal import butter, sosfiltfilt

    for low, high in bands:
        if not 0 < low < high < rate_hz / 2:
            raise BadArgumentError(
                f"bands between 0 and {rate_hz / 2:g} Hz", f"{(low, high)}", "Change the band."
            )
    filters = [butter(BAND_ORDER, band, "bandpass", fs=rate_hz, output="sos") for band in bands]
    reach = min(x.shape[-1] - 1, 3 * (2 * len(filters[0]) + 1))
    parts = [sosfiltfilt(sections, x, axis=-1, padlen=reach) for sections in filters]
    return np.concatenate(parts, axis=1)


def around(
    frequencies_hz: tuple[float, ...], half_hz: float = 0.5
) -> tuple[tuple[float, float], ...]:
    """A band of `half_hz` to either side of each frequency."""
    return tuple((f - half_hz, f + half_hz) for f in frequencies_hz)
