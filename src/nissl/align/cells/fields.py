"""Registration of two pictures of one field of view: rigid, affine, then patch by patch.

Shift and rotation come from phase correlation (Kuglin and Hines 1975) over a range of angles, an
affine map from Gauss-Newton steps on the squared difference (Lucas and Kanade 1981), and what is
left from phase correlation of overlapping patches, smoothed over the field. Pictures are freed of
slow brightness first, so that expression and illumination may differ between days.

A map takes places of the first picture to places of the second: ``matrix @ (y, x) + offset``, then
a displacement. Pixel centres are at integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Image = npt.NDArray[np.floating[Any]]
Values = npt.NDArray[np.float64]

_COARSE_PX = 256
_STEPS = 30
_LEAST_PEAK = 0.08


@dataclass(frozen=True, eq=False)
class Registration:
    """Where a place of one picture lies in another.

    Parameters
    ----------
    matrix : ndarray, shape (2, 2), float64
    offset : ndarray, shape (2,), float64
        Pixels along y and x.
    displacement : ndarray, shape (2, height, width), float64
        What is added to the affine map, pixels.
    correlation : float
        Of the flattened pictures after registration, -1 to 1.
    before : float
        The same before it.
    """

    matrix: Values
    offset: Values
    displacement: Values
    correlation: float
    before: float

    @property
    def places(self) -> Values:
        """Place in the second picture of each pixel of the first, shape (2, height, width)."""
        _, height, width = self.displacement.shape
        grid = grid_of(height, width)
        moved = np.tensordot(self.matrix, grid, axes=1) + self.offset[:, None, None]
        return np.asarray(moved + self.displacement)

    @property
    def shift_px(self) -> float:
        """Median length of the way that a pixel goes."""
        _, height, width = self.displacement.shape
        grid = grid_of(height, width)
        return float(np.median(np.hypot(*(self.places - grid))))


def register(
    first: Image,
    second: Image,
    *,
    degrees: float = 8.0,
    patch_px: int = 96,
    largest_px: float = 8.0,
) -> Registration:
    """Find the map from one picture to another of the same field.

    Parameters
    ----------
    first, second : ndarray, shape (height, width)
        Of one magnification; they may differ in size.
    degrees : float
        Largest rotation that is looked for.
    patch_px : int
        Side of the patches; 0 stops at the affine map.
    largest_px : float
        How far a patch may lie from where the affine map puts it.

    Raises
    ------
    BadArgumentError
        A picture is not two-dimensional, or the same everywhere.
    """
    a, b = (_flattened(image) for image in (first, second))
    matrix, offset = _rigid(a, b, degrees)
    matrix, offset = _affine(a, b, matrix, offset)
    still = np.zeros((2, *a.shape))
    found = Registration(matrix, offset, still, 0.0, _correlation(a, _fitted(b, a.shape)))
    if patch_px:
        for _ in range(2):
            moved = found.displacement + _patches(a, resampled(b, found), patch_px, largest_px)
            found = Registration(matrix, offset, moved, 0.0, found.before)
    plain = Registration(matrix, offset, still, 0.0, found.before)
    scores = [_correlation(a, resampled(b, each)) for each in (plain, found)]
    best, score = (found, scores[1]) if scores[1] >= scores[0] else (plain, scores[0])
    return Registration(best.matrix, best.offset, best.displacement, score, best.before)


def resampled(image: Image, registration: Registration) -> Values:
    """The second picture as the first would show it; NaN beyond its edge."""
    from scipy.ndimage import map_coordinates

    out = map_coordinates(
        np.asarray(image, np.float64), registration.places, order=1, cval=np.nan, mode="constant"
    )
    return np.asarray(out)


def _flattened(image: Image) -> Values:
    """The picture freed of slow brightness, at unit deviation, without far outliers."""
    from scipy.ndimage import gaussian_filter

    if image.ndim != 2 or min(image.shape) < 16 or not np.ptp(np.nan_to_num(image)) > 0:
        raise BadArgumentError(
            "pictures of a field, of at least 16 x 16 pixels that are not all the same",
            f"shape {image.shape}",
            "Give the mean image of each day.",
        )
    clean = np.nan_to_num(np.asarray(image, np.float64), nan=float(np.nanmedian(image)))
    wide = max(8.0, min(image.shape) / 16)
    slow = gaussian_filter(clean, wide)
    fine = gaussian_filter(clean, 1.0) - slow
    spread = np.sqrt(gaussian_filter(fine**2, wide)) + 0.1 * fine.std() + 1e-12
    return np.asarray(np.clip(fine / spread, -4, 4))


def _fitted(image: Values, shape: tuple[int, ...]) -> Values:
    """The picture cut or padded with NaN to another size."""
    out = np.full(shape, np.nan)
    height, width = (min(a, b) for a, b in zip(image.shape, shape, strict=True))
    out[:height, :width] = image[:height, :width]
    return out


def _correlation(a: Values, b: Values) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 64 or not (np.ptp(a[known]) > 0 and np.ptp(b[known]) > 0):
        return 0.0
    return float(np.corrcoef(a[known], b[known])[0, 1])


def _rigid(a: Values, b: Values, degrees: float) -> tuple[Values, Values]:
    """Rotation and shift of the highest phase correlation."""
    from scipy.ndimage import zoom

    factor = min(1.0, _COARSE_PX / max(*a.shape, *b.shape))
    small = [zoom(each, factor, order=1) for each in (a, b)]
    best, found = -np.inf, (np.eye(2), np.zeros(2))
    for angle in np.arange(-np.floor(degrees), np.floor(degrees) + 0.5, 1.0):
        matrix = rotation(float(angle))
        middle_a, middle_b = ((np.asarray(each.shape) - 1) / 2 for each in small)
        offset = middle_b - matrix @ middle_a
        turned = _moved(small[1], matrix, offset, small[0].shape)
        shift, peak = phase_shift(small[0], np.nan_to_num(turned))
        if peak > best:
            best, found = peak, (matrix, offset + matrix @ shift)
    matrix, offset = found
    return matrix, offset / factor


def grid_of(height: int, width: int) -> Values:
    """Place (y, x) of each pixel, shape (2, height, width)."""
    return np.asarray(np.indices((height, width)), np.float64)


def rotation(degrees: float) -> Values:
    """Matrix that turns (y, x) by an angle."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _moved(image: Values, matrix: Values, offset: Values, shape: tuple[int, ...]) -> Values:
    from scipy.ndimage import affine_transform

    return np.asarray(
        affine_transform(image, matrix, offset, output_shape=shape, order=1, cval=np.nan)
    )


