"""How far a model's confidence is off here, from an audit, what was asked, and a prior spread.

The odds of an error are taken to be those that the model claims times one unknown factor, the same
for every item. What is known of its logarithm, the shift, before any answer: it is around 0, with
the spread `SPREAD`. Each audited item then is a Bernoulli trial, and what was asked is one more
measurement of the share that follows. The estimate is the mean of that share over the posterior:
a composite of claim and audit that leans on the claim while the audit is small (small-area
estimation: Fay and Herriot 1979, J. Am. Stat. Assoc. 74, 269-277), and ends as a logistic
regression estimator of the audit with the confidence as auxiliary variable (Lehtonen and Veijanen
1998, Survey Methodology 24, 51-55), which is consistent whether or not one factor describes the
model. The prior has long tails, so a model that is found far off is not believed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SPREAD = 0.4
"""Prior scale of the shift, log odds.

On simulated sortings with readers who err (`benchmarks/_active_simulated.py`; 60 to 300 answers,
asked at random, by margin and by the learned policy) its root mean square was 0.26 to 0.44. It was
set before any real recording was looked at for it.
"""

_FREEDOM = 3.0  # of the prior, a Student distribution: shifts of 2 are rare, not impossible
_SHIFTS = np.linspace(-6.0, 6.0, 241)
_ITEMS = 2048  # that stand for more, at even steps of the confidence


def share_wrong(
    confidence: Floats,
    audited: Floats,
    is_wrong: npt.NDArray[np.bool_],
    measured: tuple[float, float] | None = None,
) -> float:
    """Expected share of wrong labels among the items left.

    Parameters
    ----------
    confidence : ndarray, shape (n,), float64
        Of the proposed class of every item left, 0 to 1; at least one.
    audited : ndarray, shape (a,), float64
        The same of the audited items.
    is_wrong : ndarray, shape (a,), bool
    measured : (float, float), optional
        The same share by another source, and the variance of its error, above 0.

    Returns
    -------
    float
        0 to 1.
    """
    shares = sigmoid(_SHIFTS[:, None] - logit(_some(confidence))).mean(1)
    wrong = np.sign(is_wrong - 0.5)
    log_density = -np.logaddexp(0.0, -wrong * (_SHIFTS[:, None] - logit(audited))).sum(1)
    log_density -= (_FREEDOM + 1) / 2 * np.log1p((_SHIFTS / SPREAD) ** 2 / _FREEDOM)
    if measured is not None:
        log_density -= (shares - measured[0]) ** 2 / (2 * measured[1])
    density = np.exp(log_density - log_density.max())
    return float(density @ shares / density.sum())


def _some(confidence: Floats) -> Floats:
    if len(confidence) <= _ITEMS:
        return confidence
    return np.asarray(np.quantile(confidence, (np.arange(_ITEMS) + 0.5) / _ITEMS))


def logit(p: Floats) -> Floats:
    """Log odds; probabilities within 0.0001 of 0 or 1 are moved to there.

    Parameters
    ----------
    p : ndarray, float64

    Returns
    -------
    ndarray, float64
    """
    q = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(q) - np.log1p(-q), dtype=np.float64)


def sigmoid(x: Floats) -> Floats:
    """Inverse of `logit`.

    Parameters
    ----------
    x : ndarray, float64

    Returns
    -------
    ndarray, float64
    """
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))), dtype=np.float64)
