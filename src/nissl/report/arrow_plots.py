"""Which series drives which, as a matrix and as a graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.labels.atomic import atomic_write

if TYPE_CHECKING:
    from nissl.align.directed.arrows import Arrow, Arrows
    from nissl.align.fragments import Floats

_ARROW, _UNSURE = "#0072B2", "#E69F00"
_MOST_NAMES = 40
_MOST_NUMBERS = 10
_MOST_COURSES = 6


def arrows_plot(found: Arrows, path: Path) -> None:
    """Estimates of all pairs with their verdicts, and the graph of what was claimed.

    In the matrix a dot marks an arrow, a ring a pair whose direction cannot be told. In the graph
    those are arrows, and lines without a head.
    """
    from matplotlib.figure import Figure

    n = len(found.names)
    size = float(np.clip(0.3 * n + 2.6, 4.0, 10.0))
    made = Figure(figsize=(2 * size + 1.2, size), layout="constrained")
    left, right = made.subplots(1, 2)
    _matrix(made, left, found, n)
    _graph(right, found, n)
    made.suptitle(found.method, fontsize=10)
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130)


def _matrix(made: Any, panel: Any, found: Arrows, n: int) -> None:
    values = found.matrix()
    top = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    signed = bool(np.nanmin(values) < -0.05 * top) if np.isfinite(values).any() else False
    low, colours = (-top, "RdBu_r") if signed else (0.0, "Greys")
    drawn = panel.imshow(values, cmap=colours, vmin=low, vmax=max(top, 1e-12))
    for arrow in found.arrows:
        at = ([arrow.target], [arrow.source])
        width = 9 if n <= _MOST_NUMBERS else 5
        if arrow.verdict == "arrow":
            panel.plot(*at, "o", color=_ARROW, markersize=width, markeredgecolor="white")
        elif arrow.verdict == "direction not identifiable":
            panel.plot(*at, "o", color=_UNSURE, markersize=width, fillstyle="none")
    if n <= _MOST_NAMES:
        panel.set_xticks(range(n), found.names, rotation=90, fontsize=8)
        panel.set_yticks(range(n), found.names, fontsize=8)
    panel.set_xlabel("target (is driven)")
    panel.set_ylabel("source (drives)")
    panel.set_title("dot: arrow; ring: direction not identifiable", fontsize=8)
    made.colorbar(drawn, ax=panel, shrink=0.8, label=found.unit)


def _graph(panel: Any, found: Arrows, n: int) -> None:
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    place = np.column_stack([np.cos(angle), np.sin(angle)])
    largest = max((abs(a.estimate) for a in found.arrows if a.verdict == "arrow"), default=1.0)
    for arrow in _drawn(found):
        a, b = place[arrow.source], place[arrow.target]
        sure = arrow.verdict == "arrow"
        width = 1 + 2.5 * abs(arrow.estimate) / max(largest, 1e-12) if sure else 1.0
        style = {
            "arrowstyle": "-|>" if sure else "-",
            "color": _ARROW if sure else _UNSURE,
            "linestyle": "-" if sure else "--",
            "linewidth": width,
            "connectionstyle": "arc3,rad=0.12" if sure else "arc3",
            "shrinkA": 16,
            "shrinkB": 16,
            "mutation_scale": 14,
        }
        panel.annotate("", xy=b, xytext=a, arrowprops=style)
    panel.plot(*place.T, "o", color="0.85", markersize=22 if n <= _MOST_NUMBERS else 10)
    if n <= _MOST_NAMES:
        for name, at in zip(found.names, place * 1.22, strict=True):
            panel.text(*at, name, ha="center", va="center", fontsize=8)
    panel.set_xlim(-1.5, 1.5)
    panel.set_ylim(-1.5, 1.5)
    panel.set_aspect("equal")
    panel.axis("off")
    panel.set_title("arrows; dashed: direction not identifiable", fontsize=8)


def _drawn(found: Arrows) -> list[Arrow]:
    """Arrows, and of pairs whose direction cannot be told one line each, unless an arrow is."""
    claimed = {(a.source, a.target) for a in found.arrows if a.verdict == "arrow"}
    out, seen = [], set()
    for arrow in found.arrows:
        ends = (arrow.source, arrow.target)
        if ends in claimed:
            out.append(arrow)
        elif arrow.verdict == "direction not identifiable":
            pair = frozenset(ends)
            if pair not in seen and ends[::-1] not in claimed:
                seen.add(pair)
                out.append(arrow)
    return out


def spectra_plot(hz: Floats, granger: Floats, found: Arrows, path: Path) -> None:
    """Granger causality by frequency, of the strongest pairs; solid where the verdict is an arrow.

    Parameters
    ----------
    hz : ndarray, shape (n_frequencies,)
    granger : ndarray, shape (n_frequencies, n, n)
    found : Arrows
    path : Path
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(6.4, 3.6), layout="constrained")
    panel: Any = made.subplots()
    strongest = sorted(found.arrows, key=lambda a: (a.verdict != "arrow", -a.estimate))
    for arrow in strongest[:_MOST_COURSES]:
        style = "-" if arrow.verdict == "arrow" else ":"
        word = f"{found.names[arrow.source]} to {found.names[arrow.target]}"
        panel.plot(hz, granger[:, arrow.source, arrow.target], style, label=word)
    panel.set_xlabel("Hz")
    panel.set_ylabel("Granger causality (nats)")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130)
