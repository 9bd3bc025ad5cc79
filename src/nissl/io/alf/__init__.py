"""ALF folders, the International Brain Laboratory's one array per file.

Written: `spikes.times` (seconds of the stream's clock), `spikes.samples`, `spikes.clusters`
(row of the clusters' files), `spikes.amps` (volts, without sign), `clusters.*` with mean
waveforms in volts, depths, best channels and metrics, `channels.*`, and the session's spans as
`<name>.intervals`, instants as `<name>.times`. Unit ids, signs of amplitudes, provenance,
opinions and exact samples of spans travel in the subfolder `nissl`. It cannot hold
probabilities on single spikes.

Read: any folder with spikes.times or spikes.samples and spikes.clusters, with name spaces
and time scales in the file names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.errors import BadArgumentError
from nissl.io.alf.read import is_alf, read_alf
from nissl.io.alf.write import verify_alf, write_alf
from nissl.io.contracts import Imported
from nissl.io.targets import new_folder
from nissl.tasks import Dossier


@dataclass(frozen=True)
class Alf:
    """Exporter and importer of ALF folders."""

    name: str = "alf"
    suffix: str = "_alf"

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a folder; there are no further options."""
        if options:
            raise BadArgumentError("no further options", f"{sorted(options)}", "Leave them out.")
        with new_folder(path, overwrite=overwrite) as folder:
            write_alf(dossier, folder)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the folder back and compare times, samples, waveforms, events and facts."""
        verify_alf(dossier, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is a folder with spikes and their clusters."""
        return is_alf(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a folder; see `nissl.io.contracts.Importer.read`."""
        return read_alf(Path(path), reviewer=reviewer, source=source, rate_hz=rate_hz)


ALF = Alf()
