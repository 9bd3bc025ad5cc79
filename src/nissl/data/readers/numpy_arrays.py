"""NumPy arrays: ``.npy``, and ``.npz`` with the samples, their rate and more.

Names in an npz are matched without regard to case::

    samples    data, samples, traces, recording, signal, raw, ephys, x (or the only array); with
               _uv at the end in uV
    rate       rate_hz, rate, fs, sampling_rate, sampling_frequency, sample_rate, srate, sfreq
               in Hz; with _hz or _khz at the end in that unit
    gain       gain_uv, gain_to_uv, scale_uv, uv_per_bit, lsb_uv
    names      channel_ids, channel_names, ch_names, channels, ch
    positions  position_um, channel_positions_um, channel_locations_um

An array of three or four dimensions is a movie (see `nissl.data.array_movies`), unless channels
are named beside it. Of one or two the longer axis is time, unless ``n_channels`` says which; a
square array is ambiguous. Without a gain samples are taken as uV, and the stream's metadata say
so ("gain_assumed"). A stream whose names are all known and hold an EEG electrode (see
`nissl.data.electrodes`) is EEG. Arrays of Python objects are refused: reading them would run
code from the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data.array_movies import FACTS, MOVIES
from nissl.data.arrays import NpzReader, damaged
from nissl.data.channels import ChannelTable
from nissl.data.electrodes import kind_by_names
from nissl.data.files import FilePart, FramesReader, PlanesReader
from nissl.data.numpy_movies import Header, numpy_movies
from nissl.data.readers import Opened, ReadOptions
from nissl.data.signal import SampleReader, Signal
from nissl.errors import BadMetadataError, CorruptSourceError

_SAMPLES = ("data", "samples", "traces", "recording", "signal", "raw", "ephys", "x")
SAMPLES = (*_SAMPLES, *(f"{name}_uv" for name in _SAMPLES))
RATES = ("rate", "fs", "sampling_rate", "sampling_frequency", "sample_rate", "srate", "sfreq")
GAINS = ("gain_uv", "gain_to_uv", "scale_uv", "uv_per_bit", "lsb_uv")
NAMES = ("channel_ids", "channel_names", "ch_names", "channels", "ch")
POSITIONS = ("position_um", "channel_positions_um", "channel_locations_um")
LEAST_PLAUSIBLE_HZ = 100.0
"""A rate without a unit below this could as well be kHz."""


class NumpyReader:
    """Reads ``.npy`` and movies piecewise, the samples of an ``.npz`` when first asked for."""

    name = "numpy"
    takes = frozenset({"rate_hz", "n_channels", "gain_uv"})

    def matches(self, path: Path) -> bool:
        """Whether the suffix is .npy or .npz."""
        return path.is_file() and path.suffix.lower() in (".npy", ".npz")

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open one array as one stream, named "signal", or as a movie."""
        packed = path.suffix.lower() == ".npz"
        key, header, facts = _npz(path) if packed else ("", _npy(path), {})
        if len(header.shape) > 2 and not any(name in facts for name in NAMES):
            return Opened((), (path,), movies=numpy_movies(path, key, header, facts, options))
        first = channels_first(header.shape, options.n_channels)
        reader = _plain_reader(path, header, first)
        if packed:
            reader = NpzReader(str(path), key, header.dtype.str, first)
        if key.lower().endswith("_uv"):
            facts = {GAINS[0]: 1.0, **facts}
        n_samples, n_channels = _extent(header.shape, first)
        table, metadata = describe_channels(n_channels, facts, options)
        rate_hz = find_rate(facts, options, path.name)
        clock = Clock.regular(rate_hz, n_samples)
        return Opened((Signal("signal", reader, table, clock, metadata),), (path,))


def channels_first(shape: tuple[int, ...], n_channels: int | None) -> bool:
    """Whether the first axis of an array is that of the channels.

    Raises
    ------
    BadMetadataError
        Not one or two axes; a square array; neither axis has `n_channels`.
    """
    if len(shape) == 1:
        shape = (shape[0], 1)
    if len(shape) != 2:
        raise BadMetadataError(
            "an array of shape (n_samples, n_channels)", f"shape {shape}", "Reshape the array."
        )
    if n_channels is not None and n_channels not in shape:
        raise BadMetadataError(
            f"an axis of {n_channels} channels", f"shape {shape}", "Check --channels."
        )
    if n_channels is not None and shape[0] != shape[1]:
        return shape[0] == n_channels
    if shape[0] == shape[1] and shape[0] > 1:
        raise BadMetadataError(
            "axes of different length, the longer of which is time",
            f"shape {shape}",
            "Save more samples than channels; which axis is time cannot be told here.",
        )
    return shape[0] < shape[1]


def describe_channels(
    n_channels: int, facts: Mapping[str, Any], options: ReadOptions
) -> tuple[ChannelTable, dict[str, Any]]:
    """Channel table from named facts and options, and metadata that say what was assumed."""
    gain = options.gain_uv if options.gain_uv is not None else _first(facts, GAINS)
    names = _first(facts, NAMES)
    ids: Any = n_channels
    if names is not None and np.ndim(names) <= 1 and np.size(names) == n_channels:
        ids = [str(name) for name in np.atleast_1d(names).tolist()]
    try:
        gains = np.broadcast_to(np.asarray(1.0 if gain is None else gain, float), (n_channels,))
    except (TypeError, ValueError) as error:
        raise BadMetadataError(
            f"one gain, or {n_channels}", f"{np.shape(gain)}", "Mend the gain in the file."
        ) from error
    kind = "ephys" if isinstance(ids, int) else kind_by_names(ids, "ephys")
    table = ChannelTable.plain(ids, gain_uv=gains, position_um=_first(facts, POSITIONS), kind=kind)
    return table, {"gain_assumed": True} if gain is None else {}


