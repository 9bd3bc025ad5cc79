"""Active learning on human curation: which policy needs the fewest answers.

    python benchmarks/active_learning.py --train ../shared/data --test ../shared/data
    python benchmarks/active_learning.py --quick

Units of Neuropixels recordings with 38 metrics and the majority vote of their curators (UnitRefine,
Jain et al. 2025). One mouse is held out for testing, the units of the others are the pool that is
asked about. Each policy starts from the same 20 random answers and asks in batches of 20; the
learner (boosted trees) is fitted anew after each. Given two folders, the
pool is all of `--train` and every animal of `--test` is tested on by itself.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import nissl
from _active_page import markdown, plot
from _active_peers import PEERS, available, by_peer
from _active_work import (
    BUDGET,
    Campaign,
    Choice,
    Items,
    Plan,
    balanced_accuracy,
    boosted,
    by_bandit,
    by_policy,
    run,
    standardised,
)
from _common import Cell, arguments, finite, machine, names, one_folder, run_cell, write_result
from nissl.errors import SourceNotFoundError
from nissl.review.policies import BATCH, POLICIES

CLASSES = ("good", "mua", "noise")
FOLDER = Path("ephys") / "curation" / "unitrefine_base"
LONG = 800
"""Answers that the control gets, to see where it reaches what others reach sooner."""

_NOT_METRICS = ("cluster_id", "majority_vote", "is_noise")
_QUICK_POLICIES = ("random", "margin", "coreset")


def parser() -> argparse.ArgumentParser:
    """Arguments of this benchmark."""
    out = arguments("active_learning", (__doc__ or "").partition("\n")[0])
    out.add_argument("--only", type=names, help="policies, separated by commas")
    out.add_argument("--seeds", type=int, default=10)
    out.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    out.add_argument("--cell", help=argparse.SUPPRESS)
    out.add_argument("--subject", help=argparse.SUPPRESS)
    out.add_argument("answer", nargs="?", type=Path, help=argparse.SUPPRESS)
    return out


@dataclass(frozen=True)
class Units:
    """Curated units of all recordings of a folder, in order of their names.

    Parameters
    ----------
    raw : ndarray, shape (n, d), float64
        Metrics, NaN where missing.
    truth : ndarray, shape (n,), int64
    mouse : ndarray, shape (n,), str
    metrics : tuple of str
        Their names.
    """

    raw: np.ndarray
    truth: np.ndarray
    mouse: np.ndarray
    metrics: tuple[str, ...]

    def left_without(self, subject: str) -> Units:
        """All other animals."""
        rows = self.mouse != subject
        return replace(self, raw=self.raw[rows], truth=self.truth[rows], mouse=self.mouse[rows])


def subject_of(file: str) -> str:
    """Animal of a recording: the 1 of mouse1a_imec0.csv.gz, else what comes before the first _."""
    first = file.partition(".")[0].partition("_")[0]
    mouse = re.fullmatch(r"mouse(\d+)[a-z]?", first)
    return mouse[1] if mouse else first


def load(folder: Path, metrics: tuple[str, ...] = ()) -> Units:
    """Units with a class, with given metrics (missing ones are NaN) or all that are there."""
    import pandas as pd

    files = sorted((folder / FOLDER).glob("*.csv.gz"))
    if not files:
        raise SourceNotFoundError(
            f"recordings in {FOLDER}", "none", "Name the data folder by --train, --test."
        )
    tables = [pd.read_csv(file) for file in files]
    mouse = np.repeat([subject_of(file.name) for file in files], [len(t) for t in tables])
    everything = pd.concat(tables, ignore_index=True)
    known = everything["majority_vote"].isin(CLASSES).to_numpy()
    everything, mouse = everything[known], mouse[known]
    names = metrics or tuple(c for c in everything.columns if c not in _NOT_METRICS)
    raw = everything.reindex(columns=list(names)).to_numpy(dtype=np.float64)
    raw[~np.isfinite(raw)] = np.nan
    classes = everything["majority_vote"].map({name: i for i, name in enumerate(CLASSES)})
    return Units(raw, classes.to_numpy(dtype=np.int64), mouse, names)


def items_of(args: argparse.Namespace, subject: str) -> tuple[Items, Items]:
    """Pool and test set for a mouse held out."""
    train = load(args.train)
    held = load(args.test, train.metrics)
    pool = train.left_without(subject) if one_folder(args.train, args.test) else train
    test = held.mouse == subject
    n = len(pool.raw)
    features = standardised(np.concatenate([pool.raw, held.raw[test]]))
    return (
        Items(pool.raw, features[:n], pool.truth),
        Items(held.raw[test], features[n:], held.truth[test]),
    )


def smallest_pool(args: argparse.Namespace) -> int:
    """Units of the smallest pool; campaigns of all animals are as long as this one allows."""
    train = load(args.train)
    if not one_folder(args.train, args.test):
        return len(train.truth)
    _, sizes = np.unique(train.mouse, return_counts=True)
    return int(len(train.truth) - sizes.max())


def choice_of(policy: str) -> Choice:
    """How a named policy, or a peer's strategy, asks."""
    if policy == "bandit":
        return by_bandit
    return by_peer(policy.partition("/")[2]) if "/" in policy else by_policy(POLICIES.get(policy))


