"""Learning masks from annotated volumes, with targeted augmentation.

After Park et al. (eLife 2024): a network is taught with the annotated volumes, changed at
random; volumes whose posture lies farthest from those that are known are targets; the network
draws each coarsely, and the annotated volume of the most similar posture is deformed towards
that, image and masks; the network goes on learning with both. Without targets it goes on with the
annotated volumes alone. Every stage has its own seed and is kept, so that a run that was
interrupted goes on and gives the same masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.annotated import Told
from nissl.annotators.masks.score import RIGHT
from nissl.annotators.masks.trust import Trust, learnt
from nissl.annotators.tracks.mask_synthesis import synthesise_masks
from nissl.annotators.tracks.posture import embed, farthest, nearest
from nissl.annotators.tracks.prepare import Grid
from nissl.annotators.tracks.volumes import Volumes
from nissl.run.context import Context

if TYPE_CHECKING:  # they import PyTorch
    from nissl.annotators.masks.seeing import Drawer
    from nissl.annotators.masks.teaching import Lesson, Teaching

MOST_VOXELS = 256 * 192
"""Of a plane of the working grid: masks need finer planes than places do."""


@dataclass(frozen=True)
class Plan:
    """How masks are learnt.

    Parameters
    ----------
    rounds : int
        Of teaching after the first.
    targeted : bool
        Whether these show synthetic volumes too.
    steps : int
        Volumes that each teaching shows.
    targets : int
        Synthetic volumes of a round, at most.
    folds : int
        Parts of the annotated volumes that are left out in turn to learn how far the network can
        be believed; 0 for none.
    spacing : tuple of float
        Along z, y, x, um.
    device : {"auto", "cpu", "cuda"}
    """

    rounds: int
    targeted: bool
    steps: int
    targets: int
    folds: int
    spacing: tuple[float, float, float]
    device: str = "auto"


def grid_of(volumes: Volumes) -> Grid:
    """The finest working grid that is small enough for masks."""
    factor = 1
    depth, height, width = volumes.shape
    while (height // factor) * (width // factor) > MOST_VOXELS:
        factor += 1
    return Grid((depth, height, width), factor)


def taught(volumes: Volumes, told: Told, plan: Plan, context: Context) -> tuple[Drawer, int]:
    """Teach with everything that is known; what draws masks, and how many synthetic volumes."""
    own = _own(volumes, told, plan, [context.seed, 0])
    net, count = _teach(own, told, plan, context, "taught-0", None), 0
    posture = None
    if plan.targeted and plan.rounds:
        rng = np.random.default_rng([context.seed, 1])
        posture = embed(volumes, np.arange(volumes.n_frames), rng)
    for turn in range(1, plan.rounds + 1):
        lessons = own
        if posture is not None:
            from nissl.annotators.masks.teaching import weighed

            drawer = _fitted(net, volumes, told, plan)
            made = _synthetic(drawer, volumes, told, plan, posture, context, turn)
            if made:
                lessons, count = [*weighed(own, len(made)), *made], len(made)
        net = _teach(lessons, told, plan, context, f"taught-{turn}", net)
    return _fitted(net, volumes, told, plan), count


def believed(volumes: Volumes, told: Told, plan: Plan, context: Context) -> Trust | None:
    """How far such networks can be believed, by those taught without some of the volumes.

    They learnt from fewer volumes than the one that is used, so that what it says is rather
    believed too little. None where too little was left out to tell.
    """
    frames = told.frames
    order = np.random.default_rng([context.seed, 2]).permutation(frames)
    said, size, right = [], [], []
    for k, held in enumerate(np.array_split(order, min(plan.folds, frames.size))):
        known = told.only(np.setdiff1d(frames, held))
        own = _own(volumes, known, plan, [context.seed, 100 + k])
        drawer = _fitted(_teach(own, known, plan, context, f"fold-{k}", None), volumes, known, plan)
        for frame in held.tolist():
            drawn, true = drawer(volumes[frame]), told.volume(frame)
            n = drawn.size.size
            both = np.bincount(true[true == drawn.mask], minlength=n + 1)[1 : n + 1]
            full = np.bincount(true.ravel(), minlength=n + 1)[1 : n + 1]
            proposed = drawn.size > 0
            dice = 2 * both / np.maximum(full + drawn.size, 1)
            said.append(drawn.probability[proposed])
            size.append((drawn.size / np.maximum(drawer.usual, 1))[proposed])
            right.append(dice[proposed] >= RIGHT)
    return learnt(np.concatenate(said), np.concatenate(size), np.concatenate(right))


def _own(volumes: Volumes, told: Told, plan: Plan, seed: list[int]) -> list[Lesson]:
    from nissl.annotators.masks.teaching import lesson

    rng, grid = np.random.default_rng(seed), grid_of(volumes)
    return [
        lesson(volumes[frame], told.volume(frame), told.items.size, grid, rng, _how(plan))
        for frame in told.frames.tolist()
    ]


def _how(plan: Plan) -> Teaching:
    from nissl.annotators.masks.teaching import Teaching

    return Teaching(steps=plan.steps, device=plan.device)


def _teach(
    lessons: list[Lesson], told: Told, plan: Plan, context: Context, name: str, start: Any
) -> Any:
    from nissl.annotators.masks.teaching import teach

    rng = np.random.default_rng([context.seed, *name.encode()])
    return teach(
        lessons,
        told.items.size,
        rng,
        _how(plan),
        start=start,
        progress=context.progress,
        checkpoint=context.workdir / f"{name}.safetensors",
    )


def _fitted(net: Any, volumes: Volumes, told: Told, plan: Plan) -> Drawer:
    from nissl.annotators.masks.seeing import fitted

    shown = ((volumes[frame], told.volume(frame)) for frame in told.frames.tolist())
    return fitted(net, grid_of(volumes), shown, plan.device)


def _synthetic(
    drawer: Drawer,
    volumes: Volumes,
    told: Told,
    plan: Plan,
    posture: npt.NDArray[np.float32],
    context: Context,
    turn: int,
) -> list[Lesson]:
    """Lessons of annotated volumes deformed towards targets; those that are not plausible lack."""
    from nissl.annotators.masks.teaching import Lesson, lesson

    chosen = farthest(posture, told.frames, plan.targets)
    sources = nearest(posture, told.frames)[chosen]
    made = []
    context.progress.start("synthesise", float(chosen.size), "volumes")
    for k, (target, source) in enumerate(zip(chosen.tolist(), sources.tolist(), strict=True)):
        kept = context.workdir / f"synthetic-{turn}-{k}.npz"
        if not kept.is_file():
            rng = np.random.default_rng([context.seed, 1000 * turn + k])
            shown = volumes[target]
            new = synthesise_masks(
                volumes[source],
                told.volume(source),
                drawer(shown).mask,
                plan.spacing,
                rng,
                target_volume=shown,
            )
            one = {}
            if new is not None:
                n, grid = told.items.size, drawer.grid
                got = lesson(new.volume, new.mask, n, grid, rng, _how(plan))
                one = {"volume": got.volume, "places": got.places}
            part = kept.with_suffix(".part.npz")
            np.savez(part, allow_pickle=False, **one)
            part.replace(kept)
        with np.load(kept) as read:
            if read.files:
                made.append(Lesson(read["volume"], read["places"]))
        context.progress.advance("synthesise", 1.0)
    context.progress.finish("synthesise")
    return made


__all__ = ["Plan", "believed", "grid_of", "taught"]
