"""A reader who corrects tracks: how many corrections and seconds until they are nearly all right.

Decision times are assumptions, stated on the page: a place that is set by hand, a volume that is
looked through, and a doubtful place that is shown and judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

AUDIT = 300
"""Places, drawn at random, that are looked at in the end: with none wrong, 99 % or more are right
with a confidence of 95 %. Nobody knows without them that the work is done."""


@dataclass(frozen=True)
class Times:
    """Seconds of a reader.

    Parameters
    ----------
    place_s : float
        To find a neuron, know it and set its place.
    look_s : float
        To judge a place that is shown.
    """

    place_s: float = 4.0
    look_s: float = 1.0


def corrected(
    right: npt.NDArray[np.bool_],
    confidence: npt.NDArray[np.float64],
    n_annotated: int,
    times: Times,
    target: float = 0.99,
) -> dict[str, Any]:
    """What it takes a reader to bring tracks to a share that is right, the least sure first.

    Parameters
    ----------
    right : ndarray, shape (n_frames, n_neurons), bool
        Whether each neuron-frame is right as proposed; those of annotated volumes are.
    confidence : ndarray, shape (n_frames, n_neurons)
        NaN or nothing said sorts first.
    n_annotated : int
        Neuron-frames that were annotated before.
    times : Times
    target : float

    Returns
    -------
    dict
        looks (those of the audit too) and corrections until the target, corrections per 1,000
        neuron-frames, seconds per
        neuron-frame, and how many times faster than placing every neuron by hand.
    """
    total = right.size
    y = right.ravel()
    order = np.argsort(np.nan_to_num(confidence.ravel(), nan=-1.0), kind="stable")
    wrong = ~y[order]
    now = int(y.sum())
    needed = max(int(np.ceil(target * total)) - now, 0)
    mended = np.cumsum(wrong)
    looks = AUDIT + (0 if needed == 0 else int(np.searchsorted(mended, needed) + 1))
    seconds = n_annotated * times.place_s + looks * times.look_s + needed * times.place_s
    by_hand = target * total * times.place_s
    return {
        "before": now / total,
        "looks": looks,
        "corrections": needed,
        "corrections_per_1000": 1000 * needed / total,
        "with_first_annotations_per_1000": 1000 * (needed + n_annotated) / total,
        "s_per_place": seconds / (target * total),
        "times_faster": by_hand / seconds,
    }
