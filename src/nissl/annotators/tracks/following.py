"""Neurons of annotated volumes found again in another: registration, votes, and what is missing.

Every annotated volume that lies in a similar way votes for which blob is which neuron; neurons
that no blob was given are looked for where the field takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.describing import light_at
from nissl.annotators.tracks.detect import Spacing
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.registration import NOBODY, Match, assigned, body_of, register
from nissl.annotators.tracks.seen import Looking, Seen, ranks
from nissl.annotators.tracks.volumes import Volumes

AGREEMENT = (0.6, 0.5)
"""Correlation of brightness between volumes, of the first channel and of others, where a single
annotated volume cannot tell it."""
SHARPNESS = 5.0
"""How much more a volume's vote counts that explains a target better, per unit of evidence."""
UNSEEN = 0.5
"""What the field's own word is worth beside that of a blob."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reference:
    """One annotated volume.

    Parameters
    ----------
    frame : int
    columns : ndarray, shape (n,), int64
        Which of all neurons its points are.
    um : ndarray, shape (n, 3)
        Where its blobs would be found, um.
    facts : ndarray, shape (n, n_channels)
    """

    frame: int
    columns: npt.NDArray[np.int64]
    um: Floats
    facts: Floats


@dataclass(frozen=True, eq=False)
class Known:
    """All that is known from annotated volumes.

    Parameters
    ----------
    references : tuple of Reference
    n_neurons : int
    habit : ndarray, shape (3,), voxels
        How far people's places lie from those of blobs; what is found is given as they would.
    agreement : ndarray, shape (n_channels,)
    looking : Looking
    """

    references: tuple[Reference, ...]
    n_neurons: int
    habit: Floats
    agreement: Floats
    looking: Looking


@dataclass(frozen=True, eq=False)
class Placed:
    """Neurons of one volume.

    Parameters
    ----------
    xyz : ndarray, shape (n_neurons, 3), voxels
        NaN where a neuron was not found.
    score : ndarray, shape (n_neurons,)
        From 0 to 1, by the model; no calibrated probability.
    blob : ndarray, shape (n_neurons,), bool
        Whether a blob was found there, or only the field says so.
    source : int
        The annotated volume that explained this one best; -1 without any.
    evidence : float
    """

    xyz: Floats
    score: Floats
    blob: npt.NDArray[np.bool_]
    source: int
    evidence: float


def learnt(told: Positions, volumes: Volumes, looking: Looking) -> Known:
    """What annotated volumes say: places, brightness, people's habit, how steady brightness is."""
    read = {int(frame): volumes[int(frame)] for frame in told.frames.tolist()}
    habit = _habit(told, read, looking)
    references = []
    scores = np.full((told.frames.size, told.items.size, len(volumes.channels)), np.nan)
    for row, (frame, volume) in enumerate(read.items()):
        columns = np.flatnonzero(told.seen[row])
        places = told.xyz[row, columns].astype(np.float64) - habit
        facts = ranks(light_at(volume, places).T)
        scores[row, columns] = facts
        um = places * np.asarray(looking.spacing[::-1])
        references.append(Reference(frame, columns.astype(np.int64), um, facts))
    return Known(tuple(references), told.items.size, habit, _agreement(scores), looking)


def place(volume: npt.NDArray[np.float32], known: Known, *, n_votes: int = 3) -> Placed:
    """Find the known neurons in a volume (n_channels, z, y, x)."""
    seen = known.looking.at(volume)
    n = known.n_neurons
    if not len(seen.xyz):
        nothing = np.full((n, 3), np.nan), np.zeros(n), np.zeros(n, bool)
        return Placed(*nothing, NOBODY, float("nan"))
    told = opinion(known, seen.in_um(known.looking.spacing), seen.facts, n_votes=n_votes)
    posterior, moved, spread = told.posterior, told.moved, told.spread
    index, score = assigned(posterior)
    xyz = np.full((n, 3), np.nan)
    found = index != NOBODY
    xyz[found] = seen.xyz[index[found]]
    lost = np.flatnonzero(~found & np.isfinite(spread))
    xyz[lost], score[lost] = _guessed(volume, moved[lost], spread[lost], xyz[found], known.looking)
    return Placed(xyz + known.habit, score, found, told.source, told.evidence)


@dataclass(frozen=True, eq=False)
class Opinion:
    """What annotated volumes together say of the points of another.

    Parameters
    ----------
    posterior : ndarray, shape (n_neurons, n_target)
    moved : ndarray, shape (n_neurons, 3), um
        Where the field takes each neuron.
    spread : ndarray, shape (n_neurons,), um
        NaN for neurons that no voter has.
    source : int
        The annotated volume that explained the points best.
    evidence : float
    """

    posterior: Floats
    moved: Floats
    spread: Floats
    source: int
    evidence: float


def opinion(known: Known, target: Floats, facts: Floats, *, n_votes: int = 3) -> Opinion:
    """Register the annotated volumes of like shape with points (n, 3) in um, and let them vote."""
    voters = nearest(known.references, target, n_votes)
    matches = [
        register(
            each.um,
            target,
            source_facts=each.facts,
            target_facts=facts,
            agreement=known.agreement,
        )
        for each in voters
    ]
    best = int(np.argmax([match.evidence for match in matches]))
    posterior, moved, spread = voted(voters, matches, known.n_neurons, len(target))
    return Opinion(posterior, moved, spread, voters[best].frame, matches[best].evidence)


