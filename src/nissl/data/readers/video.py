"""Videos: AVI, MP4, MKV and MOV as grey movies of one plane, through PyAV.

Times are those of the frames; where they leave some out, frames were dropped and a new segment
begins. Titles and other tags are not read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nissl.data.frame_clock import frame_clock
from nissl.data.movie import Movie
from nissl.data.readers import Opened, ReadOptions
from nissl.data.video_frames import VideoFrames, grey, listing
from nissl.errors import BadMetadataError

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".m4v")


class VideoReader:
    """Reads ``.avi``, ``.mp4``, ``.mkv``, ``.mov``."""

    name = "video"
    takes = frozenset({"rate_hz"})

    def matches(self, path: Path) -> bool:
        """Whether the suffix is that of a video."""
        return path.is_file() and path.suffix.lower() in SUFFIXES

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the first video stream as one movie."""
        import av

        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadMetadataError(f"a video in {path.name}", "none", "Check the file.")
            stream = container.streams.video[0]
            first = next(container.decode(stream))
            rate = float(stream.average_rate) if stream.average_rate else None
        bits = max(component.bits for component in first.format.components)
        dtype = np.dtype("<u2" if bits > 8 else "u1")
        height, width = grey(first, dtype).shape
        found = listing(str(path), path.stat().st_mtime_ns)
        clock, notes = frame_clock(
            path.name,
            found.pts.size,
            stated_hz=rate,
            given_hz=options.rate_hz,
            stamps_s=found.pts.astype(np.float64) * found.tick_s,
        )
        frames = VideoFrames(str(path), dtype.str)
        metadata = {"pixels": first.format.name}
        movie = Movie("movie", frames, (1, height, width), clock, None, metadata)
        return Opened((), (path,), notes=notes, movies=(movie,))


READER = VideoReader()
