"""Spikes within a burst are smaller: each takes away, and what it took comes back with time.

The loss of amplitude within bursts is the reason why one bursting neuron is found as two units
(Fee, Mitra and Kleinfeld 1996, J. Neurosci. Methods 69:175-188; Harris et al. 2000,
J. Neurophysiol. 84:401-414).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RECOVERY_S = 0.010
"""Time in which a loss falls to 1/e."""

FLOOR = 0.4
"""Least relative amplitude."""


def burst_factors(
    times_s: npt.NDArray[np.float64], loss: float, recovery_s: float = RECOVERY_S
) -> npt.NDArray[np.float32]:
    """Relative amplitude of every spike of a train.

    Parameters
    ----------
    times_s : ndarray, shape (n_spikes,), float64, seconds, increasing
    loss : float
        Part of the full amplitude that each spike takes away from those that follow.
    recovery_s : float

    Returns
    -------
    ndarray, shape (n_spikes,), float32
        1 for the first spike and after long rests; never below `FLOOR`.
    """
    out = np.ones(times_s.size, dtype=np.float32)
    lost = 0.0
    rests = np.exp(-np.diff(times_s) / recovery_s).tolist()
    for k, kept in enumerate(rests, start=1):
        lost = (lost + loss) * kept
        out[k] = max(FLOOR, 1.0 - lost)
    return out
