"""A format that is a folder: what phy, ALF and SpikeInterface have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.errors import BadArgumentError
from nissl.io.contracts import Imported
from nissl.io.targets import new_folder
from nissl.tasks import Dossier


@dataclass(frozen=True)
class FolderFormat:
    """Exporter and importer of a folder format, made of its functions.

    Parameters
    ----------
    name : str
    suffix : str
        Ending of the folders it writes.
    writer : callable
        ``(dossier, folder, **options)``: fill an empty folder.
    verifier : callable
        ``(dossier, folder)``: raise `VerificationError` where the folder differs.
    recogniser : callable
        ``(path) -> bool``; cheap, never raises for existing paths.
    reader : callable
        ``(path, *, reviewer, source, rate_hz) -> Imported``.
    options : tuple of str
        Names of the writer's options.
    """

    name: str
    suffix: str
    writer: Callable[..., None]
    verifier: Callable[[Dossier, Path], None]
    recogniser: Callable[[Path], bool]
    reader: Callable[..., Imported]
    options: tuple[str, ...] = ()

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a folder, whole or not at all; see `nissl.io.contracts.Exporter.write`."""
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            raise BadArgumentError(
                f"options of {self.name} among {list(self.options)}",
                f"{unknown}",
                "Leave them out.",
            )
        with new_folder(path, overwrite=overwrite) as folder:
            self.writer(dossier, folder, **options)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the folder back and compare it with the dossier."""
        self.verifier(dossier, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` looks like this format."""
        return self.recogniser(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a folder; see `nissl.io.contracts.Importer.read`."""
        return self.reader(Path(path), reviewer=reviewer, source=source, rate_hz=rate_hz)
