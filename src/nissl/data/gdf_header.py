"""The header of a GDF file held against its size, before MNE believes whatever it says."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np

from nissl.errors import CorruptSourceError

_GDF_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 16: 4, 17: 8}
"""Bytes of a sample by the code of its type."""


def check_gdf(path: Path) -> None:
    """Raise `CorruptSourceError` where header and size of a GDF file contradict each other."""
    with path.open("rb") as file:
        head = file.read(256)
        size = path.stat().st_size
        if len(head) < 256 or not re.fullmatch(rb"GDF [12]\.\d\d", head[:8]):
            raise _bad_gdf(path, f"{head[:8]!r} at its start")
        old = head[4:5] == b"1"
        n_records, numerator, denominator = struct.unpack("<qII", head[236:252])
        n = struct.unpack("<I", head[252:256])[0] if old else struct.unpack("<H", head[252:254])[0]
        if old:
            header_bytes = struct.unpack("<q", head[184:192])[0]
        else:
            header_bytes = 256 * struct.unpack("<H", head[184:186])[0]
        least = 256 * (n + 1)
        if (
            not 1 <= n <= 9999
            or not least <= header_bytes <= size
            or (old and header_bytes > least)
        ):
            raise _bad_gdf(path, f"{n} channels, a header of {header_bytes} bytes, {size} in all")
        file.seek(256 + 216 * n)
        counts = np.frombuffer(file.read(4 * n), "<u4").astype(np.int64)
        kinds = np.frombuffer(file.read(4 * n), "<u4")
    sizes = [_GDF_BYTES.get(int(kind), 0) for kind in kinds]
    record_bytes = int(np.sum(counts * sizes))
    if min(sizes) == 0 or counts.min() < 1 or not numerator or not denominator:
        raise _bad_gdf(path, "types, counts or durations that cannot be")
    after = size - header_bytes - n_records * record_bytes
    if n_records < 1 or after < 0:
        raise _bad_gdf(path, f"{n_records} data records of {record_bytes} bytes in {size} bytes")
    if after >= 8:
        with path.open("rb") as file:
            file.seek(size - after)
            mode, *_, events = struct.unpack("<B3BI", file.read(8))
        if mode in (1, 3) and events * 6 > after:
            raise _bad_gdf(path, f"a table of {events} events in {after} bytes")


def _bad_gdf(path: Path, got: str) -> CorruptSourceError:
    return CorruptSourceError(
        f"a GDF file whose header agrees with its size at {path.name}",
        got,
        "The file is truncated or damaged; restore it from the original.",
    )
