"""Annotation files of Wonambi: XML with raters, who score epochs and mark events.

The elements are those of Wonambi's version 5: a dataset, and for each rater bookmarks, events
by type, stages by epoch, and cycles. Sleep stages of whole seconds become epochs with Wonambi's
names ("NREM2"); other spans are events, instants bookmarks. Epochs of any length are read; of
runs of one stage, each epoch is an item of its own.

It cannot hold confidence, probabilities or row ids. A method stands there as a rater of its
name, marked as a model by an attribute that Wonambi does not read. Quality and cycles are not
read; files of older versions must be opened and saved in Wonambi first.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from nissl.annotators.sleep.stages import STAGES, stage_of
from nissl.errors import CorruptSourceError, ExportError
from nissl.io.files import corrupt, read_text
from nissl.io.mark_format import MarkFormat, Sheet, first_bytes, seconds_text
from nissl.io.marks import Marks
from nissl.io.placing import SLEEP
from nissl.labels import Author

_VERSION = "5"
_UNKNOWN = datetime(1970, 1, 1)
_NAMES = {"W": "Wake", "N1": "NREM1", "N2": "NREM2", "N3": "NREM3", "R": "REM"}
_ALLOWED = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_Row = tuple[float, float, str, tuple[str, ...]]


def _write(sheet: Sheet, path: Path) -> None:
    root = ET.Element("annotations", version=_VERSION)
    about = ET.SubElement(root, "dataset")
    last = sheet.end_s if sheet.end_s is not None else 0.0
    facts = {
        "filename": "unknown",  # where the recording lies is nobody else's business
        "path": "unknown",
        "start_time": (sheet.start or _UNKNOWN).isoformat(),
        "first_second": "0",
        "last_second": str(int(np.ceil(last))),
    }
    for name, text in facts.items():
        ET.SubElement(about, name).text = text
    for marks in sheet.marks:
        _write_rater(root, marks, sheet.start or _UNKNOWN)
    with open(path, "wb") as file:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>')
        file.write(ET.tostring(root, encoding="utf-8", xml_declaration=False))


def _write_rater(root: ET.Element, marks: Marks, created: datetime) -> None:
    rater = ET.SubElement(
        root,
        "rater",
        name=_checked(marks.author.name),
        created=created.isoformat(),
        author=marks.author.kind,
    )
    parts = {name: ET.SubElement(rater, name) for name in ("bookmarks", "events", "stages")}
    ET.SubElement(rater, "cycles")
    types: dict[str, ET.Element] = {}
    staging = _is_staging(marks)
    for k, label in enumerate(marks.labels):
        start, stop = seconds_text(marks.start_s[k]), seconds_text(marks.stop_s[k])
        chan = _chan(marks.channels[k])
        if staging:
            texts = {
                "epoch_start": str(round(float(marks.start_s[k]))),
                "epoch_end": str(round(float(marks.stop_s[k]))),
                "stage": _NAMES.get(label, "Unknown"),
                "quality": "Good",
            }
            _element(parts["stages"], "epoch", texts)
        elif np.isfinite(marks.stop_s[k]):
            if label not in types:
                name = _checked(label)
                types[label] = ET.SubElement(parts["events"], "event_type", type=name)
            texts = {"event_start": start, "event_end": stop, "event_chan": chan}
            _element(types[label], "event", texts | {"event_qual": "Good"})
        else:
            texts = {"bookmark_name": _checked(label)}
            texts |= {"bookmark_start": start, "bookmark_end": start, "bookmark_chan": chan}
            _element(parts["bookmarks"], "bookmark", texts)


def _is_staging(marks: Marks) -> bool:
    """Whether all marks are stages of whole seconds on no channel, as Wonambi's epochs are."""
    times = np.concatenate([marks.start_s, marks.stop_s])
    return (
        marks.staging
        and bool(np.all(np.isfinite(times)) and np.all(np.abs(times - np.rint(times)) < 1e-6))
        and not any(marks.channels)
    )


