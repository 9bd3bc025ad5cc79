"""How probable it is that an alignment without labels found the right turn.

A wrong turn gives itself away: the next solution of another kind costs hardly more. How much more
is enough was learnt from simulated subjects whose mixture of latents changes between the days, by
`simulated` and `fitted`; the curve's two numbers stand here.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nissl.align.fragments import Bools, Floats, conditions
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.align.latent.transport import Solution, transported

SLOPE, OFFSET = 0.769, 4.141
"""Of the logistic curve over the logarithm of the gap."""
ALONE = 0.5
"""Gap that stands for "no other solution was found"."""
DOUBTFUL = 0.8
_FLOOR = 1e-3


def gap(found: list[Solution]) -> float:
    """How much dearer the second kind of solution is than the best, relative to the best."""
    if len(found) < 2:
        return ALONE
    return float(min((found[1].cost - found[0].cost) / max(found[0].cost, 1e-12), ALONE))


def probability(of_gap: float) -> float:
    """Probability that the turn is right, 0 to 1."""
    return float(1 / (1 + np.exp(-SLOPE * np.log(max(of_gap, _FLOOR)) - OFFSET)))


def doubt(name: str, sure: float) -> list[str]:
    """Sentences for a turn that is not sure enough."""
    if sure >= DOUBTFUL:
        return []
    return [
        f"{name}: another turn fits nearly as well (right with probability {sure:.2f}). "
        "A few windows whose condition is known would decide it."
    ]


def simulated(seeds: Iterable[int]) -> tuple[Floats, Bools]:
    """Gaps of simulated pairs of days, and whether the turn was right.

    Right: what conditions do on one day is laid over what the same conditions do on the
    other, more than halfway (cosine of the means of conditions above one half).
    """
    gaps, right = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        subject = simulate_subject(rng)
        depth, noise = rng.uniform(0.7, 1.5), rng.uniform(0.1, 0.4)
        first = simulate_day(rng, subject, depth=depth, noise=noise).fragment
        change, n_trials = rng.uniform(0, 0.6), int(rng.integers(60, 180))
        second = simulate_day(
            rng, subject, change=change, n_trials=n_trials, depth=depth, noise=noise
        ).fragment
        maps = [own_space(f) for f in (first, second)]
        steps = n_steps(first, second)
        true = [conditions(f) for f in (first, second)]
        a, b = (
            trajectories(f.without_conditions(), m.transform(f), steps)
            for f, m in zip((first, second), maps, strict=True)
        )
        found = transported(a, b, rng)
        shared = np.intersect1d(true[0], true[1])
        mean_a, mean_b = (
            np.concatenate([t.values[c == k].mean(axis=0) for k in shared])
            for t, c in zip((a, b), true, strict=True)
        )
        mean_a, mean_b = mean_a - mean_a.mean(axis=0), mean_b - mean_b.mean(axis=0)
        size = np.linalg.norm(mean_a) * np.linalg.norm(mean_b)
        gaps.append(gap(found))
        right.append(((mean_b @ found[0].turn) * mean_a).sum() > 0.5 * size)
    return np.array(gaps), np.array(right)


def fitted(gaps: Floats, right: Bools) -> tuple[float, float]:
    """Slope and offset of the curve: `SLOPE`, `OFFSET` came from seeds 0 to 299."""
    from sklearn.linear_model import LogisticRegression

    x = np.log(np.maximum(gaps, _FLOOR))[:, None]
    curve = LogisticRegression(C=100.0).fit(x, right)
    return float(curve.coef_[0, 0]), float(curve.intercept_[0])
