"""Masks of volumes as images: folders of the Cell Tracking Challenge, and TIFFs of all volumes.

A folder has a TIFF (z, y, x) for each volume: ``man_track012.tif`` or ``man_seg012.tif`` as people
drew them, ``mask012.tif`` as a method proposes; voxels are numbers of neurons, the same in every
volume. ``man_track.txt`` or ``res_track.txt`` has a line for each: its number, its first and its
last volume, and 0, for neurons do not divide (Ulman et al. 2017, Nature Methods 14:1141).
A single TIFF (t, z, y, x) is known by its name, ``..._masks.tif`` or ``..._labels.tif``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.masks import Masks
from nissl.errors import CorruptSourceError
from nissl.io.contracts import Imported
from nissl.io.files import corrupt
from nissl.io.folder_format import FolderFormat
from nissl.io.label_images import is_label_image
from nissl.io.masks import FoundMasks, imported_masks, masks_of, renumbered, untouched
from nissl.io.sidecar import readable_sidecar, write_sidecar
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    set_differences,
)
from nissl.labels import Author
from nissl.tasks import Dossier

_FILE = re.compile(r"(man_track|man_seg|mask)(\d+)\.tiff?", re.IGNORECASE)
UNKNOWN = Author("model", "unknown, read from images")


def volume_files(path: Path) -> list[tuple[int, Path]]:
    """Volumes of a folder, by number; people's where there are some, else a method's."""
    if not path.is_dir():
        return []
    found: dict[str, list[tuple[int, Path]]] = {"man_track": [], "man_seg": [], "mask": []}
    for file in path.iterdir():
        match = _FILE.fullmatch(file.name)
        if match:
            found[match[1].lower()].append((int(match[2]), file))
    return sorted(next((files for files in found.values() if files), []))


def write_folder(dossier: Dossier, folder: Path) -> None:
    """Write ``mask000.tif`` and on, for volumes with masks, and ``res_track.txt``."""
    import tifffile

    masks = renumbered(masks_of(dossier))
    digits = max(3, len(str(int(masks.frames[-1]))))
    items = masks.items
    lines = []
    for frame in masks.frames.tolist():
        volume = np.append(0, items)[masks.volume(frame)].astype(np.uint16)
        tifffile.imwrite(
            folder / f"mask{frame:0{digits}}.tif", volume, compression="zlib",
            photometric="minisblack", metadata={"axes": "ZYX"},
        )  # fmt: skip
    for item in items.tolist():
        own = masks.frame[masks.item == item]
        lines.append(f"{item} {own.min()} {own.max()} 0\n")
    (folder / "res_track.txt").write_text("".join(lines), encoding="ascii")
    write_sidecar(folder, dossier)


def verify_folder(dossier: Dossier, path: Path) -> None:
    """Read the folder back and compare it with the dossier."""
    with readable(path):
        back = read_folder(path)
        differences = set_differences("masks", dossier.labels, back.labels[0])
        differences += item_differences(dossier.items, back.items[0] if back.items else None)
        differences += classes_differences(dossier.classes, back.labels[1:])
    report(differences, path)


def read_folder(
    path: Path,
    *,
    reviewer: str | None = None,
    source: str | None = None,
    rate_hz: float | None = None,
) -> Imported:
    """Masks of a folder, by a person where files say so or one is named."""
    import tifffile

    del rate_hz
    files = volume_files(path)
    if not files:
        raise CorruptSourceError(
            "files like man_track000.tif or mask000.tif", "none", f"Check {path.name}."
        )
    with corrupt(path, "volumes of whole numbers"):
        masks = Masks.of_volumes((at, _whole(tifffile.imread(file))) for at, file in files)
    _require_some(masks, path)
    sidecar, notes = readable_sidecar(path)
    whole = untouched(sidecar, masks, "ctc")
    if whole is not None:
        return whole
    by_hand = files[0][1].name.lower().startswith("man_")
    person = Author("person", reviewer or "annotator") if reviewer or by_hand else UNKNOWN
    mark = source or (sidecar.fingerprint if sidecar else None)
    return imported_masks([FoundMasks(masks, person, notes=notes)], "ctc", fingerprint=mark)


class MaskStack:
    """Importer of a single TIFF with the masks of all volumes."""

    name = "mask-stack"

    def matches(self, path: Path) -> bool:
        """Whether a file is named as images of labels are and has four axes."""
        if not is_label_image(path) or path.suffix.lower() == ".png":
            return False
        import tifffile

        try:
            with tifffile.TiffFile(path) as file:
                return len(file.series[0].shape) == 4
        except (OSError, tifffile.TiffFileError, IndexError):
            return False

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Masks of all volumes that have some, by a person where one is named."""
        import tifffile

        del rate_hz
        expected = "an image (t, z, y, x) of whole numbers"
        with corrupt(path, expected), tifffile.TiffFile(path) as file:
            n, depth = file.series[0].shape[:2]
            pages = [page.asarray for page in file.series[0].pages]
            volumes = (
                (t, _whole(np.stack([read() for read in pages[t * depth : (t + 1) * depth]])))
                for t in range(n)
            )
            masks = Masks.of_volumes(volumes)
        _require_some(masks, path)
        author = Author("person", reviewer) if reviewer else UNKNOWN
        return imported_masks([FoundMasks(masks, author)], self.name, fingerprint=source)


def _whole(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if image.ndim == 2:
        image = image[None]
    if image.ndim != 3 or image.dtype.kind not in "iu":
        raise ValueError(f"{image.dtype} of shape {image.shape} instead of numbers (z, y, x)")
    return image


def _require_some(masks: Masks, path: Path) -> None:
    if not masks.frame.size:
        raise CorruptSourceError("voxels above 0", "none", f"Check {path.name}.")


CTC = FolderFormat(
    "ctc", "_ctc", write_folder, verify_folder, lambda path: bool(volume_files(path)), read_folder
)
MASK_STACK = MaskStack()
