"""Page and plot of the active-learning benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _active_work import READER
from _common import COLOURS, MARKERS, number, table
from nissl.trust.intervals import bootstrap_interval, percentiles

SHARE = 0.95
POINTS = (100, 200, 300)
ESTIMATES = {
    "model": "model_error",
    "asked": "asked_error",
    "asked, unweighted": "level_error",
    "audit": "audit_error",
    "audit and model": "claimed_error",
    "all three": "composite_error",
}
DRAWN = ("random", "margin", "disagreement", "coreset", "error_reduction", "leverage", "learned")


def curve(results: Mapping[str, Any], policy: str, name: str, end: int | None = None) -> np.ndarray:
    """A quantity by mouse, seed and answers, shape (mice, seeds, points)."""
    found = np.array(
        [[c[name] for c in results["curves"][policy][s]] for s in results["subjects"]], dtype=float
    )
    return found if end is None else found[:, :, : np.searchsorted(_n(results, policy), end) + 1]


def _n(results: Mapping[str, Any], policy: str) -> np.ndarray:
    first = results["curves"][policy][results["subjects"][0]]
    return np.array(first[0]["n"], dtype=float)


def areas(
    results: Mapping[str, Any], policy: str, end: int, name: str = "balanced_accuracy"
) -> np.ndarray:
    """Mean height of the learning curve by mouse and seed."""
    y = curve(results, policy, name, end)
    x = _n(results, policy)[: y.shape[2]]
    return np.asarray(np.trapezoid(y, x, axis=2) / (x[-1] - x[0]))


def areas_by_time(
    results: Mapping[str, Any], policy: str, end: int, name: str = "balanced_accuracy"
) -> np.ndarray:
    """Mean height over the minutes that random needs to the end, by mouse and seed.

    A policy that ends sooner keeps its last score.
    """
    minutes = curve(results, policy, "minutes", end)
    most = curve(results, "random", "minutes", end)[:, :, -1]
    y = curve(results, policy, name, end)
    found = np.empty(y.shape[:2])
    for at in np.ndindex(found.shape):
        grid = np.linspace(0, most[at], 200)
        found[at] = np.interp(grid, minutes[at], y[at]).mean()
    return found


def labels_to(
    results: Mapping[str, Any], policy: str, share: float = SHARE, name: str = "balanced_accuracy"
) -> tuple[np.ndarray, np.ndarray]:
    """Answers until the mean curve of each mouse reaches the aim; NaN where it does not.

    The aim is a share of the full-data score; for labels of the pool (where all data means all
    answers) it is what random reaches by the end of the others' budget.

    Returns
    -------
    estimate : ndarray, shape (mice,)
    draws : ndarray, shape (1000, mice)
        The same for resampled seeds; resamples are the same for every policy.
    """
    y = curve(results, policy, name)
    x = _n(results, policy)
    aims = [share * results["full"][s]["balanced_accuracy"] for s in results["subjects"]]
    if name != "balanced_accuracy":
        last = _n(results, "margin" if "margin" in results["curves"] else "random")[-1]
        aims = curve(results, "random", name, int(last))[:, :, -1].mean(1).tolist()
    rng = np.random.default_rng(0)
    picks = rng.integers(0, y.shape[1], (1000, y.shape[1]))
    estimate = np.array([_first(x, y[m].mean(0), aim) for m, aim in enumerate(aims)])
    draws = np.array(
        [[_first(x, y[m, pick].mean(0), aim) for m, aim in enumerate(aims)] for pick in picks]
    )
    return estimate, draws


def _first(x: np.ndarray, y: np.ndarray, aim: float) -> float:
    above = np.flatnonzero(y >= aim)
    if len(above) == 0:
        return float("nan")
    i = int(above[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (aim - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


def _label(value: float, most: float) -> str:
    return f"> {most:.0f}" if np.isnan(value) else f"{value:.0f}"


def _areas_table(results: Mapping[str, Any], end: int, name: str = "balanced_accuracy") -> str:
    rng = np.random.default_rng(0)
    base = areas(results, "random", end, name)
    rows = []
    for policy in results["curves"]:
        found = areas(results, policy, end, name)
        gain = bootstrap_interval((found - base).mean(0), rng=rng)
        last = curve(results, policy, name, end)[:, :, -1].mean()
        timed = areas_by_time(results, policy, end, name) - areas_by_time(
            results, "random", end, name
        )
        same = bootstrap_interval(timed.mean(0), rng=rng)
        minutes = curve(results, policy, "minutes", end)[:, :, -1].mean()
        by_time = (
            None
            if policy == "random"
            else f"{_signed(same.estimate)} ({_signed(same.low)} to {_signed(same.high)})"
        )
        verdict = "–" if policy == "random" else _verdict(gain.low, gain.high)
        difference = None if policy == "random" else _signed(gain.estimate)
        interval = None if policy == "random" else f"{_signed(gain.low)} to {_signed(gain.high)}"
        mice = None if policy == "random" else ", ".join(_signed(v) for v in (found - base).mean(1))
        rows.append(
            [
                policy,
                number(found.mean()),
                difference,
                interval,
                mice,
                verdict,
                number(last),
                f"{minutes:.0f}",
                by_time,
            ]
        )
    rows.sort(key=lambda row: -float(row[1]))
    columns = ["Policy", "area", "against random", "95 % interval", "by mouse", "better?"]
    columns += [f"at {end} answers", "minutes", "in equal time, against random"]
    return table(columns, rows)


def _verdict(low: float, high: float) -> str:
    return "yes" if low > 0 else "worse" if high < 0 else "no difference shown"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _labels_table(
    results: Mapping[str, Any], share: float = SHARE, name: str = "balanced_accuracy"
) -> str:
    control, control_draws = labels_to(results, "random", share, name)
    rows = []
    for policy in results["curves"]:
        found, draws = labels_to(results, policy, share, name)
        most = _n(results, policy)[-1]
        with np.errstate(invalid="ignore"):
            ratio = np.exp(np.log(found / control).mean())
            ratios = np.exp(np.log(draws / control_draws).mean(1))
        reached = np.isfinite(ratios).mean()
        low, high = percentiles(ratios, 0.95)
        whole = np.isfinite(ratio) and policy != "random"
        rows.append(
            [
                policy,
                *[_label(v, most) for v in found],
                f"{100 * ratio:.0f} %" if whole else None,
                f"{100 * low:.0f}–{100 * high:.0f} %" if whole and reached > 0.9 else None,
            ]
        )
    mice = [f"mouse {s}" for s in results["subjects"]]
    return table(["Policy", *mice, "of random's", "95 % interval"], rows)


def _residual_table(results: Mapping[str, Any]) -> str:
    rows = []
    for policy in results["curves"]:
        if "/" in policy:
            continue
        n = _n(results, policy)
        for point in [p for p in POINTS if p in n]:
            at = int(np.searchsorted(n, point))
            truth = curve(results, policy, "true_error")[:, :, at]
            row: list[Any] = [policy, point, f"{100 * truth.mean():.1f}"]
            for name in ESTIMATES.values():
                off = 100 * (curve(results, policy, name)[:, :, at] - truth)
                row.append(f"{off.mean():+.1f} ± {abs(off).mean():.1f}")
            for name in ("asked_upper", "audit_upper"):
                held = curve(results, policy, name)[:, :, at] >= truth
                row.append(f"{100 * np.mean(held):.0f} %")
            rows.append(row)
    columns = [
        "Policy",
        "answers",
        "true error, %",
        *ESTIMATES,
        "asked: bound holds",
        "audit: bound holds",
    ]
    return table(columns, rows)


def _stop_text(results: Mapping[str, Any]) -> str:
    found: list[str] = []
    if "learned" in results["curves"]:
        n = _n(results, "learned")
        stops = curve(results, "learned", "stop") > 0.5
        first = np.where(stops.any(2), n[stops.argmax(2)], np.nan)
        held = int(np.isfinite(first).sum())
        text = f"The learned policy advises to stop in {held} of {first.size} campaigns"
        if held:
            text += f", at {np.nanmean(first):.0f} answers on average"
        found.append(text + f" (within {n[-1]:.0f}; an error priced at 30 s).")
    said, true = [], []
    for policy in results["curves"]:
        if "/" in policy:
            continue
        ahead = curve(results, policy, "change_ahead")[:, :, :-1]
        change = curve(results, policy, "changed")[:, :, 1:]
        known = np.isfinite(ahead)
        said.append(ahead[known])
        true.append(change[known])
    if any(map(len, said)):
        a, b = np.concatenate(said), np.concatenate(true)
        found.append(
            f"What 20 more decisions would change at most was announced {len(a)} times: it held in "
            f"{100 * np.mean(b <= a):.0f} % (announced {100 * a.mean():.1f} % of labels on "
            f"average, {100 * b.mean():.1f} % changed)."
        )
    return "\n".join(f"- {line}" for line in found)


def _aims(results: Mapping[str, Any], end: int) -> str:
    control, _ = labels_to(results, "random")
    ratios = {}
    for policy in results["curves"]:
        found, _ = labels_to(results, policy)
        if policy != "random" and "/" not in policy and np.isfinite(found / control).all():
            ratios[policy] = float(np.exp(np.log(found / control).mean()))
    if ratios:
        best = min(ratios, key=lambda name: ratios[name])
        share = ratios[best]
        first = (
            f"Labels to 95 % of the full-data score, aim 30 % of random's: the best, {best}, needs "
            f"{100 * share:.0f} % ({'met' if share <= 0.3 else '**missed**'})."
        )
    else:
        first = "Labels to 95 % of the full-data score: not reached on every mouse (**missed**)."
    lines = [first, *_better(results, end)]
    for label, name in ESTIMATES.items():
        off = [
            abs(
                curve(results, p, name, end)[:, :, -1]
                - curve(results, p, "true_error", end)[:, :, -1]
            )
            for p in results["curves"]
            if "/" not in p
        ]
        mean = 100 * float(np.mean(off))
        verdict = "met" if mean <= 2 else "**missed**"
        within = 100 * float(np.mean(np.array(off) <= 0.02))
        lines.append(
            f"Residual error by “{label}” at {end} answers, aim within 2 points of the true one: "
            f"{mean:.1f} points off on average ({verdict}), within 2 points in {within:.0f} %."
        )
    return "\n".join(f"- {line}" for line in lines)


def _better(results: Mapping[str, Any], end: int) -> list[str]:
    """Which policies beat random, on the held-out mouse and in the pool."""
    lines = []
    for what, name in (
        ("a new mouse", "balanced_accuracy"),
        ("the pool", "pool_balanced_accuracy"),
    ):
        base = areas(results, "random", end, name)
        verdicts: dict[str, list[str]] = {}
        for policy in results["curves"]:
            if policy != "random":
                gain = (areas(results, policy, end, name) - base).mean(0)
                found = bootstrap_interval(gain, rng=np.random.default_rng(0))
                verdicts.setdefault(_verdict(found.low, found.high), []).append(policy)
        text = "; ".join(f"{key}: {', '.join(value)}" for key, value in sorted(verdicts.items()))
        lines.append(f"Better than random by area, on {what}: {text}.")
    return lines


def markdown(results: Mapping[str, Any], picture: str) -> str:
    """The page."""
    end = int(results["budget"])
    m, full = results["machine"], results["full"]
    sizes = table(
        ["Held out", "units in the pool", "units tested", "score with the whole pool"],
        [
            [f"mouse {s}", full[s]["n"], full[s]["n_test"], number(full[s]["balanced_accuracy"])]
            for s in results["subjects"]
        ],
    )
    errors = "\n".join(f"- {k}: {v}" for k, v in results["errors"].items())
    peers = ", ".join(f"{k} {v}" for k, v in results["peers"].items()) or "none installed"
    return (
        f"""# Active learning

