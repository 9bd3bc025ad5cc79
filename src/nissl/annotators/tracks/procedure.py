"""Every neuron in every volume, from a few annotated ones, by blobs and their arrangement.

Stages, each kept in the job's folder, from where an interrupted run goes on:

1. Blobs of every volume, and its posture.
2. A transformer learns the arrangement of neurons from annotated volumes, mixed and bent at
   random (`nissl.annotators.tracks.pointsets`).
3. Blobs are named in every volume by it and by smooth displacements from annotated volumes of
   like posture; registration from annotated volumes has a say too, in every volume of a short
   recording and in the worst explained of a long one (`nissl.annotators.tracks.joining`); then
   forwards and backwards, each volume also begins from the one beside it and
   keeps what explains its blobs better (`nissl.annotators.tracks.naming`).
4. Targeted augmentation, round by round: volumes that are well explained are targets. Their
   neurons as they were named join the sets to learn from, bent anew each time; then all are
   named again.

What people annotated stands as they gave it. Lengths are micrometres inside, voxels outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.following import Known, Opinion, learnt, opinion
from nissl.annotators.tracks.joining import joined
from nissl.annotators.tracks.naming import Named, Rules, name_blobs
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.posture import embed
from nissl.annotators.tracks.seen import Looking, Seen
from nissl.annotators.tracks.volumes import Volumes
from nissl.run.context import Context

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Table = npt.NDArray[np.float32]
Evidence = Callable[[int], Floats]

OTHERS = 40
"""Blobs of a volume that are none of the neurons, at most so many to learn from."""
REGISTERED = 60
"""Volumes in which registration has a say, at most: it takes about half a second for each."""
BLOCK = 100
"""Volumes between two writes of blobs to the job's folder."""


@dataclass(frozen=True)
class Plan:
    """How the procedure is carried out.

    Parameters
    ----------
    rounds : int
        Of targeted augmentation; 0 learns from annotated volumes alone.
    steps : int
        Of training the transformer, in each round.
    targets : int
        Volumes that join in a round, at most.
    references : int
        Annotated volumes of like posture that tell where neurons should lie.
    rules : Rules
    device : {"auto", "cpu", "cuda"}
    """

    rounds: int = 1
    steps: int = 600
    targets: int = 300
    references: int = 3
    rules: Rules = field(default_factory=Rules)
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Sight:
    """All volumes as blobs.

    Parameters
    ----------
    blobs : tuple of ndarray, each (n_blobs, 3), um
    light : tuple of ndarray, each (n_blobs,)
        Logarithm of how clear each is, against the median of its volume.
    facts : tuple of ndarray, each (n_blobs, n_channels)
        Ranks of brightness, see `nissl.annotators.tracks.seen.Seen`.
    posture : ndarray, shape (n_frames, k)
    """

    blobs: tuple[Floats, ...]
    light: tuple[Floats, ...]
    facts: tuple[Floats, ...]
    posture: Table


@dataclass(frozen=True, eq=False)
class Library:
    """Sets of neurons to learn from.

    Parameters
    ----------
    points : ndarray, shape (n_sets, n_neurons + OTHERS, 4), float32
        x, y, z in um and light; NaN for no place. The last are blobs that are no neuron.
    found : ndarray, shape (n_neurons,)
        Probability that a blob shows a neuron.
    habit : ndarray, shape (3,), um
        How far people's places lie from those of blobs.
    """

    points: Table
    found: Floats
    habit: Floats


@dataclass(frozen=True, eq=False)
class Followed:
    """What the procedure gives.

    Parameters
    ----------
    xyz : ndarray, shape (n_frames, n_neurons, 3), voxels
    named : tuple of Named
        By volume; before what people annotated was put in.
    agreed : ndarray, shape (n_frames, n_neurons)
        Logarithm of the probability that the transformer alone gave to what was chosen; NaN
        where no blob was.
    log : dict
    """

    xyz: Table
    named: tuple[Named, ...]
    agreed: Table
    log: dict[str, Any]


