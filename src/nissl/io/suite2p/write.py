"""Writing folders that Suite2p's GUI opens, and reading them back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.errors import ExportError
from nissl.io.pickled import save
from nissl.io.regions import (
    DECONVOLVED,
    DFF,
    NEUROPIL,
    RATE,
    RAW,
    cells_of,
    footprints_of,
    image_differences,
    probabilities_of,
    rate_of,
    regions_of,
    signal_differences,
    traces_of,
)
from nissl.io.sidecar import write_sidecar
from nissl.io.suite2p.read import ABSENT, CLASSIFIER, PICTURES, STATISTICS, read_suite2p
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    set_differences,
)
from nissl.labels import ItemTable
from nissl.tasks import Dossier

SOURCES = {"F": (RAW, DFF), "Fneu": (NEUROPIL,), "spks": (DECONVOLVED, RATE)}
"""Derived signals that a file may hold, the first that is there."""


def write_suite2p(dossier: Dossier, folder: Path) -> None:
    """Write the regions of one plane, or a subfolder plane0, plane1, ... for each of several.

    Parameters
    ----------
    dossier : Dossier
    folder : Path
        An empty folder.

    Raises
    ------
    ExportError
        No regions, a field of unknown shape, no frame rate, or a region in several planes.
    """
    labels, footprints = regions_of(dossier), footprints_of(dossier)
    rate_hz = rate_of(dossier)
    if not np.isfinite(rate_hz):
        raise ExportError(
            "a movie, traces or an item table that tell the frame rate",
            "none",
            "Add the movie to the project, or export as parquet.",
        )
    depth, height, width = footprints.shape
    planes = [_plane_of(p, height * width) for p in footprints.pixels]
    probability = probabilities_of(labels)
    if np.isnan(probability).all() and dossier.items is not None:
        probability = _column(dossier.items, labels.column("item"), CLASSIFIER)
    flags = np.stack([cells_of(labels), probability], axis=1).astype(np.float64)
    flags[:, 1] = np.where(np.isnan(flags[:, 1]), flags[:, 0], flags[:, 1])
    item = labels.column("item")
    names = {f: next((n for n in ns if n in dossier.signals), "") for f, ns in SOURCES.items()}
    held = {f: _traces(dossier, name, item) for f, name in names.items()}
    overlaps = _overlaps(footprints)
    n_frames = max([t.shape[1] for t in held.values() if t is not None], default=0)
    for z in range(depth):
        rows = np.flatnonzero(np.asarray(planes) == z)
        home = folder if depth == 1 else folder / f"plane{z}"
        home.mkdir(exist_ok=True)
        stat = [_statistics(dossier, footprints, k, overlaps[k]) for k in rows.tolist()]
        save(home / "stat.npy", stat)
        np.save(home / "iscell.npy", flags[rows])
        for file, traces in held.items():
            if n_frames:
                empty = np.zeros((rows.size, n_frames), np.float32)
                np.save(home / f"{file}.npy", empty if traces is None else traces[rows])
        absent = [file for file, traces in held.items() if traces is None]
        ops = _ops(footprints.take(rows), z, rate_hz, n_frames, absent, dossier.images)
        for file in ("ops", "db", "settings"):  # one of Suite2p before 1.0, two since
            save(home / f"{file}.npy", ops)
    write_sidecar(folder, dossier, more={"traces": {n: f for f, n in names.items() if n}})


def _traces(
    dossier: Dossier, name: str, item: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    return traces_of(dossier.signals[name], item) if name else None


def _plane_of(pixels: npt.NDArray[np.int64], size: int) -> int:
    first, last = int(pixels[0]) // size, int(pixels[-1]) // size
    if first != last:
        raise ExportError(
            "regions that lie in one plane each",
            f"one that spans planes {first} to {last}",
            "Suite2p's folders hold planes; export as nwb or parquet.",
        )
    return first


def _column(items: ItemTable, item: npt.NDArray[np.int64], name: str) -> npt.NDArray[np.float64]:
    out = np.full(item.size, np.nan)
    if name in items.table.column_names:
        known = dict(zip(items.items.tolist(), items.table.column(name).to_pylist(), strict=True))
        values = [known.get(k) for k in item.tolist()]
        out[:] = [np.nan if v is None else float(v) for v in values]
    return out


def _statistics(
    dossier: Dossier, footprints: Footprints, row: int, overlap: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """What Suite2p says of a region: what the item table knows, else from its shape."""
    size = footprints.shape[1] * footprints.shape[2]
    y, x = np.divmod(footprints.pixels[row] % size, footprints.shape[2])
    weight = footprints.weights[row]
    centre = np.array([np.median(y), np.median(x)])
    distance = np.hypot(y - centre[0], x - centre[1]).mean()
    radius = float(np.sqrt(y.size / np.pi))
    stat: dict[str, Any] = {
        "ypix": y.astype(np.int32),
        "xpix": x.astype(np.int32),
        "lam": weight.astype(np.float32),
        "med": [int(centre[0]), int(centre[1])],
        "npix": int(y.size),
        "radius": radius,
        # of a disc the mean distance to the centre is two thirds of its radius
        "compact": max(float(distance / max(2 / 3 * radius, 1e-9)), 1.0),
        "aspect_ratio": _aspect(y, x, weight),
        "footprint": 1.0,
        "skew": 0.0,
        "std": 0.0,
        "overlap": overlap,
        "soma_crop": np.ones(y.size, bool),
    }
    if dossier.items is not None:
        item = dossier.labels.column("item")[row : row + 1]
        for name in STATISTICS:
            value = float(_column(dossier.items, item, name)[0])
            if np.isfinite(value) and name != "npix":
                stat[name] = value
        ours = float(_column(dossier.items, item, "compactness")[0])
        if ours > 0 and "compact" not in dossier.items.table.column_names:
            stat["compact"] = 1 / ours  # Suite2p's grows where ours falls
        skew = float(_column(dossier.items, item, "skewness")[0])
        if np.isfinite(skew) and "skew" not in dossier.items.table.column_names:
            stat["skew"] = skew
    return stat


def _aspect(
    y: npt.NDArray[np.int64], x: npt.NDArray[np.int64], weight: npt.NDArray[np.float32]
) -> float:
    """Ratio of the axes of the region's ellipse, at least 1."""
    if y.size < 3:
        return 1.0
    spread = np.cov(np.stack([y, x]).astype(np.float64), aweights=np.maximum(weight, 1e-12))
    small, large = np.linalg.eigvalsh(spread)
    return float(np.sqrt(max(large, 1e-9) / max(small, 1e-9)))


