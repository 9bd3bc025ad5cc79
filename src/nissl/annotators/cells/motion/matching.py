"""Displacement of frames against a template by phase correlation, to a small part of a pixel.

Each wave of a frame votes with its phase alone. Its weight is that of the generalised correlation
method, ``g^2 / (1 - g^2)`` of the coherence g between frame and template at its wavelength, so
noisy waves do not count; the coherence is measured on sampled frames. The peak is found on whole
pixels and then climbed exactly, for a correlation is a sum of waves. What the weights say of noise
also says how far off a displacement may be.

Notes
-----
Phase correlation: Kuglin and Hines, Proc. Int. Conf. Cybernetics and Society, 1975. Weights: Knapp
and Carter, IEEE Trans. Acoustics, Speech, and Signal Processing 24, 1976. Blocks that move apart
from the frame: Pnevmatikakis and Giovannucci, Journal of Neuroscience Methods 291, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.motion.grid import Grid

Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Waves = npt.NDArray[np.complex64]
LEAST_HEIGHT = 6.0
"""Noise deviations that the peak of a whole frame must reach; the largest of some thousand
values of noise alone reaches 4."""
LEAST_BLOCK_HEIGHT = 5.0
_RINGS = 32
_START_COHERENCE = 0.35


@dataclass(frozen=True, eq=False)
class Pattern:
    """What windows of one size are compared with.

    Parameters
    ----------
    size : tuple of int
    taper : ndarray, shape (h, w), float32
    targets : ndarray, shape (n, h, w // 2 + 1), complex64
        Weighted phases of each window of the template, conjugate.
    noise : ndarray, shape (3,), float64
        Variance of the correlation, and of its slope along y and x, where only noise is.
    """

    size: tuple[int, int]
    taper: Floats
    targets: Waves
    noise: Values


@dataclass(frozen=True, eq=False)
class Matcher:
    """A template, ready to be compared with.

    Parameters
    ----------
    grid : Grid
    template : ndarray, shape (h, w), float32
    coherence : ndarray, shape (n_rings,), float64
        Amplitude coherence of frame and template over wave number, up to half a cycle per pixel.
    widest : float
        Width above which structures do not count, pixels of the smaller image.
    local : int
        Largest displacement of a block apart from the frame, pixels of the smaller image.
    whole, blocks : Pattern
    """

    grid: Grid
    template: Floats
    coherence: Values
    widest: float
    local: int
    whole: Pattern
    blocks: Pattern | None


@dataclass(frozen=True, eq=False)
class Found:
    """Displacements of frames.

    Parameters
    ----------
    shift : ndarray, shape (n, 2), float64, px
        Of the content of whole frames along y and x.
    height : ndarray, shape (n,), float64
        Of the correlation's peak, in deviations of its noise.
    error : ndarray, shape (n,), float64, px
        Expected distance from the truth along either axis, root mean square.
    nodes : ndarray, shape (n, rows, columns, 2), float32, px
        Displacement at the nodes of the grid.
    """

    shift: Values
    height: Values
    error: Values
    nodes: Floats


def matcher(
    grid: Grid, template: Floats, coherence: Values, *, widest: float, local: int
) -> Matcher:
    """Prepare a template; see `Matcher`."""
    everywhere = np.zeros((1, 2), np.int64)
    whole = _pattern(template, everywhere, grid.size, coherence, widest, max(grid.reach))
    blocks = None
    if len(grid.origins):
        blocks = _pattern(template, grid.origins, grid.block, coherence, widest, local)
    return Matcher(grid, template, coherence, widest, local, whole, blocks)


def first_coherence() -> Values:
    """Coherence to begin with, when nothing was measured: falls like a Gaussian."""
    return np.asarray(0.5 * np.exp(-(((np.arange(_RINGS) + 0.5) / _RINGS / _START_COHERENCE) ** 2)))


def retargeted(known: Matcher, template: Floats, coherence: Values | None = None) -> Matcher:
    """Another template, or other weights, for the same grid."""
    weights = known.coherence if coherence is None else coherence
    return matcher(known.grid, template, weights, widest=known.widest, local=known.local)


def matched(matcher: Matcher, images: Floats, *, local: bool = True) -> Found:
    """Displacements of smaller images, (n, h, w), each for itself; of blocks only if `local`."""
    factor = matcher.grid.factor
    peaks, _ = rigid(matcher, images)
    noise = matcher.whole.noise
    height = peaks[:, 2] / np.sqrt(max(noise[0], 1e-30))
    variance = _variances(peaks, noise) * factor**2
    shift = peaks[:, :2] * factor
    nodes = np.broadcast_to(shift[:, None, None], (len(images), *matcher.grid.nodes, 2))
    if matcher.blocks is not None and local:
        nodes = np.stack(
            [_nodes(matcher, image, peak[:2]) for image, peak in zip(images, peaks, strict=True)]
        )
    return Found(shift, height, np.sqrt(variance.mean(axis=1)), np.asarray(nodes, np.float32))


def rigid(matcher: Matcher, images: Floats) -> tuple[Values, Waves]:
    """Peaks, (n, 5): lag along y and x, height, bends; and the crossed spectra."""
    from nissl.annotators.cells.motion.kernels import crossed

    spectra = _spectra(images, np.zeros((len(images), 2), np.int64), matcher.whole, each=True)
    crossed(spectra, matcher.whole.targets)
    return _peaks(spectra, matcher.whole.size, matcher.grid.reach), spectra


def _nodes(matcher: Matcher, image: Floats, shift: Values) -> Values:
    """Displacements at the nodes of one image from those of its blocks, px."""
    grid = matcher.grid
    seen, precision = _apart(matcher, image, shift)
    out = np.empty((grid.prior.shape[0], 2))
    for axis in range(2):
        # blocks overlap by half: each pixel is seen four times
        weighted = grid.at_blocks * (precision[:, axis, None] / 4)
        out[:, axis] = np.linalg.solve(
            grid.prior + grid.at_blocks.T @ weighted, weighted.T @ seen[:, axis]
        )
    return np.asarray(out.reshape(*grid.nodes, 2) + shift * grid.factor)


def _apart(matcher: Matcher, image: Floats, shift: Values) -> tuple[Values, Values]:
    """How far each block is from where the whole frame would put it, px, and its precision."""
    from nissl.annotators.cells.motion.kernels import crossed

    grid, blocks = matcher.grid, matcher.blocks
    if blocks is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    whole = np.round(shift).astype(np.int64)
    spectra = _spectra(image[None], grid.origins + whole, blocks, each=False)
    crossed(spectra, blocks.targets)
    peaks = _peaks(spectra, blocks.size, (matcher.local, matcher.local))
    seen = (peaks[:, :2] + whole - shift) * grid.factor
    precision = 1 / (_variances(peaks, blocks.noise) * grid.factor**2 + 1e-4)
    precision[peaks[:, 2] < LEAST_BLOCK_HEIGHT * np.sqrt(blocks.noise[0])] = 0
    return seen, precision


def local_motion(matcher: Matcher, images: Floats) -> float:
    """Deviation of blocks from the whole frame, px, beyond what their noise explains.

    From the median of each block's squares, so that a block that was lost does not count.
    """
    peaks, _ = rigid(matcher, images)
    found = [_apart(matcher, i, p[:2]) for i, p in zip(images, peaks, strict=True)]
    seen, precision = np.stack([a for a, _ in found]), np.stack([b for _, b in found])
    known = np.where(precision > 0, (seen - np.median(seen, axis=0)) ** 2, np.nan)
    good = np.isfinite(known).sum(axis=0) >= max(len(images) // 4, 5)
    if not good.any():
        return 0.0
    square = np.nanmedian(known[:, good], axis=0) / 0.455  # the median of a squared normal value
    noise = np.nanmedian(np.where(precision > 0, 1 / precision.clip(1e-9), np.nan)[:, good], axis=0)
    return float(np.sqrt(max(float((square - noise).mean()), 0.0)))


def _variances(peaks: Values, noise: Values) -> Values:
    """Variance of lags along y and x: that of the slope over the square of the bend."""
    bends = np.where(peaks[:, 3:5] > 0, peaks[:, 3:5], np.nan)
    return np.asarray(np.nan_to_num(noise[1:] / bends**2, nan=1e6, posinf=1e6))


def _spectra(
    images: Floats, corners: npt.NDArray[np.int64], pattern: Pattern, *, each: bool
) -> Waves:
    """Half spectra of windows: one of each image, or all of the only image."""
    from scipy.fft import rfft2

    from nissl.annotators.cells.motion.kernels import tapered

    windows = np.empty((len(corners), *pattern.size), np.float32)
    for index, corner in enumerate(corners):
        tapered(images[index if each else 0], corner, pattern.taper, windows[index])
    return np.ascontiguousarray(rfft2(windows), np.complex64)


def _peaks(spectra: Waves, size: tuple[int, int], reach: tuple[int, int]) -> Values:
    from scipy.fft import irfft2

    from nissl.annotators.cells.motion.kernels import climbed, summits

    surfaces = irfft2(spectra, size)
    lags = np.empty((len(spectra), 2), np.int64)
    summits(surfaces, np.asarray(reach, np.int64), lags)
    ky, kx, twice = waves(size)
    out = np.empty((len(spectra), 5))
    for index in range(len(spectra)):
        climbed(spectra[index], ky, kx, twice, lags[index], out[index])
    return out


def waves(size: tuple[int, int]) -> tuple[Values, Values, Values]:
    """Wave numbers along y and x, radians per pixel, and how often each column counts."""
    ky = np.asarray(2 * np.pi * np.fft.fftfreq(size[0]), np.float64)
    kx = np.asarray(2 * np.pi * np.fft.rfftfreq(size[1]), np.float64)
    twice: Values = np.full(kx.size, 2.0)
    twice[0] = 1.0
    if size[1] % 2 == 0:
        twice[-1] = 1.0
    return ky, kx, twice


def rings(size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Ring of each wave of a half spectrum, by its wave number; `_RINGS` beyond the last."""
    y, x = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    return np.asarray(np.minimum(np.hypot(y, x) * 2 * _RINGS, _RINGS), np.int64)


def _weights(size: tuple[int, int], coherence: Values, widest: float) -> Values:
    """Weight of each wave of a half spectrum, largest 1."""
    square = np.append(np.minimum(coherence, 0.97) ** 2, 0.0)
    likely = square / (1 - square)
    y, x = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    narrow = 1 - np.exp(-0.5 * ((y**2 + x**2) * widest**2))
    weights = likely[rings(size)] * narrow
    if size[0] % 2 == 0:
        weights[size[0] // 2] = 0
    if size[1] % 2 == 0:
        weights[:, -1] = 0
    return np.asarray(weights / max(weights.max(), 1e-12))


def _pattern(
    template: Floats,
    origins: npt.NDArray[np.int64],
    size: tuple[int, int],
    coherence: Values,
    widest: float,
    reach: int,
) -> Pattern:
    weights = _weights(size, coherence, widest)
    taper = np.outer(*(_taper(n, reach) for n in size)).astype(np.float32)
    bare = Pattern(size, taper, np.empty(0, np.complex64), np.zeros(3))
    spectra = _spectra(template[None], origins, bare, each=False)
    length = np.abs(spectra)
    targets = np.conj(spectra) * (weights / np.where(length > 0, length, 1))
    targets[length <= 1e-6 * length.max(initial=0.0)] = 0
    ky, kx, twice = waves(size)
    # each wave of noise has a phase of its own; a taper ties neighbours together
    tied = (taper.astype(float) ** 4).mean() / (taper.astype(float) ** 2).mean() ** 2
    power = weights**2 * twice**2 / 2 * tied
    noise = np.array([power.sum(), (power * ky[:, None] ** 2).sum(), (power * kx**2).sum()])
    return Pattern(size, taper, np.ascontiguousarray(targets, np.complex64), noise)


def _taper(n: int, reach: int) -> Values:
    """Rises from either edge, over a quarter of the window at most."""
    edge = int(np.clip(reach + 2, 2, max(n // 4, 2)))
    at = np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5)
    return np.asarray(np.sin(0.5 * np.pi * np.minimum(at / edge, 1)) ** 2)


def coherence_of(matcher: Matcher, images: Floats) -> Values:
    """Coherence of images with the template, by ring; what the images bring into it is taken off.

    Images are those that the template was made of, in their places.
    """
    from nissl.annotators.cells.motion.kernels import crossed

    size = matcher.grid.size
    flat = _pattern(
        matcher.template,
        np.zeros((1, 2), np.int64),
        size,
        np.full(_RINGS, 0.5),
        1e6,
        max(matcher.grid.reach),
    )
    ring = rings(size)
    total, number = np.zeros(_RINGS + 1), np.bincount(ring.ravel(), minlength=_RINGS + 1)
    peaks, _ = rigid(matcher, images)
    ky, kx, _ = waves(size)
    for image, peak in zip(images, peaks, strict=True):
        spectra = _spectra(image[None], np.zeros((1, 2), np.int64), flat, each=True)
        crossed(spectra, flat.targets)
        back = np.exp(1j * (ky * peak[0]))[:, None] * np.exp(1j * kx * peak[1])
        agree = np.real(spectra[0] * back)
        total += np.bincount(ring.ravel(), agree.ravel(), minlength=_RINGS + 1)
    known = total[:_RINGS] / np.maximum(number[:_RINGS], 1) / len(images)
    smooth = np.convolve(np.pad(known, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    own = 0.8 / np.sqrt(len(images))
    return np.asarray(np.clip(smooth - own, 0.0, 0.97))


__all__ = [
    "LEAST_HEIGHT",
    "Found",
    "Matcher",
    "coherence_of",
    "first_coherence",
    "local_motion",
    "matched",
    "matcher",
    "retargeted",
    "rigid",
]
