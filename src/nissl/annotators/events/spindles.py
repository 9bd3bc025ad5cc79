"""`events/spindles`: sleep spindles channel by channel, with a probability each.

Candidates are bursts in the sigma band; a model trained on simulated sleep (1/f backgrounds of
many slopes with alpha and beta bursts, slow waves, muscle and blinks beside the spindles) says
how likely each is a spindle. Its probabilities are calibrated on simulations it has not seen,
and stay a claim about real sleep until an audit has tested them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from nissl.annotators.events.candidates import candidates, without_doubles
from nissl.annotators.events.features import NAMES, Channel
from nissl.annotators.events.method import Found, SpanMethod, samples, together
from nissl.annotators.events.model import SpanModel, shipped
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import WORK_HZ, at_rate, require_rate
from nissl.data import Signal
from nissl.errors import BadArgumentError


def detect(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """Spindles of a stretch: see `nissl.annotators.events.method.Detector`.

    Parameters of the method: ``threshold``, probability from which a candidate is a spindle.
    """
    require_rate(signal.rate_hz, 50.0, "spindles")
    threshold = probability(parameters["threshold"], "threshold")
    model = _shipped()
    return together(
        [by_model(signal, start, stop, channel, model, threshold) for channel in channels]
    )


def by_model(
    signal: Signal, start: int, stop: int, channel: int, model: SpanModel, threshold: float
) -> Found:
    """Candidates of a channel that a model claims.

    Parameters
    ----------
    signal : Signal
    start, stop : int
    channel : int
    model : SpanModel
    threshold : float
        Largest probability of all classes but the last from which a candidate is claimed;
        0 keeps all candidates, whatever they are called.
    """
    x = at_rate(samples(signal, start, stop, channel), signal.rate_hz)
    found = [candidates(x, search) for search in model.searches]
    a = np.concatenate([f[0] for f in found])
    b = np.concatenate([f[1] for f in found])
    if not a.size:
        return together([])
    values = Channel(x).measured(a, b)[:, [NAMES.index(name) for name in model.features]]
    p = model.probabilities(values)
    event = 1 - p[:, -1]
    keep = without_doubles(a, b, event)
    keep = keep[event[keep] >= threshold]
    label = p[keep].argmax(axis=1) if threshold == 0 else p[keep, :-1].argmax(axis=1)
    back = signal.rate_hz / WORK_HZ
    return Found(
        np.rint(a[keep] * back).astype(np.int64),
        np.rint(b[keep] * back).astype(np.int64),
        label.astype(np.int64),
        np.full(keep.size, channel, np.int64),
        p[keep],
    )


def probability(value: Any, name: str) -> float:
    """A number from 0 to 1; `BadArgumentError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadArgumentError(f"a {name} of 0 to 1", repr(value), f"--set {name}=0.5")
    return float(value)


@cache
def _shipped() -> SpanModel:
    return shipped("spindles")


SPINDLES = SpanMethod("events/spindles", detect, classes("spindle"), {"threshold": 0.5})
