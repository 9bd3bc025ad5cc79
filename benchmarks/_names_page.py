"""Page and plot of the benchmark of names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _common import COLOURS, MARKERS, number, table

FLOOR = {
    ("head", "place"): 0.38,
    ("head", "place and colour"): 0.71,
    ("tail", "place"): 0.69,
    ("tail", "place and colour"): 0.96,
}
"""Atlas and assignment on the worms as their authors aligned them."""


def _interval(value: Mapping[str, Any]) -> str:
    return f"{number(value['estimate'])} ({number(value['low'], 2)}–{number(value['high'], 2)})"


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """The page."""
    rows = []
    for part, facts in results["parts"].items():
        for how, told in facts["by"].items():
            rows.append(
                [
                    f"{part}, {how}",
                    _interval(told["accuracy"]),
                    number(FLOOR[part, how], 2),
                    _interval(told["known_frame"]),
                    _interval(told["top3"]),
                    number(told["ece"]),
                    number(told["coverage_at_95"], 2),
                ]
            )
    trained = [
        [
            f"{part}, {how}",
            _interval(told["accuracy"]),
            _interval(told["atlas_of_fold"]),
            _interval(told["gain"]),
            _interval(told["top3"]),
            number(told["ece"]),
            number(told["coverage_at_95"], 2),
        ]
        for part, facts in results["network"].items()
        for how, told in facts["by"].items()
    ]
    trained_columns = (
        "neurons",
        "names/nissl",
        "names/atlas, same fold",
        "gain",
        "among three",
        "ECE",
        "coverage at 95 % right",
    )
    training = ", ".join(
        f"{part} {number(facts['train_cpu_s'], 0)} s" for part, facts in results["network"].items()
    )
    folds = max((facts["folds"] for facts in results["network"].values()), default=0)
    lacking = [part for part in results["parts"] if part not in results["network"]]
    not_run = f"It was not run on: {', '.join(lacking)}.\n" if lacking else ""
    columns = (
        "neurons",
        "right (95 %)",
        "floor",
        "frame known",
        "among three",
        "ECE",
        "coverage at 95 % right",
    )
    heads = ", ".join(
        f"{facts['worms']} worms and {facts['neurons']} named neurons of the {part}"
        for part, facts in results["parts"].items()
    )
    cost = ", ".join(
        f"{part} {number(facts['cpu_s_per_naming'], 1)} s"
        for part, facts in results["parts"].items()
    )
    told = results["template"]["accuracy"]
    pairs = results["matching"]
    ratios = sorted({each["ratio"] for each in pairs})
    names = sorted({(each["from"], each["to"]) for each in pairs})
    by = {(each["ratio"], each["from"], each["to"]): each["right"] for each in pairs}
    matching = [
        [f"ex{a} → ex{b}", *(number(by[ratio, a, b], 2) for ratio in ratios)] for a, b in names
    ]
    quick = (
        "**A quick run on two worms a part: no figures to cite.**\n\n" if results["quick"] else ""
    )
    first = results["template"]
    return f"""# Names of neurons across animals

Neurons named by `names/atlas` with its defaults in worms that its atlas has not seen
({results["split"]}): {heads}.
Every neuron that people named counts; one that no other worm shows is wrong. Strengths of the
atlas's priors and its confidence are learned inside the other worms.

Written by `python benchmarks/names.py`.

{quick}![Names by place and colour]({picture})

{table(columns, rows)}
Means over worms; intervals resample worms. **Every worm is first moved by random affine maps**
(any rotation, scales of 0.78 to 1.28 per axis, shears of up to 0.2, shifts), for its authors had
aligned all of them; the *floor* is an atlas with assignment on the worms *as they were aligned*,
so it solves an easier problem. *Frame known* is our atlas where the map is fitted to the true
names: about what scatter of neurons that is independent leaves to be told, and by place alone the
map must be found from the same doubtful names. fDNC, published on other worms: 65.8 % by
place and 76.5 % with colour; another split and other neurons, so this is no comparison.

CPU time for a naming, with its share of the calibration: {cost}.

## With a set transformer

`names/nissl` with its defaults: the atlas, corrected by a set transformer that is trained on worms
drawn from it (real scatter, the share of it that neighbours have in common, missing and spurious
neurons, errors of frame and colour). Here worms are left out in {folds} folds, so its atlas is made
of fewer worms than above and is shown beside it; *gain* is the difference in the same worms, from
the same maps. Confidences of one fold are calibrated on what was said of the others.

{table(trained_columns, trained)}
CPU time to train one network: {training}.
{not_run}
## Another laboratory's worm

The labelled template of fDNC, by place alone, {first["neurons"]} neurons that the atlas of all
heads has: {number(told["as it is"], 2)} right as it is,
{number(told["mirrored"], 2)} as a mirror image.

## The same animal in another volume

`names.matching.match` between annotated volumes of one moving worm, given the annotated places of
both (no detection): the fraction of neurons in both that get their own identity. The data do not
say how far planes lie apart, so three ratios of plane distance to pixel size are shown; a user
states it with `--spacing`.

{table(("pair", *(f"ratio {ratio:g}" for ratio in ratios)), matching)}"""


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Accuracy beside floor and limit, by neurons seen, and reliability."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    kinds = [(part, how) for part, facts in results["parts"].items() for how in facts["by"]]
    for k, (part, how) in enumerate(kinds):
        told = results["parts"][part]["by"][how]
        rate = told["accuracy"]
        colour, marker = COLOURS[k], MARKERS[k]
        ends = [
            [max(rate["estimate"] - (rate["low"] or rate["estimate"]), 0)],
            [max((rate["high"] or rate["estimate"]) - rate["estimate"], 0)],
        ]
        left.errorbar([k], [rate["estimate"]], yerr=ends, color=colour, marker=marker, capsize=4)
        left.plot([k - 0.3, k + 0.3], [FLOOR[part, how]] * 2, color="0.3", linestyle="--")
        if part in results["network"]:
            learnt = results["network"][part]["by"][how]["accuracy"]["estimate"]
            left.plot([k + 0.2], [learnt], color=colour, marker="x", linestyle="")
        left.plot([k - 0.3, k + 0.3], [told["known_frame"]["estimate"]] * 2, color="0.6")
        worms = told["worms"]
        middle.scatter(
            [each["neurons"] for each in worms],
            [each["accuracy"] for each in worms],
            color=colour,
            marker=marker,
            s=22,
            label=f"{part}, {how}",
        )
        bins = [each for each in told["bins"] if each["n"]]
        right.plot(
            [each["confidence"] for each in bins],
            [each["accuracy"]["estimate"] for each in bins],
            color=colour,
            marker=marker,
        )
    left.set_xticks(range(len(kinds)), [f"{part}\n{how}" for part, how in kinds], fontsize=8)
    left.set(
        ylim=(0, 1), ylabel="names right", title="dashed: floor; grey: frame known; x: names/nissl"
    )
    middle.set(ylim=(0, 1), xlabel="neurons in the worm", ylabel="names right")
    middle.legend(fontsize=8, loc="lower right")
    right.plot([0, 1], [0, 1], color="0.7")
    right.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="names right")
    figure.savefig(path, dpi=110)
    plt.close(figure)
