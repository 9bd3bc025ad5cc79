"""How one posture differs from another, in numbers that real pairs of volumes have too.

A simulator stands for real animals only as far as what makes real volumes hard lies within what
it makes. Each number is of one pair of volumes, over the neurons with a place in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
NEIGHBOURS = 5
CONTROLS = 12
FEWEST = 20
STATISTICS: Mapping[str, str] = {
    "rigid": "root mean square distance after the best rotation and translation, um",
    "affine": "the same after the best affine map, um",
    "quadratic": "after the best map of second degree, um",
    "thin_plate": f"after a thin plate of {CONTROLS} controls, um",
    "turn": "angle of the best rotation, degrees",
    "longest": "logarithm of the greatest stretch of the best affine map",
    "shortest": "logarithm of its least",
    "along": "logarithm of its stretch along the longest axis of the first cloud",
    "strain": f"root mean square of log of the change of distances to {NEIGHBOURS} neighbours",
    "neighbours": f"share of {NEIGHBOURS} nearest neighbours that are others in the second volume",
    "order": "share of neurons within 5 um of each other whose order along x is the other",
    "mistaken": "share of neurons that after the best affine map lie nearer another's place",
    "nearest": "median distance to the nearest neuron, um",
    "nearest_5": "5 % quantile of that distance, um",
    "long": "standard deviation of places along the longest axis of the cloud, um",
    "wide": "along the second, um",
    "thin": "along the third, um",
}
"""Names and what they mean."""


def statistics(
    positions: Positions,
    spacing_um: tuple[float, float, float] | None,
    *,
    rng: np.random.Generator | None = None,
    n_pairs: int = 200,
) -> dict[str, Floats]:
    """Numbers of pairs of volumes, each of shape (n_pairs,); names are `STATISTICS`.

    Parameters
    ----------
    positions : Positions
    spacing_um : tuple of float, along z, y, x
    rng : numpy.random.Generator, optional
        To draw `n_pairs` pairs; without it all pairs are taken, each once.
    n_pairs : int

    Raises
    ------
    BadArgumentError
        No two volumes share enough neurons.
    """
    xyz = positions.in_um(spacing_um)
    n = len(xyz)
    if rng is None:
        pairs = np.stack(np.triu_indices(n, 1), axis=1)
    else:
        pairs = rng.integers(0, n, (n_pairs, 2))
    found = []
    for a, b in pairs[pairs[:, 0] != pairs[:, 1]]:
        both = np.isfinite(xyz[a]).all(axis=1) & np.isfinite(xyz[b]).all(axis=1)
        if both.sum() >= FEWEST:
            found.append(of_pair(xyz[a, both], xyz[b, both]))
    if not found:
        raise BadArgumentError(
            f"two volumes that share {FEWEST} neurons", "none", "Give more annotated volumes."
        )
    return {name: np.array([each[name] for each in found]) for name in STATISTICS}


def of_pair(source: Floats, target: Floats) -> dict[str, float]:
    """Numbers of one pair of volumes.

    Parameters
    ----------
    source, target : ndarray, shape (n, 3), um
        The same neurons.
    """
    rotation, moved = _rigid(source, target)
    flat = _powers(source, 1)
    coefficients = np.linalg.lstsq(flat, target, rcond=None)[0]
    affine = flat @ coefficients
    stretches = np.linalg.svd(coefficients[1:], compute_uv=False)
    main = np.linalg.svd(source - source.mean(axis=0))[2][0]
    before, after = _distances(source), _distances(target)
    near_before, near_after = _nearest(before), _nearest(after)
    rows = np.arange(len(source))[:, None]
    changes = np.log(after[rows, near_before] / before[rows, near_before])
    kept = [np.isin(a, b).mean() for a, b in zip(near_before, near_after, strict=True)]
    close = (before < 5) & np.triu(np.ones(before.shape, bool), 1)
    ahead = source[:, None, 0] > source[None, :, 0]
    crossed = ahead != (target[:, None, 0] > target[None, :, 0])
    to_target = np.linalg.norm(affine[:, None] - target[None], axis=2)
    axes = np.linalg.svd(target - target.mean(axis=0), compute_uv=False) / np.sqrt(len(target))
    gaps = after[rows, near_after][:, 0]
    return {
        "rigid": _rms(moved - target),
        "affine": _rms(affine - target),
        "quadratic": _rms(_fitted(_powers(source, 2), target) - target),
        "thin_plate": _rms(_fitted(_plate(source), target) - target),
        "turn": float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))),
        "longest": float(np.log(stretches[0])),
        "shortest": float(np.log(max(stretches[2], 1e-9))),
        "along": float(np.log(np.linalg.norm(main @ coefficients[1:]))),
        "strain": float(np.sqrt(np.mean(changes**2))),
        "neighbours": float(1 - np.mean(kept)),
        "order": float(crossed[close].mean()) if close.any() else 0.0,
        "mistaken": float(np.mean(to_target.argmin(axis=1) != rows[:, 0])),
        "nearest": float(np.median(gaps)),
        "nearest_5": float(np.quantile(gaps, 0.05)),
        "long": float(axes[0]),
        "wide": float(axes[1]),
        "thin": float(axes[2]),
    }


def place_within(value: float, simulated: npt.NDArray[Any]) -> float:
    """Share of simulated values below a real one: near 0 or 1 it lies at the edge."""
    return float(np.mean(simulated < value) + 0.5 * np.mean(simulated == value))


def _rms(difference: Floats) -> float:
    return float(np.sqrt(np.mean(np.sum(difference**2, axis=1))))


def _rigid(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Best rotation and the source moved by it (Kabsch 1976, Acta Crystallographica A32, 922)."""
    middle, aim = source.mean(axis=0), target.mean(axis=0)
    u, _, vt = np.linalg.svd((source - middle).T @ (target - aim))
    u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    turn = u @ vt
    return turn, (source - middle) @ turn + aim


def _powers(xyz: Floats, degree: int) -> Floats:
    """Products of coordinates up to a degree of 1 or 2, first the constant."""
    near = xyz - xyz.mean(axis=0)
    columns = [np.ones(len(xyz)), *near.T]
    if degree == 2:
        columns += [near[:, a] * near[:, b] for a in range(3) for b in range(a, 3)]
    return np.stack(columns, axis=1)


def _plate(xyz: Floats) -> Floats:
    """Affine part and the kernel of a thin plate in space, |r|, about spread-out neurons."""
    chosen = [int(np.linalg.norm(xyz - xyz.mean(axis=0), axis=1).argmax())]
    far = np.linalg.norm(xyz - xyz[chosen[0]], axis=1)
    while len(chosen) < CONTROLS:
        chosen.append(int(far.argmax()))
        far = np.minimum(far, np.linalg.norm(xyz - xyz[chosen[-1]], axis=1))
    kernel = np.linalg.norm(xyz[:, None] - xyz[chosen][None], axis=2)
    return np.concatenate([_powers(xyz, 1), kernel], axis=1)


def _fitted(basis: Floats, target: Floats) -> Floats:
    return np.asarray(basis @ np.linalg.lstsq(basis, target, rcond=None)[0])


def _distances(xyz: Floats) -> Floats:
    gaps = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    return np.asarray(np.maximum(gaps, 1e-6))


def _nearest(gaps: Floats) -> npt.NDArray[np.int64]:
    return np.asarray(np.argsort(gaps, axis=1)[:, :NEIGHBOURS])


__all__ = ["STATISTICS", "of_pair", "place_within", "statistics"]
