"""From cells to statements: means over seeds, differences to the best other sorter, calibration.

Intervals are those of a bootstrap in two steps: seeds are drawn with replacement, then within
each the units. Means are over all units of all seeds, which is the mean over seeds where each has
as many units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from _spikes_score import BANDS, BIN_EDGES, band_of

Row = Mapping[str, Any]
Floats = npt.NDArray[np.float64]

N_DRAWS = 2000
OWN = "nissl"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where it is not known."""

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


def draw_weights(seeds: Sequence[Any], n_draws: int, rng: np.random.Generator) -> Floats:
    """How often each unit stands in each draw of the bootstrap.

    Parameters
    ----------
    seeds : sequence, length n_units
        What each unit is drawn within.
    n_draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n_draws, n_units)
    """
    seed = np.unique(np.asarray(seeds), return_inverse=True)[1]
    n_seeds = int(seed.max()) + 1
    often = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_draws)
    out = np.zeros((n_draws, seed.size))
    for s in range(n_seeds):
        mine = np.flatnonzero(seed == s)
        out[:, mine] = rng.multinomial(often[:, s] * mine.size, np.full(mine.size, 1 / mine.size))
    return out


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike, weights: Floats) -> Estimate:
    """Sum of `part` over sum of `whole`, both of shape (n_units,), with its interval."""
    a, b = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    if not b.sum() > 0:
        return Estimate(np.nan, np.nan, np.nan, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = (weights @ a) / (weights @ b)
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(float(a.sum() / b.sum()), float(low), float(high), int(np.sum(b > 0)))


def units_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """True units of a sorter's rows on one kind of recording, each with its seed and place."""
    return [
        {**unit, "seed": row["seed"], "at": (row["seed"], k)}
        for row in rows
        for k, unit in enumerate(row["units"])
    ]


def summary(rows: Sequence[Row], n_draws: int = N_DRAWS) -> dict[str, Any]:
    """What a sorter is worth on one kind of recording.

    Parameters
    ----------
    rows : sequence of mapping
        Its results, one per seed.
    n_draws : int

    Returns
    -------
    dict
        "accuracy", "bands" (by name), "overlaps" (recall of spikes within 1 ms of a near unit's)
        as `Estimate.to_json`; "n_good", "n_true", "false_positive", "redundant", "cpu_s" as means
        per recording; "peak_memory_bytes" at most; "seeds".
    """
    units = units_of(rows)
    rng = np.random.default_rng(0)
    weights = draw_weights([u["seed"] for u in units], n_draws, rng)
    accuracy = np.asarray([u["accuracy"] for u in units])
    band = band_of([u["snr"] for u in units])
    overlaps = [[u[name] for u in units] for name in ("n_overlaps_found", "n_overlaps")]

    def mean(name: str) -> float:
        return float(np.mean([row[name] for row in rows if row.get(name) is not None] or [np.nan]))

    return {
        "seeds": sorted(row["seed"] for row in rows),
        "accuracy": ratio(accuracy, np.ones(accuracy.size), weights).to_json(),
        "bands": {
            name: ratio(accuracy * (band == k), (band == k) * 1.0, weights).to_json()
            for k, name in enumerate(BANDS)
        },
        "overlaps": ratio(*overlaps, weights).to_json() | {"n_spikes": int(np.sum(overlaps[1]))},
        "n_good": mean("n_good"),
        "n_true": mean("n_true"),
        "false_positive": mean("n_false_positive"),
        "redundant": mean("n_redundant"),
        "cpu_s": mean("cpu_s"),
        "wall_s": mean("wall_s"),
        "peak_memory_bytes": max(row.get("peak_memory_bytes") or 0 for row in rows),
    }


def difference(
    mine: Sequence[Row], theirs: Sequence[Row], n_draws: int = N_DRAWS
) -> dict[str, Any] | None:
    """Accuracy of one sorter less another's, paired by true unit, on seeds that both ran.

    Returns
    -------
    dict or None
        "all" and each of `BANDS` as `Estimate.to_json`, "seeds"; None without a common seed.
    """
    other = {u["at"]: u["accuracy"] for u in units_of(theirs)}
    units = [u for u in units_of(mine) if u["at"] in other]
    if not units:
        return None
    rng = np.random.default_rng(0)
    weights = draw_weights([u["seed"] for u in units], n_draws, rng)
    gap = np.asarray([u["accuracy"] - other[u["at"]] for u in units])
    band = band_of([u["snr"] for u in units])
    parts = {"all": np.ones(gap.size)} | {n: (band == k) * 1.0 for k, n in enumerate(BANDS)}
    found = {n: ratio(gap * inside, inside, weights).to_json() for n, inside in parts.items()}
    return found | {"seeds": sorted({u["seed"] for u in units})}


def against_best(by_sorter: Mapping[str, Sequence[Row]]) -> dict[str, Any] | None:
    """Our sorter against the other that leaves it least ahead, over all and in each band.

    Returns
    -------
    dict or None
        "all" and each of `BANDS` with units: `Estimate.to_json`, "peer" and common "seeds"; None
        where one side is missing.
    """
    mine = by_sorter.get(OWN, ())
    gaps = {
        name: gap
        for name, rows in by_sorter.items()
        if name != OWN and (gap := difference(mine, rows)) is not None
    }
    out = {}
    for part in ("all", *BANDS):
        known = {name: gap for name, gap in gaps.items() if gap[part]["n"]}
        if known:
            peer = min(known, key=lambda name: known[name][part]["value"])
            out[part] = {"peer": peer, "seeds": known[peer]["seeds"], **known[peer][part]}
    return out or None


def calibration(units: Sequence[Row], n_draws: int = N_DRAWS) -> dict[str, Any] | None:
    """Reliability of confidences, pooled over spikes.

    Parameters
    ----------
    units : sequence of mapping
        Found units: sums of `_spikes_score.binned`, and the "seed" (here: the recording) that
        they are drawn within.
    n_draws : int

    Returns
    -------
    dict or None
        "n", "right" (share), "confidence" (mean), "brier"; "ece" and "skill" (Brier skill over
        saying the share of right ones for each spike) as `Estimate.to_json`; "bins": mean
        confidence, share of right ones, spikes, of each bin with any. None without spikes.
    """
    kept = [u for u in units if u["bins"]]
    if not kept:
        return None
    n_bins = len(BIN_EDGES) - 1
    sums = np.zeros((len(kept), 3 * n_bins + 1))
    for row, unit in zip(sums, kept, strict=True):
        row[-1] = unit["squared"]
        for k, n, p, right in unit["bins"]:
            row[k], row[n_bins + k], row[2 * n_bins + k] = n, p, right
    rng = np.random.default_rng(0)
    weights = draw_weights([u["seed"] for u in kept], n_draws, rng)
    total = sums.sum(axis=0)
    drawn = weights @ sums
    count, sure, right = (total[k * n_bins : (k + 1) * n_bins] for k in range(3))
    n = float(count.sum())

    def estimate(of: Callable[[Floats], Floats]) -> dict[str, Any]:
        values = of(drawn)
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [2.5, 97.5]) if values.size else (np.nan, np.nan)
        return Estimate(float(of(total[None])[0]), float(low), float(high), len(kept)).to_json()

    return {
        "n": int(n),
        "without": int(sum(u["without"] for u in units)),
        "right": float(right.sum() / n),
        "confidence": float(sure.sum() / n),
        "brier": float(total[-1] / n),
        "ece": estimate(_ece),
        "skill": estimate(_skill),
        "bins": [
            [float(sure[k] / count[k]), float(right[k] / count[k]), int(count[k])]
            for k in np.flatnonzero(count)
        ],
    }


