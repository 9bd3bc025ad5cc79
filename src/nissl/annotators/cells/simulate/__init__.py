"""Movies of cells with exact truth, made frame by frame as they are read.

They say whether code works and how error depends on noise, density and motion; real tissue is
more varied, and figures on simulated movies are told apart from others wherever they stand.
"""

from nissl.annotators.cells.simulate.movie import (
    SimulatedReader,
    Simulation,
    Truth,
    simulate,
    simulated,
)
from nissl.annotators.cells.simulate.scene import ONE_PHOTON, Scene

__all__ = [
    "ONE_PHOTON",
    "Scene",
    "SimulatedReader",
    "Simulation",
    "Truth",
    "simulate",
    "simulated",
]
