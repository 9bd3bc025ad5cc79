"""What a page of traces shows: the range of every pixel's samples, and a spectrogram.

A page is answered from the samples where they are few, filtered and in the montage that was
asked for. A longer page is answered from the pyramid: exact, unfiltered, as recorded, and it
says so. Where tiles of the pyramid are not made yet, short stretches of samples stand for the
whole, within a time budget; such a page is marked as approximate, and what could not be
looked at in time is NaN. Bins begin at multiples of their width, so that nothing shimmers
when a page is moved. The axis is the sample index; gaps are named, not drawn as time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.data.filtering import Filters, filtered
from nissl.data.montage import RECORDED, Montage, montage
from nissl.data.pyramid import PIECE_VALUES, Ladder, calibrated, coarsen, ranges, read_over_gaps
from nissl.errors import BadArgumentError
from nissl.review.pyramids import Tiles

PAGE_VALUES = 12_000_000
"""Most samples, over all channels of the stream, that are read for one page."""

FILTER_VALUES = 2_500_000
"""Most samples that are filtered or set into a montage for one page."""

SNIPPET_VALUES = 1 << 13
"""Samples, over all channels, that stand for a bin whose tile is not made yet."""

MOST_WIDTH = 8192
BUDGET_S = 0.12

Now = Callable[[], float]


@dataclass(frozen=True)
class Page:
    """What is asked for.

    Parameters
    ----------
    start, stop : int
        Samples, half-open; cut at the ends of the recording.
    width : int
        Pixels; the answer has at least as many bins and little more than twice as many, where
        there are as many samples and the pyramid's first level is as fine.
    traces : tuple of int, optional
        Which traces of the montage, in order; all by default.
    montage : str
        See `nissl.data.montage`.
    filters : Filters
    """

    start: int
    stop: int
    width: int = 1200
    traces: tuple[int, ...] | None = None
    montage: str = RECORDED
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        if self.stop <= self.start or not 1 <= self.width <= MOST_WIDTH:
            raise BadArgumentError(
                f"stop above start and 1 to {MOST_WIDTH} pixels",
                f"[{self.start}, {self.stop}), {self.width} pixels",
                "Ask for a longer page or another width.",
            )


@dataclass(frozen=True, eq=False)
class Traces:
    """The answer.

    Parameters
    ----------
    values : ndarray, shape (n_traces, n_bins, 2), float32, uV
        Minimum and maximum of every bin; NaN where nothing is known or was recorded.
    labels : tuple of str
    first : int
        Sample at which bin 0 begins.
    bin_samples : int
    exact : bool
        Whether every sample was looked at.
    notes : tuple of str
        Sentences for the reader: what was left out and why.
    """

    values: npt.NDArray[np.float32]
    labels: tuple[str, ...]
    first: int
    bin_samples: int
    exact: bool = True
    notes: tuple[str, ...] = ()


def traces(
    signal: Signal,
    page: Page,
    tiles: Tiles | None = None,
    *,
    budget_s: float = BUDGET_S,
    now: Now = time.monotonic,
) -> Traces:
    """Ranges of a page.

    Parameters
    ----------
    signal : Signal
    page : Page
    tiles : Tiles, optional
        Those of the signal, as far as they are made.
    budget_s : float
        Seconds for what is not read at once; one read may end after it.
    now : callable
        Clock in seconds.

    Raises
    ------
    BadArgumentError
        A page outside the recording, an unknown montage or trace, an impossible filter.
    CorruptSourceError
        The recording does not read.
    """
    start, end = cut_to(page, signal)
    shown, chosen = chosen_traces(page, signal)
    if page.filters:
        page.filters.sections(signal.rate_hz)  # refuses here whatever the length of the page
    plain = shown.as_recorded and not page.filters
    bin_samples = max(1, (end - start) // page.width)
    first = start // bin_samples * bin_samples
    stop = min(-(-end // bin_samples) * bin_samples, signal.n_samples)
    labels = tuple(shown.labels[i] for i in chosen)
    columns = shown.columns(chosen)
    if not plain:
        halo = round(page.filters.halo_s * signal.rate_hz)
        most = min(FILTER_VALUES // max(1, columns.size), PAGE_VALUES // signal.n_channels)
        if stop - first + 2 * halo <= most:
            values = _treated(signal, (first, stop), (shown, columns, chosen), page.filters)
            return Traces(_binned(values, bin_samples), labels, first, bin_samples)
    channels = np.asarray(shown.plus, dtype=np.intp)[chosen]
    labels = tuple(signal.channels.ids[i] for i in channels)
    notes: tuple[str, ...] = (
        () if plain else ("The page is too long to filter: shown unfiltered, as recorded.",)
    )
    if (stop - first) * signal.n_channels <= PAGE_VALUES:
        values = _ranges(signal, first, stop, channels, bin_samples)
        return Traces(values, labels, first, bin_samples, True, notes)
    ladder = tiles.ladder if tiles is not None else Ladder()
    wide = _nested(ladder, bin_samples)
    first, stop = start // wide * wide, min(-(-end // wide) * wide, signal.n_samples)
    late = now() + budget_s
    values, exact = _from_tiles(signal, tiles, (first, stop), channels, wide, lambda: now() >= late)
    if not exact:
        notes += ("The overview is being made: parts of this page are approximate.",)
    return Traces(values, labels, first, wide, exact, notes)


def cut_to(page: Page, signal: Signal) -> tuple[int, int]:
    """Samples of a page that are within the recording; `BadArgumentError` where none is."""
    start, stop = max(0, page.start), min(signal.n_samples, page.stop)
    if stop <= start:
        raise BadArgumentError(
            f"a page within the {signal.n_samples} samples of the recording",
            f"[{page.start}, {page.stop})",
            "Move the page.",
        )
    return start, stop


def chosen_traces(page: Page, signal: Signal) -> tuple[Montage, npt.NDArray[np.intp]]:
    """Montage of a page and which of its traces are shown; `BadArgumentError` for others."""
    shown = montage(page.montage, signal.channels)
    if page.traces is None:
        return shown, np.arange(shown.n_traces)
    chosen = np.asarray(page.traces, dtype=np.intp)
    beyond = chosen.size and (chosen.min() < 0 or chosen.max() >= shown.n_traces)
    if beyond or np.unique(chosen).size < chosen.size:
        raise BadArgumentError(
            f"traces 0 to {shown.n_traces - 1} of the montage {shown.name!r}, each once",
            f"{chosen.size} traces, {chosen.min()} to {chosen.max()}",
            "Scroll to traces that are there.",
        )
    return shown, chosen


def _treated(
    signal: Signal,
    window: tuple[int, int],
    shown: tuple[Montage, npt.NDArray[np.intp], npt.NDArray[np.intp]],
    filters: Filters,
) -> npt.NDArray[np.float32]:
    """Samples of a window in a montage, filtered, shape (n_samples, n_traces), uV."""
    set_into, columns, chosen = shown
    halo = round(filters.halo_s * signal.rate_hz)
    pieces = []
    for segment in signal.clock.segments:
        a, b = max(window[0], segment.start), min(window[1], segment.stop)
        if a >= b:
            continue
        low, high = max(a - halo, segment.start), min(b + halo, segment.stop)
        read = signal.read(low, high, columns.tolist())
        whole = filtered(set_into.apply(read, columns, chosen), signal.rate_hz, filters)
        pieces.append(whole[a - low : b - low])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _binned(samples: npt.NDArray[np.float32], bin_samples: int) -> npt.NDArray[np.float32]:
    return np.asarray(ranges(samples, bin_samples), dtype=np.float32)


def _ranges(
    signal: Signal, start: int, stop: int, channels: npt.NDArray[np.intp], bin_samples: int
) -> npt.NDArray[np.float32]:
    """Ranges of bins from the samples themselves, piece by piece."""
    step = max(1, PIECE_VALUES // (signal.n_channels * bin_samples)) * bin_samples
    pieces = [
        ranges(read_over_gaps(signal, a, min(a + step, stop), channels), bin_samples)
        for a in range(start, stop, step)
    ]
    return calibrated(np.concatenate(pieces, axis=1), signal, channels)


def _nested(ladder: Ladder, bin_samples: int) -> int:
    """Widest bin of at most `bin_samples` (but of level 0 at least) that tiles hold whole."""
    wide = ladder.base
    while wide * 2 <= bin_samples and ladder.tile_samples % (wide * 2) == 0:
        wide *= 2
    while wide >= ladder.tile_samples and wide * 2 <= bin_samples:
        wide *= 2  # recordings of many tiles per pixel
    return wide


def _from_tiles(
    signal: Signal,
    tiles: Tiles | None,
    window: tuple[int, int],
    channels: npt.NDArray[np.intp],
    wide: int,
    late: Callable[[], bool],
) -> tuple[npt.NDArray[np.float32], bool]:
    """Ranges of bins from tiles, and from snippets where tiles are missing."""
    start, stop = window
    n_bins = -(-(stop - start) // wide)
    out = np.full((channels.size, n_bins, 2), np.nan, dtype=np.float32)
    length = wide if tiles is None else min(wide, tiles.ladder.tile_samples)
    ends = np.minimum(start + (np.arange(n_bins) + 1) * wide, stop)
    left = -(-(ends - np.arange(start, stop, wide)) // length)  # tiles that a bin still lacks
    none = left.copy()
    if tiles is not None:
        long = tiles.ladder.tile_samples
        for tile in start // long + spread_order(-(-stop // long) - start // long):
            if late():
                break
            _put_tile(out, left, tiles, int(tile), channels, (start, wide))
    exact = not left.any()
    if not exact:
        _put_snippets(
            out, np.flatnonzero(left == none), signal, (start, stop, wide), channels, late
        )
    return out, exact


def _put_tile(
    out: npt.NDArray[np.float32],
    left: npt.NDArray[np.int64],
    tiles: Tiles,
    tile: int,
    channels: npt.NDArray[np.intp],
    grid: tuple[int, int],
) -> None:
    """Fill in the bins of a tile; bins wider than a tile take the range of all their tiles."""
    start, wide = grid
    level = tiles.ladder.level_for(wide)
    found = None if level is None else tiles.read(tile, level, channels)
    if level is None or found is None:
        return
    length, width = tiles.ladder.tile_samples, tiles.ladder.widths[level]
    merged = coarsen(found, min(wide, length) // width)
    values = calibrated(merged, tiles.signal, channels)
    at = (tile * length - start) // wide
    low, high = max(at, 0), min(at + values.shape[1], out.shape[1])
    if low >= high:
        return
    values = values[:, low - at : high - at]
    target = out[:, low:high]
    np.fmin(target[:, :, 0], values[:, :, 0], out=target[:, :, 0])
    np.fmax(target[:, :, 1], values[:, :, 1], out=target[:, :, 1])
    left[low:high] -= 1


def _put_snippets(
    out: npt.NDArray[np.float32],
    empty: npt.NDArray[np.intp],
    signal: Signal,
    grid: tuple[int, int, int],
    channels: npt.NDArray[np.intp],
    late: Callable[[], bool],
) -> None:
    """Fill in bins from a few samples at the beginning of each, as far as there is time."""
    start, stop, wide = grid
    length = max(1, min(SNIPPET_VALUES // signal.n_channels, wide))
    filled, read = [], []
    for index in empty[spread_order(empty.size)]:
        if late():
            break
        a = min(start + int(index) * wide, stop - length)
        filled.append(int(index))
        read.append(read_over_gaps(signal, a, a + length, channels))
    if filled:
        found = ranges(np.concatenate(read), length)
        out[:, filled] = calibrated(found, signal, channels)


def spread_order(n: int) -> npt.NDArray[np.intp]:
    """0 to n - 1 with bits reversed: any beginning of it is spread over the whole."""
    if n < 2:
        return np.arange(n)
    bits = (n - 1).bit_length()
    index = np.arange(1 << bits)
    reversed_ = np.zeros_like(index)
    for bit in range(bits):
        reversed_ |= ((index >> bit) & 1) << (bits - 1 - bit)
    return reversed_[reversed_ < n]