def _ece(sums: Floats) -> Floats:
    """Mean distance of a bin's confidence from its share of right ones, weighted by spikes."""
    n_bins = (sums.shape[1] - 1) // 3
    count, sure, right = (sums[:, k * n_bins : (k + 1) * n_bins] for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(sure - right).sum(axis=1) / count.sum(axis=1))


def _skill(sums: Floats) -> Floats:
    """Brier skill; NaN where all are right or all wrong."""
    n_bins = (sums.shape[1] - 1) // 3
    count, right = sums[:, :n_bins].sum(axis=1), sums[:, 2 * n_bins : -1].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        base = right / count
        skill = 1 - sums[:, -1] / count / (base * (1 - base))
    return np.where((base > 0) & (base < 1), skill, np.nan)


def reliabilities(rows: Sequence[Row], complete: Mapping[str, bool]) -> dict[str, Any] | None:
    """Calibration of one sorter: overall, by band, and by kind of recording.

    Parameters
    ----------
    rows : sequence of mapping
        All its results.
    complete : mapping of str to bool
        By kind of recording: whether every cell in it is in the truth. Only those count
        overall; a real background's own cells are right without being in the truth.
    """
    units = [
        {**unit, "seed": n, "recording": row["recording"]}
        for n, row in enumerate(rows)
        for unit in row.get("calibration") or ()
    ]
    if not units:
        return None
    pooled = [u for u in units if complete.get(u["recording"], True)]
    kinds = list(dict.fromkeys(u["recording"] for u in units))
    return {
        "overall": calibration(pooled),
        "bands": {
            name: calibration([u for u in pooled if u["band"] == k]) for k, name in enumerate(BANDS)
        },
        "recordings": {
            kind: calibration([u for u in units if u["recording"] == kind]) for kind in kinds
        },
    }
