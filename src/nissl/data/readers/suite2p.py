"""Suite2p's binary movies: ``data.bin`` beside ``ops.npy``, or the folders that hold them.

The frames are int16 without a header; their size stands in ``ops.npy`` (in newer versions in
``db.npy`` and ``settings.npy`` too), which is a pickle. It is read as data and never run (see
`nissl.data.plain_pickle`). Planes of one size and length become the z axis, otherwise movies of
their own; the second channel is a movie "chan2". ``data.bin`` is what Suite2p registered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.data.array_frames import PlainFrames
from nissl.data.frame_clock import frame_clock
from nissl.data.movie import Movie
from nissl.data.plain_pickle import read_plain
from nissl.data.readers import Opened, ReadOptions
from nissl.data.tiff.stack import natural
from nissl.errors import BadMetadataError, CorruptSourceError

CHANNELS = {"data.bin": "movie", "data_chan2.bin": "chan2"}
SETTINGS = ("db.npy", "settings.npy", "ops.npy")
_DTYPE = "<i2"


@dataclass(frozen=True)
class Plane:
    """A plane's folder, and what its settings say.

    Parameters
    ----------
    folder : Path
    height, width : int
        Pixels.
    n_frames : int
        0 where nothing says.
    rate_hz : float, optional
    """

    folder: Path
    height: int
    width: int
    n_frames: int
    rate_hz: float | None


class Suite2pReader:
    """Reads ``data.bin``, a plane's folder, and a folder of such."""

    name = "suite2p"
    takes = frozenset({"rate_hz"})

    def matches(self, path: Path) -> bool:
        """Whether there are frames and settings."""
        if path.is_file():
            return path.name in CHANNELS and _has_settings(path.parent)
        return bool(_folders(path))

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open each channel as a movie."""
        folders = [path.parent] if path.is_file() else _folders(path)
        planes = [_plane(folder) for folder in folders]
        wanted = [path.name] if path.is_file() else list(CHANNELS)
        movies: list[Movie] = []
        files: list[Path] = []
        notes: list[str] = []
        for file in wanted:
            with_file = [plane for plane in planes if (plane.folder / file).is_file()]
            for name, together in _together(CHANNELS[file], file, with_file):
                movie, odd = _movie(name, together, file, options)
                movies.append(movie)
                notes += odd
                files += [plane.folder / file for plane in together]
        return Opened((), tuple(files), notes=tuple(dict.fromkeys(notes)), movies=tuple(movies))


def _has_settings(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SETTINGS)


def _folders(path: Path) -> list[Path]:
    """Folders of planes at or below a path, in order."""
    if (path / "data.bin").is_file() and _has_settings(path):
        return [path]
    for root in (path, path / "suite2p"):
        if root.is_dir():
            inner = [p for p in root.iterdir() if p.name.startswith("plane") and p.is_dir()]
            found = [p for p in inner if (p / "data.bin").is_file() and _has_settings(p)]
            if found:
                return sorted(found, key=natural)
    return []


def _plane(folder: Path) -> Plane:
    said: dict[str, Any] = {}
    for name in SETTINGS:
        if (folder / name).is_file():
            value = read_plain(folder / name)
            said |= value if isinstance(value, Mapping) else {}
    height, width = _count(said.get("Ly")), _count(said.get("Lx"))
    if not height or not width:
        raise BadMetadataError(
            f"the size of the frames, Ly and Lx, in {folder.name}/ops.npy",
            f"Ly = {said.get('Ly')!r:.20}, Lx = {said.get('Lx')!r:.20}",
            "Give the folder as Suite2p wrote it.",
        )
    stated = said.get("fs")
    rate = float(stated) if isinstance(stated, int | float) and stated > 0 else None
    return Plane(folder, height, width, _count(said.get("nframes")), rate)


def _count(value: Any) -> int:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
    return int(value) if known else 0


def _frames(plane: Plane, file: str) -> int:
    """Whole frames in a plane's file, which must be as many as Suite2p noted."""
    frame_bytes, size = plane.height * plane.width * 2, (plane.folder / file).stat().st_size
    n_frames, rest = divmod(size, frame_bytes)
    if rest or not n_frames or (plane.n_frames and n_frames != plane.n_frames):
        raise CorruptSourceError(
            f"{plane.n_frames or 'whole'} frames of {plane.height} x {plane.width} pixels in "
            f"{plane.folder.name}/{file}",
            f"{size} bytes, which are {size / frame_bytes:.2f} frames",
            "The file is truncated, or of another run than ops.npy.",
        )
    return n_frames


def _together(name: str, file: str, planes: Sequence[Plane]) -> list[tuple[str, list[Plane]]]:
    """Movies that planes make: one, where they agree in size and, but for a frame, in length."""
    if not planes:
        return []
    sizes = {(plane.height, plane.width) for plane in planes}
    lengths = [_frames(plane, file) for plane in planes]
    if len(sizes) == 1 and max(lengths) - min(lengths) <= 1:
        return [(name, list(planes))]
    tail = "" if name == "movie" else f".{name}"
    return [(f"{plane.folder.name}{tail}", [plane]) for plane in planes]


def _movie(
    name: str, planes: Sequence[Plane], file: str, options: ReadOptions
) -> tuple[Movie, list[str]]:
    first = planes[0]
    lengths = [_frames(plane, file) for plane in planes]
    shape = (len(planes), first.height, first.width)
    parts = tuple((str(plane.folder / file), 0) for plane in planes)
    clock, notes = frame_clock(
        f"{first.folder.name}/{file}",
        min(lengths),
        stated_hz=first.rate_hz,
        given_hz=options.rate_hz,
    )
    odd = list(notes)
    if min(lengths) != max(lengths):
        odd.append("Some planes have one frame more than the others; it was left out.")
    metadata = {"writer": "Suite2p"}
    return Movie(name, PlainFrames(parts, _DTYPE, shape), shape, clock, None, metadata), odd


READER = Suite2pReader()