def phase_shift(a: Values, b: Values) -> tuple[Values, float]:
    """Shift d with ``a(p) = b(p + d)``, to a fraction of a pixel, and the height of its peak."""
    size = tuple(int(max(x, y)) for x, y in zip(a.shape, b.shape, strict=True))
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in size))
    spectra = [np.fft.rfft2(_padded(each, size) * window) for each in (a, b)]
    cross = np.conj(spectra[0]) * spectra[1]
    surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-9 * np.abs(cross).max() + 1e-300), size)
    from scipy.ndimage import gaussian_filter

    surface = gaussian_filter(surface, 0.8, mode="wrap")
    at = np.unravel_index(int(surface.argmax()), size)
    shift = np.array(
        [float(i - n) if i > n // 2 else float(i) for i, n in zip(at, size, strict=True)]
    )
    for axis in (0, 1):
        near = [
            surface[tuple(np.add(at, np.eye(2, dtype=int)[axis] * d) % np.asarray(size))]
            for d in (-1, 0, 1)
        ]
        bend = near[0] - 2 * near[1] + near[2]
        shift[axis] += 0.5 * (near[0] - near[2]) / bend if bend < 0 else 0.0
    return shift, float(surface.max())


def _padded(image: Values, size: tuple[int, ...]) -> Values:
    out = np.zeros(size)
    out[: image.shape[0], : image.shape[1]] = np.nan_to_num(image - np.nanmean(image))
    return out


def _affine(a: Values, b: Values, matrix: Values, offset: Values) -> tuple[Values, Values]:
    """Gauss-Newton on the difference of the pictures, coarse to fine."""
    from scipy.ndimage import gaussian_filter

    height, width = a.shape
    grid = grid_of(height, width)
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    at = (grid - middle[:, None, None]) / max(height, width)
    for blur in (6.0, 3.0, 1.5):
        fixed, moving = gaussian_filter(a, blur), gaussian_filter(b, blur)
        slopes = np.gradient(moving)
        for _ in range(_STEPS):
            here = _moved(moving, matrix, offset, a.shape)
            dy, dx = (_moved(s, matrix, offset, a.shape) for s in slopes)
            known = np.isfinite(here) & np.isfinite(dy) & np.isfinite(dx)
            if known.sum() < 0.2 * a.size:
                return matrix, offset
            columns = [g * w for g in (dy, dx) for w in (at[0], at[1], 1.0)]
            design = np.stack([c[known] for c in columns], axis=1)
            step, *_ = np.linalg.lstsq(design.T @ design + 1e-6 * np.eye(6), design.T @ (
                (fixed - here)[known]
            ), rcond=None)  # fmt: skip
            bend = np.array([step[:2], step[3:5]]) / max(height, width)
            matrix = matrix + bend
            offset = offset + step[[2, 5]] - bend @ middle
            if np.abs(step).max() < 1e-3:
                break
    return matrix, offset


def _patches(a: Values, b: Values, patch_px: int, largest_px: float) -> Values:
    """Displacement that is left, patch by patch, smooth over the field; (2, height, width)."""
    from scipy.ndimage import gaussian_filter, zoom

    height, width = a.shape
    rows, columns = (_starts(n, patch_px) for n in (height, width))
    shifts = np.zeros((2, rows.size, columns.size))
    trust = np.zeros((rows.size, columns.size))
    for i, top in enumerate(rows.tolist()):
        for j, left in enumerate(columns.tolist()):
            part = (slice(top, top + patch_px), slice(left, left + patch_px))
            if np.isfinite(b[part]).mean() < 0.5:
                continue
            shift, peak = phase_shift(a[part], np.nan_to_num(b[part]))
            if np.abs(shift).max() <= largest_px and peak > _LEAST_PEAK:
                shifts[:, i, j], trust[i, j] = shift, peak
    if not trust.any():
        return np.zeros((2, height, width))
    weight = gaussian_filter(trust, 0.7) + 1e-9
    smooth = np.stack([gaussian_filter(s * trust, 0.7) / weight for s in shifts])
    factors = (height / rows.size, width / columns.size)
    return np.stack([
        zoom(s, factors, order=1, mode="nearest", grid_mode=True)[:height, :width] for s in smooth
    ])  # fmt: skip


def _starts(n: int, patch_px: int) -> npt.NDArray[np.int64]:
    """First pixels of patches that overlap by half and cover `n` pixels."""
    if n <= patch_px:
        return np.zeros(1, np.int64)
    count = int(np.ceil((n - patch_px) / (patch_px / 2))) + 1
    return np.rint(np.linspace(0, n - patch_px, count)).astype(np.int64)


__all__ = ["Registration", "phase_shift", "register", "resampled", "rotation"]
