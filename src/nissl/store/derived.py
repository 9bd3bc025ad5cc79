"""Derived signals on disk: one Zarr group each, there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data import Signal
from nissl.data.readers.derived import ARRAY, KEY
from nissl.errors import StoreError
from nissl.labels.atomic import fsync_folder, store_error
from nissl.store.objects import fsync_tree

_BLOCK = 1 << 22  # samples x channels held at once


def write_derived(folder: Path, signal: Signal, about: Mapping[str, Any]) -> Path:
    """Write a signal below `folder`, under a name that its content gives.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    signal : Signal
        Read block by block; its samples are kept as float32.
    about : mapping
        "metadata", "subject" and "session" as JSON values (see
        `nissl.data.readers.derived`); metadata say what the signal was made from.

    Returns
    -------
    Path
        On disk when this returns. The same signal written again gives the same path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "name": signal.name,
        "clock": signal.clock.to_json(),
        "channels": signal.channels.to_json(),
        **about,
    }
    partial = folder / f".{secrets.token_hex(8)}.partial"
    try:
        try:
            digest = _fill(partial, signal, facts)
            stem = re.sub(r"[^A-Za-z0-9_-]+", "-", signal.name).strip("-") or "signal"
            path = folder / f"{stem}-{digest[:16]}.zarr"
            if not path.exists():
                fsync_tree(partial)
                try:
                    os.rename(partial, path)
                except OSError:
                    if not path.exists():  # else another process was first, with the same content
                        raise
                fsync_folder(folder)
            return path
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise error if isinstance(error, StoreError) else store_error(error, folder) from error


def _fill(partial: Path, signal: Signal, facts: Mapping[str, Any]) -> str:
    import numcodecs
    import zarr

    group = zarr.open_group(zarr.DirectoryStore(str(partial)), mode="w")
    group.attrs[KEY] = dict(facts)
    n_channels = max(signal.n_channels, 1)
    rows = max(1, min(signal.n_samples, _BLOCK // n_channels))
    stored = group.create_dataset(
        ARRAY,
        shape=(signal.n_samples, signal.n_channels),
        chunks=(rows, n_channels),
        dtype="<f4",
        compressor=numcodecs.Zstd(level=3, checksum=True),
        fill_value=0,
        write_empty_chunks=True,
    )
    digest = hashlib.sha256(b"nissl derived signal 1\n")
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for start in range(0, signal.n_samples, rows):
        block = np.concatenate(
            [
                signal.read(max(start, s.start), min(start + rows, s.stop))
                for s in signal.clock.segments
                if s.start < start + rows and s.stop > start
            ]
        ).astype("<f4")
        digest.update(block.tobytes())
        stored[start : start + len(block)] = block
    return digest.hexdigest()
