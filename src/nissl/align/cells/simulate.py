"""Two days of one field of view with the truth: which cell of one is which of the other.

Somata keep their distance from each other; each is seen on a day with a chance that a turnover
sets, is outlined anew (another threshold, other noise), and the field is moved by a rotation, a
shift and a smooth deformation. Pictures share vessels and neuropil, and differ in brightness of
cells and in noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.cells.fields import grid_of, rotation
from nissl.annotators.cells.footprints import Footprints


@dataclass(frozen=True, eq=False)
class TwoDays:
    """Cells and pictures of two days.

    Parameters
    ----------
    cells : tuple of Footprints
        Of the first and of the second day.
    images : tuple of ndarray, each of shape (height, width), float64
    pairs : ndarray, shape (n_pairs, 2), int64
        Rows of the first and of the second day that are one neuron.
    activity : tuple of ndarray, shape (n_cells, 4), float64
        Facts of the traces of each day's cells, as `nissl.align.activity.FACTS`.
    """

    cells: tuple[Footprints, Footprints]
    images: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    pairs: npt.NDArray[np.int64]
    activity: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def two_days(
    rng: np.random.Generator,
    *,
    n_cells: int = 250,
    turnover: float = 0.4,
    size_px: int = 320,
    radius_px: float = 5.0,
    jitter_px: float = 0.6,
    shift_px: float = 12.0,
    degrees: float = 2.0,
    bend_px: float = 2.5,
    alike: float = 0.7,
    changed: float = 0.2,
) -> TwoDays:
    """Simulate two days.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_cells : int
        Cells of a day, about.
    turnover : float
        Share of a day's cells that the other day does not show, 0 to below 1.
    size_px : int
        Side of the field.
    radius_px, jitter_px : float
        Radius of a soma; deviation of an outline's centre from day to day.
    shift_px, degrees, bend_px : float
        How far the second day's field is moved at most.
    alike, changed : float
        Correlation of the facts of a cell's activity between days; share of cells whose activity
        on the second day has nothing to do with that on the first.
    """
    centres = _apart(rng, int(n_cells * (1 + turnover)), size_px, 1.7 * radius_px)
    both = rng.random(len(centres)) < (1 - turnover) / (1 + turnover)
    only = ~both & (rng.random(len(centres)) < 0.5)
    seen = [both | only, both | ~(both | only)]
    radii = radius_px * rng.lognormal(0, 0.15, len(centres))
    glow = rng.lognormal(0, 0.5, len(centres))
    ground = _texture(rng, size_px)
    move = _movement(rng, size_px, shift_px, degrees, bend_px)
    cells, images, numbers = [], [], []
    for day in range(2):
        numbers.append(np.flatnonzero(seen[day]))
        places = centres + (0 if day == 0 else move(centres))
        image = ground if day == 0 else _warped(ground, move, size_px)
        shine = glow * rng.lognormal(0, 0.3, len(centres))
        picture = image + _somata(places[seen[day]], radii[seen[day]], shine[seen[day]], size_px)
        images.append(picture + rng.normal(0, 0.25, picture.shape))
        drawn = [_outline(rng, places[k], radii[k], size_px, jitter_px) for k in numbers[-1]]
        inside = [k for k, (pixels, _) in enumerate(drawn) if pixels.size >= 10]
        numbers[-1] = numbers[-1][inside]
        pixels, weights = ([drawn[k][part] for k in inside] for part in (0, 1))
        cells.append(Footprints.build((1, size_px, size_px), pixels, weights))
    _, left, right = np.intersect1d(numbers[0], numbers[1], return_indices=True)
    pairs = np.stack([left, right], axis=1).astype(np.int64)
    lively = _liveliness(rng, len(centres), alike, changed)
    facts = lively[0][numbers[0]], lively[1][numbers[1]]
    return TwoDays((cells[0], cells[1]), (images[0], images[1]), pairs, facts)


def _liveliness(
    rng: np.random.Generator, n: int, alike: float, changed: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Facts of the activity of neurons on two days, (n, 4) each; facts of a day hang together."""
    mixing = np.eye(4) + 0.5
    lasting = rng.normal(size=(n, 4))
    new = rng.random(n) < changed
    days = []
    for day in range(2):
        own = np.sqrt(alike) * lasting + np.sqrt(1 - alike) * rng.normal(size=(n, 4))
        fresh = rng.normal(size=(n, 4))
        own = np.where(new[:, None] & (day == 1), fresh, own)
        days.append(np.exp(own @ mixing))
    return days[0], days[1]


