"""Sleep stages in annotations: Rechtschaffen & Kales and AASM names, runs of any length.

The vocabulary is that of the task `sleep`: W N1 N2 N3 R unknown. Stages 3 and 4 are both N3
(AASM manual, which joined them); movement time and unscored epochs are "unknown". How often each
name stood in the file is kept in the parameters of the labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from nissl.annotators.sleep.vocabulary import HUMAN, stage_of
from nissl.data.annotations import Annotation

STAGES = HUMAN.names
EPOCHS_S = (30.0, 20.0, 10.0, 5.0, 4.0)
"""Lengths of an epoch that are tried, in this order."""

_LEAST_NAMES = 3


def split_stages(
    annotations: Sequence[Annotation],
) -> tuple[list[Annotation], list[Annotation]]:
    """Annotations that are sleep stages, and the others.

    Codes on their own count only where at least three of them occur.
    """
    explicit = {a.text for a in annotations if stage_of(a.text, bare=False)}
    codes = {a.text for a in annotations if stage_of(a.text)}
    bare = len({stage_of(t) for t in codes}) >= _LEAST_NAMES
    names = codes if bare else explicit
    stages = [a for a in annotations if a.text in names]
    return stages, [a for a in annotations if a.text not in names]


def lasting(stages: Sequence[Annotation]) -> tuple[list[Annotation], tuple[str, ...]]:
    """Stages with durations: those without any last until the next one.

    Returns
    -------
    stages : list of Annotation
    notes : tuple of str
        What was assumed.
    """
    if any(a.duration_s > 0 for a in stages) or len(stages) < 2:
        return [a for a in stages if a.duration_s > 0], ()
    steps = [b.onset_s - a.onset_s for a, b in itertools.pairwise(stages)]
    lengths = [*steps, float(np.median(steps))]
    out = [
        Annotation(a.onset_s, length, a.text)
        for a, length in zip(stages, lengths, strict=True)
        if length > 0
    ]
    said = "The stages have no durations; each is taken to last until the next one"
    return out, (f"{said}, the last {lengths[-1]:g} s.",)


def epochs(stages: Sequence[Annotation]) -> tuple[list[tuple[float, float, int]], float | None]:
    """Epochs of the stages.

    Returns
    -------
    epochs : list of (start_s, stop_s, code)
        Codes of `STAGES`, in order of time.
    epoch_s : float or None
        Their common length; None where none of `EPOCHS_S` divides all durations, and each run
        is one row then.
    """
    lengths = np.asarray([a.duration_s for a in stages])
    fitting = (e for e in EPOCHS_S if np.all(np.abs(lengths / e - np.rint(lengths / e)) < 1e-3))
    epoch_s = next(fitting, None)
    out = []
    for a in stages:
        code = STAGES.index(stage_of(a.text) or "unknown")
        n = 1 if epoch_s is None else max(1, round(a.duration_s / epoch_s))
        edges = a.onset_s + np.linspace(0.0, a.duration_s, n + 1)
        out += [(float(x), float(y), code) for x, y in itertools.pairwise(edges)]
    return sorted(out), epoch_s
