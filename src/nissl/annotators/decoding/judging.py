"""How good decoding of trials is: accuracy, area under the curve, information transfer rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Array = npt.NDArray[np.float64]


def bits_per_trial(accuracy: float, n_classes: int) -> float:
    """Information of one selection in bits, 0 at or below chance.

    Wolpaw et al. 2002, Brain-computer interfaces for communication and control, Clin.
    Neurophysiol. 113, 767-791: assumes classes equally likely and errors spread evenly.

    Parameters
    ----------
    accuracy : float
        0 to 1.
    n_classes : int
    """
    if n_classes < 2 or not 0 <= accuracy <= 1:
        raise BadArgumentError(
            "at least two classes and an accuracy from 0 to 1",
            f"{n_classes} classes, accuracy {accuracy}",
            "Mend the arguments.",
        )
    if accuracy <= 1 / n_classes:
        return 0.0
    bits = np.log2(n_classes) + accuracy * np.log2(accuracy)
    if accuracy < 1:
        bits += (1 - accuracy) * np.log2((1 - accuracy) / (n_classes - 1))
    return float(bits)


def bits_per_minute(accuracy: float, n_classes: int, seconds: float) -> float:
    """Information transfer rate where one selection takes `seconds`."""
    if not seconds > 0:
        raise BadArgumentError("seconds above 0", f"{seconds}", "Give the time of one selection.")
    return 60 * bits_per_trial(accuracy, n_classes) / seconds


def scores(probabilities: Array, truth: npt.NDArray[np.int64]) -> Mapping[str, float]:
    """Accuracy, balanced accuracy, area under the curve and bits of trials.

    Parameters
    ----------
    probabilities : ndarray, shape (n_trials, n_classes)
    truth : ndarray, shape (n_trials,), int

    Returns
    -------
    mapping of str to float
        "auc" is the mean over the classes that occur, each against the rest; NaN where only
        one occurs.
    """
    from sklearn.metrics import roc_auc_score

    given = probabilities.argmax(axis=1)
    present = np.unique(truth)
    n_classes = probabilities.shape[1]
    accuracy = float(np.mean(given == truth)) if truth.size else float("nan")
    recall = [float(np.mean(given[truth == k] == k)) for k in present]
    areas = [
        float(roc_auc_score(truth == k, probabilities[:, k])) for k in present if present.size > 1
    ]
    return {
        "accuracy": accuracy,
        "balanced_accuracy": float(np.mean(recall)) if recall else float("nan"),
        "auc": float(np.mean(areas)) if areas else float("nan"),
        "bits_per_trial": bits_per_trial(accuracy, max(n_classes, 2)) if truth.size else 0.0,
    }
