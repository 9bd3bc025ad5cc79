"""How the probe moved along its length between two sessions, and templates where it did not.

Pairs of units that look alike vote for the shift between their depths; what is left between likely
partners, smooth over depth, bends it. Templates are carried to other depths by a Gaussian process
over the contacts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.align.waveforms.templates import Floats, Singles, UnitTemplates

FURTHEST_UM = 150.0
_STEP_UM = 2.5
_VOTE_UM = 8.0
_KNOTS = 9
_LENGTH_UM = 35.0
_NOISE = 0.05
_FEW = 4.0
"""Partners that a knot asks for before it moves half as far as they say."""
_STRONG = 0.5


@dataclass(frozen=True, eq=False)
class Drift:
    """Movement along the probe.

    Parameters
    ----------
    depth_um : ndarray, shape (n_knots,), float64
    shift_um : ndarray, shape (n_knots,), float64
        How much deeper the second session shows what the first shows at a depth.
    """

    depth_um: Floats
    shift_um: Floats

    def at(self, depth_um: Floats) -> Floats:
        """Shift of what the first session has at these depths, um."""
        return np.asarray(np.interp(depth_um, self.depth_um, self.shift_um), np.float64)

    @property
    def largest_um(self) -> float:
        """Largest shift at any knot."""
        return float(np.abs(self.shift_um).max(initial=0.0))


def none(day: UnitTemplates) -> Drift:
    """No movement; of a probe without geometry nothing else can be told."""
    return rigid(day, 0.0)


def rigid(day: UnitTemplates, shift_um: float) -> Drift:
    """The same shift at all depths."""
    depth = day.position_um[:, 1] if day.has_geometry else np.zeros(1)
    knots = np.linspace(depth.min(), depth.max(), _KNOTS)
    return Drift(knots, np.full(_KNOTS, float(shift_um)))


def voted(
    day: UnitTemplates, apart_um: Floats, likely: Floats, furthest_um: float = FURTHEST_UM
) -> Drift:
    """Shift for which most pairs vote.

    Parameters
    ----------
    day : UnitTemplates
    apart_um : ndarray, shape (n_a, n_b), float64
        Depth in the second session less that in the first.
    likely : ndarray, shape (n_a, n_b), float64
        How much a pair's waveforms, wherever they lie, speak for one unit; a vote's weight.
    """
    grid = np.arange(-furthest_um, furthest_um + _STEP_UM / 2, _STEP_UM)
    votes = np.zeros(grid.size)
    for k, shift in enumerate(grid.tolist()):
        near = np.exp(-0.5 * ((apart_um - shift) / _VOTE_UM) ** 2) * likely
        votes[k] = near.max(axis=1).sum() + near.max(axis=0).sum()
    # Of shifts that are about as good the smaller is likelier.
    votes *= 1 - 0.1 * np.abs(grid) / max(furthest_um, 1.0)
    top = int(np.argmax(votes))
    around = slice(max(top - 2, 0), top + 3)
    weight = np.maximum(votes[around] - 0.8 * votes[top], 0)
    total = float(weight.sum())
    return rigid(day, float(weight @ grid[around] / total) if total > 0 else 0.0)


def bent(known: Drift, depth_um: Floats, left_um: Floats, weight: Floats) -> Drift:
    """Movement after what is left between likely partners is taken in, smooth over depth.

    Parameters
    ----------
    known : Drift
    depth_um, left_um, weight : ndarray, shape (n_pairs,), float64
        Depth in the first session, what is left of the shift, probability to be one unit.
    """
    strong = weight > _STRONG
    if not strong.any():
        return known
    whole = float(np.median(left_um[strong]))
    wide = max(float(np.ptp(known.depth_um)) / 6, 40.0)
    near = np.exp(-0.5 * ((known.depth_um[:, None] - depth_um[None]) / wide) ** 2) * weight
    # Pairs that differ much from the rest are rather wrong than moved.
    near = near * np.exp(-0.5 * ((left_um - whole) / 15.0) ** 2)
    step = whole + near @ (left_um - whole) / (near.sum(axis=1) + _FEW)
    return Drift(known.depth_um, known.shift_um + step)


def undone(day: UnitTemplates, drift: Drift, depth_um: Floats) -> Singles:
    """Waveforms of the second session where the first session's probe would have seen them.

    Parameters
    ----------
    day : UnitTemplates
        The second session.
    drift : Drift
    depth_um : ndarray, shape (n_units,), float64
        Depth of each unit in the second session.

    Returns
    -------
    ndarray, shape (n_units, n_samples, n_channels), float32, uV
    """
    wave = day.mean
    if not day.has_geometry:
        return wave
    shifts = np.rint(drift.at(depth_um - drift.at(depth_um))).astype(int)
    out = np.empty_like(wave)
    for shift in np.unique(shifts).tolist():
        rows = shifts == shift
        out[rows] = wave[rows] if shift == 0 else wave[rows] @ carried(day, float(shift)).T
    return out


def carried(day: UnitTemplates, shift_um: float) -> Singles:
    """Matrix that gives values at contacts moved along the probe from those at the contacts.

    Returns
    -------
    ndarray, shape (n_channels, n_channels), float32
        Row c is the value at contact c moved by `shift_um` along y; across shanks nothing is
        carried, and beyond the probe's ends it falls to 0.
    """
    place = day.position_um
    moved = place + np.array([0.0, shift_um])
    kernel = _kernel(place, place, day.shank)
    kernel += _NOISE * np.eye(len(place))
    matrix = np.linalg.solve(kernel, _kernel(place, moved, day.shank)).T
    return np.asarray(matrix, np.float32)


def _kernel(a: Floats, b: Floats, shank: npt.NDArray[np.int64]) -> Floats:
    away = np.linalg.norm(a[:, None] - b[None], axis=2)
    same = shank[:, None] == shank[None]
    scaled = np.sqrt(3) * away / _LENGTH_UM
    return np.asarray((1 + scaled) * np.exp(-scaled) * same, np.float64)  # Matern, 3/2


__all__ = ["FURTHEST_UM", "Drift", "bent", "carried", "none", "rigid", "undone", "voted"]
