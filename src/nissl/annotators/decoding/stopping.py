"""When to decide: as soon as one class is likely enough, from windows that grow.

On a stream `nissl.live.decoding.SteadyStop` does what is worked out here for recorded trials.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import Chances


def stopped(
    probabilities: Sequence[Chances], lengths_s: Sequence[float], confidence: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Class and time of each trial's decision when growing windows stop at a confidence.

    Parameters
    ----------
    probabilities : sequence of ndarray, shape (n_trials, n_classes)
        For each length, increasing.
    lengths_s : sequence of float
    confidence : float

    Returns
    -------
    label : ndarray, shape (n_trials,), int64
    seconds : ndarray, shape (n_trials,), float64
    """
    sure = np.stack([p.max(axis=1) >= confidence for p in probabilities])
    sure[-1] = True
    first = sure.argmax(axis=0)
    label = np.stack([p.argmax(axis=1) for p in probabilities])
    rows = np.arange(label.shape[1])
    return label[first, rows].astype(np.int64), np.asarray(lengths_s, float)[first]
