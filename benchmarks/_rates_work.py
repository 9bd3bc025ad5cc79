"""One fold of the benchmark of rates: everything is trained without its sets, then scored on them.

python _rates_work.py TRAIN TEST OUT RATE SETS STEPS MEMBERS ANSWER
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from _common import write_result
from _rates_data import SIMULATED, kept, sets
from _rates_floor import linear_filter, plain_network
from nissl.annotators.rates.alignment import LONGEST_S, PARTS, shifted
from nissl.annotators.rates.deconvolution import deconvolve, derivative
from nissl.annotators.rates.model import Ensemble, shipped
from nissl.annotators.rates.noise import noise_level, with_level
from nissl.annotators.rates.train import FAST_HZ, fitted, recipe_for, sigma_for, simulated
from nissl.annotators.rates.training import Paired

Floats = npt.NDArray[np.float64]

LEVELS = (None, 2.0, 4.0, 8.0)
"""Noise levels of the test, % per sqrt(Hz); None is as recorded."""
COSTLY = ("linear filter", "rates/oasis", "rates/derivative")
"""Scored at two noise levels only where there are many frames."""
ABSOLUTE = ("rates/nissl", "shipped", "plain CNN")
"""Methods that say spikes per second."""
PLAIN_STEPS = 300
"""Least steps of the plain network, which begins anew."""
PLAIN_RATES = {"rate": 3e-3, "decay": 1e-2}
"""Learning rate and decay of the plain network; ours were tuned."""
SIMULATED_SHARE = 0.2
PER_INDICATOR = 60


def scored(
    said: Sequence[Floats], true: Sequence[Paired], *, absolute: bool = False
) -> dict[str, Any]:
    """Pearson's r of each cell over all its traces; bias and error of absolute rates."""
    cells: dict[str, list[int]] = {}
    for k, each in enumerate(true):
        cells.setdefault(each.cell, []).append(k)
    r, bias, error = {}, [], []
    for cell, rows in cells.items():
        p = np.concatenate([said[k] for k in rows])
        y = np.concatenate([true[k].rate for k in rows]).astype(np.float64)
        if y.std() == 0:
            continue
        r[cell] = float(np.corrcoef(p, y)[0, 1]) if p.std() > 0 else 0.0
        bias.append(float((p - y).sum() / y.sum()))
        error.append(float(np.abs(p - y).sum() / y.sum()))
    found: dict[str, Any] = {"r": float(np.median(list(r.values()))), "cells": len(r)}
    found["r_quartiles"] = np.percentile(list(r.values()), (25, 75)).tolist()
    if absolute:
        found |= {"bias": float(np.median(bias)), "error": float(np.median(error))}
    return found


def noisy(known: Sequence[Paired], rate_hz: float, level: float | None) -> list[Paired]:
    """The same traces at a noise level; noisier ones as they are."""
    rng = np.random.default_rng(0)
    if level is None:
        return list(known)
    return [replace(each, dff=with_level(each.dff, rate_hz, level, rng)) for each in known]


def classical(
    rate_hz: float, sigma_s: float
) -> dict[str, Callable[[npt.NDArray[np.float32]], Floats]]:
    """Methods without training, smoothed as the truth is."""

    def oasis(dff: npt.NDArray[np.float32]) -> Floats:
        found = deconvolve(dff, rate_hz).spikes
        return np.asarray(gaussian_filter1d(found, sigma_s * rate_hz))

    def derived(dff: npt.NDArray[np.float32]) -> Floats:
        found = derivative(dff, rate_hz, smooth_s=sigma_s)
        return np.asarray(gaussian_filter1d(found, sigma_s * rate_hz))

    return {"rates/oasis": oasis, "rates/derivative": derived}


