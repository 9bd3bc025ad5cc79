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
from nissl.annotators.tracks.slow import Blocks, relative
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
LEAST = 10
"""Volumes in which a neuron was seen, below which nothing is told of it."""


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
        Its uncertainty, one standard deviation: that of the noise, and that of the slow course,
        by which both channels are divided and which takes a part of the activity with it.
    motion : ndarray, shape (n_frames, n_neurons)
        Change that both channels share, dF/F.
    """

    activity: Floats
    sd: Floats
    motion: Floats


def gathered(
    volumes: Volumes, positions: Positions, context: Context, *, radius_um: float = RADIUS_UM
) -> Floats:
    """Light at the places of neurons in every channel, (n_channels, n_frames, n_neurons).

    Parameters
    ----------
    volumes : Volumes
    positions : Positions
    context : Context
    radius_um : float

    Raises
    ------
    BadMetadataError
        The size of a voxel is not known.
    """
    positions.in_um(volumes.spacing_um)  # asks for the spacing where it is missing
    step = np.asarray(volumes.spacing_um, np.float64)
    near, shell, weights = _stencil(step, radius_um)
    out = np.full((len(volumes.channels), volumes.n_frames, positions.items.size), np.nan)
    told = context.progress
    told.start("measure light", float(positions.frames.size), "volumes")
    for k, frame in enumerate(positions.frames.tolist()):
        columns = np.flatnonzero(positions.seen[k])
        centres = np.rint(positions.xyz[k, columns][:, ::-1]).astype(np.int64)
        volume = volumes[frame]
        light, there = _gathered(volume, centres, near)
        share = weights * there
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
        around, known = _gathered(volume, centres, shell)
        ground = np.nanquantile(np.where(known, around, np.nan), LEVEL, axis=2)
        out[:, frame, columns] = (light * share).sum(axis=2) - ground
        told.advance("measure light", 1.0)
    told.finish("measure light")
    return out


def measure(
    volumes: Volumes, positions: Positions, context: Context, *, radius_um: float = RADIUS_UM
) -> Light:
    """Light in the marker and the indicator, volume by volume; see `gathered`.

    Parameters
    ----------
    volumes : Volumes
        Of two channels, the marker first.

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
            "Name both, marker first: --channels red,green; a movie of one channel has no marker "
            "to tell motion by: --model first.",
        )
    both = Volumes(volumes.channels[:2])
    red, green = gathered(both, positions, context, radius_um=radius_um)
    return Light(red, green, positions.items, both.channels[0].rate_hz)


def ratio(light: Light) -> Floats:
    """Change of green over red, (n_frames, n_neurons); NaN where a neuron was not seen.

    Each channel is divided by its own slow course first, so that bleaching is no activity.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        change = relative(light.green, light.rate_hz) / relative(light.red, light.rate_hz) - 1
    return np.where(np.isfinite(change), change, np.nan)


def separated(light: Light, context: Context) -> Separated:
    """Motion and activity of every neuron, by a model of both channels.

    Red is motion and noise, green is motion times a gain, activity and noise; motion and activity
    are processes of Ornstein and Uhlenbeck of their own size and speed, which are fitted to each
    neuron with the gain by the likelihood of both channels. The gain is near 1, and not 1 where
    light of neighbours, which does not move as the neuron does, is another part of green than of
    red. Where a neuron was not seen, the model goes on and
    is less sure. The idea is that of two-channel motion artifact correction (Creamer, Chen,
    Leifer and Pillow 2022, PLoS Computational Biology 18, e1010421); the processes and the
    inference, a Kalman filter and smoother, are our own choice.
    """
    from nissl.annotators.tracks.two_channels import fitted, smoothed

    n_frames, n = light.red.shape
    out = np.full((3, n_frames, n), np.nan)
    red, green = (relative(each, light.rate_hz) - 1 for each in (light.red, light.green))
    told = context.progress
    told.start("separate motion and activity", float(n), "neurons")
    for k in range(n):
        y = np.stack([red[:, k], green[:, k]], 1)
        blocks = Blocks.of(y.sum(axis=1), light.rate_hz)
        if blocks is not None and blocks.seen.size >= LEAST:
            model = fitted(y, light.rate_hz)
            out[:, :, k] = smoothed(model, y, light.rate_hz)
            out[1, :, k] = np.hypot(out[1, :, k], np.sqrt(blocks.variance(model, light.rate_hz)))
        told.advance("separate motion and activity", 1.0)
    told.finish("separate motion and activity")
    return Separated(out[0], out[1], out[2])


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
