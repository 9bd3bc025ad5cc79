"""How many of several discoveries are false: adjusted P values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def benjamini_hochberg(p: npt.ArrayLike) -> Values:
    """Adjusted p values: the false discovery rate at which each test would be accepted.

    Parameters
    ----------
    p : array-like, shape (n_tests,), float
        NaN for tests that could not be made; they do not count.

    Returns
    -------
    ndarray, shape (n_tests,), float64
        Never below `p`; NaN stays NaN.

    References
    ----------
    Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57:289-300.
    """
    values = np.asarray(p, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(np.isfinite(values))
    if known.size:
        order = known[np.argsort(values[known], kind="stable")]
        scaled = values[order] * known.size / np.arange(1, known.size + 1)
        out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out
