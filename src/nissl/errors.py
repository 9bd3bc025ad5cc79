"""Everything that nissl raises on purpose.

The tree, with the exit code of the command line behind each branch::

    NisslError                              1
    ├── InputError (ValueError)             3   what was given cannot be used as it is
    │   ├── SourceNotFoundError (FileNotFoundError)
    │   ├── UnknownFormatError                  no reader recognises the path
    │   ├── CorruptSourceError                  truncated, unreadable, inconsistent with its header
    │   ├── BadMetadataError                    rate, channel count, gain, times
    │   ├── BadProbeError                       contacts that coincide, wrong number of contacts
    │   ├── BadSamplesError                     NaN, constant or missing samples
    │   ├── GapError                            an interval that would cross a gap
    │   ├── AmbiguousClockError                 pulses of two devices that fit in more than one way
    │   ├── BadLabelsError                      a table that breaks its kind's schema or invariants
    │   ├── BadEditError                        an edit that cannot be applied to its base
    │   └── BadArgumentError                    an option outside its allowed values
    ├── MissingInputError (LookupError)     4   a label set, head or model that must exist first
    ├── MissingDependencyError (ImportError) 4  an optional package is not installed
    ├── EvaluationError (ValueError)        4   a split that would leak, subjects unknown
    ├── StoreError (OSError)                5
    │   ├── ProjectNotFoundError (FileNotFoundError)
    │   ├── ProjectTooNewError                  written by a newer nissl
    │   ├── CorruptProjectError                 a file of the project that does not read or match
    │   ├── ReadOnlyError (PermissionError)
    │   └── DiskFullError
    ├── RunError (RuntimeError)             6
    │   ├── MemoryBudgetError (MemoryError)     the budget cannot hold even one chunk
    │   ├── WorkerDiedError                     a worker was killed more often than it is retried
    │   ├── MethodFailedError                   the wrapped program failed; its log is named
    │   └── InterruptedRunError                 Ctrl-C; what is finished is kept
    └── ExportError                         7
        └── VerificationError                   what was read back differs from what was written

Every message says what was expected, what came, and what to do; `str(error)` is two lines.
"""

from __future__ import annotations

from typing import ClassVar


class NisslError(Exception):
    """Base of all errors of nissl.

    Parameters
    ----------
    expected : str
        What would have been right.
    got : str
        What came instead.
    remedy : str
        What the user can do, preferably a command.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, expected: str, got: str, remedy: str) -> None:
        self.expected = expected
        self.got = got
        self.remedy = remedy
        super().__init__(expected, got, remedy)

    def __str__(self) -> str:
        return f"Expected {self.expected}, got {self.got}.\n{self.remedy}"


class InputError(NisslError, ValueError):
    """What was given cannot be used as it is."""

    exit_code = 3


class SourceNotFoundError(InputError, FileNotFoundError):
    """The path of a source does not exist."""


class UnknownFormatError(InputError):
    """No reader recognises the path."""


class CorruptSourceError(InputError):
    """A source is truncated, unreadable or inconsistent with its own header."""


class BadMetadataError(InputError):
    """Rate, channel count, gain or times of a source are impossible."""


class BadProbeError(InputError):
    """A probe does not fit its recording or places two contacts at one point."""


class BadSamplesError(InputError):
    """Samples are NaN, constant, saturated or missing where they are needed."""


class GapError(InputError):
    """An interval would cross a gap of the recording."""


class AmbiguousClockError(InputError):
    """Pulses of two devices fit each other in more than one way, or in none."""


class BadLabelsError(InputError):
    """A label table breaks the schema or an invariant of its kind."""


class BadEditError(InputError):
    """An edit cannot be applied to the label set it names."""


class BadArgumentError(InputError):
    """An option lies outside its allowed values."""


class MissingInputError(NisslError, LookupError):
    """Something that another command makes does not exist yet."""

    exit_code = 4


class MissingDependencyError(NisslError, ImportError):
    """An optional package is needed and not installed."""

    exit_code = 4


class EvaluationError(NisslError, ValueError):
    """An evaluation was asked for that could not be honest."""

    exit_code = 4


class StoreError(NisslError, OSError):
    """The project folder or its journal cannot be used."""

    exit_code = 5

    def __str__(self) -> str:  # OSError would print its errno form
        return NisslError.__str__(self)


class ProjectNotFoundError(StoreError, FileNotFoundError):
    """There is no project at the path."""


class ProjectTooNewError(StoreError):
    """The project was written by a newer version of nissl."""


class CorruptProjectError(StoreError):
    """A file of the project cannot be read or does not match its digest."""


class ReadOnlyError(StoreError, PermissionError):
    """The project folder cannot be written."""


class DiskFullError(StoreError):
    """The disk has no room for what is to be written; nothing half-written was left."""


class RunError(NisslError, RuntimeError):
    """A job could not be finished."""

    exit_code = 6


class MemoryBudgetError(RunError, MemoryError):
    """The memory budget cannot hold even one chunk."""


class WorkerDiedError(RunError):
    """A worker process was killed more often than it is retried."""


class MethodFailedError(RunError):
    """A wrapped method failed."""


class InterruptedRunError(RunError):
    """The run was interrupted; finished chunks are kept and the same command resumes."""

    exit_code = 130


class ExportError(NisslError):
    """An export could not be written."""

    exit_code = 7


class VerificationError(ExportError):
    """What was read back differs from what was written."""
