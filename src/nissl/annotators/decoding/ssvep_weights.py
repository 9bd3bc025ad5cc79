"""Steady-state responses by weighted correlations: `decoding/ssvep`.

What speaks for a frequency are squared canonical correlations of the trial with its sines and
cosines: of every band of a filter bank, with one, two and more harmonics together, and with each
harmonic alone. One weight per such number, the same for all frequencies, is learnt by a
conditional logit (McFadden 1974, Conditional logit analysis of qualitative choice behavior, in
Frontiers in Econometrics): the fixed weights of FBCCA replaced by learnt ones. Since nothing in it
belongs to one class or one subject, weights carry over to new subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import (
    Chances,
    Codes,
    Trials,
    checked_examples,
    checked_trials,
    softmax,
)
from nissl.annotators.decoding.ssvep import canonical, directions, filter_bank, references
from nissl.errors import BadArgumentError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WeightedCorrelations:
    """Conditional logit on canonical correlations.

    Parameters
    ----------
    frequencies_hz : tuple of float
        Of each class.
    rate_hz : float
    n_harmonics : int
    n_bands : int
        Beside the trials as they are.
    first_hz : float
        Where the first band begins.
    penalty : float
        Ridge penalty on weights of standardised evidence, per trial.
    """

    frequencies_hz: tuple[float, ...]
    rate_hz: float
    n_harmonics: int = 3
    n_bands: int = 4
    first_hz: float = 6.0
    penalty: float = 0.03

    def evidence(self, x: Trials) -> Array:
        """What speaks for each class, (n_trials, n_classes, n_kinds)."""
        trials = checked_trials(x)
        bank = filter_bank(trials, self.rate_hz, self.first_hz, self.n_bands)
        harmonics = range(1, self.n_harmonics + 1)
        parts = [directions(part) for part in (trials, *bank)]
        kinds = [self._squares(rows, 1.0, h) for rows in parts for h in harmonics]
        kinds += [self._squares(parts[0], float(h), 1) for h in harmonics]
        return np.stack(kinds, axis=2)

    def _squares(self, rows: Array, multiple: float, n_harmonics: int) -> Array:
        n = rows.shape[2]
        columns = []
        for f in self.frequencies_hz:
            basis = references(multiple * f, self.rate_hz, n, n_harmonics)
            columns.append(canonical(rows, basis) ** 2 if len(basis) else np.zeros(len(rows)))
        return np.stack(columns, axis=1)

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedWeights:
        """Learn the weights."""
        del rng  # nothing in it is random
        trials, codes, n_classes = checked_examples(x, y)
        if n_classes > len(self.frequencies_hz):
            raise BadArgumentError(
                f"a frequency for each of {n_classes} classes",
                f"{len(self.frequencies_hz)}",
                "Leave out classes without one (rest), or use decoding/riemann.",
            )
        return self.fit_evidence(self.evidence(trials), codes)

    def fit_evidence(self, evidence: Array, codes: Codes) -> FittedWeights:
        """Learn from evidence that was computed before."""
        from scipy.optimize import minimize

        middle = evidence.mean(axis=(0, 1))
        spread = (evidence - evidence.mean(axis=1, keepdims=True)).std(axis=(0, 1))
        scale = np.where(spread > 0, spread, 1.0)
        given = (evidence - middle) / scale
        rows = np.arange(len(codes))
        chosen = given[rows, codes].mean(axis=0)

        def loss(w: Array) -> tuple[float, Array]:
            p = softmax(given @ w)
            slope = np.einsum("nk,nkd->d", p, given) / len(codes) - chosen + self.penalty * w
            value = -np.log(np.maximum(p[rows, codes], 1e-300)).mean()
            return float(value + self.penalty / 2 * w @ w), slope

        found = minimize(loss, np.zeros(evidence.shape[2]), jac=True, method="L-BFGS-B")
        return FittedWeights(self, found.x / scale)


@dataclass(frozen=True)
class FittedWeights:
    """What `WeightedCorrelations.fit` returns.

    Parameters
    ----------
    settings : WeightedCorrelations
    weights : ndarray, shape (n_kinds,)
        Of evidence as it is; what is the same for all classes cancels.
    """

    settings: WeightedCorrelations
    weights: Array

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities, (n_trials, n_classes)."""
        return self.of_evidence(self.settings.evidence(x))

    def of_evidence(self, evidence: Array) -> Chances:
        """Probabilities from evidence that was computed before."""
        return softmax(evidence @ self.weights)
