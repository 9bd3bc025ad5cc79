"""Planted days of `same_units.py`: simulated and made of real waveforms, and how links are scored.

    python benchmarks/_same_units_work.py KEY RESULT.json

where KEY is JSON text.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from _common import without_paths, write_result
from nissl.align.assignment import one_to_one
from nissl.align.chains import chains
from nissl.align.waveforms.matching import against_itself, match
from nissl.align.waveforms.simulate import RATE_HZ, SimulatedDays, probe, simulate_days
from nissl.align.waveforms.templates import UnitTemplates
from nissl.annotators.spikes.footprints import footprint
from nissl.annotators.spikes.hybrid_units import HybridUnit, load_cellexplorer

UNITMATCH = "NISSL_UNITMATCH_PYTHON"
BEFORE, AFTER = 24, 36
_NOISE_UV = 9.0
_UM_WIDTH, _UM_PEAK = 82, 40
_LEAST = 0.02


def scored(days: SimulatedDays, pairs: Any, same: Any, chosen: Any) -> dict[str, Any]:
    """Counts of links, and probabilities with the truth of each pair."""
    truth = set(map(tuple, days.pairs().tolist()))
    right = np.asarray([(int(i), int(j)) in truth for i, j in zip(*pairs, strict=True)], bool)
    told = same > _LEAST
    return {
        "units": [len(day) for day in days.days],
        "pairs": len(truth),
        "links": len(chosen),
        "wrong": int((~right[chosen]).sum()),
        "found": int(right[chosen].sum()),
        "expected_wrong": float((1 - same[chosen]).sum()),
        "probability": np.round(same[told], 4).tolist(),
        "right": right[told].astype(int).tolist(),
    }


def ours(days: SimulatedDays) -> dict[str, Any]:
    """Score of nissl, how long it took and how far the movement was off."""
    began = time.perf_counter()
    found = match(*days.days)
    seconds = time.perf_counter() - began
    told = scored(days, (found.pairs.a, found.pairs.b), found.same, found.chosen)
    if days.days[0].has_geometry and len(days.days[0].position_um) > 8:
        rows = days.pairs()
        if len(rows):
            depth = _depth(days.days[0])[rows[:, 0]]
            true = days.shift_um[1, days.neuron[0][rows[:, 0]]]
            told["off_um"] = float(np.median(np.abs(found.drift.at(depth) - true)))
    return told | {"seconds": seconds}


def _depth(day: UnitTemplates) -> np.ndarray:
    from nissl.align.waveforms.features import looks

    return looks(day).place_um[:, 1]


def unitmatch(days: SimulatedDays, timeout_s: float) -> dict[str, Any] | None:
    """Scores of UnitMatch, as it says and with one partner at most; None if not installed."""
    python = os.environ.get(UNITMATCH)
    if not python or not days.days[0].has_geometry:
        return None
    first, second = days.days
    wave = np.concatenate([_widened(day) for day in (first, second)])
    session = np.repeat([0, 1], [len(first), len(second)])
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, wave=wave, session=session, position=first.position_um)
        script = Path(__file__).with_name("_same_units_unitmatch.py").resolve()
        try:
            ran = subprocess.run(
                [python, str(script), str(given), str(out)],
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                cwd=folder,
                env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            )
        except subprocess.TimeoutExpired:
            return {"error": f"no answer in {timeout_s:.0f} s"}
        if ran.returncode or not out.is_file():
            lines = ran.stderr.strip().splitlines() or ["no reason given"]
            return {"error": without_paths(lines[-1])}
        with np.load(out) as held:
            both, seconds = held["probability"], float(held["seconds"])
    n = len(first)
    p = np.nan_to_num((both[:n, n:] + both[n:, :n].T) / 2)
    i, j = np.nonzero(p > 0)
    same = p[i, j]
    once = one_to_one((i, j), same, n, len(second))
    return {
        "as it says": scored(days, (i, j), same, np.flatnonzero(same > 0.5)),
        "one to one": scored(days, (i, j), same, once),
        "seconds": seconds,
    }


def _widened(day: UnitTemplates) -> np.ndarray:
    """Templates as UnitMatch takes them: 82 samples, the peak at 40, halves last."""
    left, right = _UM_PEAK - day.n_before, _UM_WIDTH - _UM_PEAK
    wave = np.moveaxis(day.halves, 0, -1)
    right -= wave.shape[1] - day.n_before
    fade = [np.linspace(0, 1, left)[:, None, None], np.linspace(1, 0, right)[:, None, None]]
    rng = np.random.default_rng(0)
    noise = np.std(wave[:, :4] - wave[:, :4].mean(axis=1, keepdims=True))
    parts = [
        wave[:, :1] * fade[0] + rng.normal(0, noise, (len(wave), left, *wave.shape[2:])),
        wave,
        wave[:, -1:] * fade[1] + rng.normal(0, noise, (len(wave), right, *wave.shape[2:])),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def hybrid_days(
    units: tuple[HybridUnit, ...],
    rng: np.random.Generator,
    *,
    n_units: int,
    n_channels: int,
    turnover: float,
    drift_um: float,
    changed: float = 0.1,
) -> SimulatedDays:
    """Two days of real waveforms beside a probe that moves.

    Parameters
    ----------
    units : tuple of HybridUnit
        Real units; each is taken once, at a place of its own.
    rng : numpy.random.Generator
    n_units, n_channels, turnover, drift_um, changed
        As for `nissl.align.waveforms.simulate.simulate_days`.
    """
    total = min(round(n_units * (1 + turnover)), len(units))
    n_units = min(n_units, round(total / (1 + turnover)))
    taken = [units[k] for k in rng.permutation(len(units))[:total].tolist()]
    place, shank = probe(n_channels)
    low, high = place.min(axis=0), place.max(axis=0)
    spots = np.concatenate(
        [rng.uniform(low - 10, high + 10, (total, 2)), rng.uniform(5, 25, (total, 1))], axis=1
    )
    shift = np.zeros((2, total))
    shift[1] = rng.uniform(-drift_um, drift_um)
    stay = rng.permutation(total)
    gone = round(n_units * turnover)
    seen = [stay[:n_units], np.concatenate([stay[gone:n_units], stay[n_units:]])]
    days = []
    for day, rows in enumerate(seen):
        counts = np.exp(rng.uniform(np.log(60), np.log(5000), rows.size)).astype(np.int64)
        halves = np.zeros((2, rows.size, BEFORE + AFTER, n_channels), np.float32)
        for k, row in enumerate(rows.tolist()):
            size = np.exp(rng.normal(0, 1.5 * changed)) if day else 1.0
            width = np.exp(rng.normal(0, 0.4 * changed)) if day else 1.0
            own = spots[row] + (rng.normal(0, 10 * changed, 3) * [1, 1, 0.5] if day else 0.0)
            for half in range(2):
                further = shift[day, row] + rng.normal(0, 0.1 * drift_um + 0.5)
                moved = own + np.array([0.0, further, 0.0])
                unit = replace(taken[row], rate_hz=taken[row].rate_hz / width)
                halves[half, k] = size * _placed(unit, moved, place)
        white = rng.standard_normal(halves.shape, dtype=np.float32)
        smooth = (white + np.roll(white, 1, axis=2) + np.roll(white, -1, axis=2)) / np.sqrt(3)
        level = _NOISE_UV / np.sqrt(np.minimum(counts / 2, 300))
        halves += smooth * level[None, :, None, None].astype(np.float32)
        items = np.arange(rows.size, dtype=np.int64)
        days.append(
            UnitTemplates(items, halves, place, shank, counts, RATE_HZ, BEFORE, f"day {day + 1}")
        )
    return SimulatedDays((days[0], days[1]), (seen[0], seen[1]), shift)


def _placed(unit: HybridUnit, place: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """Waveforms of a real unit on the contacts, cut to the window of the templates."""
    own = footprint(unit, place, contacts, RATE_HZ)
    wave, before = own.template_uv, own.n_before
    out = np.zeros((BEFORE + AFTER, len(contacts)), np.float32)
    first = max(before - BEFORE, 0)
    put = max(BEFORE - before, 0)
    n = min(len(wave) - first, len(out) - put)
    out[put : put + n] = wave[first : first + n]
    return out


def run(key: Mapping[str, Any]) -> dict[str, Any]:
    """One cell: days of one kind, setting and seed, with both methods."""
    rng, about = np.random.default_rng(key["seed"]), dict(key["setting"])
    if key["kind"] == "real":
        days = hybrid_days(load_cellexplorer(Path(key["data"])), rng, **about)
    else:
        days = simulate_days(rng, **about)
    if len(days.days) > 2:
        return _chained(days)
    peer = unitmatch(days, key["timeout_s"]) if key["peer"] else None
    return {
        "nissl": ours(days),
        "unitmatch": peer,
        "itself": vars(against_itself(days.days[0])).copy(),
    }


def _chained(days: SimulatedDays) -> dict[str, Any]:
    """Three days or more: how far pairs of days agree, and joined identities with the truth."""
    found = {}
    for b in range(1, len(days.days)):
        for a in range(b):
            own = match(days.days[a], days.days[b])
            found[a, b] = (
                own.pairs.a[own.chosen], own.pairs.b[own.chosen], own.same[own.chosen]
            )  # fmt: skip
    told = chains([len(day) for day in days.days], found)
    joined, true = np.concatenate(told.identity), np.concatenate(days.neuron)
    upper = np.triu(np.ones((true.size, true.size), bool), 1)
    same, right = joined[:, None] == joined[None], true[:, None] == true[None]
    return {
        "agreed": told.agreed,
        "clashing": told.clashing,
        "dropped": told.dropped,
        "links": int((same & upper).sum()),
        "wrong": int((same & ~right & upper).sum()),
        "pairs": int((right & upper).sum()),
    }


def main(key: str, out: str) -> None:
    """Compute a cell."""
    write_result(Path(out), run(json.loads(key)))


if __name__ == "__main__":
    main(*sys.argv[1:3])
