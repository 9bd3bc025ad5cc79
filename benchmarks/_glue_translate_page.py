"""The page of `glue.py`, its parts on translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from _common import number, table

WAYS = ("zero-shot", "adapted", "own, few windows", "own", "persistence", "mean course")


def carried(found: Mapping[str, Any]) -> list[str]:
    """Rules of one population tried on another."""
    lines = [
        "## A rule of one population tried on another",
        "",
        "Nothing was simultaneous and no unit is the same. A rule of how latents go on (an "
        "autoregression) is learnt in the first population, the second is laid over its space "
        "without labels (transport, on half of its windows), and the rule predicts its units in "
        "the other half, some bins ahead, from the bins up to now. Skill: variance of square roots "
        "of counts explained over all steps and units, about the mean. *Own*: the second's own "
        "rule, of all calibration windows; *few*: of five of them, on which the first's rule is "
        "*adapted*. Carried: better than 39 random turns of the second and than 39 rules of "
        "latents with random phases (p < 0.05), and than the mean. Orders, penalties and how much "
        "a rule counts are chosen within the calibration windows; nothing was chosen on this page.",
        "",
    ]
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in found["simulated"]:
        kinds.setdefault(f"simulated: {row['kind']} system", []).append(row)
    for row in found.get("days", ()):
        kinds[f"M1, {row['from']} to {row['to']}"] = [row]
    for row in found.get("regions", ()):
        a, b = row["regions"]
        kinds.setdefault(f"{a} to {b}, other animals", []).append(row)
    lines += [table(("populations", "pairs", *WAYS, "carried"), [
        (kind, str(len(rows)), *(number(_mean(rows, w), 3) for w in WAYS),
         f"{sum(_holds(r) for r in rows)} of {len(rows)}")
        for kind, rows in kinds.items()
    ])]  # fmt: skip
    return lines + [_says(kind, rows) for kind, rows in kinds.items()] + [""]


def _mean(rows: Sequence[Mapping[str, Any]], way: str) -> float:
    return float(np.mean([r["skill"][way] for r in rows]))


def _holds(row: Mapping[str, Any]) -> bool:
    return bool(row["p"] < 0.05 and row["skill"]["zero-shot"] > 0)


def _says(kind: str, rows: Sequence[Mapping[str, Any]]) -> str:
    own = _mean(rows, "own")
    short = sum(r["short"][1] > 0 for r in rows)
    wins = sum(r["course_wins"] for r in rows)
    share = f"{_mean(rows, 'zero-shot') / own:.0%} of the own rule" if own > 0.01 else "no own rule"
    gain = _mean(rows, "adapted") - _mean(rows, "own, few windows")
    return (
        f"- {kind}: unchanged, {share}; short of it beyond chance in {short} of {len(rows)}; "
        f"adapted, {gain:+.3f} over a rule of the few windows alone; the mean course tells more "
        f"than the own rule in {wins}."
    )


def rates(found: Mapping[str, Any]) -> list[str]:
    """Fluorescence to spikes, sets held out."""
    rows, names = found["sets"], ("ridge", "tcn", "shipped")
    body = [(r["set"], str(r["cells"]), *(number(r[n], 3) for n in names)) for r in rows]
    mean = {n: float(np.mean([r[n] for r in rows])) for n in names}
    body.append(("mean", "", *(number(mean[n], 3) for n in names)))
    return [
        "## Fluorescence to spikes, neurons and sets held out",
        "",
        "The maps of `nissl translate` as they come (ridge, temporal convolution) over lags of "
        f"{found['lags_s']:.0f} s to both sides, taught by {found['rows']} frames of every other "
        "set (7.5 Hz; each trace in its own standard deviations, rates in theirs) and read on the "
        "set left out, none of whose neurons they have seen. Pearson's r, median over cells, as in "
        "the [benchmark of rates](rates.md); *shipped* is `rates/nissl` as the package brings it, "
        "trained on simulated traces, in the same run. Which method is best was not used for "
        "anything.",
        "",
        table(("set", "cells", *names), body),
        f"On average the convolution tells {mean['tcn'] - mean['ridge']:+.3f} over the ridge, and "
        f"{mean['tcn'] - mean['shipped']:+.3f} over the shipped method, which is built for the "
        "task (noise, indicators) and is what to use: `nissl annotate --task rates`.",
        "",
    ]


def meg(found: Mapping[str, Any]) -> list[str]:
    """What is said of too little."""
    pieces, apart = found["pieces"], found["left_out"]
    return [
        "## MEG and EEG: too little",
        "",
        "Four simultaneous evoked responses (averages of 3 to 6 trials). `nissl translate` "
        f"refuses: *{found['said']}*",
        "",
        "Cutting the four responses into forty pieces gets past the limit and says "
        f"skill {pieces['skill']:.2f}, p {pieces['p']:.2f} (pieces paired at random: "
        f"{pieces['shuffled']:.2f}). That figure is not to be believed: neighbouring pieces of one "
        "response are alike. Each response read by a map of the other three: "
        f"{', '.join(f'{v:.2f}' for v in apart)}; with four responses no p below "
        "1 / 24 is possible, so that nothing follows from it either.",
        "",
    ]
