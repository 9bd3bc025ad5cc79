"""Min/max pyramid: the lowest and highest sample of every bin, at several bin widths.

Drawing an hour needs no sample of it, only the range of what falls into each pixel. A
pyramid keeps that range exactly: bin `i` of a level holds the minimum and maximum of the
stored samples ``[i * width, (i + 1) * width)``, cut at the end of the recording, counted in
samples over all segments (a bin may hold samples from both sides of a gap). NaN is left out;
a bin of nothing but NaN is NaN. Values keep the type of the samples.

The recording is cut into tiles; a tile holds every level of its stretch, so that one pass
over the samples of a tile makes all of it and tiles can be made in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.signal import Signal
from nissl.errors import BadArgumentError

PIECE_VALUES = 1 << 22
"""Most samples (over all channels) that are held while a tile is made."""

_FEW_CHANNELS = 32


@dataclass(frozen=True)
class Ladder:
    """Widths of the bins and length of the tiles.

    Parameters
    ----------
    base : int
        Samples in a bin of level 0.
    factor : int
        Bins of a level in one bin of the next.
    n_levels : int
        Levels; a bin of the last one is as long as a tile.
    """

    base: int = 64
    factor: int = 8
    n_levels: int = 5

    def __post_init__(self) -> None:
        if self.base < 2 or self.factor < 2 or self.n_levels < 1:
            raise BadArgumentError(
                "base >= 2, factor >= 2 and at least one level", repr(self), "Widen the bins."
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Samples in a bin of each level."""
        return tuple(self.base * self.factor**level for level in range(self.n_levels))

    @property
    def tile_samples(self) -> int:
        """Samples of a tile."""
        return self.widths[-1]

    def n_tiles(self, n_samples: int) -> int:
        """Tiles of a recording."""
        return -(-n_samples // self.tile_samples)

    def extent(self, tile: int, n_samples: int) -> tuple[int, int]:
        """Samples ``[start, stop)`` of a tile; the last one may be short."""
        start = tile * self.tile_samples
        return start, min(start + self.tile_samples, n_samples)

    def n_bins(self, tile: int, n_samples: int) -> tuple[int, ...]:
        """Bins of each level of a tile."""
        start, stop = self.extent(tile, n_samples)
        return tuple(-(-(stop - start) // width) for width in self.widths)

    def level_for(self, bin_samples: int) -> int | None:
        """Coarsest level with bins of at most `bin_samples`; None where all are wider."""
        fitting = [level for level, width in enumerate(self.widths) if width <= bin_samples]
        return fitting[-1] if fitting else None


def read_over_gaps(
    signal: Signal, start: int, stop: int, channels: npt.NDArray[np.intp]
) -> npt.NDArray[Any]:
    """Stored samples of an interval that may cross gaps, side by side.

    Returns
    -------
    ndarray, shape (stop - start, n_channels), of the signal's dtype, not calibrated
    """
    pieces = [signal.reader.read(a, b, channels) for a, b in signal.clock.split(start, stop)]
    if not pieces:
        return np.empty((0, channels.size), dtype=signal.dtype)
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def ranges(samples: npt.NDArray[Any], bin_samples: int) -> npt.NDArray[Any]:
    """Minimum and maximum of every bin.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n_channels)
    bin_samples : int
        Samples in a bin; the last bin may hold fewer.

    Returns
    -------
    ndarray, shape (n_channels, n_bins, 2), of the samples' type in native byte order
    """
    n_samples, n_channels = samples.shape
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    whole = n_samples // bin_samples
    out = np.empty((n_channels, -(-n_samples // bin_samples), 2), dtype=native.dtype)
    head, tail = native[: whole * bin_samples], native[whole * bin_samples :]
    # NumPy's reductions are quick along whichever axis is long in memory
    if n_channels < _FEW_CHANNELS:
        blocks, axis = np.ascontiguousarray(head.T).reshape(n_channels, whole, bin_samples), 2
    else:
        blocks, axis = head.reshape(whole, bin_samples, n_channels), 1
    for side, extreme in enumerate(_extremes(native.dtype)):
        if whole:
            found = extreme.reduce(blocks, axis=axis)
            out[:, :whole, side] = found if axis == 2 else found.T
        if tail.size:
            out[:, whole, side] = extreme.reduce(tail, axis=0)
    return out


def coarsen(level: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """Ranges of `factor` neighbouring bins together, shape (n_channels, ceil(n / factor), 2)."""
    if factor == 1:
        return level
    n_channels, n_bins, _ = level.shape
    starts = np.arange(0, n_bins, factor)
    out = np.empty((n_channels, starts.size, 2), dtype=level.dtype)
    if n_bins:
        for side, extreme in enumerate(_extremes(level.dtype)):
            out[:, :, side] = extreme.reduceat(level[:, :, side], starts, axis=1)
    return out


def make_tile(
    signal: Signal, ladder: Ladder, tile: int, *, piece_values: int = PIECE_VALUES
) -> list[npt.NDArray[Any]]:
    """Make every level of a tile from the samples.

    Parameters
    ----------
    signal : Signal
    ladder : Ladder
    tile : int
    piece_values : int
        Most samples, over all channels, held at once beside the result.

    Returns
    -------
    list of ndarray, each of shape (n_channels, n_bins of the level, 2)
    """
    start, stop = ladder.extent(tile, signal.n_samples)
    everything = np.arange(signal.n_channels)
    step = max(1, piece_values // max(1, signal.n_channels * ladder.base)) * ladder.base
    pieces = [
        ranges(read_over_gaps(signal, a, min(a + step, stop), everything), ladder.base)
        for a in range(start, stop, step)
    ]
    levels = [pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)]
    for _ in range(1, ladder.n_levels):
        levels.append(coarsen(levels[-1], ladder.factor))
    return levels


def calibrated(
    values: npt.NDArray[Any], signal: Signal, channels: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """Ranges in microvolts, as `Signal.read` would have given them; in order for any gain.

    Parameters
    ----------
    values : ndarray, shape (n_channels, n_bins, 2)
        Stored units.
    signal : Signal
    channels : ndarray of intp, shape (n_channels,)
        Which channel each row is.

    Returns
    -------
    ndarray, same shape, float32, uV
    """
    out = values.astype(np.float32)
    gain = signal.channels.gain_uv[channels].astype(np.float32)[:, None, None]
    offset = signal.channels.offset_uv[channels].astype(np.float32)[:, None, None]
    if np.any(gain != 1):
        out *= gain
    if np.any(offset != 0):
        out += offset
    turned = gain[:, 0, 0] < 0
    if np.any(turned):
        out[turned] = out[turned][:, :, ::-1]
    return out


def _extremes(dtype: np.dtype[Any]) -> tuple[np.ufunc, np.ufunc]:
    return (np.fmin, np.fmax) if dtype.kind == "f" else (np.minimum, np.maximum)
