"""Pictures of populations in one space, and of who predicts whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.labels.atomic import atomic_write

if TYPE_CHECKING:
    from nissl.align.errormap import ErrorMap
    from nissl.align.fragments import Fragment
    from nissl.align.latent.maps import Aligned

_MOST_NAMES = 40
_MOST_NUMBERS = 10


def overlap_plot(
    fragments: Sequence[Fragment], aligned: Aligned, conditions: Sequence[str], path: Path
) -> None:
    """Mean course of every condition in the first two axes of the space, a panel per fragment.

    Parameters
    ----------
    fragments : sequence of Fragment
        Conditions are shown where they are known, whether or not the aligner saw them.
    aligned : Aligned
    conditions : sequence of str
    path : Path
        Of the PNG.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    from nissl.align.latent.trajectories import n_steps, trajectories

    steps = n_steps(*fragments)
    made = Figure(figsize=(4.2 * len(fragments), 4.4), layout="constrained")
    axes = made.subplots(1, len(fragments), squeeze=False, sharex=True, sharey=True)[0]
    colours = colormaps["hsv"](np.linspace(0, 1, max(len(conditions), 1), endpoint=False))
    for panel, fragment, own in zip(axes, fragments, aligned.maps, strict=True):
        course = trajectories(fragment, own.transform(fragment), steps)
        known = np.unique(course.condition)
        for c in known.tolist():
            mean = course.values[course.condition == c].mean(axis=0)
            colour = "0.4" if c < 0 else colours[c]
            word = "all windows" if c < 0 else conditions[c]
            panel.plot(mean[:, 0], mean[:, 1], "-", color=colour, label=word)
            panel.plot(mean[:1, 0], mean[:1, 1], "o", color=colour, markersize=4)
        panel.set_title(f"{fragment.name} ({fragment.n_units} units)", fontsize=10)
        panel.set_xlabel("axis 1")
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("axis 2")
    if len(conditions) <= _MOST_NUMBERS:
        axes[-1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(made, path)


def error_map_plot(found: ErrorMap, path: Path) -> None:
    """Relative skill of every pair, fragments that predict each other side by side.

    Pairs that are not significant at a false discovery rate of 5 % are crossed out.
    """
    from matplotlib.figure import Figure

    order = found.order()
    n = len(order)
    values = found.relative[np.ix_(order, order)]
    size = float(np.clip(0.32 * n + 3.2, 4.4, 14))
    made = Figure(figsize=(size + 0.8, size), layout="constrained")
    panel: Any = made.subplots()
    drawn = panel.imshow(values, cmap="viridis", vmin=0, vmax=1)
    unsure = (found.q[np.ix_(order, order)] > 0.05) & ~np.eye(n, dtype=bool)
    rows, columns = np.nonzero(unsure)
    panel.plot(columns, rows, "x", color="#d55e00", markersize=5)
    if n <= _MOST_NUMBERS:
        for i in range(n):
            for j in range(n):
                if np.isfinite(values[i, j]):
                    ink = "black" if values[i, j] > 0.6 else "white"
                    panel.text(j, i + 0.3, f"{values[i, j]:.2f}", ha="center", color=ink, size=8)
    if n <= _MOST_NAMES:
        names = [found.names[k] for k in order]
        panel.set_xticks(range(n), names, rotation=90, fontsize=8)
        panel.set_yticks(range(n), names, fontsize=8)
    panel.set_xlabel("predicted")
    panel.set_ylabel("read from")
    made.colorbar(drawn, ax=panel, shrink=0.8, label="skill, in parts of its own other half's")
    _save(made, path)


def _save(made: Any, path: Path) -> None:
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130)
