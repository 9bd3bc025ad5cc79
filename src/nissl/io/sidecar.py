"""The subfolder `nissl/` of a folder export: what the format itself has no field for.

`facts.json` (see `nissl.io.manifest`), the item table, the CLASSES sets and the session's
events as Parquet, and columns of the spikes beyond time, unit and amplitude; labels that are no
EVENTS are there whole. An importer takes
them as they are while the format's own files still agree with them; where somebody has changed
those (merged units in phy), the files win and the old set is named as the parent.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError, NisslError
from nissl.io.contracts import Imported
from nissl.io.files import corrupt, load_json, load_npy
from nissl.io.manifest import checked, describe, restore_set, write_facts
from nissl.io.spikes import extra_columns
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.labels.serialise import read_items, read_labels, write_items, write_labels
from nissl.tasks import Dossier

FOLDER, LABELS = "nissl", "labels.parquet"
_STAMP = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sidecar:
    """What was found in the subfolder.

    Parameters
    ----------
    facts : mapping
        The manifest.
    items : ItemTable, optional
        Without the arrays that the format holds itself.
    classes : tuple of LabelSet
    events : mapping of str to LabelSet
    extra : mapping of str to ndarray, each of shape (n_spikes,)
        Further columns of the spikes.
    labels : LabelSet, optional
        Where they are no spikes.
    """

    facts: Mapping[str, Any]
    items: ItemTable | None
    classes: tuple[LabelSet, ...]
    events: Mapping[str, LabelSet]
    extra: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    labels: LabelSet | None = None

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the recording that the labels belong to."""
        return str(self.facts["source"]["fingerprint"])

    def fact(self, group: str, name: str, default: str) -> str:
        """Return a fact of the subject or the session."""
        return str(self.facts["source"].get(group, {}).get(name, default))

    @property
    def clock(self) -> dict[str, Any]:
        """Clock of the stream as it was exported, for `Imported.facts`."""
        return {"clock": self.facts["clock"]} if self.facts.get("clock") else {}

    def restore(self, columns: Mapping[str, Any]) -> LabelSet | None:
        """Set of the columns read, None where it is no longer the one that was written."""
        try:
            labels = restore_set(self.facts["labels"], columns)
        except CorruptSourceError:
            return None
        return labels if labels.digest == self.facts["labels"]["digest"] else None

    def imported(self, labels: LabelSet, name: str) -> Imported:
        """The work on a movie as it was exported to a single file of format `name`."""
        items = self.items_with({})
        return Imported(
            labels=(labels, *self.classes),
            items=() if items is None else (items,),
            what_is_missing=("The file names no movie that was opened; add the movie.",),
            format=name,
            fingerprint=self.fingerprint,
            subject=self.fact("subject", "id", "unknown"),
            session=self.fact("session", "id", "unknown"),
            events=self.events,
            facts=self.clock,
        )

    def items_with(self, arrays: Mapping[str, npt.NDArray[Any]]) -> ItemTable | None:
        """Item table completed by the arrays that the format holds itself."""
        if self.items is None:
            return None
        types = self.facts["items"]["arrays"]
        added = {name: np.asarray(a).astype(types[name]) for name, a in arrays.items()}
        whole = replace(self.items, arrays={**self.items.arrays, **added})
        if whole.digest != self.facts["items"]["digest"]:
            raise CorruptSourceError(
                "the item table that was exported",
                "another one",
                "The folder was changed; export it again, or remove its subfolder nissl.",
            )
        return whole


def write_sidecar(
    folder: Path,
    dossier: Dossier,
    *,
    held: tuple[str, ...] = (),
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write the subfolder.

    Parameters
    ----------
    folder : Path
        The export's folder.
    dossier : Dossier
    held : tuple of str
        Arrays of the item table that the format holds itself.
    more : mapping, optional
        Further JSON facts of the format.
    """
    home = folder / FOLDER
    home.mkdir()
    write_facts(home / "facts.json", {**describe(dossier), **(more or {})})
    if dossier.labels.kind is Kind.EVENTS:
        for name, values in extra_columns(dossier.labels).items():
            np.save(home / f"spikes.{name}.npy", values)
    else:
        write_labels(dossier.labels, home / LABELS)
    if dossier.items is not None:
        rest = {n: a for n, a in dossier.items.arrays.items() if n not in held}
        write_items(replace(dossier.items, arrays=rest), home / "items.parquet")
    for index, labels in enumerate(dossier.classes):
        write_labels(labels, home / f"classes_{index}.parquet")
    for index, labels in enumerate(dossier.events.values()):
        write_labels(labels, home / f"events_{index}.parquet")


def read_sidecar(folder: Path) -> Sidecar | None:
    """Read the subfolder; None where there is none.

    Raises
    ------
    InputError, StoreError
        It is there and damaged.
    """
    home = folder / FOLDER
    if not (home / "facts.json").is_file():
        return None
    facts = checked(load_json(home / "facts.json"), f"{FOLDER}/facts.json")
    with corrupt(home / "facts.json", "the facts of an export"):
        classes = tuple(
            read_labels(home / f"classes_{k}.parquet") for k in range(len(facts["classes"]))
        )
        events = {
            name: read_labels(home / f"events_{k}.parquet")
            for k, name in enumerate(facts["events"])
        }
        items = read_items(home / "items.parquet") if facts["items"] is not None else None
        extra = {
            path.name.split(".")[1]: load_npy(path, ndim=1)
            for path in sorted(home.glob("spikes.*.npy"))
        }
        if not isinstance(facts["source"]["fingerprint"], str):
            raise TypeError("the fingerprint is not text")
        labels = read_labels(home / LABELS) if (home / LABELS).is_file() else None
        if labels is not None and labels.digest != facts["labels"]["digest"]:
            raise ValueError("other labels than were exported")
    return Sidecar(facts, items, classes, events, extra, labels)


def readable_sidecar(folder: Path) -> tuple[Sidecar | None, tuple[str, ...]]:
    """Sidecar, or a sentence about why it cannot be used; the format's files still can."""
    try:
        return read_sidecar(folder), ()
    except NisslError as error:
        sentence = f"The subfolder {FOLDER} is damaged and was left aside: {error.got}."
        return None, (sentence,)


def pack_sidecar(dossier: Dossier, *, more: Mapping[str, Any] | None = None) -> bytes:
    """The subfolder as one zip, for formats that are a single file; see `write_sidecar`."""
    with tempfile.TemporaryDirectory(prefix="nissl-") as scratch:
        write_sidecar(Path(scratch), dossier, more=more)
        held = BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted((Path(scratch) / FOLDER).iterdir()):
                archive.writestr(zipfile.ZipInfo(file.name, _STAMP), file.read_bytes())
    return held.getvalue()


def unpack_sidecar(content: bytes) -> tuple[Sidecar | None, tuple[str, ...]]:
    """Inverse of `pack_sidecar`; see `readable_sidecar`."""
    with tempfile.TemporaryDirectory(prefix="nissl-") as scratch:
        home = Path(scratch) / FOLDER
        home.mkdir()
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():  # only the last part of a name is used
                (home / Path(name).name).write_bytes(archive.read(name))
        return readable_sidecar(Path(scratch))
