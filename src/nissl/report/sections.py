"""What stands in the report: plain values and finished pictures for the template."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from markupsafe import Markup

from nissl import __version__
from nissl.annotators.spikes.psth import Psth, onset_samples, psth
from nissl.clock import Clock
from nissl.labels import ItemTable, Kind
from nissl.report import (
    item_sections,
    methods,
    recording_plots,
    response_sections,
    span_sections,
    unit_plots,
)
from nissl.report.time import missing, time_of
from nissl.report.words import ByItem
from nissl.tasks import Dossier, Finding

_SHOWN = (  # column, heading, format
    ("n_spikes", "spikes", "{:,.0f}"),
    ("firing_rate_hz", "rate", "{:.2f} Hz"),
    ("snr", "SNR", "{:.1f}"),
    ("amplitude_median_uv", "amplitude", "{:.0f} µV"),
    ("rp_contamination", "contamination", "{:.1%}"),
    ("isi_violations_ratio", "ISI violations", "{:.2f}"),
    ("presence_ratio", "presence", "{:.0%}"),
    ("amplitude_cutoff", "missed spikes", "{:.1%}"),
    ("drift_um", "drift", "{:.1f} µm"),
    ("nn_isolation", "isolation", "{:.2f}"),
    ("expected_false_positives", "false positives", "{:.1%}"),
    ("expected_false_negatives", "false negatives", "{:.1%}"),
)
_ORDER = {"error": 0, "warning": 1, "note": 2}
_MAX_EVENTS = 3
_MIN_EVENTS = 5


def sections(dossier: Dossier) -> dict[str, Any]:
    """Values of the report's template."""
    by_item: dict[int | None, list[Finding]] = {}
    for finding in sorted(dossier.findings, key=lambda f: _ORDER[f.severity]):
        by_item.setdefault(finding.item, []).append(finding)
    by_kind = {Kind.SPANS: span_sections.of_spans, Kind.EVENTS: _of_units}
    own = by_kind.get(dossier.labels.kind, item_sections.of_items)
    if dossier.labels.provenance.task == "responses" and dossier.items is not None:
        own = response_sections.of_responses
    return own(dossier, by_item) | {
        "title": dossier.source.get("name", "recording"),
        "version": __version__,
        "dossier": dossier,
        "provenance": dossier.labels.provenance,
        "authors": _authors(dossier),
        "recording_findings": by_item.get(None, []),
        "methods": methods.paragraph(dossier),
        "citations": methods.citations(dossier),
        "limits": methods.limits_used(dossier),
        "facts": json.dumps(dossier.labels.provenance.to_json(), indent=2, sort_keys=True),
    }


def _authors(dossier: Dossier) -> str:
    own = dossier.labels.provenance.author.name
    return own if dossier.proposed is None else f"{dossier.made_by.author.name}, reviewed by {own}"


def _of_units(dossier: Dossier, by_item: ByItem) -> dict[str, Any]:
    rate_hz, duration_s = time_of(dossier)
    doubtful = {
        k for k, found in by_item.items() if k is not None and any(_grave(f) for f in found)
    }
    return {
        "body": "units.html.j2",
        "noun": "units",
        "heading": "Units",
        "anchor": "units",
        "tiles": _tiles(dossier, rate_hz, duration_s, doubtful),
        "missing": _missing(dossier),
        "steps": list(dossier.log.get("preprocessing", [])),
        "pictures": _pictures(dossier, rate_hz, duration_s, doubtful),
        "units": _units(dossier, rate_hz, duration_s, by_item),
    }


def _grave(finding: Finding) -> bool:
    return finding.severity != "note"


def _tiles(
    dossier: Dossier, rate_hz: float, duration_s: float, doubtful: set[int]
) -> list[tuple[str, str]]:
    n = dossier.labels.items.size
    contacts = dossier.items.context.get("channel_ids", []) if dossier.items is not None else []
    return [
        ("units", f"{n}"),
        ("spikes", f"{dossier.labels.n_rows:,}"),
        ("minutes", f"{duration_s / 60:.1f}"),
        ("channels", f"{len(contacts)}" if contacts else "–"),
        ("rate", f"{rate_hz / 1e3:g} kHz" if np.isfinite(rate_hz) else "–"),
        ("units with warnings", f"{len(doubtful)}"),
    ]


def _missing(dossier: Dossier) -> list[str]:
    said = missing(dossier)
    if dossier.items is None:
        said.append("There is no table of unit facts: waveforms and metrics cannot be shown.")
    elif "template" not in dossier.items.arrays:
        said.append("There are no templates: waveforms cannot be shown.")
    return said


