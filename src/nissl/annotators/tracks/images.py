"""The published way: a network from whole volumes to neurons, taught with targeted augmentation.

After Park et al. (eLife 2024): the network is first taught with the annotated volumes, changed
by affine maps, cuts, brightness and blur. Volumes whose posture lies farthest from those that are
known are targets; the network predicts each coarsely, and the annotated volume of the most similar
posture is deformed towards the prediction by a smooth field. The network is taught again with
annotated and synthetic volumes, and predicts all. Without targets the first teaching stands. It is
kept beside `nissl.annotators.tracks.procedure` to show what that one is worth, and on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.posture import embed, farthest, nearest
from nissl.annotators.tracks.prepare import Grid
from nissl.annotators.tracks.volumes import Volumes
from nissl.run.context import Context

Table = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImagePlan:
    """How the network is taught.

    Parameters
    ----------
    rounds : int
        Of targeted augmentation; 0 for none.
    steps : int
        Volumes that each teaching shows.
    targets : int
        Synthetic volumes of a round, at most.
    spacing : tuple of float
        Along z, y, x, um.
    device : {"auto", "cpu", "cuda"}
    """

    rounds: int
    steps: int
    targets: int
    spacing: tuple[float, float, float]
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the network says.

    Parameters
    ----------
    xyz : ndarray, shape (n_frames, n_neurons, 3), voxels
    probability : ndarray, shape (n_frames, n_neurons)
        Of the class where it is most probable.
    synthetic : int
        How many synthetic volumes were plausible enough to learn from.
    """

    xyz: Table
    probability: Table
    synthetic: int


def predict_all(volumes: Volumes, told: Positions, plan: ImagePlan, context: Context) -> Predicted:
    """Teach the network and find every neuron in every volume; stages are kept.

    Parameters
    ----------
    volumes : Volumes
    told : Positions
        Annotated volumes, voxels.
    plan : ImagePlan
    context : Context
    """
    from nissl.annotators.tracks.training import Lessons, Teaching, teach

    rng = context.rng()
    grid = Grid.of(volumes.shape)
    own = Lessons(
        np.stack([grid.read(volumes[int(frame)]) for frame in told.frames]),
        grid.to_grid(told.xyz),
        np.ones(len(told.frames)),
    )
    posture_rng = np.random.default_rng(rng.integers(2**31 - 1))
    posture = embed(volumes, np.arange(volumes.n_frames), posture_rng) if plan.rounds else None
    how = Teaching(steps=plan.steps, device=plan.device)
    lessons, count = own, 0
    for turn in range(plan.rounds + 1):
        net = teach(
            lessons,
            rng,
            how,
            progress=context.progress,
            checkpoint=context.workdir / f"images-{turn}.safetensors",
        )
        if turn == plan.rounds or posture is None:
            break
        chosen = farthest(posture, told.frames, plan.targets)
        sources = nearest(posture, told.frames)[chosen]
        made = _synthetic(net, grid, volumes, told, chosen, sources, plan, rng)
        if made is not None:
            count = len(made.volumes)
            lessons = Lessons.joined(
                [replace(own, weight=own.weight * count / len(own.volumes)), made]
            )
    xyz, sure = _everywhere(net, grid, volumes, plan, context)
    seen = told.seen
    for row, frame in enumerate(told.frames.tolist()):
        xyz[frame, seen[row]], sure[frame, seen[row]] = told.xyz[row, seen[row]], np.nan
    return Predicted(xyz, sure, count)


def _synthetic(
    net: Any,
    grid: Grid,
    volumes: Volumes,
    told: Positions,
    chosen: Ints,
    sources: Ints,
    plan: ImagePlan,
    rng: np.random.Generator,
) -> Any:
    """Lessons of annotated volumes deformed towards targets, None if none was plausible."""
    from nissl.annotators.tracks.decode import look
    from nissl.annotators.tracks.synthesis import synthesise
    from nissl.annotators.tracks.training import Lessons

    row_of = {int(frame): row for row, frame in enumerate(told.frames)}
    images, places = [], []
    for target, source in zip(chosen.tolist(), sources.tolist(), strict=True):
        seen = look(net, grid, grid.read(volumes[target]), on=plan.device)
        coarse, sure = seen.places()
        row = row_of[source]
        made = synthesise(volumes[source], told.xyz[row], coarse, sure, plan.spacing, rng)
        if made is not None:
            images.append(grid.read(made.volume))
            places.append(grid.to_grid(made.xyz))
    if not images:
        return None
    return Lessons(np.stack(images), np.stack(places), np.ones(len(images)))


def _everywhere(
    net: Any, grid: Grid, volumes: Volumes, plan: ImagePlan, context: Context
) -> tuple[Table, Table]:
    from nissl.annotators.tracks.decode import look

    n, n_neurons = volumes.n_frames, net.settings.n_classes
    xyz = np.full((n, n_neurons, 3), np.nan, np.float32)
    sure = np.zeros((n, n_neurons), np.float32)
    context.progress.start("predict", float(n), "volumes")
    for frame in range(n):
        seen = look(net, grid, grid.read(volumes[frame]), on=plan.device)
        xyz[frame], sure[frame] = seen.places()
        context.progress.advance("predict", 1.0)
    context.progress.finish("predict")
    return xyz, sure


__all__ = ["ImagePlan", "Predicted", "predict_all"]
