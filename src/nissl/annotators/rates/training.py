"""Training of the network on traces whose spikes are known. Needs PyTorch.

Each step sees stretches of traces drawn evenly over sets, then over the cells of a set; noise is
added until the trace has a level drawn evenly on a logarithmic scale, as the published idea of
noise-matched training asks for (Rupprecht et al. 2021, Nature Neuroscience 24, 1324-1337), so that
one network serves a range of levels. The loss is one minus the correlation of a stretch, with what
is small beside the cell's own fluctuations held down, and a part of the squared error over the
cell's variance, which sets the absolute scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.network import Shape, Weights, prepared
from nissl.annotators.rates.noise import with_level
from nissl.annotators.rates.resampling import averaged, edges_of, true_rate
from nissl.errors import BadArgumentError, MissingInputError
from nissl.run.progress import Progress, Silent

Array = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Paired:
    """A trace whose spikes are known, on the network's frames.

    Parameters
    ----------
    dff : ndarray, shape (n_frames,), float32
        dF/F, 1 = 100 %.
    rate : ndarray, shape (n_frames,), float32
        True spikes per second, smoothed.
    cell : str
        Several traces may be of one cell.
    group : str
        What is left out together: the data set, the animal, the indicator of a simulation.
    """

    dff: Array
    rate: Array
    cell: str
    group: str


def paired(
    times_s: Values,
    dff: Values,
    spikes_s: Values,
    *,
    rate_hz: float,
    sigma_s: float,
    cell: str,
    group: str,
) -> Paired:
    """Put a recorded trace and its spikes on the frames of a rate.

    Parameters
    ----------
    times_s : ndarray, shape (n,), float64, seconds
        Middle of each frame; need not be regular.
    dff : ndarray, shape (n,), float64
    spikes_s : ndarray, float64, seconds
        On the same clock.
    rate_hz : float
        Of the frames that are wanted.
    sigma_s : float
        Of the Gaussian that smooths the truth.
    cell, group : str
    """
    edges = edges_of(times_s, rate_hz)
    trace = averaged(times_s, dff, edges).astype(np.float32)
    truth = true_rate(spikes_s, edges, sigma_s).astype(np.float32)
    return Paired(trace, truth, cell, group)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    steps, batch : int
    frames : int
        Length of a stretch.
    longest_s : float
        Part of a trace that sets its scales.
    rate, decay : float
        Highest learning rate of one cycle, and weight decay, of AdamW (Loshchilov and Hutter
        2019, arXiv:1711.05101).
    clean : float
        Share of the traces to which no noise is added.
    levels : tuple of float, % per sqrt(Hz)
        Range of the noise levels of the others.
    squared : float
        Weight of the squared error beside the correlation.
    shares : mapping of str to float
        Share of the draws of groups that do not count like the others.
    """

    steps: int = 1000
    batch: int = 32
    frames: int = 256
    longest_s: float = 200.0
    rate: float = 1e-2
    decay: float = 0.1
    clean: float = 0.3
    levels: tuple[float, float] = (0.5, 8.0)
    squared: float = 0.3
    shares: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class _Cell:
    traces: tuple[Paired, ...]
    sd: float


def train(
    known: Sequence[Paired],
    rate_hz: float,
    *,
    rng: np.random.Generator,
    shape: Shape | None = None,
    start: Weights | None = None,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
) -> Weights:
    """Train one network.

    Parameters
    ----------
    known : sequence of Paired
    rate_hz : float
        Frames per second of the traces.
    rng : numpy.random.Generator
    shape : Shape, optional
        Of a network that begins anew.
    start : Weights, optional
        Where to go on; the shipped weights, say.
    recipe : Recipe, optional
    progress : Progress, optional

    Raises
    ------
    MissingInputError
        No trace of which both length and spikes suffice.
    """
    from nissl.annotators.rates.twin import Twin, torch, twin_of
    from nissl.nets.backend import seeded

    how, told = recipe or Recipe(), progress or Silent()
    groups = _groups(known, how.frames // 4)
    with seeded(rng):
        twin = Twin(shape or Shape()) if start is None else twin_of(start)
    best = torch.optim.AdamW(twin.parameters(), how.rate, weight_decay=how.decay)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        best, how.rate, total_steps=how.steps, pct_start=0.1
    )
    stretches = _stretches(groups, rate_hz, how, rng)
    twin.train()
    told.start("train", float(how.steps), "steps")
    for _ in range(how.steps):
        x, y, counts, sd = (torch.from_numpy(part) for part in next(stretches))
        loss = _loss(twin(x), y, counts, sd, how.squared)
        best.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        best.step()
        cycle.step()
        told.advance("train", 1.0)
    told.finish("train")
    weights: Weights = twin.eval().weights()
    return weights