def plan_of(policy: str, quick: bool, pool: int) -> Plan:
    """Answers of a campaign; the control goes on longer."""
    audit = min(Plan.audit, pool // 5)
    budget = 80 if quick else LONG if policy == "random" else BUDGET
    return Plan(budget=min(budget, pool - audit - BATCH), audit=audit)


def compute(args: argparse.Namespace) -> dict[str, Any]:
    """One cell: a policy with one mouse held out, all seeds."""
    pool, test = items_of(args, args.subject)
    if args.cell == "full":
        scores = []
        for seed in range(args.seeds):
            said = boosted(pool.raw, pool.truth, 3, seed).votes(test.raw).mean(0).argmax(1)
            scores.append(balanced_accuracy(test.truth, said, 3))
        return {"n": len(pool), "n_test": len(test), "balanced_accuracy": float(np.mean(scores))}
    curves = []
    plan, advised = plan_of(args.cell, args.quick, smallest_pool(args)), args.cell == "learned"
    animal = int(args.subject) if args.subject.isdigit() else zlib.crc32(args.subject.encode())
    for seed in range(args.seeds):
        rng = np.random.default_rng([seed, animal])
        campaign = Campaign(pool, test, 3, boosted, plan, rng, seed, advised)
        states = run(campaign, choice_of(args.cell))
        curves.append({name: [s[name] for s in states] for name in states[0]})
    return {"curves": curves}


def run_all(args: argparse.Namespace) -> dict[str, Any]:
    """All cells, two at a time; those that are kept are not computed again."""
    subjects = sorted(set(load(args.test).mouse.tolist()))[: 1 if args.quick else None]
    plan = plan_of("", args.quick, smallest_pool(args))
    policies = list(_QUICK_POLICIES if args.quick else POLICIES.names())
    peers = available()
    if peers and not args.quick:
        policies += [f"skactiveml/{name}" for name in PEERS]
    if args.only:
        policies = [p for p in policies if p in args.only or p == "random"]
    seeds = 2 if args.quick else args.seeds
    jobs = [(p, s) for p in ["full", *policies] for s in subjects]
    with ThreadPoolExecutor(args.workers) as crew:
        done = list(crew.map(lambda job: _cell(args, *job, seeds, plan, peers), jobs))
    results: dict[str, Any] = {
        "benchmark": "active_learning",
        "nissl": nissl.__version__,
        "quick": args.quick,
        "seeds": seeds,
        "budget": plan.budget,
        "audit": plan.audit,
        "machine": machine(),
        "peers": dict(peers),
        "subjects": subjects,
        "policies": policies,
        "full": {},
        "curves": {},
        "errors": {},
    }
    for (policy, subject), outcome in zip(jobs, done, strict=True):
        if "result" not in outcome:
            results["errors"][f"{policy}, mouse {subject}"] = outcome["error"]
        elif policy == "full":
            results["full"][subject] = outcome["result"]
        else:
            results["curves"].setdefault(policy, {})[subject] = outcome["result"]["curves"]
    whole = {p: c for p, c in results["curves"].items() if set(c) == set(subjects)}
    return dict(finite(results | {"curves": whole}))


def _cell(
    args: argparse.Namespace, policy: str, subject: str, seeds: int, plan: Plan, peers: Any
) -> dict[str, Any]:
    import lightgbm

    key = {
        "policy": policy,
        "subject": subject,
        "seeds": seeds,
        "answers": plan.budget,
        "audit": plan.audit,
        "one_folder": one_folder(args.train, args.test),
        "versions": {"nissl": nissl.__version__, "lightgbm": lightgbm.__version__, **peers},
    }
    command = [sys.executable, str(Path(__file__)), "--cell", policy, "--subject", subject]
    command += ["--train", str(args.train), "--test", str(args.test), "--seeds", str(seeds)]
    command += ["--quick"] if args.quick else []
    cell = Cell(f"{policy}/{subject}", key, tuple(command))
    outcome = run_cell(cell, args.out / "cells", timeout_s=args.timeout, fresh=args.fresh)
    print(f"{cell.name}: {outcome.get('error') or outcome['process_s']}", flush=True)
    return outcome


def main() -> None:
    """Run, tabulate, draw."""
    args = parser().parse_args()
    if args.cell:
        write_result(args.answer, compute(args))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    results = run_all(args)
    write_result(args.out / "results.json", results)
    picture = args.out / "active_learning.png"
    plot(results, picture)
    page = markdown(results, picture.name)
    (args.out / "active_learning.md").write_text(page, encoding="utf-8")
    if args.page:
        args.page.write_text(page, encoding="utf-8")
        plot(results, args.page.with_suffix(".png"))
    print(page)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
