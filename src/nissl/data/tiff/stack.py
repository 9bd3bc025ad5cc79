"""Stacks: the pages of one or more TIFF files in the order of frames, planes and channels."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import damaged
from nissl.data.movie import Rows
from nissl.data.tiff.facts import facts_of
from nissl.data.tiff.pages import Chain, Look, expanded, walk
from nissl.data.tiff.scanimage import frame_facts
from nissl.errors import (
    BadMetadataError,
    CorruptSourceError,
    MissingDependencyError,
    NisslError,
)


@dataclass(frozen=True)
class Plan:
    """From which files a stack comes, and how its pages take turns.

    Small, so that it travels to other processes, which walk the files again.

    Parameters
    ----------
    files : tuple of str
        In order.
    mark : str
        Sizes and times of the files when they were opened.
    writer : str
        See `Facts`.
    n_channels, n_planes : int
        Channels take turns first, then planes.
    per_volume : int
        Frames from one volume to the next; more than `n_planes` where a scanner flies back.
    """

    files: tuple[str, ...]
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

    look: Look
    file: npt.NDArray[np.int64]
    ifd: npt.NDArray[np.int64]
    data: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    stamps_s: npt.NDArray[np.float64]
    left_out: int = 0


def mark_of(files: tuple[Path, ...]) -> str:
    """What changes when one of some files does."""
    digest = hashlib.sha256()
    for path in files:
        stat = path.stat()
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=8)
def stack_of(plan: Plan) -> Stack:
    """Walk the files of a plan and put their pages in order.

    Raises
    ------
    BadMetadataError, CorruptSourceError
        Pages that differ, that are too few or too many, or that cannot be found.
    """
    if plan.writer == "OME":
        return _ome(plan)
    scan = plan.writer == "ScanImage"
    chains = [_chain(Path(path), scan) for path in plan.files]
    look = _same(chains)
    file = np.repeat(np.arange(len(chains)), [chain.ifd.size for chain in chains])
    ifd = np.concatenate([chain.ifd for chain in chains])
    data = np.concatenate([chain.data for chain in chains])
    facts = [frame_facts(each) for chain in chains for each in chain.descriptions]
    numbers = np.asarray([n for n, _ in facts] or np.full(ifd.size, -1), np.int64)
    times = np.asarray([t for _, t in facts] or np.full(ifd.size, math.nan))
    order = _order(plan, ifd.size, numbers)
    stamps = times[order[:, 0, 0]]
    return Stack(look, file, ifd, data, order, stamps, int(ifd.size - order.size))


def _chain(path: Path, descriptions: bool) -> Chain:
    chain = walk(path, descriptions=descriptions)
    n_images = facts_of(chain).n_images if chain.ifd.size == 1 else 0
    return expanded(chain, n_images) if n_images > 1 else chain


def _same(chains: list[Chain]) -> Look:
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
            f"{n_pages} images in {Path(plan.files[0]).name}"
            + (" and the files after it" if len(plan.files) > 1 else ""),
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
            f"whole volumes of {plan.n_planes} planes in {Path(plan.files[0]).name}",
            f"{n_frames} frames, none of which begins one",
            "The stack was broken off within its first volume; nothing of it can be used.",
        )
    frames = np.asarray(starts)[:, None] + np.arange(plan.n_planes)
    return frames[:, :, None] * plan.n_channels + np.arange(plan.n_channels)


def _ome(plan: Plan) -> Stack:
    """Pages in the order that an OME header gives them, over several files where it names them."""
    import tifffile

    try:
        with tifffile.TiffFile(plan.files[0]) as tif:
            found = [series for series in tif.series if series.kind == "ome"]
            if len(found) != 1:
                raise BadMetadataError(
                    f"one image in {Path(plan.files[0]).name}",
                    f"{len(found)}",
                    "Save each position as a file of its own.",
                )
            pages = list(found[0].pages)
            axes, shape = found[0].axes, found[0].shape
            where = [(_path_of(page), int(page.offset)) for page in pages if page is not None]
    except NisslError:
        raise
    except Exception as error:
        raise damaged(plan.files[0], error) from error
    if not where or len(where) != len(pages):
        raise CorruptSourceError(
            f"{len(pages)} images, as the header of {Path(plan.files[0]).name} says",
            f"{len(where)}",
            "Put all files of the set into one folder, with their own names.",
        )
    files = {str(path): index for index, path in enumerate(_ome_files(plan, where))}
    chains = {path: walk(Path(path)) for path in files}
    look = _same(list(chains.values()))
    data = []
    for path, offset in where:
        index = np.flatnonzero(chains[path].ifd == offset)
        if not index.size:
            raise damaged(path, ValueError("a page that is not in its chain"))
        data.append(int(chains[path].data[index[0]]))
    order = _ome_order(plan, axes, shape, len(where))
    file = np.asarray([files[path] for path, _ in where], np.int64)
    ifd = np.asarray([offset for _, offset in where], np.int64)
    stamps = np.full(order.shape[0], math.nan)
    return Stack(look, file, ifd, np.asarray(data, np.int64), order, stamps)


def _path_of(page: Any) -> str:
    return str(Path(page.parent.filehandle.path).absolute())


def _ome_files(plan: Plan, where: list[tuple[str, int]]) -> list[str]:
    """Files of the plan, which must be all that the header names."""
    known = [str(Path(path).absolute()) for path in plan.files]
    if not {path for path, _ in where} <= set(known):
        raise BadMetadataError(
            "the folder of all files of an OME set",
            f"{Path(plan.files[0]).name} alone, which names others",
            "Give the folder.",
        )
    return known


def _ome_order(
    plan: Plan, axes: str, shape: tuple[int, ...], n_pages: int
) -> npt.NDArray[np.int64]:
    outer = [(axis, n) for axis, n in zip(axes, shape, strict=True) if axis not in "YXS"]
    if any(axis not in "TZC" and n > 1 for axis, n in outer):
        raise BadMetadataError(
            "the axes T, Z, C, Y and X in an OME file", axes, "Split the file along the others."
        )
    outer = [(axis, n) for axis, n in outer if axis in "TZC"]
    if math.prod(n for _, n in outer) != n_pages:
        raise damaged(plan.files[0], ValueError(f"{n_pages} images of shape {shape}"))
    pages = np.arange(n_pages, dtype=np.int64).reshape([n for _, n in outer])
    names = [axis for axis, _ in outer]
    for axis in "TZC":
        if axis not in names:
            names.append(axis)
            pages = pages[..., None]
    return pages.transpose([names.index(axis) for axis in "TZC"])


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


@dataclass(frozen=True)
class TiffFrames:
    """Frames of one channel of a stack.

    Parameters
    ----------
    plan : Plan
    channel : int
        That takes turns with others, or a value of each pixel in colour images.
    sample_type : str
        NumPy type string in this machine's byte order.
    """

    plan: Plan
    channel: int
    sample_type: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""
        return np.dtype(self.sample_type)

    def read(self, start: int, stop: int, rows: Rows) -> npt.NDArray[Any]:
        """Pixels of frames [start, stop), rows [y0, y1), shape (t, z, y, x)."""
        stack = stack_of(self.plan)
        look, stored = stack.look, np.dtype(stack.look.dtype)
        turn = 0 if look.samples > 1 else self.channel
        pages = stack.order[start:stop, :, turn]
        out = np.empty((*pages.shape, rows[1] - rows[0], look.width), dtype=stored)
        if out.size:
            images = out.reshape(-1, *out.shape[2:])
            self._fill(stack, pages.ravel(), rows, images)
        return out.astype(self.dtype, copy=False)

    def _fill(
        self, stack: Stack, pages: npt.NDArray[np.int64], rows: Rows, out: npt.NDArray[Any]
    ) -> None:
        plain = (stack.data[pages] >= 0) & (stack.look.samples == 1)
        for index in np.unique(stack.file[pages]).tolist():
            path = self.plan.files[index]
            here = np.flatnonzero(stack.file[pages] == index)
            try:
                _copied(path, stack, pages, here[plain[here]], rows, out)
                self._decoded(path, stack, pages, here[~plain[here]], rows, out)
            except (NisslError, ImportError):
                raise
            except Exception as error:
                raise damaged(path, error) from error

    def _decoded(
        self,
        path: str,
        stack: Stack,
        pages: npt.NDArray[np.int64],
        which: npt.NDArray[np.intp],
        rows: Rows,
        out: npt.NDArray[Any],
    ) -> None:
        """Decode pages one by one."""
        if not which.size:
            return
        import tifffile

        look = stack.look
        shape = (look.height, look.width, look.samples)
        if look.planar:
            shape = (look.samples, look.height, look.width)
        with tifffile.TiffFile(path) as tif:
            for k in which.tolist():
                tif.filehandle.seek(int(stack.ifd[pages[k]]))
                page = tifffile.TiffPage(tif, index=int(pages[k]))
                image = page.asarray(maxworkers=1).reshape(shape)
                sample = self.channel if look.samples > 1 else 0
                image = image[sample] if look.planar else image[:, :, sample]
                out[k] = image[slice(*rows)]


def _copied(
    path: str,
    stack: Stack,
    pages: npt.NDArray[np.int64],
    which: npt.NDArray[np.intp],
    rows: Rows,
    out: npt.NDArray[Any],
) -> None:
    """Read rows of pages whose pixels lie uncompressed in one piece."""
    if not which.size:
        return
    row_bytes = stack.look.width * np.dtype(stack.look.dtype).itemsize
    with open(path, "rb", buffering=0) as file:
        for k in which.tolist():
            file.seek(int(stack.data[pages[k]]) + rows[0] * row_bytes)
            view = memoryview(out[k].reshape(-1).view(np.uint8).data)
            done = 0
            while done < len(view):
                n = file.readinto(view[done:])
                if not n:
                    raise CorruptSourceError(
                        f"{stack.look.page_bytes} bytes of an image in {Path(path).name}",
                        "the end of the file",
                        "The file was shortened since it was opened; restore it.",
                    )
                done += n
