"""Train the learned policy of `nissl.review.policies.learned` on simulated reviewers.

    python benchmarks/train_policy.py --write src/nissl/review/policies/learned.json

The cross-entropy method over the policy's weights: in each generation every candidate reviews the
same simulated worlds (see `_active_simulated`), the best are kept, and the next generation is
drawn around them. What it costs a candidate: the seconds of its decisions plus the price of the
labels left wrong, relative to the price of stopping at once. No real recording is used.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from _active_simulated import ridge, simulated
from _active_work import Items, balanced_accuracy
from nissl.review.policies import BATCH, POLICIES, Pool
from nissl.review.policies.learned import Weights, ask, stop_probability
from nissl.review.simulated import Pace, SimulatedReader
from nissl.review.timing import ambiguity_of

Floats = npt.NDArray[np.float64]

K = 3
START = 20
MOST = 240
N_POOL, N_TEST = 400, 300
ELITE = 0.25


@dataclass(frozen=True)
class World:
    """One review to be done: items, a reader, and what an error is worth."""

    pool: Items
    test: Items
    reader: SimulatedReader
    price_s: float
    seed: int


def world(seed: int) -> World:
    """Draw a world; the reader is right in 85 to 100 % and an error is worth 10 to 120 s."""
    rng = np.random.default_rng(seed)
    pool, test = simulated(rng, N_POOL, N_TEST)
    pace = Pace(median_s=float(rng.uniform(1.5, 6)), slowing=float(rng.uniform(0.3, 1.8)))
    reader = SimulatedReader.accurate(
        "reader", K, float(rng.uniform(0.85, 1.0)), lapse=float(rng.uniform(0, 0.05)), pace=pace
    )
    return World(pool, test, reader, float(np.exp(rng.uniform(np.log(10), np.log(120)))), seed)


def cost(place: World, policy: str | Weights, stop_at: int | None = None) -> tuple[float, int]:
    """Cost of a review, and how many answers it took.

    Parameters
    ----------
    place : World
    policy : str or Weights
        A name asks by that policy.
    stop_at : int, optional
        Answers after which it stops; by default the learned stop rule decides (`Weights`).

    Returns
    -------
    cost : float
        Relative to that of stopping after the first random answers.
    answers : int
    """
    rng = np.random.default_rng([place.seed, 1])
    pool, reader = place.pool, place.reader
    asked = [int(i) for i in rng.permutation(len(pool))[:START]]
    given = np.full(len(pool), -1)
    seconds, first = 0.0, 0.0
    new: Sequence[int] = asked
    while True:
        rows = np.array(new)
        doubt = (
            np.full(len(rows), 0.5) if not seconds else ambiguity_of(votes.mean(0)[rows])  # noqa: F821
        )
        given[rows], took = reader.answer(pool.truth[rows], doubt, rng, order=len(asked))
        seconds += float(took.sum())
        known = np.array(asked)
        model = ridge(pool.features[known], given[known], K, place.seed)
        votes = model.votes(pool.features)
        left = np.flatnonzero(given < 0)
        p = votes.mean(0)[left]
        now = Pool(
            left,
            p / p.sum(1, keepdims=True),
            votes[:, left],
            pool.features[left],
            reader.pace.expected_s(ambiguity_of(p)),
            pool.features[known],
            None,
        )
        price = _price(place, given, votes, model)
        first = first or seconds + price
        if _ends(policy, now, place.price_s, len(asked), stop_at):
            return (seconds + price) / first, len(asked)
        ranking = (
            POLICIES.get(policy)(now, rng) if isinstance(policy, str) else ask(now, policy, rng)
        )
        new = [int(i) for i in left[ranking.order[:BATCH]]]
        asked += new


def _ends(policy: str | Weights, pool: Pool, price_s: float, n: int, stop_at: int | None) -> bool:
    if n >= (MOST if stop_at is None else stop_at):
        return True
    if stop_at is not None or isinstance(policy, str):
        return False
    return stop_probability(pool, price_s=price_s, weights=policy) > 0.5


def _price(place: World, given: npt.NDArray[np.int64], votes: Floats, model: Any) -> float:
    """Price of what is wrong: mean of class-balanced errors here and on the next animal."""
    labels = np.where(given >= 0, given, votes.mean(0).argmax(1))
    elsewhere = model.votes(place.test.features).mean(0).argmax(1)
    right = balanced_accuracy(place.pool.truth, labels, K)
    right += balanced_accuracy(place.test.truth, elsewhere, K)
    return place.price_s * len(place.pool) * (1 - right / 2)


def _mean_cost(job: tuple[Floats, list[int]]) -> float:
    weights, seeds = Weights.from_vector(job[0]), job[1]
    return float(np.mean([cost(world(seed), weights)[0] for seed in seeds]))


def train(
    *, generations: int, population: int, worlds: int, seed: int, workers: int
) -> tuple[Weights, list[float]]:
    """Cross-entropy method; returns the mean of the last elite and the elite's cost over time."""
    rng = np.random.default_rng(seed)
    mean = np.zeros(20)
    mean[1] = mean[9] = 1.0  # the margin
    mean[16:] = [0.0, -2.0, 0.0, 0.0]  # stop when an error costs more to find than it is worth
    spread = np.full(20, 1.0)
    trace = []
    with multiprocessing.get_context("spawn").Pool(workers) as crew:
        for generation in range(generations):
            seeds = [int(s) for s in rng.integers(10**6, 10**9, worlds)]
            draws = mean + spread * rng.standard_normal((population, 20))
            draws[0] = mean
            costs = np.array(crew.map(_mean_cost, [(d, seeds) for d in draws], chunksize=1))
            best = draws[np.argsort(costs)[: max(4, int(ELITE * population))]]
            mean = 0.3 * mean + 0.7 * best.mean(0)
            spread = 0.3 * spread + 0.7 * best.std(0) + 0.3 / (1 + generation)
            trace.append(float(np.sort(costs)[: len(best)].mean()))
            print(f"generation {generation + 1}: {trace[-1]:.4f}, mean {costs[0]:.4f}", flush=True)
    return Weights.from_vector(mean), trace


