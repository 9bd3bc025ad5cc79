"""Teaching the network with annotated volumes.

Its scores are asked at places alone: around every annotated neuron, at bright voxels and anywhere;
a place is of the neuron that is nearest, where that is near, and background otherwise. Classes
that a volume does not show take no part in it, so that a neuron that nobody annotated there is
not denied. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.augment import QUANTUM, Augment, coded
from nissl.annotators.tracks.network import STRIDE, NetworkSettings, TrackNet
from nissl.nets.backend import pytorch, seeded
from nissl.nets.training import IGNORED, Recipe, Windows, fit
from nissl.run.progress import Progress

torch: Any = pytorch()


@dataclass(frozen=True)
class Teaching:
    """How the network is taught.

    Parameters
    ----------
    steps : int
        Volumes that it sees, all in all.
    batch : int
    rate : float
        Of learning; falls to nothing along a half cosine.
    radius : tuple of float
        Half axes along z, y, x of what is still the neuron, voxels of the grid.
    around, bright, anywhere : int
        Places that are asked: around each neuron, at bright voxels, anywhere.
    ground : float
        Weight of background against that of neurons.
    augment : Augment
    device : {"auto", "cpu", "cuda"}
    """

    steps: int = 600
    batch: int = 2
    rate: float = 4e-3
    radius: tuple[float, float, float] = (1.2, 2.5, 2.5)
    around: int = 6
    bright: int = 600
    anywhere: int = 400
    ground: float = 0.5
    augment: Augment = field(default_factory=Augment)
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Lessons:
    """Annotated volumes on the working grid.

    Parameters
    ----------
    volumes : ndarray, shape (n, c, z, y, x), float32
    xyz : ndarray, shape (n, n_neurons, 3), voxels of the grid
        NaN where a neuron has no place.
    weight : ndarray, shape (n,)
        How often each is shown, against the others.
    """

    volumes: npt.NDArray[np.float32]
    xyz: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Lessons]) -> Lessons:
        """All volumes of several."""
        return cls(
            np.concatenate([p.volumes for p in parts]),
            np.concatenate([p.xyz for p in parts]),
            np.concatenate([p.weight for p in parts]),
        )


def teach(
    lessons: Lessons,
    rng: np.random.Generator,
    teaching: Teaching | None = None,
    *,
    start: TrackNet | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> TrackNet:
    """Train a network, from scratch or from what another has learnt.

    Parameters
    ----------
    lessons : Lessons
    rng : numpy.random.Generator
    teaching : Teaching, optional
    start : TrackNet, optional
        Of the same neurons; trained further in place.
    progress : Progress, optional
    checkpoint : Path, optional
        File of the state, from which an interrupted training goes on; see `nissl.nets.training`.
    """
    how = teaching or Teaching()
    n, n_channels = lessons.volumes.shape[:2]
    with seeded(rng):
        net = start or TrackNet(NetworkSettings(n_channels, lessons.xyz.shape[1]))
    epochs = max(1, min(40, how.steps // max(n, how.batch)))
    shown = _shown(lessons.weight, how.steps // epochs, rng)
    windows = Windows(lessons.volumes[shown], coded(lessons.xyz[shown], lessons.volumes.shape[2:]))
    recipe = Recipe(
        epochs=epochs,
        patience=epochs,
        batch=how.batch,
        rate=how.rate,
        decay=1e-3,
        anneal=True,
        device=how.device,
    )
    done = fit(
        net,
        windows,
        rng=rng,
        recipe=recipe,
        augment=how.augment,
        loss=places_loss(how),
        progress=progress,
        checkpoint=checkpoint,
    )
    trained: TrackNet = done.net
    return trained


def _shown(
    weight: npt.NDArray[np.float64], n: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Volumes of one epoch, as often each as its weight asks, at least `n`."""
    parts = weight / weight.sum() * max(n, 1)
    often = np.floor(parts).astype(np.int64)
    left = max(n, 1) - int(often.sum())
    order = np.argsort(often - parts + 1e-9 * rng.random(len(parts)))
    often[order[:left]] += 1
    return np.repeat(np.arange(len(weight)), often)


def places_loss(how: Teaching) -> Callable[[Any, Any, Any], Any]:
    """Cross-entropy at places that are drawn anew; see the head of this module."""

    def loss(net: Any, x: Any, code: Any) -> Any:
        features = net(x)
        lost = [
            _of_volume(net, features[k], x[k], code[k], how, torch.is_grad_enabled())
            for k in range(len(x))
        ]
        return torch.stack(lost).mean()

    return loss


def _of_volume(net: Any, features: Any, x: Any, code: Any, how: Teaching, learning: bool) -> Any:
    del learning
    where = features.device
    size = torch.tensor(features.shape[1:], device=where)
    there = code[:, 0] != IGNORED
    if not bool(there.any()):
        return features.sum() * 0.0
    zyx = code[there].flip(1).float() / QUANTUM
    zyx[:, 1:] = (zyx[:, 1:] + 0.5) / STRIDE - 0.5
    radius = torch.tensor(how.radius, device=where) / torch.tensor(
        [1.0, STRIDE, STRIDE], device=where
    )
    jitter = (torch.rand(len(zyx), how.around, 3, device=where) * 2 - 1) * radius
    near = (zyx[:, None] + jitter).reshape(-1, 3)
    light = torch.nn.functional.interpolate(x[None, :1], size=features.shape[1:])[0, 0]
    # the brightest of a random part, so that neurons nobody annotated are asked as well
    drawn = torch.randint(light.numel(), (min(light.numel(), how.bright * 8),), device=where)
    bright = drawn[light.reshape(-1)[drawn].topk(min(how.bright, len(drawn))).indices]
    anywhere = torch.randint(light.numel(), (how.anywhere,), device=where)
    flat = torch.cat([bright, anywhere])
    far = torch.stack(
        [
            flat // (size[1] * size[2]),
            (flat // size[2]) % size[1],
            flat % size[2],
        ],
        dim=1,
    ).float()
    at = torch.minimum(torch.cat([near, far]).round().clamp_min(0).long(), size - 1)
    apart = torch.cdist(at / radius, zyx / radius)
    least, nearest = apart.min(dim=1)
    names = torch.nonzero(there)[:, 0]
    ground = net.settings.n_classes
    target = torch.where(least <= 1.0, names[nearest], ground)
    # a rim between neuron and ground is asked of neither
    known = (least <= 1.0) | (least >= 1.6)
    at, target = at[known], target[known]
    asked = features[:, at[:, 0], at[:, 1], at[:, 2]].T
    scores = net.classify(asked).float()
    present = torch.cat([there, torch.ones(1, dtype=torch.bool, device=where)])
    scores = scores.masked_fill(~present, -1e4)
    each = torch.nn.functional.cross_entropy(scores, target, reduction="none")
    neuron = target != ground
    own = each[neuron].sum() / neuron.sum().clamp_min(1)
    other = each[~neuron].sum() / (~neuron).sum().clamp_min(1)
    return own + how.ground * other


__all__ = ["Lessons", "Teaching", "places_loss", "teach"]
