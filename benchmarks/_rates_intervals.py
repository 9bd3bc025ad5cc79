"""Coverage of the intervals on each set, by a spread learnt on the other sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.model import shipped
from nissl.annotators.rates.spread import Spread, fit_spread

Floats = npt.NDArray[np.float64]

LEVELS = ("native", "2", "4")
MOST = 20_000
"""Frames of a set and level that a spread is learnt from."""
ACTIVE = 0.5
"""Spikes per second from which a frame counts as active, by what was predicted."""


def coverages(out: Path, rate_hz: float, names: Sequence[str]) -> dict[str, Any]:
    """By set: the share of frames whose truth lies within, overall and where active."""
    said = {name: _read(out / f"said-{rate_hz:g}-{name}.npz") for name in names}
    real = [name for name in names if not name.startswith("X-")]
    found: dict[str, Any] = {}
    for name in names:
        others = [n for n in real if n != name]
        spread = _learnt(said, others) if len(others) > 1 else None
        found[name] = {
            "rates/nissl": _covered(said[name], "rates/nissl", spread),
            "shipped": _covered(said[name], "shipped", shipped().nearest(rate_hz).spread),
        }
    return found


def _read(path: Path) -> dict[str, Floats]:
    with np.load(path) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def _learnt(said: dict[str, dict[str, Floats]], names: Sequence[str]) -> Spread:
    predicted, true = [], []
    for name in names:
        step = max(said[name]["true"].size // MOST, 1)
        parts = [said[name][f"rates/nissl {level}"][::step] for level in LEVELS]
        predicted.append(np.concatenate(parts))
        true.append(np.tile(said[name]["true"][::step], len(LEVELS)))
    return fit_spread(predicted, true)


def _covered(own: dict[str, Floats], method: str, spread: Spread | None) -> dict[str, Any]:
    if spread is None:
        return {}
    found = {}
    for level in LEVELS:
        predicted, true = own[f"{method} {level}"], own["true"]
        low, high = spread(predicted)
        within = (true >= low - 1e-6) & (true <= high + 1e-6)
        active = predicted >= ACTIVE
        found[level] = {
            "all": float(within.mean()),
            "active": float(within[active].mean()) if active.any() else None,
            "width": float(np.mean(high - low)),
        }
    return found
