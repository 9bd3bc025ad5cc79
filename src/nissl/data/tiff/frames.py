"""Pixels of TIFF stacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import damaged
from nissl.data.movie import Rows
from nissl.data.tiff.stack import Plan, Stack, stack_of
from nissl.errors import CorruptSourceError, NisslError


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
            path = stack.files[index]
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