Human curation of Neuropixels units (good, mua, noise; 38 quality metrics; the majority vote of
two to five curators; UnitRefine, Jain et al. 2025), one mouse held out at a time. The units of the
other mice are the pool: every policy starts from the same 20 random answers and asks 20 at a time,
and the learner is fitted anew to all answers. {results["seeds"]} seeds.
nissl {results["nissl"]}, Python {m["python"]}; peers: {peers}.

The learner is a small ensemble made for this benchmark (four boosted-tree models, classes weighted
to balance), the same for all policies; answers are the curators' majority votes, which are noisy.
Decision times are simulated (log-normal, median 3 s for a clear item, slower for doubtful ones).
What the policies do is in [the manual](../manual/asking.md). `learned`, the sharpness of the draw
and the constants of the residual error come from simulated worlds. `leverage` was chosen among a
dozen ways to join doubt and diversity, on the units of mouse 1 tested on mouse 3 and the other way
round, with other seeds: only mouse 4 held out is wholly new to it.

Written by `python benchmarks/active_learning.py`.

{sizes}
![Learning curves](active_learning.png)

## Area under the learning curve

Mean balanced accuracy on the held-out mouse from 20 to {end} answers. Differences to random are
paired by seed and mouse; intervals are bootstrapped over seeds and hold for these
{len(results["subjects"])} mice, not for mice in general. scikit-activeml's strategies take the best
20 without chance. "In equal time": the area over the minutes that random needs for {end} answers,
since doubtful items take longer (simulated: {np.exp(READER.pace.slowing):.1f} times as long as
clear ones at most; with another reader this column would differ).

