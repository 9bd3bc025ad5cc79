"""The page and the plot of `live.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _common import COLOURS, number, table

AIM_MS = 20.0
BEHIND_MS = 100.0
STAGES = ("W", "N1", "N2", "N3", "R")


def markdown(r: Mapping[str, Any]) -> str:
    """The page."""
    m = r["machine"]
    growth = r["memory"]
    dreams, sleep = r["events"]["dreams"], r["sleep"]
    within = [name for name, row in r["speed"].items() if row["p99"] < AIM_MS]
    parts = [
        "# Live\n",
        "How fast methods are on a stream, whether they say what they say offline, and what\n"
        "looking only backwards costs. `python benchmarks/live.py`; "
        + ("quick run; " if r["quick"] else "")
        + f"{m['cores']} cores ({m['cpu']}), one thread, shared with other work.\n",
        "## Time per chunk\n",
        f"Simulated EEG, 64 channels at 256 Hz in chunks of 100 ms, windows full. The aim is a\n"
        f"99th percentile below {AIM_MS:g} ms: {len(within)} of {len(r['speed'])} methods meet it. "
        "Detectors over moving windows\nsearch beside the stream, in a thread of their own; they "
        "get their chunks when they come, 100 ms apart. A chunk\nwaits only for a search that "
        "takes longer than `lag_s`. Milliseconds by the clock, on a machine that other\njobs kept "
        "busy, and of the processor: of the chunk's own thread (p99), and of all threads per chunk "
        "(mean;\n100 ms is real time). Known after: the most that can pass from the end of an "
        "event until it is known, without\nthe computation. Sleep works once in 300 chunks, at "
        "the end of an epoch: its longest.\n",
        _speed(r),
        "\n![Time per chunk](live.png)\n",
        *(sorter(r["sorter"]) if "sorter" in r else ()),
        "\n## Equality with offline\n",
        "Claims for chunks of 1, 7, 26 and 1000 samples and those of the same code over the file,\n"
        "compared to the last bit.\n",
        table(
            ("method", "claims", "equal"),
            [
                (name, str(row["claims"]), "yes" if row["equal"] else "no")
                for name, row in r["equality"].items()
            ],
        ),
        "\n## Memory\n",
        f"`events/spindles` and `sleep/nissl` together over {growth['minutes']} minutes of stream: "
        f"{growth['growth_mb']:.1f} MB more at the\nend than after five minutes.\n",
        "\n## What looking backwards costs\n",
        f"Sleep-EDF, {sleep['live']['subjects']} subjects, each left out in turn; the same "
        "trees on features that only look\nbackwards (live) and on those that look around "
        "(offline); one member, no copies. In brackets: the mean\nover subjects, its interval.\n",
        table(
            ("", "kappa", *(f"F1 {s}" for s in STAGES)),
            [
                (
                    name,
                    _kappa(sleep[name]),
                    *(f"{value:.3f}" for value in sleep[name]["f1"]),
                )
                for name in ("live", "offline")
            ],
        ),
        "\nSpindles on the DREAMS excerpt (one person, half an hour, C3-A1; the first 1,000 s)\n"
        "against the union of two experts, overlap of at least 0.2, default settings all three:\n",
        table(
            ("method", "spans", "F1", "precision", "recall"),
            [
                (
                    {"live": "`events/spindles` live"}.get(name, f"`{name}`"),
                    str(row["n"]),
                    f"{row['f1_20']:.3f} ({row['interval'][0]:.3f} to {row['interval'][1]:.3f})",
                    f"{row['precision']:.3f}",
                    f"{row['recall']:.3f}",
                )
                for name, row in dreams.items()
            ],
        ),
        "\nSimulations of exact truth (others than those on which the limits were chosen), F1 at\n"
        "an overlap of 0.2:\n",
        table(
            ("kind", "live", "offline", "known after, s (median)"),
            [
                (kind, number(row["live"]), number(row["offline"]), number(row["known_after_s"], 2))
                for kind, row in r["events"]["simulated"].items()
            ],
        ),
        "",
    ]
    return "\n".join(str(part) for part in parts)


def sorter(r: Mapping[str, Any]) -> list[str]:
    """The block of the sorter."""
    rows = list(r["rows"].items())
    first = rows[0][1]
    return [
        "\n## The sorter: from samples to triggers\n",
        f"`spikes/nissl` on simulated recordings without drift (seed 0, {first['seconds']:g} s "
        f"each), played at real speed in\nchunks of {r['chunk_ms']:g} ms to a trigger for every "
        f"spike; one thread, {r['machine']['cpu']}.\nSpikes come at random times against the grid "
        "of chunks. Templates are means around the true spikes, cleaned of\nother units, so that "
        "the stream is measured and not the search for units. Latency counts from the peak of a\n"
        f"spike to its trigger: the rest of its window ({first['rest_ms']:.1f} ms), the wait for "
        "rivals (1 ms), the delay of the filter,\nthe wait for the chunk to be full (0 to "
        f"{r['chunk_ms']:g} ms), and the computation. From the last sample of the window\nit is "
        f"{first['rest_ms']:.1f} ms less. The computation is the time that the thread had a core "
        "for, as it would be on a core of its own;\nother jobs on the same cores make it longer. "
        f"{_clock(rows)}\n",
        table(
            (
                "channels",
                "units",
                "spikes",
                "p50, ms",
                "p99, ms",
                "max, ms",
                "p99 after the window, ms",
                "computation p50 / p99, ms",
                "of the core",
            ),
            [
                (
                    name,
                    str(row["units"]),
                    str(row["n"]),
                    *(f"{value:.1f}" for value in row["cpu_ms"]),
                    f"{row['cpu_ms'][1] - row['rest_ms']:.1f}",
                    f"{row['cpu_work_ms'][0]:.1f} / {row['cpu_work_ms'][1]:.1f}",
                    f"{100 * row['cpu_share']:.0f} %",
                )
                for name, row in rows
            ],
        ),
        "\nMissed and false triggers against the true spikes (within 1 ms, of the same unit), and "
        "what offline matching with\nthe same templates misses and adds. Same: the share of spikes "
        "that the stream, with templates that do not follow,\nand offline matching have in "
        "common, one to one and of the same unit.\n",
        table(
            (
                "channels",
                "units",
                "true",
                "missed",
                "false",
                "missed offline",
                "false offline",
                "same within 1 sample",
                "within 3",
            ),
            [
                (
                    name,
                    f"{row['large']} of 10 SDs and more" if large else f"all {row['units']}",
                    *(str(row[key][large]) for key in ("true", "missed", "false")),
                    *(str(row["offline"][key][large]) for key in ("missed", "false")),
                    *(f"{row['offline'][k][large]:.4f}" for k in ("within_1", "within_3")),
                )
                for name, row in rows
                for large in (0, 1)
            ],
        ),
    ]


def _clock(rows: list[tuple[str, Any]]) -> str:
    """Latency by the clock, where the machine had time for it at all."""
    if max(row["wall_ms"][0] for _, row in rows) > BEHIND_MS:
        return (
            "By the clock the machine, with several jobs for each core, fell seconds behind: "
            "not told."
        )
    told = (
        f"{name} channels {row['wall_ms'][0]:.1f} / {row['wall_ms'][1]:.1f} / "
        f"{row['wall_ms'][2]:.1f} ms"
        for name, row in rows
    )
    return f"By the clock, p50 / p99 / max: {'; '.join(told)}."


def _kappa(row: Mapping[str, Any]) -> str:
    low, mean, high = row["mean_of_subjects"]
    return f"{row['kappa']:.3f} [{mean:.3f}, {low:.3f} to {high:.3f}]"


def _speed(r: Mapping[str, Any]) -> str:
    return table(
        ("method", "p50", "p99", "longest", "p99, CPU", "mean, CPU", "known after, s"),
        [
            (
                f"`{name.partition(',')[0]}`{name.partition(',')[1]}{name.partition(',')[2]}",
                f"{row['p50']:.2f}",
                f"{row['p99']:.1f}",
                f"{row['max']:.0f}",
                f"{row['cpu_p99']:.1f}",
                f"{row['cpu_mean']:.2f}",
                f"{row['latency_s']:.2f}",
            )
            for name, row in r["speed"].items()
        ],
    )


def plot(r: Mapping[str, Any], path: Path) -> None:
    """Median and 99th percentile by method, and memory over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    names = list(r["speed"])[::-1]
    for k, (key, marker, told) in enumerate(
        (
            ("p50", "o", "median, clock"),
            ("p99", "s", "99th percentile, clock"),
            ("cpu_p99", "^", "99th percentile, processor"),
        )
    ):
        values = [max(r["speed"][name][key], 1e-3) for name in names]
        left.plot(values, range(len(names)), marker, color=COLOURS[k], label=told)
    left.axvline(AIM_MS, color="0.5", linestyle="--", linewidth=1)
    left.axvline(100, color="0.5", linestyle=":", linewidth=1)
    left.text(AIM_MS, len(names) - 0.4, "aim", ha="right", color="0.3", fontsize=8)
    left.text(100, len(names) - 0.4, "real time", ha="left", color="0.3", fontsize=8)
    left.set_xscale("log")
    left.set_yticks(range(len(names)), names)
    left.set_xlabel("ms per chunk of 100 ms, 64 channels at 256 Hz")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    right.plot(range(1, len(r["memory"]["mb"]) + 1), r["memory"]["mb"], color=COLOURS[0])
    right.set_ylim(0, 1.2 * max(r["memory"]["mb"]))
    right.set_xlabel("minutes of stream")
    right.set_ylabel("resident memory, MB")
    figure.savefig(path, dpi=130)
