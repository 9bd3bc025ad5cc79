"""What stands in the report of classes of items, regions, links and points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from markupsafe import Markup

from nissl.annotators.tracks.positions import Positions
from nissl.data import Movie
from nissl.errors import BadLabelsError
from nissl.labels import ItemTable, Kind
from nissl.report import item_plots, response_plots, span_plots, track_plots
from nissl.report.time import clock_face, missing, time_of
from nissl.report.words import ByItem, words_of
from nissl.tasks import Dossier

_MOST_CARDS = 60
_MOST_TRACES = 24
_SAMPLED_FRAMES = 200
_MOST_VALUES = 200_000
"""Of an array of one item, beyond which it is no picture."""


def of_items(dossier: Dossier, by_item: ByItem) -> dict[str, Any]:
    """Values of the template for sets whose items stand one by one.

    Parameters
    ----------
    dossier : Dossier
        With CLASSES, REGIONS, POINTS or LINKS.
    by_item : mapping
        Findings of each item; None for those of the recording.
    """
    words = words_of(dossier)
    rate_hz, duration_s = time_of(dossier)
    doubtful = {k for k, found in by_item.items() if k is not None and found}
    return {
        "body": "items.html.j2",
        "noun": words.many,
        "noun_one": words.one,
        "heading": words.many.capitalize(),
        "anchor": "items",
        "tiles": _tiles(dossier, rate_hz, duration_s),
        "missing": missing(dossier),
        "steps": list(dossier.log.get("preprocessing", [])),
        "pictures": {k: Markup(svg) for k, svg in _pictures(dossier).items()},
        "class_columns": ["class", *_counted(dossier, words.many), "mean confidence"],
        "classes": _classes(dossier),
        "cards": _cards(dossier, by_item, doubtful),
        "n_items": int(dossier.labels.items.size),
    }


def _tiles(dossier: Dossier, rate_hz: float, duration_s: float) -> list[tuple[str, str]]:
    words = words_of(dossier)
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    shape = " × ".join(str(n) for n in stream.get("shape", ()) if n != 1)
    ids = stream.get("channels", {}).get("ids", [])
    grave = {f.item for f in dossier.findings if f.item is not None and f.severity != "note"}
    return [
        (words.many, f"{dossier.labels.items.size:,}"),
        ("recorded", clock_face(duration_s)),
        ("pixels", shape) if shape else ("channels", f"{len(ids)}" if ids else "–"),
        ("rate", f"{rate_hz:g} Hz" if np.isfinite(rate_hz) else "–"),
        (f"{words.many} with warnings", f"{len(grave)}"),
    ]


def _counted(dossier: Dossier, many: str) -> list[str]:
    """What the table of classes counts: of points, items and their places in frames."""
    return [many, "places"] if dossier.labels.kind is Kind.POINTS else [many]


def _classes(dossier: Dossier) -> list[list[str]]:
    code, item = dossier.labels.column("label"), dossier.labels.column("item")
    places = dossier.labels.kind is Kind.POINTS
    confidence = dossier.labels.column("confidence").astype(np.float64)
    rows = []
    for c, name in enumerate(dossier.labels.vocabulary.names):
        sure = confidence[(code == c) & np.isfinite(confidence)]
        n = int((code == c).sum())
        if n:
            counts = [f"{np.unique(item[code == c]).size:,}"] if places else []
            rows.append([name, *counts, f"{n:,}", f"{sure.mean():.0%}" if sure.size else "–"])
    return rows


def _pictures(dossier: Dossier) -> dict[str, str]:
    labels, out = dossier.labels, {}
    if not labels.n_rows:
        return {}
    if labels.kind is Kind.REGIONS:
        drawn = _field(dossier)
        if drawn is not None:
            out["field"] = drawn
    if labels.kind is Kind.POINTS:
        out |= _tracks(dossier)
    traces = _traces(dossier.items)
    if traces is not None:
        out["traces"] = traces
    if dossier.answers:
        newest = list(dossier.answers.values())[-1]
        drawings = {plot.name: plot for plot in response_plots.plots(newest)}
        chosen = [name for name in ("neurons_in_time", "averages") if name in drawings]
        out |= {name: drawings[name].svg() for name in chosen}
    if len(labels.vocabulary) > 1 and labels.kind is not Kind.POINTS:
        out["classes"] = item_plots.classes(labels)
    sure = labels.column("confidence").astype(np.float64)
    if np.isfinite(sure).any():
        out["confidence"] = span_plots.confidence(sure[np.isfinite(sure)])
    return out


def _tracks(dossier: Dossier) -> dict[str, str]:
    """Pictures of tracks; none of points that are not one per item and frame (key points)."""
    try:
        told = Positions.from_labels(dossier.labels)
    except BadLabelsError:
        return {}
    items = dossier.items
    names: dict[int, str] = {}
    if items is not None and "name" in items.table.column_names:
        column = items.table.column("name").to_pylist()
        names = {int(i): str(n) for i, n in zip(items.items, column, strict=True) if n}
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    context = {} if items is None else items.context
    spacing = stream.get("spacing_um") or context.get("spacing_um")
    return track_plots.of_tracks(told, names, spacing)


def _field(dossier: Dossier) -> str | None:
    movie = None if dossier.recording is None else dossier.recording.movies.get(dossier.stream)
    shape = dossier.source.get("streams", {}).get(dossier.stream, {}).get("shape")
    if shape is None:
        return None
    depth, height, width = (int(n) for n in shape)
    labels, frame = dossier.labels, None
    if not labels.table.column("frame").null_count:  # masks: those of the fullest volume
        frames, counts = np.unique(labels.column("frame"), return_counts=True)
        frame = int(frames[int(np.argmax(counts))])
        table = labels.table.filter(pa.array(labels.column("frame") == frame))
        labels = replace(labels, table=table)
    flat = [np.asarray(row.as_py(), np.int64) for row in labels.table.column("pixels")]
    image = np.full((height, width), np.nan)
    title = "outlines alone, for the movie is not there"
    if frame is not None:
        title = f"masks of volume {frame}"
    if movie is not None and frame is not None:
        image = movie.read(frame, frame + 1)[0].max(axis=0).astype(np.float64)
        title += ", on its brightest along z"
    elif movie is not None:
        image = np.nanmean(_mean(movie), axis=0)
        title = "mean of some frames" if depth == 1 else "mean of some frames and all planes"
    return item_plots.field(
        labels, [np.unique(row % (height * width)) for row in flat], image, title
    )


def _mean(movie: Movie) -> npt.NDArray[np.float64]:
    """Mean of frames spread over the movie, shape (z, y, x)."""
    chosen = np.unique(np.linspace(0, movie.n_frames - 1, _SAMPLED_FRAMES).round().astype(int))
    total = np.zeros(movie.shape)
    for frame in chosen.tolist():
        total += movie.read(frame, frame + 1)[0]
    return total / chosen.size


def _traces(items: ItemTable | None) -> str | None:
    """Traces of the items with the largest events, in their noise, where the table keeps them."""
    if items is None or "trace" not in items.arrays:
        return None
    rows = np.asarray(items.arrays["trace"], np.float64)
    known = np.flatnonzero(np.isfinite(rows).all(axis=1))
    if not known.size:
        return None
    noise = np.median(np.abs(np.diff(rows[known], axis=1)), axis=1, keepdims=True)
    shown = (rows[known] - np.median(rows[known], axis=1, keepdims=True)) / np.maximum(noise, 1e-12)
    chosen = np.argsort(-shown.max(axis=1), kind="stable")[:_MOST_TRACES]
    return item_plots.traces(shown[chosen], items.items[known[chosen]].tolist())


def _cards(dossier: Dossier, by_item: ByItem, doubtful: set[int]) -> list[dict[str, Any]]:
    """Doubtful items first, then those that the method is least sure of."""
    labels, items = dossier.labels, dossier.items
    owner, first, of = np.unique(labels.column("item"), return_index=True, return_inverse=True)
    confidence = labels.column("confidence")[first].astype(np.float64)
    if labels.kind is Kind.POINTS:
        known = np.isfinite(labels.column("confidence"))
        total = np.bincount(of[known], labels.column("confidence")[known], owner.size)
        number = np.bincount(of[known], minlength=owner.size)
        confidence = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    ranked = sorted(
        range(owner.size),
        key=lambda k: (owner[k] not in doubtful, np.nan_to_num(confidence[k], nan=2.0), owner[k]),
    )
    names = labels.vocabulary.names
    out = []
    for k in ranked[:_MOST_CARDS]:
        item = int(owner[k])
        sure = f" ({confidence[k]:.0%})" if np.isfinite(confidence[k]) else ""
        facts, pictures = _facts(items, item)
        out.append(
            {
                "item": item,
                "said": f"{names[int(labels.column('label')[first[k]])]}{sure}",
                "findings": by_item.get(item, []),
                "metrics": facts,
                "pictures": [Markup(svg) for svg in pictures],
            }
        )
    return out


def _facts(items: ItemTable | None, item: int) -> tuple[list[tuple[str, str]], list[str]]:
    if items is None or not np.isin(item, items.items):
        return [], []
    row = items.row_of(item)
    facts = []
    for name in items.table.column_names:
        value = items.table.column(name)[row].as_py()
        if name == "item" or value is None or value != value:
            continue
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        facts.append((name.replace("_", " "), f"{shown} {items.units.get(name, '')}".rstrip()))
    pictures = [
        item_plots.picture(name, array[row], items.units.get(name, ""))
        for name, array in items.arrays.items()
        if 0 < array[row].size <= _MOST_VALUES
        and array[row].ndim in (1, 2)
        and np.isfinite(array[row]).any()
    ]
    return facts, pictures


__all__ = ["of_items"]
