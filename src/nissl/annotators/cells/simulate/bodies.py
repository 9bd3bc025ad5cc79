"""Shapes of what fluoresces: somata cut at some depth, their processes, and what is no cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Body:
    """One thing in the field.

    Parameters
    ----------
    corner : tuple of int
        Row and column of the patch within the field; may lie outside.
    light : ndarray, shape (h, w), float32
        How brightly it shines at rest, its cytoplasm about 1.
    inside : ndarray, shape (h, w), float32
        How much of each pixel its soma takes up, 0 to 1; zeros where it is no soma.
    """

    corner: tuple[int, int]
    light: Values
    inside: Values


def soma(
    centre: tuple[float, float],
    radius: float,
    *,
    nucleus: float,
    depth: float,
    blur: float,
    processes: int,
    rng: np.random.Generator,
) -> Body:
    """Return a soma with some processes.

    Parameters
    ----------
    centre : tuple of float
        Row and column.
    radius : float
        At the equator, pixels.
    nucleus : float
        How dark the nucleus is: 1 for one without indicator, 0 for a cell that is filled.
    depth : float
        Distance of the focal plane from the equator, in radii, below 1; the nucleus is seen
        where the plane cuts it.
    blur : float
        Standard deviation, pixels.
    processes : int
    rng : numpy.random.Generator
    """
    from scipy.ndimage import gaussian_filter

    reach = int(np.ceil(radius * (4.0 if processes else 1.6) + 4 * blur)) + 2
    y, x, corner = _patch(centre, reach)
    rho, theta = np.hypot(y, x), np.arctan2(y, x)
    cut = radius * np.sqrt(1 - depth**2)
    wobble = sum(
        size * rng.standard_normal() * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
        for k, size in ((2, 0.10), (3, 0.05), (4, 0.03))
    )
    inside = _edge(cut * (1 + np.clip(wobble, -0.3, 0.4)) - rho)
    share = rng.uniform(0.6, 0.78)
    nuclear = np.sqrt(max(share**2 - depth**2, 0.0)) * radius
    away = rng.normal(0, 0.07 * radius, 2)
    core = _edge(nuclear - np.hypot(y - away[0], x - away[1])) if nuclear > 0.5 else 0.0
    grain = gaussian_filter(rng.standard_normal(inside.shape), max(radius / 5, 0.8))
    grain *= 0.12 / max(grain.std(), 1e-9)
    light = inside * (1 - nucleus * core) * np.clip(1 + grain, 0.4, 1.6)
    for _ in range(processes):
        light = np.maximum(light, _neurite(inside.shape, cut, reach, rng))
    return Body(
        corner,
        gaussian_filter(light, blur).astype(np.float32),
        gaussian_filter(inside, blur / 2).astype(np.float32),
    )


def piece(
    centre: tuple[float, float], length: float, blur: float, rng: np.random.Generator
) -> Body:
    """Return a piece of a dendrite or an axon that crosses the plane: a streak or a dot."""
    from scipy.ndimage import gaussian_filter

    reach = int(np.ceil(length / 2 + 4 * blur)) + 2
    y, x, corner = _patch(centre, reach)
    angle = rng.uniform(0, np.pi)
    along = y * np.sin(angle) + x * np.cos(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    light = _edge(length / 2 - np.abs(along)) * _edge(rng.uniform(0.6, 1.2) - np.abs(across))
    made = gaussian_filter(light, blur).astype(np.float32)
    return Body(corner, made, np.zeros_like(made))


def haze(centre: tuple[float, float], radius: float, rng: np.random.Generator) -> Body:
    """Return a cell far above or below the plane: a blurred disc."""
    from scipy.ndimage import gaussian_filter

    blur = radius * rng.uniform(0.5, 0.9)
    y, x, corner = _patch(centre, int(np.ceil(radius + 3 * blur)) + 1)
    made = gaussian_filter(_edge(radius - np.hypot(y, x)), blur).astype(np.float32)
    return Body(corner, made, np.zeros_like(made))


def _patch(
    centre: tuple[float, float], reach: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[int, int]]:
    """Coordinates about the centre, and the corner of the patch."""
    row, column = round(centre[0]), round(centre[1])
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    y, x = np.meshgrid(steps + row - centre[0], steps + column - centre[1], indexing="ij")
    return y, x, (row - reach, column - reach)


def _edge(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 inside, 0 outside, over one pixel at the edge."""
    return np.clip(distance + 0.5, 0.0, 1.0)


def _neurite(
    shape: tuple[int, ...], start: float, reach: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Light of one process that leaves the soma and wanders out of the plane."""
    n = int(rng.uniform(0.5, 1.0) * 2 * (reach - start))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.08, max(n, 1)))
    along = reach + start * 0.8 * np.sin(heading[0]) + 0.5 * np.cumsum(np.sin(heading))
    across = reach + start * 0.8 * np.cos(heading[0]) + 0.5 * np.cumsum(np.cos(heading))
    bright = rng.uniform(0.2, 0.6) * np.linspace(1, 0.2, along.size)
    out = np.zeros(shape)
    rows, columns = np.round(along).astype(int), np.round(across).astype(int)
    good = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    np.maximum.at(out, (rows[good], columns[good]), bright[good])
    return out


__all__ = ["Body", "haze", "piece", "soma"]
