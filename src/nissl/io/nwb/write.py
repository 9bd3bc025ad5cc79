"""Building NWB files from labels."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nissl import __version__
from nissl.data import ChannelTable
from nissl.errors import BadArgumentError
from nissl.io.manifest import describe, describe_columns
from nissl.io.names import plain_name
from nissl.io.nwb.tables import add_classes, add_events, add_marks
from nissl.io.nwb.units import item_columns, units_table
from nissl.io.spikes import channels_of, check_no_row_probabilities, clock_of, spikes_of, units_of
from nissl.labels import Kind, LabelSet
from nissl.tasks import Dossier

SCRATCH = "nissl_provenance"
UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT = {
    Kind.EVENTS: ("units", "sorted units", ["spike sorting", "extracellular electrophysiology"]),
    Kind.REGIONS: ("regions", "segmented cells", ["calcium imaging", "segmentation"]),
    Kind.POINTS: ("neurons", "tracked neurons", ["calcium imaging", "tracking"]),
    Kind.SPANS: ("marks", "marks of what happened when", ["annotation"]),
    Kind.LINKS: ("axes", "aligned latents", ["population activity", "alignment"]),
}
_SPACE = uuid.UUID("6f0f1f0e-3d4c-5a57-9a0c-6e6973736c00")


def build(dossier: Dossier, *, session_start: str | None = None) -> Any:
    """Build the file in memory.

    Parameters
    ----------
    dossier : Dossier
    session_start : str, optional
        ISO date and time; the session's day or 1970-01-01 where it is not known.

    Returns
    -------
    pynwb.NWBFile

    Raises
    ------
    ExportError
        No spikes, no sampling rate, or columns that NWB cannot hold.
    """
    if dossier.labels.kind is Kind.LINKS:
        return _of_latents(dossier, session_start)
    if dossier.labels.kind in (Kind.REGIONS, Kind.POINTS):
        return _of_movie(dossier, session_start)
    if are_marks(dossier.labels):
        return _of_marks(dossier, session_start)
    labels = spikes_of(dossier)
    check_no_row_probabilities(labels)
    clock_of(dossier)
    facts = {**describe(dossier), **_places(dossier)}
    nwbfile = _file(dossier, session_start)
    channels = channels_of(dossier)
    if channels is not None:
        _add_electrodes(nwbfile, channels, dossier)
    nwbfile.units = units_table(dossier, nwbfile, facts)
    add_classes(nwbfile, dossier.classes)
    add_events(nwbfile, dossier, facts["event_names"])
    _add_facts(nwbfile, facts)
    return nwbfile


def _of_movie(dossier: Dossier, session_start: str | None) -> Any:
    """File of cells or tracks; see `nissl.io.nwb.regions` and `nissl.io.nwb.tracks`."""
    from nissl.io.nwb.regions import add_regions
    from nissl.io.nwb.tracks import add_tracks

    names = _event_names(dossier)
    facts = {**describe(dossier), "event_names": names, **describe_columns(dossier.items)}
    nwbfile = _file(dossier, session_start)
    add = add_regions if dossier.labels.kind is Kind.REGIONS else add_tracks
    facts |= add(nwbfile, dossier)
    add_classes(nwbfile, dossier.classes)
    add_events(nwbfile, dossier, names)
    _add_facts(nwbfile, facts)
    return nwbfile


def are_marks(labels: LabelSet) -> bool:
    """Whether these are spans or instants, not spikes of units."""
    spikes = labels.kind is Kind.EVENTS and "unit" in labels.vocabulary.names
    return labels.kind in (Kind.SPANS, Kind.EVENTS) and not spikes


def _of_marks(dossier: Dossier, session_start: str | None) -> Any:
    """File of spans or instants; see `nissl.io.nwb.tables`."""
    names = _event_names(dossier)
    place = plain_name(dossier.labels.provenance.task)
    while place in names.values():
        place += "_"
    channels = channels_of(dossier)
    marks = {"place": place, "channels": None if channels is None else channels.to_json()}
    nwbfile = _file(dossier, session_start)
    add_marks(nwbfile, dossier, place)
    add_classes(nwbfile, dossier.classes)
    add_events(nwbfile, dossier, names)
    _add_facts(nwbfile, {**describe(dossier), "event_names": names, "marks": marks})
    return nwbfile


def _of_latents(dossier: Dossier, session_start: str | None) -> Any:
    """File of aligned latents; see `nissl.io.nwb.latents`."""
    from nissl.io.nwb.latents import add_latents

    nwbfile = _file(dossier, session_start)
    facts = {**describe(dossier), "event_names": {}, **describe_columns(dossier.items)}
    facts |= add_latents(nwbfile, dossier)
    _add_facts(nwbfile, facts)
    return nwbfile


def _add_facts(nwbfile: Any, facts: dict[str, Any]) -> None:
    nwbfile.add_scratch(
        json.dumps(facts, ensure_ascii=False, allow_nan=False),
        name=SCRATCH,
        description="JSON by nissl: authors, methods, parameters, versions and digests of all "
        "labels of this file, and what its tables cannot say.",
    )


def save(nwbfile: Any, path: Path) -> None:
    """Write a built file.

    Note for implementers: HDF5 makes the file in memory and its bytes are written in one go.
    When HDF5 itself runs out of disk it keeps a handle that it can neither flush nor close,
    and a later close of any other file may crash the process.
    """
    import h5py
    from pynwb import NWBHDF5IO

    with (
        h5py.File("nissl.nwb", "w", driver="core", backing_store=False) as file,
        NWBHDF5IO(file=file, mode="w") as io,
    ):
        io.write(nwbfile)
        file.flush()
        image = file.id.get_file_image()
    path.write_bytes(image)


def _event_names(dossier: Dossier) -> dict[str, str]:
    """Name in the file of each of the session's events."""
    names: dict[str, str] = {}
    for name in dossier.events:
        base = plain_name(name)
        while base in names.values():
            base += "_"
        names[name] = base
    return names


