"""Segmented cells in NWB files: plane segmentation, facts, traces and rates.

Regions are rows of a PlaneSegmentation (pixel masks with weights; voxel masks where there are
several planes), whose ids are the items; traces are RoiResponseSeries that point at them, raw
ones under Fluorescence, dF/F under DfOverF, rates and deconvolved activity under a Fluorescence
of that name. Facts of items are a table "items" of the processing module "nissl".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.footprints import Footprints
from nissl.data import Signal
from nissl.errors import CorruptSourceError, ExportError
from nissl.io.columns import to_plain
from nissl.io.contracts import Imported
from nissl.io.manifest import restore_items, restore_set
from nissl.io.nwb.tables import MODULE, of_source, read_classes, read_events
from nissl.io.regions import (
    DECONVOLVED,
    DFF,
    NEUROPIL,
    RATE,
    RAW,
    Found,
    cells_of,
    field_of,
    footprints_of,
    imported,
    probabilities_of,
    rate_of,
    regions_of,
    trace_array,
    traces_of,
)
from nissl.labels import Author, ItemTable, LabelSet
from nissl.tasks import Dossier

SEGMENTATION, TABLE, IMAGES = "ImageSegmentation", "PlaneSegmentation", "SummaryImages"
_PLACES = {RAW: "Fluorescence", NEUROPIL: "Neuropil", DFF: "DfOverF", DECONVOLVED: "Deconvolved"}
_PLACES |= {RATE: "SpikeRate"}
_OTHERS = {"Fluorescence": RAW, "Neuropil": NEUROPIL, "DfOverF": DFF, "Deconvolved": DECONVOLVED}
_UNSTATED = "The size of the field is not stated; it was taken to end at the last region."


def add_regions(nwbfile: Any, dossier: Dossier) -> dict[str, Any]:
    """Add regions, facts and traces; return what has to stand in the manifest."""
    from pynwb.ophys import ImageSegmentation

    labels, footprints = regions_of(dossier), footprints_of(dossier)
    segmentation = ImageSegmentation(name=SEGMENTATION)
    ophys = nwbfile.create_processing_module("ophys", "segmented cells and their traces")
    ophys.add(segmentation)
    author = labels.provenance.author
    table = segmentation.create_plane_segmentation(
        name=TABLE,
        description=f"{labels.provenance.task} by {author.kind} {author.name} {author.version}",
        imaging_plane=_imaging_plane(nwbfile, dossier),
    )
    names = labels.vocabulary.names
    table.add_column("label", "class of the region")
    table.add_column("row_id", "id of the row in the label set")
    table.add_column("confidence", "calibrated probability that the label is right, or NaN")
    table.add_column("cell_probability", "probability to be a cell, or NaN")
    places = zip(
        labels.column("item").tolist(),
        labels.column("id").tolist(),
        labels.column("label").tolist(),
        labels.column("confidence").tolist(),
        probabilities_of(labels).tolist(),
        strict=True,
    )
    masks = _masks(footprints)
    for mask, (item, row, code, confidence, p) in zip(masks, places, strict=True):
        table.add_row(
            id=item,
            **mask,
            label=names[code],
            row_id=row,
            confidence=confidence,
            cell_probability=p,
        )
    signals = {n: s for n, s in dossier.signals.items() if n in _PLACES}
    for name, signal in signals.items():
        _add_traces(ophys, name, signal, table, labels.column("item"))
    facts: dict[str, Any] = {
        "shape": list(field_of(dossier)),
        "traces": {n: _PLACES[n] for n in signals},
    }
    if labels.table.column("probabilities").null_count < labels.n_rows:
        rows = labels.table.column("probabilities").to_pylist()
        facts["probabilities"] = rows
    _add_items(nwbfile, dossier.items)
    facts["images"] = _add_images(ophys, dossier.images)
    return facts


def _add_images(ophys: Any, images: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """Add a `GrayscaleImage` per picture and plane."""
    from pynwb.base import Images
    from pynwb.image import GrayscaleImage

    if not images:
        return []
    held = [
        GrayscaleImage(
            name=name if len(image) == 1 else f"{name} {z}",
            data=np.asarray(plane, np.float32),
            description=f"{name} over the movie; rows are y, columns x",
        )
        for name, image in images.items()
        for z, plane in enumerate(image)
    ]
    ophys.add(Images(name=IMAGES, images=held, description="pictures of the field"))
    return list(images)


def our_images(nwbfile: Any, facts: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
    """Pictures of the field that `add_regions` wrote, (z, y, x)."""
    names, depth = facts.get("images") or [], int(facts["shape"][0])
    if not names:
        return {}
    held = nwbfile.processing["ophys"][IMAGES].images
    return {
        name: np.stack(
            [
                np.asarray(held[name if depth == 1 else f"{name} {z}"].data[:], np.float32)
                for z in range(depth)
            ]
        )
        for name in names
    }


def _masks(footprints: Footprints) -> list[dict[str, Any]]:
    _, height, width = footprints.shape
    out = []
    for pixels, weights in zip(footprints.pixels, footprints.weights, strict=True):
        z, rest = np.divmod(pixels, height * width)
        y, x = np.divmod(rest, width)
        columns = (x, y, weights) if footprints.shape[0] == 1 else (x, y, z, weights)
        name = "pixel_mask" if footprints.shape[0] == 1 else "voxel_mask"
        out.append({name: list(zip(*(c.tolist() for c in columns), strict=True))})
    return out


def _imaging_plane(nwbfile: Any, dossier: Dossier) -> Any:
    from pynwb.ophys import OpticalChannel

    subject = dossier.source.get("subject") or {}
    device = nwbfile.create_device(name="microscope", description="microscope; not stated which")
    channel = OpticalChannel(name="channel", description="not stated", emission_lambda=float("nan"))
    rate = rate_of(dossier)
    return nwbfile.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=channel,
        description=f"field of {field_of(dossier)} voxels (z, y, x)",
        device=device,
        excitation_lambda=float("nan"),
        indicator=str(subject.get("indicator") or "unknown"),
        location=str(subject.get("region") or "unknown"),
        imaging_rate=rate if np.isfinite(rate) else None,
    )


def _add_traces(
    ophys: Any, name: str, signal: Signal, table: Any, items: npt.NDArray[np.int64]
) -> None:
    from pynwb.ophys import DfOverF, Fluorescence

    if len(signal.clock.segments) == 1:
        start = signal.clock.segments[0].t0_s
        time: dict[str, Any] = {"rate": float(signal.rate_hz), "starting_time": float(start)}
    else:
        frames = np.arange(signal.n_samples)
        time = {"timestamps": signal.clock.to_seconds(frames)}
    held = (DfOverF if name == DFF else Fluorescence)(name=_PLACES[name])
    ophys.add(held)
    held.create_roi_response_series(
        name=name,
        data=traces_of(signal, items).T,
        rois=table.create_roi_table_region(
            region=list(range(items.size)), description="all regions, in their order"
        ),
        unit=str(signal.metadata.get("unit", "a.u.")),
        description=f"derived signal {name!r}",
        **time,
    )


def _add_items(nwbfile: Any, items: ItemTable | None) -> None:
    if items is None:
        return
    from hdmf.common import DynamicTable, VectorData

    plain = to_plain(items.table)
    held = {name: values.astype(str).tolist() if values.dtype.kind in "UO" else values
            for name, values in plain.values.items()}  # fmt: skip
    for name in (*held, *items.arrays):
        if "/" in name or ":" in name or not name:
            raise ExportError("names without slashes", repr(name), "Rename the column.")
    columns = [
        VectorData(name=n, description="fact of the regions", data=v) for n, v in held.items()
    ]
    columns += [
        VectorData(name=f"array_{n}", description="array over regions", data=v)
        for n, v in items.arrays.items()
    ]
    table = DynamicTable(name="items", description="facts of the regions", columns=columns)
    module = nwbfile.processing.get(MODULE)
    if module is None:
        module = nwbfile.create_processing_module(MODULE, "what nissl knows of the regions")
    module.add(table)


def our_regions(nwbfile: Any, facts: Mapping[str, Any]) -> LabelSet:
    """Set of regions as it was exported, if it still is."""
    table = nwbfile.processing["ophys"][SEGMENTATION][TABLE]
    _, height, width = (int(n) for n in facts["shape"])
    pixels, weights = _pixels(table, height, width)
    names = facts["labels"]["vocabulary"]["names"]
    columns: dict[str, Any] = {
        "id": np.asarray(table["row_id"][:], np.int64),
        "item": np.asarray(table.id[:], np.int64),
        "label": np.asarray([names.index(str(t)) for t in table["label"][:]], np.int32),
        "confidence": np.asarray(table["confidence"][:], np.float32),
        "pixels": pa.array(pixels, pa.list_(pa.int64())),
        "weights": pa.array(weights, pa.list_(pa.float32())),
    }
    if facts.get("probabilities"):
        columns["probabilities"] = pa.array(
            facts["probabilities"], pa.list_(pa.float32(), len(names))
        )
    labels = restore_set(facts["labels"], columns)
    if labels.digest != facts["labels"]["digest"]:
        raise CorruptSourceError(
            "the regions that were exported", "other regions", "The file was changed; export again."
        )
    return labels


def _pixels(
    table: Any, height: int, width: int
) -> tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.float32]]]:
    name = "voxel_mask" if "voxel_mask" in table.colnames else "pixel_mask"
    pixels, weights = [], []
    for mask in table[name][:]:
        rows = np.asarray([tuple(r) for r in mask], np.float64)
        z = rows[:, 2] if name == "voxel_mask" else np.zeros(len(rows))
        flat = (z * height + rows[:, 1]) * width + rows[:, 0]
        pixels.append(flat.astype(np.int64))
        weights.append(rows[:, -1].astype(np.float32))
    return pixels, weights


def our_region_items(nwbfile: Any, facts: Mapping[str, Any]) -> ItemTable | None:
    """Facts of items as they were exported, if they still are."""
    if facts["items"] is None:
        return None
    table = nwbfile.processing[MODULE]["items"]
    values = {n: np.asarray(table[n].data[:]) for n in facts["columns"]["types"]}
    for name, kind in facts["columns"]["types"].items():
        if kind.endswith("string"):
            values[name] = np.asarray([_text(v) for v in values[name]], object)
    arrays = {n: np.asarray(table[f"array_{n}"].data[:]) for n in facts["items"]["arrays"]}
    items = restore_items(facts, values, arrays, of=facts["items"]["of"])
    if items.digest != facts["items"]["digest"]:
        raise CorruptSourceError("the facts that were exported", "others", "Export again.")
    return items


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def our_traces(nwbfile: Any, facts: Mapping[str, Any], labels: LabelSet) -> dict[str, Signal]:
    """Traces that `add_regions` wrote."""
    ophys, items = nwbfile.processing["ophys"], labels.column("item").tolist()
    out = {}
    for name, place in facts["traces"].items():
        series = ophys[place][name]
        out[name] = trace_array(name, np.asarray(series.data[:]), items, _series_rate(series))
    return out


def _series_rate(series: Any) -> float:
    if series.rate:
        return float(series.rate)
    steps = np.diff(np.asarray(series.timestamps[:], np.float64))
    return float(1 / np.median(steps)) if steps.size and np.median(steps) > 0 else float("nan")


def read_ours(nwbfile: Any, facts: Mapping[str, Any]) -> Imported:
    """Regions, facts, classes, events and traces of a file of ours."""
    labels, items = our_regions(nwbfile, facts), our_region_items(nwbfile, facts)
    clock = facts.get("clock")
    return Imported(
        labels=(labels, *read_classes(nwbfile, facts)),
        items=() if items is None else (items,),
        what_is_missing=("The file names no raw file; the movie cannot be shown.",),
        format="nwb",
        **of_source(facts),
        events=read_events(nwbfile, facts),
        facts={"clock": clock} if clock else {},
        signals=our_traces(nwbfile, facts, labels),
        images=our_images(nwbfile, facts),
    )


def read_others(
    nwbfile: Any, path: Path, given: tuple[str | None, str | None, float | None]
) -> Imported | None:
    """Regions of the first plane segmentation of another program's file; None without one."""
    reviewer, source, rate_hz = given
    table = segmentation_of(nwbfile)
    if table is None or not len(table.id):
        return None
    footprints, note = _foreign_footprints(table)
    rate, traces = float("nan"), {}
    for module in nwbfile.processing.values():
        for place, name in _OTHERS.items():
            if place not in module.data_interfaces:
                continue
            series = next(iter(module[place].roi_response_series.values()))
            data = np.asarray(series.data[:], np.float32)
            if data.ndim == 2 and data.shape[1] == len(footprints):
                rate, traces[name] = _series_rate(series), data
    author = Author("person", reviewer) if reviewer else Author("model", "unknown, read from NWB")
    found = Found(footprints, author, traces=traces, rate_hz=rate, notes=note)
    return imported(found, "nwb", fingerprint=source, rate_hz=rate_hz or rate)


