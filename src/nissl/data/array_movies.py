"""Movies in arrays: which axis is which, and what named facts beside an array say.

Names are matched without regard to case::

    movie      movie, mov, frames, stack, video, images, and those of samples (or the only array)
    rate       frame_rate, framerate, fps, volume_rate, imaging_rate, and those of samples; in Hz
    times      timestamps, timestamps_s, times_s, frame_times, frame_times_s: seconds, a frame each
    spacing    spacing_um, voxel_size_um, pixel_size_um: micrometres of z, y, x, of y, x, or of both
    axes       axes, dims, axis_order, dimension_order, _array_dimensions: "tzcyx" or their names

Without axes three are ``(t, y, x)`` and four ``(t, z, y, x)``, or ``(t, c, y, x)`` where
``n_channels`` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nissl.data.frame_clock import frame_clock
from nissl.data.movie import FrameReader, Movie
from nissl.data.readers import ReadOptions
from nissl.errors import BadMetadataError

MOVIES = ("movie", "mov", "frames", "stack", "video", "images")
_OF_MOVIES = ("frame_rate", "framerate", "fps", "volume_rate", "imaging_rate")
_OF_SAMPLES = ("rate", "fs", "sampling_rate", "sampling_frequency", "sample_rate", "sfreq")
_RATES = (*_OF_MOVIES, *_OF_SAMPLES)
RATES = (*_RATES, *(f"{name}_hz" for name in _RATES))
TIMES = ("timestamps", "timestamps_s", "times_s", "frame_times", "frame_times_s")
SPACINGS = ("spacing_um", "voxel_size_um", "pixel_size_um")
AXES = ("axes", "dims", "axis_order", "dimension_order", "_array_dimensions")
FACTS = (*RATES, *TIMES, *SPACINGS, *AXES)
_LETTERS = {"t": "t", "time": "t", "frame": "t", "frames": "t", "z": "z", "depth": "z"}
_LETTERS |= {"plane": "z", "planes": "z", "slice": "z", "c": "c", "channel": "c", "channels": "c"}
_LETTERS |= {"y": "y", "row": "y", "rows": "y", "height": "y", "x": "x", "column": "x"}
_LETTERS |= {"columns": "x", "col": "x", "cols": "x", "width": "x"}


def array_movies(
    name: str,
    shape: Sequence[int],
    facts: Mapping[str, Any],
    options: ReadOptions,
    reader: Callable[[str, int], FrameReader],
    *,
    movie: str = "movie",
) -> tuple[Movie, ...]:
    """Movies of an array, one for each channel.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    shape : sequence of int
    facts : mapping
        By lower-case name.
    options : ReadOptions
    reader : callable
        Gives the frames of an array with some axes (see `ArrayFrames`), of one channel.
    movie : str
        Name of the movie, where there is one.

    Raises
    ------
    BadMetadataError
        Axes that do not fit, no frame rate, or a gain, which movies do not have.
    """
    if options.gain_uv is not None:
        raise BadMetadataError(
            f"no gain in uV for the movie in {name}", f"{options.gain_uv}", "Leave --gain-uv out."
        )
    axes = _axes(name, shape, facts, options)
    sizes = dict(zip(axes, (int(n) for n in shape), strict=True))
    n_frames = sizes.get("t", 1)
    clock, _ = frame_clock(
        name,
        n_frames,
        stated_hz=stated_rate(name, facts),
        given_hz=options.rate_hz,
        stamps_s=_times(facts, n_frames),
    )
    extent = (sizes.get("z", 1), sizes["y"], sizes["x"])
    n_channels = sizes.get("c", 1)
    prefix = "" if movie == "movie" else f"{movie}."
    names = [f"{prefix}channel{k}" for k in range(n_channels)] if n_channels > 1 else [movie]
    spacing = spacing_um(facts, n_planes=extent[0])
    return tuple(
        Movie(each, reader(axes, channel), extent, clock, spacing)
        for channel, each in enumerate(names)
    )


def _axes(name: str, shape: Sequence[int], facts: Mapping[str, Any], options: ReadOptions) -> str:
    said = next((facts[key] for key in AXES if facts.get(key) is not None), None)
    if said is None:
        axes = {3: "tyx", 4: "tzyx"}.get(len(shape), "")
        if options.n_channels not in (None, 1):
            axes = "tcyx" if len(shape) == 4 and shape[1] == options.n_channels else ""
    else:
        if isinstance(said, np.ndarray):
            said = said.tolist()
        words = list(said) if isinstance(said, str | list | tuple) else []
        axes = "".join(_LETTERS.get(_text(word).lower(), "?") for word in words)
    fits = len(axes) == len(shape) == len(set(axes)) and {"y", "x"} <= set(axes) <= set("tzcyx")
    if not fits or min(shape) < 1:
        raise BadMetadataError(
            f"a movie (t, y, x) or (t, z, y, x) in {name}, or axes among t, z, c, y and x",
            f"shape {tuple(shape)}{f', axes {said}' if said is not None else ''}",
            "Reshape it, mend its axes, or give --channels.",
        )
    return axes


def _text(word: Any) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)


def stated_rate(name: str, facts: Mapping[str, Any]) -> float | None:
    """Frame rate in Hz that facts state; those that do must agree."""
    found = {}
    for key in RATES:
        value = facts.get(key)
        if value is not None and np.size(value) == 1:
            try:
                found[key] = float(np.asarray(value).reshape(-1)[0])
            except (TypeError, ValueError):
                continue
    rates = list(found.values())
    if any(abs(rate - rates[0]) > 1e-6 * abs(rates[0]) for rate in rates):
        raise BadMetadataError(f"one frame rate in {name}", f"{found}", "Mend the file.")
    return rates[0] if rates else None


def _times(facts: Mapping[str, Any], n_frames: int) -> Any:
    for key in TIMES:
        value = facts.get(key)
        if value is not None and np.size(value) == n_frames and np.ndim(value) == 1:
            try:
                return np.asarray(value, dtype=np.float64)
            except (TypeError, ValueError):
                continue
    return None


def spacing_um(facts: Mapping[str, Any], *, n_planes: int = 1) -> tuple[float, float, float] | None:
    """Size of a voxel along z, y and x; one value stands for y and x.

    None where the distance of several planes is not among them: it is asked for, not assumed.
    """
    value = next((facts[key] for key in SPACINGS if facts.get(key) is not None), None)
    try:
        sizes = [float(v) for v in np.atleast_1d(np.asarray(value, dtype=np.float64))]
    except (TypeError, ValueError):
        return None
    if not sizes or len(sizes) > 3 or not all(math.isfinite(v) and v > 0 for v in sizes):
        return None
    if len(sizes) < 3 and n_planes > 1:
        return None
    y, x = (sizes * 2)[-2:]
    return (sizes[0] if len(sizes) == 3 else x, y, x)
