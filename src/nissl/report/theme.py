"""Colours, and matplotlib figures as SVG that follow the page's light or dark theme.

Lines and text are drawn in marker colours that are replaced by the page's CSS variables, so
one picture serves both themes. Series use the Okabe-Ito palette, which colour-blind readers
can tell apart and which shows on light and on dark ground.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#010203", "#040506", "#070809"
_CSS = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)"}
BLUE, ORANGE, GREEN, PINK = "#3a8fc9", "#e08a1e", "#1a9e77", "#cc79a7"
RED, PURPLE, YELLOW = "#d55e00", "#8a76c9", "#c9b300"
CYCLE = (BLUE, ORANGE, GREEN, PINK, RED, PURPLE, YELLOW)

_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nissl",
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.transparent": True,
}


@contextmanager
def figure(width: float, height: float, **grid: Any) -> Iterator[tuple[Figure, Any]]:
    """Figure in the report's style, in inches, with axes from `Figure.subplots`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC):
        made = Figure(figsize=(width, height), layout="constrained")
        yield made, made.subplots(**grid)


def to_svg(made: Figure, label: str) -> str:
    """Inline SVG of a figure, with a label for screen readers."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for marker, variable in _CSS.items():
        text = text.replace(marker, variable)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="([^"]*)"', r'\1 style="max-width:\2"', text, count=1)
    escaped = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return text.replace("<svg", f'<svg role="img" aria-label="{escaped}"', 1)


def quiet(axes: Axes) -> None:
    """Remove frame and ticks of axes that show a shape, not a scale."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
