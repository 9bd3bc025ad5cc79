"""The pictures of `spikes.py`. Each draws into a file, and says whether there was anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, MARKERS
from _spikes_aims import rows_of
from _spikes_pool import OWN
from _spikes_score import BANDS, EDGES

SNR_EDGES = (0.0, 3.0, 4.5, 6.0, 8.0, 10.0, 15.0, 25.0, np.inf)
LEAST_IN_BIN = 30
"""Spikes from which on a bin's share is joined by the line."""

_GREY = "#777777"


def _style(results: Mapping[str, Any], sorter: str) -> dict[str, Any]:
    k = list(results["sorters"]).index(sorter)
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def _save(figure: Any, path: Path) -> bool:
    figure.savefig(path, dpi=140, metadata={"Software": None})
    return True


def _plain(axis: Any) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=8)


def plot_accuracy(results: Mapping[str, Any], path: Path) -> bool:
    """Mean accuracy with its interval, a line per kind of recording, a mark per sorter."""
    from matplotlib.figure import Figure

    told = results["summary"]["recordings"]
    if not told:
        return False
    names, sorters = list(told), list(results["sorters"])
    figure = Figure(figsize=(8.0, 1.3 + 0.55 * len(names)), layout="constrained")
    axis = figure.subplots()
    for k, sorter in enumerate(sorters):
        offset = (k - (len(sorters) - 1) / 2) * 0.8 / max(1, len(sorters))
        at = [(y + offset, told[n]["sorters"].get(sorter)) for y, n in enumerate(names)]
        style, label = _style(results, sorter), sorter
        for y, found in at:
            if found is None:
                continue
            value = found["accuracy"]
            all_seeds = len(found["seeds"]) == max(
                len(f["seeds"]) for f in told[names[round(y - offset)]]["sorters"].values()
            )
            axis.plot([value["low"], value["high"]], [y, y], color=style["color"], linewidth=1.4)
            axis.plot(
                value["value"], y, linestyle="", markersize=6, label=label,
                markerfacecolor=style["color"] if all_seeds else "white",
                markeredgecolor=style["color"], marker=style["marker"],
            )  # fmt: skip
            label = "_"
    for y in range(1, len(names)):
        axis.axhline(y - 0.5, color="#dddddd", linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(names)), [results["recordings"][n]["title"] for n in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(None, 1.01)
    axis.set_xlabel("mean accuracy, 95 % interval (open: one seed where others have more)", size=9)
    _plain(axis)
    figure.legend(loc="outside upper center", ncols=5, fontsize=8, frameon=False)
    return _save(figure, path)


def plot_snr(results: Mapping[str, Any], path: Path) -> bool:
    """Accuracy of every true unit against its SNR, and means of bins, a panel per recording."""
    from matplotlib.figure import Figure

    names = list(results["summary"]["recordings"])
    if not names:
        return False
    n_columns = min(4, len(names))
    n_rows = -(-len(names) // n_columns)
    figure = Figure(figsize=(3.0 * n_columns, 0.5 + 2.4 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axis, name in zip(axes, names, strict=False):
        rows = rows_of(results, "accuracy", name, "nissl")
        for sorter in results["sorters"]:
            units = [u for r in rows if r["sorter"] == sorter for u in r["units"]]
            if units:
                _curve(axis, units, _style(results, sorter), sorter)
        for edge in EDGES:
            axis.axvline(edge, color="#bbbbbb", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axis.set_title(results["recordings"][name]["title"], size=9)
        _plain(axis)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    axes[0].set_xscale("log")
    axes[0].set_xlim(0.25, 90)
    axes[0].set_xticks([0.5, 1, 2, 6, 10, 20, 50], ["0.5", "1", "2", "6", "10", "20", "50"])
    axes[0].minorticks_off()
    axes[0].set_ylim(-0.04, 1.04)
    figure.supxlabel("signal-to-noise ratio of the true unit", size=9)
    figure.supylabel("accuracy", size=9)
    handles = {}
    for axis in axes[: len(names)]:
        handles |= {h.get_label(): h for h in axis.get_lines() if h.get_label()[0] != "_"}
    figure.legend(
        handles=list(handles.values()), loc="outside upper center", ncols=5, fontsize=8,
        frameon=False,
    )  # fmt: skip
    return _save(figure, path)


def _curve(
    axis: Any, units: Sequence[Mapping[str, Any]], style: Mapping[str, Any], label: str
) -> None:
    snr = np.asarray([u["snr"] for u in units])
    accuracy = np.asarray([u["accuracy"] for u in units])
    axis.scatter(snr, accuracy, s=7, color=style["color"], alpha=0.35, linewidth=0)
    at = np.digitize(snr, SNR_EDGES) - 1
    there = np.unique(at)
    x = [float(np.exp(np.mean(np.log(snr[at == k])))) for k in there]
    y = [float(np.mean(accuracy[at == k])) for k in there]
    axis.plot(x, y, linewidth=1.5, markersize=4, label=label, **style)


def plot_reliability(results: Mapping[str, Any], path: Path) -> bool:
    """How often spikes of each confidence are right: overall and by band of SNR."""
    from matplotlib.figure import Figure

    told = results["summary"]["calibration"]
    if not told:
        return False
    panels = ("all", *BANDS)
    figure = Figure(figsize=(2.7 * len(panels), 3.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, panels, strict=True):
        axis.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, linestyle=(0, (4, 3)))
        words = []
        for sorter, found in told.items():
            part = found["overall"] if name == "all" else found["bands"][name]
            if part is None:
                continue
            sure, right, count = np.asarray(part["bins"]).T
            style = _style(results, sorter)
            many = count >= LEAST_IN_BIN
            axis.plot(sure[many], right[many], linewidth=1.2, color=style["color"], label=sorter)
            axis.scatter(sure, right, s=6 + 150 * count / count.sum(), color=style["color"])
            words.append(f"ECE {part['ece']['value']:.3f}")
            if part["skill"]["value"] is not None:
                words.append(f"Brier skill {part['skill']['value']:.2f}")
        axis.text(0.98, 0.03, "\n".join(words), ha="right", va="bottom", size=8)
        axis.set_title(name if name != "all" else "all spikes", size=9)
        axis.set_xlim(-0.03, 1.03)
        axis.set_ylim(-0.03, 1.03)
        axis.set_aspect("equal")
        _plain(axis)
    axes[0].set_ylabel("share of right spikes", size=9)
    figure.supxlabel("confidence (area of marks: share of spikes)", size=9)
    return _save(figure, path)


def plot_time(results: Mapping[str, Any], path: Path) -> bool:
    """Wall time of the timing block, cold, warm and without nissl."""
    from matplotlib.figure import Figure

    names = [n for n in results["recordings"] if rows_of(results, "timing", n, "timed")]
    if not names:
        return False
    sorters = list(results["sorters"])
    figure = Figure(figsize=(max(5.0, 4.0 * len(names)), 3.4), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=True):
        timed = {r["sorter"]: r for r in rows_of(results, "timing", name, "timed")}
        direct = {r["sorter"]: r["wall_s"] for r in rows_of(results, "timing", name, "direct")}
        groups = (
            ("cold", {s: r["cold"]["wall_s"] for s, r in timed.items()}, -0.27, "#bbbbbb"),
            ("warm", {s: r["wall_s"] for s, r in timed.items()}, 0.0, COLOURS[0]),
            ("called directly", direct, 0.27, "white"),
        )
        for label, values, offset, colour in groups:
            at = [sorters.index(s) + offset for s in values]
            axis.bar(at, list(values.values()), 0.25, color=colour, edgecolor=_GREY, label=label)
            for x, value in zip(at, values.values(), strict=True):
                axis.annotate(f"{value:.0f}", (x, value), ha="center", va="bottom", size=7)
        axis.set_xticks(range(len(sorters)), sorters, rotation=20)
        axis.set_title(results["recordings"][name]["title"], size=9)
        _plain(axis)
    axes[0].set_ylabel("wall time, s", size=9)
    axes[0].legend(fontsize=8, frameon=False)
    return _save(figure, path)


def plot_scale(results: Mapping[str, Any], path: Path) -> bool:
    """CPU seconds of our sorter over duration and over channels, with the proportional line."""
    from matplotlib.figure import Figure

    points = [
        (*_size(results, r), r["cpu_s"], r["peak_memory_bytes"] / 1e9)
        for r in results["rows"]
        if r["block"] in ("scale", "long") and r["sorter"] == OWN and not r.get("error")
    ]
    if len(points) < 2:
        return False
    data = np.asarray(points, dtype=np.float64)
    fewest, shortest = data[:, 0].min(), data[:, 1].min()
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    axes = figure.subplots(1, 2, squeeze=False)[0]
    for axis, column, kept, label in (
        (axes[0], 1, data[:, 0] == fewest, f"duration, s ({fewest:g} channels)"),
        (axes[1], 0, data[:, 1] == shortest, f"channels ({shortest:g} s)"),
    ):
        part = data[kept][np.argsort(data[kept][:, column])]
        x, cpu = part[:, column], part[:, 2]
        axis.plot(x, cpu, marker="o", color=COLOURS[0], label="CPU seconds")
        axis.plot(x, cpu[0] * x / x[0], color=_GREY, linestyle=(0, (4, 3)), label="in proportion")
        for at, seconds, memory in zip(x, cpu, part[:, 3], strict=True):
            axis.annotate(
                f"{memory:.1f} GB", (at, seconds), xytext=(4, -10), size=7,
                textcoords="offset points",
            )  # fmt: skip
        axis.set_xlabel(label, size=9)
        axis.set_xlim(0, None)
        axis.set_ylim(0, None)
        _plain(axis)
    axes[0].set_ylabel("CPU seconds (peak memory beside)", size=9)
    axes[0].legend(fontsize=8, frameon=False)
    return _save(figure, path)


def _size(results: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[int, float]:
    size = results["recordings"][row["recording"]]["size"]
    return size["n_channels"], size["duration_s"]


PLOTS: dict[str, Callable[[Mapping[str, Any], Path], bool]] = {
    "": plot_accuracy,
    "snr": plot_snr,
    "reliability": plot_reliability,
    "time": plot_time,
    "scale": plot_scale,
}
"""By the end of their file's name."""
