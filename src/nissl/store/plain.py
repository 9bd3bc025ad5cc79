"""JSON in the journal's text columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nissl.errors import BadArgumentError
from nissl.store.faults import damaged


def dumps(value: Any, what: str) -> str:
    """JSON text of a plain value; numpy numbers and arrays become numbers and lists.

    NaN and infinities are kept: a metric that could not be computed is one.

    Raises
    ------
    BadArgumentError
        Something that JSON has no word for.
    """
    try:
        return json.dumps(value, default=_numpy, sort_keys=True, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadArgumentError(
            f"JSON values in {what}", str(error), "Give text, numbers, lists and mappings."
        ) from None


def loads(text: Any, kind: type, where: Path | str) -> Any:
    """Value of a JSON text that must be of a kind; `CorruptProjectError` where it is not."""
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise damaged(where, f"text that is not JSON ({error})") from None
    if not isinstance(value, kind):
        raise damaged(where, f"a {type(value).__name__} instead of a {kind.__name__}")
    return value


def _numpy(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")
