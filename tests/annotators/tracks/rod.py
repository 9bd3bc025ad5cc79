"""A small animal for tests of geometry: a rod of neurons that bends, twists and is rendered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Movie

SHAPE = (16, 80, 128)
SPACING = (1.5, 0.5, 0.5)


@dataclass(frozen=True)
class Animal:
    """Volumes of a rod of neurons, where its neurons are, and how it was bent."""

    volumes: Volumes
    xyz: np.ndarray  # (n_frames, n_neurons, 3), voxels
    bend: np.ndarray  # (n_frames, 3): two curvatures and a shift along z


def animal(rng, n_frames=40, n_neurons=60, noise=3.0) -> Animal:
    """Volumes in random postures, neurons of their own size and brightness."""
    rest = rest_places(rng, n_neurons)
    bend = np.column_stack(
        [rng.uniform(-1, 1, n_frames), rng.uniform(-1, 1, n_frames), rng.normal(0, 0.5, n_frames)]
    )
    size = rng.uniform(0.9, 1.4, n_neurons)  # um
    bright = rng.lognormal(4.0, 0.4, n_neurons)
    xyz = np.stack([posed(rest, each) for each in bend])
    movie = np.stack([render(places, size, bright, rng, noise) for places in xyz])
    channels = tuple(
        Movie.from_array(part.astype(np.float32), 5.0, name=name, spacing_um=SPACING)
        for name, part in (("red", movie), ("green", movie * 0.5))
    )
    return Animal(Volumes(channels), xyz, bend)


def posed(rest, bend):
    """Places (n, 3) voxels of neurons at rest (um, along the body first), bent."""
    along, aside, deep = rest.T
    heading = 0.03 * bend[0] * along + 0.0015 * bend[1] * along**2
    x = along * np.cos(heading / 2) - aside * np.sin(heading)
    y = along * np.sin(heading / 2) + aside * np.cos(heading)
    z = deep * (1 + 0.1 * bend[1]) + bend[2]
    middle = (np.array(SHAPE[::-1]) - 1) / 2
    return np.column_stack([x, y, z]) / np.array(SPACING[::-1]) + middle


def render(xyz, size, bright, rng, noise):
    """Gaussian blobs on a noisy background of 20, (z, y, x)."""
    out = 20 + rng.normal(0, noise, SHAPE)
    axes = [np.arange(n) for n in SHAPE]
    for place, radius, top in zip(xyz, size, bright, strict=True):
        along = [
            np.exp(-0.5 * ((axis - at) * step / radius) ** 2)
            for axis, at, step in zip(axes, place[::-1], SPACING, strict=True)
        ]
        out += top * along[0][:, None, None] * along[1][:, None] * along[2]
    return out


def rest_places(rng, n):
    """Places at rest in an ellipsoid of 48 x 16 x 14 um, none nearer than 2 um to another."""
    kept = []
    while len(kept) < n:
        place = rng.uniform(-1, 1, 3)
        if (place**2).sum() > 1:
            continue
        place = place * [24, 8, 7]
        if all(np.linalg.norm(place - other) > 2 for other in kept):
            kept.append(place)
    return np.array(kept)
