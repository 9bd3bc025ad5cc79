"""Coupling loop on simulated days with planted reasons, and on two real days of motor cortex."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from _glue_days import real_days
from nissl.align.coupling.judging import judge
from nissl.align.coupling.rounds import begin, couple
from nissl.align.coupling.scores import Bench
from nissl.align.coupling.simulate import planted
from nissl.align.coupling.split import Parts, split
from nissl.align.coupling.state import Options, Round, State

GOAL = 0.95
FIRST_SEED = 2000
"""Seeds 0 to 200 were in view while the loop was built."""


def simulated_part(*, quick: bool, kept: Callable[..., Any]) -> dict[str, Any]:
    """Loop and random windows on several seeds."""
    seeds = range(FIRST_SEED, FIRST_SEED + (1 if quick else 5))
    rows = [kept(f"simulated-{s}", lambda s=s: one_seed(s, quick=quick)) for s in seeds]
    return {"rows": rows, "goal": GOAL}


def one_seed(seed: int, *, quick: bool) -> dict[str, Any]:
    """Windows that the loop and random choice need for the goal, on the test part."""
    made = planted(np.random.default_rng(seed), n_units=40, per_condition=8 if quick else 16)
    parts = split(made.fragments, np.random.default_rng(seed))
    bench = Bench(parts.fit, parts.choose)
    same = [(i, j) for i in range(3) for j in range(i + 1, 3)]
    runs = {}
    for pick in ("gain", "random"):
        # The loop's own rule stops it; that of random choice goes on to the last window, so
        # that the number it needs is known.
        options = Options(step=16, enough=0.95 if pick == "gain" else 1.0, pick=pick, seed=seed)
        runs[pick] = list(couple(bench, made.start(bench), options))
    sealed = Bench(parts.fit, parts.test.open("curve of the benchmark"))
    curves = {pick: [(r.n_windows, mean_skill(sealed, r.state, same)) for r in rounds]
              for pick, rounds in runs.items()}  # fmt: skip
    loop = runs["gain"]
    every = tuple(tuple(int(k) for k in n) for n in sealed.numbers)
    oracle = mean_skill(sealed, replace(loop[-1].state, used=every), same)
    begun = loop[0].n_windows
    need = {pick: needed(curve, GOAL * oracle, begun) for pick, curve in curves.items()}
    apart = set(loop[-1].state.apart)
    return {
        "seed": seed,
        "oracle": oracle,
        "oracle_windows": sum(map(len, every)) - begun,
        "before": curves["gain"][0][1],
        "after": curves["gain"][-1][1],
        "windows": loop[-1].n_windows - begun,
        "need": need,
        "curves": {k: [[n - begun, v] for n, v in c] for k, c in curves.items()},
        "stranger_told": len([p for p in apart if made.stranger in p]),
        "wrongly_apart": len([p for p in apart if made.stranger not in p]),
        "stopped": loop[-1].says,
        "rounds": len(loop),
    }


def mean_skill(bench: Bench, state: State, pairs: Sequence[tuple[int, int]]) -> float:
    """Mean over both directions of pairs; maps worse than the mean course are not used."""
    each = [bench.skill(a, b, state.how[p], state.windows).useful
            for p in pairs for a, b in (p, p[::-1])]  # fmt: skip
    return float(np.mean(each))


def needed(curve: Sequence[tuple[int, float]], goal: float, begun: int) -> int | None:
    """Windows from which on a curve stays at the goal or above; None where it never does."""
    below = [k for k, (_, v) in enumerate(curve) if v < goal]
    at = below[-1] + 1 if below else 0
    return int(curve[at][0]) - begun if at < len(curve) else None


def real_part(data: Path, *, quick: bool, kept: Callable[..., Any]) -> dict[str, Any] | None:
    """Two days of one monkey, other units; several cuts in three parts."""
    days = real_days(data)
    if days is None:
        return None
    seeds = range(1 if quick else 3)
    return {"rows": [kept(f"days-{s}", lambda s=s: one_cut(days, s)) for s in seeds]}


def one_cut(days: Sequence[Any], seed: int) -> dict[str, Any]:
    """Loop and random windows on one cut."""
    parts: Parts = split(days, np.random.default_rng(seed))
    bench = Bench(parts.fit, parts.choose)
    start = begin(bench, per_condition=1)
    runs: dict[str, list[Round]] = {}
    for pick in ("gain", "random"):
        options = Options(step=4, enough=0.95 if pick == "gain" else 1.0, pick=pick, seed=seed)
        runs[pick] = list(couple(bench, start, options))
    loop = runs["gain"]
    found = judge(parts, loop[0], loop[-1], np.random.default_rng(seed))
    sealed = Bench(parts.fit, parts.test.open("curve of the benchmark"))
    pairs = [(0, 1)]
    curves = {pick: [[r.n_windows - loop[0].n_windows, mean_skill(sealed, r.state, pairs)]
                     for r in rounds] for pick, rounds in runs.items()}  # fmt: skip
    return {
        "verdict": [v.to_json() for v in found],
        "curves": curves,
        "windows": loop[-1].n_windows - loop[0].n_windows,
        "all_windows": sum(len(n) for n in bench.numbers) - loop[0].n_windows,
        "how": {f"{i}-{j}": asdict(h) for (i, j), h in loop[-1].state.how.items()},
        "stopped": loop[-1].says,
        "rounds": len(loop),
        "choose": [[r.n_windows, r.skill, r.kind] for r in loop],
    }
