"""Rest and movement of one source, by the best evidence that its project has."""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import Floats, Ints
from nissl.annotators.windows.evidence import SHORT, Grid, asleep, moving_channels, of_population
from nissl.annotators.windows.methods import (
    POPULATION_BIN_S,
    Spans,
    by_movement,
    together,
    two_states,
)
from nissl.annotators.windows.vocabulary import REST, VOCABULARY
from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels.replay import Rule, replay
from nissl.project.annotating import current
from nissl.project.deriving import lineage
from nissl.project.relating.populations import population
from nissl.project.relating.simultaneous import clock_between
from nissl.project.source import Source
from nissl.project.stimulating import find_stimuli
from nissl.store import Store
from nissl.sync import ClockMap
from nissl.sync.intervals import event_samples, span_seconds


def states_of(
    store: Store,
    source: Source,
    stream: str,
    clock: Clock,
    least_s: float,
    *,
    rest: str | None = None,
    movement: str | None = None,
    busy: Spans | None = None,
    resolve: Rule | None = None,
) -> Spans:
    """Windows of rest and movement in samples of a stream.

    Parameters
    ----------
    store : Store
    source : Source
    stream : str
    clock : Clock
        Of the stream.
    least_s : float
        Shorter windows are left out.
    rest : str, optional
        Name of spans that somebody marked: nothing is looked for.
    movement : str, optional
        Another source with a signal of movement.
    busy : Spans, optional
        Trials; there is no rest in them.
    resolve : callable, optional
    """
    if rest is not None:
        told = find_stimuli(store, source, stream, rest, resolve=resolve).stimuli
        sure = np.full(len(told.start), np.nan)
        return Spans.of(REST, told.start, told.stop, sure, f"the spans {rest!r}")
    found = (
        _by_other(store, source, clock, movement, least_s)
        or _by_own(store, source, clock, least_s)
        or _by_sleep(store, source, clock, least_s, resolve)
        or _by_population(store, source, clock, least_s, resolve)
    )
    if busy is None or not len(busy.start):
        return found
    met = (found.start[:, None] < busy.stop) & (found.stop[:, None] > busy.start)
    kept = ~(met.any(axis=1) & (found.label == VOCABULARY.code(REST)))
    return found.take(kept, None if kept.all() else f"{found.told}, outside trials")


def timed(
    clock: Clock, start_s: Floats, stop_s: Floats, bridge: ClockMap | None = None
) -> tuple[Ints, Ints, Ints]:
    """Samples of a clock at spans of seconds, and which spans lie in what was recorded."""
    if bridge is not None:
        start_s, stop_s = bridge(start_s), bridge(stop_s)
    first, begun = event_samples(clock, start_s)
    last, ended = event_samples(clock, stop_s - 0.5 / clock.segments[0].rate_hz)
    kept = np.flatnonzero(begun & ended & (last > first))
    return first[kept], last[kept] + 1, kept


def _moved(found: Spans, of: Clock, onto: Clock, bridge: ClockMap | None, told: str) -> Spans:
    if of == onto and bridge is None:
        return found
    start, stop, kept = timed(onto, *span_seconds(of, found.start, found.stop), bridge)
    return Spans(start, stop, found.label[kept], found.confidence[kept], told)


def _signals(source: Source) -> list[Signal]:
    if not source.has_raw:
        return []
    streams = source.recording.streams.values()
    return [s for s in streams if moving_channels(s.channels.ids)[0]]


def _by_own(store: Store, source: Source, clock: Clock, least_s: float) -> Spans | None:
    for each in lineage(store, source):
        for signal in _signals(each):
            found = by_movement(signal, least_s)
            return _moved(found, signal.clock, clock, None, found.told)
    return None


def _by_other(
    store: Store, source: Source, clock: Clock, name: str | None, least_s: float
) -> Spans | None:
    if name is None:
        return None
    other = Source(store.source(name), store)
    signals = _signals(other)
    if not signals:
        raise MissingInputError(
            f"a channel of speed, position, acceleration or EMG in {name!r}",
            f"streams {sorted(other.row.streams)}",
            "Name its channels so when you save it.",
        )
    bridge = clock_between(store, other, source)
    found = by_movement(signals[0], least_s)
    return _moved(found, signals[0].clock, clock, bridge, f"{found.told} of {name}")


def _by_sleep(
    store: Store, source: Source, clock: Clock, least_s: float, resolve: Rule | None
) -> Spans | None:
    for each in lineage(store, source):
        digest = current(store, each, "sleep")
        if digest is None:
            continue
        stages = store.get_labels(digest)
        stages = replay(stages, store.edits(base=digest), resolve=resolve).labels
        own = each.clock(stages.provenance.stream)
        start, stop, sure = asleep(stages, round(least_s * own.segments[0].rate_hz))
        found = Spans.of(REST, start, stop, sure, "stages of sleep")
        return _moved(found, own, clock, None, found.told)
    return None


def _by_population(
    store: Store, source: Source, clock: Clock, least_s: float, resolve: Rule | None
) -> Spans:
    one = population(store, source, resolve=resolve)
    grid = Grid.of(clock, POPULATION_BIN_S)
    if grid.width < SHORT and one.events is not None:
        raise BadArgumentError(
            f"{SHORT} or more samples a second", f"{clock.rate_hz:g} Hz", "Give --movement SOURCE."
        )
    if one.events is not None:
        measured = of_population(one.events[0], grid)
    else:
        values = np.asarray(one.values, float)
        values = values / np.maximum(values.std(axis=0), 1e-12)
        index = grid.left[:, None] + np.arange(grid.width)
        measured = np.sqrt(values[index].var(axis=1).mean(axis=1))
    return two_states(measured, grid, least_s, "the population alone")


__all__ = ["states_of", "timed", "together"]
