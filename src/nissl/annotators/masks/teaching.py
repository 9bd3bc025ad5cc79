"""Teaching the network of tracks with masks: its scores are asked at voxels of annotated volumes.

Dense targets are a sample of voxels that moves with the volume when that is changed, exactly,
where labels that are read by nearest neighbour would lose thin parts: of each neuron some of its
voxels; of the ground those at its rims, bright ones, and some anywhere. Classes that nobody
annotated in a volume take no part. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.augment import QUANTUM, Augment, coded
from nissl.annotators.tracks.network import STRIDE, NetworkSettings, TrackNet
from nissl.annotators.tracks.prepare import Grid
from nissl.nets.backend import pytorch, seeded
from nissl.nets.training import IGNORED, Recipe, Windows, fit
from nissl.run.progress import Progress

torch: Any = pytorch()

Floats = npt.NDArray[np.float32]
RIM = 2
"""Pixels around a neuron that are its rim, in the plane; one plane above and below."""


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
    most : int
        Voxels of a neuron that are asked.
    rim, bright, anywhere : int
        Voxels of the ground that are asked: at rims, bright, anywhere.
    rare : float
        Weight of a class is its number of voxels to minus this power: 0 none, 1 all alike.
    ground : float
        Weight of the ground against that of all neurons.
    augment : Augment
    device : {"auto", "cpu", "cuda"}
    """

    steps: int = 300
    batch: int = 2
    rate: float = 4e-3
    most: int = 96
    rim: int = 2000
    bright: int = 1000
    anywhere: int = 1000
    rare: float = 0.5
    ground: float = 1.0
    augment: Augment = field(default_factory=Augment)
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Lesson:
    """An annotated volume on the working grid.

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x), float32
    places : ndarray, shape (n_neurons * most + n_ground, 3), voxels of the grid
        x, y, z; of each neuron in turn, then of the ground; NaN where there are fewer.
    weight : float
        How often it is shown, against the others.
    """

    volume: Floats
    places: Floats
    weight: float = 1.0


def lesson(
    volume: npt.NDArray[Any],
    mask: npt.NDArray[np.integer[Any]],
    n_neurons: int,
    grid: Grid,
    rng: np.random.Generator,
    how: Teaching,
) -> Lesson:
    """Prepare an annotated volume.

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x)
    mask : ndarray, shape (z, y, x)
        1 for the first neuron, 0 for none.
    n_neurons : int
    grid : Grid
    rng : numpy.random.Generator
        Draws the voxels.
    how : Teaching
    """
    from scipy import ndimage

    slots = np.full((n_neurons, how.most, 3), np.nan)
    for number, box in enumerate(ndimage.find_objects(mask), start=1):
        if box is None:
            continue
        zyx = np.argwhere(mask[box] == number) + [s.start for s in box]
        some = zyx[_some(len(zyx), how.most, rng)]
        slots[number - 1, : len(some)] = some[:, ::-1]
    free = mask == 0
    reach = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), RIM)[None]
    near = ndimage.binary_dilation(mask > 0, reach)
    near |= ndimage.binary_dilation(mask > 0, np.ones((3, 1, 1)))
    light = np.where(free & ~near, volume[0], -np.inf).ravel()
    brightest = np.argpartition(-light, min(4 * how.bright, light.size - 1))[: 4 * how.bright]
    ground = [
        np.flatnonzero((near & free).ravel()),
        brightest[np.isfinite(light[brightest])],
        np.flatnonzero(free.ravel()),
    ]
    parts = []
    for flat, most in zip(ground, (how.rim, how.bright, how.anywhere), strict=True):
        part = np.full((most, 3), np.nan)
        some = flat[_some(len(flat), most, rng)]
        part[: len(some)] = np.stack(np.unravel_index(some, mask.shape)[::-1], axis=1)
        parts.append(part)
    places = np.concatenate([slots.reshape(-1, 3), *parts])
    return Lesson(grid.read(volume), grid.to_grid(places))


