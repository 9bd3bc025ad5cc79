"""What is doubtful about tracks: places, motion, neurons that merge, volumes that hold nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.vocabulary import NEURON
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadLabelsError
from nissl.labels import LabelSet
from nissl.tasks import Finding

LOOKED_AT = 40
SAME_PLACE_PX = 1.0
MERGED = 0.1
"""Fraction of its volumes in which a track may lie on another before they are one."""
JUMP_PX, JUMP = 4.0, 8.0
"""A step against the volume's own motion is impossible above so many pixels, and so many times
what neurons usually do: a swap, usually, or a place on another neuron."""
SELDOM = 0.1


def check(labels: LabelSet, volumes: Volumes | None) -> list[Finding]:
    """Findings of tracks, and of their volumes where they are at hand."""
    found = [] if volumes is None else list(of_volumes(volumes))
    if not np.any(labels.column("label") == NEURON):
        sentence = "No track is called a neuron: is this the channel that shows nuclei?"
        return [*found, Finding("no_neurons", "warning", sentence)]
    try:
        told = Positions.from_labels(labels)
    except BadLabelsError as error:
        return [*found, Finding("twice", "error", f"{error.got}. {error.remedy}")]
    if volumes is not None:
        found += _outside(told, volumes)
    return [*found, *_seldom(told), *_merged(told), *_jumps(told)]


def of_volumes(volumes: Volumes) -> Iterator[Finding]:
    """Findings of the movie: its spacing, and some of its volumes."""
    if volumes.spacing_um is None:
        yield Finding(
            "no_spacing",
            "warning",
            "Nobody says how far planes and pixels lie apart: distances in voxels mean little. "
            "Give it with --spacing Z,Y,X.",
        )
    frames = np.unique(np.linspace(0, volumes.n_frames - 1, min(LOOKED_AT, volumes.n_frames)))
    empty = not_numbers = 0
    for frame in frames.astype(int).tolist():
        volume = volumes[frame][0]
        empty += bool(np.all(volume == volume.flat[0]))
        not_numbers += not np.isfinite(volume).all()
    for name, number, what in (
        ("empty_volumes", empty, "show nothing: all voxels are the same"),
        ("not_a_number", not_numbers, "have voxels that are no numbers"),
    ):
        if number:
            share = number / frames.size
            sentence = f"{share:.0%} of the volumes looked at {what}."
            severity = "error" if number == frames.size else "warning"
            yield Finding(name, severity, sentence, value=share, limit=0.0)


def _outside(told: Positions, volumes: Volumes) -> Iterator[Finding]:
    size = np.asarray(volumes.shape[::-1])
    with np.errstate(invalid="ignore"):
        wrong = ((told.xyz < -0.5) | (told.xyz > size - 0.5)).any(axis=2)
    wrong |= told.seen & ((told.frames < 0) | (told.frames >= volumes.n_frames))[:, None]
    sentence = "It has places outside the volumes: it belongs to another movie."
    for column in np.flatnonzero(wrong.any(axis=0)).tolist():
        yield Finding("outside", "error", sentence, item=int(told.items[column]))


def _seldom(told: Positions) -> Iterator[Finding]:
    share = told.seen.mean(axis=0) if told.frames.size else np.zeros(0)
    for column in np.flatnonzero((share < SELDOM) & (share > 0)).tolist():
        yield Finding(
            "seldom",
            "note",
            "It was seen in few volumes: something dim, or a piece of another track.",
            item=int(told.items[column]),
            value=float(share[column]),
            limit=SELDOM,
        )


def _merged(told: Positions) -> Iterator[Finding]:
    together = np.zeros((told.items.size, told.items.size), np.int64)
    for row in range(told.frames.size):
        step = np.linalg.norm(told.xyz[row][:, None] - told.xyz[row][None], axis=2)
        together += step <= SAME_PLACE_PX
    fewer = np.minimum.outer(told.seen.sum(axis=0), told.seen.sum(axis=0))
    share = np.triu(together / np.maximum(fewer, 1), 1)
    for a, b in zip(*(k.tolist() for k in np.nonzero(share > MERGED)), strict=True):
        yield Finding(
            "merged",
            "warning",
            f"It lies on track {int(told.items[b])} in {share[a, b]:.0%} of their volumes: one "
            "neuron with two identities, or two that were mistaken for one.",
            item=int(told.items[a]),
            value=float(share[a, b]),
            limit=MERGED,
        )


def _jumps(told: Positions) -> Iterator[Finding]:
    step = relative_steps(told)
    known = np.isfinite(step)
    if not known.any():
        return
    limit = max(JUMP_PX, JUMP * float(np.median(step[known])))
    with np.errstate(invalid="ignore"):
        wrong = step > limit
    for column in np.flatnonzero(wrong.any(axis=0)).tolist():
        row = int(np.nanargmax(step[:, column]))
        yield Finding(
            "jump",
            "warning",
            f"It moves impossibly {int(wrong[:, column].sum())} times, most between volumes "
            f"{int(told.frames[row])} and {int(told.frames[row + 1])}: a swap, or a place on "
            "another neuron.",
            item=int(told.items[column]),
            value=float(step[row, column]),
            limit=limit,
            unit="px",
        )


def relative_steps(told: Positions) -> npt.NDArray[np.float64]:
    """Motion in the plane between consecutive volumes against that of the nearest neurons.

    Returns
    -------
    ndarray, shape (n_frames - 1, n_neurons)
        Pixels; NaN between volumes that do not follow each other. The animal moves as a whole,
        and its parts together: what differs from six neighbours is no motion of tissue.
    """
    move = np.diff(told.xyz[:, :, :2].astype(np.float64), axis=0)
    move[np.diff(told.frames) != 1] = np.nan
    found = np.full(move.shape[:2], np.nan)
    for row in range(len(move)):
        here = np.flatnonzero(np.isfinite(move[row]).all(axis=1))
        if here.size < 4:
            continue
        place = told.xyz[row, here].astype(np.float64)
        apart = np.linalg.norm(place[:, None] - place[None], axis=2)
        near = np.argsort(apart, axis=1, kind="stable")[:, 1:7]
        usual = np.median(move[row, here][near], axis=1)
        found[row, here] = np.linalg.norm(move[row, here] - usual, axis=1)
    return found
