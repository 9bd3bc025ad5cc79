"""The page of `spikes.py`: a Markdown table per recording and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _common import COLOURS, MARKERS, number, percent, table

Row = Mapping[str, Any]

OVERHEAD_LIMIT = 0.15
STEP_LIMIT_S = 10.0

COLUMNS = (
    "Sorter",
    "mean accuracy",
    "95 % interval",
    "median",
    "units ≥ 0.8",
    "unmatched",
    "redundant",
    "wall, s",
    "peak memory",
)
COST_COLUMNS = (
    "Sorter",
    "called directly, s",
    "mean accuracy, direct",
    "through nissl, s",
    "of which the sorter, s",
    "own share",
    "against direct",
    "report, s",
    "NWB, s",
)


def overhead(row: Row, direct: Row | None) -> tuple[float | None, float | None]:
    """What nissl adds to a sorter's time, as fractions.

    Returns
    -------
    own : float or None
        Everything but the sorter over the sorter, within the same run: opening, provenance,
        describing, checks, saving. Not touched by how busy the machine was in another run.
    against : float or None
        The whole run over a separate direct call, minus one.
    """
    wall, inside = row.get("wall_s"), row.get("sorter_wall_s")
    own = wall / inside - 1 if wall and inside else None
    alone = None if direct is None else direct.get("wall_s")
    return own, wall / alone - 1 if wall and alone else None


def rows_of(results: Mapping[str, Any], recording: str, how: str) -> list[Row]:
    """Rows of a recording, in the order of the sorters."""
    return [r for r in results["rows"] if r["recording"] == recording and r["how"] == how]


def markdown(results: Mapping[str, Any], image: str) -> str:
    """Write the page."""
    parts = [_head(results), f"![Accuracy of every true unit, and wall time]({image})\n"]
    for name, facts in results["recordings"].items():
        parts.append(_section(results, name, facts))
    parts += [_aims(results), _absent(results)]
    return "\n".join(parts)


def _head(results: Mapping[str, Any]) -> str:
    facts = results["machine"]
    quick = (
        "\n!!! warning\n    This is a quick run on small recordings: it shows that the benchmark "
        "works, not how well the sorters do.\n"
        if results["quick"]
        else ""
    )
    return f"""# Spike sorting
{quick}
Every installed sorter, with its defaults, on recordings whose spikes are known. All figures are
of one run on one machine ({facts["cpu"]}, {facts["cores"]} cores, {facts["memory_gb"]} GB;
Python {facts["python"]}, nissl {results["nissl"]}), each sorter in a fresh process.
Accuracy is that of SpikeForest: matched spikes (within 0.4 ms) over all spikes of the true unit
and its match together; a true unit without a match counts 0. Intervals are bootstrapped over
true units, in hybrids over animals. An unmatched unit agrees with no true unit by 0.2 or more.
Peak memory is that of the whole process tree. "Own share" is what nissl adds to the sorter within
one run (opening, preprocessing plan, metrics, checks, saving); the direct call lets the sorter
filter for itself and compile anew, where nissl filters for it and keeps compiled functions.

