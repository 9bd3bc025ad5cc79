"""What a method is given and returns, and what it says of doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from nissl.data import Movie, Recording, Signal
from nissl.errors import BadArgumentError
from nissl.labels import ItemTable, LabelSet
from nissl.run.context import Context

SEVERITIES = ("note", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """Something doubtful, with the number behind it and a sentence a person understands.

    Parameters
    ----------
    check : str
        Name of the check ("isi_violations", "dead_channels", "clock_residual").
    severity : {"note", "warning", "error"}
    sentence : str
        What is wrong and what it means, in plain words.
    item : int, optional
        Item of the label set that was checked; None for the recording as a whole.
    value, limit : float, optional
        What was measured and where doubt begins.
    unit : str
        Unit of both.
    """

    check: str
    severity: str
    sentence: str
    item: int | None = None
    value: float | None = None
    limit: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise BadArgumentError(
                f"a severity among {SEVERITIES}", repr(self.severity), "Use one of them."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Finding:
        """Inverse of `to_json`."""
        return cls(**value)


@dataclass(frozen=True)
class Promises:
    """What an annotator guarantees; its contract tests hold it to this.

    Parameters
    ----------
    chunked : bool
        Works chunk by chunk and resumes at the first unfinished one.
    deterministic : bool
        Same input, parameters and seed give the same digest, whatever the number of workers.
    memory : {"budget", "measured"}
        Keeps to the budget, or runs whole and has its peak measured and reported.
    """

    chunked: bool
    deterministic: bool
    memory: str


@dataclass(frozen=True)
class Inputs:
    """What a method works on.

    Parameters
    ----------
    recording : Recording
    stream : str
        The stream to annotate.
    labels : mapping of str to LabelSet
        The current set of each task that the task needs.
    items : mapping of str to ItemTable
        Their item tables, where there are any.
    """

    recording: Recording
    stream: str
    labels: Mapping[str, LabelSet] = field(default_factory=dict)
    items: Mapping[str, ItemTable] = field(default_factory=dict)

    @property
    def signal(self) -> Signal:
        """The stream to annotate."""
        return self.recording[self.stream]

    @property
    def movie(self) -> Movie:
        """The movie to annotate."""
        if self.stream not in self.recording.movies:
            raise BadArgumentError(
                f"one of the movies {sorted(self.recording.movies)}",
                repr(self.stream),
                "Choose one with --stream NAME.",
            )
        return self.recording.movies[self.stream]


@dataclass(frozen=True)
class Result:
    """What a method returns.

    Parameters
    ----------
    labels : tuple of LabelSet
        The first is the task's proposal.
    items : tuple of ItemTable
        Facts about the items of those sets.
    sources : tuple of Signal
        Derived streams (rates, embeddings, traces).
    log : mapping
        JSON values that the report tells: preprocessing steps with their numbers, bad
        channels, wall time, peak memory.
    findings : tuple of Finding
        What the method itself found doubtful, beside the task's checks.
    images : mapping of str to ndarray, shape (y, x) or (z, y, x)
        Pictures of the whole field that items lie in ("mean", "max", "correlation", "active"),
        on the grid that `pixels` of REGIONS count on; review shows them without the movie.
    """

    labels: tuple[LabelSet, ...]
    items: tuple[ItemTable, ...] = ()
    sources: tuple[Signal, ...] = ()
    log: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    images: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


@runtime_checkable
class Annotator(Protocol):
    """One method that fulfils a task.

    Implementers: constructors only store parameters; import heavy packages inside methods. A
    method that works on other labels than its task names them in an attribute `needs`; one that
    works on what people made of them, however new a machine's proposal is, has `from_people`.
    """

    @property
    def name(self) -> str:
        """Name of the method, "task/method"."""

    @property
    def version(self) -> str:
        """Version of the method itself; part of the job's hash."""

    @property
    def promises(self) -> Promises:
        """What it guarantees."""

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute; part of the job's hash."""

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values, JSON values only."""

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose labels. `parameters` is complete: defaults filled in, names checked."""
