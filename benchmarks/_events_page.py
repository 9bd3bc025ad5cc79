"""The page of `events.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _common import COLOURS, MARKERS, number, table
from _events_robust import CHANGES, METHODS, SLOWER
from _events_simulated import CASES, SLOPES

WHO = ("expert 1", "expert 2", "union")
ORDER = (
    "nissl",
    "nissl, threshold from the other half",
    "nissl, simulations only",
    "YASA",
    "YASA, thresholds from the other half",
    "DREAMS' own automatic",
    "random forest",
    "line length",
    "line length over 3 deviations",
    "nissl's features, regression",
    "nissl's features, boosted trees",
    "nissl's features, extremely random trees",
    "expert 1",
    "expert 2",
)
"""Rows of the tables."""


def _rows(results: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, results[name]) for name in ORDER if name in results]


def _marks(results: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(
        results.items(), key=lambda row: (row[0].split("/")[0], int(row[0].split("/")[1]))
    )


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    lines = [
        "# Events",
        "",
        "Spindles of one sleeper, seizures of one dog, five sets of segments, and simulations of "
        "exact truth. None of it is large: read the intervals, and what each section says of how "
        "far it reaches. The shipped models of `events/spindles` and `events/seizures` know "
        "simulations alone, so they have seen none of this."
        + (" A quick run: numbers are coarse." if results["quick"] else ""),
        "",
        "Written by `python benchmarks/events.py`.",
        "",
        f"![Spindles, marks and bursts]({picture})",
        "",
        *_spindles(results["spindles"]),
        *_seizures(results["seizures"]),
        *_bonn(results["bonn"]),
        *_robust(results["robustness"]),
        *_simulated(results["simulated"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _spindles(results: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Spindles",
        "",
        "DREAMS, excerpt 1: half an hour of C3-A1 (Devuyst et al., CC BY-NC). Expert 1 scored the "
        "first 1,000 s, so against expert 1 and the union of both only that counts. A hit is an "
        "intersection over union of 0.2 (or 0.3). Intervals resample the minutes of this one "
        "record; they say nothing of other people. *From the other half*: thresholds that did best "
        "on one half of the time, used on the other. What the simulations behind the shipped model "
        "call visible was defined once anew after a first look at this record (against the trace "
        "without its slow waves, where it first had been against the whole trace), so its row is a "
        "little kind.",
        "",
    ]
    for who in WHO:
        rows = [
            [
                name,
                s["n"],
                _with(s["f1_20"], s["interval"]),
                number(s["f1_30"]),
                number(s["precision"]),
                number(s["recall"]),
            ]
            for name, s in _rows(results["scores"][who])
        ]
        first = next(iter(results["scores"][who].values()))
        lines += [f"Against {who} ({first['n_true']} spindles):", ""]
        columns = ("method", "found", "F1 (IoU 0.2)", "F1 (IoU 0.3)", "precision", "recall")
        lines += [table(columns, rows)]
    said = ", ".join(f"{number(results['reliability'][w]['ece'])} ({w})" for w in WHO)
    tops = {w: results["reliability"][w]["bins"][-1] for w in WHO}
    surest = ", ".join(f"{hit:.2f} where it says {p:.2f} ({w})" for w, (p, hit, _) in tops.items())
    lines += [
        "Confidence of `events/spindles`, calibrated on simulations, against the experts: expected "
        f"calibration error over all candidates {said}. That is small because most candidates are "
        f"unlikely and rightly so. Of the surest ones fewer are right than it says: {surest}.",
        "",
        "### Taught by marks (`events/nissl`)",
        "",
        "The first so many marks of an expert after a random moment, everything else between them "
        "being nothing; tested on all other time of the record, beside YASA's defaults on the same "
        "time. Means over draws of the moment with intervals over them; draws overlap.",
        "",
    ]
    rows = []
    for key, s in _marks(results["marks"]):
        who, count = key.split("/")
        cells = [_interval(s[name]) for name in ("taught", "yasa")]
        rows.append([who, count, number(s["minutes"], 1), *cells, number(s["more"], 2)])
    columns = ("expert", "marks", "minutes read", "F1 taught", "F1 YASA", "better in")
    return [*lines, table(columns, rows)]


def _seizures(results: Mapping[str, Any]) -> list[str]:
    held = f"{results['n_ictal']} ictal and {results['n_quiet']} interictal seconds"
    lines = [
        "## Seizures: clips, not monitoring",
        "",
        f"One dog, 16 intracranial channels, {held}, three seizures. Each seizure is held out "
        "whole with a third of the interictal time. The threshold is the one that lets 1 % of "
        "left-out *training* clips through; false clips are what it lets through of held-out "
        "ones. Intervals are binomial over clips, which are not independent. The AUC's range is "
        "over seeds.",
        "",
    ]
    rows = []
    for name, s in _rows(results["clips"]):
        auc = [f"{low:.3f}–{high:.3f}" if high > low else f"{low:.3f}" for low, high in
               s["auc"].values()]  # fmt: skip
        rows.append([name, *auc, _interval(s["sensitivity"]), _interval(s["false"])])
    names = list(next(iter(results["clips"].values()))["auc"])
    columns = ("method", *(f"AUC, {n}" for n in names), "sensitivity", "false clips")
    lines += [
        table(columns, rows),
        "## Seizures: assembled records",
        "",
        f"Records of {results['hours']:g} h put together from held-out clips: runs of ten "
        "consecutive interictal clips in random order, and the held-out seizure at four random "
        "places. The operating point was fixed on records assembled in the same way from left-out "
        "training clips. Counted by SzCORE's rules. A day's length does not make a day's variety: "
        "all interictal time is made of the same few minutes of one dog, so the false alarms are "
        "those of these minutes.",
        "",
    ]
    rows = [
        [
            name,
            f"{s['n_hit']} of {s['n_true']}",
            _interval(s["f1"]),
            f"{s['false_per_day']['estimate']:.2f}",
            f"{s['hours']:.0f}",
        ]
        for name, s in _rows(results["monitoring"])
    ]
    columns = ("method", "found", "event F1", "false alarms per 24 h", "hours")
    lines += [table(columns, rows), "The detector itself, from samples, on one such record:", ""]
    rows = [
        [
            name,
            f"{s['n_hit']} of {s['n_true']}",
            number(s["f1"]),
            f"{s['false_per_day']:.2f}",
            f"{s['wall_s']:.0f}",
            f"{s['peak_memory_bytes'] / 1e6:.0f}",
        ]
        for name, s in results["whole_path"].items()
    ]
    columns = ("windows", "found", "event F1", "false alarms per 24 h", "seconds", "peak MB")
    return [*lines, table(columns, rows)]


def _bonn(results: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            _interval(s["accuracy"]),
            number(s["macro_f1"]),
            *(number(s["by_set"][c], 2) for c in "ABCDE"),
        ]
        for name, s in _rows(results)
    ]
    columns = ("classifier", "accuracy", "macro F1", *(f"set {c}" for c in "ABCDE"))
    return [
        "## Five sets of Bonn",
        "",
        f"{results['n']} segments of 23.6 s, one channel, by mean and deviation of the same window "
        "features; ten folds. Whose segments they are is not published with them: a person stands "
        "on both sides of the split, so this is optimistic.",
        "",
        table(columns, rows),
    ]


def _robust(results: Mapping[str, Any]) -> list[str]:
    changes = [*CHANGES, SLOWER]
    rows = []
    for name in METHODS:
        s = results[name]
        cells = [_same(s[c]) if c in s else None for c in changes]
        rows.append([f"`{name}`", s["unchanged"]["n"], *cells])
    quiet = not any(s["unchanged"]["alarm"] for s in results.values())
    return [
        "## Changed recordings",
        "",
        "A simulated recording of four channels, changed: F1 (IoU 0.5) of the labels against those "
        "of the unchanged one, and ! where a finding switches automatic acceptance off. "
        + ("None of the unchanged recordings raised one. " if quiet else "")
        + "Spikes need 125 Hz.",
        "",
        table(("method", "events", *changes), rows),
    ]


def _same(cell: Mapping[str, Any]) -> str:
    return f"{cell['same']:.2f}{' !' if cell['alarm'] else ''}"


def _simulated(results: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Simulated events: bias over slope and noise",
        "",
        "One channel, five minutes, exact truth; means over seeds. SNR is the peak of the "
        "event's envelope over the background's deviation in its band. Each cell: F1 (IoU 0.2), "
        "bias of the rate, bias of the duration. Planted durations run from the first to the last "
        "sample; at half height, where most methods measure, oscillations of these shapes are a "
        "fifth shorter. Last column: events found per minute where there are none.",
        "",
    ]
    for kind, (_, _, ratios, variants) in CASES.items():
        rows = []
        for variant in variants:
            for slope in SLOPES:
                cells = []
                for snr in ratios:
                    s = results[f"{kind}/{variant}/{slope:g}/{snr:g}"]
                    cells.append(
                        f"{s['f1']['estimate']:.2f}, {_signed(s['rate_bias'])}, "
                        f"{_signed(s['duration_bias'])}"
                    )
                none = results[f"{kind}/{variant}/none"]["false_per_min"]
                last = f"{none:.1f}" if slope == SLOPES[0] else ""
                rows.append([f"{variant}, slope {slope:g}", *cells, last])
        title = {"beta burst": "Bursts", "spindle": "Spindles", "slow wave": "Slow waves"}[kind]
        lines += [f"### {title}", "", table((kind, *(f"SNR {r:g}" for r in ratios), "none"), rows)]
    return lines


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.0f} %"


def _with(value: float, interval: list[float]) -> str:
    return f"{value:.3f} ({interval[0]:.2f}–{interval[1]:.2f})"


def _interval(s: Mapping[str, Any]) -> str:
    if s["low"] is None:
        return f"{s['estimate']:.3f}"
    return f"{s['estimate']:.3f} ({s['low']:.2f}–{s['high']:.2f})"


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Spindles by method, learning by marks, and bursts' bias over the slope."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), constrained_layout=True)
    _plot_scores(axes[0], results["spindles"]["scores"])
    _plot_marks(axes[1], results["spindles"]["marks"])
    _plot_bursts(axes[2], results["simulated"])
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _plot_scores(ax: Any, scores: Mapping[str, Any]) -> None:
    shown = ("nissl", "YASA", "DREAMS' own automatic", "expert 1", "expert 2")
    for k, name in enumerate(shown):
        xs = [i for i, who in enumerate(WHO) if name in scores[who]]
        found = [scores[WHO[i]][name] for i in xs]
        ys = [s["f1_20"] for s in found]
        below = [s["f1_20"] - s["interval"][0] for s in found]
        above = [s["interval"][1] - s["f1_20"] for s in found]
        places = [i + 0.12 * (k - 2) for i in xs]
        ax.errorbar(places, ys, [below, above], fmt=MARKERS[k], color=COLOURS[k], label=name)
    ax.set_xticks(range(len(WHO)), WHO)
    ax.set_ylim(0, 1)
    ax.set_ylabel("F1 (IoU 0.2)")
    ax.set_title("Spindles, DREAMS excerpt 1")
    ax.legend(fontsize=7, loc="lower right")


def _plot_marks(ax: Any, marks: Mapping[str, Any]) -> None:
    for k, who in enumerate(("expert 1", "expert 2")):
        keys = [key for key, _ in _marks(marks) if key.startswith(who)]
        x = [int(key.split("/")[1]) for key in keys]
        for name, style in (("taught", "-"), ("yasa", ":")):
            found = [marks[key][name] for key in keys]
            y = [s["estimate"] for s in found]
            words = "taught by" if name == "taught" else "YASA against"
            look = {"marker": MARKERS[k], "color": COLOURS[k]}
            ax.plot(x, y, style, label=f"{words} {who}", **look)
            if name == "taught":
                ax.fill_between(x, [s["low"] for s in found], [s["high"] for s in found],
                                color=COLOURS[k], alpha=0.15, lw=0)  # fmt: skip
    ax.set_xscale("log")
    ax.set_xticks([5, 20, 50], ["5", "20", "50"])
    ax.minorticks_off()
    ax.set_ylim(0, 1)
    ax.set_xlabel("marked spindles")
    ax.set_ylabel("F1 on the rest of the record")
    ax.set_title("A detector taught by marks")
    ax.legend(fontsize=7, loc="upper left")


def _plot_bursts(ax: Any, results: Mapping[str, Any]) -> None:
    for k, variant in enumerate(CASES["beta burst"][3]):
        for snr, style in ((2.0, ":"), (5.0, "-")):
            y = [100 * results[f"beta burst/{variant}/{s:g}/{snr:g}"]["rate_bias"] for s in SLOPES]
            ax.plot(SLOPES, y, style, marker=MARKERS[k], color=COLOURS[k],
                    label=f"{variant}, SNR {snr:g}")  # fmt: skip
    ax.axhline(0, color="0.5", lw=0.8)
    ax.set_xlabel("exponent of the background")
    ax.set_ylabel("bias of the rate (%)")
    ax.set_title("Beta bursts, simulated")
    ax.legend(fontsize=7)
