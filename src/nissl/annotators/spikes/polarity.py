"""Whether a whole recording stands on its head.

Extracellular action potentials of somata go down first (Henze et al. 2000, J. Neurophysiol. 84,
390-400). Some units go up: axons, or cells seen from the far end. When most do, the recording
was inverted on its way, and everything that reads waveforms would be wrong together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.tasks import Finding

FEWEST = 5
MOST_UP = 0.5
"""Share of upward units above which a recording is suspected."""


def upward(templates: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Whether the largest deflection of each unit goes up: 1, 0, or NaN where nothing is known.

    Parameters
    ----------
    templates : ndarray, shape (n_units, n_samples, n_channels)
        NaN on channels without one.
    """
    out = np.full(len(templates), np.nan)
    if 0 in templates.shape:
        return out
    flat = np.nan_to_num(templates.reshape(len(templates), -1))
    high, low = flat.max(axis=1), -flat.min(axis=1)
    known = np.maximum(high, low) > 0
    out[known] = (high > low)[known]
    return out


def polarity_finding(templates: npt.NDArray[np.floating]) -> Finding | None:
    """A finding about the recording where most of its units go up first, else None.

    Its check is that of novelty: nothing of such a recording is accepted automatically.

    Parameters
    ----------
    templates : ndarray, shape (n_units, n_samples, n_channels)
        NaN on channels without one.
    """
    known = upward(templates)
    known = known[np.isfinite(known)]
    if known.size < FEWEST or float(known.mean()) <= MOST_UP:
        return None
    return Finding(
        "novelty",
        "warning",
        f"polarity reversed? The largest deflection of {int(known.sum())} of {known.size} units "
        "goes up, where those of somata go down. Check the sign of the recording (a reference or "
        "an amplifier that inverts) before any class is trusted; nothing is accepted "
        "automatically.",
        value=float(known.mean()),
        limit=MOST_UP,
    )
