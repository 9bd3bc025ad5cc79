"""The page of `directed.py`: tables and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, MARKERS, number, table
from nissl.trust.intervals import binomial_interval

Row = Mapping[str, Any]
KINDS = {
    "autoregression": "autoregression, 5 arrows among 5 series (`FIELDS`)",
    "mixed": "sensors that see the same sources, no arrow (`FIELDS`)",
    "blood_flow": "blood flow, 5 quick arrows among 5 regions (`BOLD`)",
    "slow": "5 slow arrows, delays of 2, 4, 6 or 8 s at a scan in 2 s (`BOLD`)",
}


def markdown(results: Row, image: str) -> str:
    """The whole page."""
    m = results["machine"]
    parts = results["parts"]
    sections = [
        "# Directed dependence\n",
        (
            "Transfer entropy, verdicts on directions, spike trains, and dynamic causal models, "
            "held to values and networks that are known. Settings were not chosen on what is "
            f"reported here. One machine ({m['cpu']}, {m['cores']} cores, shared with other "
            f"work; nissl {results['nissl']}).\n"
        ),
        "Written by `python benchmarks/directed.py`. What the verdicts mean: "
        "[what drives what](../manual/directed.md).\n",
        f"![Delays, verdicts, synapses and dynamic causal models]({image})\n",
    ]
    for name, section in (
        ("te", _te),
        ("lorenz", _lorenz),
        ("netsim", _networks),
        ("feedback", _networks),
        ("series", _networks),
        ("voi", _voi),
        ("spikes", _spikes),
        ("dcm", _dcm),
        ("rdcm", _rdcm),
    ):
        rows = [row["result"] | {"task": row["task"]} for row in parts[name] if "result" in row]
        failed = [row for row in parts[name] if row["error"]]
        if rows:
            sections.append(section(name, rows))
        if failed or not rows:
            why = "failed: " + str(failed[0]["error"]) if failed else "was not run"
            sections.append(f"A part of `{name}` {why}.\n")
    return "\n".join(sections)


def _met(met: bool) -> str:
    return "met" if met else "**missed**"


def _te(name: str, rows: Sequence[Row]) -> str:
    row = rows[0]
    ksg, gauss = row["ksg"], row["gaussian"]
    return "\n".join(
        [
            "## Reference values\n",
            table(
                ("Estimator", "values", "largest error, nats", "aim", "met"),
                [
                    ("nearest neighbours (KSG)", ksg["n"], f"{ksg['worst']:.1e}", "1e-3",
                     _met(ksg["worst"] < 1e-3)),
                    ("Gaussian", gauss["n"], f"{gauss['worst']:.1e}", "1e-4",
                     _met(gauss["worst"] < 1e-4)),
                ],
            ),
            "Published unit tests of another program, Theiler windows of 10 and 20 samples "
            f"included. Pasts chosen by prediction (Ragwitz) on heart rate and breath: "
            f"{row['ragwitz'][0]} and {row['ragwitz'][1]} samples, where 5 and 2 were told.\n",
        ]
    )  # fmt: skip


def _lorenz(name: str, rows: Sequence[Row]) -> str:
    lines = [
        (
            f"{each['truth']}",
            each["coarse"],
            each["found"],
            _met(abs(each["found"] - each["truth"]) <= 2),
        )
        for each in rows[0]["rows"]
    ]
    return "\n".join(
        [
            "## Delays of coupled Lorenz systems\n",
            table(("True delay, samples", "best of every fifth", "found", "within 2"), lines),
            f"Nearest neighbours, {rows[0]['trials']} trials of 500 samples, pasts by Ragwitz.\n",
        ]
    )


def _networks(name: str, rows: Sequence[Row]) -> str:
    heads = {
        "netsim": ("## Simulated fMRI (NetSim)\n", "The scans' interval of 3 s is longer than any "
                   "delay between neurons, and delays of blood flow differ by region: directions "
                   "cannot be told from lags, and none should be claimed."),
        "feedback": ("## Simulated fMRI with feedback\n", "Networks with loops, recordings of "
                     "500 scans each (the interval is taken as 1.2 s). No aim is set."),
        "series": ("## Our own simulations\n", "Where directions can be told, they must be; 30 "
                   "seeds that the method was not developed on. Sensors that mix sources, and "
                   "blood flow, have none to tell; slow arrows are told by that rule too."),
    }  # fmt: skip
    lines = []
    for row in rows:
        task, v, plain = row["task"], row["verdicts"], row["plain"]
        label = KINDS.get(task.get("kind", ""), task.get("file", "").rpartition("/")[2])
        auc = row["edges_auc"]
        told = (
            f"{auc['estimate']:.3f} ({auc['low']:.3f}–{auc['high']:.3f})"
            if auc["estimate"] is not None and name != "series"
            else None
        )
        lines.append(
            (
                label,
                row["recordings"],
                told,
                f"{v['right']} of {v['true']}",
                f"{v['arrows'] - v['right']} of {v['absent']} ({_rate(v)})",
                v["backwards"],
                f"{v['tied']} of {v['edges']}",
                f"{v['tied_absent']} of {v['no_edges']}",
                f"{plain['right']} / {plain['arrows'] - plain['right']}",
            )
        )
    columns = (
        "Network", "recordings", "edges, AUC", "true arrows claimed", "false arrows claimed",
        "of them backwards", "connected: not called without evidence",
        "not connected: the same", "Granger alone: true / false",
    )  # fmt: skip
    head, about = heads[name]
    tail = ""
    if name == "netsim":
        first = [r for r in rows if r["task"]["file"][-1] in "123"]
        edges = all((r["edges_auc"]["estimate"] or 0) >= 0.95 for r in first)
        false = max(
            (r["verdicts"]["arrows"] - r["verdicts"]["right"]) / r["verdicts"]["absent"]
            for r in rows
        )
        tail = (
            f"Aims: AUC of edges 0.95 or more on 1 to 3: {_met(edges and len(first) == 3)}; "
            f"false arrows at most 5 %: {_met(false <= 0.05)}. Where no arrow is claimed, none "
            "that is true is found either: that the rule can claim one is seen below.\n"
        )
    note = (
        " Edges are partial correlations, shrunk; false arrows are ordered pairs without a "
        "connection that are called one. Then, of ordered pairs "
        "that are connected either way, how many are called arrow or direction not identifiable, "
        "and the same of pairs that are not connected. The last column counts arrows of "
        "Granger's test alone, at the same false discovery rate. The test of instantaneous "
        "dependence was put right after a first run on these data had shown that it missed "
        "connected pairs; no arrow came or went.\n"
    )
    return "\n".join([head, about + (note if name == "netsim" else "\n"),
                      table(columns, lines), tail])  # fmt: skip


def _rate(v: Row) -> str:
    return f"{100 * (v['arrows'] - v['right']) / max(1, v['absent']):.1f} %"


def _voi(name: str, rows: Sequence[Row]) -> str:
    row = rows[0]
    plain = {(r["source"], r["target"]): r for r in row["plain"]}
    lines = [
        (
            f"{r['source']} → {r['target']}",
            f"{r['q']:.2g}",
            r["verdict"],
            plain[r["source"], r["target"]]["verdict"],
        )
        for r in row["verdict"]
    ]
    return "\n".join(
        [
            "## Three regions of a person who attends to motion\n",
            "Real fMRI, one scan in 3.22 s. What drives what is not known; inputs are not in the "
            "file, so that no dynamic causal model can be fitted.\n",
            table(("Arrow", "q", "verdict", "Granger alone"), lines),
        ]
    )


def _spikes(name: str, rows: Sequence[Row]) -> str:
    lines = []
    for seen, title in (("all", "all 20 recorded"), ("half", "10 of 20 recorded")):
        for way, how in (("pairs", "pairs"), ("multivariate", "given other sources")):
            each = [row[f"{seen}/{way}"] for row in rows]
            total = {k: sum(e[k] for e in each) for k in each[0] if k != "auc"}
            aucs = [e["auc"] for e in each if e["auc"] is not None]
            lines.append(
                (
                    f"{title}, {how}",
                    _share(total["right"], total["claimed"]),
                    _share(total["right"], total["true"]),
                    number(float(np.mean(aucs)) if aucs else None),
                    _share(total["delay_within_2"], total["right"]),
                )
            )
    rates = [row["rate_hz"] for row in rows]
    return "\n".join(
        [
            "## Synapses of simulated spiking networks\n",
            f"{len(rows)} networks of 20 leaky integrate-and-fire neurons, a fifth of them "
            "inhibitory, with synapses at random (one ordered pair in ten, 2.5 mV where threshold "
            "lies 15 mV above rest, delays of 1 to 20 ms) and a slow drive that groups share; "
            f"{rows[0]['task']['duration_s']:.0f} s at {np.mean(rates):.1f} spikes/s. Half of the "
            "neurons go unrecorded in the lower rows, and still drive the others. Transfer "
            "entropy in bins of 1 ms at delays of 1 to 30 ms, against 20 jittered copies, false "
            "discovery rate 5 %. 95 % intervals (exact) over pairs.\n",
            table(("Recording, method", "precision", "recall", "AUC", "delay within 2 ms"), lines),
            "No aim is set. For the AUC, pairs rank by the ratio of their estimate to what chance "
            "stays below; with other sources given, those that are not significant rank below all "
            "that are. A driver that is not recorded leaves arrows between its followers, "
            "which nothing in the data takes away.\n",
        ]
    )


def _share(hits: int, n: int) -> str | None:
    if not n:
        return None
    found = binomial_interval(hits, n)
    return f"{hits / n:.2f} ({found.low:.2f}–{found.high:.2f})"


def _dcm(name: str, rows: Sequence[Row]) -> str:
    fits = [each for row in rows for each in row["rows"]]
    inside = np.asarray([each["inside"] for each in fits], dtype=bool)
    names = rows[0]["names"]
    compared = [each for each in fits if "energies" in each]
    energies = np.asarray([each["energies"] for each in compared])
    best = energies.argmax(axis=1)
    right = int((best == 0).sum())
    beaten = int((energies[:, 0] > energies[:, 2]).sum())
    coverage = binomial_interval(int(inside.sum()), inside.size)
    ranked = np.sort(energies, axis=1)
    decided = ranked[:, -1] - ranked[:, -2] > np.log(19)
    clear, clear_right = int(decided.sum()), int((decided & (best == 0)).sum())
    lost = [abs(each["modulation"]) for each, at in zip(compared, best, strict=True) if at != 0]
    of_lost = (
        f" Where it lost, the modulation was {', '.join(f'{v:.2f}' for v in sorted(lost))} 1/s."
        if lost
        else ""
    )
    low, high = coverage.low, coverage.high
    return "\n".join(
        [
            "## Dynamic causal models\n",
            f"{len(fits)} experiments of 200 scans at 2 s, three regions, one input and one "
            "context that changes a connection; parameters drawn from the prior (unstable draws "
            "left out), noise 0.3 %. The interval of coverage takes parameters for independent.\n",
            table(
                ("Measure", "found", "aim", "met"),
                [
                    (
                        "truth inside the 90 % interval, all parameters",
                        f"{inside.mean():.3f} ({low:.3f}–{high:.3f})",
                        "0.90",
                        _met(low <= 0.9 <= high),
                    ),
                    ("evidence prefers the true model of three", f"{right} of {len(compared)}",
                     "all", _met(right == len(compared))),
                    ("of those decided at a probability of 0.95", f"{clear_right} of {clear}",
                     "all", _met(clear_right == clear)),
                    ("against the model that is driven elsewhere", f"{beaten} of {len(compared)}",
                     "all", _met(beaten == len(compared))),
                ],
            ),
            "The other models lack the modulation, or have their input at another region. "
            f"Modulations were drawn at 0.15 1/s or more.{of_lost}\n",
            _astray(names, fits),
            "Coverage by parameter: "
            + ", ".join(f"`{n}` {v:.2f}" for n, v in zip(names, inside.mean(axis=0), strict=True))
            + ".\n",
        ]
    )  # fmt: skip


def _astray(names: Sequence[str], fits: Sequence[Row]) -> str:
    coupling = [at for at, n in enumerate(names) if n[0] in "ab" and n[1] != n[2]]
    gaps = [
        max(abs(each["truth"][at] - each["mean"][at]) for at in coupling) for each in fits
    ]  # fmt: skip
    far = sum(gap > 0.5 for gap in gaps)
    return (
        f"Searches that ended more than 0.5 1/s from a connection's truth: {far} of {len(fits)}.\n"
    )


def _rdcm(name: str, rows: Sequence[Row]) -> str:
    lines = []
    for interval_s in sorted({each["interval_s"] for each in rows[0]["rows"]}):
        each = [r for r in rows[0]["rows"] if r["interval_s"] == interval_s]
        right, claimed, true = (sum(r[k] for r in each) for k in ("right", "claimed", "true"))
        lines.append(
            (
                f"{interval_s:g} s",
                number(float(np.mean([r["auc"] for r in each]))),
                number(float(np.mean([r["correlation"] for r in each]))),
                _share(right, claimed),
                _share(right, true),
            )
        )
    return "\n".join(
        [
            "## Regression DCM\n",
            "Linear networks of 30 regions, two connections to each, 1200 scans, an input to "
            "every region, noise a tenth of the signal; responses of blood flow are alike "
            "everywhere, as the method assumes. Real ones differ, and its directions hold only as "
            "far as they do not.\n",
            table(
                ("Interval of scans", "connections, AUC", "strength, r", "precision of arrows",
                 "recall of arrows"), lines,
            ),
        ]
    )  # fmt: skip


def plot(results: Row, path: Path) -> None:
    """Four panels: delays, verdicts, synapses, and parameters of dynamic causal models."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.4), layout="constrained")
    axes = figure.subplots(2, 2)
    panels = (_plot_delays, _plot_verdicts, _plot_synapses, _plot_dcm)
    for axis, panel in zip(axes.ravel(), panels, strict=True):
        panel(axis, results["parts"])
        axis.grid(alpha=0.2)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _results(rows: Sequence[Row]) -> list[Row]:
    return [row["result"] | {"task": row["task"]} for row in rows if "result" in row]


