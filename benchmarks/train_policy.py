"""Train the learned policy of `nissl.review.policies.learned` on simulated reviewers.

    python benchmarks/train_policy.py --write src/nissl/review/policies/learned.json

The cross-entropy method over the policy's weights: in each generation every candidate reviews the
same simulated worlds (see `_active_simulated`), the best are kept, and the next generation is
drawn around them. Then the stop rule is fitted once more, to the ranking as it is. What a
candidate's review costs: the seconds of its decisions plus the price of the labels left wrong,
relative to stopping at once. No real recording is used.
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
from nissl.review.policies.learned import Weights, ask, review
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


@dataclass(frozen=True)
class Walk:
    """A review to the end, and what stopping at each point would have come to.

    Parameters
    ----------
    seconds : ndarray, shape (t,), float64
        Spent so far.
    wrong : ndarray, shape (t,), float64
        Labels left wrong: items times the mean of class-balanced errors, here and elsewhere.
    review : ndarray, shape (t, 4), float64
        What the stop rule sees at a price of 1 s.
    answers : ndarray, shape (t,), int64
    """

    seconds: Floats
    wrong: Floats
    review: Floats
    answers: npt.NDArray[np.int64]

    def costs(self, price_s: float) -> Floats:
        """Cost of stopping at each point, relative to stopping at the first."""
        total = self.seconds + price_s * self.wrong
        return np.asarray(total / total[0])

    def stop(self, weights: Floats, price_s: float) -> int:
        """Point at which a stop rule ends it."""
        seen = self.review.copy()
        seen[:, 1] += np.log(price_s)
        ends = seen @ weights > 0
        return int(np.argmax(ends)) if ends.any() else len(ends) - 1


def walk(place: World, policy: str | Weights, most: int = MOST) -> Walk:
    """Review a world to the end, by a policy's name or by weights."""
    rng = np.random.default_rng([place.seed, 1])
    pool, reader = place.pool, place.reader
    asked = [int(i) for i in rng.permutation(len(pool))[:START]]
    given = np.full(len(pool), -1)
    doubt = np.full(len(pool), 0.5)
    steps: list[tuple[float, float, Floats, int]] = []
    new: Sequence[int] = asked
    seconds = 0.0
    while True:
        rows = np.array(new)
        given[rows], took = reader.answer(pool.truth[rows], doubt[rows], rng, order=len(asked))
        seconds += float(took.sum())
        known = np.array(asked)
        model = ridge(pool.features[known], given[known], K, place.seed)
        votes = model.votes(pool.features)
        doubt = ambiguity_of(votes.mean(0))
        left = np.flatnonzero(given < 0)
        p = votes.mean(0)[left]
        now = Pool(
            left,
            p / p.sum(1, keepdims=True),
            votes[:, left],
            pool.features[left],
            reader.pace.expected_s(doubt[left]),
            pool.features[known],
            None,
        )
        steps.append((seconds, _wrong(place, given, votes, model), review(now, 1.0), len(asked)))
        if len(asked) >= most:
            break
        ranking = (
            POLICIES.get(policy)(now, rng) if isinstance(policy, str) else ask(now, policy, rng)
        )
        new = [int(i) for i in left[ranking.order[:BATCH]]]
        asked += new
    columns = list(zip(*steps, strict=True))
    return Walk(
        np.array(columns[0]), np.array(columns[1]), np.array(columns[2]), np.array(columns[3])
    )


def _wrong(place: World, given: npt.NDArray[np.int64], votes: Floats, model: Any) -> float:
    labels = np.where(given >= 0, given, votes.mean(0).argmax(1))
    elsewhere = model.votes(place.test.features).mean(0).argmax(1)
    right = balanced_accuracy(place.pool.truth, labels, K)
    right += balanced_accuracy(place.test.truth, elsewhere, K)
    return len(place.pool) * (1 - right / 2)


def cost(place: World, weights: Weights) -> float:
    """Cost of a review that asks and stops by given weights."""
    path = walk(place, weights)
    return float(path.costs(place.price_s)[path.stop(weights.stop, place.price_s)])


def _mean_cost(job: tuple[Floats, list[int]]) -> float:
    weights, seeds = Weights.from_vector(job[0]), job[1]
    return float(np.mean([cost(world(seed), weights) for seed in seeds]))


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


def _path(job: tuple[str | Floats, int]) -> Walk:
    policy = job[0] if isinstance(job[0], str) else Weights.from_vector(job[0])
    return walk(world(job[1]), policy)