def _element(parent: ET.Element, name: str, texts: dict[str, str]) -> None:
    made = ET.SubElement(parent, name)
    for child, text in texts.items():
        ET.SubElement(made, child).text = text


def _chan(names: tuple[str, ...]) -> str:
    if any(", " in name for name in names):
        raise ExportError("channel names without ', '", f"{list(names)}", "Rename the channels.")
    return _checked(", ".join(names))


def _checked(text: str) -> str:
    if not _ALLOWED.fullmatch(text) or "\r" in text:
        raise ExportError(
            "text that XML can hold", repr(text), "Rename the class, or export as bids."
        )
    return text


def _read(path: Path) -> Sheet:
    root = _parsed(path)
    version = root.get("version", "")
    if root.tag != "annotations" or version != _VERSION:
        raise CorruptSourceError(
            f"annotations of Wonambi, version {_VERSION}",
            f"<{root.tag}> of version {version or 'unknown'!r}",
            "Open the file in Wonambi and save it again.",
        )
    with corrupt(path, "annotations of Wonambi"):
        marks = tuple(made for rater in root.findall("rater") for made in _read_rater(rater))
        end = root.findtext("dataset/last_second")
        end_s = float(end) if end else None
        started = datetime.fromisoformat(root.findtext("dataset/start_time") or "1970-01-01")
    if not marks:
        raise CorruptSourceError(
            "at least one rater", f"none in {path.name}", "Add one in Wonambi."
        )
    started = started.replace(tzinfo=None)
    return Sheet(marks, 0.0, end_s, None if started == _UNKNOWN else started)


def _read_rater(rater: ET.Element) -> list[Marks]:
    author = Author(rater.get("author", "person"), rater.get("name") or "unnamed")
    stages: list[_Row] = [
        (_seconds(e, "epoch_start"), _seconds(e, "epoch_end"), _stage(e), ())
        for e in rater.iterfind("stages/epoch")
    ]
    events: list[_Row] = [
        (_seconds(e, "event_start"), _seconds(e, "event_end"), kind.get("type") or "event", _on(e))
        for kind in rater.iterfind("events/event_type")
        for e in kind.iterfind("event")
    ]
    events += [
        (
            _seconds(e, "bookmark_start"),
            _seconds(e, "bookmark_end"),
            e.findtext("bookmark_name") or "bookmark",
            _on(e, "bookmark_chan"),
        )
        for e in rater.iterfind("bookmarks/bookmark")
    ]
    made = []
    # epochs that nobody has scored are what Wonambi begins with, and no claim
    if stages and (rater.get("author") or any(s[2] != "unknown" for s in stages)):
        made.append(_marks(stages, author, classes=STAGES, task=SLEEP))
    if events or not made:
        made.append(_marks(events, author))
    return made


def _marks(
    rows: list[_Row], author: Author, *, classes: tuple[str, ...] = (), task: str = ""
) -> Marks:
    start, stop = (np.asarray([row[k] for row in rows], np.float64) for k in (0, 1))
    labels, channels = tuple(row[2] for row in rows), tuple(row[3] for row in rows)
    return Marks(start, stop, labels, channels, author, classes=classes, task=task)


def _stage(epoch: ET.Element) -> str:
    text = epoch.findtext("stage") or "Unknown"
    return stage_of(text) or "unknown"


def _seconds(element: ET.Element, name: str) -> float:
    return float(element.findtext(name) or "")


def _on(element: ET.Element, name: str = "event_chan") -> tuple[str, ...]:
    text = element.findtext(name) or ""
    return tuple(part for part in text.split(", ") if part)


def _parsed(path: Path) -> ET.Element:
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities that grow without bound
        raise CorruptSourceError(
            "XML without a document type", "one that declares entities", "Export it from Wonambi."
        )
    with corrupt(path, "XML"):
        return ET.fromstring(text)


def _looks_like(path: Path) -> bool:
    return path.suffix.lower() == ".xml" and b"<annotations version=" in first_bytes(path, 500)


WONAMBI = MarkFormat("wonambi", "_wonambi.xml", _write, _read, _looks_like)