def _groups(known: Sequence[Paired], least: int) -> dict[str, list[_Cell]]:
    """Cells by group, with the standard deviation of each cell's rate."""
    cells: dict[tuple[str, str], list[Paired]] = {}
    for trace in known:
        if trace.dff.shape != trace.rate.shape or trace.dff.ndim != 1:
            raise BadArgumentError(
                "a rate for every frame of a trace",
                f"{trace.dff.shape} and {trace.rate.shape}",
                "Make them with `paired`.",
            )
        if trace.dff.size >= least:
            cells.setdefault((trace.group, trace.cell), []).append(trace)
    out: dict[str, list[_Cell]] = {}
    for (group, _), traces in cells.items():
        sd = float(np.std(np.concatenate([t.rate for t in traces])))
        out.setdefault(group, []).append(_Cell(tuple(traces), sd))
    if not any(cell.sd > 0 for group in out.values() for cell in group):
        raise MissingInputError(
            f"traces of {least} frames or more, with spikes",
            f"{len(known)} traces, none of them so",
            "Give paired recordings; see `nissl.annotators.rates.training.paired`.",
        )
    return out


def _stretches(
    groups: Mapping[str, Sequence[_Cell]], rate_hz: float, how: Recipe, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Inputs, rates, which frames count, and the cell's standard deviation, batch by batch."""
    names = sorted(groups)
    share = _shares(names, how.shares or {})
    longest = int(how.longest_s * rate_hz)
    while True:
        x: list[Array] = []
        y: list[Array] = []
        counts: list[Array] = []
        sds: list[float] = []
        while len(x) < how.batch:
            cells = groups[names[int(rng.choice(len(names), p=share))]]
            cell = cells[int(rng.integers(len(cells)))]
            lengths = np.array([t.dff.size for t in cell.traces], np.float64)
            trace = cell.traces[int(rng.choice(lengths.size, p=lengths / lengths.sum()))]
            first = int(rng.integers(max(trace.dff.size - longest, 0) + 1))
            part = slice(first, first + longest)
            seen, truth = _noisier(trace.dff[part], rate_hz, how, rng), trace.rate[part]
            inputs = prepared(seen, rate_hz)
            for _ in range(2):  # preparing costs more than cutting
                cut = _cut(inputs, truth, how.frames, rng)
                x.append(cut[0])
                y.append(cut[1])
                counts.append(cut[2])
                sds.append(cell.sd)
        yield np.stack(x), np.stack(y), np.stack(counts), np.asarray(sds, np.float32)


def _shares(names: Sequence[str], stated: Mapping[str, float]) -> Values:
    rest = 1.0 - sum(stated.get(name, 0.0) for name in names)
    others = max(sum(name not in stated for name in names), 1)
    share = np.array([stated.get(name, rest / others) for name in names])
    return np.asarray(share / share.sum())


def _noisier(dff: Array, rate_hz: float, how: Recipe, rng: np.random.Generator) -> Array:
    if rng.random() < how.clean:
        return dff
    level = float(np.exp(rng.uniform(*np.log(how.levels))))
    return with_level(dff, rate_hz, level, rng)


def _cut(
    inputs: Array, truth: Array, n: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """A stretch of `n` frames; a shorter trace is continued by its last values, which count not."""
    have = truth.size
    first = int(rng.integers(max(have - n, 0) + 1))
    frames = np.minimum(np.arange(first, first + n), have - 1)
    counts = (np.arange(first, first + n) < have).astype(np.float32)
    return inputs[:, frames], truth[frames] * counts, counts


def _loss(said: Any, true: Any, counts: Any, sd: Any, squared: float) -> Any:
    """One minus the correlation over stretches that vary, and the scaled squared error."""
    import torch

    n = counts.sum(1).clamp(min=1.0)
    off = (said - ((said * counts).sum(1) / n)[:, None]) * counts
    off_true = (true - ((true * counts).sum(1) / n)[:, None]) * counts
    said_var, true_var = (off**2).sum(1) / n, (off_true**2).sum(1) / n
    both = (off * off_true).sum(1) / n
    variance = sd**2
    r = both / torch.sqrt((said_var + 0.02 * variance + 1e-3) * (true_var + 1e-6))
    varies = (true_var > 1e-3).float()
    unlike = ((1 - r) * varies).sum() / varies.sum().clamp(min=1.0)
    error = ((said - true) ** 2 * counts / (variance[:, None] + 0.25)).mean()
    return unlike + squared * error


__all__ = ["Paired", "Recipe", "paired", "train"]
