"""Pictures of a verified sorting: recall by size and depth, reliability, agreement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.report.theme import BLUE, GREEN, MUTED, ORANGE, PURPLE, RED, figure, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Found = Mapping[str, Any]

FATE_COLOURS = {
    "found": GREEN, "split": PURPLE, "merged": ORANGE, "part": BLUE, "missed": RED,
}  # fmt: skip
_OFFSET = 0.12


@contextmanager
def drawn(name: str, found: Found) -> Iterator[Figure | None]:
    """Figure of a name in `FIGURES`; None where there is nothing to draw."""
    _, there, draw = FIGURES[name]
    if not there(found):
        yield None
        return
    with figure(4.8, 3.2) as (made, axes):
        draw(axes, found)
        yield made


def inline(made: Figure, name: str) -> str:
    """SVG that follows the page's theme."""
    return to_svg(made, FIGURES[name][0])


def _by_snr(axes: Axes, found: Found) -> None:
    levels = [b["band"] for b in found["by_snr"]]
    place = np.arange(len(levels), dtype=float)
    _bars(axes, place - _OFFSET, [b["recall"] for b in found["by_snr"]], BLUE, "recall")
    _bars(axes, place + _OFFSET, [b["precision"] for b in found["by_snr"]], ORANGE, "precision")
    rng = np.random.default_rng(0)
    for u in found["units"]:
        at = levels.index(f"{u['snr']:g}") - _OFFSET + rng.uniform(-0.06, 0.06)
        axes.plot(at, u["recall"], ".", color=BLUE, alpha=0.35, markersize=5)
    axes.set_xticks(place, levels)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xlabel("signal-to-noise ratio of added units")
    axes.set_ylabel("mean over units, 95 % interval")
    _from_0_to_1(axes)


def _bars(axes: Axes, at: Any, intervals: list[Found], colour: str, name: str) -> None:
    """Estimates with their intervals; what could not be computed is left out."""
    kept = [(x, i) for x, i in zip(at, intervals, strict=True) if i["estimate"] is not None]
    if not kept:
        return
    mean = np.array([i["estimate"] for _, i in kept])
    low, high = (
        np.array([i["estimate"] if i[k] is None else i[k] for _, i in kept])
        for k in ("low", "high")
    )
    reach = np.maximum([mean - low, high - mean], 0)
    x = [each for each, _ in kept]
    axes.errorbar(x, mean, yerr=reach, fmt="o", color=colour, label=name, capsize=3, markersize=5)


def _from_0_to_1(axes: Axes) -> None:
    axes.set_ylim(-0.04, 1.04)
    axes.grid(axis="y", color=MUTED, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)


def _by_depth(axes: Axes, found: Found) -> None:
    for fate, colour in FATE_COLOURS.items():
        some = [u for u in found["units"] if u["fate"] == fate]
        if some:
            size = [12 + 4 * min(u["snr"], 25) for u in some]
            axes.scatter(
                [u["recall"] for u in some], [u["y_um"] for u in some],
                s=size, color=colour, alpha=0.8, label=fate, edgecolors="none",
            )  # fmt: skip
    axes.set_xlim(-0.06, 1.06)
    axes.grid(color=MUTED, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("recall (area: signal-to-noise ratio)")
    axes.set_ylabel("depth along the probe (um)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)


def _reliability(axes: Axes, found: Found) -> None:
    whole = found["confidence"]["overall"]
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1, label="calibrated")
    bins = whole["bins"]
    x = np.array([b["confidence"] for b in bins])
    for b, at in zip(bins, x, strict=True):
        low, high = b["accuracy"]["low"], b["accuracy"]["high"]
        if low is not None and high is not None:
            axes.plot([at, at], [low, high], color=BLUE, linewidth=1.2)
    axes.plot(x, [b["accuracy"]["estimate"] for b in bins], "o-", color=BLUE, label="all spikes")
    for colour, (name, part) in zip(_SHADES, found["confidence"]["by_snr"].items(), strict=False):
        at = [b["confidence"] for b in part["bins"]]
        right = [b["accuracy"]["estimate"] for b in part["bins"]]
        axes.plot(at, right, color=colour, linewidth=0.9, alpha=0.7, label=f"SNR {name}")
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("confidence of a spike")
    axes.set_ylabel("share that is right, 95 % interval")
    _from_0_to_1(axes)


_SHADES = (RED, ORANGE, GREEN, PURPLE, MUTED)


def _agreement(axes: Axes, found: Found) -> None:
    for name, colour, label in (
        ("halves", BLUE, "halves:\ncosine of templates"),
        ("sorters", ORANGE, "two sorters:\nspikes in common"),
    ):
        told = found[name]
        rows = [u for u in (told or {"units": []})["units"] if u["snr"] is not None]
        if rows:
            axes.plot(
                [u["snr"] for u in rows], [u["agreement"] for u in rows],
                "o", color=colour, alpha=0.75, markersize=5, label=label,
            )  # fmt: skip
    axes.set_xlabel("signal-to-noise ratio of the recording's own units")
    axes.set_ylabel("agreement, 0 without a partner")
    _from_0_to_1(axes)


def _agrees(found: Found) -> bool:
    return any((found[name] or {"units": ()})["units"] for name in ("halves", "sorters"))


FIGURES: dict[str, tuple[str, Callable[[Found], bool], Callable[[Axes, Found], None]]] = {
    "snr": ("Recall and precision by signal-to-noise ratio", lambda f: bool(f["units"]), _by_snr),
    "depth": ("Recall by depth, and what became of each unit", lambda f: bool(f["units"]),
              _by_depth),
    "reliability": ("Reliability of the confidence of single spikes",
                    lambda f: f["confidence"]["overall"] is not None, _reliability),
    "agreement": ("Agreement of halves and of two sorters", _agrees, _agreement),
}  # fmt: skip
"""Title of each figure, whether there is something to draw, and how."""
