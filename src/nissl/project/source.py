"""Source: a recording or a folder of imported work, as one row of a project."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nissl.clock import Clock
from nissl.data import Line, Recording
from nissl.data.channels import BRAIN, MOVIE, SPIKING
from nissl.data.read import read
from nissl.errors import BadArgumentError, CorruptSourceError, SourceNotFoundError
from nissl.io.spikes import last_sample
from nissl.labels import Kind, LabelSet
from nissl.store import SourceRow, Store
from nissl.tasks import Finding


@dataclass(frozen=True, eq=False)
class Source:
    """What `Project.add` returns: the row of the journal, and the recording when it is there.

    Parameters
    ----------
    row : SourceRow
    store : Store
    """

    row: SourceRow
    store: Store

    @property
    def name(self) -> str:
        """Short name, unique in the project."""
        return self.row.name

    @property
    def fingerprint(self) -> str:
        """Content fingerprint."""
        return self.row.fingerprint

    @property
    def path(self) -> Path:
        """Where the raw data should be."""
        return self.store.locate(self.row)

    @property
    def has_raw(self) -> bool:
        """Whether this source is a recording whose file is still there."""
        return self.is_recording and self.path.exists()

    def has_kind(self, kinds: Sequence[str]) -> bool:
        """Whether it has a stream of one of some kinds."""
        return any(facts.get("kind") in kinds for facts in self.row.streams.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was doubtful about the file when it was added."""
        each = [f for facts in self.row.streams.values() for f in facts.get("findings", ())]
        return tuple(Finding.from_json(f) for f in each)

    @property
    def is_recording(self) -> bool:
        """Whether this source has raw data at all; imported labels have none."""
        return is_recording(self.row)

    @cached_property
    def recording(self) -> Recording:
        """The recording, opened lazily and checked against its fingerprint.

        Raises
        ------
        SourceNotFoundError
            The file is gone; labels, metrics and export go on working without it.
        CorruptSourceError
            The file is another one than was added.
        """
        if not self.is_recording:
            raise SourceNotFoundError(
                f"raw data of the source {self.name!r}",
                f"imported labels only ({self.row.format})",
                "Add the raw recording as a source of its own.",
            )
        if not self.path.exists():
            raise SourceNotFoundError(
                f"the raw data of {self.name!r} at {self.path}",
                "no such file",
                f"If it was moved: nissl relocate {self.store.path} {self.name} NEW_PATH",
            )
        recording = read(self.path, **read_options(self.row, self.path))
        if recording.fingerprint != self.fingerprint:
            raise CorruptSourceError(
                f"the content that was added as {self.name!r} ({self.fingerprint[:12]})",
                f"other content ({recording.fingerprint[:12]}) at {self.path}",
                "Restore the file, or add the new one as a source of its own.",
            )
        return recording

    def stream(self, name: str | None = None, kinds: Sequence[str] | None = None) -> str:
        """Name of a stream: the one asked for, or the only one of some kinds, or the only one.

        Without `kinds` streams of spikes come first, then those of EEG, MEG and the like.
        """
        streams: Mapping[str, Any] = self.row.streams
        if name is None:
            for some in (SPIKING, BRAIN) if kinds is None else (kinds,):
                fitting = [k for k, v in streams.items() if v.get("kind") in some]
                if len(fitting) == 1:
                    return fitting[0]
            if len(streams) == 1:
                only = next(iter(streams))
                _check_kind(self.name, streams[only].get("kind"), kinds)
                return only
        elif name in streams:
            return name
        raise BadArgumentError(
            f"one of the streams {sorted(streams)} of {self.name!r}",
            repr(name),
            "Choose one with --stream NAME.",
        )

    def clock(self, stream: str) -> Clock:
        """Clock of a stream; the file need not be there."""
        return Clock.from_json(self.row.streams[stream]["clock"])

    def __repr__(self) -> str:
        subject = self.row.subject.get("id", "unknown")
        return f"Source({self.name!r}, {self.row.format}, subject {subject})"


