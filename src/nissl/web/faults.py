"""What went wrong, as the page shows it: a status and what was expected, what came, what to do.

=======  ===================================================================================
status   meaning for the page
=======  ===================================================================================
400      the request is not one (no JSON, no such route is 404, other method 405)
409      the decision does not apply to what stands now; nothing was recorded
410      the label set, item or model is gone, or its file is damaged
422      malformed: it will never be accepted as it is
500      a fault of nissl; the server's terminal has more
501      an optional package is missing
503      the journal cannot be reached or written; keep the decision and send it again
507      no room on the disk; keep the decision and send it again
=======  ===================================================================================
"""

from __future__ import annotations

from typing import Any

from nissl.errors import (
    BadEditError,
    CorruptProjectError,
    CorruptSourceError,
    DiskFullError,
    EvaluationError,
    InputError,
    MissingDependencyError,
    MissingInputError,
    NisslError,
    RunError,
    SourceNotFoundError,
    StoreError,
)

_STATUS: tuple[tuple[type[NisslError], int], ...] = (
    (DiskFullError, 507),
    (SourceNotFoundError, 404),
    (CorruptSourceError, 410),
    (CorruptProjectError, 410),
    (BadEditError, 409),
    (MissingInputError, 410),
    (EvaluationError, 409),
    (MissingDependencyError, 501),
    (InputError, 422),
    (RunError, 409),
    (StoreError, 503),
)


class MalformedEditError(BadEditError):
    """Something sent as an edit that is none; it will never be one."""


def told(error: NisslError) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of one of our errors."""
    if isinstance(error, MalformedEditError):
        status = 422
    else:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    return status, {"error": fault(error)}


def fault(error: NisslError) -> dict[str, str]:
    """What was expected, what came and what to do, as JSON values."""
    return {"expected": error.expected, "got": error.got, "remedy": error.remedy}


def body(expected: str, got: str, remedy: str) -> dict[str, Any]:
    """JSON body of an error."""
    return {"error": {"expected": expected, "got": got, "remedy": remedy}}


def unexpected(error: Exception) -> dict[str, Any]:
    """JSON body of what should never happen; says nothing of the machine."""
    return body(
        "an answer",
        f"a fault of nissl ({type(error).__name__})",
        "The terminal of `nissl review` tells more; please report it.",
    )
