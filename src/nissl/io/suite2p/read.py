"""Reading Suite2p's results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.data import Signal
from nissl.data.plain_pickle import read_plain
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.files import corrupt, load_npy
from nissl.io.rates import positive_rate
from nissl.io.regions import (
    DECONVOLVED,
    NEUROPIL,
    RAW,
    Shape,
    by_person,
    cells_of,
    facts_table,
    fingerprint_of,
    made_elsewhere,
    regions,
    trace_signal,
)
from nissl.io.sidecar import Sidecar, readable_sidecar
from nissl.labels import ItemTable, LabelSet

TRACES = {RAW: "F", NEUROPIL: "Fneu", DECONVOLVED: "spks"}
"""Files of derived signals."""
PICTURES = {"mean": "meanImg", "max": "max_proj", "correlation": "Vcorr"}
"""Entries of ops.npy that are pictures of the field."""
STATISTICS = {
    "npix": "px",
    "compact": "",
    "radius": "px",
    "aspect_ratio": "",
    "skew": "",
    "std": "a.u.",
    "footprint": "",
    "snr": "",
    "mrs": "",
}
"""Numbers of stat.npy that become facts, under their own names, with their units."""
CLASSIFIER = "classifier_probability"
ABSENT = "nissl_absent"
"""Entry of ops.npy that names files which are there only because Suite2p's GUI needs them."""
USER = "suite2p user"
_PARTS = ("ops", "db", "settings", "reg_outputs", "detect_outputs")