def fit_stop(weights: Weights, *, worlds: int, seed: int, workers: int) -> Weights:
    """Train the stop rule again, for the ranking as it is now.

    The ranking's reviews are walked to the end once; what each stop rule would have cost is read
    off them, for twelve prices each, so that many rules are tried on many worlds.
    """
    rng = np.random.default_rng([seed, 2])
    seeds = [int(s) for s in rng.integers(10**6, 10**9, worlds)]
    with multiprocessing.get_context("spawn").Pool(workers) as crew:
        paths = crew.map(_path, [(weights.to_vector(), s) for s in seeds])
    prices = np.exp(np.linspace(np.log(10), np.log(120), 12))
    seen = np.repeat([path.review for path in paths], len(prices), axis=0)
    seen[:, :, 1] += np.log(np.tile(prices, len(paths)))[:, None]
    costs = np.array([path.costs(price) for path in paths for price in prices])
    mean, spread = weights.stop.copy(), np.full(len(weights.stop), 3.0)
    for _ in range(60):
        draws = mean + spread * rng.standard_normal((400, len(mean)))
        ends = np.einsum("wtf,df->dwt", seen, draws) > 0
        at = np.where(ends.any(2), ends.argmax(2), costs.shape[1] - 1)
        found = costs[np.arange(len(costs))[None], at].mean(1)
        best = draws[np.argsort(found)[:40]]
        mean, spread = best.mean(0), 0.5 * spread + 0.5 * best.std(0)
    return Weights(weights.early, weights.late, mean)


def validate(weights: Weights, worlds: int, workers: int) -> dict[str, Any]:
    """Costs on worlds that training never saw, of the policy and of others with fixed ends."""
    jobs: list[tuple[str | Floats, int]] = [(weights.to_vector(), s) for s in range(worlds)]
    named = ("random", "margin", "error_reduction")
    with multiprocessing.get_context("spawn").Pool(workers) as crew:
        paths = {"learned": crew.map(_path, jobs)}
        for name in named:
            paths[name] = crew.map(_path, [(name, s) for s in range(worlds)])
    prices = [world(s).price_s for s in range(worlds)]
    own = zip(paths["learned"], prices, strict=True)
    ends = [path.stop(weights.stop, price) for path, price in own]
    base = _costs(paths["learned"], prices, ends)
    answers = np.mean([p.answers[e] for p, e in zip(paths["learned"], ends, strict=True)])
    table = {"learned": {"cost": round(float(base.mean()), 4), "answers": float(answers)}}
    best = [int(p.costs(price).argmin()) for p, price in zip(paths["learned"], prices, strict=True)]
    for name, taken in paths.items():
        for answers in (20, 60, 120, 180, 240):
            at = [int(np.searchsorted(p.answers, answers)) for p in taken]
            table[f"{name} to {answers}"] = _against(_costs(taken, prices, at), base)
    table["learned, stopped with hindsight"] = _against(
        _costs(paths["learned"], prices, best), base
    )
    return table


def _costs(paths: Sequence[Walk], prices: Sequence[float], ends: Sequence[int]) -> Floats:
    return np.array([p.costs(c)[e] for p, c, e in zip(paths, prices, ends, strict=True)])


def _against(costs: Floats, base: Floats) -> dict[str, float]:
    more = costs - base
    return {
        "cost": round(float(costs.mean()), 4),
        "more_than_learned": round(float(more.mean()), 4),
        "standard_error": round(float(more.std() / np.sqrt(len(more))), 4),
    }


def main() -> None:
    """Train, validate, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, required=True, help="file for weights and card")
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--worlds", type=int, default=8, help="per generation")
    parser.add_argument("--validation", type=int, default=100, help="worlds to validate on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--stops", type=int, default=100, help="worlds to fit the stop rule on")
    parser.add_argument("--resume", type=Path, help="file whose ranking is taken as it is")
    args = parser.parse_args()
    if args.resume:
        known = json.loads(args.resume.read_text(encoding="utf-8"))
        weights, training = Weights.from_json(known["weights"]), known["card"]["training"]
    else:
        weights, trace = train(
            generations=args.generations,
            population=args.population,
            worlds=args.worlds,
            seed=args.seed,
            workers=args.workers,
        )
        training = {
            "generations": args.generations,
            "population": args.population,
            "worlds_per_generation": args.worlds,
            "seed": args.seed,
            "elite_cost": [round(c, 4) for c in trace],
        }
    training["worlds_for_the_stop_rule"] = args.stops
    weights = fit_stop(weights, worlds=args.stops, seed=args.seed, workers=args.workers)
    card = {
        "what": "Ranks what to ask and says when to stop; linear in ranks of features.",
        "method": "Cross-entropy method on the cost of a review (ranking and stop rule together, "
        "then the stop rule alone): seconds of the decisions plus "
        "the price of class-balanced error, relative to stopping after 20 answers.",
        "data": "Simulated worlds only (benchmarks/_active_simulated.py): three classes, "
        f"{N_POOL} items in the pool, {N_TEST} of another animal, simulated readers that are "
        "right in 85 to 100 % with up to 5 % lapses. No recording and no person's answers.",
        "learner": "ridge regression on random features, six bootstrap members",
        "price_s": "10 to 120 s per wrong label",
        "training": training,
        "validation": validate(weights, args.validation, args.workers),
        "licence": "BSD-3-Clause",
    }
    text = json.dumps({"card": card, "weights": weights.to_json()}, indent=1)
    args.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
