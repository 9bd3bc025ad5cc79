"""Numbers with a header in one file, written whole or not at all; never code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError
from nissl.labels.atomic import write_bytes

HEADER = "header.json"


def save(path: Path, arrays: Mapping[str, npt.NDArray[Any]], header: Mapping[str, Any]) -> None:
    """Write arrays and a header of JSON values as an npz file.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to ndarray
    header : mapping
    """
    text = json.dumps(dict(header), sort_keys=True).encode()
    buffer = io.BytesIO()
    everything: dict[str, Any] = {**arrays, HEADER: np.frombuffer(text, np.uint8)}
    np.savez(buffer, **everything)
    write_bytes(path, buffer.getvalue())


def load(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Inverse of `save`; `CorruptSourceError` where the file is not such a one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(HEADER).tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptSourceError(
            "a checkpoint",
            f"{path.name}: {type(error).__name__}",
            "Delete the file and train again.",
        ) from None
    return arrays, dict(header)


__all__ = ["load", "save"]
