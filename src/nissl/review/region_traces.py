"""The fluorescence of a region: as it was kept, or extracted anew from the movie."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.reextract import Patch, reextract
from nissl.data import Movie, Signal
from nissl.labels.atomic import make_folder
from nissl.review.crops import Crop

Pixels = npt.NDArray[np.int64]

HELD_VALUES = 1 << 22
"""Samples of a derived signal that are held in memory at once."""
N_PEAKS = 12
PEAKS_APART_S = 3.0
STANDING_OUT = 4.0
"""Deviations above the median from which a maximum is a transient."""
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves of one region over time.

    Parameters
    ----------
    names : tuple of str
        Of "dff", "raw", "neuropil", "rate", "low", "high".
    values : ndarray, shape (n_lines, n_samples), float32
        dF/F as a fraction, fluorescence in the movie's unit, rates in spikes per second.
    frame : ndarray, shape (n_samples,), int64
        The movie's frame at which each sample begins.
    rate_hz : float
        Samples per second.
    origin : {"kept", "movie", "table", "none"}
    facts : mapping
        JSON values: "coefficient" of the neuropil, "noise" in % per sqrt(Hz), "read", the
        fraction of the movie that was read, "note".
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float32]
    frame: npt.NDArray[np.int64]
    rate_hz: float
    origin: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def line(self, name: str) -> npt.NDArray[np.float32] | None:
        """One of the curves, None where it is not there."""
        return self.values[self.names.index(name)] if name in self.names else None


class KeptSignal:
    """A derived signal whose channels are regions, turned so that one channel lies together.

    What is small is held in memory, what is large in a file of the project's scratch folder,
    which may be deleted at any time.

    Parameters
    ----------
    signal : Signal
        Channel ids are items, or items and a word ("12.low").
    file : Path, optional
        Where the turned samples are kept; without it large signals are read as they lie.
    """

    def __init__(self, signal: Signal, file: Path | None = None) -> None:
        self.signal = signal
        self._file = file
        self._place = {name: k for k, name in enumerate(signal.channels.ids)}
        self._held: npt.NDArray[np.float32] | None = None
        self._lock = threading.Lock()

    def of(self, channel: str) -> npt.NDArray[np.float32] | None:
        """Samples of a channel, (n_samples,) float32; None where there is no such channel."""
        place = self._place.get(channel)
        if place is None:
            return None
        with self._lock:
            if self._held is None:
                self._held = self._turned()
        if self._held is None:
            return np.asarray(self._read([place])[0])
        return np.asarray(self._held[place])

    def _turned(self) -> npt.NDArray[np.float32] | None:
        signal = self.signal
        if signal.n_samples * signal.n_channels <= HELD_VALUES:
            return self._read(range(signal.n_channels))
        if self._file is None:
            return None
        shape = (signal.n_channels, signal.n_samples)
        with suppress(OSError, ValueError):
            found = np.load(self._file, mmap_mode="r")
            if found.shape == shape and found.dtype == np.float32:
                return np.asarray(found)
        try:
            return self._write(self._file, shape)
        except OSError:  # a full disk, or a project that cannot be written
            self._file = None
            return None

    def _write(self, file: Path, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        make_folder(file.parent)
        partial = file.with_name(f".{file.name}.{secrets.token_hex(8)}.partial")
        try:
            turned = np.lib.format.open_memmap(partial, "w+", np.float32, shape)
            rows = max(HELD_VALUES // shape[0], 1)
            for segment in self.signal.clock.segments:
                for start in range(segment.start, segment.stop, rows):
                    stop = min(start + rows, segment.stop)
                    turned[:, start:stop] = self.signal.read(start, stop).T
            turned.flush()
            del turned
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        return np.asarray(np.load(file, mmap_mode="r"))

    def _read(self, channels: Sequence[int]) -> npt.NDArray[np.float32]:
        """Channels by samples."""
        out = np.empty((len(channels), self.signal.n_samples), np.float32)
        for segment in self.signal.clock.segments:
            block = self.signal.read(segment.start, segment.stop, channels)
            out[:, segment.start : segment.stop] = block.T
        return out


def extracted(
    crop: Crop,
    pixels: Pixels,
    weights: npt.NDArray[np.float32] | None,
    others: Footprints,
    *,
    field: float | None = None,
) -> Lines:
    """Extract a region, as the method of `cells` does, from what was read of its crop so far.

    Parameters
    ----------
    crop : Crop
        Holds the region.
    pixels : ndarray, int64
        Flat places in the field.
    weights : ndarray, float32, optional
    others : Footprints
        The other regions of the field; those outside the crop do not matter.
    field : float, optional
        The neuropil coefficient of the field, where the method told it.
    """
    n, box, rate_hz = crop.n_read, crop.box, crop.rate_hz
    facts: dict[str, object] = {"read": n / max(crop.first.size, 1)}
    if n < 2:
        return Lines((), np.zeros((0, 0), np.float32), crop.first[:0], rate_hz, "movie", facts)
    window = Movie.from_array(crop.values[:n, None], rate_hz)
    patch = Patch(window, box.plane, box.top, box.left, crop.movie.shape)
    found = reextract(patch, pixels, weights, others, field=field)
    values = np.concatenate([found.dff, found.raw, found.neuropil], axis=1).T
    facts |= {"coefficient": float(found.coefficient[0]), "noise": float(found.noise[0])}
    if crop.step > 1:
        facts["note"] = f"means of {crop.step} frames, for the movie is long"
    if not found.told_apart[0]:
        facts["note"] = "it coincides with another region; the two cannot be told apart"
    return Lines(
        ("dff", "raw", "neuropil"), np.ascontiguousarray(values), crop.first[:n], rate_hz, "movie",
        facts,
    )  # fmt: skip


def peaks(
    line: npt.NDArray[np.float32], rate_hz: float, *, most: int = N_PEAKS
) -> npt.NDArray[np.int64]:
    """Samples at which the largest transients stand, the largest first.

    Maxima of the trace averaged over a third of a second, at least `PEAKS_APART_S` apart, that
    stand out of what the trace does most of the time.

    Parameters
    ----------
    line : ndarray, shape (n_samples,)
    rate_hz : float
    """
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks

    if line.size < 3:
        return np.zeros(0, np.int64)
    smooth = uniform_filter1d(np.nan_to_num(line), max(round(rate_hz / 3), 1))
    rest = float(np.median(smooth))
    spread = _MAD_TO_SD * float(np.median(np.abs(smooth - rest)))
    apart = max(round(PEAKS_APART_S * rate_hz), 1)
    found, _ = find_peaks(smooth, height=rest + STANDING_OUT * spread, distance=apart)
    order = np.argsort(-smooth[found], kind="stable")
    return np.asarray(found[order][:most], np.int64)
