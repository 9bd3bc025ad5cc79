"""Signals that nissl derived from a recording: traces, rates, shifts.

A Zarr group (version 2) with one array, ``samples``, of shape (n_samples, n_channels); what it is
stands under "nissl" in the attributes of the group: its name, clock and channels, what it was
made from, and whose it is. `nissl.store.derived` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nissl.clock import Clock
from nissl.data.arrays import ZarrReader
from nissl.data.channels import ChannelTable
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session, Subject
from nissl.data.signal import Signal
from nissl.errors import CorruptSourceError

KEY = "nissl"
ARRAY = "samples"


class DerivedReader:
    """Reads folders whose .zattrs describe a derived signal."""

    name = "derived"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether the folder is a Zarr group that nissl described."""
        attributes = path / ".zattrs"
        if not (attributes.is_file() and (path / ARRAY / ".zarray").is_file()):
            return False
        try:
            return KEY in json.loads(attributes.read_text())
        except ValueError:
            return False

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the one signal of the folder."""
        import zarr

        about: dict[str, Any] = json.loads((path / ".zattrs").read_text())[KEY]
        array = zarr.open_group(str(path), mode="r")[ARRAY]
        clock = Clock.from_json(about["clock"])
        channels = ChannelTable.from_json(about["channels"])
        if array.shape != (clock.n_samples, len(channels)) or array.dtype.kind != "f":
            raise CorruptSourceError(
                f"{clock.n_samples} samples of {len(channels)} channels in {path.name}",
                f"{array.dtype} of shape {array.shape}",
                "Derive it again from the recording.",
            )
        if array.nchunks != array.nchunks_initialized:  # they would read as zeros
            raise CorruptSourceError(
                f"every chunk of {path.name}",
                f"{array.nchunks - array.nchunks_initialized} of {array.nchunks} missing",
                "Derive it again from the recording.",
            )
        reader = ZarrReader(str(path), (ARRAY,), (clock.n_samples,), array.dtype.str)
        signal = Signal(about["name"], reader, channels, clock, about["metadata"])
        files = tuple(sorted(p for p in path.rglob("*") if p.is_file()))
        return Opened(
            (signal,),
            files,
            subject=Subject(**about["subject"]),
            session=Session(**about["session"]),
        )


READER = DerivedReader()