def teach(
    lessons: list[Lesson],
    n_neurons: int,
    rng: np.random.Generator,
    how: Teaching,
    *,
    start: TrackNet | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> TrackNet:
    """Train a network, from scratch or from what another has learnt; see `nissl.nets.training`.

    Parameters
    ----------
    lessons : list of Lesson
    n_neurons : int
    rng : numpy.random.Generator
    how : Teaching
    start : TrackNet, optional
        Trained further in place.
    progress : Progress, optional
    checkpoint : Path, optional
    """
    with seeded(rng):
        net = start or TrackNet(NetworkSettings(len(lessons[0].volume), n_neurons))
    epochs = max(1, min(40, how.steps // max(len(lessons), how.batch)))
    shown = _shown(np.array([each.weight for each in lessons]), how.steps // epochs, rng)
    size = lessons[0].volume.shape[1:]
    windows = Windows(
        np.stack([lessons[k].volume for k in shown]),
        np.stack([coded(lessons[k].places, size) for k in shown]),
    )
    recipe = Recipe(
        epochs=epochs, patience=epochs, batch=how.batch, rate=how.rate, decay=1e-3, anneal=True,
        device=how.device,
    )  # fmt: skip
    done = fit(
        net, windows, rng=rng, recipe=recipe, augment=how.augment, loss=voxels_loss(how),
        progress=progress, checkpoint=checkpoint,
    )  # fmt: skip
    trained: TrackNet = done.net
    return trained


def weighed(lessons: list[Lesson], share: float) -> list[Lesson]:
    """The lessons, together shown as often as `share` others."""
    return [replace(each, weight=share / len(lessons)) for each in lessons]


def voxels_loss(how: Teaching) -> Callable[[Any, Any, Any], Any]:
    """Cross-entropy at the voxels of lessons; rare classes weigh more."""

    def loss(net: Any, x: Any, code: Any) -> Any:
        features = net(x)
        lost = [_of_volume(net, features[k], code[k], x.shape[2:], how) for k in range(len(x))]
        return torch.stack(lost).mean()

    return loss


def _of_volume(net: Any, features: Any, code: Any, shape: Any, how: Teaching) -> Any:
    n = net.settings.n_classes
    there = code[:, 0] != IGNORED
    owner = torch.arange(len(code), device=code.device) // how.most
    target = owner.clamp_max(n)[there]
    if not bool(there.any()):
        return features.sum() * 0.0
    size = torch.tensor(shape[::-1], device=code.device)
    unit = (code[there].float() / QUANTUM + 0.5) / size * 2 - 1
    asked = torch.nn.functional.grid_sample(
        features[None].float(), unit[None, None, None], align_corners=False, padding_mode="border"
    )[0, :, 0, 0].T
    scores = net.classify(asked).float()
    count = torch.bincount(target, minlength=n + 1)
    present = count > 0
    present[n] = True
    scores = scores.masked_fill(~present, -1e4)
    each = torch.nn.functional.cross_entropy(scores, target, reduction="none")
    heavy = count.clamp_min(1).float() ** -how.rare
    weight = heavy[target]
    neuron = target != n
    own = (each * weight)[neuron].sum() / weight[neuron].sum().clamp_min(1e-6)
    other = each[~neuron].sum() / (~neuron).sum().clamp_min(1)
    return own + how.ground * other


def _shown(weight: npt.NDArray[np.float64], n: int, rng: np.random.Generator) -> list[int]:
    """Lessons of one epoch, as often each as its weight asks."""
    parts = weight / weight.sum() * max(n, 1)
    often = np.floor(parts).astype(np.int64)
    left = max(n, 1) - int(often.sum())
    order = np.argsort(often - parts + 1e-9 * rng.random(len(parts)))
    often[order[:left]] += 1
    shown: list[int] = np.repeat(np.arange(len(weight)), often).tolist()
    return shown


def _some(n: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.arange(n) if n <= most else rng.choice(n, most, replace=False)


__all__ = ["STRIDE", "Lesson", "Teaching", "lesson", "teach", "voxels_loss", "weighed"]
