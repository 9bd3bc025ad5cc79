"""The page of `curation.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, MARKERS, number, table

FLOOR, AIM = 0.78, 0.82
ECE_AIM = 0.05
PLOTTED = (
    "nissl",
    "gradient boosting",
    "random forest, all metrics",
    "thresholds",
    "Bombcell thresholds",
)


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    mice = results["mice"]
    lines = [
        "# Curation",
        "",
        "Good, mua or noise for units of mice that the method has not seen: "
        f"{results['units']} units of {len(mice)} mice (Neuropixels 1.0) with the "
        "majority vote of 2 to 5 curators (UnitRefine; Jain et al. 2025, MIT), "
        f"{results['split']}. "
        "Curators agree with each other on about 80 %, so no score can be near 1. "
        "Balanced accuracy is over all units; its interval resamples mice, of which there are "
        f"{len(mice)}: it is wide and coarse. Everything that a method learns, imputes or "
        "calibrates is learnt without the mouse that is scored. "
        f"Seeds: {results['seeds']}; seconds are of a busy machine with two cores. "
        "The shipped weights are not in the table: they are trained on "
        "these very mice; the first row is the same recipe without the scored mouse. The forest "
        "follows UnitRefine's recipe without its search over hyperparameters; gradient boosting is "
        "one ensemble over the three classes, which is what nissl was before. Thresholds are those "
        "of `curation/thresholds` with its three presets, and of SpikeInterface's port of Bombcell "
        "with its defaults; without a non-somatic class and without the flatness of the baseline, "
        "which the data lack.",
        "",
        "Depth, number and variations of nissl's trees, and the weight of noise, were chosen among "
        "24 settings with recordings left out inside the training mice. All 24 came out between "
        "0.804 and 0.818 (with two members each instead of five), and choosing anew for each "
        "left-out mouse at 0.814: a small part of the figure below is choice. What was tried and "
        "did not help: features relative to the recording (ranks: 0.67 alone, 0.77 beside the "
        "rest), adapting to the classes of the recording, leaving out doubtful votes, forests, "
        "support vectors and networks beside the trees, and every further published metric.",
        "",
        "Written by `python benchmarks/curation.py`.",
        "",
        f"![Calibration, acceptance and learning]({picture})",
        "",
        "## Scores",
        "",
        _scores(results),
        "",
        _verdict(results),
        "",
        "## Calibration",
        "",
        _calibration(results),
        "",
        "Calibration error is the mean gap between confidence and accuracy over ten bins of equal "
        "size; debiased is what is left without chance, and the range is what a perfectly "
        "calibrated model would show at this number of units. Over all mice it is small; in one "
        "mouse alone it is larger, with either sign: what a model cannot know of a new animal is "
        "how many of its units are good, and how strict its curators were. That is why automatic "
        "acceptance rests on an audit of the animal itself. A map chosen on two of these mice "
        "makes the third worse, so fewer than three subjects calibrate nothing.",
        "",
        "## Metrics that are missing",
        "",
        "Another pipeline may lack metrics. Models have learnt from all; in the mouse that is "
        "scored a group is missing altogether:",
        "",
        _robustness(results),
        "",
        "## Accepted without review",
        "",
        "The threshold is aimed at half of the budget in the training mice (at the whole of it "
        "where that is not to be had), then 150 random units of what it would accept in the new "
        "mouse are audited, and acceptance is on only where the audit's one-sided 95 % bound "
        "keeps the budget. Over all mice and seeds:",
        "",
        _acceptance(results),
        "",
        "Largest share of the units, the most confident first, of which no more than the budget is "
        "wrong; nobody can know it without the truth:",
        "",
        _within(results),
        "",
        "Share of wrong classes among the most confident units, whatever an audit would say:",
        "",
        _risk(results),
        "",
        "Mouse by mouse, means over seeds; no threshold means that none keeps the budget in the "
        "training mice:",
        "",
        _by_mouse(results),
        "",
        "Even the units of which the model is surest disagree with the majority vote about once "
        "in twenty, so a budget of 5 % can hardly be shown with these votes. The errors are not "
        "spread evenly: in one mouse confident units are called otherwise by its curators far "
        "more often. As a training mouse it leaves no threshold; as the new mouse it is let "
        "through by the threshold of the others, and only its own audit finds that out.",
        "",
        "## Learning from answers in a new mouse",
        "",
        "Answers to random units of the new mouse; scores are over its units that were not asked, "
        "means over mice and seeds. *On top* goes on boosting from what other mice taught, which "
        "is what `project.learn` does; *from nothing* has these answers only.",
        "",
        _personal(results),
        "",
        "Log-loss falls with every batch: confidences come to mean what they say in this mouse. "
        "Balanced accuracy hardly moves, because the model also learns which classes are "
        "frequent there and calls rare ones less often.",
        "",
    ]
    return "\n".join(lines)


def _scores(results: Mapping[str, Any]) -> str:
    rows = []
    for name, found in results["methods"].items():
        told = found["balanced_accuracy"]
        seeds = np.asarray(found["balanced_accuracy_seeds"])
        spread = f"{seeds.min():.3f}–{seeds.max():.3f}" if len(seeds) > 1 else None
        interval = None if told["low"] is None else f"{told['low']:.2f}–{told['high']:.2f}"
        rows.append(
            [
                name,
                number(float(seeds.mean())),
                interval,
                spread,
                *(number(found["by_mouse"][mouse]) for mouse in results["mice"]),
                number(found["accuracy"]),
                number(found["seconds"], 1),
            ]
        )
    head = ["Method", "balanced accuracy", "95 % interval", "over seeds", *results["mice"]]
    return table([*head, "accuracy", "s"], rows)


def _verdict(results: Mapping[str, Any]) -> str:
    ours = float(np.mean(results["methods"]["nissl"]["balanced_accuracy_seeds"]))
    every = float(np.mean(results["methods"]["nissl, all metrics"]["balanced_accuracy_seeds"]))
    ece = results["methods"]["nissl"]["calibration"]["ece"]
    low, high = results["methods"]["nissl"]["calibration"]["perfect"]
    aim = "met" if ours >= AIM else f"missed by {AIM - ours:.3f}"
    met = "met" if ours > FLOOR else "not met"
    ece_met = "met" if ece <= ECE_AIM else "not met"
    inside = "inside" if low <= ece <= high else "outside"
    return (
        f"Aim of {AIM} balanced accuracy: {aim} ({ours:.3f}); floor of {FLOOR}: {met}. The 23 "
        f"features that need no raw data do as well as all 38 metrics ({every:.3f}). Calibration "
        f"error of at most {ECE_AIM}: {ece_met} ({ece:.3f}), {inside} the range of a perfect model "
        f"({low:.3f} to {high:.3f})."
    )


def _calibration(results: Mapping[str, Any]) -> str:
    rows = []
    for name, found in results["methods"].items():
        told = found.get("calibration")
        if told is None:
            continue
        low, high = told["perfect"]
        rows.append(
            [
                name,
                number(told["ece"]),
                number(told["ece_debiased"]["estimate"]),
                f"{low:.3f}–{high:.3f}",
                *(number(found["ece_by_mouse"][mouse]) for mouse in results["mice"]),
                number(found["log_loss"]),
                number(told["auroc"]["estimate"]),
            ]
        )
    mice = [f"in {mouse}" for mouse in results["mice"]]
    head = ["Method", "calibration error", "debiased", "perfect model", *mice]
    return table([*head, "log-loss", "AUROC of confidence"], rows)


def _acceptance(results: Mapping[str, Any]) -> str:
    rows = []
    for budget in sorted({row["budget"] for row in results["acceptance"]}):
        own = [row for row in results["acceptance"] if row["budget"] == budget]
        on = [row for row in own if row["on"]]
        rows.append(
            [
                f"{budget:.0%}",
                f"{len(on)} of {len(own)}",
                number(float(np.mean([row["coverage"] for row in own]))),
                number(float(np.mean([row["coverage"] for row in on]))) if on else None,
                number(float(np.mean([row["error"] for row in on]))) if on else None,
                f"{sum(row['within'] for row in own)} of {len(own)}",
            ]
        )
    head = ["At most wrong", "on", "coverage", "coverage where on", "wrong where on"]
    return table([*head, "within the budget, or off"], rows)


def _by_mouse(results: Mapping[str, Any]) -> str:
    rows = []
    for mouse in results["mice"]:
        for budget in sorted({row["budget"] for row in results["acceptance"]}):
            own = [
                row
                for row in results["acceptance"]
                if row["mouse"] == mouse and row["budget"] == budget
            ]
            would = [row for row in own if row.get("would_cover") is not None]
            on = sum(row["on"] for row in own)
            rows.append(
                [
                    mouse,
                    f"{budget:.0%}",
                    f"{on} of {len(own)}",
                    *(
                        number(float(np.mean([row[key] for row in would]))) if would else None
                        for key in ("would_cover", "would_err")
                    ),
                    "" if would else "no threshold",
                ]
            )
    head = ["New mouse", "at most wrong", "on", "threshold would cover", "wrong among these", ""]
    return table(head, rows)


def _within(results: Mapping[str, Any]) -> str:
    shown = {name: f["within"] for name, f in results["methods"].items() if "within" in f}
    head = [f"at most {float(b):.0%} wrong" for b in next(iter(shown.values()))]
    return table(["Method", *head], [[n, *map(number, r.values())] for n, r in shown.items()])


def _robustness(results: Mapping[str, Any]) -> str:
    rows = results["robustness"]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["lacking"]): row for row in rows}
    body = [
        [
            what,
            *(number(found[m, what][key]) for key in ("balanced_accuracy", "ece") for m in methods),
        ]
        for what in dict.fromkeys(row["lacking"] for row in rows)
    ]
    head = [f"{key}, {m}" for key in ("balanced accuracy", "calibration error") for m in methods]
    return table(["Missing", *head], body)


def _risk(results: Mapping[str, Any]) -> str:
    shown = {name: f["risk"] for name, f in results["methods"].items() if "risk" in f}
    shares = next(iter(shown.values()))
    head = [f"top {float(share):.0%}" for share in shares]
    return table(["Method", *head], [[n, *map(number, r.values())] for n, r in shown.items()])


def _personal(results: Mapping[str, Any]) -> str:
    rows = []
    for n in sorted({row["n"] for row in results["personal"]}):
        row: list[Any] = [n]
        for how in ("on top", "from nothing"):
            own = [r for r in results["personal"] if r["n"] == n and r["how"] == how]
            for key in ("log_loss", "balanced_accuracy", "ece"):
                row.append(number(float(np.mean([r[key] for r in own]))) if own else None)
        took = [r["seconds"] for r in results["personal"] if r["n"] == n and "seconds" in r]
        rows.append([*row, number(float(np.mean(took)), 1)])
    head = ["Answers"]
    for how in ("on top", "from nothing"):
        head += [f"log-loss, {how}", f"balanced accuracy, {how}", f"calibration error, {how}"]
    return table([*head, "s to fit"], rows)


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Reliability, coverage against error, and learning curves, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), constrained_layout=True)
    _plot_reliability(axes[0], results)
    _plot_mice(axes[1], results)
    _plot_personal(axes[2], results)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _plot_reliability(axis: Any, results: Mapping[str, Any]) -> None:
    axis.plot([0.3, 1], [0.3, 1], color="0.7", lw=1)
    shown = [n for n in PLOTTED if "calibration" in results["methods"].get(n, {})]
    for k, name in enumerate(shown):
        bins = results["methods"][name]["calibration"]["bins"]
        x = [b["confidence"] for b in bins]
        y = np.asarray([b["accuracy"]["estimate"] for b in bins])
        axis.plot(x, y, color=COLOURS[k], marker=MARKERS[k], ms=4, lw=1, label=name)
        if k == 0:
            low = np.asarray([_or(b["accuracy"]["low"], np.nan) for b in bins])
            high = np.asarray([_or(b["accuracy"]["high"], np.nan) for b in bins])
            axis.fill_between(x, low, high, color=COLOURS[k], alpha=0.15, lw=0)
    axis.set(xlabel="confidence", ylabel="right", title="Calibration in mice not seen")
    axis.legend(frameon=False, fontsize=8)


def _plot_mice(axis: Any, results: Mapping[str, Any]) -> None:
    names: Sequence[str] = [n for n in PLOTTED if n in results["methods"]]
    for k, name in enumerate(names):
        found = results["methods"][name]
        y = [found["by_mouse"][mouse] for mouse in results["mice"]]
        x = np.arange(len(y)) + (k - (len(names) - 1) / 2) * 0.15
        axis.plot(x, y, ls="", color=COLOURS[k], marker=MARKERS[k], label=name)
    axis.axhline(FLOOR, color="0.7", lw=1)
    axis.text(1.0, FLOOR + 0.008, "floor, all mice", color="0.4", fontsize=8, ha="center")
    axis.set_xticks(range(len(results["mice"])), results["mice"])
    axis.set(ylabel="balanced accuracy", title="Each mouse", ylim=(0.3, 0.9))
    axis.legend(frameon=False, fontsize=8, loc="lower right")


def _plot_personal(axis: Any, results: Mapping[str, Any]) -> None:
    for k, how in enumerate(("on top", "from nothing")):
        own = [r for r in results["personal"] if r["how"] == how]
        n = sorted({r["n"] for r in own})
        values = [[r["log_loss"] for r in own if r["n"] == m] for m in n]
        mean = [float(np.mean(v)) for v in values]
        axis.plot(n, mean, color=COLOURS[k], marker=MARKERS[k], label=how)
    axis.set(xlabel="answers in the new mouse", ylabel="log-loss on the rest")
    axis.set(title="Learning from answers", ylim=(0, None))
    axis.legend(frameon=False, fontsize=8)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
