"""The page of `pretraining.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, MARKERS, table
from nissl.trust.intervals import Interval, bootstrap_interval

ROWS = {
    "band powers": "band powers, head",
    "masked": "pretrained, masked; head",
    "cpc": "pretrained, contrastive predictive; head",
    "pairs": "pretrained, pairs; head",
    "untrained": "encoder that learnt nothing; head",
    "fine-tuned": "pretrained, masked; all fine-tuned",
    "from scratch": "the same network from scratch",
}
PRETRAINED = ("masked", "cpc", "pairs", "fine-tuned")
FROZEN = ("masked", "cpc", "pairs")
CONTROLS = ("untrained", "band powers")


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    lines = [
        "# Pretraining without labels",
        "",
        "Does an encoder that was trained without labels save labels? Cohen's kappa on subjects "
        "that were seen neither with nor without labels, after so many labelled minutes of other "
        "subjects (drawn at random, classes alike, at least one window of each; all there are "
        "where that is less). Encoders read each channel by itself "
        "(`nissl.nets.pretraining`); a *head* is a linear classifier on their features of all "
        "channels. The two controls matter: the same head on plain band powers, and on an encoder "
        "whose weights are random. Settings are the same for all and were not tuned, but for one "
        "change after a trial run on a single fold: the strength of the head, to its usual "
        "default. Brackets are 95 % intervals from resampling subjects.",
        "",
        "Written by `python benchmarks/pretraining.py`.",
        "",
        conclusion(results),
        "",
        f"![Kappa against labelled minutes]({picture})",
        "",
    ]
    for name, data in results["data"].items():
        lines += [f"## {name}", "", _about(name, data), "", _ways(data), ""]
        if "correlations" in data:
            lines += [
                f"Canonical correlation, no labels at all: {_cell(data['correlations'])}.",
                "",
            ]
        lines += [_gains(data), "", "### New subjects", "", _new_words(), "", _new(data), ""]
    return "\n".join(lines)


def _about(name: str, data: Mapping[str, Any]) -> str:
    if name == "ssvep_exo":
        what = (
            "Steady-state responses at 13, 17 and 21 Hz (Kalunga et al. 2016, CC0), eight "
            "occipital electrodes; pretrained on the whole recordings of the other subjects."
        )
    else:
        what = (
            "Nights of the simulator, five stages, three channels, each by a device of its own "
            "(slope, polarity, noise). They say how the methods behave, not how people sleep."
        )
    return (
        f"{what} {data['subjects']} subjects, {data['windows']} windows of {data['window_s']:g} s, "
        f"{data['seeds']} seeds."
    )


def _cell(value: Mapping[str, Any] | None) -> str | None:
    if value is None or value["estimate"] is None:
        return None
    bounds = "" if value["low"] is None else f" ({value['low']:.2f} to {value['high']:.2f})"
    return f"{value['estimate']:.3f}{bounds}"


def _minutes(data: Mapping[str, Any]) -> list[str]:
    return sorted(data["ways"]["band powers"], key=float)


def _ways(data: Mapping[str, Any]) -> str:
    minutes = _minutes(data)
    rows = [[ROWS[w], *(_cell(data["ways"][w].get(m)) for m in minutes)] for w in ROWS]
    return table(["", *(f"{m} min" for m in minutes)], rows)


def gain(data: Mapping[str, Any], way: str, control: str, minutes: str) -> Interval:
    """Kappa of a way minus that of a control, within subjects."""
    a, b = (data["ways"][w][minutes]["subjects"] for w in (way, control))
    gaps = np.array([a[one] - b[one] for one in a])
    return bootstrap_interval(gaps, rng=np.random.default_rng(0))


def pays(data: Mapping[str, Any]) -> list[str]:
    """Where an interval lies above zero against the encoder without training and band powers."""
    return [
        f"{ROWS[way].partition(';')[0].removeprefix('pretrained, ')} at {minutes} min"
        for way in FROZEN
        for minutes in _minutes(data)
        if all(gain(data, way, control, minutes).low > 0 for control in CONTROLS)
    ]


def conclusion(results: Mapping[str, Any]) -> str:
    """Say for each set of data whether it pays."""
    parts = []
    for name, data in results["data"].items():
        found = pays(data)
        told = f"it pays for {', '.join(found)}" if found else "**it does not pay** anywhere"
        parts.append(f"on {name} {told}")
    return (
        "Held against both controls, the same head on band powers and on an encoder that learnt "
        f"nothing, {'; '.join(parts)} (interval of the difference within subjects above zero; "
        "no correction for the number of comparisons)."
    )


def _gains(data: Mapping[str, Any]) -> str:
    minutes = _minutes(data)
    rows = []
    for way in FROZEN:
        for control in CONTROLS:
            cells = [gain(data, way, control, m) for m in minutes]
            told = [f"{v.estimate:+.3f} ({v.low:+.2f} to {v.high:+.2f})" for v in cells]
            rows.append([f"{ROWS[way]}, minus {ROWS[control]}", *told])
    return table(["difference within subjects", *(f"{m} min" for m in minutes)], rows)


def _new_words() -> str:
    return (
        "Five labelled minutes of other subjects, the encoder of pairs, and the new subject's own "
        "recording: without labels (features on the subject's own centre or scale; normalisation "
        "of the encoder counted anew) and with 20 labels that correct the head. All are scored on "
        "the rest of the recording, without those 20."
    )


def _new(data: Mapping[str, Any]) -> str:
    base = data["new"]["none"]["subjects"]
    rows = []
    for name, value in data["new"].items():
        won = sum(value["subjects"][s] > base[s] for s in base)
        rows.append([name, _cell(value), None if name == "none" else f"{won} of {len(base)}"])
    return table(["adaptation", "kappa", "better than none in"], rows)


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Kappa against labelled minutes, one panel for each set of data."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sets = results["data"]
    figure, axes = plt.subplots(
        1, len(sets), figsize=(5.2 * len(sets), 4.6), squeeze=False, layout="constrained"
    )
    for axis, (name, data) in zip(axes[0], sets.items(), strict=True):
        minutes = _minutes(data)
        for k, way in enumerate(ROWS):
            values = [data["ways"][way][m] for m in minutes]
            middle = [v["estimate"] for v in values]
            x = [float(m) * 1.04 ** (k - 3) for m in minutes]
            style = "-" if way in PRETRAINED else "--"
            axis.plot(x, middle, style, color=COLOURS[k], marker=MARKERS[k], label=ROWS[way])
            for at, v in zip(x, values, strict=True):
                if v["low"] is not None:
                    axis.plot([at, at], [v["low"], v["high"]], color=COLOURS[k], alpha=0.4, lw=1)
        if "correlations" in data:
            axis.axhline(data["correlations"]["estimate"], color="#666666", lw=1, ls=":")
            axis.annotate(
                "canonical correlation, no labels",
                (0.02, data["correlations"]["estimate"]),
                xycoords=("axes fraction", "data"),
                fontsize=8,
                va="bottom",
            )
        axis.set_xscale("log")
        axis.set_xticks([float(m) for m in minutes], minutes)
        axis.minorticks_off()
        axis.set_xlabel("labelled minutes of other subjects")
        axis.set_ylabel("Cohen's kappa on new subjects")
        axis.set_title(name)
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