def _check_kind(name: str, kind: str | None, kinds: Sequence[str] | None) -> None:
    """Raise where a movie is asked for and there is a signal, or the other way round.

    Signals may go by other kinds than those asked for: plain arrays do not say what they are.
    """
    if kinds is not None and (kind == MOVIE) != (MOVIE in kinds):
        raise BadArgumentError(
            f"a source with a stream of {' or '.join(kinds)}",
            f"{name!r}, which holds {kind or 'something else'}",
            "Cells are found in movies (--task cells), rates in the traces that this gives."
            if kind == MOVIE
            else "Choose another source: --source NAME",
        )


def line_of(source: Source, name: str | None = None) -> Line:
    """Digital line of a source by name; the only one by default."""
    lines = {line.name: line for line in source.recording.lines}
    if name is None and len(lines) == 1:
        return next(iter(lines.values()))
    if name is None or name not in lines:
        raise BadArgumentError(
            f"one of the lines {sorted(lines)} of {source.name!r}",
            repr(name),
            "Name the line that carries the pulses: --line-a and --line-b of sync, "
            "--frames of import.",
        )
    return lines[name]


def stored_options(options: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Options of `read` as the journal keeps them.

    A probe file in or beside the folder of the recording at `path` is kept relative to that
    folder, so that both can be moved together.
    """
    plain = dict(options)
    if plain.get("probe") is not None:
        probe, folder = Path(os.path.abspath(plain["probe"])), path.parent
        near = folder.parent != folder and probe.is_relative_to(folder.parent)
        plain["probe"] = Path(os.path.relpath(probe, folder) if near else probe).as_posix()
    return plain


def read_options(row: SourceRow, path: Path) -> dict[str, Any]:
    """Options with which a source at `path` is opened again."""
    options = dict(row.options)
    if options.get("probe") is not None:
        options["probe"] = os.path.normpath(path.parent / options["probe"])
    return options


def is_recording(row: SourceRow) -> bool:
    """Whether a row has streams of samples, and not only the clock of imported labels."""
    return any("dtype" in facts for facts in row.streams.values())


def describe_labels(labels: LabelSet, facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Clock that imported labels count on, under the name of their stream; {} where unknown."""
    clock = Clock.from_json(facts["clock"]) if facts.get("clock") else None
    if clock is None and facts.get("rate_hz") and labels.kind is Kind.EVENTS:
        clock = Clock.regular(float(facts["rate_hz"]), last_sample(labels))
    if clock is None:
        return {}
    described = {
        "rate_hz": clock.rate_hz,
        "n_samples": clock.n_samples,
        "duration_s": clock.duration_s,
        "kind": "labels",
        "clock": clock.to_json(),
    }
    for name in ("channels", "spacing_um"):
        if facts.get(name):
            described[name] = facts[name]
    return {labels.provenance.stream: described}


def describe_streams(
    recording: Recording, findings: Sequence[Finding] = ()
) -> dict[str, dict[str, Any]]:
    """Facts of each stream that hold when the raw file is gone, as JSON values.

    Findings about the recording stand with its first stream, under "findings".
    """
    described: dict[str, dict[str, Any]] = {
        name: {
            "rate_hz": signal.rate_hz,
            "n_samples": signal.n_samples,
            "duration_s": signal.duration_s,
            "dtype": str(signal.dtype),
            "kind": signal.channels.kind,
            "clock": signal.clock.to_json(),
            "channels": signal.channels.to_json(),
        }
        for name, signal in recording.items()
    }
    for name, movie in recording.movies.items():
        described[name] = {
            "rate_hz": movie.rate_hz,
            "n_samples": movie.n_frames,
            "duration_s": movie.duration_s,
            "dtype": str(movie.dtype),
            "kind": MOVIE,
            "clock": movie.clock.to_json(),
            "shape": list(movie.shape),
            "spacing_um": movie.spacing_um,
        }
    if findings:
        first: dict[str, Any] = next(iter(described.values()))
        first["findings"] = [finding.to_json() for finding in findings]
    return described
