"""Recording: what one path holds, as named streams on their clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nissl.clock import Clock
from nissl.data.annotations import NONE, Annotations
from nissl.data.lines import Line
from nissl.data.movie import Movie
from nissl.data.signal import Signal
from nissl.errors import BadArgumentError

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Subject:
    """Whom or what a recording was made of.

    Parameters
    ----------
    id : str
        A pseudonym; "unknown" where nothing says. All unknowns form one group, and an
        evaluation refuses to split inside it.
    species, sex, region, age, genotype : str, optional
        As the file states them. Names, birth dates and hospital numbers are never kept.
    """

    id: str = UNKNOWN
    species: str | None = None
    sex: str | None = None
    region: str | None = None
    age: str | None = None
    genotype: str | None = None


@dataclass(frozen=True)
class Session:
    """One sitting: a subject, a day, a rig; several devices with their own clocks.

    Parameters
    ----------
    id : str
        "unknown" where nothing says.
    day : str, optional
        ISO date of the recording.
    device : str, optional
        The device of this source; sources of one session may come from several.
    """

    id: str = UNKNOWN
    day: str | None = None
    device: str | None = None


@dataclass(frozen=True, eq=False)
class Recording(Mapping[str, Signal]):
    """The streams of one path. A recording with a single stream behaves as that stream.

    Parameters
    ----------
    path : Path, optional
        Where it was read from; None for recordings in memory.
    format : str
        Name of the reader.
    streams : mapping of str to Signal
        In the order of the file.
    lines : tuple of Line
        Digital lines with their edges.
    subject, session : Subject, Session
        From the file's metadata or as given.
    fingerprint : str
        Content fingerprint (see `nissl.data.fingerprint`).
    options : mapping
        Reader options that were given, so that the same call opens it again.
    annotations : Annotations
        Remarks that stand in the file, read when first asked for.
    notes : tuple of str
        What is odd about the file and was understood all the same, one sentence each.
    movies : mapping of str to Movie
        Streams of frames; their names differ from those of the signals.
    """

    path: Path | None
    format: str
    streams: Mapping[str, Signal]
    lines: tuple[Line, ...] = ()
    subject: Subject = Subject()
    session: Session = Session()
    fingerprint: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    annotations: Annotations = NONE
    notes: tuple[str, ...] = ()
    movies: Mapping[str, Movie] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Signal:
        try:
            return self.streams[name]
        except KeyError:
            raise BadArgumentError(
                f"one of the streams {sorted(self.streams)}",
                repr(name),
                "`nissl show PATH` lists the streams of a file.",
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.streams)

    def __len__(self) -> int:
        return len(self.streams)

    @property
    def signal(self) -> Signal:
        """The only stream; `BadArgumentError` where there are several."""
        if len(self.streams) != 1:
            raise BadArgumentError(
                "a recording with a single stream",
                f"the streams {sorted(self.streams)}",
                "Choose one: recording['ap'], or --stream ap.",
            )
        return next(iter(self.streams.values()))

    @property
    def movie(self) -> Movie:
        """The only movie; `BadArgumentError` where there is none or several."""
        if len(self.movies) != 1:
            raise BadArgumentError(
                "a recording with a single movie",
                f"the movies {sorted(self.movies)}",
                "Choose one: recording.movies['green'], or --stream green.",
            )
        return next(iter(self.movies.values()))

    def clock_of(self, name: str) -> Clock:
        """Clock of a stream, be it a signal or a movie."""
        return self.movies[name].clock if name in self.movies else self[name].clock

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in _SIGNAL_MEMBERS:
            raise AttributeError(name)
        return getattr(self.signal, name)

    def __repr__(self) -> str:
        inside = "\n".join(
            f"  {each!r}" for each in (*self.streams.values(), *self.movies.values())
        )
        lines = f"\n  lines: {', '.join(line.name for line in self.lines)}" if self.lines else ""
        return (
            f"Recording({self.format}, subject {self.subject.id}, session {self.session.id})\n"
            f"{inside}{lines}"
        )


_SIGNAL_MEMBERS = frozenset(
    {"read", "read_raw", "blocks", "take", "rate_hz", "n_samples", "n_channels", "duration_s"}
    | {"dtype", "channels", "clock", "reader"}
)
