"""Reading the small files of others without trusting them.

Arrays are loaded without pickle, Python files are parsed and never run, and whatever is
wrong with a file becomes a `CorruptSourceError` that names it.
"""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError, NisslError, SourceNotFoundError

_LARGEST_TEXT_BYTES = 256 * 2**20


@contextmanager
def corrupt(path: Path, expected: str) -> Iterator[None]:
    """Turn whatever a parser raises about a file into our error.

    Note for implementers: parsers of foreign formats raise almost anything on damaged input
    (struct.error, RecursionError, UnicodeDecodeError, ...), so all of it is caught here.
    """
    try:
        yield
    except NisslError:
        raise
    except FileNotFoundError as error:
        raise SourceNotFoundError(
            expected, f"no file {error.filename or path}", "Check that the folder is complete."
        ) from error
    except Exception as error:
        raise CorruptSourceError(
            f"{expected} in {path.name}",
            f"{type(error).__name__}: {error!s:.200}",
            f"Restore {path}, or export it again from where it came.",
        ) from error


def load_npy(path: Path, *, ndim: int | None = None, kinds: str = "iuf") -> npt.NDArray[Any]:
    """Load an array; (n, 1) and (1, n) become (n,) where `ndim` is 1.

    Parameters
    ----------
    path : Path
    ndim : int, optional
        Required number of axes.
    kinds : str
        Allowed NumPy kinds of the values.

    Raises
    ------
    SourceNotFoundError, CorruptSourceError
    """
    with corrupt(path, "an array of numbers"):
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise _wrong(path, "one array", type(array).__name__)
        if ndim == 1 and array.ndim == 2 and 1 in array.shape:
            array = array.reshape(-1)
        if array.dtype.kind not in kinds or (ndim is not None and array.ndim != ndim):
            wanted = f"an array of {ndim} axes" if ndim is not None else "an array"
            raise _wrong(path, f"{wanted} of kind {kinds!r}", f"{array.shape} {array.dtype}")
        if not is_text(array):
            raise _wrong(path, "text", "code points beyond Unicode")
        return array


def is_text(array: npt.NDArray[Any]) -> bool:
    """Whether an array of text holds characters only; true for other arrays.

    Note for implementers: NumPy makes strings of whatever four bytes a file holds, and Python
    raises SystemError at some later use of them.
    """
    if array.dtype.kind != "U":
        return True
    codes = np.frombuffer(array.tobytes(), array.dtype.str[0] + "u4")
    return not np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000)))


def load_integers(path: Path, *, lowest: int | None = None) -> npt.NDArray[np.int64]:
    """Load whole numbers, shape (n,) int64, also where they were saved as floats."""
    array = load_npy(path, ndim=1)
    out = np.asarray(array, dtype=np.float64) if array.dtype.kind == "f" else array
    if out.dtype.kind == "f" and (
        not np.all(np.isfinite(out)) or np.any(out != np.rint(out)) or np.any(np.abs(out) > 2**53)
    ):
        raise _wrong(path, "whole numbers", "fractions or values that are not finite")
    if out.dtype.kind == "u" and out.size and int(out.max()) > np.iinfo(np.int64).max:
        raise _wrong(path, "numbers below 2^63", f"{int(out.max())}")
    values = np.asarray(out, dtype=np.int64)
    if lowest is not None and values.size and int(values.min()) < lowest:
        raise _wrong(path, f"numbers not below {lowest}", f"{int(values.min())}")
    return values


def load_json(path: Path) -> Any:
    """Parse a JSON file."""
    with corrupt(path, "JSON"):
        return json.loads(read_text(path))


def read_text(path: Path) -> str:
    """Text of a UTF-8 file of moderate size."""
    with corrupt(path, "UTF-8 text"):
        if path.stat().st_size > _LARGEST_TEXT_BYTES:
            raise _wrong(path, "at most 256 MiB of text", f"{path.stat().st_size} bytes")
        return path.read_text(encoding="utf-8-sig")


def parse_assignments(path: Path) -> dict[str, Any]:
    """Literal values assigned at the top of a Python file (phy's params.py), never run.

    Assignments whose value is not a literal are left out.
    """
    text = read_text(path)
    with corrupt(path, "Python assignments"):
        module = ast.parse(text)
    values: dict[str, Any] = {}
    for node in module.body:
        if not isinstance(node, ast.Assign):
            continue
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        values |= {t.id: value for t in node.targets if isinstance(t, ast.Name)}
    return values


def read_table(path: Path) -> dict[str, list[str]]:
    """Columns of a TSV or CSV file with a header, as text; short rows are an error."""
    text = read_text(path)
    with corrupt(path, "a table with a header"):
        delimiter = "\t" if path.suffix == ".tsv" else ","
        rows = [r for r in csv.reader(StringIO(text, newline=""), delimiter=delimiter) if r]
    if not rows:
        return {}
    header = [name.strip() for name in rows[0]]
    if len(set(header)) != len(header) or any(len(row) != len(header) for row in rows[1:]):
        raise _wrong(path, f"{len(header)} unique columns in every row", "another number in some")
    return {name: [row[k].strip() for row in rows[1:]] for k, name in enumerate(header)}


def _wrong(path: Path, expected: str, got: str) -> CorruptSourceError:
    return CorruptSourceError(
        f"{expected} in {path.name}", got, f"Restore {path}, or export it again."
    )
