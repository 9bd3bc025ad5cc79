"""A figure for each item of a checklist, drawn of the plain values it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.align.evidence.item import Item
from nissl.report.theme import BLUE, GREEN, MUTED, ORANGE, RED, figure, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NUMBERS = 8
_MOST_NAMES = 24


@contextmanager
def drawn(item: Item) -> Iterator[Figure | None]:
    """Figure of an item; None where it keeps nothing to draw."""
    draw = _DRAW.get(item.name)
    if draw is None or not item.facts or not draw[0] <= set(item.facts):
        yield None
        return
    with figure(4.6, 2.9) as (made, axes):
        draw[1](axes, item)
        yield made


def inline(made: Figure, item: Item) -> str:
    """SVG that follows the page's theme."""
    return to_svg(made, f"{item.asks} {item.says}")


def _matrix(axes: Axes, item: Item) -> None:
    skill = np.array(item.facts["skill"], float)
    own = np.array(item.facts["ceiling"], float)
    shown = np.where(np.eye(len(skill), dtype=bool), own[None], skill)
    picture: Any = axes.imshow(shown, cmap="viridis", vmin=0, vmax=max(float(own.max()), 0.05))
    if len(skill) <= _MOST_NUMBERS:
        for i, j in np.ndindex(*skill.shape):
            ink = "black" if shown[i, j] > 0.6 * own.max() else "white"
            axes.text(j, i, f"{shown[i, j]:.2f}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_xlabel("read (diagonal: own other half)")
    axes.set_ylabel("read through")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.figure.colorbar(picture, ax=axes, label="variance explained")


def _units(axes: Axes, item: Item) -> None:
    value, high = (np.array(item.facts[k], float) for k in ("skill", "null_high"))
    holds = np.array(item.facts["p"], float) <= 0.05
    names = item.facts.get("units") or [str(k + 1) for k in range(len(value))]
    order = np.argsort(-value)
    at = np.arange(len(value))
    axes.bar(at, high[order], color=MUTED, alpha=0.25, width=0.8, label="95 % of chance")
    for keep, colour, word in ((holds, BLUE, "holds"), (~holds, ORANGE, "does not")):
        mask = keep[order]
        if mask.any():
            axes.plot(at[mask], value[order][mask], "o", color=colour, label=word)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    if len(value) <= _MOST_NAMES:
        axes.set_xticks(at, [names[k] for k in order], rotation=45, ha="right", fontsize=7)
    else:
        axes.set_xticks([])
    axes.set_xlabel(item.unit)
    axes.set_ylabel("variance explained")
    axes.legend(fontsize=7)


def _curve(axes: Axes, item: Item) -> None:
    curve = np.array(item.facts["curve"], float)
    axes.plot(np.arange(1, len(curve) + 1), curve, "o-", color=BLUE)
    if "axes" in item.facts:
        axes.axvline(item.facts["axes"], color=ORANGE, linewidth=1, label="axes claimed or chosen")
        axes.axhline(0.9 * curve[-1], color=MUTED, linewidth=0.8, label="90 % of what all carry")
        axes.legend(fontsize=7)
    axes.set_xlabel("shared axes")
    axes.set_ylabel("variance explained")


def _rsa(axes: Axes, item: Item) -> None:
    axes.hist(item.facts["null"], bins=24, color=MUTED, alpha=0.4, label="chance")
    axes.axvline(float(np.mean(item.facts["rsa"])), color=BLUE, linewidth=2, label="recordings")
    axes.axvline(item.facts["ceiling"], color=GREEN, linewidth=1.5, linestyle="--", label="ceiling")
    axes.set_xlabel("rank correlation of dissimilarities")
    axes.set_ylabel("orders")
    axes.legend(fontsize=7)


def _switched(axes: Axes, item: Item) -> None:
    names = item.facts["sources"]
    for k, (on, off) in enumerate(zip(item.facts["on"], item.facts["off"], strict=True)):
        scale = float(np.mean(off)) or 1.0
        for values, colour, shift, word in ((off, MUTED, -0.17, "off"), (on, RED, 0.17, "on")):
            spread = np.linspace(-0.09, 0.09, len(values))
            y = np.array(values) / scale
            label = word if k == 0 else None
            axes.plot(k + shift + spread, y, ".", color=colour, markersize=3, label=label)
            axes.plot([k + shift - 0.12, k + shift + 0.12], [y.mean()] * 2, color=colour, lw=2)
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_ylabel("activity, in parts of off")
    axes.legend(fontsize=7)


def _arrows(axes: Axes, item: Item) -> None:
    colours = {"arrow": BLUE, "direction not identifiable": ORANGE, "no evidence": MUTED}
    told = item.facts["arrows"]
    for k, arrow in enumerate(told):
        axes.barh(k, arrow["estimate"], color=colours[arrow["verdict"]], height=0.6)
        axes.text(0, k - 0.42, f" {arrow['verdict']}", fontsize=7, va="center")
    words = [f"{a['source']}: {a['cause']} to {a['effect']}" for a in told]
    axes.set_yticks(range(len(told)), words, fontsize=7)
    axes.set_ylim(len(told) - 0.5, -0.7)
    axes.set_xlabel(f"transfer ({told[0]['unit']})")


def _known(axes: Axes, item: Item) -> None:
    fields = ("species", "subject", "session", "region", "state", "modality")
    missing = item.facts["missing"]
    for row, lacks in enumerate(missing):
        for column, name in enumerate(fields):
            gone = name in lacks
            axes.plot(column, row, "o" if not gone else "x", color=RED if gone else GREEN)
        part = item.facts["reviewed"][row]
        word = "–" if part is None or part != part else f"{part:.0%}"
        axes.text(len(fields), row, word, ha="center", va="center", fontsize=8)
    axes.set_xticks(
        range(len(fields) + 1), [*fields, "reviewed"], rotation=35, ha="right", fontsize=8
    )
    if len(missing) <= _MOST_NAMES:
        axes.set_yticks(range(len(missing)), item.facts["sources"], fontsize=7)
    axes.set_xlim(-0.6, len(fields) + 0.6)
    axes.set_ylim(len(missing) - 0.4, -0.6)


_DRAW: Mapping[str, tuple[frozenset[str], Callable[[Axes, Item], None]]] = {
    "shared": (frozenset({"skill", "ceiling"}), _matrix),
    "days": (frozenset({"skill", "null_high", "p"}), _units),
    "individuals": (frozenset({"skill", "null_high", "p"}), _units),
    "conditions": (frozenset({"skill", "null_high", "p"}), _units),
    "axes": (frozenset({"curve"}), _curve),
    "geometry": (frozenset({"null", "rsa", "ceiling"}), _rsa),
    "intervention": (frozenset({"on", "off"}), _switched),
    "drives": (frozenset({"arrows"}), _arrows),
    "basis": (frozenset({"missing", "reviewed"}), _known),
}
