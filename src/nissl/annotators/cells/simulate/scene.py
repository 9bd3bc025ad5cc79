"""What a simulated movie is made of: every number that shapes it, in one immutable noun."""

from __future__ import annotations

from dataclasses import dataclass, fields

from nissl.annotators.cells.simulate.spiking import INDICATORS
from nissl.errors import BadArgumentError

OPTICS = ("two-photon", "one-photon")
SHARES = ("filled", "silent", "dim", "overlapping", "contamination", "bleach")
POSITIVE = ("rate_hz", "um_per_px", "diameter_um", "gain", "photons")


@dataclass(frozen=True)
class Scene:
    """Settings of a simulated movie; equal settings give equal bytes.

    Parameters
    ----------
    seed : int
        Of all randomness.
    height, width, n_frames : int
    rate_hz : float
    um_per_px : float
    optics : {"two-photon", "one-photon"}
        One photon: broad background that changes in time, blur, no dark nuclei.
    indicator : str
        One of `nissl.annotators.cells.simulate.spiking.INDICATORS`.
    cells_per_mm2 : float
        In the field, visible or not.
    diameter_um, diameter_spread : float
        Median diameter of a soma at its equator, and standard deviation of its logarithm.
    filled, silent, dim, overlapping : float
        Fractions: without a dark nucleus; that never spike; no brighter at rest than what
        surrounds them; placed so that they overlap another.
    event_hz : float
        Median rate of bursts of the cells that spike.
    photons : float
        Expected per pixel and frame from the cytoplasm of a typical cell at rest.
    psf_um : float
        Standard deviation of the blur.
    neuropil : float
        Its brightness at rest over that of a typical cell.
    neuropil_sd, neuropil_um : float
        Standard deviation of its relative changes, and over which distance they are alike.
    texture : float
        Standard deviation of its grain.
    contamination : float
        Share of the surrounding neuropil that is seen through a soma.
    processes, out_of_focus, holes : float
        Active pieces of dendrites and axons, blurred cells of other depths, and dark bodies
        without indicator, each per cell.
    process_um : float
        Greatest length of such a piece.
    vessels_per_mm2 : float
    gradient : float
        How far brightness falls across the field, 0 to 1.
    vignette : float
        How far it falls from the middle to the corners, 0 to 1.
    jitter_px, drift_px, bend_px : float
        Standard deviation of fast motion; range of slow motion; standard deviation of the
        difference in displacement between the middle and the first and last line of a frame.
    jerks_per_min : float
        Sudden displacements of some pixels that decay within about 0.2 s.
    line_offset_px : float
        By how much odd lines are displaced to the right, as a bad phase of a resonant scanner.
    bleach : float
        Share of the brightness that is lost over the movie.
    gain, offset, read_noise : float
        Counts per photon, counts in the dark, and standard deviation of the detector's own noise
        in photons.
    saturation : int
        Largest count.
    """

    seed: int = 0
    height: int = 256
    width: int = 256
    n_frames: int = 1000
    rate_hz: float = 30.0
    um_per_px: float = 1.2
    optics: str = "two-photon"
    indicator: str = "GCaMP6f"
    cells_per_mm2: float = 900.0
    diameter_um: float = 12.0
    diameter_spread: float = 0.12
    filled: float = 0.3
    silent: float = 0.3
    dim: float = 0.3
    overlapping: float = 0.1
    event_hz: float = 0.1
    photons: float = 8.0
    psf_um: float = 0.8
    neuropil: float = 0.7
    neuropil_sd: float = 0.12
    neuropil_um: float = 60.0
    texture: float = 0.2
    contamination: float = 0.5
    processes: float = 1.0
    out_of_focus: float = 0.4
    holes: float = 0.4
    process_um: float = 10.0
    vessels_per_mm2: float = 15.0
    gradient: float = 0.3
    vignette: float = 0.1
    jitter_px: float = 0.4
    drift_px: float = 2.0
    bend_px: float = 0.0
    jerks_per_min: float = 1.0
    line_offset_px: float = 0.0
    bleach: float = 0.1
    gain: float = 40.0
    offset: float = 200.0
    read_noise: float = 0.5
    saturation: int = 65535

    def __post_init__(self) -> None:
        if self.optics not in OPTICS or self.indicator not in INDICATORS:
            raise BadArgumentError(
                f"optics among {OPTICS} and an indicator among {tuple(INDICATORS)}",
                f"{self.optics!r}, {self.indicator!r}",
                "Choose one of each.",
            )
        if min(self.height, self.width) < 16 or self.n_frames < 1:
            raise BadArgumentError(
                "frames of at least 16 x 16 pixels, and one of them",
                f"{self.n_frames} of {self.height} x {self.width}",
                "Simulate a larger movie.",
            )
        wrong = [name for name in SHARES if not 0 <= getattr(self, name) <= 1]
        wrong += [name for name in POSITIVE if not getattr(self, name) > 0]
        numbers = [f.name for f in fields(self) if f.name not in ("seed", "optics", "indicator")]
        wrong += [name for name in numbers if not getattr(self, name) >= 0]
        wrong += ["line_offset_px"] if self.line_offset_px > 2 else []
        if wrong:
            raise BadArgumentError(
                "shares from 0 to 1, a positive rate, size and gain, an offset of lines of at "
                "most 2, and nothing negative",
                ", ".join(f"{name} = {getattr(self, name)!r}" for name in dict.fromkeys(wrong)),
                "Change these settings.",
            )

    @property
    def margin(self) -> int:
        """Pixels that the simulated field is larger than the frame, on each side."""
        return 16

    @property
    def canvas(self) -> tuple[int, int]:
        """Size of the simulated field, rows and columns."""
        return self.height + 2 * self.margin, self.width + 2 * self.margin

    @property
    def radius_px(self) -> float:
        """Median radius of a soma at its equator."""
        return self.diameter_um / 2 / self.um_per_px

    @property
    def area_mm2(self) -> float:
        """Area of the simulated field."""
        rows, columns = self.canvas
        return rows * columns * self.um_per_px**2 / 1e6


ONE_PHOTON = {
    "optics": "one-photon",
    "um_per_px": 2.0,
    "rate_hz": 20.0,
    "cells_per_mm2": 300.0,
    "diameter_um": 14.0,
    "filled": 1.0,
    "overlapping": 0.2,
    "photons": 100.0,
    "psf_um": 3.0,
    "neuropil": 15.0,
    "neuropil_sd": 0.02,
    "neuropil_um": 250.0,
    "texture": 0.0,
    "contamination": 1.0,
    "processes": 0.2,
    "out_of_focus": 1.0,
    "holes": 0.0,
    "vignette": 0.5,
    "gain": 1.0,
    "read_noise": 2.0,
    "bleach": 0.05,
}
"""What is different in the movie of a miniature microscope: ``Scene(seed=1, **ONE_PHOTON)``."""

__all__ = ["ONE_PHOTON", "Scene"]
