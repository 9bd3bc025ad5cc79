"""What a simulated worm is made of: every number that shapes it, in one immutable noun.

Numbers of light come from the annotated volumes of a freely moving *C. elegans* with nuclear
markers (Park et al., automated tracking by targeted augmentation; 82, 83 and 71 neurons in three
volumes): the logarithm of a neuron's red intensity has a standard deviation of 0.92 between
neurons and of 0.76 from volume to volume of the same neuron, that of green follows red with a
slope of 0.94 and a correlation of 0.73, and is 1.9 lower; bright single neurons have standard
deviations of 1.6 pixels and 0.8 planes. Those volumes were filtered before they were published,
which deepens what is dim: here red varies as much between neurons, and a little less within one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from nissl.annotators.cells.simulate.spiking import INDICATORS
from nissl.errors import BadArgumentError

Point = tuple[float, float, float]
DTYPES = ("uint8", "uint16")
SHARES = ("scan", "exposure", "silent", "bleach_red", "bleach_green", "crosstalk", "vignette")
POSITIVE = ("rate_hz", "photons", "radius_um", "psf_um", "psf_z_um", "depth_um")


@dataclass(frozen=True)
class Worm:
    """Settings of a simulated movie of volumes; equal settings give equal bytes.

    Parameters
    ----------
    seed : int
        Of all randomness.
    n_neurons, n_frames : int
    shape : tuple of int
        (z, y, x) of a volume.
    spacing_um : tuple of float
        Of planes, rows and columns.
    rate_hz : float
        Volumes per second.
    positions_um : tuple of (x, y, z), optional
        Neurons of a straight worm at rest, x along the body with the nose at the right; as many
        as `n_neurons`. By default a head of our own, new with every seed.
    bend : float
        Standard deviation of the angle, in radians, by which each end is bent from the middle.
    undulation_hz : float
        Of the wave that travels along the body when it moves fast.
    squeeze : float
        Standard deviation of the logarithm of the width; the length makes up for most of it.
    twist, tilt, rotation : float
        Standard deviations in radians: of rotation about the axis and its change along the body,
        of the axis against the planes, and of rotation in the plane that the camera leaves.
    drift, drift_z : float
        Standard deviations of the place of the body in the view, within planes in parts of its
        height and across them in parts of its depth.
    warp_um, jitter_um : float
        Standard deviations of a smooth displacement of tissue and of each neuron's own motion.
    scan : float
        Share of the time between volumes in which the planes are swept, one after another: what
        moves is seen in each where it then is.
    exposure : float
        Share of the time between volumes during which a plane gathers light: what moves is
        smeared.
    photons : float
        At the brightest voxel of a typical neuron in red.
    green : float
        Brightness of green at rest over that of red.
    spread, spread_green : float
        Standard deviation of the logarithm of the brightness of neurons, and of what green has
        on its own.
    flicker : float
        Standard deviation of the logarithm of what motion does to a neuron's light, in both
        channels alike.
    silent : float
        Share of neurons without any activity.
    indicator : str
        One of `nissl.annotators.cells.simulate.spiking.INDICATORS`.
    events_hz : float
        Median rate of bursts of a neuron that is active.
    crosstalk : float
        Share of red that is seen in green.
    radius_um : float
        Median radius of a nucleus.
    psf_um, psf_z_um : float
        Standard deviation of blur within planes and across them.
    haze, granules : float
        Brightness of the tissue, and of grains of the gut, over that of a typical neuron; in one
        animal more than in another.
    vignette : float
        How far light falls from the middle of the view to its corners.
    depth_um : float
        Depth at which light has fallen to 1 / e.
    bleach_red, bleach_green : float
        Share of the light that is lost over 1,000 s.
    gain : float, optional
        Counts per photon; by default 4 for uint16 and 0.4 for uint8.
    offset, read_noise : float
        Counts in the dark, and noise of the camera in photons.
    dtype : {"uint16", "uint8"}
    """

    seed: int = 0
    n_neurons: int = 80
    n_frames: int = 500
    shape: tuple[int, int, int] = (16, 80, 128)
    spacing_um: tuple[float, float, float] = (1.5, 0.65, 0.65)
    rate_hz: float = 4.0
    positions_um: tuple[Point, ...] | None = None
    bend: float = 0.38
    undulation_hz: float = 0.25
    squeeze: float = 0.11
    twist: float = 0.18
    tilt: float = 0.07
    rotation: float = 0.12
    drift: float = 0.065
    drift_z: float = 0.085
    warp_um: float = 0.6
    jitter_um: float = 0.15
    scan: float = 0.8
    exposure: float = 0.05
    photons: float = 60.0
    green: float = 0.18
    spread: float = 0.9
    spread_green: float = 0.95
    flicker: float = 0.55
    silent: float = 0.3
    indicator: str = "GCaMP6s"
    events_hz: float = 0.05
    crosstalk: float = 0.03
    radius_um: float = 1.0
    psf_um: float = 0.35
    psf_z_um: float = 1.1
    haze: float = 0.04
    granules: float = 0.15
    vignette: float = 0.3
    depth_um: float = 15.0
    bleach_red: float = 0.3
    bleach_green: float = 0.5
    gain: float | None = None
    offset: float = 20.0
    read_noise: float = 1.5
    dtype: str = "uint16"

    def __post_init__(self) -> None:
        z, y, x = self.shape
        object.__setattr__(self, "shape", (int(z), int(y), int(x)))
        dz, dy, dx = self.spacing_um
        object.__setattr__(self, "spacing_um", (float(dz), float(dy), float(dx)))
        if self.dtype not in DTYPES or self.indicator not in INDICATORS:
            raise BadArgumentError(
                f"a type among {DTYPES} and an indicator among {tuple(INDICATORS)}",
                f"{self.dtype!r}, {self.indicator!r}",
                "Choose one of each.",
            )
        small = min(self.shape) < 4 or self.n_frames < 1 or self.n_neurons < 1
        if small or not min(self.spacing_um) > 0:
            raise BadArgumentError(
                "a neuron, a frame, 4 voxels along each axis, and a size of voxels",
                f"{self.n_neurons} neurons, {self.n_frames} of {self.shape}, {self.spacing_um} um",
                "Simulate a larger movie.",
            )
        if self.positions_um is not None and len(self.positions_um) != self.n_neurons:
            raise BadArgumentError(
                f"places of {self.n_neurons} neurons",
                f"{len(self.positions_um)}",
                "Give one place a neuron.",
            )
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        numbers = {name: value for name, value in given.items() if isinstance(value, float)}
        wrong = [name for name, value in numbers.items() if not value >= 0]
        wrong += [name for name in SHARES if not 0 <= numbers[name] <= 1]
        wrong += [name for name in POSITIVE if not numbers[name] > 0]
        if wrong:
            raise BadArgumentError(
                "shares from 0 to 1, positive sizes and rates, and nothing negative",
                ", ".join(f"{name} = {given[name]!r}" for name in dict.fromkeys(wrong)),
                "Change these settings.",
            )

    @property
    def counts_per_photon(self) -> float:
        """`gain`, or what suits the type."""
        if self.gain is not None:
            return self.gain
        return 4.0 if self.dtype == "uint16" else 0.4

    @property
    def view_um(self) -> Point:
        """Size of the view along x, y and z."""
        z, y, x = (n * step for n, step in zip(self.shape, self.spacing_um, strict=True))
        return x, y, z


__all__ = ["DTYPES", "Point", "Worm"]
