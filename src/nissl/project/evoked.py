"""Evoked components of a recording's trials, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nissl.annotators.decoding.given import NEED, UNKNOWN, given_trials
from nissl.annotators.events.erp import Component, Window, components
from nissl.errors import BadArgumentError, MissingInputError
from nissl.project.annotating import current
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import Inputs


def parse_window(text: str) -> Window:
    """Window of ``NAME:CHANNEL:FROM_S:TO_S``, with ``:-`` behind it where the component goes down.

    Raises
    ------
    BadArgumentError
        It is written otherwise.
    """
    parts = text.split(":")
    down = len(parts) == 5 and parts[4] == "-"
    try:
        if len(parts) != 4 and not down:
            raise ValueError(text)
        begin, end = float(parts[2]), float(parts[3])
        if not (parts[0] and parts[1] and -np.inf < begin < end < np.inf):
            raise ValueError(text)
    except ValueError:
        raise BadArgumentError(
            "a window NAME:CHANNEL:FROM_S:TO_S, with :- behind it for a component that goes down",
            repr(text),
            "For instance --window P300:Pz:0.25:0.5 or --window N170:P8:0.13:0.2:-",
        ) from None
    return Window(parts[0], parts[1], begin, end, not down)


def evoked(
    store: Store,
    source: Source,
    windows: Sequence[Window],
    *,
    trials: str = NEED,
    stream: str | None = None,
    seed: int = 0,
    most_uv: float = 150.0,
) -> list[tuple[str, Component]]:
    """Components of each class of trials; see `nissl.project.Project.evoked`."""
    if not windows:
        raise BadArgumentError("at least one window", "none", "--window P300:Pz:0.25:0.5")
    digest = current(store, source, trials)
    if digest is None:
        raise MissingInputError(
            f"trials named {trials!r} on {source.name!r}",
            "none",
            f"Import them: nissl import {store.path} {source.name} TABLE --name {trials}",
        )
    chosen = source.stream(stream)
    inputs = Inputs(source.recording, chosen, {NEED: store.get_labels(digest)})
    signal = inputs.signal
    for window in windows:
        signal.channels.index([window.channel])
    given = given_trials(inputs, ())
    rng = np.random.default_rng(seed)
    out = []
    for code, name in enumerate(given.classes or (UNKNOWN,)):
        onsets = given.onset[given.label == code] if given.classes else given.onset
        if onsets.size:
            found = components(signal, onsets, windows, rng=rng, most_uv=most_uv)
            out += [(name, each) for each in found]
    return out


__all__ = ["evoked", "parse_window"]
