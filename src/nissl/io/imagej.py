"""ROIs of ImageJ and Fiji: a zip of .roi files, as the ROI Manager saves and opens them.

Each region is a traced polygon along the edges of its pixels (a composite where it has holes or
several parts), named by its item. What ImageJ has no field for (weights, confidence, provenance)
stands in the properties of the first ROI, which ImageJ keeps and other readers pass over.
"""

from __future__ import annotations

import zipfile
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.annotators.cells.footprints import Footprints
from nissl.errors import BadArgumentError, CorruptSourceError, ExportError, MissingDependencyError
from nissl.io.contracts import Imported
from nissl.io.files import corrupt
from nissl.io.outlines import filled, outlines
from nissl.io.rates import positive_rate
from nissl.io.regions import Found, footprints_of, imported, regions_of
from nissl.io.sidecar import Sidecar, pack_sidecar, unpack_sidecar
from nissl.io.targets import new_file
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    set_differences,
)
from nissl.labels import Author
from nissl.tasks import Dossier

if TYPE_CHECKING:
    from roifile import ImagejRoi

_LARGEST = 2**16
_KEY = "nissl"
_STAMP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ImageJ:
    """Exporter and importer of zips of ROIs, and importer of single ones."""

    name: str = "imagej"
    suffix: str = "_rois.zip"

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a zip; there are no further options."""
        if options:
            raise BadArgumentError("no further options", f"{sorted(options)}", "Leave them out.")
        _need_roifile()
        footprints = footprints_of(dossier)
        items = regions_of(dossier).column("item").tolist()
        with (
            new_file(path, overwrite=overwrite) as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            beside = pack_sidecar(dossier, more={"grid": list(footprints.shape)})
            told = f"{_KEY}: {b64encode(beside).decode('ascii')}\n"
            for row, item in enumerate(items):
                content = _roi(footprints, row, f"{item:05d}", "" if row else told)
                archive.writestr(zipfile.ZipInfo(f"{item:05d}.roi", _STAMP), content)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the zip back and compare it with the dossier."""
        with readable(Path(path)):
            back = self.read(path)
            differences = set_differences("regions", dossier.labels, back.labels[0])
            differences += item_differences(dossier.items, back.items[0] if back.items else None)
            differences += classes_differences(dossier.classes, back.labels[1:])
        report(differences, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is a .roi file or a zip of such."""
        path = Path(path)
        if not path.is_file():
            return False
        if path.suffix == ".roi":
            return True
        if path.suffix != ".zip":
            return False
        try:
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith(".roi") for name in archive.namelist())
        except (OSError, zipfile.BadZipFile, ValueError):
            return False

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read ROIs; outside ImageJ's own fields they are a person's work."""
        path = Path(path)
        _need_roifile()
        with corrupt(path, "ImageJ's ROIs"):
            rois, sidecar, notes = _opened(path)
            shape = None
            if sidecar is not None and sidecar.labels is not None:
                depth, height, width = (int(n) for n in sidecar.facts["grid"])
                shape = (depth, height, width)
            found, guessed = _footprints(rois, shape, path)
        whole = _untouched(sidecar, found)
        if whole is not None:
            return whole
        rate = float("nan") if rate_hz is None else positive_rate(rate_hz, path)
        author = Author("person", reviewer or "imagej user")
        if guessed:
            notes = (
                *notes,
                "ImageJ keeps no size of the field; it was taken to end at the last ROI.",
            )
        mark = source or (sidecar.fingerprint if sidecar else None)
        got = imported(Found(found, author, notes=notes), self.name, fingerprint=mark, rate_hz=rate)
        return replace(got, facts={**got.facts, "field_guessed": True}) if guessed else got


def _need_roifile() -> None:
    try:
        import roifile  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "the package roifile", "none installed", "Install: pip install 'nissl[imaging]'"
        ) from error


