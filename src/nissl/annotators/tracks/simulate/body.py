"""How a worm deforms: its posture in every volume, and where each point of it comes to lie.

The axis bends in the plane of view: a wave that travels along the body, faster, slower or
backwards as the animal wants, slow bends of low order, and swings of the head and the neck.
Across the axis tissue is squeezed one way and gives way in the other, or both ways and becomes
longer, so that most of the volume is kept; it
rolls about the axis, and more at one end than at the other; the axis tilts against the planes,
and its end away from the head is lifted out of them or dips. The camera follows the animal and
leaves some translation and rotation. On top of it a smooth field displaces tissue, and each
neuron moves a little by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.simulate.scene import Worm

Floats = npt.NDArray[np.float64]
BENDS = ("wave_cos", "wave_sin", "arc", "s_bend", "w_bend", "head_swing", "neck_swing")
POSTURE = (
    *BENDS,
    "width_y",
    "width_z",
    "width_y_slope",
    "width_z_slope",
    "length",
    "roll",
    "roll_slope",
    "tilt",
    "lift",
    "rotation",
    "x",
    "y",
    "z",
)
"""Columns of a posture: angles in radians, logarithms of widths and length, places in um."""
# of the angle at the ends, in parts of Worm.bend, whose squares add up to about 1
_PARTS = np.array([0.50, 0.50, 0.40, 0.30, 0.20, 0.35, 0.50])
_TURN = 1.3
"""Phase of the wave between the middle of what is seen and its end, radians."""
VIGOUR = 1.0
"""Standard deviation of the logarithm of how far all bends go."""
MOST_VIGOUR = 3.5
_AXIS = np.linspace(-1.7, 1.3, 121)
KEPT = 0.7
"""Share of a squeeze that the length makes up for."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Of all volumes.

    Parameters
    ----------
    posture : ndarray, shape (n_frames, len(POSTURE)), float64
    waves : ndarray, shape (n_frames, n_waves, 3), float64, um
        How far each wave of the smooth field displaces tissue.
    vectors, phases : ndarray, shape (n_waves, 3) and (n_waves,), float64
        Of those waves, radians per um and radians.
    own : ndarray, shape (n_frames, n_neurons, 3), float64, um
        Motion of each neuron by itself.
    """

    posture: Floats
    waves: Floats
    vectors: Floats
    phases: Floats
    own: Floats


def motion(worm: Worm, rng: np.random.Generator) -> Motion:
    """Draw how a worm moves."""
    n, rate = worm.n_frames, worm.rate_hz
    pace = wander(n, rate, 6.0, 1, rng)[:, 0]
    turns = np.cumsum(worm.undulation_hz / rate * np.tanh(0.6 + pace))
    phase = 2 * np.pi * (rng.random() + turns)
    wave = np.sqrt(2) * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    slow, swings = wander(n, rate, 3.0, 3, rng), wander(n, rate, 0.7, 2, rng)
    # an animal is vigorous at times and nearly straight at others
    vigour = np.exp(VIGOUR * wander(n, rate, 5.0, 1, rng) - VIGOUR**2 / 2)
    vigour = np.minimum(vigour, MOST_VIGOUR)
    bends = np.concatenate([wave, slow, swings], axis=1) * vigour
    pressed = np.exp(VIGOUR / 2 * wander(n, rate, 5.0, 1, rng)) * worm.squeeze
    flat, thick = (wander(n, rate, 2.0, 2, rng) * pressed * [1.0, 0.5]).T[..., None]
    widths = np.concatenate([thick - flat, thick + flat], axis=1)
    slopes = wander(n, rate, 2.0, 2, rng) * pressed * 0.5
    length = -KEPT * widths.sum(axis=1) + 0.03 * wander(n, rate, 2.0, 1, rng)[:, 0]
    rolls = wander(n, rate, 3.0, 2, rng) * worm.twist * [1.0, 0.4]
    lift = wander(n, rate, 2.0, 2, rng) * worm.tilt * [1.0, 3.0] * vigour
    turn = wander(n, rate, 1.5, 1, rng) * worm.rotation
    _, height, depth = worm.view_um
    away = np.array([worm.drift * height, worm.drift * height, worm.drift_z * depth])
    place = wander(n, rate, 1.5, 3, rng) * away
    posture = np.column_stack(
        [bends * _PARTS * worm.bend, widths, slopes, length, rolls, lift, turn, place]
    )
    k = 12
    direction = rng.standard_normal((k, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    vectors = direction * (2 * np.pi / rng.uniform(12.0, 40.0, (k, 1)))
    waves = wander(n, rate, 2.0, 3 * k, rng).reshape(n, k, 3)
    own = wander(n, rate, 1.0, 3 * worm.n_neurons, rng).reshape(n, worm.n_neurons, 3)
    return Motion(
        posture,
        waves * worm.warp_um * np.sqrt(2 / k),
        vectors,
        rng.uniform(0, 2 * np.pi, k),
        own * worm.jitter_um,
    )


def wander(n: int, rate_hz: float, tau_s: float, k: int, rng: np.random.Generator) -> Floats:
    """Smooth processes of standard deviation 1, mean 0, shape (n, k).

    White noise through two equal low-pass filters of one pole, which forgets within some `tau_s`.
    """
    from scipy.signal import lfilter

    keep = float(np.exp(-1.0 / (tau_s * rate_hz)))
    warmup = int(8 * tau_s * rate_hz) + 1
    noise = rng.standard_normal((n + warmup, k))
    twice = lfilter([1.0], [1.0, -2 * keep, keep**2], noise, axis=0)[warmup:]
    variance = (1 + keep**2) / (1 - keep**2) ** 3
    return np.asarray(twice / np.sqrt(variance))


def deformed(xyz: Floats, half_um: float, moved: Motion) -> Floats:
    """Where points of a body at rest lie in each volume, (n_frames, n_points, 3), um.

    Parameters
    ----------
    xyz : ndarray, shape (n_points, 3), um
        At rest, about the middle; the first are those that have a motion of their own.
    half_um : float
        Half the length of the body.
    moved : Motion

    Returns
    -------
    ndarray
        About the middle of the view.
    """
    get = {name: moved.posture[:, k : k + 1] for k, name in enumerate(POSTURE)}
    u = xyz[:, 0] / half_um
    ends = np.clip(u, -1.3, 1.3)
    roll = get["roll"] + get["roll_slope"] * ends
    y = xyz[:, 1] * np.cos(roll) - xyz[:, 2] * np.sin(roll)
    z = xyz[:, 1] * np.sin(roll) + xyz[:, 2] * np.cos(roll)
    y = y * np.exp(get["width_y"] + get["width_y_slope"] * ends)
    z = z * np.exp(get["width_z"] + get["width_z_slope"] * ends)
    angle = moved.posture[:, : len(BENDS)] @ _angles().T
    step = half_um * (_AXIS[1] - _AXIS[0]) * np.exp(get["length"])
    middle = int(np.abs(_AXIS).argmin())
    along = _summed(np.cos(angle)) * step
    aside = _summed(np.sin(angle)) * step
    # the camera keeps the middle of the neurons and the mean direction of the body
    seen = np.abs(_AXIS) <= 1
    ahead = np.arctan2(
        np.sin(angle[:, seen]).mean(1, keepdims=True), np.cos(angle[:, seen]).mean(1, keepdims=True)
    )
    facing = get["rotation"] - ahead
    along = along - along[:, middle : middle + 1]
    aside = aside - aside[:, seen].mean(axis=1, keepdims=True)
    at = (u - _AXIS[0]) / (_AXIS[1] - _AXIS[0])
    low = np.clip(np.floor(at).astype(np.int64), 0, _AXIS.size - 2)
    part = at - low
    here = {
        name: value[:, low] * (1 - part) + value[:, low + 1] * part
        for name, value in (("along", along), ("aside", aside), ("angle", angle))
    }
    x = here["along"] - y * np.sin(here["angle"])
    y = here["aside"] + y * np.cos(here["angle"])
    z = z + get["tilt"] * x + get["lift"] * half_um * np.maximum(-u - 0.1, 0.0) ** 1.5
    out = np.stack(
        [
            x * np.cos(facing) - y * np.sin(facing) + get["x"],
            x * np.sin(facing) + y * np.cos(facing) + get["y"],
            z + get["z"],
        ],
        axis=2,
    )
    out += np.einsum("twc,pw->tpc", moved.waves, np.cos(xyz @ moved.vectors.T + moved.phases))
    out[:, : moved.own.shape[1]] += moved.own
    return out


def _angles() -> Floats:
    """Angle of the axis, for each bend by 1 at its ends, against its middle, (axis, bends)."""
    u, inner = _AXIS, np.clip(_AXIS, -1.0, 1.0)
    return np.stack(
        [
            np.sin(_TURN * u) / np.sin(_TURN),
            (1 - np.cos(_TURN * u)) / (1 - np.cos(_TURN)),
            u,
            inner**2,
            inner**3 * 2 - inner,
            1 / (1 + np.exp(-(u - 0.5) / 0.15)),
            1 / (1 + np.exp((u + 0.4) / 0.15)),
        ],
        axis=1,
    )


def _summed(values: Floats) -> Floats:
    """Integral along the axis by the trapezoid rule, from its start."""
    halves = (values[:, 1:] + values[:, :-1]) / 2
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(halves, axis=1)], axis=1)


__all__ = ["BENDS", "POSTURE", "Motion", "deformed", "motion", "wander"]
