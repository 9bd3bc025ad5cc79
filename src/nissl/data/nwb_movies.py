"""Movies of NWB files: every TwoPhotonSeries and OnePhotonSeries.

The format lays frames out as ``(t, x, y)``, volumes as ``(t, x, y, z)``; they are turned to
``(t, z, y, x)``. Series whose frames lie in files of their own are named in a note.
Source: NWB schema 2.x, ImageSeries and ImagingPlane.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data.array_frames import ArrayFrames
from nissl.data.frame_clock import frame_clock
from nissl.data.movie import Movie
from nissl.data.readers import ReadOptions
from nissl.errors import BadMetadataError

SERIES = ("TwoPhotonSeries", "OnePhotonSeries")
_UNITS = {"meters": 1e6, "meter": 1e6, "m": 1e6, "micrometers": 1.0, "micrometer": 1.0, "um": 1.0}
_UNITS |= {"millimeters": 1e3, "millimeter": 1e3, "mm": 1e3, "microns": 1.0, "micron": 1.0}


def nwb_movies(
    path: Path, file: Any, options: ReadOptions
) -> tuple[tuple[Movie, ...], tuple[str, ...]]:
    """Movies of an open file, and sentences on series that are not in it.

    Raises
    ------
    BadMetadataError
        A series of another form, or without a frame rate.
    """
    places = _places(file)
    last = [place.rsplit("/", 1)[-1] for place in places]
    movies, notes = [], []
    for place, short in zip(places, last, strict=True):
        group = file[place]
        name = short if last.count(short) == 1 else place
        if "data" not in group or 0 in group["data"].shape:
            notes.append(f"The frames of {name} lie in other files; open those.")
            continue
        movies.append(_movie(path, name, group, options))
    return tuple(movies), tuple(notes)


def _places(file: Any) -> list[str]:
    import h5py

    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        inside = name.startswith(("acquisition", "processing", "stimulus"))
        if inside and isinstance(item, h5py.Group):
            kind = item.attrs.get("neurodata_type")
            kind = kind.decode("utf-8", "replace") if isinstance(kind, bytes) else kind
            if kind in SERIES:
                found.append(name)

    file.visititems(visit)
    return found


def _movie(path: Path, name: str, group: Any, options: ReadOptions) -> Movie:
    data = group["data"]
    if data.dtype.kind not in "iuf" or data.ndim not in (3, 4):
        raise BadMetadataError(
            f"real numbers of shape (t, x, y) or (t, x, y, z) in {name!r}",
            f"{data.dtype} of shape {data.shape}",
            "Check how the file was written.",
        )
    axes = "txyz"[: data.ndim]
    sizes = dict(zip(axes, (int(n) for n in data.shape), strict=True))
    frames = ArrayFrames(str(path), "hdf5", data.name, data.dtype.newbyteorder("=").str, axes)
    plane = group.get("imaging_plane")
    shape = (sizes.get("z", 1), sizes["y"], sizes["x"])
    clock = _clock(path, group, plane, sizes["t"], options)
    return Movie(name, frames, shape, clock, _spacing_um(plane))


def _clock(path: Path, group: Any, plane: Any, n_frames: int, options: ReadOptions) -> Clock:
    stated, start, stamps = None, 0.0, None
    if "timestamps" in group:
        stamps = np.asarray(group["timestamps"][()], np.float64)
        if n_frames > 1 and (stamps.size != n_frames or not np.all(np.diff(stamps) > 0)):
            raise BadMetadataError(
                f"{n_frames} increasing time stamps of {group.name}",
                f"{stamps.size}, in disorder or too few",
                "Check the device's time stamps; nissl does not reorder them.",
            )
    elif "starting_time" in group:
        stated = _number(group["starting_time"].attrs.get("rate"))
        start = _number(group["starting_time"][()]) or 0.0
    elif plane is not None and "imaging_rate" in plane:
        stated = _number(plane["imaging_rate"][()])
    clock, _ = frame_clock(
        path.name, n_frames, stated_hz=stated, given_hz=options.rate_hz, stamps_s=stamps
    )
    return clock if stamps is not None else Clock.regular(clock.rate_hz, n_frames, start)


def _spacing_um(plane: Any) -> tuple[float, float, float] | None:
    """Spacing of z, y and x; the file has x, y and perhaps z."""
    if plane is None or "grid_spacing" not in plane:
        return None
    spacing = plane["grid_spacing"]
    unit = spacing.attrs.get("unit", "meters")
    unit = unit.decode("utf-8", "replace") if isinstance(unit, bytes) else str(unit)
    factor = _UNITS.get(unit.lower(), math.nan)
    sizes = [v * factor for v in np.atleast_1d(np.asarray(spacing[()], np.float64)).tolist()]
    if len(sizes) not in (2, 3) or not all(math.isfinite(v) and v > 0 for v in sizes):
        return None
    return (sizes[2] if len(sizes) == 3 else sizes[0], sizes[1], sizes[0])


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
