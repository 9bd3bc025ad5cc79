"""Absolute rates and intervals on each set, by what was learnt of both on other sets.

Which type its cells are is known of a recording, so sets of interneurons learn from each other,
and the rest from the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _rates_data import SIMULATED
from nissl.annotators.rates.model import shipped
from nissl.annotators.rates.spread import ACTIVE, Spread, fit_spread
from nissl.annotators.rates.training import Paired

Floats = npt.NDArray[np.float64]

LEVELS = ("native", "2", "4")
MOST = 10_000
"""Frames of a set and level that a spread is learnt from."""
TYPES = {"PV": "fast-spiking", "SST": "interneuron", "zf": "zebrafish"}
"""Parts of a set's name that say what its cells are; the others are pyramidal."""


def type_of(name: str) -> str:
    """Type of the cells of a set, by the simulator's names."""
    parts = name.split("-")
    return next((kind for part, kind in TYPES.items() if part in parts), "pyramidal")


def alike(name: str, other: str) -> bool:
    """Whether both sets are of interneurons, or neither is."""
    inhibitory = ("fast-spiking", "interneuron")
    return (type_of(name) in inhibitory) == (type_of(other) in inhibitory)


def absolute(
    out: Path, rate_hz: float, sets: Mapping[str, Sequence[Paired]]
) -> dict[str, dict[str, Any]]:
    """By set and method: bias, error and coverage."""
    said = {name: _read(out / f"said-{rate_hz:g}-{name}.npz") for name in sets}
    real = [name for name in sets if SIMULATED not in name]
    known = shipped().nearest(rate_hz)
    found: dict[str, Any] = {}
    for name, traces in sets.items():
        others = [n for n in real if n != name and alike(n, name)]
        found[name] = {"shipped": {}, "rates/nissl": {}}
        brought = known.by_type.get(type_of(name), known.spread)
        for method, spread in (
            ("rates/nissl", _learnt(said, others) if others else None),
            ("shipped", brought),
        ):
            if spread is not None:
                found[name][method] = _of_set(said[name], method, spread, traces)
    return found


def _read(path: Path) -> dict[str, Floats]:
    with np.load(path) as file:
        return {name: file[name].astype(np.float64) for name in file.files}


def _learnt(said: Mapping[str, Mapping[str, Floats]], names: Sequence[str]) -> Spread:
    predicted, true = [], []
    for name in names:
        step = max(said[name]["true"].size // MOST, 1)
        parts = [said[name][f"rates/nissl {level}"][::step] for level in LEVELS]
        predicted.append(np.concatenate(parts))
        true.append(np.tile(said[name]["true"][::step], len(LEVELS)))
    return fit_spread(predicted, true)


def _of_set(
    own: Mapping[str, Floats], method: str, spread: Spread, traces: Sequence[Paired]
) -> dict[str, Any]:
    levels = {}
    for level in LEVELS:
        predicted, true = spread.scale * own[f"{method} {level}"], own["true"]
        low, high = spread(predicted)
        within = (true >= low - 1e-6) & (true <= high + 1e-6)
        active = predicted >= ACTIVE
        levels[level] = {
            "all": float(within.mean()),
            "active": float(within[active].mean()) if active.any() else None,
            "width": float(np.mean(high - low)),
        }
    bias, error = _off(spread.scale * own[f"{method} native"], own["true"], traces)
    return {"levels": levels, "scale": spread.scale, "bias": bias, "error": error}


def _off(predicted: Floats, true: Floats, traces: Sequence[Paired]) -> tuple[float, float]:
    """Medians over cells of the relative bias and of the relative absolute error."""
    stops = np.cumsum([each.dff.size for each in traces])
    cell = np.repeat([each.cell for each in traces], np.diff(stops, prepend=0))
    bias, error = [], []
    for name in dict.fromkeys(each.cell for each in traces):
        y, p = true[cell == name], predicted[cell == name]
        if y.sum() > 0:
            bias.append(float((p - y).sum() / y.sum()))
            error.append(float(np.abs(p - y).sum() / y.sum()))
    return float(np.median(bias)), float(np.median(error))
