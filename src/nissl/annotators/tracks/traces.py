"""What each neuron does: its light in both channels, followed through the volumes.

Light is a weighted mean around a neuron's place less that of the ground around it. The red marker
tells what motion does to light, which both channels share; green shows activity besides. The
ratio divides one by the other; `separated` infers both with what noise there is in each, and says
how sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadArgumentError
from nissl.run.context import Context

Floats = npt.NDArray[np.float64]

RADIUS_UM = 1.6
"""Standard deviation of the weights is half of it; about a nucleus of a worm's neuron."""
GROUND = (2.0, 3.5)
"""Shell whose low quantile is the ground, in radii."""
LEVEL = 0.3
MOST = 300
"""Voxels of the shell that are looked at."""
SLOW_S = 60.0
"""Changes slower than this are bleaching; they are taken out of both channels."""


@dataclass(frozen=True, eq=False)
class Light:
    """Light of every neuron in both channels.

    Parameters
    ----------
    red, green : ndarray, shape (n_frames, n_neurons), float64
        Above the ground; NaN where a neuron was not seen.
    items : ndarray, shape (n_neurons,), int64
    rate_hz : float
    """

    red: Floats
    green: Floats
    items: npt.NDArray[np.int64]
    rate_hz: float


@dataclass(frozen=True, eq=False)
class Separated:
    """Motion and activity of every neuron.

    Parameters
    ----------
    activity : ndarray, shape (n_frames, n_neurons)
        Change of green that red does not show, dF/F; a number for every volume.
    sd : ndarray, shape (n_frames, n_neurons)
        Its uncertainty, one standard deviation, without that of the slow course taken out before.
    motion : ndarray, shape (n_frames, n_neurons)
        Change that both channels share, dF/F.
    """

    activity: Floats
    sd: Floats
    motion: Floats


def measure(
    volumes: Volumes, positions: Positions, context: Context, *, radius_um: float = RADIUS_UM
) -> Light:
    """Light at the places of neurons, volume by volume.

    Parameters
    ----------
    volumes : Volumes
        Of two channels, red first.
    positions : Positions
    context : Context
    radius_um : float

    Raises
    ------
    BadArgumentError
        One channel only.
    BadMetadataError
        The size of a voxel is not known.
    """
    if len(volumes.channels) < 2:
        raise BadArgumentError(
            "two channels, the marker first and the indicator second",
            f"{len(volumes.channels)}",
            'Name both with --set channels=\'["red", "green"]\'.',
        )
    positions.in_um(volumes.spacing_um)  # asks for the spacing where it is missing
    step = np.asarray(volumes.spacing_um, np.float64)
    near, shell, weights = _stencil(step, radius_um)
    out = np.full((2, volumes.n_frames, positions.items.size), np.nan)
    told = context.progress
    told.start("measure light", float(positions.frames.size), "volumes")
    for k, frame in enumerate(positions.frames.tolist()):
        columns = np.flatnonzero(positions.seen[k])
        centres = np.rint(positions.xyz[k, columns][:, ::-1]).astype(np.int64)
        volume = volumes[frame][:2]
        light, there = _gathered(volume, centres, near)
        share = weights * there
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
        around, known = _gathered(volume, centres, shell)
        ground = np.nanquantile(np.where(known, around, np.nan), LEVEL, axis=2)
        out[:, frame, columns] = (light * share).sum(axis=2) - ground
        told.advance("measure light", 1.0)
    told.finish("measure light")
    return Light(out[0], out[1], positions.items, volumes.channels[0].rate_hz)


def ratio(light: Light) -> Floats:
    """Change of green over red, (n_frames, n_neurons); NaN where a neuron was not seen.

    Each channel is divided by its own slow course first, so that bleaching is no activity.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        change = _relative(light.green, light.rate_hz) / _relative(light.red, light.rate_hz) - 1
    return np.where(np.isfinite(change), change, np.nan)


def separated(light: Light, context: Context) -> Separated:
    """Motion and activity of every neuron, by a model of both channels.

    Red is motion and noise, green is motion, activity and noise; motion and activity are
    processes of Ornstein and Uhlenbeck of their own size and speed, which are fitted to each
    neuron by the likelihood of both channels. Where a neuron was not seen, the model goes on and
    is less sure. The idea is that of two-channel motion artifact correction (Creamer, Chen,
    Leifer and Pillow 2022, PLoS Computational Biology 18, e1010421); the processes and the
    inference, a Kalman filter and smoother, are our own choice.
    """
    from nissl.annotators.tracks.two_channels import fitted, smoothed

    n_frames, n = light.red.shape
    out = np.full((3, n_frames, n), np.nan)
    red, green = (_relative(each, light.rate_hz) - 1 for each in (light.red, light.green))
    told = context.progress
    told.start("separate motion and activity", float(n), "neurons")
    for k in range(n):
        y = np.stack([red[:, k], green[:, k]], 1)
        if np.isfinite(y).all(1).sum() >= 10:
            out[:, :, k] = smoothed(fitted(y, light.rate_hz), y, light.rate_hz)
        told.advance("separate motion and activity", 1.0)
    told.finish("separate motion and activity")
    return Separated(out[0], out[1], out[2])


def _relative(light: Floats, rate_hz: float) -> Floats:
    """Light over its own slow course: the running median of a minute, 1 in the mean."""
    from scipy.ndimage import gaussian_filter1d

    out = np.full(light.shape, np.nan)
    for k in range(light.shape[1]):
        seen = np.flatnonzero(np.isfinite(light[:, k]))
        if seen.size < 3:
            continue
        block = max(round(SLOW_S / 4 * rate_hz), 1)
        which = seen // block
        centres = np.unique(which)
        middle = np.array([np.median(light[seen[which == c], k]) for c in centres])
        if centres.size > 2:
            middle = gaussian_filter1d(middle, 1.5, mode="nearest")
        slow = np.interp(np.arange(len(light)), (centres + 0.5) * block, middle)
        typical = np.median(light[seen, k])
        if typical <= 0:
            continue
        out[:, k] = light[:, k] / np.maximum(slow, 0.2 * typical)
    return out


def _stencil(
    step: Floats, radius_um: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """Offsets of voxels (z, y, x) of a neuron and of the shell around it, and their weights."""
    reach = np.ceil(GROUND[1] * radius_um / step).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(
        -1, 3
    )
    far = np.sqrt(((grid * step) ** 2).sum(1)) / radius_um
    near = far <= 1
    weights = np.exp(-0.5 * (far[near] / 0.5) ** 2)
    shell = grid[(far > GROUND[0]) & (far <= GROUND[1])]
    return grid[near], shell[:: max(len(shell) // MOST, 1)], weights / weights.sum()


def _gathered(
    volume: npt.NDArray[np.float32],
    centres: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Voxels around some centres, (n_channels, n, n_offsets), and which of them there are."""
    places = centres[:, None] + offsets
    size = np.asarray(volume.shape[1:])
    there = np.all((places >= 0) & (places < size), axis=2)
    z, y, x = np.moveaxis(np.clip(places, 0, size - 1), 2, 0)
    return volume[:, z, y, x].astype(np.float64), there
