"""Features on one robust scale, with what is missing told apart.

Median and interquartile range, then an inverse hyperbolic sine that keeps order and bounds heavy
tails; missing values stand at the median and count by a column of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """Robust standardisation of features.

    Parameters
    ----------
    names : tuple of str
    centre, scale : ndarray, shape (d,), float64
        Median, and interquartile range in standard deviations of a normal.
    missing : ndarray, shape (d,), float64
        Share of items in which the feature is missing.
    usual : ndarray, shape (d, 2), float64
        5th and 95th percentile.
    """

    names: tuple[str, ...]
    centre: Floats
    scale: Floats
    missing: Floats
    usual: Floats

    def z(self, features: npt.ArrayLike) -> Floats:
        """Standardised features, shape (n, d); NaN stays."""
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise BadArgumentError(
                f"features of shape (n, {len(self.names)}): {', '.join(self.names)}",
                f"{x.shape}",
                "Give the features that the model was fitted on.",
            )
        x = np.where(np.isinf(x), np.nan, x)
        return np.asarray(np.arcsinh((x - self.centre) / self.scale))

    def embed(self, z: Floats) -> Floats:
        """Columns without NaN, shape (n, 2 d): values, then what is missing unexpectedly."""
        absent = np.isnan(z)
        spread = np.sqrt(np.maximum(self.missing * (1 - self.missing), 0.01))
        odd = np.clip((absent - self.missing) / spread, -3.0, 3.0)
        return np.hstack([np.where(absent, 0.0, z), odd])


def fit_frame(features: Floats, names: Sequence[str]) -> Frame:
    """Learn centre, scale and missing rates.

    Parameters
    ----------
    features : ndarray, shape (n, d), float64
        NaN where not measured; infinities count as not measured.
    names : sequence of str, length d

    Returns
    -------
    Frame
    """
    known = np.where(np.isinf(features), np.nan, features)
    empty = np.isnan(known).all(axis=0)
    low, centre, high, five, most = np.nanpercentile(
        np.where(empty, 0.0, known), [25, 50, 75, 5, 95], axis=0
    )
    scale = (high - low) / 1.349
    spread = np.nanstd(np.where(empty, 0.0, known), axis=0)
    scale = np.where(scale > 0, scale, np.where(spread > 0, spread, 1.0))
    missing = np.isnan(known).mean(axis=0)
    return Frame(tuple(names), centre, scale, missing, np.stack([five, most], axis=1))
