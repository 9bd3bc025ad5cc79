"""What stands in the report of spans: epochs of sleep, or events."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from nissl.annotators.sleep.statistics import statistics
from nissl.report import span_plots
from nissl.report.time import clock_face, missing, time_of
from nissl.report.words import ByItem, words_of
from nissl.tasks import Dossier

_MOST_DOUBTFUL = 50
_STATISTICS = (  # name, what it is called, format
    ("recorded_min", "recorded", "{:.1f} min"),
    ("sleep_min", "total sleep time", "{:.1f} min"),
    ("efficiency_percent", "sleep efficiency", "{:.1f} %"),
    ("onset_min", "sleep onset latency", "{:.1f} min"),
    ("rem_latency_min", "REM latency", "{:.1f} min"),
    ("wake_after_onset_min", "wake after sleep onset", "{:.1f} min"),
    ("awakenings", "awakenings", "{:.0f}"),
    ("changes_per_h", "changes of stage per hour of sleep", "{:.1f}"),
)


def of_spans(dossier: Dossier, by_item: ByItem) -> dict[str, Any]:
    """Values of the template that only spans have.

    Parameters
    ----------
    dossier : Dossier
        With SPANS.
    by_item : mapping
        Findings of each item; None for those of the recording.
    """
    words = words_of(dossier)
    rate_hz, duration_s = time_of(dossier)
    doubtful = [k for k, found in by_item.items() if k is not None and found]
    told = _statistics(dossier, rate_hz) if _is_sleep(dossier) else {}
    columns, rows = _classes(dossier, rate_hz, duration_s)
    return {
        "body": "spans.html.j2",
        "noun": words.many,
        "noun_one": words.one,
        "heading": "Stages" if _is_sleep(dossier) else "Classes",
        "anchor": "classes",
        "tiles": _tiles(dossier, rate_hz, duration_s, told),
        "missing": _missing(dossier),
        "steps": list(dossier.log.get("preprocessing", [])),
        "pictures": _pictures(dossier, rate_hz, duration_s),
        "statistics": [
            (said, form.format(told[name]) if np.isfinite(told[name]) else "–")
            for name, said, form in _STATISTICS
            if name in told
        ],
        "class_columns": columns,
        "classes": rows,
        "n_doubtful": len(doubtful),
        "doubtful": [
            (_where(dossier, item, rate_hz), by_item[item])
            for item in sorted(doubtful)[:_MOST_DOUBTFUL]
        ],
    }


def _is_sleep(dossier: Dossier) -> bool:
    return dossier.labels.provenance.task == "sleep"


def _statistics(dossier: Dossier, rate_hz: float) -> dict[str, float]:
    known = dossier.labels.n_rows and np.isfinite(rate_hz)
    return dict(statistics(dossier.labels, rate_hz)) if known else {}


def _tiles(
    dossier: Dossier, rate_hz: float, duration_s: float, told: dict[str, float]
) -> list[tuple[str, str]]:
    words = words_of(dossier)
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    ids = stream.get("channels", {}).get("ids", [])
    grave = {f.item for f in dossier.findings if f.item is not None and f.severity != "note"}
    own = (
        [
            ("total sleep", clock_face(told["sleep_min"] * 60)),
            ("sleep efficiency", f"{told['efficiency_percent']:.0f} %"),
        ]
        if told
        else []
    )
    return [
        (words.many, f"{dossier.labels.items.size:,}"),
        ("recorded", clock_face(duration_s)),
        *own,
        ("channels", f"{len(ids)}" if ids else "–"),
        ("rate", f"{rate_hz:g} Hz" if np.isfinite(rate_hz) else "–"),
        (f"{words.many} with warnings", f"{len(grave)}"),
    ]


def _missing(dossier: Dossier) -> list[str]:
    said = missing(dossier)
    if dossier.items is None and _is_sleep(dossier):
        said.append("There are no numbers of the epochs: the power of bands cannot be shown.")
    return said


def _pictures(dossier: Dossier, rate_hz: float, duration_s: float) -> dict[str, Markup]:
    labels = dossier.labels
    out: dict[str, str] = {}
    if not labels.n_rows or not np.isfinite(rate_hz):
        return {}
    if _is_sleep(dossier) and _apart(labels.column("start"), labels.column("stop")):
        out["night"] = span_plots.night(labels, dossier.items, rate_hz)
    else:
        out["timeline"] = span_plots.timeline(labels, rate_hz, duration_s)
        out["hourly"] = span_plots.hourly(labels, rate_hz, duration_s)
        out["durations"] = span_plots.durations(labels, rate_hz)
        if labels.table.column("channel").null_count < labels.n_rows:
            stream = dossier.source.get("streams", {}).get(dossier.stream, {})
            ids = [str(name) for name in stream.get("channels", {}).get("ids", [])]
            out["channels"] = span_plots.channels(labels, ids)
    confidence = labels.column("confidence").astype(np.float64)
    if np.isfinite(confidence).any():
        out["confidence"] = span_plots.confidence(confidence[np.isfinite(confidence)])
    return {name: Markup(svg) for name, svg in out.items()}


def _apart(start: npt.NDArray[np.int64], stop: npt.NDArray[np.int64]) -> bool:
    """Whether no span overlaps another."""
    order = np.argsort(start, kind="stable")
    return not np.any(start[order][1:] < stop[order][:-1])


def _classes(
    dossier: Dossier, rate_hz: float, duration_s: float
) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of the table of classes; classes without a span are left out for events."""
    labels, sleep = dossier.labels, _is_sleep(dossier)
    if not labels.n_rows:
        return [], []
    code = labels.column("label")
    length = (labels.column("stop") - labels.column("start")) / rate_hz
    confidence = labels.column("confidence").astype(np.float64)
    names = labels.vocabulary.names
    asleep = sum(length[code == c].sum() for c, n in enumerate(names) if n not in ("W", "unknown"))
    share = "of sleep" if sleep else "per hour"
    heading = ["stage" if sleep else "class", words_of(dossier).many, share]
    heading += ["minutes"] if sleep else ["median duration"]
    rows = []
    for c, name in enumerate(names):
        mine = code == c
        if not mine.any() and not (sleep and name != "unknown"):
            continue
        row = [name, f"{mine.sum():,}"]
        if sleep:
            of_sleep = name not in ("W", "unknown") and asleep
            row.append(f"{100 * length[mine].sum() / asleep:.1f} %" if of_sleep else "–")
            row.append(f"{length[mine].sum() / 60:.1f}")
        else:
            row.append(f"{3600 * mine.sum() / duration_s:.2f}" if duration_s else "–")
            row.append(f"{np.median(length[mine]):.3g} s")
        sure = confidence[mine & np.isfinite(confidence)]
        row.append(f"{sure.mean():.0%}" if sure.size else "–")
        rows.append(row)
    return [*heading, "mean confidence"], rows


def _where(dossier: Dossier, item: int, rate_hz: float) -> str:
    """Name of an item and its time, as "Epoch 12 (0:06:00)"."""
    one = words_of(dossier).one.capitalize()
    rows = np.flatnonzero(dossier.labels.column("item") == item)
    if not rows.size:
        return f"{one} {item}"
    return f"{one} {item} ({clock_face(dossier.labels.column('start')[rows[0]] / rate_hz)})"


__all__ = ["of_spans"]
