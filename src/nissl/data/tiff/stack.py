"""Stacks: the pages of one or more TIFF files in the order of frames, planes and channels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import damaged
from nissl.data.tiff.facts import facts_of
from nissl.data.tiff.pages import Chain, Look, expanded, walk
from nissl.data.tiff.scanimage import frame_facts
from nissl.errors import (
    BadMetadataError,
    CorruptSourceError,
    MissingDependencyError,
)

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")


@dataclass(frozen=True)
class Plan:
    """From which files a stack comes, and how its pages take turns.

    Small, so that it travels to other processes, which walk the files again.

    Parameters
    ----------
    path : str
        A file, or a folder of files.
    mark : str
        Names, sizes and times of the files when they were opened.
    writer : str
        See `Facts`.
    n_channels, n_planes : int
        Channels take turns first, then planes.
    per_volume : int
        Frames from one volume to the next; more than `n_planes` where a scanner flies back.
    """

    path: str
    mark: str
    writer: str
    n_channels: int
    n_planes: int
    per_volume: int = 1


@dataclass(frozen=True, eq=False)
class Stack:
    """The pages of a stack.

    Parameters
    ----------
    files : tuple of str
    look : Look
    file, ifd, data : ndarray, shape (n_pages,), int64
        File, header and pixels of each page; see `Chain`.
    order : ndarray, shape (n_frames, n_planes, n_channels), int64
        Page of each image.
    stamps_s : ndarray, shape (n_frames,), seconds
        NaN where nothing says.
    left_out : int
        Pages of volumes that are not whole.
    """

    files: tuple[str, ...]
    look: Look
    file: npt.NDArray[np.int64]
    ifd: npt.NDArray[np.int64]
    data: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    stamps_s: npt.NDArray[np.float64]
    left_out: int = 0


def files_of(path: Path) -> tuple[Path, ...]:
    """A file, or the TIFF files of a folder in natural order: 2 comes before 10."""
    if not path.is_dir():
        return (path,)
    found = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
    return tuple(sorted((p for p in found if not p.name.startswith(".")), key=natural))


def natural(path: Path) -> tuple[Any, ...]:
    """Sort key of a file's name in which numbers count as numbers."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((int(p), "") if k % 2 else (0, p.lower()) for k, p in enumerate(parts))


def mark_of(files: Sequence[Path]) -> str:
    """What changes when one of some files does."""
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat()
        digest.update(f"{path.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=8)
def stack_of(plan: Plan) -> Stack:
    """Walk the files of a plan and put their pages in order.

    Raises
    ------
    BadMetadataError, CorruptSourceError
        Pages that differ, that are too few or too many, or that cannot be found; files that
        changed since they were opened.
    """
    try:
        files = files_of(Path(plan.path))
        unchanged = mark_of(files) == plan.mark
    except OSError as error:
        raise damaged(plan.path, error) from error
    if not unchanged:
        raise damaged(plan.path, ValueError("other files than were opened"))
    if plan.writer == "OME":
        from nissl.data.tiff.ome import ome_stack

        return ome_stack(plan, files)
    scan = plan.writer == "ScanImage"
    chains = [_chain(path, scan) for path in files]
    look = same_look(chains)
    file = np.repeat(np.arange(len(chains)), [chain.ifd.size for chain in chains])
    ifd = np.concatenate([chain.ifd for chain in chains])
    data = np.concatenate([chain.data for chain in chains])
    facts = [frame_facts(each) for chain in chains for each in chain.descriptions]
    numbers = np.asarray([n for n, _ in facts] or np.full(ifd.size, -1), np.int64)
    times = np.asarray([t for _, t in facts] or np.full(ifd.size, math.nan))
    order = _order(plan, ifd.size, numbers)
    stamps = times[order[:, 0, 0]]
    names = tuple(str(path) for path in files)
    return Stack(names, look, file, ifd, data, order, stamps, int(ifd.size - order.size))


def _chain(path: Path, descriptions: bool) -> Chain:
    chain = walk(path, descriptions=descriptions)
    n_images = facts_of(chain).n_images if chain.ifd.size == 1 else 0
    return expanded(chain, n_images) if n_images > 1 else chain


def same_look(chains: Sequence[Chain]) -> Look:
    """Look of several files, which must be one."""
    first = chains[0]
    for chain in chains[1:]:
        if chain.look != first.look:
            raise BadMetadataError(
                f"images of one size and type ({first.look} in {first.path.name})",
                f"{chain.look} in {chain.path.name}",
                "Keep only the files of one movie in the folder.",
            )
    return first.look


def _order(plan: Plan, n_pages: int, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pages of whole volumes, shape (n_frames, n_planes, n_channels)."""
    per_frame = plan.n_channels
    if plan.per_volume > plan.n_planes:
        return _by_number(plan, n_pages, numbers)
    n_frames, rest = divmod(n_pages, per_frame * plan.n_planes)
    if n_frames == 0 or (rest and plan.writer != "ScanImage"):
        raise BadMetadataError(
            f"a multiple of {per_frame * plan.n_planes} images (channels x planes)",
            f"{n_pages} images in {Path(plan.path).name}",
            "Check --channels and --planes; a stack that was broken off lacks its last images.",
        )
    whole = np.arange(n_pages - rest, dtype=np.int64)
    return whole.reshape(n_frames, plan.n_planes, per_frame)


def _by_number(plan: Plan, n_pages: int, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Whole volumes of a scanner that flies back, by the numbers of its frames.

    Whether the frames of the fly-back are in the file or not, a frame's number says its plane.
    """
    n_frames = n_pages // plan.n_channels
    first = numbers[: n_frames * plan.n_channels : plan.n_channels]
    if np.any(first < 0):
        first = np.arange(1, n_frames + 1)
    slot = (first - 1) % plan.per_volume
    starts = [
        k
        for k in np.flatnonzero(slot == 0).tolist()
        if k + plan.n_planes <= n_frames
        and np.array_equal(slot[k : k + plan.n_planes], np.arange(plan.n_planes))
    ]
    if not starts:
        raise CorruptSourceError(
            f"whole volumes of {plan.n_planes} planes in {Path(plan.path).name}",
            f"{n_frames} frames, none of which begins one",
            "The stack was broken off within its first volume; nothing of it can be used.",
        )
    frames = np.asarray(starts)[:, None] + np.arange(plan.n_planes)
    return frames[:, :, None] * plan.n_channels + np.arange(plan.n_channels)


def check_codec(stack: Stack, name: str) -> None:
    """Whether pages that are compressed can be decoded here.

    Raises
    ------
    MissingDependencyError
        tifffile is not installed, or needs imagecodecs for this kind of compression.
    """
    if stack.look.compression == 1:
        return
    import tifffile

    try:
        decoder = tifffile.TIFF.DECOMPRESSORS[stack.look.compression]
    except KeyError:
        decoder = None
    if decoder is None:
        raise MissingDependencyError(
            f"a decoder for the compression number {stack.look.compression} of {name}",
            "none among those installed",
            "Install the decoders with: pip install imagecodecs; or save it uncompressed.",
        )
