"""The page of `spikes.py`: aims, accuracy by kind of recording, confidence, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from _common import number, percent, table
from _spikes_aims import aims, interval, rows_of
from _spikes_pool import OWN, against_best, reliabilities, summary
from _spikes_score import BANDS, CLEAR_SNR, NEAR_UM

Row = Mapping[str, Any]

COLUMNS = (
    "Sorter",
    "mean accuracy",
    "95 % interval",
    *BANDS,
    "units ≥ 0.8",
    "unmatched",
    "redundant",
    "overlaps found",
    "CPU, s",
    "wall, s",
    "peak memory",
)
COST_COLUMNS = (
    "Sorter",
    "cold, s",
    "warm, s",
    "warm, CPU s",
    "of which the sorter, s",
    "own share",
    "called directly, s",
    "against direct",
    "report, s",
    "NWB, s",
    "anchor, s",
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


def complete(facts: Mapping[str, Any]) -> bool:
    """Whether every cell in a kind of recording is in its truth."""
    made = [seed for seed in facts["seeds"].values() if "error" not in seed]
    return not any(seed["declaration"]["parameters"].get("real_background") for seed in made)


def summarise(results: Mapping[str, Any]) -> dict[str, Any]:
    """Means, differences and calibration of all rows of the accuracy block.

    Returns
    -------
    dict
        "recordings": by kind, "sorters" (see `_spikes_pool.summary`) and "ahead" (see
        `_spikes_pool.against_best`); "calibration": by sorter.
    """
    found: dict[str, Any] = {"recordings": {}, "calibration": {}}
    for name in results["recordings"]:
        rows = rows_of(results, "accuracy", name, "nissl")
        by_sorter: dict[str, list[Row]] = {}
        for row in rows:
            by_sorter.setdefault(row["sorter"], []).append(row)
        if by_sorter:
            found["recordings"][name] = {
                "sorters": {sorter: summary(mine) for sorter, mine in by_sorter.items()},
                "ahead": against_best(by_sorter),
            }
    whole = {name: complete(facts) for name, facts in results["recordings"].items()}
    for sorter in results["sorters"]:
        mine = [
            r for r in results["rows"] if r["block"] == "accuracy" and r["sorter"] == sorter
            and r["how"] == "nissl" and not r.get("error")
        ]  # fmt: skip
        told = reliabilities(mine, whole)
        if told is not None:
            found["calibration"][sorter] = told
    return found


def markdown(results: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """Write the page; `pictures` are names of files by name of the plot."""
    parts = [_head(results), aims(results)]
    for name, text in (
        ("", "Mean accuracy on each kind of recording"),
        ("snr", "Accuracy of true units against their signal-to-noise ratio"),
    ):
        parts += [f"![{text}]({pictures[name]})\n"] if name in pictures else []
    parts += [
        _section(results, name, facts)
        for name, facts in results["recordings"].items()
        if any(r["block"] == "accuracy" and r["recording"] == name for r in results["rows"])
    ]
    parts += [
        _calibration(results, pictures),
        _timing(results, pictures),
        _scale(results, pictures),
    ]
    return "\n".join([*parts, _absent(results)])


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
Every installed sorter, with its defaults, on recordings whose spikes are known; where the tissue
moves, motion correction is switched on in every sorter that has it. All figures are
of one machine ({facts["cpu"]}, {facts["cores"]} cores, {facts["memory_gb"]} GB;
Python {facts["python"]}, nissl {results["nissl"]}), each sorter in a fresh process. Accuracies were
measured on one core while other work ran beside: there, compare CPU seconds rather than wall times.
Accuracy is that of SpikeForest: matched spikes (within 0.4 ms) over all spikes of the true unit
and its match together; a true unit without a match counts 0. Intervals are bootstrapped over
seeds and, within them, true units. Bands are of a true unit's extreme value at rest over the
standard deviation of the background. An unmatched unit agrees with no true unit by 0.2 or more;
a redundant one does, but another agrees better. Overlaps: spikes of units of SNR above
{CLEAR_SNR:g} within 1 ms of a spike of another such unit at most {NEAR_UM:g} um away; the share
that was found, spikes of units that were not found included. Peak memory is that of the whole
process tree.

Written by `python benchmarks/spikes.py`; see [the tutorial](../tutorials/spikes.md) for hybrids.
"""