def fold(
    train: Path, test: Path, out: Path, rate_hz: float, held: Sequence[str], how: Mapping[str, int]
) -> dict[str, Any]:
    """Scores of every method on the sets left out, by set; predictions are kept in `out`."""
    sigma_s = sigma_for(rate_hz)
    here = kept(test, out / "test", rate_hz, sigma_s, held)
    names = [n for n in sets(train) if n not in held and SIMULATED not in n]
    folder = out / "test" if train.resolve() == test.resolve() else out / "train"
    there = kept(train, folder, rate_hz, sigma_s, names)
    known = [each for own in there.values() for each in own]
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    ensemble = ours(known, rate_hz, how["steps"], how["members"], rng)
    wall_s = time.perf_counter() - began
    recipe = replace(recipe_for(rate_hz), steps=max(how["steps"], PLAIN_STEPS), **PLAIN_RATES)
    networks: dict[str, Callable[[npt.NDArray[np.float32]], Floats]] = {
        "rates/nissl": ensemble,
        "shipped": shipped().nearest(rate_hz),
        "plain CNN": plain_network(known, rate_hz, rng, recipe),
        "linear filter": linear_filter(known, rate_hz),
        **classical(rate_hz, sigma_s),
    }
    found: dict[str, Any] = {"train_s": wall_s, "trained_on": sorted(there), "sets": {}}
    for name, own in here.items():
        print(name, flush=True)
        found["sets"][name] = of_set(own, rate_hz, networks, out / f"said-{rate_hz:g}-{name}.npz")
        novel = [bool(ensemble.novel(each.dff)) for each in own]
        found["sets"][name]["doubted"] = float(np.mean(novel))
    return found


def of_set(
    own: Sequence[Paired],
    rate_hz: float,
    networks: Mapping[str, Callable[[npt.NDArray[np.float32]], Floats]],
    predictions: Path,
) -> dict[str, Any]:
    """Scores on one set at every noise level."""
    levels: dict[str, Any] = {}
    said_of: dict[str, Any] = {"true": np.concatenate([t.rate for t in own])}
    for level in LEVELS:
        part = noisy(own, rate_hz, level)
        name = "native" if level is None else f"{level:g}"
        levels[name] = {}
        for method, network in networks.items():
            if rate_hz > FAST_HZ and method in COSTLY and level not in (None, 2.0):
                continue
            said = [network(each.dff) for each in part]
            levels[name][method] = scored(said, part, absolute=method in ABSOLUTE)
            if method in ("rates/nissl", "shipped"):
                said_of[f"{method} {name}"] = np.concatenate(said).astype(np.float32)
    np.savez(predictions, **said_of)
    said = np.split(said_of["rates/nissl native"], np.cumsum([t.dff.size for t in own])[:-1])
    return {
        "best_lag": best_lag(said, own, rate_hz),
        "levels": levels,
        "cells": len({t.cell for t in own}),
        "hours": sum(t.dff.size for t in own) / rate_hz / 3600,
        "noise_level": float(np.median([noise_level(t.dff, rate_hz) for t in own])),
        "spikes_per_s": float(np.mean(np.concatenate([t.rate for t in own]))),
    }


def best_lag(said: Sequence[Floats], own: Sequence[Paired], rate_hz: float) -> dict[str, float]:
    """Constant lag of the truth with which a set's score is best, and that score."""
    n = int(LONGEST_S * rate_hz * PARTS)
    lags = np.arange(-n, n + 1) / PARTS
    r = [scored([shifted(each, lag) for each in said], own)["r"] for lag in lags]
    k = int(np.argmax(r))
    return {"r": r[k], "lag_s": float(lags[k] / rate_hz)}


def ours(
    known: Sequence[Paired], rate_hz: float, steps: int, members: int, rng: np.random.Generator
) -> Ensemble:
    """The shipped networks, trained on with the known sets and a share of simulated traces."""
    extra = simulated(rate_hz, PER_INDICATOR, rng, 80.0 if rate_hz > 12 else 160.0)
    extra = [replace(each, group="simulated") for each in extra if each.rate.std() > 0]
    shares: Mapping[str, float] = {"simulated": SIMULATED_SHARE}
    recipe = replace(recipe_for(rate_hz), steps=steps, shares=shares)
    start = shipped().nearest(rate_hz).members
    return fitted([*known, *extra], rate_hz, rng=rng, members=members, start=start, recipe=recipe)


if __name__ == "__main__":
    _train, _test, _out, _rate, _held, _steps, _members, _answer = sys.argv[1:]
    _how = {"steps": int(_steps), "members": int(_members)}
    write_result(
        Path(_answer),
        fold(Path(_train), Path(_test), Path(_out), float(_rate), _held.split(","), _how),
    )
