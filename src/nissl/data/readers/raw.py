"""Raw binary: frames of numbers without a header.

What the file does not say is given as options, or stands in a JSON file beside it, named like
it with ".json" added or in place of its suffix::

    {"rate_hz": 30000, "n_channels": 4, "dtype": "int16", "gain_uv": 0.195,
     "offset_uv": 0.0, "channel_ids": ["A", "B", "C", "D"], "header_bytes": 0,
     "probe": "tetrode.json", "kind": "ephys"}

``segments`` is a list of ``[first sample, seconds]`` where samples were lost on the way, as
`nissl live` writes it. ``probe`` is a path from there, or the probeinterface description itself;
a probeinterface file of the recording's own name is taken as its probe. An option that
contradicts the JSON file is an error, not a preference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data.channels import ChannelTable
from nissl.data.files import FilePart, FramesReader, whole_frames
from nissl.data.probes import Geometry, parse_probe, read_probe
from nissl.data.readers import Opened, ReadOptions
from nissl.data.signal import Signal
from nissl.errors import BadMetadataError, CorruptSourceError, InputError

SUFFIXES = frozenset({".bin", ".dat", ".raw"})
_SAID = {"rate_hz": "--rate", "n_channels": "--channels", "gain_uv": "--gain-uv"}


class RawReader:
    """Reads ``.bin``, ``.dat`` and ``.raw``; the dtype is int16 (little-endian) by default."""

    name = "raw"
    takes = frozenset({"rate_hz", "n_channels", "dtype", "gain_uv"})

    def matches(self, path: Path) -> bool:
        """Whether the suffix is one of raw files."""
        return path.is_file() and path.suffix.lower() in SUFFIXES

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open one file as one stream, named "raw"."""
        facts = _merge(read_sidecar(path), options)
        geometry = _geometry(path, facts, options)
        dtype = _dtype(facts.get("dtype", "int16"))
        n_channels = _channel_count(facts, geometry, options)
        rate_hz = _number(facts, "rate_hz", path)
        gain = facts.get("gain_uv", 1.0 if dtype.kind == "f" else None)
        if gain is None:
            raise _missing("gain_uv", path)
        table = ChannelTable.plain(
            [str(i) for i in facts.get("channel_ids", range(n_channels))],
            gain_uv=gain,
            offset_uv=facts.get("offset_uv", 0.0),
            kind=str(facts.get("kind", "ephys")),
        )
        if len(table) != n_channels:
            raise BadMetadataError(
                f"{n_channels} channel_ids", f"{len(table)}", "Mend the JSON file beside the data."
            )
        if geometry is not None:
            table = geometry.onto(table)
        offset = int(facts.get("header_bytes", 0))
        n_frames = whole_frames(path, n_channels * dtype.itemsize, offset=offset)
        reader = FramesReader((FilePart(str(path), offset, n_frames),), dtype.str, n_channels)
        signal = Signal("raw", reader, table, _clock(facts, rate_hz, n_frames))
        return Opened((signal,), (path,))


def _clock(facts: Mapping[str, Any], rate_hz: float, n_frames: int) -> Clock:
    """One segment, or those that the JSON file states; of these, none is empty."""
    try:
        stated = [(int(a), float(t)) for a, t in facts.get("segments", [(0, 0.0)])]
    except (TypeError, ValueError):
        raise BadMetadataError(
            "segments as [[first sample, seconds], ...]",
            f"{facts['segments']!r:.80}",
            "Mend the JSON file beside the data.",
        ) from None
    begun = [(a, t) for a, t in stated if a < max(n_frames, 1)]
    edges = [*(a for a, _ in begun), n_frames]
    lengths = [b - a for a, b in pairwise(edges)]
    if not begun or begun[0][0] != 0 or min(lengths) < 0:
        raise BadMetadataError(
            "segments from sample 0 on, in order", f"{stated[:4]}", "Mend the JSON file."
        )
    return Clock.from_segments(rate_hz, lengths, [t for _, t in begun])


def read_sidecar(path: Path) -> dict[str, Any]:
    """Facts from the JSON file beside a raw file; empty where there is none."""
    for candidate in (path.with_name(path.name + ".json"), path.with_suffix(".json")):
        if candidate.is_file():
            try:
                value = json.loads(candidate.read_bytes())
            except (ValueError, RecursionError) as error:
                raise CorruptSourceError(
                    f"JSON in {candidate.name}", "something else", "Mend or remove that file."
                ) from error
            if not isinstance(value, dict):
                raise CorruptSourceError(
                    f"an object in {candidate.name}", type(value).__name__, "Mend that file."
                )
            return {"probe": value} if value.get("specification") == "probeinterface" else value
    return {}


def _merge(sidecar: Mapping[str, Any], options: ReadOptions) -> dict[str, Any]:
    facts = {k: v for k, v in sidecar.items() if v is not None}
    for name in ("rate_hz", "n_channels", "dtype", "gain_uv"):
        given = getattr(options, name)
        if given is None:
            continue
        if name in facts and facts[name] != given:
            raise BadMetadataError(
                f"{name} = {facts[name]}, as the JSON file beside the data says",
                f"{given}",
                "Mend the JSON file, or leave the option out.",
            )
        facts[name] = given
    return facts


def _geometry(path: Path, facts: Mapping[str, Any], options: ReadOptions) -> Geometry | None:
    if options.probe is not None:
        return read_probe(options.probe)
    probe = facts.get("probe")
    if probe is None:
        return None
    return read_probe(path.parent / probe) if isinstance(probe, str) else parse_probe(probe)


def _dtype(name: Any) -> np.dtype[Any]:
    try:
        dtype = np.dtype(str(name))
    except (TypeError, ValueError, SyntaxError) as error:
        raise _bad_dtype(name) from error
    if dtype.kind not in "iuf":
        raise _bad_dtype(name)
    return dtype.newbyteorder("<") if dtype.byteorder == "=" else dtype


def _bad_dtype(name: Any) -> InputError:
    return BadMetadataError(
        "a type of real numbers such as int16 or float32", repr(name), "Give it with --dtype."
    )


def _channel_count(
    facts: Mapping[str, Any], geometry: Geometry | None, options: ReadOptions
) -> int:
    if "n_channels" not in facts and geometry is not None:
        return len(geometry)
    count = facts.get("n_channels")
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise BadMetadataError(
            "the number of channels",
            repr(count) if count is not None else "nothing that says it",
            "Give it with --channels, or give a --probe.",
        )
    return count


def _number(facts: Mapping[str, Any], name: str, path: Path) -> float:
    value = facts.get(name)
    if value is None:
        raise _missing(name, path)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise BadMetadataError(f"{name} as a number", repr(value), "Mend the JSON file.") from error


def _missing(name: str, path: Path) -> BadMetadataError:
    return BadMetadataError(
        f"{name} of {path.name}, which raw files do not state",
        "nothing that says it",
        f"Give it with {_SAID[name]}, or in {path.name}.json beside the file.",
    )


READER = RawReader()
