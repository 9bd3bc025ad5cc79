"""Figures, picture and page of `same_units.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, number, table
from nissl.trust.intervals import binomial_interval
from nissl.trust.reliability import reliability

AIM = 0.05
METHODS = ("nissl", "UnitMatch", "UnitMatch, one to one")


def gathered(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of each setting over its seeds; cells without a result are counted."""
    out: dict[str, Any] = {}
    for row in rows:
        name = str(row["key"]["name"])
        own = out.setdefault(name, {"kind": row["key"]["kind"], "cells": []})
        own["cells"].append(row.get("result") or {"error": str(row.get("error"))})
    return {name: {"kind": own["kind"]} | _told(own) for name, own in out.items()}


def _told(own: Mapping[str, Any]) -> dict[str, Any]:
    done = [cell for cell in own["cells"] if "error" not in cell]
    told: dict[str, Any] = {"seeds": len(done), "failed": len(own["cells"]) - len(done)}
    if own["kind"] == "chained":
        return told | _summed(done, ("agreed", "clashing", "dropped", "links", "wrong", "pairs"))
    told["nissl"] = _scores([cell["nissl"] for cell in done])
    halves = [cell["itself"]["found"] for cell in done if cell.get("itself")]
    told["itself"] = float(np.mean(halves)) if halves else None
    peers = [cell["unitmatch"] for cell in done if cell.get("unitmatch")]
    told["peer_failed"] = sum("error" in peer for peer in peers)
    peers = [peer for peer in peers if "error" not in peer]
    for title, which in (("UnitMatch", "as it says"), ("UnitMatch, one to one", "one to one")):
        told[title] = _scores([peer[which] | {"seconds": peer["seconds"]} for peer in peers])
    return told