def _plot_delays(axis: Any, parts: Row) -> None:
    for row in _results(parts["lorenz"]):
        for at, each in enumerate(row["rows"]):
            known = dict(zip(each["delays"], each["profile"], strict=True))
            known |= dict(zip(each["fine"], each["near"], strict=True))
            x = each["delays"]
            axis.plot(x, each["profile"], "-" + MARKERS[at], color=COLOURS[at], markersize=4,
                      label=f"true {each['truth']}, found {each['found']}")  # fmt: skip
            axis.axvline(each["truth"], color=COLOURS[at], linestyle=":")
    axis.set_title("Delays of coupled Lorenz systems", size=10)
    axis.set_xlabel("delay, samples")
    axis.set_ylabel("transfer entropy, nats")
    if axis.lines:
        axis.legend(frameon=False, fontsize=8)


def _plot_verdicts(axis: Any, parts: Row) -> None:
    rows = [r for part in ("netsim", "feedback", "series") for r in _results(parts[part])]
    labels = []
    for at, row in enumerate(rows):
        v, task = row["verdicts"], row["task"]
        n = v["true"] + v["absent"]
        heights = (v["right"], v["arrows"] - v["right"], v["unsure"])
        bottom = 0.0
        for height, colour, label in zip(
            heights,
            (COLOURS[2], COLOURS[4], "#bbbbbb"),
            ("right arrow", "false arrow", "direction not identifiable"),
            strict=True,
        ):
            axis.barh(at, height / n, left=bottom, color=colour, label=None if at else label)
            bottom += height / n
        name = task.get("kind") or task["file"].rpartition("/")[2]
        labels.append(name.replace("netsim_", "").replace("_", " "))
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("share of ordered pairs (the rest: no evidence)")
    axis.set_title("Verdicts", size=10)
    if rows:
        axis.legend(frameon=False, fontsize=8)


