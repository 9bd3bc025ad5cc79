"""The page of `decoding.py`: tables, what they say, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, MARKERS, number, table
from nissl.trust.intervals import bootstrap_interval

FLOOR = 0.75
"""Accuracy of plain CCA on the SSVEP data as given with them."""
_PLOTTED = ("nissl", "FBCCA", "CCA")


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """Whole page."""
    parts = [_head(results, picture)]
    sections = {
        "ssvep": _ssvep,
        "transfer": _transfer_section,
        "hands": _hands,
        "spelling": _spelling,
        "reaching": _reaching,
        "live": _live,
    }
    for name, section in sections.items():
        found = results.get(name)
        parts.append(section(found) if found else f"The part {name} failed.")
    return "\n\n".join(parts) + "\n"


def _head(results: Mapping[str, Any], picture: str) -> str:
    facts = results["machine"]
    return f"""# Decoding

What trials of EEG were, and how a hand moved, by decoders that have not seen them: what is scored
is {results["split"]}. Filters are causal, as they would be live. What a method learns or
calibrates is learnt without the subject, the run or the stretch of time that is scored. Peers ran
in the same process on the same windows. Machine: {facts["cores"]} cores, shared, one thread.

Written by `python benchmarks/decoding.py`.

![Accuracy against window and labels, calibration, velocity]({picture})"""


def _range(interval: Mapping[str, Any], digits: int = 3) -> str:
    low, high = (number(_float(interval[k]), digits) for k in ("low", "high"))
    return f"{number(_float(interval['estimate']), digits)} ({low} to {high})"


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _ssvep(found: Mapping[str, Any]) -> str:
    columns = ("method", "accuracy (95 %)", "AUC", "bits/min", "worst subject")

    def rows(scored: Mapping[str, Any]) -> str:
        return table(
            columns,
            [
                (
                    name,
                    _range(s["interval"]),
                    number(s["auc"]),
                    number(s["bits_per_minute"], 1),
                    number(min(s["by_subject"]), 2),
                )
                for name, s in scored.items()
            ],
        )

    spread = [p["accuracy"] for p in found["penalties"]]
    return f"""## Steady-state responses

`ssvep_exo` (Kalunga et al. 2016, CC0): {found["subjects"]} subjects, 8 electrodes,
13, 17 and 21 Hz, {found["trials"]} trials. The window is the 3 s after the cue of 2 s; bits per
minute (Wolpaw) count both. Intervals resample subjects, of which there are {found["subjects"]}.
The floor, plain CCA as given with the data, is {FLOOR}. *nissl* is `decoding/ssvep`.

Within subjects, each run by what the other runs of the subject teach:

{rows(found["within"])}
Across subjects, each by what all others teach. CCA and FBCCA learn nothing but how far to trust
their scores:

{rows(found["across"])}
Paired by subject, nissl is {_paired(found["across"], "nissl", "FBCCA")} above FBCCA, and
{_paired(found["across"], "nissl", "CCA")} above CCA, in new subjects.

TRCA needs stimuli that begin with the same phase in each trial; here they do not, and it finds
nothing. Recentring covariances without labels is worse than nothing in the second table, and
hardly better where few labels of a new subject are at hand (below).
The ridge penalty of nissl's weights is 0.03. It was set after a look at these
data, but matters little: from {found["penalties"][0]["penalty"]} to
{found["penalties"][-1]["penalty"]:g} the accuracy across subjects is {min(spread):.3f} to
{max(spread):.3f}.

### Calibration in new subjects

{_calibration(found["calibration"])}
Calibrated: by a map from subjects left out of the training subjects. The range is what a perfectly
calibrated model would show at this number of trials, were they independent.

### Time to decision

New subjects; windows from the end of the cue. Stopping: the first window at which nissl's
calibrated confidence reaches the bound, the longest one at the latest.

{_windows(found["windows"])}"""


def _paired(scored: Mapping[str, Any], a: str, b: str) -> str:
    """Mean difference of accuracies over subjects, with its interval."""
    differences = np.subtract(scored[a]["by_subject"], scored[b]["by_subject"])
    interval = bootstrap_interval(differences, rng=np.random.default_rng(0))
    return _range(interval.to_json())


def _transfer_section(found: Mapping[str, Any]) -> str:
    return f"""### Few labels of a new subject

The last run of each subject by others, by few of its own trials of the first run, and by both (own
trials count about as much as those of one other subject); 21 is the nearest to twenty labels that
has as many of each class. Recentring uses the first run without labels.

