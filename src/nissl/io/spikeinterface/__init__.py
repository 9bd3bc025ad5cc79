"""SpikeInterface: sortings with curation, written; sortings and analyzers, read.

Written: a folder that `spikeinterface.load` opens (one segment per gapless stretch of the
clock, the item table's columns as unit properties), with `curation.json`, people's labels in
SpikeInterface's curation format 2. What neither has a field for (amplitudes, provenance,
machines' opinions, arrays, trials) travels in the subfolder `nissl`. It cannot hold
probabilities on single spikes.

Read: numpy, npz and Zarr folders of sortings, and SortingAnalyzer folders (binary or Zarr)
with templates, quality metrics, unit locations and spike amplitudes where they were computed.
The files are read directly: loading them through SpikeInterface would import whatever class
they name and open their pickles.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.errors import BadArgumentError
from nissl.io.contracts import Imported
from nissl.io.spikeinterface.read import is_spikeinterface, read_spikeinterface
from nissl.io.spikeinterface.write import verify_sorting, write_sorting
from nissl.io.targets import new_folder
from nissl.tasks import Dossier


@dataclass(frozen=True)
class SpikeInterface:
    """Exporter and importer of SpikeInterface's folders."""

    name: str = "spikeinterface"
    suffix: str = "_spikeinterface"

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a sorting with its curation; there are no further options."""
        if options:
            raise BadArgumentError("no further options", f"{sorted(options)}", "Leave them out.")
        with new_folder(path, overwrite=overwrite) as folder:
            write_sorting(dossier, folder)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Load it with SpikeInterface and compare trains, properties, curation and facts."""
        verify_sorting(dossier, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is a folder of a sorting or a SortingAnalyzer."""
        return is_spikeinterface(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a folder; see `nissl.io.contracts.Importer.read`."""
        return read_spikeinterface(Path(path), reviewer=reviewer, source=source, rate_hz=rate_hz)


SPIKEINTERFACE = SpikeInterface()
