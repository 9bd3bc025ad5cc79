"""Wrong labels: planted ones, found again by models that never saw the same subject.

    python benchmarks/label_errors.py --test ../shared/data --out build/benchmarks/label_errors
    python benchmarks/label_errors.py --quick

Two materials: units of simulated sessions whose class is known exactly, and the real curation
labels of `--test`, which carry natural noise. A twentieth of the labels is changed, to any other
class or only between good and mua, ten times at random. Nothing is tuned or trained on `--train`:
wrong labels are looked for by models cross-validated within the same material.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import nissl
from _common import Cell, arguments, finite, machine, run_cell, write_result
from _label_errors_page import markdown, plot
from nissl.trust.intervals import bootstrap_interval
from nissl.trust.label_errors import cross_validated, find_label_errors

CLASSES = ("good", "mua", "noise")
SHARE = 0.05
CHANGES = {"any": "to any other class", "near": "between good and mua"}
REAL = Path("ephys/curation/unitrefine_base")
FRACTIONS = tuple(round(f, 2) for f in np.linspace(0.0, 0.5, 51))
_CHUNK = 6
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = arguments("label_errors", (__doc__ or "").partition("\n")[0])
    out.add_argument("--seeds", type=int, default=10, help="plantings")
    out.add_argument("--sessions", type=int, default=30, help="simulated sessions")
    out.add_argument("--cell", help=argparse.SUPPRESS)
    out.add_argument("answer", nargs="?", type=Path, help=argparse.SUPPRESS)
    return out


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the simulated units, then plant and search in both materials."""
    sessions, seeds = (6, 2) if args.quick else (args.sessions, args.seeds)
    parts = []
    for first in range(0, sessions, _CHUNK):
        task = {"how": "units", "first": first, "n": min(_CHUNK, sessions - first)}
        parts.append(_cell(task, args))
    found: dict[str, Any] = {"simulated": {"sessions": sessions}, "real": {}}
    rows = []
    failed = [part for part in parts if "result" not in part]
    for data in ("simulated", "real"):
        if data == "real" and not (args.test / REAL).is_dir():
            found[data] = {"error": f"no {REAL} in the data folder"}
            continue
        if data == "simulated" and failed:
            found[data] = {"error": str(failed[0].get("error"))}
            continue
        for change in CHANGES:
            task = {"how": "search", "data": data, "change": change, "seeds": seeds}
            task["chunks"] = [p["result"] for p in parts] if data == "simulated" else []
            outcome = _cell(task, args)
            rows.append(
                {"data": data, "change": change, "error": outcome.get("error")}
                | outcome.get("result", {})
            )
    results = {
        "benchmark": "label_errors",
        "nissl": nissl.__version__,
        "quick": args.quick,
        "machine": machine(),
        "share": SHARE,
        "seeds": seeds,
        "fractions": list(FRACTIONS),
        "changes": CHANGES,
        "materials": found,
        "rows": rows,
    }
    return dict(finite(results))


