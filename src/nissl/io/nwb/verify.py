"""Comparing an NWB file with the labels it was written from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nissl.io.nwb.read import manifest_of, opened, our_items, our_spikes, ragged
from nissl.io.nwb.tables import read_classes, read_events, read_marks
from nissl.io.regions import image_differences, signal_differences
from nissl.io.spikes import channels_of, clock_of, rows_of_units, spread, templates_of, units_of
from nissl.io.trace_tables import trace_differences
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    same_values,
    set_differences,
)
from nissl.labels import Kind
from nissl.tasks import Dossier


def verify_nwb(dossier: Dossier, path: Path) -> None:
    """Compare with a fresh handle; see `nissl.io.contracts.Exporter.verify`."""
    with readable(path), opened(path) as nwbfile:
        facts = manifest_of(nwbfile)
        differences = ["provenance: none in the file"] if facts is None else []
        if facts is not None and dossier.labels.kind is Kind.REGIONS:
            differences += _regions(dossier, nwbfile, facts)
        elif facts is not None and dossier.labels.kind is Kind.POINTS:
            differences += _tracks(dossier, nwbfile, facts)
        elif facts is not None and dossier.labels.kind is Kind.LINKS:
            from nissl.io.nwb.latents import differences as in_latents

            differences += in_latents(dossier, nwbfile)
        elif facts is not None and "marks" in facts:
            differences += _marks(dossier, nwbfile, facts)
        elif facts is not None:
            back = our_spikes(nwbfile, facts)
            differences += set_differences("spikes", dossier.labels, back)
            differences += _what_others_read(dossier, nwbfile)
            differences += item_differences(dossier.items, our_items(nwbfile, facts))
            differences += classes_differences(dossier.classes, read_classes(nwbfile, facts))
            events = read_events(nwbfile, facts)
            differences += [
                f"events: {name}"
                for name, labels in dossier.events.items()
                if events.get(name) != labels
            ]
    report(differences, path)


def _marks(dossier: Dossier, nwbfile: Any, facts: Any) -> list[str]:
    back = read_marks(nwbfile, facts)
    return [
        *set_differences("annotations", dossier.labels, back.labels[0]),
        *classes_differences(dossier.classes, back.labels[1:]),
        *(f"events: {n}" for n, each in dossier.events.items() if back.events.get(n) != each),
    ]


def _regions(dossier: Dossier, nwbfile: Any, facts: Any) -> list[str]:
    from nissl.io.nwb.regions import differences, read_ours

    back = read_ours(nwbfile, facts)
    wanted = {n: s for n, s in dossier.signals.items() if n in facts["traces"]}
    return [
        *set_differences("regions", dossier.labels, back.labels[0]),
        *item_differences(dossier.items, back.items[0] if back.items else None),
        *classes_differences(dossier.classes, back.labels[1:]),
        *(f"events: {n}" for n, each in dossier.events.items() if back.events.get(n) != each),
        *signal_differences(wanted, back.signals, dossier.labels.column("item")),
        *image_differences(dossier.images, back.images),
        *differences(dossier, nwbfile, back),
    ]


def _tracks(dossier: Dossier, nwbfile: Any, facts: Any) -> list[str]:
    from nissl.io.nwb.tracks import read_ours

    back = read_ours(nwbfile, facts)
    return [
        *set_differences("points", dossier.labels, back.labels[0]),
        *item_differences(dossier.items, back.items[0] if back.items else None),
        *classes_differences(dossier.classes, back.labels[1:]),
        *(f"events: {n}" for n, each in dossier.events.items() if back.events.get(n) != each),
        *trace_differences(dossier.signals, back.signals),
    ]


def _what_others_read(dossier: Dossier, nwbfile: Any) -> list[str]:
    """Compare times, waveforms and electrodes, which do not need nissl to be understood."""
    table, units = nwbfile.units, units_of(dossier)
    clock = clock_of(dossier)
    times, stops = ragged(table, "spike_times")
    if stops.size != units.size:
        return [f"spikes: {stops.size} units instead of {units.size}"]
    item, sample = dossier.labels.column("item"), dossier.labels.column("sample")
    order = np.argsort(item, kind="stable")
    out = []
    if not same_values(np.searchsorted(item[order], units, side="right"), stops):
        out.append("spikes: number of spikes per unit")
    elif not same_values(clock.to_seconds(sample[order]), times.astype(np.float64)):
        out.append("spikes: times in seconds")
    found = templates_of(dossier.items)
    if "waveform_mean" in table.colnames and found is not None and dossier.items is not None:
        wanted = spread(found[0], rows_of_units(dossier.items, units))
        volts = np.asarray(table["waveform_mean"].data[:])
        if not same_values(wanted, (volts * 1e6).astype(np.float32)):
            out.append("items: mean waveforms in volts")
    channels = channels_of(dossier)
    if channels is not None and channels.has_geometry:
        columns = [np.asarray(nwbfile.electrodes[c].data[:]) for c in ("rel_x", "rel_y")]
        if not same_values(channels.position_um, np.stack(columns, axis=1).astype(np.float64)):
            out.append("electrodes: positions")
    return out
