"""Small valid TIFF stacks as ImageJ, OME programs and ScanImage write them, through tifffile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_stack(path: Path, frames: npt.NDArray[Any], **options: Any) -> Path:
    """Write a plain stack, a page per image, and return the path.

    Parameters
    ----------
    path : Path
    frames : ndarray, shape (..., y, x)
        All axes before the last two are written in C order.
    **options
        Of tifffile's `TiffWriter.write` (compression, tile, rowsperstrip); description, of the
        first page alone; big_endian and bigtiff, True or False.
    """
    import tifffile

    order = ">" if options.pop("big_endian", False) else "<"
    big = options.pop("bigtiff", False)
    images = frames.reshape(-1, *frames.shape[-2:])
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        for k, image in enumerate(images):
            if k == 1:
                options.pop("description", None)
            plain = {"metadata": None, "contiguous": False, "photometric": "minisblack"}
            file.write(image, **{**plain, **options})
    return path


def write_imagej(path: Path, frames: npt.NDArray[Any], **metadata: Any) -> Path:
    """Write an ImageJ hyperstack, shape (t, z, c, y, x), and return the path.

    Parameters
    ----------
    **metadata
        Keys of ImageJ's description (finterval, unit, spacing); pixel_um, the size of a pixel.
    """
    import tifffile

    pixel = metadata.pop("pixel_um", None)
    extra: dict[str, Any] = {}
    if pixel is not None:
        extra["resolution"] = (1 / pixel, 1 / pixel)
        metadata.setdefault("unit", "um")
    axes = {"axes": "TZCYX", **metadata}
    tifffile.imwrite(path, frames, imagej=True, metadata=axes, photometric="minisblack", **extra)
    return path


def write_ome(path: Path, frames: npt.NDArray[Any], axes: str = "TZCYX", **metadata: Any) -> Path:
    """Write an OME-TIFF and return the path.

    Parameters
    ----------
    frames : ndarray
        Of the axes given.
    **metadata
        Attributes of OME's Pixels (TimeIncrement, PhysicalSizeX, ...), or {"Plane": {...}}.
    """
    import tifffile

    tifffile.imwrite(
        path, frames, ome=True, metadata={"axes": axes, **metadata}, photometric="minisblack"
    )
    return path


def write_scanimage(
    path: Path,
    frames: npt.NDArray[Any],
    *,
    rate_hz: float = 30.0,
    numbers: npt.NDArray[np.int64] | None = None,
    header: Mapping[str, str] | None = None,
) -> Path:
    """Write a stack as ScanImage does and return the path.

    Parameters
    ----------
    path : Path
    frames : ndarray, shape (n, c, y, x), int16
        In the order of acquisition; planes take turns along `n`.
    rate_hz : float
        Frames (not volumes) per second.
    numbers : ndarray, shape (n,), int64, optional
        Number of each frame, from 1; it jumps where frames were not kept.
    header : mapping of str to str
        Further lines of the header, in MATLAB's writing.
    """
    import tifffile

    n_channels = frames.shape[1]
    count = np.arange(1, len(frames) + 1) if numbers is None else numbers
    ids = " ".join(str(k + 1) for k in range(n_channels))
    lines = {
        "SI.VERSION_MAJOR": "2020",
        "SI.hChannels.channelSave": f"[{ids.replace(' ', ';')}]" if n_channels > 1 else ids,
        "SI.hChannels.channelName": "{'Green' 'Red' 'Channel 3' 'Channel 4'}",
        "SI.hRoiManager.scanFrameRate": f"{rate_hz:.6g}",
        "SI.hFastZ.enable": "false",
        "SI.hStackManager.framesPerSlice": "Inf",
        "SI.hScan2D.bidirectional": "true",
        **(header or {}),
    }
    software = "\n".join(f"{key} = {value}" for key, value in lines.items())
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for image, number in zip(frames, count.tolist(), strict=True):
            said = (
                f"frameNumbers = {number}\nacquisitionNumbers = 1\n"
                f"frameNumberAcquisition = {number}\n"
                f"frameTimestamps_sec = {(number - 1) / rate_hz:.9f}\n"
            )
            for channel in image:
                file.write(
                    channel,
                    description=said,
                    software=software,
                    metadata=None,
                    contiguous=False,
                    photometric="minisblack",
                )
    return path