def _cell(task: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    folder = args.out / "cells"
    shown = {k: v for k, v in task.items() if k != "chunks"}
    name = "/".join(str(v) for v in shown.values())
    work = args.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    given = work / f"{name.replace('/', '-')}.json"
    given.write_text(json.dumps(task), encoding="utf-8")
    command = (sys.executable, __file__, "--test", str(args.test.resolve()), "--cell", str(given))
    print(f"{name} ...", end=" ", flush=True)
    cell = Cell(
        name,
        shown | {"nissl": nissl.__version__, "version": 2 if task["how"] == "search" else 1},
        command,
    )
    outcome = run_cell(cell, folder, timeout_s=args.timeout, fresh=args.fresh)
    print(outcome.get("error") or f"{outcome['process_s']:.0f} s", flush=True)
    return outcome


def work(args: argparse.Namespace) -> None:
    """Do what one cell is for, in this process."""
    task = json.loads(Path(args.cell).read_text(encoding="utf-8"))
    if task["how"] == "units":
        write_result(args.answer, _units(task))
        return
    x, y, groups = _simulated(task["chunks"]) if task["chunks"] else _real(args.test / REAL)
    write_result(args.answer, search(x, y, groups, task["change"], task["seeds"]))


def _units(task: Mapping[str, Any]) -> dict[str, Any]:
    from _simulated_units import simulated_units

    made = simulated_units(range(task["first"], task["first"] + task["n"]))
    return {
        "features": made.features.tolist(),
        "classes": made.classes.tolist(),
        "session": made.session.tolist(),
        "names": list(made.names),
    }


def _simulated(chunks: Sequence[Mapping[str, Any]]) -> tuple[Floats, Ints, npt.NDArray[Any]]:
    features = np.concatenate([np.asarray(c["features"], dtype=np.float64) for c in chunks])
    classes = np.concatenate([np.asarray(c["classes"], dtype=np.int64) for c in chunks])
    session = np.concatenate([np.asarray(c["session"], dtype=np.int64) for c in chunks])
    return features, classes, session


def _real(folder: Path) -> tuple[Floats, Ints, npt.NDArray[Any]]:
    import pandas as pd

    tables = [
        pd.read_csv(path).assign(subject=path.name.removeprefix("mouse")[:1])
        for path in sorted(folder.glob("mouse*.csv.gz"))
    ]
    table = pd.concat(tables, ignore_index=True)
    y = np.asarray([CLASSES.index(name) for name in table["majority_vote"]])
    known = ["cluster_id", "majority_vote", "is_noise", "subject"]
    return table.drop(columns=known).to_numpy(np.float64), y, table["subject"].to_numpy()


def forest(x: Floats, y: Ints, test: Floats) -> Floats:
    """Random forest; what is missing stands at the median and is told by a column."""
    from sklearn.ensemble import RandomForestClassifier

    with np.errstate(all="ignore"):
        middle = np.nan_to_num(np.nanmedian(x, axis=0))

    def filled(values: Floats) -> npt.NDArray[np.float32]:
        whole = np.where(np.isfinite(values), values, middle)
        return np.hstack([np.clip(whole, -1e30, 1e30), ~np.isfinite(values)]).astype(np.float32)

    model = RandomForestClassifier(300, min_samples_leaf=3, random_state=0).fit(filled(x), y)
    out = np.zeros((len(test), len(CLASSES)))
    out[:, model.classes_] = model.predict_proba(filled(test))
    return out


def search(x: Floats, y: Ints, groups: npt.NDArray[Any], change: str, seeds: int) -> dict[str, Any]:
    """Plant wrong labels, search them in several ways, and score what was found."""
    from sklearn.metrics import balanced_accuracy_score

    tries = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        labels, bad = planted(y, change, rng)
        proba = cross_validated(forest, x, labels, groups, n_classes=len(CLASSES), rng=rng)
        score = balanced_accuracy_score(y, proba.argmax(axis=1))
        tries.append(_scored(labels, bad, proba) | {"balanced_accuracy": float(score)})
    return {
        "n": int(y.size),
        "n_planted": int(bad.sum()),
        "n_groups": int(np.unique(groups).size),
        "tries": tries,
        "summary": _summary(tries),
    }


def planted(y: Ints, change: str, rng: np.random.Generator) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Labels of which a twentieth is wrong, and which."""
    able = np.flatnonzero(y < 2) if change == "near" else np.arange(y.size)
    chosen = rng.choice(able, round(SHARE * y.size), replace=False)
    labels = y.copy()
    shift = rng.integers(1, len(CLASSES), chosen.size)
    labels[chosen] = 1 - y[chosen] if change == "near" else (y[chosen] + shift) % len(CLASSES)
    bad = np.zeros(y.size, dtype=bool)
    bad[chosen] = True
    return labels, bad


def _scored(labels: Ints, bad: npt.NDArray[np.bool_], proba: Floats) -> dict[str, Any]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    found = find_label_errors(labels, proba)
    picks = {"nissl": found.selected}
    for rule in ("prune_by_noise_rate", "confident_learning", "predicted_neq_given"):
        chosen = find_label_issues(labels, proba, filter_by=rule, n_jobs=1)
        picks[f"cleanlab {rule}"] = np.asarray(chosen, dtype=bool)
    orders = {
        "nissl": found.order,
        "cleanlab self_confidence": np.argsort(get_label_quality_scores(labels, proba)),
    }
    return {
        "noise": found.rate,
        "expected_precision": found.expected_precision,
        "picks": {name: _pick(mask, bad) for name, mask in picks.items()},
        "rankings": {name: _ranking(order, bad) for name, order in orders.items()},
    }


def _pick(mask: npt.NDArray[np.bool_], bad: npt.NDArray[np.bool_]) -> dict[str, float]:
    hits = int((mask & bad).sum())
    n = int(mask.sum())
    return {"n": n, "precision": hits / n if n else float("nan"), "recall": hits / int(bad.sum())}


def _ranking(order: npt.NDArray[Any], bad: npt.NDArray[np.bool_]) -> dict[str, list[float]]:
    hits = np.concatenate([[0], np.cumsum(bad[order])])
    at = np.rint(np.asarray(FRACTIONS) * bad.size).astype(int)
    return {
        "recall": (hits[at] / bad.sum()).tolist(),
        "precision": [
            float(h / k) if k else float("nan") for h, k in zip(hits[at], at, strict=True)
        ],
    }


def _summary(tries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over plantings, with intervals over them."""
    rng = np.random.default_rng(0)

    def over(values: Sequence[float]) -> dict[str, float]:
        known = [v for v in values if v == v]
        if not known:
            return {"estimate": float("nan"), "low": float("nan"), "high": float("nan")}
        found = bootstrap_interval(known, rng=rng)
        return {"estimate": found.estimate, "low": found.low, "high": found.high}

    names, orders = tries[0]["picks"], tries[0]["rankings"]
    tenth, twentieth = FRACTIONS.index(0.1), FRACTIONS.index(0.05)
    return {
        "picks": {
            name: {
                what: over([t["picks"][name][what] for t in tries])
                for what in ("n", "precision", "recall")
            }
            for name in names
        },
        "rankings": {
            name: {
                "recall": np.mean([t["rankings"][name]["recall"] for t in tries], axis=0).tolist(),
                "at_5": over([t["rankings"][name]["recall"][twentieth] for t in tries]),
                "at_10": over([t["rankings"][name]["recall"][tenth] for t in tries]),
            }
            for name in orders
        },
        "noise": over([t["noise"] for t in tries]),
        "expected_precision": over([t["expected_precision"] for t in tries]),
        "balanced_accuracy": over([t["balanced_accuracy"] for t in tries]),
    }


def write(results: Mapping[str, Any], out: Path, page: Path | None) -> None:
    """Write results.json, label_errors.md and .png, and the page if asked for."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=True, allow_nan=False)
    (out / "results.json").write_text(text, encoding="utf-8")
    plot(results, out / "label_errors.png")
    (out / "label_errors.md").write_text(markdown(results, "label_errors.png"), encoding="utf-8")
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / "label_errors.png", page.with_suffix(".png"))
        page.write_text(markdown(results, page.with_suffix(".png").name), encoding="utf-8")
        short = {k: v for k, v in results.items() if k != "rows"}
        short["rows"] = [{k: v for k, v in r.items() if k != "tries"} for r in results["rows"]]
        told = json.dumps(short, indent=1, sort_keys=True, allow_nan=False) + "\n"
        page.with_suffix(".results.json").write_text(told, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, or one of its cells."""
    args = parser().parse_args(argv)
    if args.cell:
        work(args)
        return 0
    results = run(args)
    write(results, args.out, args.page)
    print(f"{args.out / 'results.json'}, label_errors.md, label_errors.png")
    return 1 if any(row["error"] for row in results["rows"]) else 0


if __name__ == "__main__":
    raise SystemExit(main())