def _compare(job: tuple[Floats, int]) -> dict[str, tuple[float, int]]:
    weights, place = Weights.from_vector(job[0]), world(job[1])
    found = {"learned": cost(place, weights)}
    for name in ("random", "margin", "error_reduction"):
        for stop_at in (60, 120, 180, 240):
            found[f"{name} to {stop_at}"] = cost(place, name, stop_at)
    for stop_at in (60, 120, 180, 240):
        found[f"learned to {stop_at}"] = cost(place, weights, stop_at)
    return found


def validate(weights: Weights, worlds: int, workers: int) -> dict[str, Any]:
    """Costs on worlds that training never saw, of the policy and of others with fixed ends."""
    with multiprocessing.get_context("spawn").Pool(workers) as crew:
        found = crew.map(_compare, [(weights.to_vector(), seed) for seed in range(worlds)])
    table = {}
    base = np.array([f["learned"][0] for f in found])
    for name in found[0]:
        costs = np.array([f[name][0] for f in found])
        more = costs - base
        table[name] = {
            "cost": round(float(costs.mean()), 4),
            "answers": round(float(np.mean([f[name][1] for f in found])), 1),
            "more_than_learned": round(float(more.mean()), 4),
            "standard_error": round(float(more.std() / np.sqrt(len(more))), 4),
        }
    return table


def main() -> None:
    """Train, validate, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, required=True, help="file for weights and card")
    parser.add_argument("--generations", type=int, default=16)
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--worlds", type=int, default=10, help="per generation")
    parser.add_argument("--validation", type=int, default=100, help="worlds to validate on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    weights, trace = train(
        generations=args.generations,
        population=args.population,
        worlds=args.worlds,
        seed=args.seed,
        workers=args.workers,
    )
    card = {
        "what": "Ranks what to ask and says when to stop; linear in ranks of features.",
        "method": "Cross-entropy method on the cost of a review: seconds of the decisions plus "
        "the price of class-balanced error, relative to stopping after 20 answers.",
        "data": "Simulated worlds only (benchmarks/_active_simulated.py): three classes, "
        f"{N_POOL} items in the pool, {N_TEST} of another animal, simulated readers that are "
        "right in 85 to 100 % with up to 5 % lapses. No recording and no person's answers.",
        "learner": "ridge regression on random features, six bootstrap members",
        "price_s": "10 to 120 s per wrong label",
        "training": {
            "generations": args.generations,
            "population": args.population,
            "worlds_per_generation": args.worlds,
            "seed": args.seed,
            "elite_cost": [round(c, 4) for c in trace],
        },
        "validation": validate(weights, args.validation, args.workers),
        "licence": "BSD-3-Clause",
    }
    text = json.dumps({"card": card, "weights": weights.to_json()}, indent=1)
    args.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