def _summed(cells: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    return {name: int(sum(cell[name] for cell in cells)) for name in names}


def _scores(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not cells:
        return None
    told: dict[str, Any] = _summed(cells, ("links", "wrong", "pairs", "found"))
    told["expected_wrong"] = float(sum(cell["expected_wrong"] for cell in cells))
    told["seconds"] = float(np.median([cell["seconds"] for cell in cells]))
    for name, n, of in (("false", "wrong", "links"), ("recall", "found", "pairs")):
        if told[of]:
            interval = binomial_interval(told[n], told[of])
            told[name] = [told[n] / told[of], interval.low, interval.high]
        else:
            told[name] = None
    p = np.concatenate([np.asarray(cell["probability"], float) for cell in cells])
    right = np.concatenate([np.asarray(cell["right"], bool) for cell in cells])
    told["ece"] = None
    if p.size:
        own = reliability(np.maximum(p, 1 - p), (p > 0.5) == right, rng=np.random.default_rng(0))
        told["ece"] = float(own.ece)
        told["curve"] = _curve(p, right)
    off = [cell["off_um"] for cell in cells if cell.get("off_um") is not None]
    told["off_um"] = float(np.median(off)) if off else None
    return told


def _curve(p: np.ndarray, right: np.ndarray) -> list[list[float]]:
    """Mean probability, part that is right and number of pairs, of ten bins."""
    bins = np.minimum((p * 10).astype(int), 9)
    return [
        [float(p[bins == b].mean()), float(right[bins == b].mean()), int((bins == b).sum())]
        for b in range(10)
        if (bins == b).any()
    ]


def plot(results: Mapping[str, Any], path: Path) -> None:
    """False matches and recall of each setting, and probabilities against the truth."""
    from matplotlib.figure import Figure

    # Where no unit stays every link is false: the text tells how many there are.
    shown = {k: v for k, v in results["settings"].items() if v.get("nissl") and v["nissl"]["pairs"]}
    made = Figure(figsize=(13, 1.6 + 0.34 * len(shown)), layout="constrained")
    wrong, recall, curve = made.subplots(1, 3, width_ratios=[1.2, 1.2, 1])
    for k, (row, own) in enumerate(shown.items()):
        for m, method in enumerate(METHODS):
            for panel, name in ((wrong, "false"), (recall, "recall")):
                told = own.get(method) and own[method][name]
                if told:
                    value, low, high = told
                    panel.errorbar(
                        value, k + 0.22 * (m - 1), xerr=[[value - low], [high - value]],
                        fmt="o", color=COLOURS[m], markersize=4,
                        label=method if k == 0 else None,
                    )  # fmt: skip
        wrong.text(
            -0.02,
            k,
            row,
            ha="right",
            va="center",
            fontsize=8,
            transform=wrong.get_yaxis_transform(),
        )
    for panel, title in ((wrong, "links that are false"), (recall, "pairs that are found")):
        panel.set_ylim(len(shown) - 0.5, -0.5)
        panel.set_yticks([])
        panel.set_xlabel(title)
        panel.spines[["top", "right", "left"]].set_visible(False)
    wrong.axvline(AIM, color="0.5", linestyle="--")
    for m, method in enumerate(METHODS[:2]):
        points = [
            p for own in shown.values() if own.get(method) for p in own[method].get("curve", [])
        ]
        if points:
            x, y, n = _pooled(np.asarray(points, float))
            curve.plot(x, y, "-", color=COLOURS[m], linewidth=1, label=method)
            curve.scatter(x, y, s=np.minimum(10 + 8 * np.sqrt(n), 250), color=COLOURS[m])
    wrong.legend(frameon=False, fontsize=8)
    curve.plot([0, 1], [0, 1], color="0.5", linewidth=1)
    curve.set_xlabel("probability")
    curve.set_ylabel("part that is one unit")
    curve.legend(frameon=False, fontsize=8)
    made.savefig(path, dpi=120)


def _pooled(points: np.ndarray) -> np.ndarray:
    """Bins of all settings together: mean probability, part that is right, number of pairs."""
    bins = np.minimum((points[:, 0] * 10).astype(int), 9)
    parts = [points[bins == b] for b in range(10) if (bins == b).any()]
    return np.asarray(
        [[*np.average(own[:, :2], axis=0, weights=own[:, 2]), own[:, 2].sum()] for own in parts]
    ).T


def _interval(told: Sequence[float] | None) -> str | None:
    if not told:
        return None
    return f"{told[0]:.1%} [{told[1]:.1%}, {told[2]:.1%}]"


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Page of the benchmark."""
    settings = results["settings"]
    rows = []
    for name, own in settings.items():
        for method in METHODS:
            told = own.get(method)
            if told:
                rows.append(
                    [
                        name,
                        method,
                        own["seeds"],
                        told["pairs"],
                        told["links"],
                        _interval(told["false"]),
                        f"{told['expected_wrong'] / max(told['links'], 1):.1%}",
                        _interval(told["recall"]),
                        number(told["ece"]),
                        number(told["off_um"], 1),
                        number(told["seconds"], 1),
                    ]
                )
    lines = [
        "# The same units by waveform",
        "",
        "`python benchmarks/same_units.py` plants a turnover: a share of the units of a day is not "
        "there on the other, others come instead. The probe moves, amplitudes, shapes and extents "
        "change, spikes are few or many. Simulated neurons are rows of compartments; *real units* "
        "are the CellExplorer sessions' templates on a made-up probe (their shapes and amplitudes "
        "are real, their fall over space is fitted). The seeds are others than those with which "
        "the method was written; nothing was tuned on real units. A false link joins two neurons; "
        "the aim is 5 % or fewer. Intervals are Clopper-Pearson's of 95 % over the links of all "
        "seeds. `expected` is the part of the links that are wrong if the probabilities are right.",
        "",
        f"![False links, pairs found and calibration]({picture})",
        "",
        table(
            (
                "days",
                "method",
                "seeds",
                "pairs",
                "links",
                "false",
                "expected",
                "found",
                "ECE",
                "movement off, um",
                "s",
            ),
            rows,
        ),
        "",
        *_verdict(settings),
        *_middle(settings),
        *_chained(settings),
        "UnitMatch 3.2.1 (van Beest et al. 2024) is given the same templates of both halves, "
        "widened to its 82 samples, with its defaults; its links are the pairs whose mean "
        "probability over both orders of the halves exceeds 0.5, as it says and with one partner "
        "at most. It is not free for all uses (CC BY-NC-SA 4.0) and runs in a process of its own "
        "where it is installed; it needs places of contacts, so there is no row for tetrodes. "
        "It was made for dense probes and many units, and the simulated days are ours: compare the "
        "rows of real units first. "
        "With newer NumPy it takes every unit for a bad one because an array of one value is "
        "refused; the benchmark mends that for it.",
        "",
        "Recordings of one probe on several days with known identity are not among the data: what "
        "changes between real days, from the sorter's own errors to the swelling of tissue, is "
        "in these figures only as far as it was thought of.",
        "",
    ]
    return "\n".join(lines)


def _verdict(settings: Mapping[str, Any]) -> list[str]:
    """Say which settings miss the aim, and by how much."""
    missed = []
    for name, own in settings.items():
        told = own.get("nissl")
        if told and told["pairs"] and told["false"] and told["false"][0] > AIM:
            by = 100 * (told["false"][0] - AIM)
            missed.append(f"{name} by {by:.1f} points ({told['wrong']} of {told['links']} links)")
    none = [
        f"Where no unit stays ({name}), {own['nissl']['links']} links are made in "
        f"{own['seeds']} pairs of days."
        for name, own in settings.items()
        if own.get("nissl") and own["nissl"]["pairs"] == 0
    ]
    if missed:
        return ["The aim of 5 % false links is missed for " + "; ".join(missed) + ".", *none, ""]
    met = "The aim of at most 5 % false links is met in every setting with units that stay."
    return [met, *none, ""]


def _middle(settings: Mapping[str, Any]) -> list[str]:
    """Say how far doubtful pairs' probabilities are off, all settings together."""
    points = [
        p for own in settings.values() if own.get("nissl") for p in own["nissl"].get("curve", [])
    ]
    doubtful = np.asarray([p for p in points if 0.1 <= p[0] < 0.9], float)
    if not len(doubtful):
        return []
    said, right = np.average(doubtful[:, :2], axis=0, weights=doubtful[:, 2])
    return [
        f"Of the {int(doubtful[:, 2].sum())} pairs to which nissl gives a probability of 0.1 to "
        f"0.9, {right:.0%} are one unit where {said:.0%} were promised.",
        "",
    ]


def _chained(settings: Mapping[str, Any]) -> list[str]:
    out = []
    for name, own in settings.items():
        if own["kind"] == "chained" and own["seeds"]:
            out.append(
                f"Several days ({name}, {own['seeds']} seeds): of "
                f"{own['agreed'] + own['clashing']} paths over a third day {own['clashing']} are "
                "contradicted by the direct link; "
                f"joined identities hold {own['links']} pairs, {own['wrong']} of them wrong, of "
                f"{own['pairs']} true ones; {own['dropped']} links fitted into none."
            )
    return [*out, ""] if out else []
