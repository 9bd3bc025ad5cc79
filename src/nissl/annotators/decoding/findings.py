"""What is doubtful about decoded trials, in plain words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import Chances
from nissl.annotators.decoding.given import Given
from nissl.tasks import Finding
from nissl.trust.intervals import binomial_interval

DISPUTED = 0.05
"""Probability below which a known class is disputed by decoders that have not seen it."""


def doubts(given: Given, left_out: Chances, inside: npt.NDArray[np.bool_]) -> tuple[Finding, ...]:
    """Findings about a run.

    Parameters
    ----------
    given : Given
    left_out : ndarray, shape (n_trials, n_classes)
        What was said of known trials while they were left out; NaN for all others.
    inside : ndarray, shape (n_trials,), bool
        Whether the window of each trial lies within the recording.
    """
    judged = np.asarray(np.isfinite(left_out).all(axis=1))
    found = [*_outside(inside)]
    if judged.any():
        found += [_told_apart(given, left_out, judged), *_disputed(given, left_out, judged)]
    else:
        found.append(
            Finding(
                "not_calibrated",
                "warning",
                "Too few trials of known classes to leave some out: nobody knows how often these "
                "classes are right, so they carry no confidence.",
                value=float(given.known.sum()),
            )
        )
    return tuple(found)


def _outside(inside: npt.NDArray[np.bool_]) -> list[Finding]:
    n = int(np.sum(~inside))
    if not n:
        return []
    return [
        Finding(
            "windows_outside",
            "warning",
            f"The windows of {n} trials reach beyond the recording or across a gap; these trials "
            "have no class.",
            value=float(n),
            limit=0.0,
        )
    ]


def _told_apart(given: Given, p: Chances, judged: npt.NDArray[np.bool_]) -> Finding:
    truth = given.label[judged]
    right = int(np.sum(p[judged].argmax(axis=1) == truth))
    n, chance = len(truth), float(np.bincount(truth).max() / len(truth))
    interval = binomial_interval(right, n)
    how = f"{right} of {n} known trials are right when their stretch of time is left out"
    if interval.low > chance:
        return Finding(
            "left_out_accuracy",
            "note",
            f"{how} ({right / n:.0%}, chance {chance:.0%}).",
            value=right / n,
            limit=chance,
        )
    return Finding(
        "no_better_than_chance",
        "warning",
        f"{how} ({right / n:.0%}), which guessing could reach as well ({chance:.0%}): do not use "
        "the classes of the other trials.",
        value=right / n,
        limit=chance,
    )


def _disputed(given: Given, p: Chances, judged: npt.NDArray[np.bool_]) -> list[Finding]:
    rows = np.flatnonzero(judged)
    own = p[rows, given.label[rows]]
    return [
        Finding(
            "disputed_class",
            "note",
            f"Given as {given.classes[given.label[k]]}, but decoders that have not seen it say "
            f"{given.classes[int(p[k].argmax())]} ({p[k].max():.0%}); look at this label.",
            item=int(given.item[k]),
            value=float(chance),
            limit=DISPUTED,
        )
        for k, chance in zip(rows.tolist(), own.tolist(), strict=True)
        if chance < DISPUTED
    ]