@dataclass(frozen=True)
class NpyRows:
    """Samples that stand in rows of .npy files, one file below the other.

    Parameters
    ----------
    paths : tuple of Path
    counts : tuple of int
        Rows of each.
    """

    paths: tuple[Path, ...]
    counts: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples."""
        return np.dtype(np.float32)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        out = np.empty((stop - start, len(channels)), np.float32)
        first = 0
        for path, count in zip(self.paths, self.counts, strict=True):
            here = (channels >= first) & (channels < first + count)
            if here.any():
                rows = np.load(path, mmap_mode="r", allow_pickle=False)
                out[:, here] = rows[channels[here] - first, start:stop].T
            first += count
        return out


@dataclass(frozen=True)
class Plane:
    """What a folder of one plane holds."""

    folder: Path
    stat: list[Mapping[str, Any]]
    ops: Mapping[str, Any]
    flag: npt.NDArray[np.bool_]
    chance: npt.NDArray[np.float64]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        try:
            return int(self.ops["Ly"]), int(self.ops["Lx"])
        except (KeyError, TypeError, ValueError):
            raise CorruptSourceError(
                f"the size of the field (Ly, Lx) in ops.npy or db.npy of {self.folder.name}",
                "none",
                f"Restore {self.folder}.",
            ) from None


def is_suite2p(path: Path) -> bool:
    """Whether a path is a folder of a plane, its parent, or the stat.npy in it."""
    return bool(_planes(path))


def _planes(path: Path) -> list[Path]:
    folder = path.parent if path.name == "stat.npy" else path
    if (folder / "stat.npy").is_file():
        return [folder]
    found = [p for p in folder.glob("plane*") if (p / "stat.npy").is_file()]
    numbered = [p for p in found if p.name.removeprefix("plane").isdigit()]
    return sorted(numbered, key=lambda p: int(p.name.removeprefix("plane")))


def read_suite2p(
    path: Path,
    *,
    reviewer: str | None = None,
    source: str | None = None,
    rate_hz: float | None = None,
) -> Imported:
    """Read a folder; see `nissl.io.contracts.Importer.read`.

    Raises
    ------
    SourceNotFoundError
        No stat.npy.
    CorruptSourceError
        Truncated or inconsistent files, or planes of several sizes.
    BadMetadataError
        No frame rate in ops.npy and none given, or an impossible one.
    """
    folders = _planes(path)
    if not folders:
        raise SourceNotFoundError(
            "stat.npy, or folders plane0, plane1, ... that hold it",
            f"none in {path}",
            "Give Suite2p's results folder.",
        )
    planes = [_plane(folder) for folder in folders]
    home = path if (path / "nissl").is_dir() else folders[0]
    sidecar, missing = readable_sidecar(home)
    ops = planes[0].ops
    rate = positive_rate(rate_hz if rate_hz is not None else _rate(ops), path)
    footprints = _footprints(planes)
    names = dict(sidecar.facts.get("traces") or {}) if sidecar else TRACES
    signals, n_frames, absent = _signals(planes, names, rate, len(footprints))
    flag, chance = (np.concatenate([getattr(p, n) for p in planes]) for n in ("flag", "chance"))
    fingerprint = source or (sidecar.fingerprint if sidecar else "")
    fingerprint = fingerprint or fingerprint_of(footprints, n_frames)
    whole = None if sidecar is None else _restored(sidecar, footprints)
    labels, items = whole or _labels(planes, footprints, chance, fingerprint, rate)
    order = in_planes(Footprints.from_labels(labels, footprints.shape))
    ids = [str(item) for item in labels.column("item")[order].tolist()]
    signals = {
        n: replace(s, channels=replace(s.channels, ids=tuple(ids))) for n, s in signals.items()
    }
    called = np.empty_like(flag)
    called[order] = flag
    sets = [labels]
    if np.any(called != cells_of(labels)):
        sets.append(by_person(labels, called, reviewer or USER))
    return Imported(
        labels=(*sets, *(sidecar.classes if sidecar else ())),
        items=() if items is None else (items,),
        what_is_missing=(*missing, *absent, *_words(planes)),
        format="suite2p",
        fingerprint=fingerprint,
        subject=sidecar.fact("subject", "id", "unknown") if sidecar else "unknown",
        session=sidecar.fact("session", "id", "unknown") if sidecar else "unknown",
        events=sidecar.events if sidecar else {},
        facts={"rate_hz": rate, "clock": [[0, n_frames, 0.0, rate]] if n_frames else None},
        signals=signals,
        images=_images(planes),
    )


def _plane(folder: Path) -> Plane:
    stat = read_plain(folder / "stat.npy")
    entries = stat.ravel().tolist() if isinstance(stat, np.ndarray) else [stat]
    if not entries or not all(isinstance(each, dict) for each in entries):
        raise CorruptSourceError(
            "a dictionary per region in stat.npy", f"{type(stat).__name__}", f"Restore {folder}."
        )
    ops: dict[str, Any] = {}
    for name in _PARTS:
        if (folder / f"{name}.npy").is_file():
            part = read_plain(folder / f"{name}.npy")
            ops |= part if isinstance(part, dict) else {}
    flag, chance = np.ones(len(entries), bool), np.full(len(entries), np.nan)
    if (folder / "iscell.npy").is_file():
        given = load_npy(folder / "iscell.npy", kinds="iufb").astype(np.float64)
        table = given[:, None] if given.ndim == 1 else given
        if len(table) != len(entries) or table.ndim != 2:
            raise CorruptSourceError(
                f"{len(entries)} rows in iscell.npy, as in stat.npy",
                f"shape {given.shape}",
                f"Restore {folder}.",
            )
        flag = table[:, 0] > 0
        chance = table[:, 1] if table.shape[1] > 1 else chance
    return Plane(folder, entries, ops, flag, chance)


def _rate(ops: Mapping[str, Any]) -> Any:
    rate = ops.get("fs")
    return rate.item() if isinstance(rate, np.generic) else rate


def _footprints(planes: list[Plane]) -> Footprints:
    sizes = {plane.size for plane in planes}
    if len(sizes) > 1:
        raise CorruptSourceError(
            "planes of one size", f"{sorted(sizes)}", "Import each plane's folder by itself."
        )
    height, width = sizes.pop()
    shape: Shape = (len(planes), height, width)
    pixels, weights = [], []
    for z, plane in enumerate(planes):
        for index, each in enumerate(plane.stat):
            y, x = (_numbers(each, n, plane, index) for n in ("ypix", "xpix"))
            weight = _numbers(each, "lam", plane, index) if "lam" in each else np.ones(y.size)
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            if not (y.size == x.size == weight.size) or not y.size or not inside.all():
                raise CorruptSourceError(
                    f"ypix, xpix and lam of one length inside {height} x {width} pixels",
                    f"others for region {index} of {plane.folder.name}",
                    f"Restore {plane.folder}.",
                )
            flat = (z * height + y.astype(np.int64)) * width + x.astype(np.int64)
            _, first = np.unique(flat, return_index=True)
            pixels.append(flat[first])
            weights.append(weight[first])
    return Footprints.build(shape, pixels, weights)


def _numbers(each: Mapping[str, Any], name: str, plane: Plane, index: int) -> npt.NDArray[Any]:
    value = each.get(name)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iuf":
        return value
    raise CorruptSourceError(
        f"an array of numbers {name!r} for each region of stat.npy",
        f"{value!r:.60} for region {index}",
        f"Restore {plane.folder}.",
    )


def _signals(
    planes: list[Plane], names: Mapping[str, str], rate_hz: float, n: int
) -> tuple[dict[str, Signal], int, list[str]]:
    counts = tuple(len(plane.stat) for plane in planes)
    absent = {str(name) for name in np.atleast_1d(planes[0].ops.get(ABSENT, []))}
    out, n_frames, sentences = {}, 0, []
    for name, file in names.items():
        paths = tuple(plane.folder / f"{file}.npy" for plane in planes)
        if file in absent or not all(path.is_file() for path in paths):
            sentences.append(f"There is no {file}.npy; traces {name!r} are not known.")
            continue
        shapes = [_shape_of(path) for path in paths]
        frames = {shape[1] if len(shape) == 2 else -1 for shape in shapes}
        rows = tuple(shape[0] if shape else -1 for shape in shapes)
        if rows != counts or len(frames) > 1 or min(frames) < 1 or n_frames not in (0, *frames):
            raise CorruptSourceError(
                f"{counts} regions of one number of frames in {file}.npy, as in stat.npy",
                f"shapes {shapes}",
                f"Restore {planes[0].folder}.",
            )
        n_frames = frames.pop()
        out[name] = trace_signal(name, NpyRows(paths, counts), range(n), rate_hz, n_frames)
    return out, n_frames, sentences


def _images(planes: list[Plane]) -> dict[str, npt.NDArray[np.float32]]:
    """Pictures that every plane holds, (z, y, x); NaN outside the part that Suite2p cut out."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    for name, entry in PICTURES.items():
        each = [_image(plane, entry) for plane in planes]
        known = [image for image in each if image is not None]
        if len(known) == len(planes):
            found[name] = np.stack(known)
    return found


