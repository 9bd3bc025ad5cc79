"""Variations of examples: what the same unit might look like in another pipeline.

Another sorter, filter or version of a package measures the same quantity a little differently,
and lacks some of them altogether. A model that has seen each unit measured in several ways leans
on no exact number and on no single group of features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.features import GROUPS

Values = npt.NDArray[np.float64]

COPIES = 5
SPREAD = 0.3
"""Standard deviation of the logarithm of the factor on each value."""
MISSING = 0.2
"""Share of the copies of a unit in which a group of features is missing."""


def variations(values: Values, names: Sequence[str], rng: np.random.Generator) -> Values:
    """Examples as they are, then `COPIES` variations of each.

    Parameters
    ----------
    values : ndarray, shape (n, n_features), float64
    names : sequence of str
        Of the features; those of one of `GROUPS` go missing together, others alone.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape ((1 + COPIES) * n, n_features), float64
        Row ``k * n + i`` is of example ``i``.
    """
    groups = together(names, values.shape[1])
    out = [values]
    for _ in range(COPIES):
        copy = values * np.exp(rng.normal(0.0, SPREAD, values.shape))
        for group in groups:
            rows = np.flatnonzero(rng.random(len(copy)) < MISSING)
            copy[rows[:, None], group] = np.nan
        out.append(copy)
    return np.concatenate(out)


def together(names: Sequence[str], n_features: int) -> list[list[int]]:
    """Columns that go missing together; without names, each column alone."""
    place = {name: k for k, name in enumerate(names)}
    groups = [[place[n] for n in group if n in place] for group in GROUPS.values()]
    grouped = {k for group in groups for k in group}
    alone = [[k] for k in range(n_features) if k not in grouped]
    return [group for group in groups if group] + alone
