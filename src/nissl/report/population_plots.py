"""Pictures of populations in one space, and of who predicts whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.labels.atomic import atomic_write

if TYPE_CHECKING:
    from nissl.align.errormap.maps import ErrorMap
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


def error_map_plot(found: ErrorMap, path: Path, group: Sequence[int] | None = None) -> None:
    """Relative skill of every pair, fragments that predict each other side by side.

    Above stands the tree that orders them, beside it their embedding, coloured by group.

    Pairs that are not significant at a false discovery rate of 5 % are crossed out.
    """
    from matplotlib.figure import Figure

    order = found.order()
    n = len(order)
    values = found.relative[np.ix_(order, order)]
    size = float(np.clip(0.32 * n + 3.2, 4.4, 14))
    made: Any = Figure(figsize=(1.7 * size + 0.8, 1.1 * size), layout="constrained")
    panel, beside = made.subplots(1, 2, width_ratios=[1.35, 1])
    if n > 2:
        _tree(found, panel.inset_axes((0, 1.01, 1, 0.16), sharex=panel))
    _embedding(found, beside, group)
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


def _tree(found: ErrorMap, panel: Any) -> None:
    from scipy.cluster.hierarchy import dendrogram

    drawn = dendrogram(found.tree(), no_plot=True)
    for across, heights in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        panel.plot((np.array(across) - 5) / 10, heights, color="0.4", lw=1)
    panel.set_ylim(bottom=0)
    panel.set_ylabel("distance", fontsize=8)
    panel.tick_params(labelbottom=False, bottom=False, labelsize=7)
    panel.spines[["top", "right", "bottom"]].set_visible(False)


def _embedding(found: ErrorMap, panel: Any, group: Sequence[int] | None) -> None:
    from nissl.align.errormap.grouping import embedded

    places = embedded(found.distance())
    colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
    of = [0] * len(places) if group is None else list(group)
    panel.scatter(*places.T, c=[colours[g % len(colours)] for g in of], s=30)
    if len(places) <= _MOST_NAMES:
        for name, place in zip(found.names, places, strict=True):
            panel.annotate(name, place, (4, 3), textcoords="offset points", fontsize=7)
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    reach = max(float(np.ptp(places, axis=0).max()) * 0.65, 0.5)  # distances are 0 to 1
    panel.set(
        xlim=middle[0] + np.array([-reach, reach]), ylim=middle[1] + np.array([-reach, reach])
    )
    panel.set_aspect("equal")
    panel.set_title("those that predict each other lie close", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7)


def _save(made: Any, path: Path) -> None:
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130, bbox_inches="tight")
