"""Copies of a night as another amplifier or montage would have given it.

What is assumed not to matter: the gain of each derivation within a factor of 1.6 (caps, skin,
references), and that one of the two derivations may be missing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nissl.annotators.sleep.derivations import ROLES
from nissl.annotators.sleep.sleep_edf import Night

GAIN = 0.2
"""Largest change of log10 amplitude."""


def varied(night: Night, rng: np.random.Generator) -> Night:
    """One copy: another gain for each derivation, and one derivation missing."""
    values = night.values.copy()
    lost = ROLES[int(rng.integers(len(ROLES)))]
    for role in ROLES:
        own = [k for k, n in enumerate(night.names) if n.startswith(f"{role}:")]
        powers = [k for k in own if "log10" in night.names[k]]
        values[:, powers] += 2 * rng.uniform(-GAIN, GAIN)
        if role == lost:
            values[:, own] = np.nan
    return replace(night, values=values)


__all__ = ["GAIN", "varied"]