def _roi(footprints: Footprints, row: int, name: str, properties: str) -> bytes:
    from roifile import ROI_TYPE, ImagejRoi

    _, height, width = footprints.shape
    planes, within = np.divmod(footprints.pixels[row], height * width)
    if planes[0] != planes[-1]:
        raise ExportError(
            "regions that lie in one plane each",
            f"one that spans planes {planes[0]} to {planes[-1]}",
            "ImageJ's ROIs lie in planes; export as nwb or parquet.",
        )
    y, x = np.divmod(within, width)
    loops = outlines(y, x)
    plane = int(planes[0]) + 1 if footprints.shape[0] > 1 else 0
    roi = ImagejRoi.frompoints(loops[0].astype(np.int32), name=name)
    roi.roitype = ROI_TYPE.TRACED
    roi.z_position = roi.position = plane
    roi.props = properties
    if len(loops) > 1:
        path: list[float] = []
        for loop in loops:
            for k, (px, py) in enumerate(loop.tolist()):
                path += [1.0 if k else 0.0, px, py]
            path.append(4.0)
        roi.roitype, roi.integer_coordinates = ROI_TYPE.RECT, None
        roi.multi_coordinates = np.asarray(path, np.float32)
        roi.shape_roi_size, roi.n_coordinates = len(path), 0
        roi.left, roi.right = int(x.min()), int(x.max()) + 1
        roi.top, roi.bottom = int(y.min()), int(y.max()) + 1
    return bytes(roi.tobytes())


def _opened(path: Path) -> tuple[list[ImagejRoi], Sidecar | None, tuple[str, ...]]:
    """ROIs in the order of the file, and what nissl left in their properties."""
    from roifile import ImagejRoi

    if path.suffix == ".roi":
        contents = [path.read_bytes()]
    else:
        with zipfile.ZipFile(path) as archive:
            contents = [archive.read(n) for n in archive.namelist() if n.endswith(".roi")]
    rois = [ImagejRoi.frombytes(content) for content in contents]
    told = next((roi.props for roi in rois if f"{_KEY}: " in (roi.props or "")), None)
    if told is None:
        return rois, None, ()
    line = next(text for text in told.splitlines() if text.startswith(f"{_KEY}: "))
    return rois, *unpack_sidecar(b64decode(line.partition(": ")[2]))


def _footprints(
    rois: Sequence[ImagejRoi], shape: tuple[int, int, int] | None, path: Path
) -> tuple[Footprints, bool]:
    places = []
    for roi in rois:
        y, x = filled(roi.coordinates(multi=True) if roi.composite else [roi.coordinates()])
        if not y.size or min(y.min(), x.min()) < 0 or max(y.max(), x.max()) >= _LARGEST:
            raise CorruptSourceError(
                "ROIs that enclose pixels of an image",
                f"{roi.name!r}, of type {getattr(roi.roitype, 'name', roi.roitype)}",
                f"Delete it from {path.name}, or save it as an area.",
            )
        z = max(int(roi.z_position or 0) - 1, 0)
        places.append((z, y, x))
    if not places:
        raise CorruptSourceError("at least one ROI", "none", f"Save {path.name} again.")
    size = shape
    if size is None:
        last = [[z, y.max(), x.max()] for z, y, x in places]
        depth, height, width = (int(n) + 1 for n in np.max(last, axis=0))
        size = (depth, height, width)
    flat = [(z * size[1] + y) * size[2] + x for z, y, x in places]
    return Footprints.build(size, flat), shape is None


def _untouched(sidecar: Sidecar | None, found: Footprints) -> Imported | None:
    """The work as it was exported, while every ROI is still the same."""
    if sidecar is None or sidecar.labels is None:
        return None
    own = Footprints.from_labels(sidecar.labels, found.shape)
    if len(own) != len(found) or not all(
        np.array_equal(a, b) for a, b in zip(own.pixels, found.pixels, strict=True)
    ):
        return None
    return sidecar.imported(sidecar.labels, "imagej")


IMAGEJ = ImageJ()