def _pictures(
    dossier: Dossier, rate_hz: float, duration_s: float, doubtful: set[int]
) -> dict[str, Markup]:
    items, labels, log = dossier.items, dossier.labels, dossier.log
    bad = {str(k): str(v) for k, v in log.get("bad_channels", {}).items()}
    out: dict[str, str] = {}
    if items is None:
        return {}
    columns = set(items.table.column_names)
    positions = np.asarray(items.context.get("position_um", []), dtype=float)
    placed = positions.size > 0 and bool(np.all(np.isfinite(positions)))
    if placed and {"x_um", "y_um", "firing_rate_hz"} <= columns:
        out["probe"] = recording_plots.probe_map(items, bad)
    if labels.n_rows and "y_um" in columns:
        out["raster"] = recording_plots.raster(labels, items, rate_hz, duration_s)
    if {"snr", "rp_contamination"} <= columns and len(items.items):
        out["quality"] = recording_plots.quality_overview(items, doubtful)
    noise = items.context.get("noise_uv")
    if noise is not None:
        ids = [str(c) for c in items.context["channel_ids"]]
        out["noise"] = recording_plots.noise_by_channel(np.asarray(noise, dtype=float), ids, bad)
    if dossier.recording is not None and "channel" in columns:
        signal = dossier.recording[dossier.stream]
        out["snippet"] = recording_plots.snippet(signal, labels, items)
    motion = log.get("motion") or {}
    if "displacement_um" in motion:
        out["drift"] = recording_plots.drift(motion)
    return {name: Markup(svg) for name, svg in out.items()}


def _units(
    dossier: Dossier,
    rate_hz: float,
    duration_s: float,
    by_item: dict[int | None, list[Finding]],
) -> list[dict[str, Any]]:
    items = dossier.items
    if items is None:
        return []
    rows = {name: items.table.column(name).to_pylist() for name in items.table.column_names}
    around = _around_events(dossier, rate_hz)
    sample, owner = dossier.labels.column("sample"), dossier.labels.column("item")
    amplitude = dossier.labels.column("amplitude")
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], [items.items, items.items + 1])
    cards = []
    for row, item in enumerate(items.items.tolist()):
        mine = order[bounds[0, row] : bounds[1, row]]
        pictures = _unit_pictures(items, row, rows, rate_hz)
        if mine.size and np.isfinite(amplitude[mine]).any():
            pictures.append(
                unit_plots.amplitude(sample[mine] / rate_hz, amplitude[mine], duration_s)
            )
        pictures += [
            unit_plots.psth(found.times_s, found.rate_hz[k], found.sem_hz[k], name)
            for name, found in around
            for k in np.flatnonzero(found.items == item)
        ]
        cards.append(
            {
                "item": item,
                "classes": _classes_of(dossier, item),
                "findings": by_item.get(item, []),
                "metrics": [
                    (heading, form.format(rows[name][row]))
                    for name, heading, form in _SHOWN
                    if name in rows and _known(rows[name][row])
                ],
                "pictures": [Markup(svg) for svg in pictures],
            }
        )
    return cards


def _known(value: Any) -> bool:
    return value is not None and bool(np.isfinite(value))


def _unit_pictures(
    items: ItemTable, row: int, rows: dict[str, list[Any]], rate_hz: float
) -> list[str]:
    pictures = []
    template = items.arrays.get("template")
    if template is not None and np.isfinite(template[row]).any():
        position = np.asarray(items.context.get("position_um", []), dtype=float)
        if position.shape != (template.shape[2], 2):
            position = np.full((template.shape[2], 2), np.nan)
        best = rows.get("channel", [None])[row]
        if best is None or best < 0:
            best = int(np.nanargmax(np.nanmax(np.abs(template[row]), axis=0)))
        unit = items.units.get("template", "uV")
        pictures.append(unit_plots.waveform(template[row], position, int(best), rate_hz, unit))
    acg = items.arrays.get("acg")
    if acg is not None and np.isfinite(acg[row]).any():
        pictures.append(unit_plots.autocorrelogram(acg[row]))
    return pictures


def _classes_of(dossier: Dossier, item: int) -> list[tuple[str, str, str]]:
    said = []
    for labels in dossier.classes:
        for row in np.flatnonzero(labels.column("target") == item):
            name = labels.vocabulary.names[int(labels.column("label")[row])]
            author = labels.provenance.author
            said.append((name, author.name, author.kind))
    return said


def _around_events(dossier: Dossier, rate_hz: float) -> list[tuple[str, Psth]]:
    out = []
    for name, events in list(dossier.events.items())[:_MAX_EVENTS]:
        onsets = onset_samples(events)
        if onsets.size >= _MIN_EVENTS and np.isfinite(rate_hz):
            clock = _clock(dossier, rate_hz)
            out.append((name, psth(dossier.labels, onsets, clock, window_s=(-0.5, 1.0))))
    return out


def _clock(dossier: Dossier, rate_hz: float) -> Clock:
    stream = dossier.source.get("streams", {}).get(dossier.stream, {})
    if "clock" in stream:
        return Clock.from_json(stream["clock"])
    samples = dossier.labels.column("sample")
    return Clock.regular(rate_hz, int(samples[-1]) + 1 if samples.size else 1)
