"""`read`: a path to a Recording, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nissl.data.fingerprint import fingerprint
from nissl.data.movie import Movie
from nissl.data.probes import Geometry, read_probe
from nissl.data.readers import READERS, Opened, Reader, ReadOptions
from nissl.data.recording import Recording
from nissl.data.signal import Signal
from nissl.data.voxels import checked_spacing, with_spacing
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    BadProbeError,
    CorruptSourceError,
    MissingDependencyError,
    NisslError,
    SourceNotFoundError,
    UnknownFormatError,
)

SELF_DESCRIBING = ("rate_hz", "n_channels", "dtype", "gain_uv", "n_planes")
_EXTRAS = {"mne": "eeg", "tifffile": "imaging", "av": "imaging"}


def read(
    path: str | Path,
    *,
    format: str | None = None,
    probe: str | Path | None = None,
    rate_hz: float | None = None,
    n_channels: int | None = None,
    dtype: str | None = None,
    gain_uv: float | None = None,
    n_planes: int | None = None,
    spacing_um: Sequence[float] | None = None,
    subject: str | None = None,
    session: str | None = None,
    keep_identifiers: bool = False,
) -> Recording:
    """Open a recording; samples are read when they are asked for.

    Parameters
    ----------
    path : str or Path
        File or folder: raw binary, SpikeGLX, Open Ephys (binary), Intan, Blackrock, EDF, BDF,
        BrainVision, FIF, EEGLAB, GDF, BIDS, NWB, Zarr, a SpikeInterface folder, ``.npy`` or
        ``.npz``; movies in TIFF (a file or a folder of them), HDF5, NWB, Zarr, NumPy arrays of
        three or four dimensions, Suite2p's binary files, AVI and MP4.
    format : str, optional
        Name of the reader; recognised from the path by default.
    probe : str or Path, optional
        probeinterface JSON; replaces a geometry that the file states.
    rate_hz, n_channels, dtype, gain_uv : optional
        Samples per second, channels, NumPy type and microvolts per step, for files that do
        not state them. A file that does is not overruled.
    n_planes : int, optional
        Planes that take turns in a stack of images, where it does not say.
    spacing_um : sequence of float, optional
        Size of a voxel along z, y and x in micrometres, for movies that do not state it.
    subject, session : str, optional
        Ids, in place of those the file states.
    keep_identifiers : bool
        Keep ids of human subjects as the file states them (see `nissl.data.privacy`).

    Returns
    -------
    Recording
        Its `options` hold what was given, so that the same call opens it again.

    Raises
    ------
    SourceNotFoundError, UnknownFormatError, CorruptSourceError
        No such path; no reader knows it; it is truncated, unreadable or contradicts itself.
    BadMetadataError, BadProbeError, BadArgumentError
        An impossible rate, gain, channel count, time or probe; an option that does not apply.
    MissingDependencyError
        The reader needs a package that is not installed.

    Examples
    --------
    >>> recording = read("run_g0_t0.imec0.ap.bin")                      # doctest: +SKIP
    >>> recording["ap"].read(0, 30_000)                                 # doctest: +SKIP
    """
    source = Path(path)
    options = ReadOptions(
        probe=None if probe is None else Path(probe),
        rate_hz=rate_hz,
        n_channels=n_channels,
        dtype=dtype,
        gain_uv=gain_uv,
        n_planes=n_planes,
        spacing_um=None if spacing_um is None else checked_spacing(spacing_um),
        keep_identifiers=keep_identifiers,
    )
    _check_options(options)
    _check_there(source)
    with our_errors(source):
        reader = _reader(source, format)
        _check_takes(reader, options)
        opened = reader.open(source, options)
        streams = _with_probe(reader, opened, options)
        movies = {each.name: each for each in with_spacing(opened.movies, options.spacing_um)}
        _check_streams(streams, movies, source)
        mark = fingerprint(opened.files, source, (*streams.values(), *movies.values()))
    ids = {"subject": subject, "session": session}
    return Recording(
        path=source,
        format=reader.name,
        streams=streams,
        lines=opened.lines,
        subject=opened.subject if subject is None else replace(opened.subject, id=subject),
        session=opened.session if session is None else replace(opened.session, id=session),
        fingerprint=mark,
        options=_given(options, format, ids),
        annotations=opened.annotations,
        notes=opened.notes,
        movies=movies,
    )


def matching_reader(path: str | Path) -> str | None:
    """Name of the first reader that recognises a path, or None."""
    source = Path(path)
    for name in READERS:
        try:
            if READERS.get(name).matches(source):
                return name
        except OSError:
            continue
    return None


@contextmanager
def our_errors(path: Path) -> Iterator[None]:
    """Turn what libraries raise while they open a source into errors of nissl."""
    try:
        yield
    except NisslError:
        raise
    except ImportError as error:
        raise MissingDependencyError(
            f"the package {error.name!r} to read {path.name}",
            "no such package",
            f"Install it with: pip install 'nissl[{_EXTRAS.get(error.name or '', 'ephys')}]'",
        ) from error
    except PermissionError as error:
        raise CorruptSourceError(
            f"a readable source at {path}",
            "permission denied",
            "Ask its owner for permission to read it, or copy it.",
        ) from error
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise CorruptSourceError(
            f"a complete and undamaged recording at {path}",
            f"{type(error).__name__}{f' ({said})' if said else ''} while opening it",
            "Compare it with the original; another --format may be meant.",
        ) from error


def _check_there(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError as error:
        raise SourceNotFoundError(
            f"a recording at {path}", "no such file or folder", "Check the path."
        ) from error
    except (OSError, ValueError) as error:
        raise SourceNotFoundError(
            f"a recording at {path}", str(error), "Check the path and its permissions."
        ) from error
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise CorruptSourceError(
            f"a readable source at {path}",
            "permission denied",
            "Ask its owner for permission to read it, or copy it.",
        )
    if path.is_file() and path.stat().st_size == 0:
        raise CorruptSourceError(
            f"samples in {path.name}",
            "an empty file",
            "The recording holds nothing; check the copy against the original.",
        )


def _check_options(options: ReadOptions) -> None:
    rate_hz, n_channels, gain_uv = options.rate_hz, options.n_channels, options.gain_uv
    if rate_hz is not None and not (np.isfinite(rate_hz) and rate_hz > 0):
        raise BadMetadataError(
            "a sampling rate above 0 Hz", f"{rate_hz} Hz", "Give the rate in Hz with --rate."
        )
    if n_channels is not None and n_channels < 1:
        raise BadMetadataError(
            "at least one channel", f"{n_channels}", "Give the channel count with --channels."
        )
    if options.n_planes is not None and options.n_planes < 1:
        raise BadMetadataError(
            "at least one plane", f"{options.n_planes}", "Give the number of planes with --planes."
        )
    if gain_uv is not None and (not np.isfinite(gain_uv) or gain_uv == 0):
        raise BadMetadataError(
            "a finite gain other than 0", f"{gain_uv} uV", "Give uV per step with --gain-uv."
        )
    if options.dtype is not None:
        sample_type(options.dtype)


def sample_type(name: str) -> np.dtype[Any]:
    """Type of samples by its NumPy name; real numbers only."""
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError) as error:
        raise BadArgumentError(
            "a NumPy type such as int16 or float32", repr(name), "Give it with --dtype."
        ) from error
    if dtype.kind not in "iuf":
        raise BadArgumentError(
            "a type of real numbers such as int16 or float32", repr(name), "Give another --dtype."
        )
    return dtype


def _reader(path: Path, name: str | None) -> Reader:
    found = matching_reader(path) if name is None else name
    if found is None:
        raise UnknownFormatError(
            f"a recording that one of the readers {READERS.names()} knows",
            f"{'a folder' if path.is_dir() else 'a file'} named {path.name!r}",
            "Give --format, or the path of the data file or folder itself.",
        )
    reader: Reader = READERS.get(found)
    return reader


def _check_takes(reader: Reader, options: ReadOptions) -> None:
    for name in SELF_DESCRIBING:
        if getattr(options, name) is not None and name not in reader.takes:
            raise BadArgumentError(
                f"no {name} for the format {reader.name!r}, whose files state it",
                f"{getattr(options, name)}",
                "Leave it out, or read the file as --format raw.",
            )


def _with_probe(reader: Reader, opened: Opened, options: ReadOptions) -> dict[str, Signal]:
    """Streams by name, those that fit with the geometry of a given probe."""
    streams = {signal.name: signal for signal in opened.streams}
    names = [s.name for s in opened.streams] + [movie.name for movie in opened.movies]
    if len(set(names)) != len(names):
        raise CorruptSourceError("streams of distinct names", f"{names}", "Check the header.")
    if options.probe is None:
        return streams
    geometry = read_probe(options.probe)
    fitting = [s for s in opened.streams if s.channels.kind in ("ephys", "lfp")]
    fitting = [s for s in fitting if s.n_channels == len(geometry)]
    if not fitting:
        raise _wrong_probe(opened, geometry)
    for signal in fitting:
        streams[signal.name] = replace(signal, channels=geometry.onto(signal.channels))
    return streams


def _wrong_probe(opened: Opened, geometry: Geometry) -> BadProbeError:
    counts = ", ".join(f"{s.name!r}: {s.n_channels}" for s in opened.streams)
    return BadProbeError(
        f"as many wired contacts as a stream has channels ({counts})",
        f"{len(geometry)} in the probe file",
        "Give the probe of this recording, or mend its device_channel_indices.",
    )


def _check_streams(streams: dict[str, Signal], movies: dict[str, Movie], path: Path) -> None:
    sizes = [min(s.n_samples, s.n_channels) for s in streams.values()]
    if not any([*sizes, *(movie.n_frames for movie in movies.values())]):
        raise CorruptSourceError(
            f"samples in {path.name}",
            "an empty recording",
            "The recording holds nothing; check the copy against the original.",
        )


def _given(options: ReadOptions, format_: str | None, ids: dict[str, str | None]) -> dict[str, Any]:
    """Options that were given, as JSON values."""
    given = {"format": format_, **vars(options), **ids}
    if options.probe is not None:
        given["probe"] = str(options.probe)
    if options.spacing_um is not None:
        given["spacing_um"] = list(options.spacing_um)
    return {name: value for name, value in given.items() if value not in (None, False)}
