"""Activity around events: peri-stimulus time histograms of units, averages of signals.

Events and spikes are samples of one stream. An event whose window crosses a gap or an end of
the recording is left out whole and counted, so that every bin rests on the same events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Kind, LabelSet

WINDOW_S = (-0.5, 1.0)
BIN_S = 0.02

Samples = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Psth:
    """Spikes of each unit around events.

    Parameters
    ----------
    items : ndarray, shape (n_units,), int64
        Units, as in the items of the label set.
    edges_s : ndarray, shape (n_bins + 1,), float64, seconds
        Edges of the bins relative to the event, on whole samples; bins are half-open.
    counts : ndarray, shape (n_units, n_bins), int64
        Spikes over all events.
    rate_hz : ndarray, shape (n_units, n_bins), float64, Hz
        Mean over events; NaN without events.
    sem_hz : ndarray, shape (n_units, n_bins), float64, Hz
        Standard error of that mean over events; NaN below two events.
    n_events, n_excluded : int
        Events that count, and events left out because their window was not recorded whole.
    """

    items: Samples
    edges_s: Values
    counts: Samples
    rate_hz: Values
    sem_hz: Values
    n_events: int
    n_excluded: int

    @property
    def times_s(self) -> Values:
        """Middles of the bins relative to the event, shape (n_bins,), seconds."""
        return np.asarray((self.edges_s[1:] + self.edges_s[:-1]) / 2)


@dataclass(frozen=True, eq=False)
class TriggeredAverage:
    """Mean of a signal around events.

    Parameters
    ----------
    times_s : ndarray, shape (n_samples,), float64, seconds
        Relative to the event.
    mean_uv, sem_uv : ndarray, shape (n_samples, n_channels), float64, uV
        NaN without events, and for the standard error below two.
    n_events, n_excluded : int
        As in `Psth`.
    """

    times_s: Values
    mean_uv: Values
    sem_uv: Values
    n_events: int
    n_excluded: int


def onset_samples(labels: LabelSet, name: str | None = None) -> Samples:
    """Samples of EVENTS or first samples of the items of SPANS, increasing.

    Parameters
    ----------
    labels : LabelSet
    name : str, optional
        Only those of this class.
    """
    if labels.kind not in (Kind.EVENTS, Kind.SPANS):
        raise BadLabelsError(
            "labels of the kind events or spans", labels.kind.value, "Others have no onsets."
        )
    chosen = np.ones(labels.n_rows, dtype=bool)
    if name is not None:
        chosen = labels.column("label") == labels.vocabulary.code(name)
    if labels.kind is Kind.EVENTS:
        return np.asarray(labels.column("sample")[chosen])
    start, item = labels.column("start")[chosen], labels.column("item")[chosen]
    _, first = np.unique(item, return_index=True)  # rows stand in order of their starts
    return np.sort(start[first])


def psth(
    spikes: LabelSet,
    events: npt.ArrayLike,
    clock: Clock,
    *,
    window_s: tuple[float, float] = WINDOW_S,
    bin_s: float = BIN_S,
) -> Psth:
    """Count the spikes of every unit around events.

    Parameters
    ----------
    spikes : LabelSet
        EVENTS; an item is a unit.
    events : array-like, shape (n_events,), int
        Samples of the same stream (see `onset_samples`).
    clock : Clock
        Clock of that stream.
    window_s : tuple of float
        Begin and end relative to the event, seconds.
    bin_s : float
        Width of a bin, seconds; the last bin may reach beyond the window's end. Edges lie on
        whole samples, and rates are taken over the bins' true widths.

    Raises
    ------
    BadLabelsError
        Labels that are no EVENTS.
    BadArgumentError
        A window or bin that is not above zero, or a bin below one sample.
    """
    if spikes.kind is not Kind.EVENTS:
        raise BadLabelsError("spikes as events", spikes.kind.value, "Give a set of spikes.")
    edges = _edges(window_s, bin_s, clock.rate_hz)
    centres, n_excluded = _whole_windows(events, clock, int(edges[0]), int(edges[-1]))
    width_s = np.diff(edges) / clock.rate_hz
    items = spikes.items
    counts = np.zeros((items.size, width_s.size), dtype=np.int64)
    sem = np.full(counts.shape, np.nan)
    sample, item = spikes.column("sample"), spikes.column("item")
    order = np.argsort(item, kind="stable")  # each unit's spikes stay in order of their samples
    bounds = np.searchsorted(item[order], items)
    for row, train in enumerate(np.split(sample[order], bounds[1:]) if items.size else []):
        each = np.diff(np.searchsorted(train, centres[:, None] + edges[None, :]), axis=1)
        counts[row] = each.sum(axis=0)
        if centres.size > 1:
            sem[row] = each.std(axis=0, ddof=1) / np.sqrt(centres.size) / width_s
    with np.errstate(invalid="ignore"):
        rate = counts / np.float64(centres.size) / width_s
    return Psth(items, edges / clock.rate_hz, counts, rate, sem, int(centres.size), n_excluded)


def triggered_average(
    signal: Signal,
    events: npt.ArrayLike,
    *,
    window_s: tuple[float, float] = WINDOW_S,
    channels: list[int | str] | None = None,
) -> TriggeredAverage:
    """Average a signal around events, reading one window at a time.

    Parameters
    ----------
    signal : Signal
    events : array-like, shape (n_events,), int
        Samples of the signal.
    window_s : tuple of float
        Begin and end relative to the event, seconds.
    channels : list of int or str, optional
        All by default.
    """
    edges = _edges(window_s, 1 / signal.rate_hz, signal.rate_hz)
    begin, end = int(edges[0]), int(edges[-1])
    centres, n_excluded = _whole_windows(events, signal.clock, begin, end)
    n_channels = signal.channels.index(channels).size
    mean, squares = np.zeros((2, end - begin, n_channels))
    for n, centre in enumerate(centres.tolist(), start=1):  # Welford's recurrence
        values = signal.read(centre + begin, centre + end, channels).astype(np.float64)
        away = values - mean
        mean += away / n
        squares += away * (values - mean)
    count = centres.size
    if count == 0:
        mean = np.full(mean.shape, np.nan)
    sem = np.sqrt(squares / (count - 1) / count) if count > 1 else np.full(mean.shape, np.nan)
    times = np.arange(begin, end) / signal.rate_hz
    return TriggeredAverage(times, mean, sem, int(count), n_excluded)


def _edges(window_s: tuple[float, float], bin_s: float, rate_hz: float) -> Samples:
    """Edges of the bins, shape (n_bins + 1,), whole samples relative to the event."""
    begin, end = window_s
    if not (np.isfinite(end - begin) and end > begin and bin_s * rate_hz >= 1 - 1e-9):
        raise BadArgumentError(
            f"a window that ends after it begins and bins of at least {1 / rate_hz:g} s",
            f"window {window_s} s, bins of {bin_s} s",
            "Give window_s=(begin, end) and bin_s in seconds.",
        )
    n_bins = max(int(np.ceil((end - begin) / bin_s - 1e-6)), 1)
    edges = np.rint((begin + np.arange(n_bins + 1) * bin_s) * rate_hz)
    return np.asarray(edges, dtype=np.int64)


def _whole_windows(
    events: npt.ArrayLike, clock: Clock, begin: int, end: int
) -> tuple[Samples, int]:
    """Events whose window ``[event + begin, event + end)`` lies in one segment, and the rest."""
    centres = np.asarray(events, dtype=np.int64).reshape(-1)
    starts = np.asarray([s.start for s in clock.segments])
    stops = np.asarray([s.stop for s in clock.segments])
    which = np.clip(np.searchsorted(starts, centres, side="right") - 1, 0, starts.size - 1)
    whole = (centres + begin >= starts[which]) & (centres + end <= stops[which])
    return centres[whole], int((~whole).sum())