def segmentation_of(nwbfile: Any) -> Any:
    """First PlaneSegmentation of a file; None where there is none."""
    for module in nwbfile.processing.values():
        for held in module.data_interfaces.values():
            if "ImageSegmentation" in type(held).__name__ and held.plane_segmentations:
                return next(iter(held.plane_segmentations.values()))
    return None


def _foreign_footprints(table: Any) -> tuple[Footprints, tuple[str, ...]]:
    if "image_mask" in table.colnames:
        masks = np.asarray(table["image_mask"].data[:])
        volume = masks[:, None] if masks.ndim == 3 else masks
        flat = [np.flatnonzero(mask) for mask in volume]
        weights = [mask.ravel()[p] for mask, p in zip(volume, flat, strict=True)]
        depth, height, width = (int(n) for n in volume.shape[1:])
        return Footprints.build((depth, height, width), flat, weights), ()
    pixels, weights = _pixels(table, 2**20, 2**20)
    unflat = [np.unravel_index(p, (2**10, 2**20, 2**20)) for p in pixels]
    last = np.max([[axis.max() for axis in place] for place in unflat], axis=0) + 1
    shape = (int(last[0]), int(last[1]), int(last[2]))
    flat = [np.ravel_multi_index(place, shape) for place in unflat]
    return Footprints.build(shape, flat, weights), (_UNSTATED,)


def differences(dossier: Dossier, nwbfile: Any, back: Imported) -> list[str]:
    """What those who do not know nissl read otherwise: pixels, weights and calls."""
    table = segmentation_of(nwbfile)
    own = footprints_of(dossier)
    pixels, _ = _pixels(table, own.shape[1], own.shape[2])
    same = len(pixels) == len(own) and all(
        np.array_equal(np.sort(a), b) for a, b in zip(pixels, own.pixels, strict=True)
    )
    out = [] if same else ["regions: pixel masks"]
    if not np.array_equal(cells_of(dossier.labels), cells_of(back.labels[0])):
        out.append("regions: labels")
    return out