def _image(plane: Plane, entry: str) -> npt.NDArray[np.float32] | None:
    value = plane.ops.get(entry)
    absent = {str(name) for name in np.atleast_1d(plane.ops.get(ABSENT, []))}
    if entry in absent or not isinstance(value, np.ndarray):
        return None
    if value.ndim != 2 or value.dtype.kind not in "iuf":
        return None
    height, width = plane.size
    if value.shape == (height, width):
        return np.asarray(value, np.float32)
    cut = [np.atleast_1d(plane.ops.get(side, [])).ravel() for side in ("yrange", "xrange")]
    if any(ends.size != 2 or ends.dtype.kind not in "iuf" for ends in cut):
        return None
    (top, bottom), (left, right) = ([int(end) for end in ends] for ends in cut)
    if value.shape != (bottom - top, right - left) or min(top, left) < 0:
        return None
    if bottom > height or right > width:
        return None
    out = np.full((height, width), np.nan, np.float32)
    out[top:bottom, left:right] = value
    return out


def _shape_of(path: Path) -> tuple[int, ...]:
    """Shape of an array of numbers on disk; `CorruptSourceError` for other files."""
    with corrupt(path, "an array of numbers"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype.kind not in "iuf":
            raise ValueError(f"values of type {array.dtype}")
        return tuple(int(n) for n in array.shape)


def _labels(
    planes: list[Plane],
    footprints: Footprints,
    chance: npt.NDArray[np.float64],
    fingerprint: str,
    rate_hz: float,
) -> tuple[LabelSet, ItemTable]:
    version = planes[0].ops.get("suite2p_version", "")
    made = made_elsewhere(
        "suite2p", fingerprint, footprints.shape, version=version if version else ""
    )
    known = np.isfinite(chance)
    labels = regions(footprints, made, cell=np.where(known, chance > 0.5, True))
    every = [each for plane in planes for each in plane.stat]
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in STATISTICS:
        if any(name in each for each in every):
            columns[name] = np.asarray([_number(each.get(name)) for each in every])
    shared = [each.get("overlap") for each in every]
    known_shared = [float(np.mean(s)) for s in shared if isinstance(s, np.ndarray)]
    if len(known_shared) == len(every):
        columns["overlap_fraction"] = np.asarray(known_shared)
    if known.any():
        columns[CLASSIFIER] = chance
    context = {"grid": list(footprints.shape), "rate_hz": rate_hz}
    units = {name: STATISTICS.get(name, "") for name in columns}
    return labels, facts_table(labels, columns, units=units, context=context)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def _restored(sidecar: Sidecar, footprints: Footprints) -> tuple[LabelSet, ItemTable | None] | None:
    """Sets as nissl wrote them, while the regions are still the same."""
    labels = sidecar.labels
    if labels is None:
        return None
    own = Footprints.from_labels(labels, footprints.shape)
    order = in_planes(own)
    same = len(own) == len(footprints) and all(
        np.array_equal(own.pixels[row], pixels)
        for row, pixels in zip(order.tolist(), footprints.pixels, strict=True)
    )
    return (labels, sidecar.items_with({})) if same else None


def in_planes(footprints: Footprints) -> npt.NDArray[np.int64]:
    """Rows by the plane that they lie in, their order kept within it."""
    size = footprints.shape[1] * footprints.shape[2]
    plane = np.asarray([pixels[0] // size for pixels in footprints.pixels], np.int64)
    return np.argsort(plane, kind="stable")


def _words(planes: list[Plane]) -> tuple[str, ...]:
    said = ["The folder names no movie that was opened; add the movie to see it."]
    if not all(np.isfinite(plane.chance).any() for plane in planes):
        said.append("There is no classifier's probability; all regions are called cells.")
    return tuple(said)
