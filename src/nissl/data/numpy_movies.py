"""Movies in ``.npy`` files and in members of ``.npz`` archives."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.array_frames import NpzFrames, PlainFrames
from nissl.data.array_movies import array_movies
from nissl.data.arrays import damaged
from nissl.data.movie import FrameReader, Movie, PlaneReader
from nissl.data.readers import ReadOptions
from nissl.errors import BadMetadataError


@dataclass(frozen=True)
class Header:
    """What an npy header says.

    Parameters
    ----------
    shape : tuple of int
    fortran : bool
    dtype : dtype
    offset : int
        Bytes before the first number.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    offset: int


def numpy_movies(
    path: Path, key: str, header: Header, facts: Mapping[str, Any], options: ReadOptions
) -> tuple[Movie, ...]:
    """Movies of an array; `key` names it within an archive, "" is an ``.npy`` file.

    Raises
    ------
    BadMetadataError, CorruptSourceError
        Axes that are not those of a movie in C order; a damaged archive.
    """
    if header.fortran:
        raise BadMetadataError(
            f"the movie in {path.name} in C order, frame after frame",
            "Fortran order",
            "Save it through np.ascontiguousarray.",
        )
    stored = _stored(path, f"{key}.npy", header) if key else 0

    def reader(axes: str, channel: int) -> FrameReader:
        if axes not in ("tyx", "tzyx", "tcyx", "yx", "zyx"):
            raise BadMetadataError(
                f"the axes (t, y, x) or (t, z, y, x) in {path.name}", axes, "Transpose the array."
            )
        sizes = dict(zip(axes, header.shape, strict=True))
        shape = (sizes.get("z", sizes.get("c", 1)), sizes["y"], sizes["x"])
        frames: FrameReader
        if stored is None:
            frames = NpzFrames(str(path), f"{key}.npy", header.offset, header.dtype.str, shape)
        else:
            parts = ((str(path), stored + header.offset),)
            frames = PlainFrames(parts, header.dtype.str, shape)
        return PlaneReader(frames, channel) if "c" in axes else frames

    return array_movies(path.name, header.shape, facts, options, reader)


def _stored(path: Path, member: str, header: Header) -> int | None:
    """Where a member lies in an archive that did not compress it; None where it did."""
    expected = header.offset + math.prod(header.shape) * header.dtype.itemsize
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            info = archive.getinfo(member)
            if info.file_size != expected:
                raise EOFError(f"{info.file_size} of {expected} bytes of {member}")
            if info.compress_type != zipfile.ZIP_STORED:
                return None
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
    except Exception as error:
        raise damaged(str(path), error) from error
    return int(info.header_offset + 30 + name + extra)
