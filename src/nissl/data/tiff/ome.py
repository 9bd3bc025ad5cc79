"""The order of the pages of OME-TIFF files, over several files where the header names them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import damaged
from nissl.data.tiff.pages import walk
from nissl.data.tiff.stack import Plan, Stack, same_look
from nissl.errors import BadMetadataError, CorruptSourceError, NisslError


def ome_stack(plan: Plan, files: Sequence[Path]) -> Stack:
    """Pages in the order that an OME header gives them, over several files where it names them."""
    import tifffile

    try:
        with tifffile.TiffFile(files[0]) as tif:
            found = [series for series in tif.series if series.kind == "ome"]
            if len(found) != 1:
                raise BadMetadataError(
                    f"one image in {files[0].name}",
                    f"{len(found)}",
                    "Save each position as a file of its own.",
                )
            pages = list(found[0].pages)
            axes, shape = found[0].axes, found[0].shape
            where = [(_path_of(page), int(page.offset)) for page in pages if page is not None]
    except NisslError:
        raise
    except Exception as error:
        raise damaged(str(files[0]), error) from error
    if not where or len(where) != len(pages):
        raise CorruptSourceError(
            f"{len(pages)} images, as the header of {files[0].name} says",
            f"{len(where)}",
            "Put all files of the set into one folder, with their own names.",
        )
    known = _ome_files(files, where)
    chains = {path: walk(Path(path)) for path in known}
    look = same_look(list(chains.values()))
    data = []
    for path, offset in where:
        index = np.flatnonzero(chains[path].ifd == offset)
        if not index.size:
            raise damaged(path, ValueError("a page that is not in its chain"))
        data.append(int(chains[path].data[index[0]]))
    order = _ome_order(plan, axes, shape, len(where))
    file = np.asarray([known.index(path) for path, _ in where], np.int64)
    ifd = np.asarray([offset for _, offset in where], np.int64)
    stamps = np.full(order.shape[0], math.nan)
    return Stack(tuple(known), look, file, ifd, np.asarray(data, np.int64), order, stamps)


def _path_of(page: Any) -> str:
    return str(Path(page.parent.filehandle.path).absolute())


def _ome_files(files: Sequence[Path], where: list[tuple[str, int]]) -> list[str]:
    """Files by their whole paths, which must be all that the header names."""
    known = [str(path.absolute()) for path in files]
    if not {path for path, _ in where} <= set(known):
        raise BadMetadataError(
            "the folder of all files of an OME set",
            f"{files[0].name} alone, which names others",
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
        raise damaged(plan.path, ValueError(f"{n_pages} images of shape {shape}"))
    pages = np.arange(n_pages, dtype=np.int64).reshape([n for _, n in outer])
    names = [axis for axis, _ in outer]
    for axis in "TZC":
        if axis not in names:
            names.append(axis)
            pages = pages[..., None]
    return pages.transpose([names.index(axis) for axis in "TZC"])
