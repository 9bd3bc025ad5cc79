"""What the units of a class look like on average: means over many, never a single unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import N_DECILES, N_LAGS
from nissl.annotators.celltypes.inputs import curve
from nissl.labels import FeatureTable

Values = npt.NDArray[np.float64]

FEWEST = 3
"""Units of a class below which its mean would show a single one."""


@dataclass(frozen=True, eq=False)
class Exemplar:
    """Mean curves of a class.

    Parameters
    ----------
    name : str
    n : int
        Units that it is the mean of.
    waveform, waveform_sd : ndarray, shape (61,), float64
        NaN where fewer than three units tell.
    acg : ndarray, shape (100,), float64
    acg3 : ndarray, shape (10, 50), float64
    place, spread : tuple of float
        Mean and standard deviation on the map.
    """

    name: str
    n: int
    waveform: Values
    waveform_sd: Values
    acg: Values
    acg3: Values
    place: tuple[float, float]
    spread: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not known is None."""
        return {
            "name": self.name,
            "n": self.n,
            "waveform": _plain(self.waveform),
            "waveform_sd": _plain(self.waveform_sd),
            "acg": _plain(self.acg),
            "acg3": None if np.isnan(self.acg3).all() else [_plain(row) for row in self.acg3],
            "map": list(self.place),
            "map_sd": list(self.spread),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Exemplar:
        """Inverse of `to_json`."""
        rows = value["acg3"]
        image = np.full((N_DECILES, N_LAGS), np.nan)
        if rows is not None:
            image = np.stack([_read(row) for row in rows])
        x, y = (float(v) for v in value["map"])
        dx, dy = (float(v) for v in value["map_sd"])
        return cls(
            str(value["name"]),
            int(value["n"]),
            _read(value["waveform"]),
            _read(value["waveform_sd"]),
            _read(value["acg"]),
            image,
            (x, y),
            (dx, dy),
        )


def exemplars_of(
    table: FeatureTable, label: npt.NDArray[np.int64], names: tuple[str, ...], place: Values
) -> tuple[Exemplar, ...]:
    """Exemplars of classes with at least three units.

    Parameters
    ----------
    table : FeatureTable
    label : ndarray, shape (n_units,), int64
        Codes of `names`.
    names : tuple of str
    place : ndarray, shape (n_units, 2), float64
        On the map.
    """
    curves = {name: curve(table, name) for name in ("waveform", "acg", "acg3")}
    out = []
    for code, name in enumerate(names):
        rows = label == code
        if rows.sum() < FEWEST:
            continue
        mean = {key: _mean(values[rows]) for key, values in curves.items()}
        spread = np.sqrt(np.maximum(_mean((curves["waveform"][rows] - mean["waveform"]) ** 2), 0))
        at, wide = place[rows].mean(axis=0), place[rows].std(axis=0)
        out.append(
            Exemplar(
                name,
                int(rows.sum()),
                mean["waveform"],
                spread,
                mean["acg"],
                mean["acg3"].reshape(N_DECILES, N_LAGS),
                (float(at[0]), float(at[1])),
                (float(wide[0]), float(wide[1])),
            )
        )
    return tuple(out)


def _mean(values: Values) -> Values:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count >= FEWEST, total / np.maximum(count, 1), np.nan)


def _plain(values: Values) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 5) for v in values]


def _read(values: list[float | None]) -> Values:
    return np.asarray([np.nan if v is None else v for v in values], np.float64)