def follow(
    volumes: Volumes, told: Positions, looking: Looking, plan: Plan, context: Context
) -> Followed:
    """Find every annotated neuron in every volume.

    Parameters
    ----------
    volumes : Volumes
    told : Positions
        Annotated volumes, voxels.
    looking : Looking
        How blobs are looked for.
    plan : Plan
    context : Context
        Stages are kept in its folder; its generator is the only randomness.
    """
    from nissl.annotators.tracks.pointsets import PointTeaching, ask, teach_points

    rng = context.rng()
    step = np.asarray(looking.spacing[::-1], float)
    extent = tuple(
        max(2, round(n * s)) for n, s in zip(volumes.shape, looking.spacing, strict=True)
    )
    sight = observe(volumes, looking, rng, context)
    library = annotated_sets(sight, told, step, looking.diameter_um)
    own, found = library.points, library.found
    places = own[:, : told.items.size, :3].astype(float)
    sets = own
    registered = Registered(sight, learnt(told, volumes, looking))
    named: list[Named] = []
    log: dict[str, Any] = {"blobs": float(np.mean([len(b) for b in sight.blobs])), "rounds": []}
    for turn in range(plan.rounds + 1):
        how = PointTeaching(steps=plan.steps, device=plan.device)
        net = teach_points(
            sets,
            (extent[0], extent[1], extent[2]),
            rng,
            how,
            kept=found,
            progress=context.progress,
            checkpoint=context.workdir / f"arrangement-{turn}.safetensors",
        )
        evidence = [
            ask(net, np.column_stack([blobs, light]).astype(np.float32)).astype(float)
            for blobs, light in zip(sight.blobs, sight.light, strict=True)
        ]
        named = name_all(sight, evidence, told.frames, places, plan, context, registered)
        good = well_explained(named, told.frames, plan.targets, rng)
        log["rounds"].append(
            {"score": float(np.median([n.score for n in named])), "targets": len(good)}
        )
        if turn < plan.rounds and len(good):
            more = targets(sight, named, good)
            often = max(1, len(good) // (4 * len(own)))
            sets = np.concatenate([np.repeat(own, often, axis=0), more])
            shown = np.mean([named[k].blob >= 0 for k in good], axis=0)
            found = np.clip(shown, 0.05, 0.97)
    xyz = np.stack([each.xyz for each in named]) + library.habit
    out = np.asarray(xyz / step, np.float32)
    size = np.asarray(volumes.shape[::-1])
    with np.errstate(invalid="ignore"):
        out[((out < -0.5) | (out > size - 0.5)).any(axis=2)] = np.nan
    seen = told.seen
    for row, frame in enumerate(told.frames.tolist()):
        out[frame, seen[row]] = told.xyz[row, seen[row]]
    return Followed(out, tuple(named), _agreed(named, evidence), log)


def observe(
    volumes: Volumes, looking: Looking, rng: np.random.Generator, context: Context
) -> Sight:
    """Blobs and posture of every volume, kept block by block."""
    step = np.asarray(looking.spacing[::-1], float)
    blobs: list[Floats] = []
    light: list[Floats] = []
    facts: list[Floats] = []
    context.progress.start("blobs", float(volumes.n_frames), "volumes")
    for start in range(0, volumes.n_frames, BLOCK):
        stop = min(start + BLOCK, volumes.n_frames)
        kept = context.workdir / f"blobs-{start}.npz"
        if not kept.is_file():
            _keep_blobs(kept, [looking.at(volumes[k]) for k in range(start, stop)])
        with np.load(kept) as read:
            ends = np.cumsum(read["count"])[:-1]
            blobs += [part * step for part in np.split(read["xyz"], ends)]
            light += [_light(part) for part in np.split(read["score"], ends)]
            facts += np.split(read["facts"], ends)
        context.progress.advance("blobs", float(stop - start))
    context.progress.finish("blobs")
    kept = context.workdir / "posture.npz"
    drawn = np.random.default_rng(rng.integers(2**31 - 1))
    if not kept.is_file():
        posture = embed(volumes, np.arange(volumes.n_frames), drawn)
        _write(kept, posture=posture)
    with np.load(kept) as read:
        return Sight(tuple(blobs), tuple(light), tuple(facts), read["posture"])


def annotated_sets(sight: Sight, told: Positions, step: Floats, diameter_um: float) -> Library:
    """Annotated volumes as sets: places of the blobs that show neurons, else where people say."""
    from scipy.optimize import linear_sum_assignment

    n_sets, n = told.xyz.shape[:2]
    points = np.full((n_sets, n + OTHERS, 4), np.nan)
    points[:, :n, :3] = told.xyz * step
    shown = np.zeros((n_sets, n), bool)
    off: list[Floats] = []
    for row, frame in enumerate(told.frames.tolist()):
        blobs, light = sight.blobs[frame], sight.light[frame]
        here = np.flatnonzero(told.seen[row])
        points[row, here, 3] = np.quantile(light, 0.05) if len(light) else 0.0
        if not len(blobs) or not here.size:
            continue
        apart = np.linalg.norm(points[row, here, None, :3] - blobs[None], axis=2)
        near = apart < 0.8 * diameter_um
        left, right = linear_sum_assignment(np.where(near, apart, 1e3))
        fits = near[left, right]
        who, which = here[left[fits]], right[fits]
        off.append(points[row, who, :3] - blobs[which])
        points[row, who, :3], points[row, who, 3] = blobs[which], light[which]
        shown[row, who] = True
        _others(points[row, n:], blobs, light, which)
    habit = np.median(np.concatenate(off), axis=0) if off else np.zeros(3)
    points[:, :n, :3] -= np.where((told.seen & ~shown)[..., None], habit, 0.0)
    found = (shown.sum(axis=0) + 0.5) / (told.seen.sum(axis=0) + 1.0)
    return Library(points.astype(np.float32), found, np.asarray(habit, float))


def name_all(
    sight: Sight,
    evidence: list[Floats],
    frames: Ints,
    places: Floats,
    plan: Plan,
    context: Context,
    registered: Registered,
) -> list[Named]:
    """Name the blobs of every volume, then once more from either side; see the module.

    Parameters
    ----------
    frames : ndarray, shape (n_annotated,)
    places : ndarray, shape (n_annotated, n_neurons, 3), um
    registered : Registered
    """
    heard = [[each] for each in evidence]
    n_frames = len(sight.blobs)
    given = {int(frame): places[row] for row, frame in enumerate(frames)}
    alike = [_alike(sight.posture, frames, k, plan.references) for k in range(n_frames)]
    context.progress.start("name", 3.0 * n_frames, "volumes")
    out: list[Named] = []
    for k in range(n_frames):
        near = [places[row] for row in alike[k]]
        out.append(name_blobs(sight.blobs[k], evidence[k], near, plan.rules))
        context.progress.advance("name", 1.0)
    # scores are likelihoods of the blobs, so that what is heard of them may differ between tries
    for k in _worst(out, frames, REGISTERED):
        told = registered.at(k)
        if told is None:
            continue
        heard[k].append(joined(evidence[k], told, len(frames)))
        near = [places[row] for row in alike[k]]
        tries = [
            name_blobs(sight.blobs[k], heard[k][-1], near, plan.rules, start=start)
            for start in (told.moved, None)
        ]
        out[k] = max((out[k], *tries), key=lambda each: each.score)
    for side, order in ((-1, range(1, n_frames)), (1, range(n_frames - 2, -1, -1))):
        for k in order:
            beside = given.get(k + side, out[k + side].xyz)
            near = [places[row] for row in alike[k]]
            again = [
                name_blobs(sight.blobs[k], each, [*near, beside], plan.rules, start=beside)
                for each in heard[k]
            ]
            out[k] = max((out[k], *again), key=lambda each: each.score)
            context.progress.advance("name", 1.0)
    context.progress.finish("name")
    return out


@dataclass(frozen=True, eq=False)
class Registered:
    """What registration says of volumes, computed once for each that is asked for."""

    sight: Sight
    known: Known
    kept: dict[int, Opinion] = field(default_factory=dict)

    def at(self, frame: int) -> Opinion | None:
        """Of one volume; None where it shows no blobs."""
        if not len(self.sight.blobs[frame]):
            return None
        if frame not in self.kept:
            blobs, facts = self.sight.blobs[frame], self.sight.facts[frame]
            self.kept[frame] = opinion(self.known, blobs, facts)
        return self.kept[frame]


def _worst(named: list[Named], frames: Ints, most: int) -> list[int]:
    """Volumes without annotation: all of a few, else those explained much worse than is usual."""
    score = np.array([each.score for each in named])
    rest = np.setdiff1d(np.arange(len(named)), frames)
    if len(rest) > most:
        usual, spread = _usual(score)
        rest = rest[score[rest] < usual - 2 * spread]
        rest = rest[np.argsort(score[rest], kind="stable")][:most]
    return [int(k) for k in np.sort(rest)]


def _usual(score: Floats) -> tuple[float, float]:
    """Median, and deviation as of a normal distribution, of what is finite."""
    known = score[np.isfinite(score)]
    if not known.size:
        return 0.0, 0.0
    usual = float(np.median(known))
    return usual, float(1.4826 * np.median(np.abs(known - usual)))


def well_explained(named: list[Named], frames: Ints, most: int, rng: np.random.Generator) -> Ints:
    """Volumes whose blobs are explained about as well as is usual, without annotated ones."""
    score = np.array([each.score for each in named])
    usual, spread = _usual(score)
    good = np.setdiff1d(np.flatnonzero(score >= usual - 2 * spread), frames)
    if len(good) > most:
        good = np.sort(rng.choice(good, most, replace=False))
    return np.asarray(good, np.int64)


def targets(sight: Sight, named: list[Named], frames: Ints) -> Table:
    """Neurons of volumes as they were named, to learn from; those in doubt are left out."""
    n = len(named[0].blob)
    points = np.full((len(frames), n + OTHERS, 4), np.nan, np.float32)
    for row, frame in enumerate(frames.tolist()):
        each, light = named[frame], sight.light[frame]
        points[row, :n, :3] = np.where((each.spread < 1.5)[:, None], each.xyz, np.nan)
        low = np.quantile(light, 0.05) if len(light) else 0.0
        points[row, :n, 3] = np.where(np.isfinite(points[row, :n, 0]), low, np.nan)
        sure = np.flatnonzero((each.blob >= 0) & (each.probability > 0.5))
        points[row, sure, 3] = light[each.blob[sure]]
        _others(points[row, n:], sight.blobs[frame], light, each.blob[each.blob >= 0])
    return points


def _others(into: npt.NDArray[Any], blobs: Floats, light: Floats, named: Ints) -> None:
    """Write blobs that are none of the neurons, the clearest first, as far as there is room."""
    left = np.setdiff1d(np.arange(len(blobs)), named)
    left = left[np.argsort(-light[left], kind="stable")][: len(into)]
    into[: len(left), :3], into[: len(left), 3] = blobs[left], light[left]


def _agreed(named: list[Named], evidence: list[Floats]) -> Table:
    out = np.full((len(named), len(named[0].blob)), np.nan, np.float32)
    for row, (each, said) in enumerate(zip(named, evidence, strict=True)):
        has = np.flatnonzero(each.blob >= 0)
        out[row, has] = said[each.blob[has], has]
    return out


def _alike(posture: Table, frames: Ints, frame: int, n: int) -> list[int]:
    apart = ((posture[frames] - posture[frame]) ** 2).sum(axis=1)
    rows = [int(row) for row in np.argsort(apart, kind="stable") if frames[row] != frame]
    return rows[:n] or [int(np.argmin(apart))]


def _light(score: npt.NDArray[Any]) -> Floats:
    light = np.log(np.maximum(score, 1e-3))
    return np.asarray(light - np.median(light) if light.size else light, float)


def _keep_blobs(path: Path, seen: list[Seen]) -> None:
    _write(
        path,
        count=np.array([len(each.xyz) for each in seen]),
        xyz=np.concatenate([each.xyz for each in seen]),
        score=np.concatenate([each.score for each in seen]),
        facts=np.concatenate([each.facts for each in seen]),
    )


def _write(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Written beside and renamed, so that a file that is there is whole."""
    part = path.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, **arrays)
    part.replace(path)


__all__ = ["Followed", "Plan", "follow"]
