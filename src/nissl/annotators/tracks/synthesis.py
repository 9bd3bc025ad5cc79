"""Synthetic annotated volumes: an annotated volume deformed towards a posture that is not.

A field is fitted from the annotated places to where a network coarsely finds them in the target;
a random part of it, and a little more bending, carry image and places. What no animal could do
is rejected. Brightness and noise become those of the target, so that the synthetic volume differs
from it in nothing that an annotator did not decide. This is targeted augmentation (Park et al.,
eLife 2024); fields are in 3-D here, and wrong predictions do not bend them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.fields import (
    Field,
    Triple,
    fit_field,
    random_field,
    resampled,
    voxel_size,
)

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """How synthetic volumes are made, and which are refused.

    Parameters
    ----------
    part : tuple of float
        Least and largest part of the field that is applied.
    bending : float
        Root mean square displacement of the additional random field, as a share of the
        animal's extent (the root mean square distance of its neurons from their centre).
    n_modes : tuple of int
        Cosine modes of the fitted field along z, y, x.
    strain : float
        Price of strain in the fit, as for `fit_field`.
    least_matched : int
        Neurons that the prediction must have found.
    most_strain : float
        Largest principal stretch near a neuron, as the size of its logarithm.
    most_leaving : float
        Largest share of neurons that leave the volume.
    least_gap : float
        Least ratio of distances between near neighbours after and before, for all but one in
        twenty of them.
    n_tries : int
        Draws before the pair is given up, each of a smaller part.
    """

    part: tuple[float, float] = (0.5, 1.1)
    bending: float = 0.02
    n_modes: tuple[int, int, int] = (2, 4, 6)
    strain: float = 0.02
    least_matched: int = 8
    most_strain: float = 0.9
    most_leaving: float = 0.2
    least_gap: float = 0.4
    n_tries: int = 3


@dataclass(frozen=True, eq=False)
class Synthetic:
    """A synthetic annotated volume.

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x), float32
    xyz : ndarray, shape (n, 3), float32, voxels
        Places of the source's neurons, in its order; NaN where they had none, or left.
    field : Field
        What carried them there.
    """

    volume: Floats
    xyz: Floats
    field: Field


def synthesise(
    volume: npt.NDArray[Any],
    xyz: npt.NDArray[Any],
    target_xyz: npt.NDArray[Any],
    target_confidence: npt.NDArray[Any] | None,
    spacing_um: Triple | None,
    rng: np.random.Generator,
    settings: Settings | None = None,
    *,
    target_volume: npt.NDArray[Any] | None = None,
    scale: Triple | None = None,
) -> Synthetic | None:
    """Deform an annotated volume towards a target that is known coarsely.

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x)
        Annotated.
    xyz, target_xyz : ndarray, shape (n, 3), voxels
        Annotated places, and those predicted of the same neurons in the target; NaN where
        there is none.
    target_confidence : ndarray, shape (n,), or None
        Weighs predictions; NaN counts as 0.
    spacing_um, scale : tuple of float or None
        Size of a voxel along z, y, x, as for `fit_field`.
    rng : Generator
        Draws the part, the additional bending and the noise.
    target_volume : ndarray, shape (c, z, y, x), optional
        Gives brightness and noise; without it they stay those of the source.

    Returns
    -------
    Synthetic or None
        None where too little was predicted or no draw was plausible.
    """
    how = settings or Settings()
    size = voxel_size(spacing_um, scale)
    n_z, n_y, n_x = (int(n) for n in volume.shape[1:])
    matched = np.isfinite(xyz).all(axis=1) & np.isfinite(target_xyz).all(axis=1)
    trust = None
    if target_confidence is not None:
        trust = np.nan_to_num(np.asarray(target_confidence, float))
        matched &= trust > 0
    if matched.sum() < how.least_matched:
        return None
    whole = fit_field(
        xyz,
        target_xyz,
        (n_z, n_y, n_x),
        None,
        scale=size,
        weights=trust,
        n_modes=how.n_modes,
        strain=how.strain,
    )
    field = drawn(whole, xyz, rng, how)
    if field is None:
        return None
    sources = field.sources()
    target = volume if target_volume is None else target_volume
    gain = np.ones(len(volume))
    if target_volume is not None:
        gain = gains(brightness(volume, xyz), brightness(target, target_xyz))
    image = dressed(resampled(volume, sources), volume, sources, target, gain, rng)
    places = field.at(xyz)
    places[~_inside(places, field.shape)] = np.nan
    return Synthetic(image, places.astype(np.float32), field)


def drawn(
    whole: Field, xyz: npt.NDArray[Any], rng: np.random.Generator, how: Settings
) -> Field | None:
    """A random part of a field with a little more bending, or None if none is plausible."""
    known = np.asarray(xyz, float)[np.isfinite(xyz).all(axis=1)]
    voxel = np.array(whole.size[::-1])
    extent = float(np.sqrt(((known - known.mean(axis=0)) * voxel).var(axis=0).sum()))
    low, high = how.part
    for _ in range(how.n_tries):
        extra = random_field(rng, whole.shape, whole.size, bending=how.bending * extent)
        field = whole.scaled(float(rng.uniform(low, high))).added(extra)
        if plausible(field, known, how):
            return field
        low, high = low / 2, (low + high) / 2
    return None


def plausible(field: Field, xyz: npt.NDArray[Any], how: Settings) -> bool:
    """Whether an animal might do this: no fold, little strain, no crowding, few that leave.

    Parameters
    ----------
    field : Field
    xyz : ndarray, shape (n, 3), voxels
        Places of neurons before; all finite.
    """
    from scipy.spatial import KDTree

    strain = field.strain(xyz)
    if strain.folded or strain.largest > how.most_strain:
        return False
    places = field.at(xyz)
    if 1 - _inside(places, field.shape).mean() > how.most_leaving:
        return False
    if len(xyz) < 2:
        return True
    voxel = np.array(field.size[::-1])
    before, near = KDTree(xyz * voxel).query(xyz * voxel, 2)
    after = np.linalg.norm((places - places[near[:, 1]]) * voxel, axis=1)
    ratio = after / np.maximum(before[:, 1], 1e-9)
    return bool(np.quantile(ratio, 0.05) >= how.least_gap)


def brightness(volume: npt.NDArray[Any], xyz: npt.NDArray[Any]) -> Reals:
    """How far a typical neuron stands above the median of each channel, (c,).

    Parameters
    ----------
    volume : ndarray, shape (c, z, y, x)
    xyz : ndarray, shape (n, 3), voxels
        Places known to a voxel or so: the brightest of the 3 x 3 around each counts.
    """
    n_z, n_y, n_x = volume.shape[1:]
    inside = np.isfinite(xyz).all(axis=1)
    x, y, z = np.rint(np.asarray(xyz, float)[inside]).astype(np.int64).T
    z = np.clip(z, 0, n_z - 1)
    near = [
        volume[:, z, np.clip(y + dy, 0, n_y - 1), np.clip(x + dx, 0, n_x - 1)]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    typical = np.median(np.max(near, axis=0), axis=1)
    return np.asarray(typical - np.median(volume, axis=(1, 2, 3)), float)


def gains(source: Reals, target: Reals) -> Reals:
    """Factor from the brightness of one volume to that of another, (c,), a tenth to ten."""
    known = (source > 0) & (target > 0)
    return np.clip(np.where(known, target / np.where(known, source, 1.0), 1.0), 0.1, 10.0)


def dressed(
    image: Floats,
    source: npt.NDArray[Any],
    sources: Reals,
    target: npt.NDArray[Any],
    gain: Reals,
    rng: np.random.Generator,
) -> Floats:
    """A carried image with the background, brightness and noise of the target, per channel.

    Interpolation averages noise away, more between voxels than on them; as much is added as was
    lost there, so that no network learns to tell synthetic volumes by their smoothness.

    Parameters
    ----------
    image : ndarray, shape (c, z, y, x)
        The source read at `sources` by linear interpolation.
    source, target : ndarray, shape (c, z, y, x)
    sources : ndarray, shape (3, z, y, x), voxels
    gain : ndarray, shape (c,)
        What brightness above the background is multiplied by.
    rng : Generator
    """
    kept = np.ones(image.shape[1:], np.float32)
    for along in sources:
        beside = along - np.floor(along)
        kept *= (beside**2 + (1 - beside) ** 2).astype(np.float32)
    out = np.empty_like(image)
    for one, from_, to, factor, into in zip(image, source, target, gain, out, strict=True):
        into[:] = (one - np.median(from_)) * factor + np.median(to)
        lost = _noise(to) ** 2 - (factor * _noise(from_)) ** 2 * kept
        spread = np.sqrt(np.maximum(lost, 0))
        into += (spread * rng.standard_normal(image.shape[1:])).astype(np.float32)
    return out


def _noise(channel: npt.NDArray[Any]) -> float:
    """Standard deviation of white noise, from differences along lines, robustly."""
    between = np.diff(np.asarray(channel, float), axis=-1)
    return float(1.4826 * np.median(np.abs(between)) / np.sqrt(2))


def _inside(xyz: npt.NDArray[Any], shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        low, high = xyz > -0.5, xyz < np.array(shape[::-1]) - 0.5
    return np.asarray((low & high).all(axis=1))
