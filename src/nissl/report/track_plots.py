"""Pictures of tracks: how sure each neuron is in each volume, how far neurons moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.report.theme import BLUE, figure, to_svg

Values = npt.NDArray[np.float64]
Spacing = tuple[float, float, float]

_WIDE = 11.0
_MOST_VOLUMES = 1000
"""Columns of a picture; more volumes are averaged into them."""
_MOST_NAMES = 60


def grid(told: Positions, names: dict[int, str]) -> str:
    """Confidence of neurons (rows, the least sure first) in volumes; empty where not seen.

    Where no confidence is calibrated, whether neurons were seen.
    """
    calibrated = bool(np.isfinite(told.confidence).any())
    values = told.confidence.astype(np.float64) if calibrated else told.seen.astype(np.float64)
    if calibrated:
        values[~told.seen] = np.nan
    order = np.argsort(np.nan_to_num(_mean(values, 0), nan=-1.0), kind="stable")
    shown = _binned(values[:, order])
    called = [names.get(int(i)) or str(i) for i in told.items[order]]
    height = float(np.clip(0.9 + 0.13 * len(called), 1.8, 9.0))
    with figure(_WIDE, height) as (made, axes):
        drawn = axes.imshow(
            shown.T,
            cmap="viridis",
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
            extent=(*_across(told), len(called) - 0.5, -0.5),
        )
        if len(called) <= _MOST_NAMES:
            axes.set_yticks(range(len(called)), called, fontsize=7)
        axes.set_ylabel("neuron")
        axes.set_xlabel("volume" if _consecutive(told) else "volume, in the order of those tracked")
        said = "confidence" if calibrated else "seen (no confidence was calibrated)"
        made.colorbar(
            drawn, ax=axes, fraction=0.02, pad=0.01, aspect=40, label=said.replace(" was", "\nwas")
        )
        return to_svg(made, f"{said} of {len(called)} neurons in {told.frames.size} volumes")


def motion(told: Positions, spacing_um: Spacing | None) -> str:
    """How many neurons were seen in each volume, and how far they moved since the one before.

    Steps are means over neurons seen in both of two consecutive volumes; in micrometres where
    the size of a voxel is known, and otherwise in pixels, within the plane.
    """
    seen = told.seen.sum(axis=1)
    steps, unit = _steps(told, spacing_um)
    with figure(_WIDE, 3.2, nrows=2, sharex=True) as (made, axes):
        axes[0].plot(told.frames, seen, color=BLUE, lw=0.9, drawstyle="steps-mid")
        axes[0].set_ylim(0, told.items.size * 1.05)
        axes[0].margins(x=0)
        axes[0].set_ylabel("neurons seen")
        axes[1].plot(told.frames, steps, color=BLUE, lw=0.9, marker=".", markersize=2)
        axes[1].set_ylim(bottom=0)
        axes[1].margins(x=0)
        axes[1].set_ylabel(f"mean step ({unit})")
        axes[1].set_xlabel("volume")
        if not np.isfinite(steps).any():
            axes[1].set_ylim(0, 1)
            axes[1].text(
                0.5,
                0.5,
                "no two consecutive volumes were tracked",
                transform=axes[1].transAxes,
                ha="center",
                va="center",
            )
        known = f"{np.nanmedian(steps):.2g} {unit}" if np.isfinite(steps).any() else "unknown"
        return to_svg(made, f"Neurons seen in each volume, and their mean step: median {known}")


def _steps(told: Positions, spacing_um: Spacing | None) -> tuple[Values, str]:
    """Mean step into each volume, NaN where the volume before was not tracked; and its unit."""
    xyz = told.in_um(spacing_um) if spacing_um else told.xyz[:, :, :2].astype(np.float64)
    moved = np.full(told.seen.shape, np.nan)
    moved[1:] = np.linalg.norm(np.diff(xyz, axis=0), axis=2)
    moved[1:][np.diff(told.frames) != 1] = np.nan
    return _mean(moved, 1), "um" if spacing_um else "px"


def _mean(values: Values, axis: int) -> Values:
    """Mean over an axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.asarray(np.where(n > 0, total / np.maximum(n, 1), np.nan))


def _binned(values: Values) -> Values:
    """Values with volumes averaged where there are more than a picture can show."""
    each = -(-len(values) // _MOST_VOLUMES)
    if each == 1:
        return values
    full = np.full((-(-len(values) // each) * each, values.shape[1]), np.nan)
    full[: len(values)] = values
    return _mean(full.reshape(-1, each, values.shape[1]), 1)


def _across(told: Positions) -> tuple[float, float]:
    """Ends of the axis of volumes: their numbers, or their order where some are left out."""
    first = float(told.frames[0]) if _consecutive(told) else 0.0
    return first - 0.5, first + told.frames.size - 0.5


def _consecutive(told: Positions) -> bool:
    return bool(np.all(np.diff(told.frames) == 1))


def of_tracks(told: Positions, names: dict[int, str], spacing: Any) -> dict[str, str]:
    """Pictures of tracks by their place in the template; none without a neuron."""
    if not told.seen.any():
        return {}
    known = isinstance(spacing, list | tuple) and len(spacing) == 3
    spacing_um = (float(spacing[0]), float(spacing[1]), float(spacing[2])) if known else None
    return {"tracks": grid(told, names), "motion": motion(told, spacing_um)}


__all__ = ["grid", "motion", "of_tracks"]