def _plot_synapses(axis: Any, parts: Row) -> None:
    rows = _results(parts["spikes"])
    at = 0
    for seen in ("all", "half"):
        for way in ("pairs", "multivariate"):
            each = [row[f"{seen}/{way}"] for row in rows]
            precision = [e["right"] / max(1, e["claimed"]) for e in each]
            recall = [e["right"] / max(1, e["true"]) for e in each]
            axis.plot(recall, precision, MARKERS[at], color=COLOURS[at], markersize=7, alpha=0.8,
                      linestyle="none", label=f"{seen} recorded, {way}")  # fmt: skip
            at += 1
    axis.set_xlim(0, 1.05)
    axis.set_ylim(0, 1.05)
    axis.set_xlabel("recall of synapses")
    axis.set_ylabel("precision")
    axis.set_title("Synapses of simulated networks, one mark each", size=10)
    if rows:
        axis.legend(frameon=False, fontsize=8, loc="lower left")


def _plot_dcm(axis: Any, parts: Row) -> None:
    rows = _results(parts["dcm"])
    groups = {"a": "connections", "b": "modulation", "c": "input"}
    for at, (letter, label) in enumerate(groups.items()):
        points = [
            (t, m)
            for row in rows
            for each in row["rows"]
            for n, t, m in zip(row["names"], each["truth"], each["mean"], strict=True)
            if n.startswith(letter) and not (letter == "a" and n[1] == n[2])
        ]
        if points:
            truth, mean = zip(*points, strict=True)
            axis.plot(truth, mean, MARKERS[at], color=COLOURS[at], markersize=4, alpha=0.7,
                      linestyle="none", label=label)  # fmt: skip
    axis.axline((0, 0), slope=1, color="#777777", linewidth=1)
    axis.set_xlabel("true, 1/s")
    axis.set_ylabel("posterior mean, 1/s")
    axis.set_title("Dynamic causal models", size=10)
    if rows:
        axis.legend(frameon=False, fontsize=8)
