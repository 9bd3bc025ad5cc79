"""The loop of learning of tracks, on simulated worms: figures of docs/developer/tracks_loop.md.

    python benchmarks/tracks_loop.py [--carried SEEDS ...] [--next SEEDS ...]

`carried`: two neurons are exchanged in the 150 volumes nearest to one posture; the error is
corrected in one volume, and what volumes like it make of it is counted. `next`: every volume in
turn is annotated beside some that are, and by registration on places (nothing is drawn) the
others are tracked; how much each way of choosing the volume rights is compared.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.alike import Correction, follow
from nissl.annotators.tracks.posture import steps
from nissl.annotators.tracks.registration import NOBODY, assigned, normal_scores, register
from nissl.annotators.tracks.simulate import Worm, simulated
from nissl.annotators.tracks.simulate.worm import stage_of
from nissl.review.point_carrying import MOST
from nissl.review.policies.coverage import gains, nearest
from nissl.review.postures import postures

Floats = npt.NDArray[np.float64]
WITHIN_UM = 2.0
N_SWAPPED = 150
WAYS = ("expected gain", "least confident", "least like", "uniform", "best there is")


def carried(seed: int, n_neurons: int = 80, n_frames: int = 500) -> npt.NDArray[np.float64]:
    """Wrong points, those of them put right, right ones put wrong, seconds; one row per swap."""
    true = _worm(seed, n_neurons, n_frames, 1)[0]
    rng = np.random.default_rng(seed)
    told = true + rng.normal(0, 0.3, true.shape)
    sure = rng.beta(30, 1.2, true.shape[:2])
    t, i = np.nonzero(rng.random(true.shape[:2]) < 0.03)
    told[t, i], sure[t, i] = true[t, rng.integers(0, n_neurons, t.size)], rng.beta(2, 5, t.size)
    whole = postures(told, sure)
    rows = []
    for _ in range(4):
        a = int(rng.integers(n_neurons))
        away = np.nanmedian(np.linalg.norm(true - true[:, [a]], axis=2), axis=0)
        pair = np.asarray([a, int(np.argsort(away)[rng.integers(1, 5)])])
        centre = whole[rng.integers(n_frames)]
        run = np.argsort(np.linalg.norm(whole - centre, axis=1), kind="stable")[:N_SWAPPED]
        swapped = told.copy()
        swapped[np.ix_(run, pair)] = swapped[np.ix_(run, pair[::-1])]
        first = int(run[0])
        places, wrong = swapped[first].copy(), swapped[first, pair].copy()
        places[pair] = true[first, pair]
        if not np.isfinite([places[pair], wrong]).all():
            continue
        began = time.perf_counter()
        latent = postures(swapped, sure)
        away = np.linalg.norm(latent - latent[first], axis=1)
        near = np.argsort(away, kind="stable")[: MOST + 1]
        way = steps(latent[near], [int(np.flatnonzero(near == first)[0])])
        known = {first: Correction(places, pair, wrong)}
        now = swapped.copy()
        now[first] = places
        for row in way.order[1:].tolist():
            at, parent = int(near[row]), int(near[way.parent[row]])
            found = follow(known[parent], swapped[at], sure[at])
            known[at] = found.then or known[parent]
            moved = np.isfinite(found.goes).all(axis=1)
            now[at, pair[moved]] = found.goes[moved]
        took = time.perf_counter() - began
        before, after = (np.linalg.norm(p - true, axis=2) < WITHIN_UM for p in (swapped, now))
        there = np.ix_(np.intersect1d(near, run), pair)
        bad = ~before[there] & np.isfinite(swapped[there]).all(axis=-1)
        rows.append((bad.sum(), (bad & after[there]).sum(), (before & ~after).sum(), took))
    return np.asarray(rows, float).reshape(-1, 4)


def next_volume(seed: int, n: int = 40, starts: int = 8) -> dict[str, list[float]]:
    """Neuron-frames of other volumes that become right by one more annotation, by way."""
    true, light = _worm(seed, n, 10 * n, 10)
    rng = np.random.default_rng(seed)
    blobs, facts = zip(*(_seen(true[k], light[k], rng) for k in range(len(true))), strict=True)
    posterior, evidence = _registered(true, light, blobs, facts)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for n_annotated in (1, 2, 3, 5):
        for _ in range(starts):
            have = rng.choice(len(true), n_annotated, replace=False).tolist()
            places, score = _tracked(have, true, blobs, posterior, evidence)
            right = _right(places, true)
            others = np.setdiff1d(np.arange(len(true)), have)
            gained = np.full(len(true), np.nan)
            for k in others.tolist():
                more = _right(_tracked([*have, k], true, blobs, posterior, evidence)[0], true)
                each = more.sum(axis=1) - right.sum(axis=1)
                gained[k] = each.sum() - each[k]
            there = np.isfinite(places).all(axis=2)
            wrong = np.where(there, 1 - score, 0.3).sum(axis=1)
            wrong[have] = 0
            latent = postures(places, np.where(there, score, np.nan))
            scores = {
                "expected gain": gains(latent, wrong, latent[have]).righted,
                "least confident": wrong,
                "least like": nearest(latent, latent[have]),
            }
            for way, values in scores.items():
                found[way].append(gained[others[np.argmax(values[others])]])
            found["uniform"].append(float(gained[others].mean()))
            found["best there is"].append(float(gained[others].max()))
    return found


def _worm(seed: int, n: int, n_frames: int, every: int) -> tuple[Floats, Floats]:
    """Places (um) and light of neurons in some of the volumes."""
    made = simulated(Worm(seed=seed, n_neurons=n, n_frames=n_frames))
    frames = np.arange(0, n_frames, every)
    size = np.asarray(made.worm.spacing_um[::-1])
    light = stage_of(made.worm).light[0, frames][:, :n]
    return made.positions.xyz[frames].astype(float) * size, light.astype(float)


def _seen(true: Floats, light: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Blobs of a volume: nine in ten neurons, beside their places, and some that are none."""
    n = len(true)
    kept = np.flatnonzero(np.isfinite(true).all(axis=1) & (rng.random(n) < 0.9))
    beside = true[np.isfinite(true).all(axis=1)]
    none = beside[rng.integers(0, len(beside), n // 8)] + rng.normal(0, 2.5, (n // 8, 3))
    shine = np.concatenate([light[kept], rng.choice(light, n // 8)])
    shine = shine * np.exp(rng.normal(0, 0.2, shine.size))
    places = true[kept] + rng.normal(0, 0.4, (kept.size, 3))
    return np.concatenate([places, none]), normal_scores(shine)[:, None]


def _registered(true: Floats, light: Floats, blobs: Any, facts: Any) -> tuple[Any, Floats]:
    """Posterior of every pair of volumes, by (annotated, other), and the evidence."""
    n = len(true)
    posterior: dict[tuple[int, int], Floats] = {}
    evidence = np.full((n, n), -np.inf)
    for a in range(n):
        own = np.flatnonzero(np.isfinite(true[a]).all(axis=1))
        mine = normal_scores(light[a, own])[:, None]
        for b in range(n):
            if a != b:
                match = register(true[a, own], blobs[b], source_facts=mine, target_facts=facts[b])
                table = np.zeros((true.shape[1], len(blobs[b])))
                table[own] = match.posterior
                posterior[a, b], evidence[a, b] = table, match.evidence
    return posterior, evidence


def _tracked(
    have: list[int], true: Floats, blobs: Any, posterior: Any, evidence: Floats
) -> tuple[Floats, Floats]:
    """Places and scores in every volume by the votes of three annotated ones at most."""
    places, score = np.full(true.shape, np.nan), np.zeros(true.shape[:2])
    seen = np.isfinite(true).all(axis=2)
    for b in range(len(true)):
        if b in have:
            places[b], score[b] = true[b], seen[b]
            continue
        voters = sorted(have, key=lambda a, b=b: -evidence[a, b])[:3]
        weight = np.exp(5 * (evidence[voters, b] - evidence[voters, b].max()))
        total = sum(w * posterior[a, b] for w, a in zip(weight, voters, strict=True))
        votes = sum(w * seen[a] for w, a in zip(weight, voters, strict=True))
        index, sure = assigned(total / np.maximum(votes, 1e-9)[:, None])
        found = index != NOBODY
        places[b, found], score[b, found] = blobs[b][index[found]], sure[found]
    return places, score


def _right(places: Floats, true: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(places - true, axis=2) < WITHIN_UM)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--carried", type=int, nargs="*", default=[30, 31, 32, 33, 34, 35])
    parser.add_argument("--next", type=int, nargs="*", default=[1, 2])
    args = parser.parse_args()
    if args.carried:
        rows = np.concatenate([carried(seed) for seed in args.carried])
        wrong, right, broken, _ = rows.sum(axis=0)
        print(f"carried: {len(rows)} swaps, {right:.0f} of {wrong:.0f} wrong points put right "
              f"({right / wrong:.0%}), {broken:.0f} right ones put wrong, "
              f"{np.median(rows[:, 3]):.2f} s a correction")  # fmt: skip
    cells = [next_volume(seed) for seed in args.next]
    for way in WAYS if cells else ():
        values = np.concatenate([cell[way] for cell in cells])
        error = values.std() / np.sqrt(values.size)
        print(f"next, {way}: {values.mean():.1f} +- {error:.1f} neuron-frames of others righted")


if __name__ == "__main__":
    main()
