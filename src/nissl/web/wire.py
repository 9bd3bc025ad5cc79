"""How answers travel: JSON for facts, bytes for arrays, Arrow for tables; no JSON for samples."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from fastapi import Response
from fastapi.responses import JSONResponse

ARROW = "application/vnd.apache.arrow.stream"
BYTES = "application/octet-stream"


MOST_DEEP = 40
"""How deep values that are sent may be nested; what is kept must be readable again."""


def deeper(value: Any, most: int) -> bool:
    """Whether JSON values are nested more than `most` deep."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


class Json(JSONResponse):
    """JSON in ASCII; numbers that it does not have (NaN, infinity) become null."""

    def render(self, content: Any) -> bytes:
        """Bytes of the body."""
        try:
            text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        except ValueError:
            text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
        return text.encode()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def array_response(
    array: npt.NDArray[Any], meta: Mapping[str, Any] | None = None, *, status: int = 200
) -> Response:
    """Send an array: its bytes, little-endian in C order, its dtype and shape in headers."""
    plain = np.ascontiguousarray(array)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    headers = {
        "X-Nissl-Dtype": str(array.dtype),
        "X-Nissl-Shape": ",".join(str(n) for n in array.shape),
        "X-Nissl-Meta": quote(json.dumps(dict(meta or {}))),
    }
    return Response(plain.tobytes(), status_code=status, media_type=BYTES, headers=headers)


def table_response(table: pa.Table) -> Response:
    """Send a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(sink.getvalue().to_pybytes(), media_type=ARROW)
