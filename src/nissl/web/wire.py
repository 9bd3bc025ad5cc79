"""How arrays and tables travel: never JSON for samples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from fastapi import Response

ARROW = "application/vnd.apache.arrow.stream"
BYTES = "application/octet-stream"


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