def _places(dossier: Dossier) -> dict[str, Any]:
    """Where in the file each column, row and event of the dossier stands."""
    names = _event_names(dossier)
    facts: dict[str, Any] = {"event_names": names, **describe_columns(dossier.items)}
    if dossier.items is not None:
        units = units_of(dossier)
        facts["columns"]["names"] = item_columns(dossier.items)
        facts["columns"]["rows"] = np.searchsorted(units, dossier.items.items).tolist()
    return facts


def _file(dossier: Dossier, session_start: str | None) -> Any:
    from pynwb import NWBFile

    session = dossier.source.get("session") or {}
    start, dated = _start(session_start, session.get("day"))
    name = str(session.get("id") or "unknown")
    provenance = dossier.labels.provenance
    author = provenance.author
    kind = Kind.SPANS if are_marks(dossier.labels) else dossier.labels.kind
    noun, about, keywords = _ABOUT[kind]
    notes = [
        f"{dossier.labels.items.size} {noun} of the task {provenance.task!r} by {author.kind} "
        f"{author.name} {author.version}".strip()
        + ".",
        f"{dossier.reviewed:.0%} of the {noun} were decided on by a person"
        + ("; this is an unreviewed draft." if dossier.draft else "."),
    ]
    if not dated:
        notes.append(
            "The date of the session is not known; session_start_time is a placeholder "
            "(1970-01-01 UTC)."
        )
    key = f"{dossier.labels.digest} {name} {start.isoformat()}"
    nwbfile = NWBFile(
        session_description=f"Session {name}: {about} with their provenance.",
        identifier=str(uuid.uuid5(_SPACE, key)),
        session_start_time=start,
        session_id=name,
        notes=" ".join(notes),
        data_collection=f"Labels exported by nissl {__version__}.",
        keywords=keywords,
    )
    nwbfile.subject = _subject(dossier.source.get("subject") or {})
    return nwbfile


def _start(given: str | None, day: Any) -> tuple[datetime, bool]:
    text = given if given is not None else day
    if not text:
        return UNKNOWN_START, False
    try:
        start = datetime.fromisoformat(str(text))
    except ValueError as error:
        if given is None:
            return UNKNOWN_START, False
        raise BadArgumentError(
            "an ISO date and time", repr(given), "Write 2026-03-01T14:05:00+01:00."
        ) from error
    return (start if start.tzinfo else start.replace(tzinfo=UTC)), True


def _subject(facts: Any) -> Any:
    from pynwb.file import Subject

    age, sex = str(facts.get("age") or ""), str(facts.get("sex") or "")
    iso = age.startswith("P") and age[1:2].isdigit()
    return Subject(
        subject_id=str(facts.get("id") or "unknown"),
        description="pseudonym; unknown where nothing says" if not facts else "pseudonym",
        species=facts.get("species"),
        sex=sex[:1].upper() if sex[:1].upper() in ("M", "F", "O") else "U",
        # "P0D/" is NWB's range for "any age", the honest value where none is known
        age=age if iso else "P0D/",
        genotype=facts.get("genotype"),
    )


def _add_electrodes(nwbfile: Any, channels: ChannelTable, dossier: Dossier) -> None:
    subject = dossier.source.get("subject") or {}
    location = str(subject.get("region") or "unknown")
    device = nwbfile.create_device(name="probe", description="extracellular electrodes")
    groups = {
        shank: nwbfile.create_electrode_group(
            name=f"shank{shank}",
            description=f"contacts of shank {shank}",
            location=location,
            device=device,
        )
        for shank in sorted(set(channels.shank.tolist()))
    }
    nwbfile.add_electrode_column("channel_name", "name of the channel in the recording")
    nwbfile.add_electrode_column("shank", "shank of the contact")
    geometry: dict[str, Any] = {}
    for index, name in enumerate(channels.ids):
        x, y = channels.position_um[index].tolist()
        if channels.has_geometry:
            geometry = {"rel_x": x, "rel_y": y}
        shank = int(channels.shank[index])
        nwbfile.add_electrode(
            group=groups[shank], location=location, channel_name=name, shank=shank, **geometry
        )
