"""Masks of every volume, block by block, each kept in the job's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.annotated import Told
from nissl.annotators.masks.masks import Ints, Masks, numbered
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import ChannelTable, Signal
from nissl.run.context import Context

BLOCK = 25
"""Volumes between two writes to the job's folder."""

Draw = Callable[[int], tuple[npt.NDArray[np.int32], npt.NDArray[Any]]]
"""Of a volume its masks, (z, y, x), 1 for the first neuron, and what the method thinks of each
neuron, (n_neurons,)."""


@dataclass(frozen=True, eq=False)
class Everywhere:
    """Masks of every volume.

    Parameters
    ----------
    frame, number : ndarray, shape (n_rows,), int64
        Volume and neuron of each mask, the neuron by its place.
    voxels : tuple of ndarray, int64
    thought : ndarray, shape (n_rows,), float32
    """

    frame: Ints
    number: Ints
    voxels: tuple[Ints, ...]
    thought: npt.NDArray[np.float32]

    @property
    def sizes(self) -> Ints:
        """Voxels of each mask."""
        return np.array([each.size for each in self.voxels], np.int64)


def draw_all(n_frames: int, draw: Draw, name: str, context: Context) -> Everywhere:
    """Draw masks in every volume, from where an interrupted run left off."""
    parts: list[dict[str, npt.NDArray[Any]]] = []
    context.progress.start(name, float(n_frames), "volumes")
    for start in range(0, n_frames, BLOCK):
        frames = range(start, min(start + BLOCK, n_frames))
        kept = context.workdir / f"{name}-{start}.npz"
        if not kept.is_file():
            part = kept.with_suffix(".part.npz")
            np.savez_compressed(part, allow_pickle=False, **_block(frames, draw))
            part.replace(kept)
        with np.load(kept) as read:
            parts.append({key: read[key] for key in read.files})
        context.progress.advance(name, float(len(frames)))
    context.progress.finish(name)
    voxels: list[Ints] = []
    for each in parts:
        ends = np.cumsum(each["size"])
        voxels += np.split(each["flat"], ends[:-1]) if ends.size else []
    joined = {
        k: np.concatenate([each[k] for each in parts]) for k in ("frame", "number", "thought")
    }
    return Everywhere(joined["frame"], joined["number"], tuple(voxels), joined["thought"])


def _block(frames: range, draw: Draw) -> dict[str, npt.NDArray[Any]]:
    frame, number, size, thought = [], [], [], []
    flat = [np.zeros(0, np.int64)]
    for at in frames:
        mask, said = draw(at)
        for each, voxels in numbered(mask):
            frame.append(at)
            number.append(each - 1)
            size.append(voxels.size)
            thought.append(said[each - 1])
            flat.append(voxels)
    return {
        "frame": np.array(frame, np.int64),
        "number": np.array(number, np.int64),
        "size": np.array(size, np.int64),
        "thought": np.array(thought, np.float32),
        "flat": np.concatenate(flat),
    }


def as_told(found: Everywhere, told: Told, confidence: npt.NDArray[Any] | None = None) -> Masks:
    """Masks to propose; in annotated volumes those that people drew, without a confidence."""
    sure = np.full(found.frame.size, np.nan) if confidence is None else confidence
    free = np.flatnonzero(~np.isin(found.frame, told.frames))
    return Masks.build(
        told.masks.shape,
        np.concatenate([found.frame[free], told.masks.frame]),
        np.concatenate([told.items[found.number[free]], told.masks.item]),
        [*(found.voxels[k] for k in free.tolist()), *told.masks.voxels],
        np.concatenate([sure[free], np.full(told.masks.frame.size, np.nan)]),
    )


def probability_signal(found: Everywhere, told: Told, volumes: Volumes) -> Signal:
    """What the method thinks of each neuron in each volume, a channel each, named by its item.

    It is no calibrated probability; NaN where the neuron has no mask.
    """
    values = np.full((volumes.n_frames, told.items.size), np.nan, np.float32)
    values[found.frame, found.number] = found.thought
    table = ChannelTable.plain([str(item) for item in told.items.tolist()], kind="score")
    clock = volumes.channels[0].clock
    return Signal.from_array(values, clock.rate_hz, name="mask_score", channels=table, clock=clock)


__all__ = ["Draw", "Everywhere", "as_told", "draw_all", "probability_signal"]
