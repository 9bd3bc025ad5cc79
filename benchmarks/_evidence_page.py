"""The page of `evidence.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _common import COLOURS, table
from nissl.trust.intervals import binomial_interval

_PARTS = ("simulated", "interventions", "drives")
_PLACES = {
    "CA1 and CA3, linear": "CA1 and CA3, five animals",
    "CA1 and CA3, rotation": "CA1 and CA3, five animals, same geometry asked for",
    "CA1 alone, linear": "CA1 alone, three animals",
    "CA1 alone, rotation": "CA1 alone, three animals, same geometry asked for",
}


def cells(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for every claim whose truth is known: part, world, item, and counts."""
    out = []
    for part in _PARTS:
        for world, found in (results.get(part) or {}).get("worlds", {}).items():
            items = found if part == "simulated" else {part.rstrip("s"): found}
            out += [{"part": part, "world": world, "item": i, **c} for i, c in items.items()]
    return out


def total(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Supported, and of how many."""
    return sum(r["supported"] for r in rows), sum(r["n"] for r in rows)


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    rows = cells(results)
    lines = [
        "# Evidence for claims",
        "",
        "Written by `python benchmarks/evidence.py`. Parts that are missing were not computed. "
        "What the items ask is told in [the manual](../manual/evidence.md).",
        "",
    ]
    if results["quick"]:
        lines += ["This is a quick run, to see that it works: its figures mean nothing.", ""]
    lines += [f"![How often claims were supported, true and false ones]({picture})", ""]
    if rows:
        lines += _summary(rows)
    for part, heading in zip(
        _PARTS,
        ("Recordings with and without a shared code", "Interventions", "Arrows"),
        strict=True,
    ):
        own = [r for r in rows if r["part"] == part]
        if own:
            lines += [f"## {heading}", "", *_notes(part), "", *_table(own)]
    if results.get("motor"):
        lines += _motor(results["motor"])
    if results.get("places"):
        lines += _places(results["places"])
    cpu = results["machine"]
    lines += [f"Machine: {cpu['cpu']}, {cpu['cores']} cores, {cpu['memory_gb']} GB.", ""]
    return "\n".join(lines)


def _summary(rows: list[dict[str, Any]]) -> list[str]:
    wrong, n_false = total([r for r in rows if not r["true"]])
    right, n_true = total([r for r in rows if r["true"]])
    between = binomial_interval(wrong, n_false, level=0.9)
    worst = max((r for r in rows if not r["true"]), key=lambda r: r["supported"] / r["n"])
    return [
        f"**False claims supported: {wrong} of {n_false} ({wrong / n_false:.1%}, 90 % interval "
        f"{between.low:.1%} to {between.high:.1%}; aim 5 %).** The worst kind is "
        f'"{worst["item"]}" where {worst["world"]}: {worst["supported"]} of {worst["n"]}. '
        f"True claims supported: {right} of {n_true} ({right / n_true:.0%}). False ones that were "
        "called not testable count as not supported.",
        "",
    ]


def _notes(part: str) -> list[str]:
    return {
        "simulated": [
            "Poisson units, 12 conditions of 8 windows (16 conditions where the code has 6 axes), "
            "30 units per recording, other units in each; beside the shared code every recording "
            "has one of its own. The claim says 3 axes. P values are adjusted over the items of "
            "each claim."
        ],
        "interventions": [
            "30 windows each on and off, drawn at random in time, slow drift in both; the claim "
            'says "higher". Effects of 1 ("agrees"), 0.5 ("weak"), 0 and -1 standard deviations of '
            "windows. With one individual the verdict is about it; with six, about individuals, "
            "by exchanging the signs of their mean effects."
        ],
        "drives": [
            "Two autoregressive series of 3,000 samples; the claim says that x drives y. How often "
            "directions are right among many is told [elsewhere](directed.md)."
        ],
    }[part]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    body = [
        [
            r["world"],
            r["item"],
            "true" if r["true"] else "false",
            f"{r['supported']} of {r['n']}",
            f"{r['untestable']}",
        ]
        for r in rows
    ]
    return [table(["what is so", "item", "the claim is", "supported", "not testable"], body)]


def _items(items: list[dict[str, Any]]) -> list[str]:
    body = []
    for i in items:
        units = f"{i['n']} {i['unit']}" if i["n"] else "–"
        q = "–" if i["q"] is None else f"{i['q']:.3f}"
        body.append([i["name"], i["verdict"], i["says"], q, units])
    return [table(["item", "verdict", "what was found", "adjusted P", "independent units"], body)]


def _motor(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "## One monkey, two days 77 days apart",
        "",
        "Eight reach targets, motor cortex, other units. Of other monkeys, and of other days, "
        "nothing can be said, and nothing is.",
        "",
    ]
    for rule, items in found.items():
        lines += [f"Maps: {rule}.", "", *_items(items)]
    return lines


def _places(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Places of one room in CA1 and CA3",
        "",
        "Calcium imaging of mice on a track, two sessions of each in the place of days; a "
        "condition is a stretch of the track, left out with a map that was fitted on the others. "
        "Chance shifts and turns the track. Linear maps ask only that places are told apart "
        "along the same order, which any smooth code of place does; that animals code place "
        "alike needs the same geometry.",
        "",
    ]
    for name, items in found.items():
        lines += [f"### {_PLACES[name]}", "", *_items(items)]
    return lines


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Share of claims that were supported, of every kind, true ones and false ones."""
    from matplotlib.figure import Figure

    rows = sorted(cells(results), key=lambda r: r["true"])
    made = Figure(figsize=(8.4, 0.24 * max(len(rows), 4) + 1.2), layout="constrained")
    panel = made.subplots()
    for k, row in enumerate(rows):
        share = row["supported"] / row["n"]
        between = binomial_interval(row["supported"], row["n"], level=0.9)
        colour = COLOURS[2] if row["true"] else COLOURS[4]
        panel.plot([between.low, between.high], [k, k], color=colour, linewidth=1.5)
        panel.plot(share, k, "o", color=colour, markersize=4)
    words = [f"{r['item']}: {r['world']}" for r in rows]
    panel.set_yticks(range(len(rows)), words, fontsize=7)
    panel.axvline(0.05, color="0.5", linewidth=0.8, linestyle="--")
    panel.set_xlim(-0.02, 1.02)
    panel.set_xlabel("share supported, 90 % interval (orange: the claim is false; dashed: 5 %)")
    panel.spines[["top", "right"]].set_visible(False)
    made.savefig(path, dpi=130)
