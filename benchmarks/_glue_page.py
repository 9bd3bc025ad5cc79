"""The page of `glue.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import _glue_translate_page as translated
from _common import COLOURS, MARKERS, number, table

PARTS = {"carried": translated.carried, "rates": translated.rates, "meg": translated.meg}
CARRIED = ("transport, taught", "transport", "procrustes", "cca", "none")
FRESH = ("fresh, latents", "fresh, units")
_WORDS = {
    "transport, taught": "transport, own decoder taught",
    "transport": "transport, decoder turned",
    "procrustes": "Procrustes on means of targets",
    "cca": "CCA on means of targets",
    "none": "unaligned",
    "cebra": "CEBRA, one model of both days",
    "fresh, latents": "control: fresh decoder, latents",
    "fresh, units": "control: fresh decoder, units",
}


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    lines = [
        "# Glue: recordings made comparable",
        "",
        "Written by `python benchmarks/glue.py`. Parts that are missing were not computed. "
        "Directed dependence has [a page of its own](directed.md).",
        "",
        *(
            ["This is a quick run, to see that it works: its figures mean nothing.", ""]
            if results["quick"]
            else []
        ),
        f"![Decoders carried to another day, and the error map of populations]({picture})",
        "",
    ]
    if results.get("days"):
        lines += _days(results["days"], results.get("cebra"))
    if results.get("drift"):
        lines += _drift(results["drift"])
    if results.get("ca1"):
        lines += _ca1(results["ca1"])
    if results.get("regions"):
        lines += _regions(results["regions"])
    if results.get("reasons"):
        lines += _reasons(results["reasons"])
    if results.get("speed"):
        lines += _speed(results["speed"])
    for name, part in PARTS.items():
        if results.get(name):
            lines += part(results[name])
    cpu = results["machine"]
    lines += [f"Machine: {cpu['cpu']}, {cpu['cores']} cores, {cpu['memory_gb']} GB.", ""]
    return "\n".join(lines)


def _days(days: Mapping[str, Any], cebra: Mapping[str, Any] | None) -> list[str]:
    lines = [
        "## Motor cortex, two days 77 days apart, other units",
        "",
        "One monkey reaches to eight targets; the units of the two days are different ones. A "
        "decoder of the velocity is carried from one day to the other and scored (R², mean of x "
        f"and y) on windows that nothing was fitted on. {days['splits']} random splits; of each, "
        "ten trials per target are the calibration part, of which so many per target are "
        "labelled (target and velocity). Columns: labelled trials per target; median over the "
        "splits, and their range for none and one. *transport* pairs the trials of the two days by "
        "optimal transport and needs no label; then the reference's decoder reads the turned "
        "latents, or the other day's own decoder is *taught* by the trials it was paired with. "
        "Without labels it must know when a trial begins, nothing else. The *control* needs no "
        "other day: a fresh decoder of the labelled trials alone, in two versions with a fixed "
        "penalty.",
        "",
    ]
    for direction, rows in days["directions"].items():
        counts = sorted({r["labelled"] for r in rows})
        peer = cebra["directions"].get(direction, []) if cebra else []
        by = {(r["method"], r["labelled"]): r for r in (*rows, *peer)}
        lines += [f"### {direction}", ""]
        body = []
        for method in (*CARRIED, *(["cebra"] if peer else []), *FRESH):
            cells = []
            for k in counts:
                row = by.get((method, k))
                text = number(row["median"] if row else None, 2)
                if row and k < 2:
                    text = f"{text} [{row['low']:.2f}, {row['high']:.2f}]"
                cells.append(text)
            body.append((_WORDS[method], *cells))
        lines += [table(("R²", *(str(k) for k in counts)), body)]
        lines += [_verdict(by, counts), ""]
        sure = by[("transport", 0)]["probability"]
        few = by[("transport, taught", 0)]
        lines += [
            f"Probability that the turn is right, as told without labels: {number(sure, 2)} "
            f"(median). Half of the prediction rests on {few['half_by_units']:.0f} of "
            f"{few['units']} units.",
            "",
        ]
    within = ", ".join(f"{k} {v:.2f}" for k, v in days["within"].items())
    return [
        *lines,
        f"Within a day, half of the windows read by the other half: {within}.",
        "",
        "While transport was built, day 1 to day 2 was in view; its settings were then chosen on "
        "simulated subjects. Day 2 to day 1 was run for this page alone. " + _peer(cebra),
        "",
    ]


def _peer(cebra: Mapping[str, Any] | None) -> str:
    """What CEBRA was given, or that it was not there."""
    if not cebra:
        return "CEBRA was not run for this page (NISSL_CEBRA_PYTHON named no interpreter)."
    part = "split" if cebra["splits"] == 1 else "splits"
    return (
        f"CEBRA {cebra['version']} ran in a process of its own on {cebra['splits']} {part} of "
        "these: one model of the reference and of the labelled windows, velocity as its labels, "
        "8 axes, 300 steps of 256 bins, on activity prepared as for our own spaces, read by a "
        f"ridge of both days' embeddings; {cebra['seconds']:.0f} s each on a shared machine. "
        "These settings are small; a longer training may do better. It needs labels of both days "
        "and has no figure without."
    )


def _verdict(by: Mapping[tuple[str, int], Mapping[str, Any]], counts: Sequence[int]) -> str:
    """Where carrying a decoder pays, and where a fresh one is as good."""
    says = []
    for k in counts:
        best = by[("transport, taught", k)]["median"]
        control = max((by[(m, k)]["median"] for m in FRESH if (m, k) in by), default=0.0)
        says.append((k, best - control))
    gains = "; ".join(f"{k}: {gain:+.2f}" for k, gain in says)
    useless = [k for k, gain in says if gain < 0.02]
    advice = (
        f" From {min(useless)} labelled trials per target on there is no gain worth it: "
        "recalibrate with a fresh decoder."
        if useless
        else ""
    )
    return (
        "Gain of the taught decoder over the better control (0 labels: over nothing): "
        f"{gains}.{advice}"
    )


def _drift(drift: Mapping[str, Any]) -> list[str]:
    blocks = range(1, len(drift["stays"]["median"]) + 1)
    shown = [k for k in blocks if k in (1, 2, 4, 6, 8, 10, 12)]
    body = [
        (name, *(number(drift[key]["median"][k - 1], 2) for k in shown))
        for name, key in (("decoder that stays", "stays"), ("map that follows", "follows"))
    ]
    lost = {
        key: next((k for k in blocks if drift[key]["median"][k - 1] < 0.5 *
                   drift[key]["median"][0]), None)
        for key in ("stays", "follows")
    }  # fmt: skip
    held = {key: f"{k} blocks" if k else f"all {len(blocks)}" for key, k in lost.items()}
    return [
        "## Slow drift (simulated)",
        "",
        f"In one plane the latents turn by {drift['turn_rad']} rad from block to block of 96 "
        "trials. The map that follows sees no labels. Median R² over simulated subjects, by block:",
        "",
        table(("R²", *(str(k) for k in shown)), body),
        f"Half of the first block's R² is lost after: staying {held['stays']}, following "
        f"{held['follows']}.",
        "",
    ]


def _ca1(tracks: Sequence[Mapping[str, Any]]) -> list[str]:
    body = []
    for t in tracks:
        r = t.get("remapping")
        body.append(
            (
                t["name"],
                number(t["within_cm"], 1),
                " ".join(f"{e:.0f}" for e in t["known_cm"]),
                number(t["shuffled_cm"], 0),
                None if r is None else f"{r['hit']} / {r['hit'] + r['missed']}",
                None if r is None else str(r["false"]),
            )
        )
    known = [t["remapping"] for t in tracks if t.get("remapping")]
    hit, false, missed = (sum(r[k] for r in known) for k in ("hit", "false", "missed"))
    pairs = [m for t in tracks for m in t["matching"]]

    def mean(key: str) -> float:
        return float(np.mean([m[key] for m in pairs]))

    recall = hit / max(hit + missed, 1)
    precision = hit / max(hit + false, 1)
    return [
        "## CA1 over eight days: position, remapping, identity",
        "",
        "Place cells of three mice on two tracks. Position is decoded (median error, cm; half a "
        "second, both directions) in each later session by the rates of the first, through the "
        "registered cells. Windows (trials) that follow another map are told by the likeness of "
        "their rates alone and held against the published map of each trial.",
        "",
        table(
            ("mouse and track", "within", "sessions 2 to 8", "shuffled", "remapped found", "false"),
            body,
        ),
        f"Remapped windows: recall **{recall:.2f}**, precision **{precision:.2f}** "
        f"({hit + missed} of {sum(r['windows'] for r in known)} windows are). The published maps "
        "were themselves found from these rates. One file states the maps of seven sessions of "
        "eight and is not scored. Where a session has remapped, its error is far above chance "
        "for a reason that an average would hide.",
        "",
        "**Identity by activity alone** (tuning and rate; sessions one day apart): of cells that "
        f"both sessions have, {mean('right'):.1%} get their true partner (chance "
        f"{mean('chance'):.1%}), of the surest tenth {mean('top_tenth_right'):.0%}. Of all pairs "
        f"{mean('right_of_all'):.1%} are right and {mean('claimed'):.1%} are claimed; expected "
        f"calibration error {mean('ece'):.3f}, of the surest tenth {mean('top_tenth_claimed'):.0%} "
        "claimed. The curve that gives these probabilities was fitted to simulated place cells "
        "alone; these mice are unseen, and of them it claims "
        f"{_compared(mean('claimed'), mean('right_of_all'))}. Most of these cells cannot be told "
        "one by one from what they do on a track, and position is not decoded through such links; "
        "use pictures of the field (`nissl align --by cells`).",
        "",
    ]


def _compared(claimed: float, right: float) -> str:
    """Whether claims are too bold or too cautious, by how much."""
    if abs(claimed - right) < 0.02:
        return "what is right"
    if claimed < right:
        return f"too little by a factor of {right / max(claimed, 1e-9):.1f}"
    return f"too much by a factor of {claimed / max(right, 1e-9):.1f}"


def _regions(regions: Mapping[str, Any]) -> list[str]:
    s = regions["separation"]
    rows = [
        ("same animal, any room", number(s["same_animal"])),
        ("same animal, other room", number(s["same_animal_other_room"])),
        ("other animal, same region", number(s["other_animal_same_region"])),
        ("other region", number(s["other_region"])),
    ]
    worst = regions["worst"]
    tested = [r for r in worst["reasons"] if r.get("tested", True)]
    why = "; ".join(f"{r['name']} {r['loss']:.2f}" for r in tested)
    left = [r["name"] for r in worst["reasons"] if r not in tested]
    why += f" (not testable here: {', '.join(left)})" if left else ""
    return [
        "## CA1 and CA3: who predicts whom",
        "",
        f"{len(regions['names'])} fragments (five mice, two rooms, four sessions each); every one "
        "predicted from every other one through a linear map, at places and in laps that the map "
        "was not fitted on. Relative skill: 1 is as good as the fragment's own other half.",
        "",
        table(("pairs", "relative skill"), rows),
        f"{s['significant']:.0%} of pairs are significant (false discovery rate 5 %, against "
        "shifted and turned paths). So any of these place codes can be read from any other, and "
        "the map **does not separate regions**: the gap between same and other region is "
        f"{s['region_gap']:.3f}, p = {s['region_p']:.2f}; with three and two animals there are "
        f"{s['ways']} ways to give regions, so that no p below {1 / s['ways']:.1f} is possible. "
        f"CA1 reads CA3 {abs(s['asymmetry_ca1_to_ca3']):.3f} "
        f"{'better' if s['asymmetry_ca1_to_ca3'] > 0 else 'worse'} than the other way round.",
        "",
        f"The worst pair, {worst['from']} to {worst['to']}, loses 1 - skill to: {why}.",
        "",
    ]


def _reasons(found: Mapping[str, Any]) -> list[str]:
    named = found["named"]
    lines = [
        "## Why a pair is lost (simulated)",
        "",
        f"Pairs of fragments that differ in one thing, {found['n']} of each: how often each reason "
        "is named first.",
        "",
        "| planted | " + " | ".join(named) + " |",
        "|---|" + "---:|" * len(named),
    ]
    for what, counts in named.items():
        lines.append(f"| {what} | " + " | ".join(str(counts[k]) for k in named) + " |")
    return [*lines, ""]


def _speed(speed: Mapping[str, Any]) -> list[str]:
    more = ""
    if speed.get("workers_s") is not None:
        more = f" Two processes: {speed['workers_s']:.0f} s"
        if speed.get("dask_s") is not None:
            more += f"; Dask with two workers: {speed['dask_s']:.0f} s"
        more += " (rates by place on one core, and the start of the processes, among them)."
    return [
        "## Speed",
        "",
        f"Error map of {speed['fragments']} x {speed['fragments']} fragments of "
        f"{speed['minutes']} min and {speed['units']} units, with 99 permutations of each pair: "
        f"{speed['wall_s']:.0f} s on one core, of which {speed['prepare_s']:.0f} s for rates by "
        f"place (aim: 5 min on two cores).{more}",
        "",
    ]


def plot(results: Mapping[str, Any], path: Path) -> None:
    """R² by labelled trials, drift, and the error map."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(17, 4.2), constrained_layout=True)
    if results.get("days"):
        panels = list(results["days"]["directions"].items())
        for axis, (name, rows) in zip(axes, panels, strict=False):
            _panel(axis, name, rows)
    if results.get("drift"):
        for k, (key, word) in enumerate((("stays", "stays"), ("follows", "follows"))):
            course = results["drift"][key]
            x = np.arange(1, len(course["median"]) + 1)
            axes[2].fill_between(x, course["low"], course["high"], color=COLOURS[k], alpha=0.2)
            axes[2].plot(x, course["median"], color=COLOURS[k], marker=MARKERS[k], label=word)
        axes[2].set(xlabel="block", ylabel="R²", title="Slow drift (simulated)")
        axes[2].legend(frameon=False)
    if results.get("regions"):
        order = results["regions"]["order"]
        values = np.array(results["regions"]["relative"], float)[np.ix_(order, order)]
        image = axes[3].imshow(values, cmap="viridis", vmin=0.7, vmax=1.0)
        region = np.array(results["regions"]["region"])[order]
        for k, r in enumerate(region):
            colour = COLOURS[0] if r == "CA1" else COLOURS[1]
            axes[3].plot([-1.5], [k], marker="s", markersize=4, color=colour, clip_on=False)
            axes[3].plot([k], [-1.5], marker="s", markersize=4, color=colour, clip_on=False)
        axes[3].set(xlabel="predicted", ylabel="read", title="CA1 (blue) and CA3 (orange)")
        axes[3].set(xticks=[], yticks=[])
        figure.colorbar(image, ax=axes[3], label="relative skill", shrink=0.8)
    for axis in axes[:3]:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _panel(axis: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    shown = [m for m in (*CARRIED, *FRESH) if m != "none"]
    for k, method in enumerate(shown):
        own = sorted((r["labelled"], r["median"], r["low"], r["high"]) for r in rows
                     if r["method"] == method)  # fmt: skip
        x = [o[0] for o in own]
        style = "--" if method in FRESH else "-"
        axis.plot(x, [o[1] for o in own], style, color=COLOURS[k], marker=MARKERS[k],
                  label=_WORDS[method], markersize=5)  # fmt: skip
        axis.fill_between(x, [o[2] for o in own], [o[3] for o in own], color=COLOURS[k], alpha=0.1)
    axis.set_xscale("symlog", linthresh=1)
    axis.set_xticks([0, 1, 2, 5, 10], ["0", "1", "2", "5", "10"])
    axis.set(xlabel="labelled trials per target", ylabel="R² of velocity", title=name)
    axis.set_ylim(0.3, 0.75)
    axis.legend(frameon=False, fontsize=7, loc="lower right")
