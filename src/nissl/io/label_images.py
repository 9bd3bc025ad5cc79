"""Images in which each region has a number: label TIFFs, and Cellpose's _seg.npy.

A label TIFF is known by its name (``..._masks.tif``, ``..._labels.tif``), for any TIFF may be an
image. Cellpose's file is a pickle and is read as data, never unpickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.data.plain_pickle import read_plain
from nissl.errors import CorruptSourceError
from nissl.io.files import corrupt
from nissl.io.regions import Found, RegionFile
from nissl.labels import Author

_ENDINGS = tuple(
    f"{stem}{suffix}" for stem in ("masks", "labels") for suffix in (".tif", ".tiff", ".png")
)


def is_label_image(path: Path) -> bool:
    """Whether a file is named as images of labels are."""
    return path.is_file() and path.name.lower().endswith(_ENDINGS)


def find_label_image(path: Path, reviewer: str | None) -> Found:
    """Regions of an image; by a person where one is named, else by an unknown method."""
    with corrupt(path, "an image of whole numbers"):
        if path.suffix.lower() == ".png":
            from skimage.io import imread

            image = imread(path)
        else:
            import tifffile

            image = tifffile.imread(path)
    author = (
        Author("person", reviewer) if reviewer else Author("model", "unknown, read from an image")
    )
    return _found(image, author, path)


def is_cellpose(path: Path) -> bool:
    """Whether a file is named as Cellpose names its results."""
    return path.is_file() and path.name.endswith("_seg.npy")


def find_cellpose(path: Path, reviewer: str | None) -> Found:
    """Masks that Cellpose, or a person in its editor, left."""
    held = read_plain(path)
    masks = held.get("masks") if isinstance(held, dict) else None
    if not isinstance(masks, np.ndarray):
        raise CorruptSourceError(
            "Cellpose's masks", f"{type(masks).__name__}", f"Save {path.name} again."
        )
    author = Author("person", reviewer) if reviewer else Author("model", "cellpose")
    return _found(masks, author, path)


def _found(image: npt.NDArray[Any], author: Author, path: Path) -> Found:
    if image.ndim not in (2, 3) or image.dtype.kind not in "iu" or not image.any():
        raise CorruptSourceError(
            "an image (y, x) or (z, y, x) of whole numbers, some above 0",
            f"shape {image.shape}, {image.dtype}",
            f"Give {path.name} as the image of labels.",
        )
    return Found(Footprints.from_masks(image), author)


CELLPOSE = RegionFile("cellpose", is_cellpose, find_cellpose)
LABEL_IMAGE = RegionFile("label-image", is_label_image, find_label_image)
