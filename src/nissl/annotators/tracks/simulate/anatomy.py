"""A worm at rest: where its neurons are, how brightly they shine, and what else does.

Places are along the body (x, nose at the right), dorsal to ventral (y) and left to right (z), in
micrometres about the middle. The head of our own has what a worm's has: cells in ganglia about
the pharynx, most of them in pairs left and right, and a row of motor neurons along the ventral
side; sizes are those of the view, for the animal is shown as large as fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.simulate.scene import Worm

Floats = npt.NDArray[np.float64]

# share of neurons, middle and spread along the body (-1 tail-ward, 1 nose), angle about the axis
# (0 dorsal, pi ventral) and its spread, distance from the axis in radii, and whether in pairs
GANGLIA = (
    (0.24, 0.60, 0.20, 0.5 * np.pi, 0.80, 0.75, True),
    (0.06, 0.35, 0.12, 0.0, 0.35, 0.70, False),
    (0.32, 0.15, 0.20, 0.5 * np.pi, 0.50, 0.78, True),
    (0.16, 0.02, 0.12, 0.85 * np.pi, 0.25, 0.80, True),
    (0.08, -0.12, 0.08, np.pi, 0.25, 0.75, False),
    (0.14, -0.70, 0.20, np.pi, 0.10, 0.85, False),
)
PHARYNX = (0.45, -0.15, 0.30, 0.0, 3.0, 0.25, False)
PACKED_UM = 1.7
"""Least distance of the centres of two neurons; less where they would not fit."""

CLUSTERED = 0.25
"""Share of neurons that are tried right beside another."""

UNLIKE = 0.6
"""Standard deviation of the logarithm of how brightly tissue and gut shine, between animals."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What shines, neurons first.

    Parameters
    ----------
    n_neurons : int
    xyz : ndarray, shape (n, 3), float64, um
    radius : ndarray, shape (n,), float64, um
        Standard deviation of what is no neuron, without the blur of the microscope; radius of a
        nucleus.
    sigma : ndarray, shape (n, 2), float64, um
        Standard deviation of each, as seen, within planes and across them.
    light : ndarray, shape (2, n), float64
        Brightness in red and green at rest; 1 is a typical neuron in red.
    half_um : float
        Half the length of what holds neurons.
    """

    n_neurons: int
    xyz: Floats
    radius: Floats
    sigma: Floats
    light: Floats
    half_um: float


def anatomy(worm: Worm, rng: np.random.Generator) -> Anatomy:
    """Neurons, grains of the gut, and haze of the tissue."""
    n = worm.n_neurons
    own = head(n, worm, rng)
    if worm.positions_um is None:
        xyz = own
    else:
        xyz = np.asarray(worm.positions_um, np.float64)
        xyz = xyz - xyz.mean(axis=0)
        xyz[:, 0] -= (xyz[:, 0].min() + xyz[:, 0].max()) / 2
    half = max(float(np.abs(xyz[:, 0]).max()), 1.0)
    across = np.maximum(np.abs(xyz[:, 1:]).max(axis=0), 1.0)
    red = np.exp(worm.spread * rng.standard_normal(n))
    own_green = worm.spread_green * rng.standard_normal(n)
    green = worm.green * np.exp(0.9 * np.log(red) + own_green)
    radius = worm.radius_um * np.exp(0.12 * rng.standard_normal(n))
    grains, grain_light = _grains(worm, half, across, rng)
    haze = _haze(half)
    others = np.concatenate([rng.uniform(0.2, 0.7, len(grains)), np.full(len(haze), across[0] / 3)])
    spread = np.concatenate([radius / np.sqrt(5), others])
    grain_light = grain_light * rng.lognormal(0, UNLIKE)
    dim = worm.haze * rng.lognormal(0, UNLIKE) * rng.uniform(0.6, 1.4, len(haze))
    return Anatomy(
        n,
        np.concatenate([xyz, grains, haze]),
        np.concatenate([radius, others]),
        np.stack([np.hypot(spread, worm.psf_um), np.hypot(spread, worm.psf_z_um)], axis=1),
        np.stack(
            [
                np.concatenate([red, grain_light, dim]),
                np.concatenate([green, 0.7 * grain_light, worm.green * 2 * dim]),
            ]
        ),
        half,
    )


def head(n: int, worm: Worm, rng: np.random.Generator) -> Floats:
    """Places of the neurons of a head of our own, (n, 3), um."""
    width, height, depth = worm.view_um
    half = 0.4 * min(width, 1.6 * height, 3.5 * depth)
    across = 0.26 * half
    apart = PACKED_UM
    placed = np.zeros((0, 3))
    shares = np.array([each[0] for each in GANGLIA])
    tries = 0
    while len(placed) < n:
        group = GANGLIA[int(rng.choice(len(GANGLIA), p=shares / shares.sum()))]
        if rng.random() < 0.08:
            group = PHARYNX
        made = _placed(group, half, across, rng)
        if len(placed) and rng.random() < CLUSTERED:
            away = rng.standard_normal(3)
            away *= apart * rng.uniform(1.0, 1.5) / np.linalg.norm(away)
            pair = (placed[rng.integers(len(placed))] + away)[None]
        elif group[6]:
            twin = made * [1.0, 1.0, -1.0] + rng.normal(0, 0.4, 3)
            pair = np.stack([made, twin])[: n - len(placed)]
        else:
            pair = made[None]
        gaps = np.linalg.norm(placed[:, None] - pair, axis=2)
        alone = len(pair) == 1 or np.linalg.norm(pair[0] - pair[1]) > apart
        if alone and not (gaps <= apart).any():
            placed = np.concatenate([placed, pair])
        tries += 1
        if tries % 200 == 0:
            apart *= 0.9
    return placed


def _placed(
    group: tuple[float, float, float, float, float, float, bool],
    half: float,
    across: float,
    rng: np.random.Generator,
) -> Floats:
    _, middle, spread, angle, fan, out, _ = group
    u = float(np.clip(rng.normal(middle, spread), -1.0, 1.0))
    about = angle + fan * rng.standard_normal()
    # the head tapers to the nose
    radius = across * (1.0 - 0.45 * max(u, 0.0) ** 1.5) * out * rng.uniform(0.75, 1.2)
    return np.array([u * half, -0.85 * radius * np.cos(about), 0.9 * radius * np.sin(about)])


def _grains(
    worm: Worm, half: float, across: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Grains of the gut behind the head, and how brightly they shine."""
    n = 30
    u = rng.uniform(-1.6, -0.3, n)
    radius, angle = 0.6 * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    y, z = across[0] * radius * np.cos(angle), across[1] * radius * np.sin(angle)
    return np.stack([u * half, y, z], axis=1), worm.granules * rng.lognormal(-0.3, 0.7, n)


def _haze(half: float) -> Floats:
    """Middles of the haze of the tissue along the axis."""
    x = np.linspace(-1.6, 1.1, 15) * half
    return np.stack([x, np.zeros_like(x), np.zeros_like(x)], axis=1)


__all__ = ["Anatomy", "anatomy", "head"]
