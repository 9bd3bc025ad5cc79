"""What stands beside the table: the sidecar that describes its columns, and the dataset's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nissl import __version__
from nissl.clock import Clock
from nissl.errors import CorruptSourceError
from nissl.io.bids.hed import VERSION, meanings_of, tags_of
from nissl.io.bids.table import Columns, probability_names
from nissl.io.files import load_json
from nissl.io.manifest import describe
from nissl.tasks import Dossier

BIDS_VERSION = "1.9.0"
DATASET = "dataset_description.json"
OWN = "nissl"
"""Key of the sidecar under which nissl's own facts stand."""

_COLUMNS = {
    "onset": {"Description": "Start, from the first sample of the recording.", "Units": "s"},
    "duration": {"Description": "How long it lasts; 0 for an instant.", "Units": "s"},
    "channel": {"Description": "Channel it was marked on; n/a where it is on no single one."},
    "confidence": {
        "Description": "Calibrated probability that the label is right; n/a where the method "
        "or person gives none."
    },
    "scorer": {"Description": "Person who decided, by pseudonym; n/a for a method."},
    "method": {"Description": "Method and version that proposed it; n/a for a person."},
    "amplitude": {"Description": "Amplitude of the event, as its method states it."},
    "item": {"Description": "What the rows of one number are: one event on several channels, "
             "or cut by a gap of the recording."},
    "row_id": {"Description": "Number of the row in nissl."},
}  # fmt: skip


def describe_table(
    dossier: Dossier, columns: Columns, clock: Clock, ids: Sequence[str]
) -> dict[str, Any]:
    """Sidecar of a table: every column, every class with its HED tag, and nissl's facts."""
    names = dossier.labels.vocabulary.names
    kinds: dict[str, Any] = {
        "LongName": "Class",
        "Description": f"What it is, as the task {dossier.labels.provenance.task!r} names it.",
        "Levels": meanings_of(names),
    }
    tags = tags_of(names)
    if tags:
        kinds["HED"] = tags
    told: dict[str, Any] = dict(_COLUMNS) | {"trial_type": kinds}
    told |= {
        column: {"Description": f"Probability that the class is {name!r}."}
        for column, name in zip(probability_names(names), names, strict=True)
    }
    facts = describe(replace(dossier, items=None, classes=(), events={}))
    facts |= {"clock": clock.to_json(), "channels": list(ids)}
    own = {"Description": "How these labels were made; kept by nissl.", "Facts": facts}
    return {name: told[name] for name in columns} | {OWN: own}


def facts_of(path: Path) -> Mapping[str, Any] | None:
    """Nissl's facts in the sidecar of a table; None where it has none."""
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return None
    value = load_json(sidecar)
    own = value.get(OWN) if isinstance(value, dict) else None
    return own.get("Facts") if isinstance(own, dict) else None


def is_dataset(root: Path) -> bool:
    """Whether a folder is a BIDS derivative that nissl writes to."""
    return any(each.get("Name") == "nissl" for each in _generators(_stated(root)))


def describe_dataset(root: Path, dossier: Dossier) -> dict[str, Any]:
    """Description of the dataset with one more source in it."""
    stated = _stated(root)
    source = str(dossier.source.get("fingerprint") or dossier.labels.provenance.source)
    sources = [s for s in stated.get("SourceDatasets", []) if isinstance(s, dict)]
    if source and {"Version": source} not in sources:
        sources.append({"Version": source})
    generators = [g for g in _generators(stated) if g.get("Name") != "nissl"]
    generators.append({"Name": "nissl", "Version": __version__})
    made = {
        "Name": "Annotations by nissl",
        "BIDSVersion": BIDS_VERSION,
        **stated,
        "DatasetType": "derivative",
        "GeneratedBy": generators,
        "SourceDatasets": sources or [{"Version": "unknown"}],
    }
    if tags_of(dossier.labels.vocabulary.names):
        made["HEDVersion"] = VERSION
    return made


README = """Annotations of recordings, exported by nissl as a BIDS derivative.

Each *_desc-nissl_events.tsv holds the labels of one recording and task; the JSON file beside it
describes the columns and classes and says how the labels were made and how much of them a
person has reviewed. The entity "task" is the task of annotation. Subjects are pseudonyms. The
recordings themselves are not here; "SourceDatasets" lists the fingerprints of their contents.
"""


def as_json(value: Mapping[str, Any]) -> bytes:
    """Bytes of a JSON file that people can read."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def _stated(root: Path) -> dict[str, Any]:
    path = root / DATASET
    if not path.is_file():
        return {}
    value = load_json(path)
    if not isinstance(value, dict):
        raise CorruptSourceError(f"a JSON object in {path}", type(value).__name__, "Restore it.")
    return value


def _generators(stated: Mapping[str, Any]) -> list[dict[str, Any]]:
    value = stated.get("GeneratedBy")
    return [g for g in value if isinstance(g, dict)] if isinstance(value, list) else []