def find_rate(facts: Mapping[str, Any], options: ReadOptions, name: str) -> float:
    """Sampling rate in Hz from an option, or from named facts that agree with each other.

    Raises
    ------
    BadMetadataError
        None is there; several differ; one without a unit could be kHz.
    """
    found: dict[str, float] = {}
    for key in RATES:
        for unit, factor in (("", 1.0), ("_hz", 1.0), ("_khz", 1000.0)):
            value = facts.get(key + unit)
            if value is not None and np.size(value) == 1:
                found[key + unit] = _as_float(value, key + unit) * factor
    if options.rate_hz is not None:
        given = options.rate_hz
        # a rate given in agreement with the file, or that settles an ambiguous one
        if any(not _same(given, v) and not _same(given, v * 1000) for v in found.values()):
            raise _ambiguous(f"one rate, {given} Hz", f"{found} in {name}")
        return given
    if not found:
        raise _ambiguous("the sampling rate", f"nothing in {name} that says it")
    rates = list(found.values())
    if not all(_same(rates[0], value) for value in rates):
        raise _ambiguous("one sampling rate", f"{found} in {name}")
    if 0 < rates[0] < LEAST_PLAUSIBLE_HZ and not any(key.endswith("hz") for key in found):
        raise _ambiguous("a sampling rate with its unit", f"{found} in {name}, Hz or kHz")
    return rates[0]


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def _as_float(value: Any, name: str) -> float:
    try:
        return float(np.asarray(value).reshape(-1)[0])
    except (TypeError, ValueError) as error:
        raise BadMetadataError(
            f"{name} as a number", repr(value)[:80], "Give the rate with --rate."
        ) from error


def _ambiguous(expected: str, got: str) -> BadMetadataError:
    return BadMetadataError(expected, got, "Give the rate in Hz with --rate.")


def _first(facts: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((facts[name] for name in names if facts.get(name) is not None), None)


def _extent(shape: tuple[int, ...], first: bool) -> tuple[int, int]:
    n, m = (shape[0], 1) if len(shape) == 1 else shape
    return (m, n) if first else (n, m)


def _header(file: Any) -> Header:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    return Header(shape, fortran, dtype, file.tell())


def _npy(path: Path) -> Header:
    try:
        with path.open("rb") as file:
            header = _header(file)
    except Exception as error:
        raise damaged(str(path), error) from error
    _check_numbers(header, path.name)
    size = path.stat().st_size - header.offset
    expected = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    if size != expected:
        raise CorruptSourceError(
            f"{expected} bytes of samples in {path.name}, as its header says",
            f"{size}",
            "The file is truncated; restore it from the original.",
        )
    return header


def _plain_reader(path: Path, header: Header, first: bool) -> SampleReader:
    n_samples, n_channels = _extent(header.shape, first)
    flat = len(header.shape) == 1
    if not flat and first != header.fortran:  # each channel's samples lie together
        return PlanesReader(str(path), header.offset, header.dtype.str, n_samples)
    part = FilePart(str(path), header.offset, n_samples)
    return FramesReader((part,), header.dtype.str, n_channels)


def _npz(path: Path) -> tuple[str, Header, dict[str, Any]]:
    """Name and header of the samples, and the small arrays by lower-case name."""
    headers: dict[str, Header] = {}
    facts: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".npy"):
                    with archive.open(member) as file:
                        headers[member[:-4]] = _header(file)
        wanted = {*GAINS, *NAMES, *POSITIONS, *FACTS}
        wanted |= {rate + unit for rate in RATES for unit in ("", "_hz", "_khz")}
        with np.load(path, allow_pickle=False) as archive:
            for key, header in headers.items():
                if key.lower() in wanted and header.dtype.kind in "iufU":
                    facts[key.lower()] = archive[key]
    except Exception as error:
        raise damaged(str(path), error) from error
    key = _samples_key({k: h for k, h in headers.items() if k.lower() not in facts}, path)
    _check_numbers(headers[key], f"{key!r} of {path.name}")
    return key, headers[key], facts


def _samples_key(headers: Mapping[str, Header], path: Path) -> str:
    named = [key for key in headers if key.lower() in (*SAMPLES, *MOVIES)]
    likely = [k for k, h in headers.items() if 1 <= len(h.shape) <= 2 and h.dtype.kind in "iuf"]
    likely = [k for k, h in headers.items() if len(h.shape) > 2] or likely
    for candidates in (named, likely):
        if len(candidates) == 1:
            return candidates[0]
    raise BadMetadataError(
        f"one array of samples in {path.name}, named one of {list(SAMPLES)}",
        f"the arrays {sorted(headers)}",
        "Save the samples under the name 'data'.",
    )


def _check_numbers(header: Header, name: str) -> None:
    if header.dtype.kind not in "iuf":
        raise BadMetadataError(
            f"real numbers in {name}", f"the type {header.dtype}", "Save it as int16 or float32."
        )


READER = NumpyReader()
