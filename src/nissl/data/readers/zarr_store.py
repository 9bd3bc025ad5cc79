"""Zarr folders (version 2): a recording that SpikeInterface saved, or plain arrays.

A plain array, or the only array of a group (or the one named data, traces, ...), is one stream;
its attributes are searched for rate, gain and names as those of an npz are (see
`nissl.data.readers.numpy_arrays`). An array of three dimensions or more is a movie (see
`nissl.data.array_movies`), and so is the finest image of an OME-Zarr folder (version 0.4). Arrays
that would be unpickled are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data.array_frames import ArrayFrames
from nissl.data.array_movies import MOVIES, array_movies
from nissl.data.arrays import ZarrReader
from nissl.data.movie import Movie
from nissl.data.readers import Opened, ReadOptions
from nissl.data.readers.numpy_arrays import (
    SAMPLES,
    channels_first,
    describe_channels,
    find_rate,
)
from nissl.data.readers.si_common import PROPERTIES, channel_table, clock_of_segments
from nissl.data.signal import Signal
from nissl.errors import BadMetadataError, UnknownFormatError

_MARKS = (".zarray", ".zgroup", ".zmetadata")


class ZarrStoreReader:
    """Reads folders with a .zarray or .zgroup."""

    name = "zarr"
    takes = frozenset({"rate_hz", "n_channels", "gain_uv"})

    def matches(self, path: Path) -> bool:
        """Whether the folder is a Zarr store."""
        return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the store as one stream, named "signal", or as a movie."""
        import zarr

        store = zarr.open(str(path), mode="r")
        files = tuple(sorted(p for p in path.rglob("*") if p.is_file()))
        if isinstance(store, zarr.Group) and "traces_seg0" in store:
            return Opened((_saved(path, store, options),), files)
        if isinstance(store, zarr.Group) and ".specloc" in store.attrs:
            raise UnknownFormatError(
                "a recording in Zarr", "an NWB file in Zarr", "Convert it to HDF5 (.nwb) first."
            )
        pyramid = _multiscales(store.attrs)
        name = pyramid.get("name") or (
            _array_name(store, path) if isinstance(store, zarr.Group) else ""
        )
        array = _numbers(store[name] if name else store, name or path.name)
        facts = {str(k).lower(): v for k, v in {**store.attrs, **array.attrs}.items()}
        if array.ndim > 2:
            facts |= pyramid
            return Opened((), files, movies=_movies(path, name, array, facts, options))
        first = channels_first(array.shape, options.n_channels)
        n_samples, n_channels = array.shape[::-1] if first else (*array.shape, 1)[:2]
        reader = ZarrReader(str(path), (name,), (n_samples,), array.dtype.str, first)
        table, metadata = describe_channels(n_channels, facts, options)
        clock = Clock.regular(find_rate(facts, options, path.name), n_samples)
        return Opened((Signal("signal", reader, table, clock, metadata),), files)


def _saved(path: Path, store: Any, options: ReadOptions) -> Signal:
    """Signal of a recording that SpikeInterface saved."""
    attributes: Mapping[str, Any] = store.attrs
    rate_hz = float(attributes["sampling_frequency"])
    if options.rate_hz not in (None, rate_hz):
        raise BadMetadataError(
            f"{rate_hz} Hz, as the store says", f"{options.rate_hz}", "Leave the option out."
        )
    names = tuple(f"traces_seg{i}" for i in range(int(attributes["num_segments"])))
    arrays = [_numbers(store[name], name) for name in names]
    lengths = tuple(int(array.shape[0]) for array in arrays)
    inside = store.get("properties", {})
    properties = {key: _numbers(inside[key], key)[:] for key in PROPERTIES if key in inside}
    ids = _numbers(store["channel_ids"], "channel_ids", kinds="iufU")[:]
    if any(array.ndim != 2 or array.shape[1] != len(ids) for array in arrays):
        raise BadMetadataError(
            f"{len(ids)} channels in every segment",
            f"arrays of shape {[array.shape for array in arrays]}",
            "Save the recording again with SpikeInterface.",
        )
    probe = attributes.get("probegroup") or attributes.get("probe")
    table, metadata = channel_table(list(ids), properties, probe, options)
    starts = list(_numbers(store["t_starts"], "t_starts")[:]) if "t_starts" in store else None
    times = [
        np.asarray(_numbers(store[key], key)[:]) if key in store else None
        for key in (f"times_seg{i}" for i in range(len(names)))
    ]
    clock = clock_of_segments(rate_hz, lengths, starts or [None] * len(names), times)
    reader = ZarrReader(str(path), names, lengths, arrays[0].dtype.str)
    return Signal("signal", reader, table, clock, metadata)


def _movies(
    path: Path, name: str, array: Any, facts: Mapping[str, Any], options: ReadOptions
) -> tuple[Movie, ...]:
    sample_type = array.dtype.newbyteorder("=").str

    def reader(axes: str, channel: int) -> ArrayFrames:
        return ArrayFrames(str(path), "zarr", name, sample_type, axes, channel)

    return array_movies(path.name, array.shape, facts, options, reader)


def _multiscales(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Name, axes and scale of the finest image of an OME-Zarr folder; {} for others."""
    try:
        image = attributes["multiscales"][0]
        finest = image["datasets"][0]
        axes = [axis["name"] for axis in image["axes"]]
        units = {axis["name"]: axis.get("unit") for axis in image["axes"]}
        steps = {}
        for transform in finest.get("coordinateTransformations", ()):
            if transform.get("type") == "scale":
                steps = dict(zip(axes, map(float, transform["scale"]), strict=True))
    except (KeyError, IndexError, TypeError, ValueError):
        return {}
    found: dict[str, Any] = {"name": str(finest["path"]), "axes": axes}
    space = [axis for axis in "zyx" if axis in steps and units.get(axis) == "micrometer"]
    if space[-2:] == ["y", "x"]:
        found["spacing_um"] = [steps[axis] for axis in space]
    if units.get("t") == "second" and steps.get("t", 0) > 0:
        found["frame_rate"] = 1 / steps["t"]
    return found


def _array_name(group: Any, path: Path) -> str:
    arrays = {name: array for name, array in group.arrays() if array.ndim > 0}
    movies = {name: array for name, array in arrays.items() if array.ndim > 2}
    arrays = movies or arrays
    if not arrays:
        raise UnknownFormatError(
            f"an array of samples in {path.name}",
            f"only {sorted(str(key) for key in group)}",
            "Give the folder of the recording itself.",
        )
    named = [name for name in arrays if name.lower() in (*SAMPLES, *MOVIES)]
    for candidates in (named, list(arrays)):
        if len(candidates) == 1:
            return str(candidates[0])
    raise BadMetadataError(
        f"one array of samples in {path.name}, named one of {list(SAMPLES)}",
        f"the arrays {sorted(arrays)}",
        "Give the folder of the array itself.",
    )


def _numbers(array: Any, name: str, *, kinds: str = "iuf") -> Any:
    """Return an array of numbers; objects and codecs that unpickle are refused."""
    codecs = [array.compressor, *(array.filters or [])]
    if array.dtype.kind not in kinds or any(
        getattr(codec, "codec_id", "") == "pickle" for codec in codecs
    ):
        raise BadMetadataError(
            f"real numbers in {name!r}",
            f"the type {array.dtype} through {[getattr(c, 'codec_id', None) for c in codecs]}",
            "Save it as int16 or float32.",
        )
    return array


READER = ZarrStoreReader()
