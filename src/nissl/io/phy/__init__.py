"""phy folders: written for phy to open, read from phy and Kilosort 2 to 4.

A phy folder holds one time axis in samples, one row per spike (sample, cluster, template,
amplitude), one template per cluster, contact positions, and tables of clusters. What it has
no field for (provenance, confidence, the gaps of the clock, several opinions on one cluster,
trials, arrays of the item table) travels in its subfolder `nissl`, which phy ignores. It
cannot hold negative unit ids or probabilities on single spikes.

Whose claims are whose: `cluster_KSLabel` is Kilosort's, `cluster_group` a person's, except
where it only repeats every KSLabel, as Kilosort itself writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.io.contracts import Imported
from nissl.io.phy.read import is_phy, read_phy
from nissl.io.phy.write import verify_phy, write_phy
from nissl.io.targets import new_folder
from nissl.tasks import Dossier


@dataclass(frozen=True)
class Phy:
    """Exporter and importer of phy folders."""

    name: str = "phy"
    suffix: str = "_phy"

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a folder that phy's template GUI opens; see `write_phy` for the options."""
        with new_folder(path, overwrite=overwrite) as folder:
            write_phy(dossier, folder, **options)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read the folder back and compare spikes, templates, positions, groups and facts."""
        verify_phy(dossier, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is a folder, or the params.py of a folder, with sorted spikes."""
        return is_phy(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a folder of phy or Kilosort; see `nissl.io.contracts.Importer.read`."""
        return read_phy(Path(path), reviewer=reviewer, source=source, rate_hz=rate_hz)


PHY = Phy()
