"""What `rates/nissl` is held to: a plain network on dF/F, and a linear filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.noise import with_level
from nissl.annotators.rates.training import Paired, Recipe
from nissl.nets.backend import pytorch, seeded

Floats = npt.NDArray[np.float64]
Plain = Callable[[npt.NDArray[np.float32]], Floats]

REACH_S = 3.0
PENALTY = 1e-2


def plain_network(
    known: Sequence[Paired], rate_hz: float, rng: np.random.Generator, recipe: Recipe
) -> Plain:
    """An untuned convolutional network of 28,000 parameters on dF/F alone.

    Three convolutions of 31, 19 and 13 frames, two of one; the squared error over the cell's
    variance; sets and cells drawn evenly, as ours are, and noise added as for ours.
    """
    torch: Any = pytorch()
    nn = torch.nn
    with seeded(rng):
        net = nn.Sequential(
            nn.Conv1d(1, 20, 31, padding=15), nn.ReLU(),
            nn.Conv1d(20, 30, 19, padding=9), nn.ReLU(),
            nn.Conv1d(30, 40, 13, padding=6), nn.ReLU(),
            nn.Conv1d(40, 10, 1), nn.ReLU(), nn.Conv1d(10, 1, 1),
        )  # fmt: skip
    cells: dict[str, dict[str, list[Paired]]] = {}
    for each in known:
        if each.dff.size >= recipe.frames // 4:
            cells.setdefault(each.group, {}).setdefault(each.cell, []).append(each)
    best = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(best, recipe.rate, total_steps=recipe.steps)
    groups = sorted(cells)
    for _ in range(recipe.steps):
        x, y, scale = [], [], []
        for _ in range(recipe.batch):
            group = cells[groups[int(rng.integers(len(groups)))]]
            own = group[sorted(group)[int(rng.integers(len(group)))]]
            each = own[int(rng.integers(len(own)))]
            first = int(rng.integers(max(each.dff.size - recipe.frames, 0) + 1))
            part = slice(first, first + recipe.frames)
            dff = each.dff[part]
            if rng.random() >= recipe.clean:
                level = float(np.exp(rng.uniform(*np.log(recipe.levels))))
                dff = with_level(dff, rate_hz, level, rng)
            lacking = (0, recipe.frames - dff.size)
            x.append(np.pad(dff, lacking, mode="edge"))
            y.append(np.pad(each.rate[part], lacking))
            scale.append(np.concatenate([t.rate for t in own]).var() + 0.25)
        said = net(torch.from_numpy(np.stack(x))[:, None])[:, 0]
        error = (said - torch.from_numpy(np.stack(y))) ** 2
        loss = (error / torch.tensor(np.array(scale), dtype=torch.float32)[:, None]).mean()
        best.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        best.step()
        cycle.step()
    net.eval()

    def said_of(dff: npt.NDArray[np.float32]) -> Floats:
        with torch.no_grad():
            out = net(torch.from_numpy(np.ascontiguousarray(dff))[None, None])[0, 0]
        return np.maximum(out.numpy().astype(np.float64), 0.0)

    return said_of


def linear_filter(known: Sequence[Paired], rate_hz: float) -> Plain:
    """Ridge regression of a cell's scaled rate on its scaled trace, three seconds each way."""
    n = round(REACH_S * rate_hz)
    power = np.zeros((2 * n + 1, 2 * n + 1))
    pull = np.zeros(2 * n + 1)
    for each in known:
        if each.rate.std() == 0 or each.dff.size < 4 * n:
            continue
        windows = _windows(each.dff[: round(120 * rate_hz)], n)
        rate = each.rate[: len(windows)].astype(np.float64)
        rate = (rate - rate.mean()) / max(float(each.rate.std()), 1e-6)
        power += windows.T @ windows / len(windows)
        pull += windows.T @ rate / len(windows)
    taps = np.linalg.solve(power + PENALTY * np.trace(power) / len(pull) * np.eye(len(pull)), pull)
    return lambda dff: np.maximum(_windows(dff, n) @ taps, 0.0)


def _windows(dff: npt.NDArray[np.float32], n: int) -> Floats:
    x = np.asarray(dff, np.float64)
    x = (x - np.median(x)) / max(float(x.std()), 1e-6)
    return np.lib.stride_tricks.sliding_window_view(np.pad(x, n, mode="edge"), 2 * n + 1)