{_transfer(found)}
{_verdict(found)}"""


def _calibration(found: Mapping[str, Any]) -> str:
    return table(
        ("method", "error", "debiased (95 %)", "perfect model"),
        [
            (
                name,
                number(c["ece"]),
                _range(c["debiased"]),
                f"{number(c['perfect'][0])} to {number(c['perfect'][1])}",
            )
            for name, c in found.items()
        ],
    )


def _windows(found: Mapping[str, Any]) -> str:
    names = list(found["methods"])
    rows: list[tuple[Any, ...]] = []
    for k, seconds in enumerate(found["lengths_s"]):
        cells = [found["methods"][n][k] for n in names]
        rates = number(cells[-1]["bits_per_minute"], 1)
        rows.append((f"{seconds:g} s", *(number(c["accuracy"]) for c in cells), rates))
    by_length = table(("window", *names, "nissl, bits/min"), rows)
    stops = table(
        ("stop at", "accuracy (95 %)", "mean window, s", "bits/min"),
        [
            (
                f"{s['confidence']:.0%}",
                _range(s["accuracy"]),
                number(s["seconds"], 2),
                number(s["bits_per_minute"], 1),
            )
            for s in found["stopping"]
        ],
    )
    return f"{by_length}\n{stops}"


def _transfer(found: Mapping[str, Any]) -> str:
    rows = [
        (
            method,
            case,
            row["labels"],
            _range(row["accuracy"]),
        )
        for method, cases in found.items()
        for case, line in cases.items()
        for row in line
    ]
    return table(("method", "from", "own labels", "accuracy (95 %)"), rows)


def _verdict(found: Mapping[str, Any]) -> str:
    """What the numbers say of adaptation, in words made from them."""
    out = []
    for method, cases in found.items():
        none = cases["others only"][0]["accuracy"]["estimate"]
        tuned = cases["others and own"][-1]["accuracy"]["estimate"]
        own = cases["own only"][-1]["accuracy"]["estimate"]
        text = f"{method}: none {none:.3f}"
        if "others only, recentred" in cases:
            moved = cases["others only, recentred"][0]["accuracy"]["estimate"]
            text += f", recentred without labels {moved:.3f}"
        out.append(f"{text}, with 21 own labels {tuned:.3f}, these labels alone {own:.3f}")
    return "; ".join(out) + "."


def _hands(found: Mapping[str, Any]) -> str:
    rows = []
    for name in ("real", "imagined", "both"):
        for method, s in found[name].items():
            if method == "trials":
                continue
            seeds = s.get("by_seed", [0])
            spread = f"{min(seeds):.2f} to {max(seeds):.2f}" if len(seeds) > 1 else None
            row = (name, method, _range(s["interval"], 2), number(s["auc"], 2), spread)
            rows.append((row[0], row[1], number(s["accuracy"], 2), *row[2:]))
    shown = table(("fist", "method", "accuracy", "(95 %, first seed)", "AUC", "seeds"), rows)
    eyes = found["eyes"]["tangent space"]
    return f"""## Left or right fist, eyes open or closed

`eegmmidb` (Schalk et al. 2004, ODC-BY), subject 1 only: 30 trials each of real and of imagined
movement, a run left out (so 15 trials teach, or 45 with both kinds together). With so few trials
intervals are wide, and a network does not learn:

{shown}
Eyes open or closed, windows of 2 s, the first half of both minutes by the second and the other way
round: {_range(eyes["interval"], 2)}."""


def _spelling(found: Mapping[str, Any]) -> str:
    methods = {k: v for k, v in found.items() if isinstance(v, Mapping)}
    counts = sorted(next(iter(methods.values()))["letters"], key=int)
    rows = [
        (name, _range(s["auc"]), *(number(s["letters"][c], 2) for c in counts))
        for name, s in methods.items()
    ]
    shown = table(
        ("method", "AUC of flashes (95 %)", *(f"letters, {c} rep." for c in counts)), rows
    )
    return f"""## P300 speller

BCI competition II, data set IIb: one subject, {found["flashes"]} flashes,
{found["letters"]} letters, a run left out. Intervals resample the runs, of which there are few,
and overlap: xDAWN cannot be told from a shrunk discriminant on plain means (Blankertz et al. 2011,
NeuroImage 56, 814-825).

{shown}"""


def _by_r2(methods: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(methods.items(), key=lambda pair: _float(pair[1]["r2"]["estimate"]))


def _reaching(found: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            _range(s["r2"]),
            number(min(s["by_block"])),
            number(s["xy"][0]),
            number(s["xy"][1]),
            number(s["seconds"], 1),
        )
        for name, s in _by_r2(found["methods"])
    ]
    tuning = found["tuning"]
    shown = table(("method", "R² (95 %)", "worst block", "x", "y", "s per fit"), rows)
    return f"""## Velocity of a hand from motor cortex

`m1_reach_stevenson2011`: macaque M1, {found["units"]} units, {found["bins"]} bins of 100 ms; five
contiguous blocks, 2 s to either side of a block seen by nobody; bins up to the present only.
Intervals resample the five blocks. The network looks back 15 bins; one seed, at most 12 epochs.

