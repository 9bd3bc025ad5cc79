"""The page of `coupling.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, number, table


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    lines = [
        "# Coupling: which windows, and when to stop",
        "",
        "Written by `python benchmarks/coupling.py`. Parts that are missing were not computed.",
        "",
        *(["This is a quick run, to see that it works: its figures mean nothing.", ""]
          if results["quick"] else []),
        f"![Skill on the sealed part over windows used]({picture})",
        "",
    ]  # fmt: skip
    if results.get("simulated"):
        lines += _simulated(results["simulated"])
    if results.get("days"):
        lines += _days(results["days"])
    cpu = results["machine"]
    lines += [f"Machine: {cpu['cpu']}, {cpu['cores']} cores, {cpu['memory_gb']} GB.", ""]
    return "\n".join(lines)


def ratio(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float, float] | None:
    """Median over seeds of random windows needed per window of the loop; bootstrapped 90 %."""
    both = [r["need"] for r in rows if r["need"]["gain"] and r["need"]["random"]]
    if not both:
        return None
    each = np.array([n["random"] / n["gain"] for n in both])
    rng = np.random.default_rng(0)
    spread = np.median(rng.choice(each, (2000, len(each))), axis=1)
    low, high = np.quantile(spread, [0.05, 0.95])
    return float(np.median(each)), float(low), float(high)


def _simulated(part: Mapping[str, Any]) -> list[str]:
    rows = part["rows"]
    body = [
        (str(r["seed"]), number(r["before"], 2), number(r["after"], 2), number(r["oracle"], 2),
         number(r["after"] / r["oracle"], 2), f"{r['windows']} of {r['oracle_windows']}",
         str(r["need"]["gain"]), str(r["need"]["random"]), f"{r['stranger_told']} of 3",
         str(r["wrongly_apart"]))
        for r in rows
    ]  # fmt: skip
    head = ("seed", "before", "after", "all windows", "part of it", "windows used",
            "loop needs", "random needs", "stranger told", "wrongly apart")  # fmt: skip
    reached = sum(r["after"] >= part["goal"] * r["oracle"] for r in rows)
    found = ratio(rows)
    lines = [
        "## Simulated days with planted reasons",
        "",
        "Four sources of 40 units and 16 conditions: two days of one subject that begin with "
        "settings that do not suit them, a third of which five conditions were used with one "
        "window each, and a stranger whose windows have their conditions in another order. "
        "Skill is the mean over the three pairs of one subject, both directions, on the sealed "
        "part (before: no loop; all windows: the settings of the end on all windows of the fit "
        "part). *Loop needs* and *random needs*: windows from which on the skill stays at 95 % "
        "of that. Random choice tries the same settings and sets pairs apart by the same test; "
        "only its windows are drawn at random, among sources that are not set apart, to the "
        "last. `None`: never.",
        "",
        table(head, body),
        "",
        f"At its own stop the loop had 95 % of all windows' skill in {reached} of "
        f"{len(rows)} seeds; median part "
        f"{np.median([r['after'] / r['oracle'] for r in rows]):.2f}, "
        f"lowest {min(r['after'] / r['oracle'] for r in rows):.2f}, with "
        f"{np.median([r['windows'] / r['oracle_windows'] for r in rows]):.0%} of the "
        "windows (median).",
        "",
    ]
    if found:
        lines += [
            f"Random choice needs {found[0]:.2f} [{found[1]:.2f}, {found[2]:.2f}] times the "
            "windows of the loop for the same (median over the "
            f"{sum(bool(r['need']['gain'] and r['need']['random']) for r in rows)} of {len(rows)} "
            "seeds in which both got there, and its 90 % interval by resampling them).",
            "",
            "Where fewer than three pairs of the stranger are told, chance ranked a useless map "
            "above 95 % of other orders. Such a pair is kept, with a skill of 0 while no map is "
            "better than none.",
            "",
        ]
    return lines


def _matches(one: Mapping[str, Any]) -> str:
    if not one["matches"]:
        return "no"
    return "yes" if one["p"] <= 0.05 and one["after"] > 0 else "not shown"


def _days(part: Mapping[str, Any]) -> list[str]:
    body = []
    for k, r in enumerate(part["rows"]):
        for v in r["verdict"]:
            body.append(
                (str(k), f"{v['read']} to {v['predicted']}", number(v["before"], 2),
                 f"{v['after']:.2f} [{v['low']:.2f}, {v['high']:.2f}]", number(v["everything"], 2),
                 f"{v['null']:.2f}", f"{v['p']:.2f}", f"{r['windows']} of {r['all_windows']}",
                 _matches(v))
            )  # fmt: skip
    head = ("cut", "direction", "before", "after", "all windows", "chance", "p",
            "windows used", "matches")  # fmt: skip
    stops = sorted({r["stopped"] for r in part["rows"]})
    return [
        "## Two days of motor cortex, 77 days apart",
        "",
        "Reaches to eight targets, other units on each day; the loop begins with one window of "
        "each target. Sealed part, both directions; several cuts of the same two days in three "
        "parts. Cut 0 was in view while the loop was built; its rules were changed once because "
        "of it (it gave up where no map was better than none yet).",
        "",
        table(head, body),
        "",
        _worth(part["rows"]),
        "",
        "Why it stopped: " + " ".join(stops),
        "",
    ]


def _worth(rows: Sequence[Mapping[str, Any]]) -> str:
    """Whether the loop spared windows on real data."""
    share = float(np.median([r["windows"] / r["all_windows"] for r in rows]))
    ahead = []
    for r in rows:
        x, y = np.array(r["curves"]["random"]).T
        each = np.interp(np.array(r["curves"]["gain"])[:, 0], x, y)
        ahead.append(float((np.array(r["curves"]["gain"])[:, 1] - each).mean()))
    says = (
        f"The loop used {share:.0%} of the windows (median). At equal numbers of windows its skill "
        f"is {np.median(ahead):+.3f} beside random windows (mean over its rounds, median of cuts; "
        f"{min(ahead):+.3f} to {max(ahead):+.3f})."
    )
    if share > 0.75:
        says += (
            " With few conditions and two sources that both need all of them there is little to "
            "choose: nearly every window still helps, and the loop does not pay."
        )
    return says


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Skill over windows used, the loop beside random windows."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(9.5, 3.8), layout="constrained")
    axes = made.subplots(1, 2)
    for panel, key, title in zip(axes, ("simulated", "days"), ("simulated", "motor cortex"),
                                 strict=True):  # fmt: skip
        rows = (results.get(key) or {}).get("rows", [])
        for n, (pick, word) in enumerate((("random", "random windows"), ("gain", "the loop"))):
            for k, r in enumerate(rows):
                x, y = np.array(r["curves"][pick]).T
                panel.plot(x, y, color=COLOURS[n], linewidth=1, alpha=0.7,
                           label=word if not k else None)  # fmt: skip
                if pick == "gain":
                    panel.plot(x[-1], y[-1], "o", color=COLOURS[n], markersize=4)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("windows used beyond the first ones")
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("skill on the sealed part")
    axes[0].legend(frameon=False, fontsize=9)
    made.savefig(path, dpi=130)
