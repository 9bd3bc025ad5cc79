"""Everything of a simulated movie that does not depend on the frame that is asked for.

Light in a frame is ``shade * bleach * (cells + neuropil)`` before it is displaced and counted:
each body shines at rest and by its trace above that, and the neuropil is a still texture times
one plus a field of low rank on a coarse grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.simulate import bodies, spiking
from nissl.annotators.cells.simulate.bodies import Body
from nissl.annotators.cells.simulate.motion import Path, path
from nissl.annotators.cells.simulate.scene import Scene

Floats = npt.NDArray[np.float32]
N_MODES = 20
GRID_PX = 16
"""Distance of the points between which the changing part of the neuropil is interpolated."""


@dataclass(frozen=True, eq=False)
class Bodies:
    """All that shines by itself, cells first.

    Parameters
    ----------
    shapes : tuple of Body
    brightness : ndarray, shape (n_bodies,), float64
        At rest, over a typical cell.
    trace : ndarray, shape (n_frames, n_bodies), float32
        dF/F.
    spikes : tuple of ndarray, float64
        Times of the spikes of each cell, s.
    silent, dim : ndarray of bool, shape (n_cells,)
    """

    shapes: tuple[Body, ...]
    brightness: npt.NDArray[np.float64]
    trace: Floats
    spikes: tuple[npt.NDArray[np.float64], ...]
    silent: npt.NDArray[np.bool_]
    dim: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stage:
    """What frames are rendered from; the field is larger than a frame by the scene's margin.

    Parameters
    ----------
    bodies : Bodies
    still : ndarray, shape (rows, columns), float32
        Photons of all bodies at rest.
    texture : ndarray, shape (rows, columns), float32
        Photons of the neuropil at rest.
    shade : ndarray, shape (rows, columns), float32
        Illumination and vessels, 0 to 1.
    modes : ndarray, shape (n_modes, grid_rows, grid_columns), float32
    course : ndarray, shape (n_frames, n_modes), float32
        Relative change of the neuropil is ``course @ modes``.
    starts, pixels, weights : ndarray
        Photons of each body per unit of its trace, as rows of a CSR array over the field.
    bleach : ndarray, shape (n_frames,), float32
    path : Path
    """

    bodies: Bodies
    still: Floats
    texture: Floats
    shade: Floats
    modes: Floats
    course: Floats
    starts: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.int64]
    weights: Floats
    bleach: Floats
    path: Path


def staged(scene: Scene) -> Stage:
    """Make up everything that a scene holds."""
    rngs = [np.random.default_rng([scene.seed, k]) for k in range(6)]
    drive = spiking.shared_drive(scene.n_frames, scene.rate_hz, rngs[0])
    things, occupied = _bodies(scene, drive, rngs[1])
    shade = _shade(scene, rngs[2])
    texture = scene.photons * scene.neuropil * _structure(scene, rngs[3]) * shade
    texture *= 1 - (1 - scene.contamination) * occupied
    starts, pixels, weights = _sparse(scene, things, shade)
    still = np.zeros(shade.size, np.float32)
    np.add.at(still, pixels, weights)
    modes, course = _modes(scene, drive, rngs[4])
    lost = np.exp(-3 * np.arange(scene.n_frames) / max(scene.n_frames, 1))
    return Stage(
        things,
        still.reshape(shade.shape),
        texture.astype(np.float32),
        shade.astype(np.float32),
        modes,
        course,
        starts,
        pixels,
        weights,
        (1 - scene.bleach * (1 - lost) / (1 - np.exp(-3))).astype(np.float32),
        path(scene, rngs[5]),
    )


def _bodies(
    scene: Scene, drive: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[Bodies, npt.NDArray[np.float64]]:
    """All bodies, and how much of each pixel somata and holes take up."""
    n = max(1, round(scene.cells_per_mm2 * scene.area_mm2))
    n_holes, n_pieces, n_hazy = (
        round(n * share) for share in (scene.holes, scene.processes, scene.out_of_focus)
    )
    centres = _placed(scene, n, n_holes, rng)
    blur = scene.psf_um / scene.um_per_px
    somata = [
        _cell(scene, centre, blur, rng, filled=rng.random() < scene.filled) for centre in centres
    ]
    occupied = _occupied(scene, somata)
    somata = somata[:n]
    pieces = [
        bodies.piece(at, rng.uniform(1, scene.process_um) / scene.um_per_px, blur, rng)
        for at in _anywhere(scene, n_pieces, rng)
    ]
    hazy = [
        bodies.haze(at, scene.radius_px * rng.uniform(0.8, 1.2), rng)
        for at in _anywhere(scene, n_hazy, rng)
    ]
    silent, dim = rng.random(n) < scene.silent, rng.random(n) < scene.dim
    bright = np.exp(rng.normal(0, 0.45, n))
    as_dark = (1 - scene.contamination) * scene.neuropil or 0.3
    bright[dim] = as_dark * rng.uniform(0.8, 1.4, int(dim.sum()))
    others = np.concatenate([rng.uniform(0.2, 0.9, n_pieces), rng.uniform(0.2, 0.8, n_hazy)])
    rates = scene.event_hz * np.exp(rng.normal(0, 0.8, n + others.size))
    rates[:n][silent] = 0
    spikes = [spiking.spike_times(drive, scene.rate_hz, rate, rng) for rate in rates.tolist()]
    indicator = spiking.INDICATORS[scene.indicator]
    trace = np.empty((scene.n_frames, len(spikes)), np.float32)
    for column, times in enumerate(spikes):
        trace[:, column] = spiking.fluorescence(times, scene.n_frames, scene.rate_hz, indicator)
    made = Bodies(
        (*somata, *pieces, *hazy),
        np.concatenate([bright, others]),
        trace,
        tuple(spikes[:n]),
        silent,
        dim,
    )
    return made, occupied


def _cell(
    scene: Scene,
    centre: npt.NDArray[np.float64],
    blur: float,
    rng: np.random.Generator,
    *,
    filled: bool,
) -> Body:
    """Return one soma of the scene."""
    return bodies.soma(
        (float(centre[0]), float(centre[1])),
        scene.radius_px * float(np.exp(rng.normal(0, scene.diameter_spread))),
        nucleus=rng.uniform(0, 0.25) if filled else rng.uniform(0.6, 1.0),
        depth=rng.uniform(0, 0.75),
        blur=blur,
        processes=int(rng.poisson(1.0)),
        rng=rng,
    )


def _placed(
    scene: Scene, n: int, n_holes: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Centres of cells and then of holes, (n + n_holes, 2): apart, but for those that overlap."""
    made = np.empty((0, 2))
    size = np.asarray(scene.canvas)
    apart = 1.9 * scene.radius_px
    for index in range(n + n_holes):
        if made.size and index < n and rng.random() < scene.overlapping:
            angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.6) * scene.radius_px
            at = made[rng.integers(index)] + away * np.array([np.sin(angle), np.cos(angle)])
        else:
            at = rng.random(2) * size
            for _ in range(30):
                if not made.size or np.hypot(*(made - at).T).min() >= apart:
                    break
                at = rng.random(2) * size
        made = np.vstack([made, at])
    return made


