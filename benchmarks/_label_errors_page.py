"""The page of `label_errors.py`: tables and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _common import COLOURS, MARKERS, number, table

Row = Mapping[str, Any]

AIM_PRECISION, AIM_RECALL = 0.7, 0.5
TITLES = {"simulated": "Simulated units, exact classes", "real": "Real curation labels"}
_ABOUT = {
    "simulated": (
        "{n} units of {n_groups} simulated sessions; {n_planted} labels planted wrong. Sessions "
        "are left out in ten folds. The units are damaged copies of the simulator's true "
        "trains (good: up to 8 % foreign spikes; mua: 12 to 70 % from neighbours; noise: random "
        "times), measured on the raw samples like any sorting: classes are exact, and a little "
        "apart from each other by construction. Balanced accuracy of the model against the exact "
        "classes: {score}."
    ),
    "real": (
        "{n} units of {n_groups} mice, majority votes of 2 to 5 curators; {n_planted} labels "
        "planted wrong on top of the natural noise. Mice are left out. What is found beside the "
        "planted ones may be wrong too, so precision counts planted ones alone and is a lower "
        "bound. Balanced accuracy of the model against the votes: {score}."
    ),
}


def markdown(results: Row, image: str) -> str:
    """The whole page."""
    m = results["machine"]
    parts = [
        "# Wrong labels\n",
        (
            "A twentieth of the labels is changed at random, and looked for by models "
            "cross-validated over subjects (random forest of 300 trees, the same for all rows "
            f"of a table). Means over {results['seeds']} plantings with 95 % bootstrap intervals "
            f"over them. One run on one machine ({m['cpu']}, {m['cores']} cores; "
            f"nissl {results['nissl']}).\n"
        ),
        "Written by `python benchmarks/label_errors.py`. The method is "
        "`nissl.trust.label_errors`: [several readers](../manual/readers.md) tells what it is "
        "used for.\n",
        f"![Recall against the share of labels that are looked at]({image})\n",
    ]
    for row in results["rows"]:
        parts.append(_section(row, results))
    for name, facts in results["materials"].items():
        if "error" in facts:
            parts.append(f"## {TITLES[name]}\n\nNot run: {facts['error']}.\n")
    parts.append(_aims(results))
    return "\n".join(parts)


def _ours_first(by_name: Row) -> list[tuple[str, Any]]:
    return sorted(by_name.items(), key=lambda pair: (pair[0] != "nissl", pair[0]))


def _section(row: Row, results: Row) -> str:
    head = f"## {TITLES[row['data']]}, changed {results['changes'][row['change']]}\n"
    if row["error"]:
        return f"{head}\nFailed: {row['error']}\n"
    summary = row["summary"]
    score = _told(summary["balanced_accuracy"])
    about = _ABOUT[row["data"]].format(
        **{k: row[k] for k in ("n", "n_groups", "n_planted")}, score=score
    )
    picks = table(
        ("Selected by", "labels", "precision", "95 % interval", "recall", "95 % interval"),
        [_pick_row(name, pick) for name, pick in _ours_first(summary["picks"])],
    )
    ranks = table(
        ("Ranked by", "recall at 5 % looked at", "lift", "recall at 10 % looked at", "lift"),
        [
            (
                name,
                _told(rank["at_5"]),
                number(rank["at_5"]["estimate"] / 0.05, 1),
                _told(rank["at_10"]),
                number(rank["at_10"]["estimate"] / 0.1, 1),
            )
            for name, rank in _ours_first(summary["rankings"])
        ]
        + [("at random", "0.050", "1.0", "0.100", "1.0")],
    )
    tail = (
        f"nissl expected a precision of {_told(summary['expected_precision'])} among its selection "
        f"and {_told(summary['noise'])} of all labels to be wrong.\n"
    )
    return "\n".join([head, about + "\n", picks, ranks, tail])


def _pick_row(name: str, pick: Row) -> tuple[Any, ...]:
    return (
        name,
        number(pick["n"]["estimate"], 0),
        number(pick["precision"]["estimate"]),
        _range(pick["precision"]),
        number(pick["recall"]["estimate"]),
        _range(pick["recall"]),
    )


def _range(interval: Row) -> str | None:
    if interval["low"] is None:
        return None
    return f"{interval['low']:.2f}–{interval['high']:.2f}"


def _told(interval: Row) -> str:
    shown = number(interval["estimate"])
    around = _range(interval)
    return "–" if shown is None else shown if around is None else f"{shown} ({around})"


def _aims(results: Row) -> str:
    lines = ["## Aims\n"]
    for row in results["rows"]:
        if row["data"] != "simulated" or row["error"]:
            continue
        pick = row["summary"]["picks"]["nissl"]
        precision, recall = pick["precision"]["estimate"], pick["recall"]["estimate"]
        met = precision is not None and precision >= AIM_PRECISION and recall >= AIM_RECALL
        shown = number(precision) or "none"
        lines.append(
            f"- Exact classes, changed {results['changes'][row['change']]}: precision "
            f"{AIM_PRECISION} or more at recall {AIM_RECALL} or more: "
            f"{'met' if met else '**missed**'} ({shown} at {number(recall)})."
        )
    lines.append(
        "- Real labels: no aim; recall against the share looked at, and lift over random, above."
    )
    return "\n".join(lines) + "\n"


def plot(results: Row, path: Path) -> None:
    """Recall against the share of labels looked at, one panel per material and change."""
    from matplotlib.figure import Figure

    rows = [row for row in results["rows"] if not row["error"]]
    figure = Figure(figsize=(3.1 * max(1, len(rows)), 3.6), layout="constrained")
    axes = figure.subplots(1, max(1, len(rows)), squeeze=False, sharey=True)[0]
    for axis, row in zip(axes, rows, strict=False):
        _panel(axis, row, results)
    axes[0].set_ylabel("share of planted errors found")
    if rows:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False
        )
    figure.savefig(path, dpi=140, metadata={"Software": None})


def _panel(axis: Any, row: Row, results: Row) -> None:
    fractions = [100 * f for f in results["fractions"]]
    styles = ("-", "--")
    for k, (name, rank) in enumerate(_ours_first(row["summary"]["rankings"])):
        colour = COLOURS[k]
        axis.plot(fractions, rank["recall"], styles[k], color=colour, label=f"{name}, ranked")
        spread = list(zip(*(t["rankings"][name]["recall"] for t in row["tries"]), strict=True))
        low, high = [min(s) for s in spread], [max(s) for s in spread]
        axis.fill_between(fractions, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.plot(fractions, [f / 100 for f in fractions], ":", color="#777777", label="at random")
    for k, (name, pick) in enumerate(_ours_first(row["summary"]["picks"])):
        axis.plot(
            100 * pick["n"]["estimate"] / row["n"],
            pick["recall"]["estimate"],
            MARKERS[k],
            color=COLOURS[0] if k == 0 else COLOURS[k + 1],
            markersize=6,
            linestyle="none",
            label=f"{name}, selected",
        )
    axis.set_title(f"{TITLES[row['data']]},\n{results['changes'][row['change']]}", size=9)
    axis.set_xlabel("labels looked at, %")
    axis.set_xlim(0, 50)
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.2)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