def nearest(references: Sequence[Reference], target: Floats, n: int) -> list[Reference]:
    """The annotated volumes whose body is shaped most as the target's: bend, length, breadth."""
    if len(references) <= n:
        return list(references)
    like = body_of(references[0].um).axes[0]
    wanted = _posture(target, like)
    apart = [float(np.linalg.norm(_posture(each.um, like) - wanted)) for each in references]
    return [references[k] for k in np.argsort(apart, kind="stable")[:n].tolist()]


def voted(
    voters: Sequence[Reference], matches: Sequence[Match], n: int, n_target: int
) -> tuple[Floats, Floats, Floats]:
    """Posterior over all neurons, their places by the field (um), and how sure these are (um).

    A neuron that only some of the volumes have is placed by those.
    """
    evidence = np.asarray([match.evidence for match in matches])
    weight = np.exp(SHARPNESS * (evidence - evidence.max()))
    posterior, moved = np.zeros((n, n_target)), np.zeros((n, 3))
    square, votes, precision = np.zeros(n), np.zeros(n), np.zeros(n)
    for each, match, w in zip(voters, matches, weight, strict=True):
        posterior[each.columns] += w * match.posterior
        votes[each.columns] += w
        sure = w / np.maximum(match.spread, 1e-9) ** 2
        moved[each.columns] += sure[:, None] * match.moved
        precision[each.columns] += sure
        square[each.columns] += w * match.spread**2
    there = votes > 0
    posterior[there] /= votes[there, None]
    moved[there] /= precision[there, None]
    spread = np.full(n, np.nan)
    spread[there] = np.sqrt(square[there] / votes[there])
    return posterior, moved, spread


def _guessed(
    volume: npt.NDArray[np.float32],
    moved: Floats,
    spread: Floats,
    taken: Floats,
    looking: Looking,
) -> tuple[Floats, Floats]:
    """Places (voxels) and scores of neurons without a blob; NaN outside the volume.

    Where a maximum of brightness that nobody took lies nearer than half a nucleus, it is there.
    """
    spacing = np.asarray(looking.spacing[::-1])
    places = moved / spacing
    size = np.asarray(volume.shape[:0:-1])
    outside = ((places < -0.5) | (places > size - 0.5)).any(axis=1)
    for k in np.flatnonzero(~outside).tolist():
        top = _summit(volume[0], places[k], looking.diameter_um / 2, looking.spacing)
        if not len(taken) or np.linalg.norm((taken - top) * spacing, axis=1).min() > (
            looking.diameter_um / 2
        ):
            places[k] = top
    score = UNSEEN / (1 + (spread / (looking.diameter_um / 2)) ** 2)
    places[outside], score[outside] = np.nan, 0.0
    return places, score


def _summit(
    volume: npt.NDArray[np.float32], xyz: Floats, reach_um: float, spacing: Spacing
) -> Floats:
    """The brightest voxel within reach of a place; the place itself where nothing shines."""
    centre = np.round(xyz[::-1]).astype(np.int64)
    reach = np.floor(reach_um / np.asarray(spacing)).astype(np.int64)
    low = np.maximum(centre - reach, 0)
    box = volume[tuple(slice(a, b + 1) for a, b in zip(low, centre + reach, strict=True))]
    if not box.size or box.max() <= box.min():
        return xyz
    at = np.unravel_index(int(np.argmax(box)), box.shape)
    return np.asarray((low + np.asarray(at))[::-1], np.float64)


def _habit(told: Positions, read: dict[int, npt.NDArray[np.float32]], looking: Looking) -> Floats:
    """Median step from blobs to the places that people gave them, voxels."""
    steps = []
    for row, volume in enumerate(read.values()):
        places = told.xyz[row, told.seen[row]].astype(np.float64)
        seen: Seen = looking.at(volume)
        if len(seen.xyz):
            apart = (places[:, None] - seen.xyz[None]) * np.asarray(looking.spacing[::-1])
            near = np.linalg.norm(apart, axis=2)
            here = near.min(axis=1) < looking.diameter_um
            steps.append(places[here] - seen.xyz[near.argmin(axis=1)[here]])
    every = np.concatenate(steps) if steps else np.zeros((0, 3))
    return np.median(every, axis=0) if len(every) >= 5 else np.zeros(3)


def _agreement(scores: Floats) -> Floats:
    """Correlation of ranks between annotated volumes, by channel; usual ones of a single one."""
    n_channels = scores.shape[2]
    usual = np.asarray([AGREEMENT[min(k, 1)] for k in range(n_channels)])
    pairs = [
        np.concatenate([scores[a], scores[b]], axis=1)
        for a in range(len(scores))
        for b in range(a + 1, len(scores))
    ]
    if not pairs:
        return usual
    every = np.concatenate(pairs)
    every = every[np.isfinite(every).all(axis=1)]
    if len(every) < 20:
        return usual
    told = [np.corrcoef(every[:, k], every[:, n_channels + k])[0, 1] for k in range(n_channels)]
    return np.asarray(np.clip(np.nan_to_num(told), 0.0, 0.9), np.float64)


def _posture(um: Floats, like: Floats) -> Floats:
    """Bend, slope and extent of points, in um."""
    body = body_of(um, like)
    straight = body.straight(um)
    length = np.ptp(np.percentile(straight[:, 0], [5, 95]))
    turn = np.arccos(np.clip(body.axes[0] @ like, -1, 1)) * length
    bend = body.bend[2] * (length / 2) ** 2
    return np.concatenate([bend, [length, turn], 2 * straight[:, 1:].std(axis=0)])
