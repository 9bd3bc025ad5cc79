"""What of the results goes beside the page: short enough to be kept with the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DIGITS = 4


def published(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results with units as columns, calibration summed over units, and numbers of four digits.

    The folder of the run keeps all of it; see `--out`.
    """
    rows = [_row(row) for row in results["rows"]]
    return {**{k: _short(v) for k, v in results.items() if k != "rows"}, "rows": rows}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    out = {k: _short(v) for k, v in row.items() if k != "accuracy_by_unit"}  # `units` has it
    if row.get("units"):
        out["units"] = {k: [_short(u.get(k)) for u in row["units"]] for k in row["units"][0]}
    if row.get("calibration"):
        out["calibration"] = _short(_summed(row["calibration"]))
    return out


def _summed(units: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bins of confidence (number, spikes, sum of confidences, right ones) of each band of SNR."""
    out = []
    for band in sorted({unit["band"] for unit in units}):
        own = [unit for unit in units if unit["band"] == band]
        bins: dict[int, list[float]] = {}
        for number, *counts in (each for unit in own for each in unit["bins"]):
            bins[number] = [a + b for a, b in zip(bins.get(number, [0, 0, 0]), counts, strict=True)]
        squared = sum(unit["squared"] for unit in own)
        told = [[number, *bins[number]] for number in sorted(bins)]
        out.append({"band": band, "units": len(own), "squared": squared, "bins": told})
    return out


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {k: _short(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(v) for v in value]
    return value
