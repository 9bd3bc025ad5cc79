"""What `spikes.py` aims at, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _common import number, percent, table
from _spikes_pool import OWN
from _spikes_score import BANDS

Row = Mapping[str, Any]

OVERHEAD_LIMIT = 0.15
STEP_LIMIT_S = 10.0
ECE_LIMIT = 0.03
OVERLAP_LIMIT = 0.9
AHEAD_STATIC, LEAST_STATIC = 0.02, 0.90
OF_LUPIN, OF_FASTEST = 5.0, 3.0
MEMORY_LIMIT_GB = 4.0


def rows_of(results: Mapping[str, Any], block: str, recording: str, how: str) -> list[Row]:
    """Rows of a recording that have a result, in the order of the sorters."""
    wanted = (block, recording, how)
    return [
        r
        for r in results["rows"]
        if (r["block"], r["recording"], r["how"]) == wanted and not r.get("error")
    ]


def interval(estimate: Mapping[str, Any], digits: int = 2) -> str | None:
    """Limits of an estimate, None where they are not known."""
    low, high = number(estimate["low"], digits), number(estimate["high"], digits)
    return f"{low} to {high}" if low and high else None


def aims(results: Mapping[str, Any]) -> str:
    """What was aimed at, and what came."""
    rows = [*_accuracy_aims(results), *_overlap_aims(results), *_trust_aims(results)]
    rows += [*_time_aims(results), *_long_aims(results)]
    if not rows:
        return ""
    return "## Aims\n\n" + table(("Of", "aim", "measured", "met"), rows)


def _met(yes: bool) -> str:
    return "yes" if yes else "**no**"


def _accuracy_aims(results: Mapping[str, Any]) -> list[list[Any]]:
    out = []
    for name, told in results["summary"]["recordings"].items():
        mine, ahead = told["sorters"].get(OWN), told["ahead"]
        if mine is None:
            continue
        title = results["recordings"][name]["title"]
        value = mine["accuracy"]["value"]
        if name == "static":
            out.append([title, f"mean accuracy ≥ {LEAST_STATIC:.2f}", number(value),
                        _met(value >= LEAST_STATIC)])  # fmt: skip
        if ahead is None:
            continue
        least = AHEAD_STATIC if name == "static" else 0.0
        gap = ahead["all"]
        out.append(
            [
                title,
                f"≥ best other {least:+.2f}" if least else "≥ best other",
                _gap(gap),
                _met(gap["value"] >= least),
            ]
        )
        if results["recordings"][name]["make"] == "hybrid":
            out += [
                [
                    title,
                    f"≥ best other at {band}",
                    _gap(ahead[band]),
                    _met(ahead[band]["value"] >= 0),
                ]
                for band in BANDS
                if band in ahead
            ]
    return out


def _gap(gap: Mapping[str, Any]) -> str:
    return f"{gap['value']:+.3f} ({interval(gap, 3)}) to {gap['peer']}"


def _overlap_aims(results: Mapping[str, Any]) -> list[list[Any]]:
    out = []
    for name, told in results["summary"]["recordings"].items():
        mine = told["sorters"].get(OWN)
        facts = results["recordings"][name]
        if mine is None or facts["make"] != "hybrid" or not mine["overlaps"]["n"]:
            continue
        value = mine["overlaps"]["value"]
        found = f"{value:.3f} ({interval(mine['overlaps'])})"
        aim = f"overlaps found ≥ {OVERLAP_LIMIT:g}"
        out.append([facts["title"], aim, found, _met(value >= OVERLAP_LIMIT)])
    return out


def _trust_aims(results: Mapping[str, Any]) -> list[list[Any]]:
    told = results["summary"]["calibration"].get(OWN)
    if told is None or told["overall"] is None:
        return []
    ece = told["overall"]["ece"]
    out = [
        [
            "Confidence",
            f"ECE ≤ {ECE_LIMIT:g}",
            f"{ece['value']:.3f} ({interval(ece, 3)})",
            _met(ece["value"] <= ECE_LIMIT),
        ]
    ]
    for band, part in told["bands"].items():
        if part is not None and part["skill"]["value"] is not None:
            skill = part["skill"]
            found = f"{skill['value']:.3f} ({interval(skill, 3)})"
            out.append([f"Confidence, {band}", "Brier skill > 0", found, _met(skill["value"] > 0)])
    return out


def _time_aims(results: Mapping[str, Any]) -> list[list[Any]]:
    out = []
    for name, facts in results["recordings"].items():
        timed = {r["sorter"]: r for r in rows_of(results, "timing", name, "timed")}
        direct = {r["sorter"]: r for r in rows_of(results, "timing", name, "direct")}
        mine = timed.pop(OWN, None)
        if mine is not None:
            walls = {sorter: row["wall_s"] for sorter, row in timed.items()}
            asked = [(OF_LUPIN, "lupin")] if "lupin" in walls else []
            asked += [(OF_FASTEST, min(walls, key=lambda s: walls[s]))] if walls else []
            for part, other in asked:
                share = mine["wall_s"] / walls[other]
                aim = f"wall time, warm ≤ 1/{part:g} of {other}'s"
                measured = f"{share:.2f} ({mine['wall_s']:.1f} of {walls[other]:.1f} s)"
                out.append([facts["title"], aim, measured, _met(share <= 1 / part)])
        for sorter, row in timed.items():
            alone = direct.get(sorter, {}).get("wall_s")
            if alone and row.get("sorter_wall_s"):
                own = (row["wall_s"] - row["sorter_wall_s"]) / alone
                aim = f"own part < {OVERHEAD_LIMIT:.0%} of a direct call of {sorter}"
                out.append([facts["title"], aim, percent(own), _met(own < OVERHEAD_LIMIT)])
        steps = [
            (row[key], sorter, what)
            for sorter, row in timed.items()
            for key, what in (("report_s", "report"), ("nwb_s", "NWB export"))
            if row.get(key)
        ]
        if steps:
            longest, sorter, what = max(steps)
            aim = f"report and NWB export < {STEP_LIMIT_S:g} s each"
            measured = f"{longest:.1f} s at most ({what} of {sorter})"
            out.append([facts["title"], aim, measured, _met(longest < STEP_LIMIT_S)])
    return out


def _long_aims(results: Mapping[str, Any]) -> list[list[Any]]:
    out = []
    for row in results["rows"]:
        if row["block"] != "long" or row.get("error"):
            continue
        facts = results["recordings"][row["recording"]]
        title = f"{facts['title']}, {facts['size']['duration_s']:g} s"
        speed = facts["size"]["duration_s"] / row["wall_s"]
        memory = row["peak_memory_bytes"] / 1e9
        out.append([title, "faster than real time", f"{speed:.2f} times", _met(speed > 1)])
        aim = f"peak memory < {MEMORY_LIMIT_GB:g} GB"
        out.append([title, aim, f"{memory:.2f} GB", _met(memory < MEMORY_LIMIT_GB)])
    return out
