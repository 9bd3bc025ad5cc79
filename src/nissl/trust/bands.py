"""Items cut into named groups: by a name, or by bands of a number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.checked import Names, Truths

UNKNOWN = "unknown"


def split(values: Names, n: int, *, edges: Sequence[float] | None = None) -> dict[str, Truths]:
    """Cut items into named groups.

    Parameters
    ----------
    values : sequence of length n
        A name or a number of each item.
    n : int
        Items.
    edges : sequence of float, optional
        Inner edges of bands of a number, half-open upwards: "below 3", "3 to 5", "5 and more".
        Without them every distinct value is a group.

    Returns
    -------
    dict of str to ndarray, shape (n,), bool
        Groups with at least one item, bands in order, names sorted; None, NaN and the empty name
        are "unknown", which comes last.

    Raises
    ------
    BadArgumentError
        Not one value per item.
    """
    if len(values) != n:
        raise BadArgumentError(f"{n} values", str(len(values)), "Give one per item.")
    if edges is None:
        names = [_name(value) for value in values]
        known: Sequence[str] = sorted(set(names) - {UNKNOWN})
    else:
        bounds = sorted(float(edge) for edge in edges)
        known = _band_names(bounds)
        numbers = np.asarray(values, dtype=np.float64)
        codes = np.digitize(numbers, bounds)
        names = [UNKNOWN if np.isnan(x) else known[c] for x, c in zip(numbers, codes, strict=True)]
    array = np.array(names, dtype=np.str_)
    masks = {name: np.asarray(array == name) for name in (*known, UNKNOWN)}
    return {name: mask for name, mask in masks.items() if mask.any()}


def quantile_edges(values: npt.ArrayLike, n_bands: int = 4) -> tuple[float, ...]:
    """Inner edges that cut values (n_items,) into bands of about equal numbers; NaN left out."""
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return ()
    edges = np.unique(np.quantile(numbers, np.arange(1, n_bands) / n_bands))
    return tuple(float(edge) for edge in edges if edge > numbers.min())


def _name(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return UNKNOWN
    return str(value) or UNKNOWN


def _band_names(bounds: Sequence[float]) -> list[str]:
    if not bounds:
        return ["all"]
    inner = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(bounds)]
    return [f"below {bounds[0]:.4g}", *inner, f"{bounds[-1]:.4g} and more"]