def _apart(rng: np.random.Generator, n: int, size: int, least: float) -> npt.NDArray[np.float64]:
    """Random places no closer than `least`, shape (up to n, 2)."""
    out: list[npt.NDArray[np.float64]] = []
    for place in rng.uniform(0, size, (40 * n, 2)):
        if not out or np.min(np.hypot(*(np.asarray(out) - place).T)) >= least:
            out.append(place)
        if len(out) == n:
            break
    return np.asarray(out)


def _texture(rng: np.random.Generator, size: int) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    fine, slow = (gaussian_filter(rng.normal(size=(size, size)), s) * s for s in (2.0, 30.0))
    vessels = np.zeros((size, size))
    y, x = np.mgrid[:size, :size]
    for _ in range(4):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(0.2, 0.8) * size
        away = np.abs(
            (x - size / 2) * np.cos(angle) + (y - size / 2) * np.sin(angle) + size / 2 - offset
        )
        vessels += np.exp(-0.5 * (away / rng.uniform(2, 5)) ** 2)
    return np.asarray(2 + 0.5 * fine + 1.0 * slow - 1.5 * np.minimum(vessels, 1))


def _movement(
    rng: np.random.Generator, size: int, shift: float, degrees: float, bend: float
) -> Any:
    """Displacement of places (n, 2), pixels, from the first day to the second."""
    matrix = rotation(float(rng.uniform(-degrees, degrees))) * rng.uniform(0.99, 1.01)
    way = rng.uniform(-shift, shift, 2)
    waves = rng.uniform(0.5, 1.5, (2, 2)) * 2 * np.pi / size
    phase, height = rng.uniform(0, 2 * np.pi, 2), rng.uniform(-bend, bend, 2)

    def move(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        middle = (size - 1) / 2
        bent = height * np.sin(places @ waves.T + phase)
        return np.asarray((places - middle) @ (matrix - np.eye(2)).T + way + bent)

    return move


def _warped(image: npt.NDArray[np.float64], move: Any, size: int) -> npt.NDArray[np.float64]:
    """The picture after the movement, its inverse found by iteration."""
    from scipy.ndimage import map_coordinates

    grid = grid_of(size, size).reshape(2, -1).T
    source = grid.copy()
    for _ in range(15):
        source = grid - move(source)
    flat = map_coordinates(image, source.T, order=1, mode="reflect")
    return np.asarray(flat.reshape(size, size))


def _somata(
    places: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    shine: npt.NDArray[np.float64],
    size: int,
) -> npt.NDArray[np.float64]:
    out = np.zeros((size, size))
    y, x = np.mgrid[:size, :size]
    for (cy, cx), radius, bright in zip(places, radii, shine, strict=True):
        top, left = (max(int(c - 3 * radius), 0) for c in (cy, cx))
        part = (slice(top, int(cy + 3 * radius) + 1), slice(left, int(cx + 3 * radius) + 1))
        away = np.hypot(y[part] - cy, x[part] - cx) / radius
        out[part] += bright / (1 + np.exp(np.minimum(6 * (away - 1), 50)))
    return out


def _outline(
    rng: np.random.Generator,
    place: npt.NDArray[np.float64],
    radius: float,
    size: int,
    jitter: float,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Pixels and weights of a soma as one day's method outlines it."""
    cy, cx = place + rng.normal(0, jitter, 2)
    own = radius * rng.lognormal(0, 0.1)
    stretch, angle = rng.lognormal(0, 0.1), rng.uniform(0, np.pi)
    y, x = np.mgrid[:size, :size]
    near = (np.abs(y - cy) < 2 * own) & (np.abs(x - cx) < 2 * own)
    dy, dx = y[near] - cy, x[near] - cx
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / stretch
    v = (-dx * np.sin(angle) + dy * np.cos(angle)) * stretch
    edge = 1 + 0.12 * np.sin(3 * np.arctan2(v, u) + rng.uniform(0, 2 * np.pi))
    away = np.hypot(u, v) / own / edge
    inside = away < 1
    weights = np.maximum(1 - 0.6 * away[inside] ** 2 + rng.normal(0, 0.1, int(inside.sum())), 0.05)
    return np.flatnonzero(near.ravel())[inside], weights


__all__ = ["TwoDays", "two_days"]
