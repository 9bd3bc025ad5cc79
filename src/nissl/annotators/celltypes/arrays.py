"""Named arrays as one file without pickle: a JSON head, then float32 values, little endian."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]


def pack(arrays: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """Arrays by name as bytes; the same for the same."""
    head, parts, place = [], [], 0
    for name, array in sorted(arrays.items()):
        plain = np.ascontiguousarray(array, dtype="<f4")
        head.append({"name": name, "shape": list(plain.shape), "at": place})
        parts.append(plain.tobytes())
        place += len(parts[-1])
    text = json.dumps({"format": 1, "arrays": head}, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def unpack(content: bytes) -> dict[str, Values]:
    """Inverse of `pack`; `BadArgumentError` where it is no such file."""
    try:
        size = int.from_bytes(content[:8], "little")
        head = json.loads(content[8 : 8 + size])
        if head["format"] != 1:
            raise ValueError(f"format {head['format']}")
        body, out = content[8 + size :], {}
        for each in head["arrays"]:
            shape = tuple(int(n) for n in each["shape"])
            flat = np.frombuffer(body, "<f4", int(np.prod(shape)), int(each["at"]))
            out[str(each["name"])] = flat.reshape(shape).astype(np.float64)
        return out
    except (KeyError, ValueError, TypeError) as error:
        raise BadArgumentError(
            "a file of arrays", f"{type(error).__name__}: {error}", "Take another model."
        ) from None
