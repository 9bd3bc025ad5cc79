"""Sampling rates that files state."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from nissl.errors import BadMetadataError

MICROSECONDS_HZ = 1e6
"""Index rate for files that give seconds and no sampling rate: samples count microseconds."""


def positive_rate(value: Any, where: Path) -> float:
    """Return a rate in Hz, or raise `BadMetadataError` where it is absent or impossible."""
    try:
        rate = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        rate = math.nan
    if not (math.isfinite(rate) and 0 < rate <= 1e9):
        raise BadMetadataError(
            f"a sampling rate above 0 Hz for {where}",
            "none" if value is None else f"{value!r:.60}",
            "Give it: --rate 30000 (rate_hz=30000).",
        )
    return rate
