"""Pictures and a page of the coupling loop: gain by round, the map before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nissl.labels.atomic import atomic_write, write_bytes

if TYPE_CHECKING:
    from nissl.align.coupling.judging import Verdict
    from nissl.align.coupling.state import Round

_KINDS = {"windows": "#0072B2", "settings": "#E69F00", "apart": "#D55E00"}
_WORDS = {"windows": "more windows", "settings": "other settings", "apart": "set apart"}
_MOST_NUMBERS = 10


def coupling_plot(rounds: Sequence[Round], verdict: Sequence[Verdict], path: Path) -> None:
    """Skill round by round, and the map of pairs on the sealed part before and after.

    Parameters
    ----------
    rounds : sequence of Round
    verdict : sequence of Verdict
    path : Path
        Of the PNG.
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(12, 4.2), layout="constrained")
    course, before, after = made.subplots(1, 3, width_ratios=(1.5, 1, 1))
    x, y = [r.number for r in rounds], [r.skill for r in rounds]
    course.plot(x, y, color="0.6", linewidth=1)
    for kind, colour in _KINDS.items():
        own = [r for r in rounds if r.kind == kind]
        if own:
            at = [r.number for r in own], [r.skill for r in own]
            course.plot(*at, "o", color=colour, label=_WORDS[kind], markersize=5)
    course.set_xlabel("round")
    course.set_ylabel("mean skill of pairs, choose part")
    course.legend(frameon=False, fontsize=8, loc="lower right")
    course.spines[["top", "right"]].set_visible(False)
    _map(before, verdict, "before").set_title("sealed part, before", fontsize=10)
    _map(after, verdict, "after").set_title("sealed part, after the loop", fontsize=10)
    made.colorbar(after.images[0], ax=[before, after], shrink=0.8, label="skill")
    with atomic_write(path) as file:
        made.savefig(file, format="png", dpi=130)


def _map(panel: Any, verdict: Sequence[Verdict], key: str) -> Any:
    names = list(dict.fromkeys(v.read for v in verdict))
    values = np.full((len(names), len(names)), np.nan)
    for v in verdict:
        values[names.index(v.read), names.index(v.predicted)] = getattr(v, key)
    panel.imshow(values, cmap="viridis", vmin=0, vmax=1)
    for v in verdict:
        i, j = names.index(v.read), names.index(v.predicted)
        if key == "after" and not v.matches:
            panel.plot(j, i, "x", color="#d55e00", markersize=12)
        elif len(names) <= _MOST_NUMBERS:
            value = values[i, j]
            ink = "black" if value > 0.6 else "white"
            panel.text(j, i, f"{value:.2f}", ha="center", va="center", color=ink, size=8)
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.set_xlabel("predicted")
    panel.set_ylabel("read from")
    return panel


def _matches(one: Verdict) -> str:
    if not one.matches:
        return "no"
    return "yes" if one.p <= 0.05 and one.after > 0 else "not shown"


def coupling_page(
    rounds: Sequence[Round],
    verdict: Sequence[Verdict],
    wishes: Sequence[Any],
    apart: Sequence[str],
    path: Path,
) -> None:
    """Markdown page: rounds, the verdict, what to record next.

    Parameters
    ----------
    rounds : sequence of Round
    verdict : sequence of Verdict
    wishes : sequence of Wish
    apart : sequence of str
    path : Path
    """
    lines = ["# Coupling", "", "![Rounds and maps](coupling.png)", "", "## Rounds", ""]
    lines += [
        "| round | done | expected | gain | skill | windows |",
        "|---:|:---|---:|---:|---:|---:|",
    ]
    for r in rounds:
        gain = "" if np.isnan(r.gain) or not r.number else f"{r.gain:+.3f}"
        told = f"{r.expected:+.3f} ± {r.error:.3f}" if r.expected else ""
        lines.append(f"| {r.number} | {r.says} | {told} | {gain} | {r.skill:.3f} | {r.n_windows} |")
    lines += ["", "Gain and skill are of the choose part; the sealed part was opened after "
              "the last round.", "", "## Sealed part", ""]  # fmt: skip
    lines += [
        "| read | predicted | before | after | all windows | chance | p | matches |",
        "|:---|:---|---:|---:|---:|---:|---:|:---|",
    ]
    for v in verdict:
        lines.append(
            f"| {v.read} | {v.predicted} | {v.before:.2f} | {v.after:.2f} "
            f"[{v.low:.2f}, {v.high:.2f}] | {v.everything:.2f} | {v.null:.2f} | {v.p:.3f} | "
            f"{_matches(v)} |"
        )
    if apart:
        lines += ["", "## What does not match", "", *(f"- {sentence}" for sentence in apart)]
    if wishes:
        lines += ["", "## Record next", ""]
        lines += [
            f"- {w.source}, condition {w.condition} ({w.windows} windows in use): one more is "
            f"expected to bring {w.gain:.4f}."
            for w in wishes
        ]
    write_bytes(path, ("\n".join(lines) + "\n").encode())
