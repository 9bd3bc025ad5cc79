"""The part of the page of `tracks.py` that tells of masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from _common import number, table
from _tracks_masks import METHODS, REAL_STEPS

LARGE = 100
"""Voxels from which a mask is no mere speck."""
AIM_ECE = 0.05


def masks_section(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Real and simulated masks."""
    lines = [
        "## Masks",
        "",
        "*Dice*: mean over true neurons and volumes, 0 where a neuron was not proposed. *Right*: "
        "Dice of at least 0.5. *Identity*: of the masks that a proposed one touches, those that "
        "overlap most with the mask of the same neuron. `masks/registration` is the floor: the "
        "annotated masks, carried by the field that their centres follow. Without targeted "
        "augmentation the network is taught as often, with the annotated volumes alone.",
        "",
    ]
    real = [c for c in cells if c["kind"] == "masks"]
    simulated = [c for c in cells if c["kind"] == "masks-simulated"]
    return lines + (_real(real) if real else []) + (_simulated(simulated) if simulated else [])


def _real(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    held = sorted({c["name"] for c in cells})
    rows: list[list[Any]] = []
    for label in METHODS:
        own = {c["name"]: c for c in cells if c["label"] == label}
        if not own:
            continue
        row: list[Any] = [label]
        for name in held:
            s = own[name]["scores"] if name in own else None
            row.append(s and f"{s['dice']:.2f} / {s['identity']:.2f} / {s['right']:.2f}")
        each = [n for c in own.values() for n in c["neurons"]]
        for large in (True, False):
            dice = [n["dice"] for n in each if (n["voxels"] >= LARGE) == large]
            row.append(f"{np.mean(dice):.2f} ({len(dice)})" if dice else None)
        row.append(number(float(np.mean([c["cpu_s"] for c in own.values()])), 0))
        rows.append(row)
    return [
        "### Real volumes",
        "",
        "Three volumes whose masks a person drew, up to 13 objects, many of a few voxels; one is "
        "left out, and objects that the other two do not show are not asked. Other volumes, "
        "whose masks a network predicted, and the one that is left out serve as targets by their "
        f"pixels; predicted masks are never truth. {REAL_STEPS} volumes a teaching, for time, not "
        "by trial. Two volumes to learn from are too few for a confidence. A check, not a claim.",
        "",
        table(
            ["left out: Dice / identity / right", *held, f"Dice, {LARGE} voxels and more (masks)",
             "smaller", "CPU s"],
            rows,
        ),
    ]  # fmt: skip


def _simulated(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    first = cells[0]
    shape = " x ".join(str(n) for n in first["shape"])
    rows, worms = [], sorted({c["seed"] for c in cells})
    worst: list[float] = []
    for label in METHODS:
        for n in sorted({c["annotated"] for c in cells}):
            own = [c for c in cells if c["label"] == label and c["annotated"] == n]
            if not own:
                continue
            mean = {k: float(np.mean([c["scores"][k] for c in own])) for k in own[0]["scores"]}
            errors = [c["reliability"]["ece"] for c in own if c["reliability"]["ece"] is not None]
            worst += errors
            rows.append(
                [label, n, len(own), *(number(mean[k], 3) for k in ("dice", "right", "identity",
                 "precision")), number(float(np.mean(errors)), 3) if errors else None,
                 number(float(np.mean([c["cpu_s"] for c in own])), 0),
                 number(max(c["peak_memory_bytes"] for c in own) / 1e6, 0)]
            )  # fmt: skip
    lines = [
        "### Simulated worms",
        "",
        f"{first['neurons']} neurons, {first['frames']} volumes of {shape} voxels, worms of seeds "
        f"{', '.join(map(str, worms))}; a mask has {first['voxels']:.0f} voxels on average, so "
        "that a voxel more or less costs much Dice. Volumes are annotated whose postures are as "
        "different as possible; all others count. ECE: expected calibration error, ten bins.",
        "",
        table(
            ["method", "annotated", "worms", "Dice", "right", "identity", "precision", "ECE",
             "CPU s", "peak MB"],
            rows,
        ),
    ]  # fmt: skip
    bought = _bought(cells)
    if bought:
        lines += [f"Targeted augmentation changed Dice by {bought} against as much teaching.", ""]
    if worst:
        met = "**met**" if max(worst) <= AIM_ECE else "**not met**"
        lines += [f"Aim: ECE at most {AIM_ECE}: {met} ({max(worst):.3f} at worst).", ""]
    return lines


def _bought(cells: Sequence[Mapping[str, Any]]) -> str:
    """By how much targeted augmentation changed Dice, over the worms of each number annotated."""
    with_, without = list(METHODS)[:2]
    dice = {(c["label"], c["annotated"], c["seed"]): c["scores"]["dice"] for c in cells}
    told = []
    for n in sorted({c["annotated"] for c in cells}):
        gains = [
            dice[with_, n, seed] - dice[without, n, seed]
            for seed in {c["seed"] for c in cells}
            if (with_, n, seed) in dice and (without, n, seed) in dice
        ]
        if gains:
            told.append(f"{np.mean(gains):+.3f} ({n} annotated)")
    return ", ".join(told)
