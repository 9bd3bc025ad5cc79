"""Synthetic annotated volumes of masks: objects carried towards coarse objects of a target.

Centres and sides of every object that both volumes have are matched points, so a field meets their
places, sizes and depth; what is left is met per plane by optical flow between images. Labels are
read by nearest neighbour, then tidied: one piece each, without holes. The steps are those of
targeted augmentation (Park et al., eLife 2024); the field is one in 3-D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.fields import Field, Triple, fit_field, resampled, voxel_size
from nissl.annotators.tracks.synthesis import Settings, drawn, dressed, gains
from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

SIDE = 0.2
"""Share of an object's voxels, outermost along an axis, that make one of its sides."""
MOST_FLOW = 3.0
"""Pixels that flow may move, at most: it refines, and on another neuron it must not lock."""
SWELLING = 3.0
"""Factor by which a typical object may not grow or shrink."""


@dataclass(frozen=True, eq=False)
class SyntheticMasks:
    """A synthetic volume with its objects.

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x), float32
    mask : ndarray, shape (z, y, x), of the type of the source's
        Objects by the source's numbers, 0 for none.
    field : Field
        What carried them, flow apart.
    """

    volume: Floats
    mask: Labels
    field: Field


def synthesise_masks(
    volume: npt.NDArray[Any],
    mask: Labels,
    target_mask: Labels,
    spacing_um: Triple | None,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    target_volume: npt.NDArray[Any] | None = None,
    scale: Triple | None = None,
) -> SyntheticMasks | None:
    """Deform a volume with masks towards coarse masks of a target.

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x)
        Annotated.
    mask, target_mask : ndarray of int, shape (z, y, x)
        Annotated objects, and those predicted in the target by the same numbers; 0 for none.
    spacing_um, scale : tuple of float or None
        Size of a voxel along z, y, x, as for `fit_field`.
    rng : Generator
        Draws the part, the additional bending and the noise.
    settings : Settings, optional
        `least_matched` counts objects; by default three.
    target_volume : ndarray, shape (c, z, y, x), optional
        Gives brightness, noise and flow; without it there is no flow.

    Returns
    -------
    SyntheticMasks or None
        None where too few objects were predicted or no draw was plausible.
    """
    from scipy import ndimage

    if mask.shape != volume.shape[1:] or target_mask.shape != mask.shape:
        raise BadArgumentError(
            f"masks of {volume.shape[1:]}, as the volume's",
            f"{mask.shape} and {target_mask.shape}",
            "Give masks of the same voxels.",
        )
    how = settings or Settings(least_matched=3)
    size = voxel_size(spacing_um, scale)
    before, after = landmarks(mask), landmarks(target_mask)
    common = sorted(before.keys() & after.keys())
    if len(common) < how.least_matched:
        return None
    n_z, n_y, n_x = (int(n) for n in mask.shape)
    from_, to = (np.concatenate([each[i] for i in common]) for each in (before, after))
    whole = fit_field(
        from_, to, (n_z, n_y, n_x), None, scale=size, n_modes=how.n_modes, strain=how.strain
    )
    field = drawn(whole, np.stack([points[0] for points in before.values()]), rng, how)
    if field is None:
        return None
    sources = field.sources()
    gain, target = np.ones(len(volume)), volume
    if target_volume is not None:
        target = target_volume
        gain = gains(_brightness(volume, mask), _brightness(target, target_mask))
        flow = plane_flow(resampled(volume[:1], sources)[0], target_volume[0])
        sources = _after(sources, flow)
    labels = tidied(ndimage.map_coordinates(mask, sources, order=0, mode="grid-constant"))
    if not _alike(mask, labels, how):
        return None
    image = dressed(resampled(volume, sources), volume, sources, target, gain, rng)
    return SyntheticMasks(image, labels, field)


def landmarks(mask: Labels) -> dict[int, Reals]:
    """Centre and six sides of each object, (7, 3) voxels x, y, z, by its number.

    A side is the mean of its outermost voxels: it moves when an object grows or is squeezed,
    and stands a few wrong voxels.
    """
    from scipy import ndimage

    out = {}
    for number, box in enumerate(ndimage.find_objects(mask.astype(np.int64)), start=1):
        if box is None:
            continue
        inside = np.argwhere(mask[box] == number)[:, ::-1] + [s.start for s in box[::-1]]
        points = [inside.mean(axis=0)]
        for axis in range(3):
            along = inside[:, axis]
            low, high = np.quantile(along, [SIDE, 1 - SIDE])
            points += [inside[along <= low].mean(axis=0), inside[along >= high].mean(axis=0)]
        out[number] = np.stack(points)
    return out


def plane_flow(image: npt.NDArray[Any], target: npt.NDArray[Any]) -> Reals:
    """Displacement along y and x, per plane, that carries an image towards a target.

    Parameters
    ----------
    image, target : ndarray, shape (z, y, x)

    Returns
    -------
    ndarray, shape (2, z, y, x), pixels
        Where to read the image instead of at each pixel.
    """
    from scipy import ndimage
    from skimage.registration import optical_flow_ilk

    flow = np.zeros((2, *image.shape))
    pair = [np.log1p(np.maximum(each - np.median(each), 0)) for each in (target, image)]
    top = max(float(each.max()) for each in pair) or 1.0
    for z in range(image.shape[0]):
        wanted, found = (each[z] / top for each in pair)
        if min(np.ptp(wanted), np.ptp(found)) > 0:
            flow[:, z] = optical_flow_ilk(wanted, found, radius=7, num_warp=3, gaussian=True)
    flow = ndimage.gaussian_filter(np.nan_to_num(flow), (0, 1, 2, 2))
    length = np.sqrt((flow**2).sum(axis=0))
    return np.asarray(flow * np.minimum(1, MOST_FLOW / np.maximum(length, 1e-9)))


def tidied(mask: Labels) -> Labels:
    """Each object as its largest piece, holes filled in every plane; never over another one."""
    from scipy import ndimage

    out = np.zeros_like(mask)
    for number, box in enumerate(ndimage.find_objects(mask.astype(np.int64)), start=1):
        if box is None:
            continue
        own = mask[box] == number
        pieces, n = ndimage.label(own)
        if n > 1:
            own = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
        full = np.stack([ndimage.binary_fill_holes(plane) for plane in own])
        out[box][full & ((mask[box] == 0) | own)] = number
    return out


def _brightness(volume: npt.NDArray[Any], mask: Labels) -> Reals:
    """How far objects stand above the median of each channel, (c,)."""
    typical = np.median(volume[:, mask > 0], axis=1)
    return np.asarray(typical - np.median(volume, axis=(1, 2, 3)), float)


def _after(sources: Reals, flow: Reals) -> Reals:
    """Sources read where the flow points: first the field, then the flow."""
    from scipy import ndimage

    places = np.indices(sources.shape[1:], dtype=float)
    places[1:] += flow
    return np.stack([ndimage.map_coordinates(s, places, order=1, mode="nearest") for s in sources])


def _alike(before: Labels, after: Labels, how: Settings) -> bool:
    """Whether nearly all objects are still there, a typical one of about its size."""
    n = int(max(before.max(initial=0), 1)) + 1
    then, now = (np.bincount(each.ravel(), minlength=n)[1:n] for each in (before, after))
    had = then > 0
    ratio = now[had] / then[had]
    if (ratio == 0).mean() > how.most_leaving:
        return False
    return bool(1 / SWELLING < np.median(ratio) < SWELLING)