def _overlaps(footprints: Footprints) -> list[npt.NDArray[np.bool_]]:
    """For each region which of its pixels others have too."""
    _, place, count = np.unique(
        np.concatenate(footprints.pixels), return_inverse=True, return_counts=True
    )
    shared = (count > 1)[place.ravel()]
    return np.split(shared, np.cumsum([p.size for p in footprints.pixels])[:-1])


def _ops(
    here: Footprints,
    z: int,
    rate_hz: float,
    n_frames: int,
    absent: list[str],
    images: Mapping[str, npt.NDArray[Any]],
) -> dict[str, Any]:
    depth, height, width = here.shape
    outlines = np.asarray(here.matrix().sum(axis=0)).reshape(here.shape)[z].astype(np.float32)
    pictures = {  # outlines stand in for what is not known, for the GUI shows all four
        entry: np.nan_to_num(np.asarray(images[name][z], np.float32))
        if name in images
        else outlines
        for name, entry in PICTURES.items()
    }
    stand_ins = [entry for name, entry in PICTURES.items() if name not in images]
    return {
        "Ly": height,
        "Lx": width,
        "fs": float(rate_hz),
        "nframes": n_frames,
        "nplanes": depth,
        "nchannels": 1,
        "iplane": z,
        "yrange": [0, height],
        "xrange": [0, width],
        "diameter": [12, 12] if not len(here) else [_diameter(here)] * 2,
        "tau": 1.0,
        "neucoeff": 0.7,
        "aspect": 1.0,
        **pictures,
        "meanImgE": pictures["meanImg"],
        "save_path": ".",
        "reg_file": "",
        ABSENT: [*absent, *stand_ins, "meanImgE"],
    }


def _diameter(here: Footprints) -> int:
    area = float(np.median([p.size for p in here.pixels]))
    return round(2 * math.sqrt(area / math.pi))


def verify_suite2p(dossier: Dossier, folder: Path) -> None:
    """Read the folder back and compare; see `nissl.io.contracts.Exporter.verify`."""
    with readable(folder):
        back = read_suite2p(folder)
        differences = set_differences("regions", dossier.labels, back.labels[0])
        differences += item_differences(dossier.items, back.items[0] if back.items else None)
        differences += classes_differences(dossier.classes, back.labels[1:])
        firsts = [next((n for n in ns if n in dossier.signals), "") for ns in SOURCES.values()]
        wanted = {n: dossier.signals[n] for n in firsts if n}
        differences += signal_differences(wanted, back.signals, dossier.labels.column("item"))
        shown = {n: dossier.images[n] for n in PICTURES if n in dossier.images}
        differences += image_differences(shown, back.images)
        if len(back.labels) > 1 + len(dossier.classes):
            differences.append("regions: flags of cells")
    report(differences, folder)
