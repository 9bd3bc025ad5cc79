"""NWB files of units, cells, tracked neurons, or spans and instants: written with pynwb, and read.

Written: the units table (spike times in seconds of the stream's clock beside the exact
samples, templates in volts, electrodes, quality with probabilities, metrics, confidence),
electrodes by shank, spans and instants as TimeIntervals, every CLASSES set as a table of its
own in the processing module "nissl", and the provenance of all of it as JSON in the scratch
space. It cannot hold raw data, probabilities on single spikes or item tables with nested
columns. Two exports of the same labels differ in the object ids and times that HDF5 and
pynwb put in.

Of spans and instants that are no spikes (stages, events, windows) the labels themselves are such
TimeIntervals, named as their task; what was measured of each is not in the file.

Segmented cells are told in `nissl.io.nwb.regions`, tracked neurons in `nissl.io.nwb.tracks`,
aligned latents, which are written and not read, in `nissl.io.nwb.latents`.

A file whose session start is not known says 1970-01-01 and tells so in its notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.io.contracts import Imported
from nissl.io.targets import new_file
from nissl.tasks import Dossier


@dataclass(frozen=True)
class Nwb:
    """Exporter and importer of NWB files (HDF5)."""

    name: str = "nwb"
    suffix: str = ".nwb"

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a file; the option `session_start` (ISO date and time with zone) dates it."""
        _need_pynwb()
        from nissl.io.nwb.write import build, save

        start = options.pop("session_start", None)
        if options:
            raise BadArgumentError(
                "the option session_start", f"{sorted(options)}", "Leave the others out."
            )
        with new_file(path, overwrite=overwrite) as partial:
            save(build(dossier, session_start=start), partial)
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Open the file anew with pynwb and compare times, samples, waveforms, facts."""
        _need_pynwb()
        from nissl.io.nwb.verify import verify_nwb

        verify_nwb(dossier, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is an HDF5 file named .nwb with spike times, segmented cells or tracks."""
        return _holds(
            Path(path),
            lambda file: "units/spike_times" in file or has_segmentation(file) or has_marks(file),
        ) or holds_tracks(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read the units of a file; see `nissl.io.contracts.Importer.read`."""
        _need_pynwb()
        from nissl.io.nwb.read import read_nwb

        return read_nwb(Path(path), reviewer=reviewer, source=source, rate_hz=rate_hz)


def has_segmentation(file: Any) -> bool:
    """Whether an open HDF5 file holds a plane segmentation in a processing module."""
    modules = file.get("processing")
    for module in modules.values() if modules is not None else ():
        for held in module.values():
            kind = held.attrs.get("neurodata_type", "")
            if kind == "ImageSegmentation" and len(held):
                return True
    return False


def has_marks(file: Any) -> bool:
    """Whether an open HDF5 file is of spans or instants that nissl wrote."""
    told = file.get("scratch/nissl_provenance")
    return told is not None and '"marks"' in told.asstr()[()]


def holds_tracks(path: Path) -> bool:
    """Whether `path` is an HDF5 file named .nwb with tracks, see `nissl.io.nwb.tracks`."""
    return _holds(
        path,
        lambda file: all(f"processing/tracks/{name}" in file for name in ("neurons", "Position")),
    )


def _holds(path: Path, has: Callable[[Any], bool]) -> bool:
    """Whether a file named .nwb opens and has something; never raises."""
    if path.suffix != ".nwb" or not path.is_file():
        return False
    try:
        import h5py

        with h5py.File(path, "r") as file:
            return has(file)
    except (ImportError, OSError, RuntimeError, KeyError, ValueError, TypeError):
        return False


def _need_pynwb() -> None:
    try:
        import pynwb  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "the package pynwb", "none installed", "Install: pip install 'nissl[ephys]'"
        ) from error


NWB = Nwb()