{shown}
Cosine tuning (Georgopoulos et al. 1982) of the same units: {tuning["tuned"]:.0%} are tuned beyond
shuffled time (95 %); the median interval of their preferred direction is
±{tuning["half_width_deg"]:.0f}°, the median share of variance {tuning["explained"]:.3f}."""


def _live(found: Mapping[str, Any]) -> str:
    methods = {k: v for k, v in found.items() if k != "delays_ms"}
    shown = table(
        ("method", "median, ms", "p99, ms", "a decision, ms"),
        [
            (n, number(s["median_ms"], 2), number(s["p99_ms"], 2), number(s["decision_ms"], 2))
            for n, s in methods.items()
        ],
    )
    delays = ", ".join(f"{name}: {ms:.0f} ms" for name, ms in found["delays_ms"].items())
    return f"""## Live

Chunks of 100 ms, 64 channels at 256 Hz, windows of 2 s, computing time per chunk (decisions in
every 25th):

{shown}
The delay of the causal filter comes on top ({delays}, in the middle of the band).
What is said live equals what is said offline: tests hold it to that, whatever the chunks."""


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Accuracy against window and labels, calibration, and velocity, side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(16, 4), constrained_layout=True)
    found = results.get("ssvep")
    if found:
        _plot_windows(axes[0], found["windows"])
        _plot_calibration(axes[2], found["calibration"])
    if results.get("transfer"):
        _plot_transfer(axes[1], results["transfer"])
    if results.get("reaching"):
        _plot_reaching(axes[3], results["reaching"]["methods"])
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _plot_windows(axis: Any, found: Mapping[str, Any]) -> None:
    for k, name in enumerate(_PLOTTED):
        cells = found["methods"][name]
        y = [c["accuracy"] for c in cells]
        axis.plot(found["lengths_s"], y, color=COLOURS[k], marker=MARKERS[k], label=name)
        low, high = ([_float(c["interval"][e]) for c in cells] for e in ("low", "high"))
        if k == 0:
            axis.fill_between(found["lengths_s"], low, high, color=COLOURS[k], alpha=0.15, lw=0)
    x = [s["seconds"] for s in found["stopping"]]
    y = [s["accuracy"]["estimate"] for s in found["stopping"]]
    axis.plot(x, y, color=COLOURS[4], marker=MARKERS[4], ls=":", label="nissl, stops when sure")
    axis.axhline(FLOOR, color="0.7", lw=1)
    axis.text(0.5, FLOOR + 0.008, "floor (CCA, 3 s)", color="0.4", fontsize=8)
    axis.set(xlabel="(mean) window, s", ylabel="accuracy", title="SSVEP in new subjects")
    axis.legend(frameon=False, fontsize=8, loc="lower right")


def _plot_transfer(axis: Any, found: Mapping[str, Any]) -> None:
    styles = {"others and own": "-", "own only": "--"}
    for k, (method, cases) in enumerate(found.items()):
        for case, style in styles.items():
            x = [r["labels"] for r in cases[case]]
            y = [r["accuracy"]["estimate"] for r in cases[case]]
            label = f"{method}, {case}"
            axis.plot(x, y, style, color=COLOURS[k], marker=MARKERS[k], ms=5, label=label)
        y0 = cases["others only"][0]["accuracy"]["estimate"]
        axis.plot([0], [y0], color=COLOURS[k], marker=MARKERS[k], ls="", ms=5)
    axis.text(0.3, 0.62, "at 0: others only", color="0.4", fontsize=8)
    axis.set(
        xlabel="labels of the new subject",
        ylabel="accuracy",
        title="SSVEP, last run",
        ylim=(0.6, 1),
    )
    axis.legend(frameon=False, fontsize=8, loc="center")


def _plot_calibration(axis: Any, found: Mapping[str, Any]) -> None:
    axis.plot([0.33, 1], [0.33, 1], color="0.7", lw=1)
    for k, name in enumerate(found):
        bins = found[name]["bins"]
        x, y = ([_float(b["confidence"]) for b in bins], [b["accuracy"]["estimate"] for b in bins])
        axis.plot(x, np.asarray(y), color=COLOURS[k], marker=MARKERS[k], ms=4, lw=1, label=name)
    axis.set(xlabel="confidence", ylabel="right", title="SSVEP in new subjects: calibration")
    axis.legend(frameon=False, fontsize=8)


def _plot_reaching(axis: Any, methods: Mapping[str, Any]) -> None:
    for k, (name, s) in enumerate(_by_r2(methods)):
        axis.plot(s["by_block"], np.full(len(s["by_block"]), k), "|", color="0.4", ms=10)
        mark = {"color": COLOURS[k], "marker": MARKERS[k]}
        axis.plot([s["r2"]["estimate"]], [k], ls="", label=name, **mark)
    axis.set_yticks(range(len(methods)), [name for name, _ in _by_r2(methods)])
    axis.set(
        xlabel="R² of velocity", title="Monkey M1, five blocks", ylim=(-0.5, len(methods) - 0.5)
    )