{_areas_table(results, end)}
## The same for the units under review

Balanced accuracy of all labels of the pool, answers included: what a review of one's own units
gains.

{_areas_table(results, end, "pool_balanced_accuracy")}
## Answers to 95 % of the full-data score

Where the mean curve over seeds first reaches 95 % of the score of the same learner on the whole
pool. The ratio to random is the geometric mean over mice; random went on to
{_n(results, "random")[-1]:.0f}.

{_labels_table(results)}
The same to 90 %:

{_labels_table(results, 0.9)}
And for the units under review: answers until all labels of the pool, answers included, are as
right as with {end} random answers.

{_labels_table(results, name="pool_balanced_accuracy")}
## Predicted against true residual error

Share of wrong labels among the units of the pool that nobody looked at. Each estimate: mean
difference ± mean absolute difference to the true one, in points. "Model": confidence at its word.
"Asked": confidence recalibrated on the answers, each predicted by the member that had not seen it
and weighted by its logged chance. "Unweighted": the same without the chances. "Audit": the share
of wrong labels among {results["audit"]} units drawn before the first question, neither asked nor
learned from; what is left is better than they are where the doubtful were asked. "Audit and model":
the audit compared with the model's confidence in these units. "All three": what
`nissl.review.stopping.remaining` gives where all of them are known. "Bound holds": how often the
one-sided 95 % bound lies above the true error; that of "all three" is the audit's.