Written by `python benchmarks/spikes.py`; see [the tutorial](../tutorials/spikes.md) for hybrids.
"""


def _section(results: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> str:
    if "error" in facts:
        return f"## {facts['title']}\n\nCould not be made: {facts['error']}\n"
    declared = facts["declaration"]
    size = facts["size"]
    lines = [
        f"## {facts['title']}\n",
        f"{size['duration_s']:g} s, {len(declared['units'])} true "
        f"units with {facts['n_spikes']} spikes; signal-to-noise ratios "
        f"{min(facts['snr']):.1f} to {max(facts['snr']):.1f}.\n",
    ]
    if declared["real"]:
        lines.append("Real: " + "; ".join(declared["real"]) + ".\n")
    lines.append("Made: " + "; ".join(declared["made"]) + ".\n")
    if declared["parameters"].get("real_background"):
        lines.append(
            "The background's own cells are not in the truth: unmatched units may be those, and "
            "are not errors.\n"
        )
    lines.append(table(COLUMNS, [_quality(r) for r in rows_of(results, name, "nissl")]))
    direct = {r["sorter"]: r for r in rows_of(results, name, "direct")}
    costs = [_cost(r, direct.get(r["sorter"])) for r in rows_of(results, name, "nissl")]
    lines.append(table(COST_COLUMNS, costs))
    return "\n".join(lines)


def _quality(row: Row) -> list[Any]:
    if row.get("error"):
        return [row["sorter"], row["error"], *[None] * (len(COLUMNS) - 2)]
    low, high = number(row["accuracy_low"], 2), number(row["accuracy_high"], 2)
    return [
        row["sorter"],
        number(row["accuracy_mean"]),
        f"{low}–{high}" if low and high else None,
        number(row["accuracy_median"]),
        f"{row['n_good']} of {row['n_true']}",
        row["n_false_positive"],
        row["n_redundant"],
        number(row["wall_s"], 0),
        f"{row['peak_memory_bytes'] / 1e9:.2f} GB",
    ]


def _cost(row: Row, direct: Row | None) -> list[Any]:
    own, against = overhead(row, direct)
    alone = direct or {}
    return [
        row["sorter"],
        number(alone.get("wall_s"), 1),
        number(alone.get("accuracy_mean")),
        number(row.get("wall_s"), 1),
        number(row.get("sorter_wall_s"), 1),
        percent(own),
        percent(against),
        number(row.get("report_s"), 1),
        number(row.get("nwb_s"), 1),
    ]


def _aims(results: Mapping[str, Any]) -> str:
    """What nissl itself costs, beside its aims."""
    lines = []
    for name, facts in results["recordings"].items():
        direct = {r["sorter"]: r for r in rows_of(results, name, "direct")}
        told = []
        for row in rows_of(results, name, "nissl"):
            alone = direct.get(row["sorter"], {}).get("wall_s")
            if alone and row.get("wall_s"):
                own = (row["wall_s"] - row["sorter_wall_s"]) / alone
                mark = "" if own < OVERHEAD_LIMIT else " (**missed**)"
                told.append(f"{row['sorter']} {percent(own)}{mark}")
        if told:
            lines.append(
                f"- {facts['title']}: nissl's own part (opening, bad channels, drift, templates, "
                f"amplitudes, metrics, checks, saving) over the wall time of a direct call; aim "
                f"below {OVERHEAD_LIMIT:.0%}: " + ", ".join(told) + "."
            )
    steps = [
        (row[key], row["sorter"], row["recording"], what)
        for row in results["rows"]
        for key, what in (("report_s", "report"), ("nwb_s", "NWB export"))
        if row.get(key)
    ]
    if steps:
        longest, sorter, recording, what = max(steps)
        met = "met" if longest < STEP_LIMIT_S else "**missed**"
        lines.append(
            f"- Report and NWB export, aim below {STEP_LIMIT_S:g} s each: {met}; the longest was "
            f"the {what} of {sorter} on {recording}, {longest:.1f} s."
        )
    return "## Aims\n\n" + "\n".join(lines) + "\n" if lines else ""


def _absent(results: Mapping[str, Any]) -> str:
    lines = [f"- {sorter}: {reason}" for sorter, reason in sorted(results["absent"].items())]
    listed = "\n".join(lines) if lines else "None."
    anchors = [r["anchor_s"] for r in results["rows"] if r.get("anchor_s")]
    noise = ""
    if anchors:
        fast, slow = min(anchors), max(anchors)
        noise = (
            "\n## How quiet the machine was\n\nA fixed computation before and after each cell "
            f"took {fast:.2f} to {slow:.2f} s; timings may be off by a factor of up to "
            f"{slow / fast:.2f} between cells.\n"
        )
    versions = "\n".join(
        f"- {sorter} {facts['version']}: "
        + ", ".join(f"{k} {v}" for k, v in sorted(facts["packages"].items()))
        for sorter, facts in results["sorters"].items()
    )
    return f"## Versions\n\n{versions}\n\n## Not run\n\n{listed}\n{noise}"


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Accuracy of every true unit per sorter, and wall times, one column per recording."""
    from matplotlib.figure import Figure

    names = [n for n, facts in results["recordings"].items() if "error" not in facts]
    sorters = list(results["sorters"])
    figure = Figure(figsize=(max(4.0, 3.3 * len(names)), 6.4), layout="constrained")
    axes = figure.subplots(
        2, max(1, len(names)), squeeze=False, sharey="row", height_ratios=(1.6, 1)
    )
    for column, name in enumerate(names):
        _accuracies(axes[0, column], rows_of(results, name, "nissl"), sorters)
        axes[0, column].set_title(results["recordings"][name]["title"], size=9)
        _times(axes[1, column], results, name, sorters)
    axes[0, 0].set_ylabel("accuracy of each true unit")
    axes[1, 0].set_ylabel("wall time, s")
    _legend(figure)
    figure.savefig(path, dpi=140, metadata={"Software": None})


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    figure.legend(
        handles=[
            Line2D([], [], color="#333333", linewidth=2, label="mean"),
            Patch(facecolor="#333333", alpha=0.12, label="its 95 % interval"),
            Patch(facecolor="white", edgecolor="#666666", hatch="///", label="called directly"),
            Patch(facecolor="#666666", label="through nissl"),
        ],
        loc="outside lower center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )


def _accuracies(axis: Any, rows: Sequence[Row], sorters: Sequence[str]) -> None:
    for row in rows:
        if row.get("error"):
            continue
        k = sorters.index(row["sorter"])
        values = sorted(row["accuracy_by_unit"])
        spread = [(i / max(1, len(values) - 1) - 0.5) * 0.6 for i in range(len(values))]
        axis.scatter(
            [k + s for s in spread],
            values,
            s=22,
            marker=MARKERS[k % len(MARKERS)],
            color=COLOURS[k % len(COLOURS)],
            edgecolor="white",
            linewidth=0.5,
            zorder=3,
        )
        mean = row["accuracy_mean"]
        axis.plot([k - 0.38, k + 0.38], [mean, mean], color="#333333", linewidth=2, zorder=2)
        if row["accuracy_low"] is not None and row["accuracy_high"] is not None:
            axis.fill_between(
                [k - 0.38, k + 0.38],
                row["accuracy_low"],
                row["accuracy_high"],
                color="#333333",
                alpha=0.12,
                linewidth=0,
            )
    axis.axhline(0.8, color="#999999", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axis.set_ylim(-0.03, 1.03)
    _sorter_axis(axis, sorters, labelled=False)


def _times(axis: Any, results: Mapping[str, Any], name: str, sorters: Sequence[str]) -> None:
    for how, offset, filled in (("direct", -0.2, False), ("nissl", 0.2, True)):
        rows = [r for r in rows_of(results, name, how) if not r.get("error")]
        at = [sorters.index(r["sorter"]) for r in rows]
        colours = [COLOURS[k % len(COLOURS)] for k in at]
        axis.bar(
            [k + offset for k in at],
            [r["wall_s"] for r in rows],
            width=0.36,
            color=colours if filled else "white",
            edgecolor=colours,
            linewidth=1.2,
            hatch=None if filled else "///",
        )
    _sorter_axis(axis, sorters, labelled=True)


def _sorter_axis(axis: Any, sorters: Sequence[str], *, labelled: bool) -> None:
    axis.set_xticks(range(len(sorters)), sorters if labelled else [])
    axis.set_xlim(-0.6, len(sorters) - 0.4)
    axis.tick_params(axis="x", labelrotation=30, labelsize=8)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
