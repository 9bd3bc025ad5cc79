"""Readers: one file per format, found through one registry.

A reader says whether a path looks like its format and opens it: streams that have not read a
sample yet, digital lines, and what the header says of subject and session. `nissl.data.read`
does the rest: it chooses the reader, turns whatever the libraries below raise into errors of
nissl, checks the options, and takes the fingerprint. Every reader passes
`nissl.testing.readers.ReaderTests`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nissl.data.annotations import NONE, Annotations
from nissl.data.lines import Line
from nissl.data.movie import Movie
from nissl.data.recording import Session, Subject
from nissl.data.signal import Signal
from nissl.registry import Registry


@dataclass(frozen=True)
class ReadOptions:
    """What a caller may say about a source.

    Parameters
    ----------
    probe : Path, optional
        probeinterface JSON file.
    rate_hz : float, optional
        Samples per second.
    n_channels : int, optional
    dtype : str, optional
        NumPy type string ("int16").
    gain_uv : float, optional
        Microvolts per step.
    n_planes : int, optional
        Planes that take turns in a stack of images.
    spacing_um : tuple of float, optional
        Size of a voxel along z, y and x; any movie that does not state it takes it.
    keep_identifiers : bool
        Keep ids of human subjects as they are in the header.
    """

    probe: Path | None = None
    rate_hz: float | None = None
    n_channels: int | None = None
    dtype: str | None = None
    gain_uv: float | None = None
    n_planes: int | None = None
    spacing_um: tuple[float, float, float] | None = None
    keep_identifiers: bool = False


@dataclass(frozen=True)
class Opened:
    """What a reader makes of a path.

    Parameters
    ----------
    streams : tuple of Signal
        With distinct names, among the movies too.
    files : tuple of Path
        Data files behind them, for the fingerprint.
    lines : tuple of Line
    subject : Subject
    session : Session
    annotations : Annotations
        Remarks that stand in the file.
    notes : tuple of str
        What is odd about the file and was understood all the same, one sentence each.
    movies : tuple of Movie
    """

    streams: tuple[Signal, ...]
    files: tuple[Path, ...]
    lines: tuple[Line, ...] = ()
    subject: Subject = field(default_factory=Subject)
    session: Session = field(default_factory=Session)
    annotations: Annotations = NONE
    notes: tuple[str, ...] = ()
    movies: tuple[Movie, ...] = ()


@runtime_checkable
class Reader(Protocol):
    """One format.

    Implementers: import heavy packages inside `open`; copy no name, birth date, hospital
    number, note or comment of the header; raise errors of nissl where you know better than
    "damaged". Anything else that comes out of `open` is reported as a damaged source.
    """

    name: str
    takes: frozenset[str]  # options among rate_hz, n_channels, dtype, gain_uv, n_planes

    def matches(self, path: Path) -> bool:
        """Whether an existing path looks like this format; cheap, reads no samples."""

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the path lazily."""


READERS: Registry[Any] = Registry(
    "readers",
    {
        name: f"nissl.data.readers.{module}:READER"
        for name, module in (
            ("spikeglx", "spikeglx"),
            ("openephys", "openephys"),
            ("spikeinterface", "si_folder"),
            ("derived", "derived"),
            ("zarr", "zarr_store"),
            ("intan", "intan"),
            ("blackrock", "blackrock"),
            ("bids", "bids"),
            ("edf", "edf"),
            ("mne", "mne_raw"),
            ("nwb", "nwb"),
            ("numpy", "numpy_arrays"),
            ("suite2p", "suite2p"),
            ("tiff", "tiff"),
            ("targettrack", "targettrack"),
            ("hdf5", "hdf5"),
            ("video", "video"),
            ("raw", "raw"),
        )
    },
)
"""The first that matches opens a path, so that the generic ones come last."""