def _section(results: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> str:
    made = {seed: each for seed, each in facts["seeds"].items() if "error" not in each}
    lines = [f"## {facts['title']}\n"]
    snr = [value for each in made.values() for value in each["snr"]]
    first = next(iter(made.values()))["declaration"]
    many = f"{len(made)} seeds ({', '.join(made)})" if len(made) > 1 else f"seed {next(iter(made))}"
    spikes = sum(each["n_spikes"] for each in made.values())
    lines.append(
        f"{facts['size']['duration_s']:g} s, {len(first['units'])} true units; {many} with "
        f"{spikes} spikes in all; signal-to-noise ratios {min(snr):.1f} to {max(snr):.1f}.\n"
    )
    if first["real"]:
        lines.append("Real: " + "; ".join(first["real"]) + ".\n")
    lines.append("Made: " + "; ".join(_made(facts, first)) + ".\n")
    if not complete(facts):
        lines.append(
            "The background's own cells are not in the truth: unmatched units may be those, and "
            "are not errors.\n"
        )
    told = results["summary"]["recordings"].get(name)
    sorters = {} if told is None else told["sorters"]
    rows = [_quality(sorter, found, len(made)) for sorter, found in sorters.items()]
    rows += [
        [f"{r['sorter']}, seed {r['seed']}", _failure(r), *[None] * (len(COLUMNS) - 2)]
        for r in results["rows"]
        if r["block"] == "accuracy" and r["recording"] == name and r.get("error")
    ]
    lines.append(table(COLUMNS, rows))
    if told is not None and told["ahead"] is not None:
        lines.append(_ahead(told["ahead"]))
    return "\n".join(lines)


def _failure(row: Row) -> str:
    if row["error"] == "timeout":
        return f"stopped after {row['process_s']:.0f} s"
    return str(row["error"])


def _made(facts: Mapping[str, Any], declared: Mapping[str, Any]) -> list[str]:
    """What was made, with what the benchmark itself did to trains."""
    made = list(declared["made"])
    if "shared" in facts["size"]:
        made = [m for m in made if not m.startswith("correlation between units")]
        made.append(
            f"overlaps: with {facts['size']['shared']:.0%} of its spikes each, three other units "
            "fire within 1 ms; the units are those of the library that burst most"
        )
    names = [unit.get("unit", "") for unit in declared["units"]]
    if any(name.count("/") > 1 for name in names):
        made.append("units: some stand twice, elsewhere and with another stretch of their train")
    return made


def _quality(sorter: str, found: Mapping[str, Any], n_seeds: int) -> list[Any]:
    few = "" if len(found["seeds"]) == n_seeds else f" ({_seeds(found['seeds'])} only)"
    bands = [
        None if not band["n"] else f"{band['value']:.3f} ({band['n']})"
        for band in (found["bands"][name] for name in BANDS)
    ]
    overlaps = found["overlaps"]
    return [
        sorter + few,
        number(found["accuracy"]["value"]),
        interval(found["accuracy"]),
        *bands,
        f"{found['n_good']:.1f} of {found['n_true']:.0f}",
        number(found["false_positive"], 1),
        number(found["redundant"], 1),
        f"{overlaps['value']:.3f} ({overlaps['n_spikes']})" if overlaps["n"] else None,
        number(found["cpu_s"], 0),
        number(found["wall_s"], 0),
        f"{found['peak_memory_bytes'] / 1e9:.2f} GB",
    ]


def _seeds(seeds: Sequence[int]) -> str:
    word = "seed" if len(seeds) == 1 else "seeds"
    return f"{word} {', '.join(map(str, seeds))}"


def _ahead(ahead: Mapping[str, Any]) -> str:
    parts = [
        f"{'all units' if name == 'all' else name} {gap['value']:+.3f} ({interval(gap, 3)}) to "
        f"{gap['peer']} on {_seeds(gap['seeds'])}"
        for name, gap in ahead.items()
    ]
    return (
        f"{OWN} less the other sorter that comes nearest to it or is ahead of it, unit by unit: "
        + "; ".join(parts)
        + ".\n"
    )


def _calibration(results: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    told = results["summary"]["calibration"]
    if not told:
        return ""
    lines = [
        "## Confidence\n",
        "Of sorters that say how sure they are of each spike. A spike is right where its unit is "
        "matched with a true unit and a true spike of it lies within 0.4 ms; all spikes of units "
        "that match none are wrong, and stand in the band of their own amplitude. Brier skill is "
        "over saying the share of right spikes of that row for every spike. ECE has bins of 0.05, "
        "finer from 0.95 on. Intervals are bootstrapped over recordings and found units. "
        "Recordings with a real background are left out of the first rows, for its cells are not "
        "in the truth.\n",
    ]
    if "reliability" in pictures:
        lines.append(
            f"![How often spikes of each confidence are right]({pictures['reliability']})\n"
        )
    columns = (
        "Sorter", "spikes of", "spikes", "right", "mean confidence", "ECE", "95 % interval",
        "Brier", "Brier skill", "95 % interval",
    )  # fmt: skip
    rows = []
    for sorter, found in told.items():
        kinds = {results["recordings"][k]["title"]: v for k, v in found["recordings"].items()}
        parts = {"all": found["overall"]} | found["bands"] | kinds
        rows += [[sorter, name, *_trust(part)] for name, part in parts.items()]
    lines.append(table(columns, rows))
    return "\n".join(lines)


def _trust(part: Mapping[str, Any] | None) -> list[Any]:
    if part is None:
        return [0, *[None] * 7]
    return [
        part["n"],
        number(part["right"]),
        number(part["confidence"]),
        number(part["ece"]["value"]),
        interval(part["ece"], 3),
        number(part["brier"], 4),
        number(part["skill"]["value"]),
        interval(part["skill"], 3),
    ]


def _timing(results: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    lines = []
    for name, facts in results["recordings"].items():
        timed = rows_of(results, "timing", name, "timed")
        if not timed:
            continue
        direct = {r["sorter"]: r for r in rows_of(results, "timing", name, "direct")}
        lines += [
            f"\n{facts['title']}, {facts['size']['duration_s']:g} s, "
            f"{timed[0]['workers']} workers:\n",
            table(COST_COLUMNS, [_cost(r, direct.get(r["sorter"])) for r in timed]),
        ]
    if not lines:
        return ""
    head = [
        "## Time\n",
        "The whole call: opening, sorting, measuring the units, checks, saving. Cold: with nothing "
        'compiled; warm: the second call in the same process, with what the first compiled. "Own '
        'share" is what nissl adds to the sorter in the warm call; the direct call lets the '
        "sorter filter for itself. The anchor is a fixed computation before, between and after "
        "the two calls.\n",
    ]
    if "time" in pictures:
        head.append(f"![Wall time, cold and warm]({pictures['time']})\n")
    return "\n".join([*head, *lines])


def _cost(row: Row, direct: Row | None) -> list[Any]:
    own, against = overhead(row, direct)
    alone = direct or {}
    anchors = row["anchors_s"]
    return [
        row["sorter"],
        number(row["cold"]["wall_s"], 1),
        number(row["wall_s"], 1),
        number(row["cpu_s"], 1),
        number(row.get("sorter_wall_s"), 1),
        percent(own),
        number(alone.get("wall_s"), 1),
        percent(against),
        number(row.get("report_s"), 1),
        number(row.get("nwb_s"), 1),
        f"{min(anchors):.2f} to {max(anchors):.2f}",
    ]


def _scale(results: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    rows = [r for r in results["rows"] if r["block"] in ("scale", "long") and not r.get("error")]
    if not rows:
        return ""
    lines = ["## Cost over duration and channels\n"]
    if "scale" in pictures:
        lines.append(f"![CPU seconds over duration and channels]({pictures['scale']})\n")
    columns = (
        "Channels", "duration, s", "true units", "CPU, s", "wall, s", "times real time",
        "peak memory", "mean accuracy",
    )  # fmt: skip
    told = []
    for row in rows:
        size = results["recordings"][row["recording"]]["size"]
        told.append(
            [
                size["n_channels"],
                f"{size['duration_s']:g}",
                row["n_true"],
                number(row["cpu_s"], 1),
                number(row["wall_s"], 1),
                number(size["duration_s"] / row["wall_s"], 2),
                f"{row['peak_memory_bytes'] / 1e9:.2f} GB",
                number(row["accuracy_mean"]),
            ]
        )
    return "\n".join([*lines, table(columns, told)])


def _absent(results: Mapping[str, Any]) -> str:
    lines = [f"- {sorter}: {reason}" for sorter, reason in sorted(results["absent"].items())]
    lines += [
        f"- {facts['title']}, seed {seed}: could not be made, {each['error']}"
        for facts in results["recordings"].values()
        for seed, each in facts["seeds"].items()
        if "error" in each
    ]
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
