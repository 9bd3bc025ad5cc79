"""Cell or not: the classifier of `cells/quality` on curated regions, and what decisions it saves.

    python benchmarks/_cells_quality.py [--quick] [--train DATA] [--test DATA] [--out DIR]

Part of `cells.py`; also usable alone. Data: `imaging/roi_curation`, few features of automatic
regions with people's decisions. The larger file holds the smaller one whole; what it adds falls
into three recordings (each normalises its pixel counts by a number of its own), which stay apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _common import COLOURS, MARKERS, arguments, finite, number, one_folder, table
from nissl.annotators.cells.learner import LEARNER
from nissl.annotators.cells.quality import NAMES, UNITS
from nissl.annotators.cells.quality_model import both, logistic
from nissl.annotators.cells.vocabulary import CELL, NOT_CELL
from nissl.labels import FeatureTable
from nissl.review.decided import weights_of
from nissl.review.policies import BATCH, POLICIES, Pool
from nissl.tasks import Examples
from nissl.trust.frame import fit_frame
from nissl.trust.reliability import reliability

FOLDER = Path("imaging") / "roi_curation"
OURS = {"skew": "skewness", "compact": "compactness", "npix_norm": "n_pixels|field"}
COLUMNS = tuple(OURS)
BLOCKS = 10
"""Stretches of the file that are left out in turn: it says no recording, but neighbours in it
are likelier of one than rows drawn at random."""
ASKING = ("random", "margin", "entropy", "disagreement")
BUDGET = 600
SHARE = 0.95
_BREAK = 1e-2  # how far from whole a count may be before another recording must have begun

Model = Callable[[np.ndarray], np.ndarray]
"""From features (n, d) to probabilities of (cell, not cell)."""


@dataclass(frozen=True)
class Curated:
    """Regions with a person's decision.

    Parameters
    ----------
    values : ndarray, shape (n, 3), float64
        Columns `COLUMNS`.
    cell : ndarray, shape (n,), bool
    group : ndarray, shape (n,), str
    """

    values: np.ndarray
    cell: np.ndarray
    group: np.ndarray

    def take(self, rows: np.ndarray) -> Curated:
        """Rows by index or mask."""
        return Curated(self.values[rows], self.cell[rows], self.group[rows])

    def __len__(self) -> int:
        return len(self.cell)

    def examples(self, rows: np.ndarray, weight: np.ndarray | None = None) -> Examples:
        """Rows as what a learner learns from."""
        values = np.full((len(rows), len(NAMES)), np.nan)
        for k, name in enumerate(COLUMNS):
            own = self.values[rows, k]  # Suite2p's compactness grows where ours falls
            values[:, NAMES.index(OURS[name])] = 1 / own if name == "compact" else own
        ids, group = np.arange(len(rows)), tuple(self.group[rows].tolist())
        features = FeatureTable(ids, NAMES, values, UNITS, group, group)
        label = np.where(self.cell[rows], CELL, NOT_CELL).astype(np.int64)
        return Examples(features, label, np.ones(len(rows)) if weight is None else weight)


def load(folder: Path) -> tuple[Curated, list[Curated]] | None:
    """The large set in stretches, and the recordings that the other file adds; None if absent."""
    paths = [folder / FOLDER / f"{name}.npz" for name in ("classifier_train", "cl_new")]
    if not all(path.is_file() for path in paths):
        return None
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as held:
            names = held["feature_names"].tolist()
            columns = [names.index(name) for name in COLUMNS]
            parts.append((held["features"][:, columns].astype(float), held["iscell"] > 0))
    (values, cell), (more, answer) = parts
    n = len(cell)
    block = (np.arange(n) * BLOCKS // n).astype(str)
    start = n if np.array_equal(more[:n], values) else 0
    added = [
        Curated(more[a:b], answer[a:b], np.full(b - a, f"added {k + 1}"))
        for k, (a, b) in enumerate(_recordings(more[:, COLUMNS.index("npix_norm")], start))
    ]
    return Curated(values, cell, block), added


def _recordings(count: np.ndarray, start: int) -> list[tuple[int, int]]:
    """Stretches in which pixel counts are whole multiples of one number."""
    out = []
    while start < len(count):
        unit = _unit(count[start : start + 40])
        off = np.abs(count[start:] / unit - np.rint(count[start:] / unit)) > _BREAK
        stop = start + int(np.argmax(off)) if off.any() else len(count)
        out.append((start, max(stop, start + 40)))
        start = out[-1][1]
    return out


def _unit(values: np.ndarray) -> float:
    """Largest number of which all values are whole multiples, about."""
    gaps = np.diff(np.unique(np.round(values, 6)))
    least = float(gaps[gaps > 2e-4].min())
    for parts in range(1, 9):
        unit = least / parts
        for _ in range(20):
            whole = np.rint(values / unit)
            unit = float(values @ whole / (whole @ whole))
        if np.abs(values / unit - np.rint(values / unit)).max() < _BREAK:
            return unit
    return least


def ours(train: Curated, rows: np.ndarray, seed: int) -> Model:
    """`cells/quality`, as it learns in a project."""
    learner = LEARNER.fit(train.examples(rows), rng=np.random.default_rng(seed))
    return lambda x: learner.predict(_table(x)).probabilities


def regression(train: Curated, rows: np.ndarray, seed: int) -> Model:
    """Logistic regression on the standardised features."""
    del seed
    frame = fit_frame(train.values[rows], COLUMNS)
    w = logistic(frame.z(train.values[rows]), train.cell[rows], np.ones(len(rows)))
    return lambda x: both(frame.z(x) @ w[:-1] + w[-1])


def densities(train: Curated, rows: np.ndarray, seed: int, *, bins: int = 100) -> Model:
    """The kind of classifier that Suite2p has, restated from its published description.

    Each feature is cut at its percentiles; a smoothed share of cells per bin is its opinion, and a
    logistic regression weighs the opinions' log odds.
    """
    del seed
    x, cell = train.values[rows], train.cell[rows]
    n_bins = int(min(bins, max(5, len(rows) // 20)))
    edges = [np.quantile(x[:, k], np.linspace(0, 1, n_bins + 1)[1:-1]) for k in range(x.shape[1])]
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    tables = []
    for k, edge in enumerate(edges):
        place = np.searchsorted(edge, x[:, k])
        counts = [np.bincount(place[cell == c], minlength=n_bins) for c in (True, False)]
        yes, no = (np.convolve(c, kernel, "full")[6 : 6 + n_bins] + 0.5 for c in counts)
        tables.append(np.log(yes / no))

    def opinions(values: np.ndarray) -> np.ndarray:
        cut = zip(tables, edges, values.T, strict=True)
        return np.stack([t[np.searchsorted(edge, column)] for t, edge, column in cut], axis=1)

    w = logistic(opinions(x), cell, np.ones(len(rows)))
    return lambda values: both(opinions(values) @ w[:-1] + w[-1])


METHODS: dict[str, Callable[[Curated, np.ndarray, int], Model]] = {
    "cells/quality": ours,
    "logistic regression": regression,
    "densities per feature (Suite2p's kind)": densities,
}


def _table(x: np.ndarray) -> FeatureTable:
    rows = np.arange(len(x))
    return Curated(x, np.zeros(len(x), bool), np.full(len(x), "")).examples(rows).features


def scored(p: np.ndarray, cell: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """Scores of probabilities (n, 2) of regions that were not learnt from."""
    said = p[:, CELL] > 0.5
    right = said == cell
    found = reliability(p.max(axis=1), right, rng=np.random.default_rng(seed))
    order = np.argsort(-p.max(axis=1), kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(cell) + 1)
    ok = np.flatnonzero(wrong <= 0.05)
    chosen = np.where(cell, p[:, CELL], p[:, NOT_CELL])
    return {
        "n": len(cell),
        "cells": float(cell.mean()),
        "balanced_accuracy": float(np.mean([right[cell].mean(), right[~cell].mean()])),
        "auroc": _auroc(p[:, CELL], cell),
        "log_loss": float(-np.log(np.maximum(chosen, 1e-6)).mean()),
        "ece": found.ece,
        "perfect": list(found.perfect),
        "at_5_percent": float((ok[-1] + 1) / len(cell)) if ok.size else 0.0,
    }


def _auroc(score: np.ndarray, cell: np.ndarray) -> float:
    from scipy.stats import rankdata

    n, m = int(cell.sum()), int((~cell).sum())
    return float((rankdata(score)[cell].sum() - n * (n + 1) / 2) / max(n * m, 1))


def left_out(curated: Curated) -> dict[str, dict[str, Any]]:
    """Scores on stretches that were left out in turn."""
    out = {}
    for name, method in METHODS.items():
        p = np.zeros((len(curated), 2))
        for block in np.unique(curated.group):
            held = curated.group == block
            p[held] = method(curated, np.flatnonzero(~held), 0)(curated.values[held])
        out[name] = scored(p, curated.cell)
    return out


def elsewhere(curated: Curated, added: Sequence[Curated], own: int) -> dict[str, Any]:
    """Scores on other recordings: by what the large set taught, and after decisions of their own.

    The last row of each is `cells/quality` that has also learnt `own` decisions at random there,
    scored on the rest.
    """
    out: dict[str, Any] = {}
    every = np.arange(len(curated))
    taught = {name: method(curated, every, 0) for name, method in METHODS.items()}
    for part in added:
        rng = np.random.default_rng(1)
        some = np.zeros(len(part), bool)
        some[rng.permutation(len(part))[:own]] = True
        rest = part.take(~some)
        rows = {n: scored(model(rest.values), rest.cell) for n, model in taught.items()}
        alone = ours(part.take(some), np.arange(own), 0)
        rows[f"cells/quality, {own} decisions there alone"] = scored(alone(rest.values), rest.cell)
        out[str(part.group[0])] = rows
    return out


def asking(curated: Curated, seeds: int, budget: int) -> dict[str, Any]:
    """Scores on a left-out stretch against the number of decisions, by policy."""
    sizes = list(range(BATCH, budget + 1, BATCH))
    curves = {how: np.zeros((0, len(sizes), 3)) for how in ASKING}
    ceiling = []
    for block in np.unique(curated.group)[:: max(1, BLOCKS // 5)]:
        held = curated.take(curated.group == block)
        pool = curated.take(curated.group != block)
        full = scored(ours(pool, np.arange(len(pool)), 0)(held.values), held.cell)
        ceiling.append([full["balanced_accuracy"], full["auroc"], full["log_loss"]])
        for seed in range(seeds):
            for how in ASKING:
                way = _campaign(pool, held, how, sizes, seed)
                curves[how] = np.concatenate([curves[how], way[None]])
    best = np.mean(ceiling, axis=0)
    chance = np.mean(curated.cell)
    nothing = float(-(chance * np.log(chance) + (1 - chance) * np.log(1 - chance)))
    aims = (0.5 + SHARE * (best[0] - 0.5), 0.5 + SHARE * (best[1] - 0.5))
    aims = (*aims, nothing - SHARE * (nothing - best[2]))
    names = ("balanced_accuracy", "auroc", "log_loss")
    mean = {how: curve.mean(axis=0) for how, curve in curves.items()}
    return {
        "sizes": sizes,
        "all_labels": dict(zip(names, best.tolist(), strict=True)),
        "aims": dict(zip(names, aims, strict=True)),
        "curves": {
            how: dict(zip(names, curve.T.tolist(), strict=True)) for how, curve in mean.items()
        },
        "reached": {
            how: {
                name: _reached(sizes, curve[:, k], aims[k], falling=name == "log_loss")
                for k, name in enumerate(names)
            }
            for how, curve in mean.items()
        },
    }


def _reached(sizes: Sequence[int], curve: np.ndarray, aim: float, *, falling: bool) -> int | None:
    """Decisions from which on the mean curve keeps to an aim."""
    good = curve <= aim if falling else curve >= aim
    last_bad = np.flatnonzero(~good)
    first = int(last_bad[-1]) + 1 if last_bad.size else 0
    return int(sizes[first]) if first < len(sizes) else None


def _campaign(
    pool: Curated, held: Curated, how: str, sizes: Sequence[int], seed: int
) -> np.ndarray:
    """Scores after each batch, (n_sizes, 3): balanced accuracy, AUROC, log-loss."""
    rng = np.random.default_rng([seed, len(how)])
    asked = np.random.default_rng(seed).permutation(len(pool))[: sizes[0]].tolist()
    chance = [sizes[0] / len(pool)] * sizes[0]
    out = []
    for size in sizes:
        examples = pool.examples(np.asarray(asked), weights_of(chance))
        learner = LEARNER.fit(examples, rng=np.random.default_rng(seed))
        found = scored_quickly(learner.predict(_table(held.values)).probabilities, held.cell)
        out.append(found)
        if size == sizes[-1]:
            break
        free = np.setdiff1d(np.arange(len(pool)), asked)
        free = rng.permutation(free)[:2000]  # a random part, as a project would have it
        said = learner.predict(_table(pool.values[free]))
        seen = learner.embedded(_table(pool.values[free]))
        now = Pool(
            free,
            said.probabilities,
            said.votes,
            seen,
            np.ones(free.size),
            answered=None,
            groups=None,
        )
        ranking = POLICIES.get(how)(now, rng)
        first = ranking.order[:BATCH]
        asked += free[first].tolist()
        share = free.size / (len(pool) - len(asked) + BATCH)
        chance += [float(ranking.probability[k]) * share for k in first.tolist()]
    return np.asarray(out)


def scored_quickly(p: np.ndarray, cell: np.ndarray) -> list[float]:
    """Balanced accuracy, AUROC and log-loss."""
    right = (p[:, CELL] > 0.5) == cell
    chosen = np.maximum(np.where(cell, p[:, CELL], p[:, NOT_CELL]), 1e-6)
    balanced = float(np.mean([right[cell].mean(), right[~cell].mean()]))
    return [balanced, _auroc(p[:, CELL], cell), float(-np.log(chosen).mean())]


def run(train: Path, test: Path, *, quick: bool) -> dict[str, Any]:
    """All figures; {} where the data are not there."""
    learnt, held = load(train), load(test)
    if learnt is None or held is None:
        return {}
    curated, own = learnt[0], 60
    if quick:
        curated = curated.take(np.arange(0, len(curated), 10))
    return {
        "n": len(curated),
        "same_folder": one_folder(train, test),
        "left_out": left_out(curated),
        "elsewhere": elsewhere(curated, held[1], own),
        "asking": asking(curated, 1 if quick else 2, 100 if quick else BUDGET),
    }


def section(results: Mapping[str, Any], picture: str) -> list[str]:
    """Lines of the page."""
    if not results:
        return ["## Cell or not", "", "The data (`imaging/roi_curation`) were not there.", ""]
    found = results["left_out"]["cells/quality"]
    low, high = found["perfect"]
    inside = "inside" if low <= found["ece"] <= high else "outside"
    asked = results["asking"]
    best = asked["all_labels"]
    lines = [
        "## Cell or not",
        "",
        f"`cells/quality` on {results['n']:,} automatic regions with a person's decision and three "
        "features (skewness of the trace, compactness, pixels over the usual). The file names no "
        f"recording: {BLOCKS} stretches of it are left out in turn. It ships no weights; "
        "everything here is learnt without what is scored. The calibration error is "
        f"{found['ece']:.3f}, {inside} the range of a perfect model ({low:.3f} to {high:.3f}).",
        "",
        _methods(results["left_out"]),
        "",
        "The other file adds three recordings, by other shares of cells perhaps other people. They "
        "are scored by what the large set taught, and by sixty decisions of their own, drawn at "
        "random: a calibration holds where it was learnt, so that a person's own flips matter.",
        "",
        _methods(
            {f"{g}: {n}": r for g, rows in results["elsewhere"].items() for n, r in rows.items()}
        ),
        "",
        f"![Score against decisions]({picture})",
        "",
        f"Decisions until the mean curve stays at {SHARE:.0%} of the way from chance to what all "
        f"decisions give (balanced accuracy {best['balanced_accuracy']:.3f}, AUROC "
        f"{best['auroc']:.3f}, log-loss {best['log_loss']:.3f}); batches of {BATCH}, what was "
        "asked counts by the inverse of its chance:",
        "",
        table(
            ["Policy", "balanced accuracy", "AUROC", "log-loss"],
            [
                [how, *(_at(got[m]) for m in ("balanced_accuracy", "auroc", "log_loss"))]
                for how, got in asked["reached"].items()
            ],
        ),
        "",
        _saved(asked),
        "",
    ]
    return lines


def _saved(asked: Mapping[str, Any]) -> str:
    """What policies save against random, in words; all of them, for the best is known too late."""
    said = []
    control = asked["reached"]["random"]
    for metric, words in (("balanced_accuracy", "balanced accuracy"), ("log_loss", "log-loss")):
        others = [g[metric] for h, g in asked["reached"].items() if h != "random"]
        if not control[metric] or not any(others):
            said.append(f"In {words} no policy reaches the aim before random does.")
            continue
        saved = [1 - n / control[metric] for n in others if n]
        lost = len(others) - len(saved)
        said.append(
            f"In {words} the policies save {min(saved):+.0%} to {max(saved):+.0%} of the decisions"
            + (f"; {lost} do not reach the aim." if lost else ".")
        )
    return " ".join(said)


def _at(value: int | None) -> str:
    return "not reached" if value is None else str(value)


def _methods(rows: Mapping[str, Mapping[str, Any]]) -> str:
    head = [
        "Method",
        "n",
        "cells",
        "balanced accuracy",
        "AUROC",
        "log-loss",
        "ECE",
        "of a perfect model",
        "kept at 5 % wrong",
    ]
    return table(
        head,
        [
            [
                name,
                r["n"],
                f"{r['cells']:.0%}",
                number(r["balanced_accuracy"]),
                number(r["auroc"]),
                number(r["log_loss"]),
                number(r["ece"]),
                "{:.3f} to {:.3f}".format(*r["perfect"]),
                f"{r['at_5_percent']:.0%}",
            ]
            for name, r in rows.items()
        ],
    )


def plot(results: Mapping[str, Any], path: Path) -> None:
    """Log-loss and balanced accuracy against decisions."""
    from matplotlib.figure import Figure

    asked = results["asking"]
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    panels = zip(
        figure.subplots(1, 2),
        (("balanced_accuracy", "Balanced accuracy"), ("log_loss", "Log-loss (nats)")),
        strict=True,
    )
    for axes, (metric, words) in panels:
        for k, (how, curve) in enumerate(asked["curves"].items()):
            axes.plot(
                asked["sizes"], curve[metric], color=COLOURS[k], marker=MARKERS[k], ms=4, label=how
            )
        axes.axhline(asked["all_labels"][metric], color="0.5", lw=1, ls="--")
        axes.set(xlabel="Decisions", ylabel=words)
        axes.spines[["top", "right"]].set_visible(False)
    axes.annotate(
        "all decisions", (asked["sizes"][0], asked["all_labels"]["log_loss"]), va="bottom",
        color="0.4", fontsize=9,
    )  # fmt: skip
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Compute and write results.json, quality.md and quality.png."""
    args = arguments("cells_quality", (__doc__ or "").partition("\n")[0]).parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    results = finite(run(args.train, args.test, quick=args.quick))
    (args.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    if results:
        plot(results, args.out / "quality.png")
    page = "\n".join(section(results, "quality.png"))
    (args.page or args.out / "quality.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