{_residual_table(results)}
## Stopping

{_stop_text(results)}

## Aims

{_aims(results, end)}

{"## Not in this run" if errors else ""}

{errors}
""".rstrip()
        + "\n"
    )


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Learning curves by mouse, and predicted against true error."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    end = int(results["budget"])
    shown = [p for p in DRAWN if p in results["curves"]]
    mice: Sequence[str] = results["subjects"]
    figure, axes = plt.subplots(
        1, len(mice) + 1, figsize=(4.1 * (len(mice) + 1), 4.0), layout="constrained"
    )
    for at, mouse in enumerate(mice):
        axis = axes[at]
        for policy, colour, marker in _styles(shown):
            y = curve(results, policy, "balanced_accuracy", end)[at]
            x = _n(results, policy)[: y.shape[1]]
            axis.plot(
                x,
                y.mean(0),
                color="0.3" if policy == "random" else colour,
                lw=2.4 if policy == "random" else 1.4,
                marker=marker,
                markevery=3,
                ms=4,
                label=policy,
            )
        full = results["full"][mouse]["balanced_accuracy"]
        axis.axhline(full, color="0.5", lw=1, ls=":")
        axis.axhline(SHARE * full, color="0.5", lw=1, ls="--")
        axis.text(end, full, "all labels", ha="right", va="top", fontsize=8, color="0.35")
        axis.text(end, SHARE * full, "95 %", ha="right", va="bottom", fontsize=8, color="0.35")
        axis.set(title=f"Mouse {mouse} held out", xlabel="answers")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("balanced accuracy, held-out mouse")
    axes[0].legend(fontsize=8, loc="lower right")
    _plot_residual(axes[-1], results, shown, end)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _styles(shown: Sequence[str]) -> list[tuple[str, str, str]]:
    """Name, colour and marker; a policy keeps its own whichever others are there."""
    every = zip(DRAWN, COLOURS, MARKERS, strict=True)
    return [style for style in every if style[0] in shown]


def _plot_residual(axis: Any, results: Mapping[str, Any], shown: Sequence[str], end: int) -> None:
    for policy, colour, marker in _styles(shown):
        truth = 100 * curve(results, policy, "true_error", end)[:, :, -1].ravel()
        said = 100 * curve(results, policy, "composite_error", end)[:, :, -1].ravel()
        axis.plot(
            truth,
            said,
            ls="",
            marker=marker,
            ms=5,
            alpha=0.7,
            color="0.3" if policy == "random" else colour,
        )
    low, high = axis.get_xlim()
    line = np.array([min(low, axis.get_ylim()[0]), max(high, axis.get_ylim()[1])])
    axis.plot(line, line, color="0.5", lw=1)
    axis.fill_between(line, line - 2, line + 2, color="0.5", alpha=0.15, lw=0)
    axis.set(
        title=f"Wrong labels left at {end} answers",
        xlabel="true, %",
        ylabel="predicted (all three), %",
        xlim=line,
        ylim=line,
    )
    axis.grid(alpha=0.25)
