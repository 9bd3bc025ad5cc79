"""What a source would look like that drives nothing."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Kind = Literal["permutation", "block", "shift"]


def reindex(n: int, kind: Kind, rng: np.random.Generator, *, block: int = 1) -> Indices:
    """An order of rows that breaks the tie between a source and its target.

    Parameters
    ----------
    n : int
        Rows.
    kind : "permutation", "block" or "shift"
        Each row anywhere; blocks of rows anywhere, from a random beginning; all rows turned
        in a circle. Slow series need "block" or "shift": permuted rows have no memory, which
        makes their null too narrow.
    rng : numpy Generator
    block : int
        Rows of a block; the least number of rows to turn by.
    """
    if not 1 <= block <= max(1, n // 4):
        raise BadArgumentError(
            f"a block of 1 to {max(1, n // 4)} rows", f"{block}", "Give shorter blocks."
        )
    rows = np.arange(n)
    if kind == "permutation":
        return np.asarray(rng.permutation(n))
    if kind == "shift":
        return np.roll(rows, int(rng.integers(block, n - block + 1)))
    turned = np.roll(rows, int(rng.integers(n)))
    pieces = np.array_split(turned, max(1, round(n / block)))
    return np.concatenate([pieces[at] for at in rng.permutation(len(pieces))])


def p_value(observed: float, null: npt.ArrayLike) -> float:
    """Share of a null at or above what was observed, which counts as one of them.

    References
    ----------
    Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39.
    """
    values = np.asarray(null, dtype=np.float64)
    return float((1 + np.count_nonzero(values >= observed)) / (1 + values.size))


def memory(series: npt.ArrayLike) -> int:
    """Samples after which a series no longer resembles itself.

    Twice the first lag at which its autocorrelation falls below that of white noise, at least 1.
    """
    x = np.asarray(series, dtype=np.float64).reshape(-1)
    x = x - x.mean()
    n = x.size
    spectrum = np.abs(np.fft.rfft(x, 2 * n)) ** 2
    correlation = np.fft.irfft(spectrum)[: n // 4 + 1]
    below = np.flatnonzero(correlation / correlation[0] < 2 / np.sqrt(n))
    return int(2 * below[0]) if below.size else int(n // 4)
