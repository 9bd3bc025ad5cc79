"""Two sources over the same time: windows of the first, laid on the clock of the second.

Bins begin where the first source's do, each mapped by itself, so that devices whose clocks drift
against each other stay together however long a window is. How two clocks relate is known where both
are of one recording, or where `nissl sync` found it; a guess is not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nissl.align.binning import bins_of, width_of
from nissl.align.fragments import Bools, Fragment, Ints
from nissl.clock import Clock
from nissl.errors import BadArgumentError
from nissl.labels.replay import Rule
from nissl.project.relating.populations import (
    Population,
    Populations,
    about,
    population,
    populations,
)
from nissl.project.relating.simultaneous import clock_between
from nissl.project.source import Source
from nissl.project.stimulating import find_stimuli
from nissl.store import Store
from nissl.sync import ClockMap


def simultaneous(
    store: Store,
    sources: tuple[Source, Source],
    windows: Sequence[str | Path],
    *,
    bin_s: float,
    streams: tuple[str | None, str | None] = (None, None),
    bands: tuple[str | None, str | None] = (None, None),
    same_clock: bool = False,
    duration_s: float | None = None,
    resolve: Rule | None = None,
) -> tuple[Populations, int]:
    """Fragments of two sources of one time, and how many windows only one of them recorded.

    Parameters
    ----------
    store : Store
    sources : tuple of Source
    windows : sequence of str or Path
        One, on the first source's clock; or one for each, on its own.
    bin_s : float
    streams, bands : tuple of str or None
        Of each source, see `population`.
    same_clock : bool
        Both were recorded by one clock, the caller knows.
    duration_s : float, optional
    resolve : callable, optional

    Raises
    ------
    BadArgumentError
        Clocks of which nobody knows how they relate, or that are mapped worse than half a bin; no
        window that both recorded.
    """
    found = [
        population(store, source, resolve=resolve, stream=stream, band=band)
        for source, stream, band in zip(sources, streams, bands, strict=True)
    ]
    clocks = None
    if len(windows) == 2:
        given = populations(
            store, sources, windows, bin_s=bin_s, duration_s=duration_s, resolve=resolve,
            found=found,
        )  # fmt: skip
        return given, 0
    if not same_clock:
        clocks = clock_between(store, *sources)
    _exact(clocks, bin_s)
    first, second = found
    told = find_stimuli(
        store, first.source, first.stream, windows[0], duration_s=duration_s, resolve=resolve
    )
    width = width_of(first.clock, bin_s)
    left, window = bins_of(told.stimuli.start, told.stimuli.stop, width)
    seconds = first.clock.to_seconds(left)
    own = seconds if clocks is None else clocks(seconds)
    there = second.clock.to_samples(own)
    heard = _recorded(second.clock, there, own, width_of(second.clock, bin_s))
    lost = np.unique(window[~heard])
    kept = ~np.isin(window, lost)
    if not kept.any():
        raise BadArgumentError(
            f"a window in which both {sources[0].name!r} and {sources[1].name!r} were recorded",
            f"none of {len(told.stimuli.start)}",
            "There is no overlap: name windows at times that both devices recorded.",
        )
    names = tuple(sorted(set(told.stimuli.names)))
    fragments = tuple(
        _fragment(one, at[kept], window[kept], bin_s)
        for one, at in ((first, left), (second, there))
    )
    labels = tuple(tuple(d for d in (p.labels, *told.labels) if d) for p in found)
    return Populations(fragments, names, tuple(found), labels), len(lost)


def _fragment(one: Population, left: Ints, window: Ints, bin_s: float) -> Fragment:
    activity = one.binned(left, width_of(one.clock, bin_s))
    known = replace(about(one.source), modality=one.modality)
    return Fragment(one.source.name, activity, bin_s, window, units=one.units, about=known)


def _exact(clocks: ClockMap | None, bin_s: float) -> None:
    if clocks is None:
        return
    off = clocks.residuals().left_out.p99_s
    if off > bin_s / 2:
        raise BadArgumentError(
            f"clocks that are mapped to within half a bin ({bin_s / 2 * 1e3:g} ms)",
            f"{off * 1e3:.1f} ms (99 % of pulses, each left out)",
            "Ask for longer bins: --bin, or look at the pulses that were matched.",
        )


def _recorded(clock: Clock, left: Ints, seconds: np.ndarray, width: int) -> Bools:
    """Whether whole bins lie in one segment of a clock, where they are meant to be."""
    inside = np.zeros(len(left), bool)
    for s in clock.segments:
        inside |= (left >= s.start) & (left + width <= s.stop)
    near = np.abs(clock.to_seconds(left) - seconds) <= 1 / clock.rate_hz
    return np.asarray(inside & near)
