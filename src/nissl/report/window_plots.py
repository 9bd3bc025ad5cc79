"""Pictures of windows: where they lie, how much is needed, how long a population holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.labels.atomic import atomic_write
from nissl.sync.intervals import span_seconds

if TYPE_CHECKING:
    from nissl.align.windows.holding import Holding
    from nissl.align.windows.need import Need
    from nissl.clock import Clock
    from nissl.labels import LabelSet

SCORES = {
    "skill": "held-out skill",
    "turn": "right turn without labels",
    "likeness": "likeness over chance",
}


def windows_plot(sources: Mapping[str, tuple[LabelSet, Clock]], path: Path) -> None:
    """Windows of every source along its own clock, a lane per class that occurs.

    Parameters
    ----------
    sources : mapping of str to (LabelSet, Clock)
    path : Path
        Of the PNG.
    """
    from matplotlib.figure import Figure

    first = next(iter(sources.values()))[0].vocabulary
    present = {int(k) for s, _ in sources.values() for k in np.unique(s.column("label")).tolist()}
    lanes = [k for k in range(len(first)) if k in present]
    made = Figure(
        figsize=(8.0, 1.2 + 0.5 * len(sources) * max(len(lanes), 1)), layout="constrained"
    )
    axis = made.subplots()
    ticks, names = [], []
    for row, (name, (labels, clock)) in enumerate(sources.items()):
        begin, end = span_seconds(clock, labels.column("start"), labels.column("stop"))
        for lane, code in enumerate(lanes):
            own = labels.column("label") == code
            y = row * (len(lanes) + 0.6) + lane
            ticks.append(y)
            names.append(f"{name}: {first.names[code]}")
            axis.plot([clock.segments[0].t0_s / 60, clock.segments[-1].end_s / 60], [y, y],
                      "-", color="0.85", linewidth=1, zorder=0)  # fmt: skip
            spans = np.stack([begin[own], (end - begin)[own]], axis=1) / 60
            colour = first.colours[code] if first.colours else None
            axis.broken_barh(spans.tolist(), (y - 0.35, 0.7), facecolors=colour)
    axis.set_yticks(ticks, names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("minutes on each source's own clock")
    _bare(axis)
    _save(made, path)


def need_plot(found: Need, names: tuple[str, str], path: Path) -> None:
    """Scores of draws over the number of windows, the curve, and what is needed.

    Parameters
    ----------
    found : Need
    names : tuple of str
    path : Path
        Of the PNG.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = made.subplots(1, 2)
    known = found.windows if np.isfinite(found.windows) else found.sizes.max()
    n = np.geomspace(found.sizes.min(), max(4 * known, 2 * found.sizes.max()), 200)
    x = np.repeat(found.sizes, found.scores.shape[1])
    left.plot(x, found.scores.ravel(), ".", color="0.6", markersize=4, label="draws of the pilot")
    left.plot(n, found.curve.mean(n), "-", color="#0072b2", label="expected")
    if not found.curve.binary:
        left.axhline(found.goal, color="#d55e00", linestyle=":", label=f"goal {found.goal:g}")
    left.set_ylabel(SCORES[found.measure])
    right.plot(n, found.curve.power(n, found.goal), "-", color="#0072b2")
    right.axhline(found.power, color="#d55e00", linestyle=":")
    right.axvline(found.have, color="0.4", linestyle="--", linewidth=1)
    right.text(found.have, 0.02, " pilot", fontsize=8, color="0.3")
    if np.isfinite(found.windows):
        right.plot([found.windows], [found.power], "o", color="#d55e00")
        low, high = found.low, min(found.high, float(n.max()))
        right.plot([low, high], [found.power] * 2, "-", color="#d55e00", linewidth=4, alpha=0.35)
        right.set_title(f"{found.windows:.0f} windows of each", fontsize=10)
    else:
        right.set_title("no amount of the same is enough", fontsize=10)
    right.set_ylim(-0.02, 1.02)
    right.set_ylabel("probability of reaching the goal")
    for axis in (left, right):
        axis.set_xscale("log")
        ticks = [t for t in (10, 20, 50, 100, 200, 500, 1000, 5000, 20000) if n[0] <= t <= n[-1]]
        axis.set_xticks(ticks, [str(t) for t in ticks])
        axis.minorticks_off()
        axis.set_xlabel("windows of each recording")
        _bare(axis)
    left.legend(fontsize=8, frameon=False)
    left.set_title(" and ".join(names), fontsize=10)
    _save(made, path)


def holding_plot(found: Holding, name: str, path: Path) -> None:
    """Each measure over the pieces of a recording, beside its own halves and chance.

    Parameters
    ----------
    found : Holding
    name : str
    path : Path
        Of the PNG.
    """
    from matplotlib.figure import Figure

    says = {
        "correlations": "correlations of units",
        "space": "space of most variance",
        "rule": "the first piece's rule",
    }
    made = Figure(figsize=(10.0, 3.7), layout="constrained")
    at = (found.start_s - found.start_s[0]) / 3600 + found.minutes / 120
    for axis, held in zip(made.subplots(1, 3), found.measures, strict=True):
        axis.plot(at, held.own, "-", color="0.6", label="the piece's own halves")
        axis.plot(at, held.value, "o-", color="#0072b2", markersize=4, label="against the first")
        axis.plot(at, held.null, ":", color="#d55e00", label="chance, 95th percentile")
        if held.measure == "rule":
            axis.plot(at, found.persistence, "--", color="0.75", label="nothing changes")
        low = min(-0.05, float(max(np.nanmin([held.value, held.null]), -1.0)) - 0.05)
        axis.set_ylim(low, 1.05)
        axis.set_title(says[held.measure], fontsize=10)
        axis.set_xlabel("hours")
        _bare(axis)
    handles, words = axis.get_legend_handles_labels()
    made.legend(handles, words, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    made.suptitle(f"{name}, pieces of {found.minutes:g} min", fontsize=10)
    _save(made, path)


def _bare(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)


def _save(made: Any, path: Path) -> None:
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=110)
