"""Which neuron each point of a volume is, from the arrangement of all of them.

A small transformer over the set of points of a volume (Vaswani et al. 2017, arXiv:1706.03762;
for neurons of the worm as in Yu et al. 2021, eLife 10:e66410), whose attention knows how two
points lie to each other. It never sees voxels, so that thousands of deformed sets cost little:
it learns from annotated sets that are mixed with one another, bent, thinned and littered.
Needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.augment import Augment
from nissl.nets.backend import pytorch, seeded
from nissl.nets.training import IGNORED, Recipe, Windows, fit
from nissl.run.progress import Progress

torch: Any = pytorch()
nn: Any = torch.nn
Floats = npt.NDArray[np.float32]

FREQUENCIES = (0.5, 1.0, 2.0, 4.0)
"""Of the waves in which places are told, cycles over twice the spread of the set."""


@dataclass(frozen=True)
class PointTeaching:
    """How the transformer is taught.

    Parameters
    ----------
    steps, batch : int
        Steps of so many sets.
    rate : float
    width, layers, heads : int
        Its size.
    jitter : float
        Of points along each axis, um.
    lost, litter : float
        Largest parts of points that go missing, and of points that come without a name.
    mixing : float
        How far beyond one another two annotated postures are mixed: 0 none.
    augment : Augment
        Its deformation; brightness is changed by `light`.
    light : float
        Standard deviation of the logarithm of brightness.
    device : {"auto", "cpu", "cuda"}
    """

    steps: int = 700
    batch: int = 12
    rate: float = 2e-3
    width: int = 96
    layers: int = 3
    heads: int = 4
    jitter: float = 0.35
    lost: float = 0.15
    litter: float = 0.08
    mixing: float = 0.3
    augment: Augment = field(default_factory=lambda: Augment(bend=0.06, shear=0.06, shift=0.02))
    light: float = 0.3
    device: str = "auto"


class PointNet(nn.Module):
    """The transformer; `forward` gives scores, background last.

    Parameters
    ----------
    n_classes : int
    width, layers, heads : int
    scale : tuple of float
        Spread of points along x, y and z, um.
    """

    def __init__(
        self, n_classes: int, width: int, layers: int, heads: int, scale: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.n_classes, self.heads = n_classes, heads
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("waves", torch.tensor(FREQUENCIES) * torch.pi)
        self.enter = nn.Linear(3 + 6 * len(FREQUENCIES) + 1, width)
        self.pair = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, layers * heads))
        self.blocks = nn.ModuleList([_Block(width, heads) for _ in range(layers)])
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, n_classes + 1))

    def forward(self, points: Any) -> Any:
        """Scores (n, n_points, n_classes + 1).

        Parameters
        ----------
        points : Tensor, shape (n, n_points, 4)
            Places x, y, z in um and the logarithm of brightness; NaN places are no points.
        """
        there = torch.isfinite(points[..., 0])
        known = torch.nan_to_num(points)
        count = there.sum(dim=1).clamp_min(1)[:, None, None]
        centre = (known[..., :3] * there[..., None]).sum(dim=1, keepdim=True) / count
        at = (known[..., :3] - centre) / self.scale
        waves = (at[..., None] * self.waves).flatten(2)
        token = torch.cat([at, waves.sin(), waves.cos(), known[..., 3:]], dim=2)
        apart = at[:, :, None] - at[:, None]
        far = apart.norm(dim=3, keepdim=True)
        near = torch.cat([apart, far, torch.exp(-4 * far), torch.tanh(4 * apart[..., :2])], dim=3)
        bias = self.pair(near).permute(0, 3, 1, 2)
        bias = bias.masked_fill(~there[:, None, None, :], -1e4)
        out = self.enter(token)
        for k, block in enumerate(self.blocks):
            out = block(out, bias[:, k * self.heads : (k + 1) * self.heads])
        return self.leave(out)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Any, bias: Any) -> Any:
        n, m, width = x.shape
        q, k, v = self.read(self.first(x)).view(n, m, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        weight = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5 + bias).softmax(dim=3)
        x = x + self.mix((weight @ v).transpose(1, 2).reshape(n, m, width))
        return x + self.think(self.second(x))


def teach_points(
    points: Floats,
    extent: tuple[int, int, int],
    rng: np.random.Generator,
    teaching: PointTeaching | None = None,
    *,
    kept: npt.NDArray[Any],
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> PointNet:
    """Train the transformer on annotated sets.

    Parameters
    ----------
    points : ndarray, shape (n_sets, n_neurons + n_others, 4)
        x, y, z in um and the logarithm of brightness; NaN where a neuron has no place. Others
        are points that are none of the neurons.
    extent : tuple of int
        Of the volumes along z, y, x, um.
    rng : numpy.random.Generator
    teaching : PointTeaching, optional
    kept : ndarray, shape (n_neurons,)
        Probability that a neuron is found at all; `lost` comes on top.
    progress, checkpoint : optional
        See `nissl.nets.training.fit`.
    """
    how = teaching or PointTeaching()
    n, n_neurons = len(points), len(kept)
    spread = np.nanstd(points[..., :3] - np.nanmean(points[..., :3], axis=1, keepdims=True), (0, 1))
    scale = tuple(float(s) for s in np.maximum(spread, 0.5))
    with seeded(rng):
        net = PointNet(n_neurons, how.width, how.layers, how.heads, scale)
    epochs = max(1, min(25, how.steps))
    rows = np.resize(rng.permutation(n), max(n, how.batch * how.steps // epochs))
    windows = Windows(points[rows], np.tile(np.arange(points.shape[1]), (len(rows), 1)))
    recipe = Recipe(
        epochs=epochs,
        patience=epochs,
        batch=how.batch,
        rate=how.rate,
        decay=1e-2,
        anneal=True,
        device=how.device,
    )
    vary = _Vary(how, points, extent, np.asarray(kept, float))
    done = fit(
        net,
        windows,
        rng=rng,
        recipe=recipe,
        augment=vary,
        loss=_loss,
        progress=progress,
        checkpoint=checkpoint,
    )
    trained: PointNet = done.net
    return trained


def _loss(net: Any, x: Any, y: Any) -> Any:
    scores = net(x).float()
    return nn.functional.cross_entropy(scores.flatten(0, 1), y.flatten(), ignore_index=IGNORED)


@dataclass(frozen=True, eq=False)
class _Vary:
    """Mixes, bends, thins and litters sets; a `nissl.nets.augment.Change`."""

    how: PointTeaching
    points: Floats
    extent: tuple[int, int, int]
    kept: npt.NDArray[np.float64]

    def __call__(
        self, x: Floats, y: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Floats, npt.NDArray[np.int64]]:
        made = [self._one(points, rng) for points in x]
        most = max(len(points) for points, _ in made)
        out = np.full((len(made), most, 4), np.nan, np.float32)
        code = np.full((len(made), most), IGNORED, np.int64)
        for k, (points, names) in enumerate(made):
            out[k, : len(points)], code[k, : len(points)] = points, names
        return out, code

    def _one(
        self, points: Floats, rng: np.random.Generator
    ) -> tuple[Floats, npt.NDArray[np.int64]]:
        how, n = self.how, len(self.kept)
        set_ = points.copy()
        if how.mixing and len(self.points) > 1:
            other = self.points[rng.integers(len(self.points)), :n, :3]
            part = float(rng.uniform(-how.mixing, 0.5 + how.mixing))
            set_[:n, :3] = mixed(set_[:n, :3], other, part)
        there = np.flatnonzero(np.isfinite(set_[:, 0]))
        chance = np.append(self.kept, 0.8)[np.minimum(there, n)]
        there = there[rng.random(len(there)) < chance * (1 - how.lost * rng.random())]
        set_, names = set_[there], np.minimum(there, n)
        warp = how.augment.warp(self.extent, rng)
        set_[:, :3] = warp.places(set_[:, :3].astype(float))
        wild = rng.integers(0, max(len(set_), 1), int(how.litter * rng.random() * len(set_)))
        extra = set_[wild].copy()
        spread = np.std(set_[:, :3], axis=0) if len(set_) else np.ones(3)
        extra[:, :3] += 0.3 * spread * rng.standard_normal((len(extra), 3))
        set_ = np.concatenate([set_, extra])
        set_[:, :3] += how.jitter * rng.standard_normal((len(set_), 3))
        set_[:, 3] += how.light * rng.standard_normal(len(set_))
        names = np.concatenate([names, np.full(len(extra), n)])
        return set_.astype(np.float32), names.astype(np.int64)


def mixed(first: Floats, second: Floats, part: float) -> Floats:
    """A posture between two, or beyond: places (n, 3), NaN where either has none kept as first.

    The second is turned in the plane onto the first before, so that what is mixed is posture.
    """
    both = np.isfinite(first[:, 0]) & np.isfinite(second[:, 0])
    if both.sum() < 3:
        return first
    a, b = first[both], second[both]
    centre_a, centre_b = a.mean(axis=0), b.mean(axis=0)
    u, _, v = np.linalg.svd((b - centre_b)[:, :2].T @ (a - centre_a)[:, :2])
    turn = np.eye(3)
    turn[:2, :2] = u @ np.diag([1.0, np.sign(np.linalg.det(u @ v))]) @ v
    onto = (second - centre_b) @ turn + centre_a
    return np.asarray(np.where(both[:, None], (1 - part) * first + part * onto, first), np.float32)


def ask(net: PointNet, points: Floats) -> Floats:
    """Logarithms of the probabilities of the classes, (n_points, n_classes + 1); see `PointNet`."""
    if not len(points):
        return np.zeros((0, net.n_classes + 1), np.float32)
    where = next(net.parameters()).device
    with torch.no_grad():
        scores = net(torch.as_tensor(points, dtype=torch.float32, device=where)[None])[0]
        return np.asarray(torch.log_softmax(scores.float(), dim=1).cpu().numpy(), np.float32)


__all__ = ["PointNet", "PointTeaching", "ask", "mixed", "teach_points"]