def _anywhere(scene: Scene, n: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    rows, columns = scene.canvas
    places = rng.random((n, 2)) * (rows, columns)
    return [(float(y), float(x)) for y, x in places]


def _occupied(scene: Scene, somata: Sequence[Body]) -> npt.NDArray[np.float64]:
    """Share of each pixel that bodies take up."""
    free = np.ones(scene.canvas)
    for body in somata:
        field, patch = overlap(body, scene.canvas)
        free[field] *= 1 - body.inside[patch]
    return 1 - free


def overlap(body: Body, shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a patch and an image overlap, as slices of the image and of the patch."""
    image, patch = [], []
    for corner, size, length in zip(body.corner, shape, body.light.shape, strict=True):
        low, high = max(corner, 0), max(min(corner + length, size), max(corner, 0))
        image.append(slice(low, high))
        patch.append(slice(low - corner, high - corner))
    return (image[0], image[1]), (patch[0], patch[1])


def _sparse(
    scene: Scene, things: Bodies, shade: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Photons of each body per unit of its trace: starts, pixels and weights of a CSR array."""
    pixels, weights = [], []
    columns = scene.canvas[1]
    for body, bright in zip(things.shapes, things.brightness.tolist(), strict=True):
        field, patch = overlap(body, scene.canvas)
        light = scene.photons * bright * body.light[patch] * shade[field]
        rows, cols = np.nonzero(light > 0.002 * scene.photons * bright)
        pixels.append((rows + field[0].start) * columns + cols + field[1].start)
        weights.append(light[rows, cols].astype(np.float32))
    starts = np.concatenate([[0], np.cumsum([p.size for p in pixels])]).astype(np.int64)
    return starts, np.concatenate(pixels).astype(np.int64), np.concatenate(weights)


def _noise(
    shape: tuple[int, int], sigma_px: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Smooth noise of mean 0 and standard deviation 1."""
    from scipy.ndimage import gaussian_filter, zoom

    coarse = max(1, int(sigma_px // 3))
    small = tuple(-(-n // coarse) + 2 for n in shape)
    smooth = gaussian_filter(rng.standard_normal(small), sigma_px / coarse, mode="wrap")
    if coarse > 1:
        smooth = zoom(smooth, coarse, order=1)
    smooth = smooth[: shape[0], : shape[1]]
    return np.asarray((smooth - smooth.mean()) / max(smooth.std(), 1e-9), np.float64)


def _structure(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Texture of the neuropil, mean about 1: fibres, patches and slow variation."""
    blur = scene.psf_um / scene.um_per_px
    made = 1 + 0.2 * _noise(scene.canvas, 60 / scene.um_per_px, rng)
    made += 0.9 * scene.texture * _noise(scene.canvas, blur, rng)
    made += 0.45 * scene.texture * _noise(scene.canvas, 3 * blur, rng)
    return np.clip(made, 0.2, None)


def _shade(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Illumination and vessels, 0 to 1."""
    from scipy.ndimage import gaussian_filter

    rows, columns = scene.canvas
    y = np.linspace(-1, 1, rows)[:, None]
    x = np.linspace(-1, 1, columns)[None]
    angle = rng.uniform(0, 2 * np.pi)
    slope = (1 + np.sin(angle) * y / np.sqrt(2) + np.cos(angle) * x / np.sqrt(2)) / 2
    light = (1 - scene.gradient * slope) * (1 - scene.vignette * (y**2 + x**2) / 2)
    dark = np.zeros((rows, columns))
    for _ in range(rng.poisson(scene.vessels_per_mm2 * scene.area_mm2)):
        _draw_vessel(dark, scene, rng)
    blur = (2.0 if scene.optics == "two-photon" else 4.0) / scene.um_per_px
    return np.asarray(light * (1 - np.clip(gaussian_filter(dark, blur), 0, 1)), np.float64)


def _draw_vessel(dark: npt.NDArray[np.float64], scene: Scene, rng: np.random.Generator) -> None:
    """Draw one vessel into an image of darkness: a tube, or one that runs along the axis."""
    rows, columns = dark.shape
    radius = np.exp(rng.normal(np.log(3.0), 0.6)) / scene.um_per_px
    y, x = rng.uniform(0, rows), rng.uniform(0, columns)
    n = 1 if rng.random() < 0.4 else int(rng.uniform(20, 200) / scene.um_per_px)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.06, n))
    ys, xs = y + np.cumsum(np.sin(heading)), x + np.cumsum(np.cos(heading))
    depth, reach = rng.uniform(0.3, 0.9), int(np.ceil(radius)) + 1
    for at_y, at_x in zip(ys.tolist(), xs.tolist(), strict=True):
        top, left = max(int(at_y) - reach, 0), max(int(at_x) - reach, 0)
        patch = dark[top : max(int(at_y) + reach + 1, 0), left : max(int(at_x) + reach + 1, 0)]
        if patch.size:
            far_y = np.arange(top, top + patch.shape[0])[:, None] - at_y
            far_x = np.arange(left, left + patch.shape[1])[None] - at_x
            np.maximum(patch, depth * (np.hypot(far_y, far_x) < radius), out=patch)


def _modes(
    scene: Scene, drive: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Relative change of the neuropil: modes on the coarse grid, and their courses."""
    from scipy.signal import lfilter

    rows, columns = (-(-n // GRID_PX) + 2 for n in scene.canvas)
    sigma = scene.neuropil_um / scene.um_per_px / GRID_PX
    local = [_noise((rows, columns), max(sigma, 0.5), rng) for _ in range(N_MODES - 1)]
    modes = np.stack([np.ones((rows, columns)), *(0.7 * m / np.sqrt(N_MODES - 1) for m in local)])
    decay = np.exp(-1 / (spiking.INDICATORS[scene.indicator].decay_s * scene.rate_hz))
    noise = rng.standard_normal((scene.n_frames + 200, N_MODES))
    course = lfilter([np.sqrt(1 - decay**2)], [1, -decay], noise, axis=0)[200:]
    course[:, 0] = 0.7 * drive
    return (scene.neuropil_sd * modes).astype(np.float32), course.astype(np.float32)


__all__ = ["GRID_PX", "Bodies", "Stage", "overlap", "staged"]
