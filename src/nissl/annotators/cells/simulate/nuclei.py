"""Still images and volumes of stained nuclei with exact truth.

Bodies are ellipsoids with some grain, packed until they touch, of which the brightest outshine
the rest by far; blur is stronger along z; then photons and the camera's noise. A plane of such
a volume is what an optical section shows, its sum over a few planes what a culture shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class NucleiScene:
    """Settings of an image or a volume of nuclei.

    Parameters
    ----------
    seed : int
    shape : tuple of int
        ``(z, y, x)``; with z = 1 a flat image of a single layer.
    diameter_px : float
    spread : float
        Standard deviation of the logarithm of each axis of a nucleus.
    crowding : float
        Share of the volume (area) that nuclei take up, at most about 0.6.
    touching : float
        How far two nuclei may run into each other, 0 to 1 of their radii.
    contrast : float
        Standard deviation of the logarithm of their brightness.
    blur_px : tuple of float
        Standard deviations along z, and along y and x.
    grain : float
        Standard deviation of the texture inside nuclei.
    background : float
        Brightness between nuclei over that of a typical one.
    photons : float
        From a typical nucleus, per pixel.
    """

    seed: int = 0
    shape: tuple[int, int, int] = (1, 256, 256)
    diameter_px: float = 14.0
    spread: float = 0.15
    crowding: float = 0.3
    touching: float = 0.15
    contrast: float = 0.4
    blur_px: tuple[float, float] = (1.5, 1.0)
    grain: float = 0.15
    background: float = 0.1
    photons: float = 50.0

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or not self.diameter_px > 2 or not 0 < self.crowding <= 0.8:
            raise BadArgumentError(
                "a shape (z, y, x), a diameter of more than 2 pixels, and crowding up to 0.8",
                f"{self.shape}, {self.diameter_px}, {self.crowding}",
                "Change the settings.",
            )


def nuclei(scene: NucleiScene) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Image of counted photons and image of labels, both (z, y, x)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([scene.seed, 7])
    labels, brightness = _packed(scene, rng)
    sigma = (scene.blur_px[0] if scene.shape[0] > 1 else 0.0, *(scene.blur_px[1],) * 2)
    grain = gaussian_filter(rng.standard_normal(scene.shape), [s and 1.5 for s in scene.shape])
    grain *= scene.grain / max(float(grain.std()), 1e-9)
    light = np.concatenate([[0.0], brightness])[labels] * np.clip(1 + grain, 0.1, None)
    uneven = gaussian_filter(rng.standard_normal(scene.shape), [n / 4 for n in scene.shape])
    uneven /= max(float(np.abs(uneven).max()), 1e-9)
    light = gaussian_filter(light, sigma) + scene.background * (1 + 0.7 * uneven)
    counts = rng.poisson(scene.photons * np.maximum(light, 0)) + rng.normal(0, 1.0, scene.shape)
    return counts.astype(np.float32), labels


def _packed(
    scene: NucleiScene, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Labels of ellipsoids, and how bright each is."""
    flat = scene.shape[0] == 1
    mean = scene.diameter_px / 2
    size = np.pi * mean**2 if flat else 4 / 3 * np.pi * mean**3
    wanted = max(1, round(scene.crowding * np.prod(scene.shape) / size))
    labels = np.zeros(scene.shape, np.int32)
    centres, reach = np.empty((0, 3)), np.empty(0)
    for _ in range(8 * wanted):
        if len(centres) == wanted:
            break
        radii = mean * np.exp(rng.normal(0, scene.spread, 3))
        at = rng.random(3) * scene.shape
        at[0] = 0.0 if flat else at[0]
        far = np.sqrt(((centres - at) ** 2).sum(1))
        if np.any(far < (1 - scene.touching) * (reach + radii.mean())):
            continue
        centres, reach = np.vstack([centres, at]), np.append(reach, radii.mean())
        _draw(labels, len(centres), at, radii, rng)
    bright = np.exp(rng.normal(0, scene.contrast, len(centres)))
    bright[rng.random(bright.size) < 0.04] *= 4
    return labels, bright


def _draw(
    labels: npt.NDArray[np.int32],
    number: int,
    centre: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Draw one ellipsoid, turned anyhow, over what is there."""
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    if labels.shape[0] == 1:
        angle = rng.uniform(0, np.pi)
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    reach = int(np.ceil(radii.max())) + 1
    low = np.maximum(np.floor(centre).astype(int) - reach, 0)
    high = np.minimum(np.floor(centre).astype(int) + reach + 1, labels.shape)
    grid = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
    away = np.stack(grid, -1) - centre
    inside = (((away @ turn) / radii) ** 2).sum(-1) < 1
    labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))][inside] = number


__all__ = ["NucleiScene", "nuclei"]
