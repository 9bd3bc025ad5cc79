"""A worm that moves and deforms, in volumes of two channels, with exact truth.

It says whether code works and how error depends on posture, density and noise; real animals are
more varied, and figures on simulated volumes are told apart from others wherever they stand.
"""

from nissl.annotators.tracks.simulate.body import POSTURE
from nissl.annotators.tracks.simulate.scene import Worm
from nissl.annotators.tracks.simulate.worm import (
    Simulated,
    WormReader,
    simulate,
    simulate_worm,
    simulated,
)

__all__ = [
    "POSTURE",
    "Simulated",
    "Worm",
    "WormReader",
    "simulate",
    "simulate_worm",
    "simulated",
]
