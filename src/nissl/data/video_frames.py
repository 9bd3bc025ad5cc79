"""Frames of compressed videos as grey values, through PyAV.

A video is read by index: its packets are listed once, without decoding, which gives the time of
every frame and the frames from which decoding may start. Reading on from where the last read
ended goes on decoding. Of YUV and grey videos the values are the luma as it is stored; of others
the grey that FFmpeg makes of their colours.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import damaged
from nissl.data.movie import Rows
from nissl.errors import CorruptSourceError, NisslError


@dataclass(frozen=True, eq=False)
class Listing:
    """Frames of a video.

    Parameters
    ----------
    pts : ndarray, shape (n_frames,), int64
        Presentation times in units of `tick_s`, ascending.
    keys : ndarray, int64
        Indices of frames from which decoding may start.
    tick_s : float
    """

    pts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    tick_s: float


@lru_cache(maxsize=16)
def listing(path: str, mtime_ns: int) -> Listing:
    """List the frames of a video without decoding them."""
    import av

    pts, keys = [], []
    with av.open(path) as container:
        stream = container.streams.video[0]
        for number, packet in enumerate(container.demux(stream)):
            if packet.size == 0:  # flushes the decoder
                continue
            time = packet.pts if packet.pts is not None else packet.dts
            pts.append(number if time is None else time)
            if packet.is_keyframe:
                keys.append(pts[-1])
        base = stream.time_base
    times = np.unique(np.asarray(pts, np.int64))
    if not times.size or times.size != len(pts):
        raise CorruptSourceError(
            f"frames at different times in {Path(path).name}",
            f"{len(pts)} frames at {times.size} times",
            "Write the video again, for instance with: ffmpeg -i IN -c:v ffv1 OUT.mkv",
        )
    starts = np.searchsorted(times, np.unique(np.asarray(keys, np.int64)))
    return Listing(times, starts, float(base) if base else 1.0)


@dataclass(frozen=True)
class VideoFrames:
    """Frames of a video, shape (t, 1, y, x).

    Parameters
    ----------
    path : str
    sample_type : str
        "|u1", or "<u2" for videos of more than 8 bits.
    """

    path: str
    sample_type: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, 1, y, x)."""
        images = []
        try:
            with _LOCK:
                decoder = _decoder(self.path)
                for index in range(start, max(stop, start + 1)):
                    images.append(grey(decoder.frame(index), self.dtype)[slice(*rows)])
        except (NisslError, ImportError):
            raise
        except Exception as error:
            _DECODERS.clear()
            raise damaged(self.path, error) from error
        return np.stack(images)[: stop - start, None]


class _Decoder:
    """An open video that decodes forwards, and seeks where that is shorter."""

    def __init__(self, path: str, mtime_ns: int) -> None:
        import av

        self.path = path
        self.listing = listing(path, mtime_ns)
        self.container: Any = av.open(path)
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "NONE"
        self.frames = self.container.decode(self.stream)
        self.next = 0

    def frame(self, index: int) -> Any:
        keys = self.listing.keys
        before = keys[keys <= index]
        key = int(before[-1]) if before.size else 0
        if index < self.next or key > self.next:
            self._seek(key)
        wanted = int(self.listing.pts[index])
        for frame in self.frames:
            time = frame.pts if frame.pts is not None else self.listing.pts[self.next]
            self.next = int(np.searchsorted(self.listing.pts, time)) + 1
            if time == wanted:
                return frame
            if time > wanted:
                break
        raise EOFError(f"frame {index} is not there")

    def _seek(self, index: int) -> None:
        time = int(self.listing.pts[index])
        self.container.seek(time, stream=self.stream, backward=True, any_frame=False)
        self.frames = self.container.decode(self.stream)
        self.next = index


_DECODERS: dict[tuple[int, str, int], _Decoder] = {}
_LOCK = threading.Lock()
_MOST_DECODERS = 4


def _decoder(path: str) -> _Decoder:
    """Decoder of this process: forked ones would share its place in the file."""
    mtime_ns = Path(path).stat().st_mtime_ns
    key = (os.getpid(), path, mtime_ns)
    if key not in _DECODERS:
        if len(_DECODERS) >= _MOST_DECODERS:
            _DECODERS.clear()
        _DECODERS[key] = _Decoder(path, mtime_ns)
    return _DECODERS[key]


def grey(frame: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Grey values of a decoded frame, shape (y, x)."""
    luma = frame.format.name.startswith(("yuv", "yuvj", "gray", "nv12"))
    if not luma:
        return np.asarray(frame.to_ndarray(format="gray" if dtype.itemsize == 1 else "gray16le"))
    plane = frame.planes[0]
    stored = dtype.newbyteorder(">") if frame.format.name.endswith("be") else dtype
    values = np.frombuffer(plane, stored).reshape(-1, plane.line_size // dtype.itemsize)
    return values[: frame.height, : frame.width].astype(dtype, copy=False)
