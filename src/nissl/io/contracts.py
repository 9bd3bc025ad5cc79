"""What importers and exporters of labels fulfil.

Note for implementers: `nissl.testing.exporters` holds the contract suites; a new format
passes them before it is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from nissl.data import Signal
from nissl.data.recording import UNKNOWN
from nissl.errors import BadArgumentError
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.tasks import Dossier

_OF_STREAM = ("rate_hz", "clock", "channels", "spacing_um")
"""Facts that describe the stream whose samples the main set counts."""


@dataclass(frozen=True)
class Imported:
    """Labels that were made elsewhere, with what could be learned about them.

    Parameters
    ----------
    labels : tuple of LabelSet
        The main set first; people's and machines' claims are separate sets.
    items : tuple of ItemTable
        Each belongs to the set whose digest is its `of`.
    recording : Path, optional
        Where the raw data are, as far as the folder says; it may not exist.
    what_is_missing : tuple of str
        One sentence for each thing that the folder does not hold or that is uncertain.
    format : str
        Name of the importer.
    fingerprint : str
        Of the recording where it is known; otherwise of the imported spike times, so that
        further curation of the same folder stays with the same source.
    subject, session : str
        Pseudonym and name; "unknown" where nothing says.
    events : mapping of str to LabelSet
        Named SPANS and EVENTS of the session (trials), on the clock of the main set.
    facts : mapping
        Further JSON facts: "rate_hz", "clock" (segments of the stream's clock), "channels" (as
        `ChannelTable.to_json`), "spacing_um" (of a voxel along z, y and x).
    signals : mapping of str to Signal
        Derived signals of the items of the main set (traces), channels named by item.
    images : mapping of str to ndarray, shape (z, y, x), float32
        Pictures of the field by name: "mean", "max", "correlation".
    """

    labels: tuple[LabelSet, ...]
    items: tuple[ItemTable, ...] = ()
    recording: Path | None = None
    what_is_missing: tuple[str, ...] = ()
    format: str = ""
    fingerprint: str = ""
    subject: str = UNKNOWN
    session: str = UNKNOWN
    events: Mapping[str, LabelSet] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    images: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def dossier(self) -> Dossier:
        """Return what reports and exporters need, without the raw data."""
        if not self.labels:
            raise BadArgumentError("imported labels", "none", "Import something with labels.")
        main = self.labels[0]
        # a reviewed set goes on using the facts about the items of the set before review
        own = (main.digest, *main.provenance.made_from)
        items = next((table for table in self.items if table.of in own), None)
        classes = tuple(
            each
            for each in self.labels[1:]
            if each.kind is Kind.CLASSES and main.digest in each.provenance.targets
        )
        by_person = {
            int(target)
            for each in classes
            if each.provenance.author.kind == "person"
            for target in each.column("target")
        }
        stream = main.provenance.stream
        known = {k: self.facts[k] for k in _OF_STREAM if self.facts.get(k)}
        return Dossier(
            labels=main,
            items=items,
            stream=stream,
            classes=classes,
            events=dict(self.events),
            source={
                "format": self.format,
                "fingerprint": self.fingerprint,
                "subject": {"id": self.subject},
                "session": {"id": self.session},
                "streams": {stream: known} if known else {},
            },
            reviewed=len(by_person & set(main.items.tolist())) / max(main.items.size, 1),
            signals=dict(self.signals),
            images=dict(self.images),
        )


@runtime_checkable
class Exporter(Protocol):
    """Writes labels, with where they come from, in a format others read.

    Implementers: write to a temporary name and rename (`nissl.io.targets`); import heavy
    packages inside methods; copy no name, birth date, hospital number or path of the raw data.
    """

    name: str
    suffix: str

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write all that the format can hold; return the path written.

        Raises
        ------
        BadArgumentError
            Something is at `path` and `overwrite` is false; an unknown option.
        ExportError
            The labels are not of a kind the format holds.
        DiskFullError, ReadOnlyError
            Nothing half-written remains.
        """

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read back what was written and compare it with the dossier.

        Raises
        ------
        VerificationError
            Names everything that differs.
        """


@runtime_checkable
class Importer(Protocol):
    """Reads labels that were made elsewhere and modifies nothing."""

    name: str

    def matches(self, path: Path) -> bool:
        """Whether `path` looks like this format; cheap, never raises for existing paths."""

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read everything that is there.

        Parameters
        ----------
        path : Path
        reviewer : str, optional
            Who made the human labels; a neutral name where it is not known.
        source : str, optional
            Fingerprint of the recording the labels belong to.
        rate_hz : float, optional
            Samples per second, for files that give times only.

        Raises
        ------
        InputError
            Missing, truncated or inconsistent files.
        """
