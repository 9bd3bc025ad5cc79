"""Nuclei in one volume: bright blobs of about one size, with places between voxels.

The volume's square root (which makes photon noise even, and dim nuclei count beside bright ones)
is filtered with Laplacians of Gaussians at a few scales, each as wide in micrometres along y and
x and longer along z, as microscopes blur (scale-normalised blobs: Lindeberg 1998, Int. J. Comput.
Vis. 30). Maxima over space and scale that stand out of the noise are blobs; filters narrower than
a nucleus part those that touch. A parabola through neighbours gives the place within a voxel.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

ELONGATION = 1.5
"""How much longer along z than across a nucleus looks under a light microscope."""
STEP = 1.33
"""From one filter to the next; the middle one of three fits a nucleus of the stated diameter."""
LEAST_WIDTH = 0.6
"""Width of a filter in voxels below which its samples are no Gaussian any more."""
LADDER = 1.3 ** np.arange(6.0)
"""Standard deviations in pixels among which `likely_diameter` chooses."""
STANDS_OUT, FAINTEST = 5.0, 0.06
"""A blob is this many standard deviations of noise, and this part of the brightest blobs."""
Floats = npt.NDArray[np.float32]
Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Found:
    """Blobs of a volume, the clearest first.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3), float32, voxels
    score : ndarray, shape (n,), float32
        Response over the noise, in standard deviations.
    diameter : ndarray, shape (n,), float32
        Full width at half maximum in the plane, in the unit of the spacing.
    """

    xyz: Floats
    score: Floats
    diameter: Floats


def blobs(
    volume: npt.NDArray[np.generic],
    spacing_um: Spacing,
    *,
    diameter_um: float,
    threshold: float = STANDS_OUT,
    most: int | None = None,
) -> Found:
    """Find nuclei.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        Bright nuclei on dark ground, in any unit.
    spacing_um : tuple of float, along z, y, x
    diameter_um : float
        Full width of a nucleus at half of its brightness, in the plane; see `likely_diameter`.
    threshold : float
        In standard deviations of the noise.
    most : int, optional
        Keep the clearest.

    Returns
    -------
    Found
        Empty for a volume that shows nothing.
    """
    if volume.ndim != 3 or not diameter_um > 0:
        raise BadArgumentError(
            "a volume (z, y, x) and a diameter above 0",
            f"shape {volume.shape}, diameter {diameter_um}",
            "Give one channel of one volume.",
        )
    even = evened(volume)
    noise = noise_of(even)
    if noise is None:
        return _nothing()
    sd = diameter_um / 2.355
    widths = sd * np.sqrt(2 / 3) * STEP ** np.arange(-1, 2)
    stack = responses(even, widths, spacing_um)
    expected = noise * np.asarray([_gain(width, spacing_um) for width in widths])
    # where most of a volume is ground its response tells more, as noise is not quite white
    quiet = np.quantile(np.abs(stack[:, :, ::2, ::2]), 0.25, axis=(1, 2, 3)) / 0.3186
    return _maxima(stack, np.maximum(expected, quiet), widths, spacing_um, threshold, most)


def evened(volume: npt.NDArray[np.generic]) -> Floats:
    """Root of the light above the ground, float32, in which noise is even.

    Noise has a part that the dark has too, and one that grows with light as photons do; the root
    of light plus the right constant makes both alike (Anscombe 1948, Biometrika 35). What is no
    number counts as ground.
    """
    values = np.asarray(volume, np.float32)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=float(np.nanmedian(values)), posinf=0.0, neginf=0.0)
    ground = np.median(values[:, ::4, ::4])
    light = values - ground
    constant = np.float32(_constant(light[::2]))
    return np.asarray(np.sqrt(np.maximum(light + constant, 0)), np.float32)


def _constant(light: Floats) -> float:
    """Variance of the dark over what variance grows by per unit of light.

    Read off second differences along x, in voxels that are about as bright as their neighbours.
    """
    mean = (light[:, :, 2:] + light[:, :, 1:-1] + light[:, :, :-2]) / 3
    bend = np.abs(light[:, :, 2:] - 2 * light[:, :, 1:-1] + light[:, :, :-2])
    dark = mean <= 0
    if not dark.any() or dark.all():
        return 0.0
    still = _variance(bend[dark])
    levels = np.quantile(mean[~dark], [0.5, 0.7, 0.85, 0.95])
    growth = [
        (_variance(bend[(mean > low) & (mean <= high)]) - still) / (0.5 * (low + high))
        for low, high in itertools.pairwise(levels)
        if high > low > 0
    ]
    steps = [step for step in growth if step > 0]
    return still / min(steps) if steps else still


def _variance(bend: Floats) -> float:
    """Variance of noise from absolute second differences of it."""
    return float((1.4826 * np.median(bend)) ** 2 / 6) if bend.size else 0.0


def noise_of(even: Floats) -> float | None:
    """Standard deviation of the noise from second differences along x; None without any light.

    Only voxels with light count: a ground that was cut off at zero has no noise to measure.
    """
    if not even.any():
        return None
    even = even[::2]  # half of the planes say enough
    lit = even > 0
    bend = even[:, :, 2:] - 2 * even[:, :, 1:-1] + even[:, :, :-2]
    seen = lit[:, :, 1:-1] & lit[:, :, 2:] & lit[:, :, :-2]
    if seen.sum() < 100:
        return float(even.max()) * 1e-2
    measured = 1.4826 * float(np.median(np.abs(bend[seen]))) / np.sqrt(6)
    return float(max(measured, 1e-3 * float(even.max())))


def likely_diameter(volume: npt.NDArray[np.generic], spacing_um: Spacing) -> float:
    """Full width at half maximum of the nuclei of a volume, in the plane, in um.

    The scale at which the clearest blobs answer most, over `LADDER`. Pixels are the unit that a
    nucleus is looked for in: it must be wider than one, and narrower than ten.
    """
    even = evened(volume)
    widths = LADDER * np.sqrt(2 / 3) * spacing_um[2]
    told = []
    for response in responses(even, widths, spacing_um):
        peaks = response[tuple(_peaks(response, 0.0).T)]
        told.append(float(np.sort(peaks)[-30:].mean()) if peaks.size else 0.0)
    best = int(np.argmax(told))
    rung = float(LADDER[best])
    if 0 < best < len(LADDER) - 1:
        step = _vertex(*(np.float64(told[best + k]) for k in (-1, 0, 1)))
        rung *= float(LADDER[best + 1] / LADDER[best]) ** step
    return 2.355 * rung * spacing_um[2] / float(np.sqrt(2))  # a root is wider than its Gaussian


def _widths(width: float, spacing: Spacing) -> tuple[float, float, float]:
    z, y, x = spacing
    sizes = (width * ELONGATION / z, width / y, width / x)
    return (max(sizes[0], LEAST_WIDTH), max(sizes[1], LEAST_WIDTH), max(sizes[2], LEAST_WIDTH))


def responses(even: Floats, widths: npt.NDArray[np.float64], spacing: Spacing) -> Floats:
    """Differences of Gaussians, one for each of the widths, which form a geometric series.

    Each level is made from the one before, and serves two differences.
    """
    ratio = STEP if len(widths) == 1 else float(widths[1] / widths[0])
    inner = widths[0] / np.sqrt(ratio)
    before: npt.NDArray[np.float64] | None = None
    level, levels = even, []
    for width in inner * ratio ** np.arange(len(widths) + 1):
        wide = np.asarray(_widths(width, spacing))
        more = wide if before is None else np.sqrt(wide**2 - before**2)
        level = _blurred(level, more)
        levels.append(level)
        before = wide
    steps = np.stack([a - b for a, b in itertools.pairwise(levels)])
    return np.asarray(steps / np.log(ratio), np.float32)


def _blurred(values: Floats, widths: npt.NDArray[np.float64]) -> Floats:
    """Gaussian filter; beyond the edge lies the edge."""
    for axis, width in enumerate(widths.tolist()):
        reach = max(1, int(np.ceil(3 * width)))
        taps = np.exp(-0.5 * (np.arange(reach + 1) / max(width, 1e-6)) ** 2)
        taps = (taps / (2 * taps.sum() - 1)).astype(np.float32)
        size = values.shape[axis]
        pad = [(reach, reach) if k == axis else (0, 0) for k in range(3)]
        moved = np.pad(values, pad, mode="edge")
        part = [slice(None)] * 3
        values = values * taps[0]
        for k, tap in enumerate(taps[1:], 1):
            for shift in (reach - k, reach + k):
                part[axis] = slice(shift, shift + size)
                values += tap * moved[tuple(part)]
    return values


def _gain(width: float, spacing: Spacing) -> float:
    """Standard deviation of the response to white noise of standard deviation one."""
    wide = _widths(width, spacing)
    size = [2 * int(np.ceil(5 * w)) + 1 for w in wide]
    impulse = np.zeros(size, np.float32)
    impulse[tuple(n // 2 for n in size)] = 1
    response = responses(impulse, np.asarray([width]), spacing)
    return float(np.sqrt(np.square(response, dtype=np.float64).sum()))


def _maxima(
    stack: Floats,
    noise: npt.NDArray[np.float64],
    widths: npt.NDArray[np.float64],
    spacing: Spacing,
    threshold: float,
    most: int | None,
) -> Found:
    places, clear, strength, scales = [], [], [], []
    bright = np.sort(stack[1].max(axis=0).ravel())[-20:].mean()
    for k, response in enumerate(stack):
        limit = max(threshold * noise[k], FAINTEST * float(bright))
        at = _peaks(response, limit)
        places.append(at)
        strength.append(response[tuple(at.T)])
        clear.append(response[tuple(at.T)] / noise[k])
        scales.append(np.full(len(at), k))
    at, power, scale = np.concatenate(places), np.concatenate(strength), np.concatenate(scales)
    if not len(at):
        return _nothing()
    kept = _strongest(at, power, widths[scale], spacing)[:most]
    at, scale, score = at[kept], scale[kept], np.concatenate(clear)[kept]
    zyx = np.stack([_within(stack[k], place) for k, place in zip(scale, at, strict=True)])
    diameter = 2.355 * widths[scale] / np.sqrt(2 / 3)
    return Found(
        np.ascontiguousarray(zyx[:, ::-1], np.float32),
        score.astype(np.float32),
        diameter.astype(np.float32),
    )


def _peaks(response: Floats, limit: float) -> npt.NDArray[np.int64]:
    """Voxels above the limit that no neighbour surpasses, (n, 3); of equal ones the first."""
    at = np.argwhere(response > limit)
    shape = np.asarray(response.shape)
    for step in itertools.product((-1, 0, 1), repeat=3):
        if any(step):
            beside = np.clip(at + step, 0, shape - 1)
            here, there = response[tuple(at.T)], response[tuple(beside.T)]
            same = (beside == at).all(axis=1)
            at = at[same | (here > there) | ((here == there) & (step < (0, 0, 0)))]
    return at


def _strongest(
    at: npt.NDArray[np.int64],
    power: Floats,
    width: npt.NDArray[np.float64],
    spacing: Spacing,
) -> npt.NDArray[np.intp]:
    """One maximum for each blob, the strongest first; wide filters see what narrow ones part."""
    from scipy.spatial import cKDTree

    shape = np.asarray(spacing) / (ELONGATION, 1, 1)
    scaled = at * shape
    tree = cKDTree(scaled)
    order = np.argsort(-power, kind="stable")
    alive = np.ones(len(at), bool)
    kept = []
    for k in order.tolist():
        if alive[k]:
            kept.append(k)
            alive[tree.query_ball_point(scaled[k], 1.2 * float(width[k]))] = False
    return np.asarray(kept, np.intp)


def _within(response: Floats, place: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """A maximum between voxels: a parabola along each axis, at most half a voxel away."""
    found = place.astype(np.float64)
    for axis in range(3):
        if 0 < place[axis] < response.shape[axis] - 1:
            index: list[Sequence[int] | int] = [int(k) for k in place]
            index[axis] = [int(place[axis]) + k for k in (-1, 0, 1)]
            before, here, after = response[tuple(index)].astype(np.float64)
            found[axis] += _vertex(before, here, after)
    return found


def _vertex(before: np.float64, here: np.float64, after: np.float64) -> float:
    """Where the parabola through three equidistant values is greatest, -0.5 to 0.5."""
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _nothing() -> Found:
    empty = np.zeros(0, np.float32)
    return Found(np.zeros((0, 3), np.float32), empty, empty)
