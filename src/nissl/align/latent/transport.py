"""Alignment without labels: windows of two days are paired by optimal transport.

The geometry of a population's activity in windows that come again and again (trials of a task)
stays much the same on another day, whichever units are heard. So the turn of one day's
latents is sought under which the set of its trajectories lies over the other's: couplings of
windows by entropic transport (Cuturi 2013, NIPS 26) and turns by Procrustes, alternately, the
entropy lowered step by step (Wasserstein-Procrustes: Grave, Joulin and Berthet 2019, AISTATS
89:1880-1890).
A symmetric geometry has several such turns. The search begins from many turns of a few
mean trajectories, and says how much dearer the next solution of another kind is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats, Ints
from nissl.align.latent.procrustes import rotation
from nissl.align.latent.trajectories import Trajectories

_STARTS = 256
_MIDDLES = 20
_REFINED = 12
_ROUNDS = 30
_EPSILON = (0.3, 0.02)
_NEVER = 50.0
_LIKE = 0.5
"""Solutions under which trajectories correlate by more than this are of one kind."""
_SAME = 0.85
"""Turns that are refined differ by more than this."""


_Middles = tuple[Floats, Floats, Ints]


@dataclass(frozen=True, eq=False)
class Solution:
    """One way to lay trajectories over each other.

    Parameters
    ----------
    turn : ndarray, shape (n_axes, n_axes)
    coupling : ndarray, shape (n_windows of b, n_windows of a)
        Sums to 1.
    cost : float
        Mean squared distance of coupled windows, in units of the mean square of trajectories.
    """

    turn: Floats
    coupling: Floats
    cost: float


def transported(a: Trajectories, b: Trajectories, rng: np.random.Generator) -> list[Solution]:
    """Ways to lay `b` over `a`, the best first, no two of which couple alike.

    Conditions that are known on both sides are kept: windows of two conditions are never paired.

    Parameters
    ----------
    a, b : Trajectories
        Of latents on a scale of 1.
    rng : numpy.random.Generator
    """
    rough_a, rough_b = _middles(a, rng), _middles(b, rng)
    n_axes = a.values.shape[2]
    starts = np.linalg.qr(rng.standard_normal((_STARTS, n_axes, n_axes)))[0]
    forbidden = _forbidden(rough_a[2], rough_b[2])
    turns, costs = _searched(rough_a, rough_b, starts, forbidden)
    rough = [Solution(turns[k], forbidden, costs[k]) for k in np.argsort(costs, kind="stable")]
    kinds = _unlike(rough, b, _SAME)[:_REFINED]
    found = sorted((refined(a, b, s.turn) for s in kinds), key=lambda s: s.cost)
    return _unlike(found, b, _LIKE)


def refined(a: Trajectories, b: Trajectories, turn: Floats) -> Solution:
    """Go on from one turn, all windows taken one by one."""
    ends = np.geomspace(0.1, _EPSILON[1], _ROUNDS)
    forbidden = _forbidden(a.condition, b.condition)
    even_a, even_b = (np.full(len(t.values), 1 / len(t.values)) for t in (a, b))
    coupling = np.zeros((len(b.values), len(a.values)))
    cost = np.zeros_like(coupling)
    for epsilon in ends:
        cost = _cost(a.values[None], b.values[None], turn[None])[0] + forbidden
        coupling = sinkhorn(cost[None], even_b, even_a, float(epsilon))[0]
        turn = _turn(a.values, b.values, coupling)
    return Solution(turn, coupling, float((coupling * cost).sum()))


def sinkhorn(cost: Floats, b: Floats, a: Floats, epsilon: float, n_rounds: int = 50) -> Floats:
    """Entropic couplings of many costs at once.

    Parameters
    ----------
    cost : ndarray, shape (n, n_b, n_a)
    b, a : ndarray, shape (n_b,), (n_a,)
        Weights that sum to 1.
    epsilon : float
    n_rounds : int

    Returns
    -------
    ndarray, shape (n, n_b, n_a)
        Each sums to 1, and along its last axis to `b` exactly.
    """
    low = cost.min(axis=2, keepdims=True)
    kernel = np.exp(-(cost - low) / epsilon) + 1e-30
    v = np.ones((len(cost), 1, cost.shape[2]))
    u = np.ones((len(cost), cost.shape[1], 1))
    for _ in range(n_rounds):
        v = a / np.maximum(np.swapaxes(u, 1, 2) @ kernel, 1e-290)
        u = b[:, None] / np.maximum(kernel @ np.swapaxes(v, 1, 2), 1e-290)
    return np.asarray(u * kernel * v, float)


def _cost(a: Floats, b: Floats, turns: Floats) -> Floats:
    """Squared distance of windows under each turn, per step, shape (n_turns, n_b, n_a)."""
    steps = a.shape[2]
    turned = (b @ turns[:, None]).reshape(len(turns), b.shape[1], -1)
    flat = a.reshape(1, a.shape[1], -1)
    apart = (turned**2).sum(-1)[:, :, None] + (flat**2).sum(-1)[:, None, :]
    return np.asarray((apart - 2 * turned @ np.swapaxes(flat, 1, 2)) / steps, float)


def _turn(a: Floats, b: Floats, coupling: Floats) -> Floats:
    goal = (coupling @ a.reshape(len(a), -1)).reshape(b.shape)
    n_axes = a.shape[2]
    return rotation(b.reshape(-1, n_axes), goal.reshape(-1, n_axes))


def _searched(
    a: _Middles,
    b: _Middles,
    turns: Floats,
    forbidden: Floats,
) -> tuple[Floats, Floats]:
    """All turns at once, on a few mean trajectories: turns, and their costs."""
    costs = np.zeros(len(turns))
    for epsilon in np.geomspace(*_EPSILON, _ROUNDS):
        cost = _cost(a[0][None], b[0][None], turns) + forbidden
        coupling = sinkhorn(cost, b[1], a[1], float(epsilon))
        costs = (coupling * cost).sum(axis=(1, 2))
        goal = (coupling @ a[0].reshape(len(a[0]), -1)).reshape(len(turns), *b[0].shape)
        u, _, v = np.linalg.svd(np.einsum("btk,nbtl->nkl", b[0], goal))
        turns = u @ v
    return turns, costs


def _middles(t: Trajectories, rng: np.random.Generator) -> _Middles:
    """Mean trajectories of groups of like windows: values, share of windows, condition or -1."""
    from sklearn.cluster import KMeans

    known = np.unique(t.condition)
    values, share, kind = [], [], []
    for c in known.tolist():
        own = t.values[t.condition == c]
        n = max(1, min(round(_MIDDLES * len(own) / len(t.values)), len(own)))
        seed = int(rng.integers(2**31))
        group = KMeans(n, n_init=4, random_state=seed).fit_predict(own.reshape(len(own), -1))
        for g in range(n):
            values.append(own[group == g].mean(axis=0))
            share.append((group == g).sum() / len(t.values))
            kind.append(c)
    return np.array(values), np.array(share), np.array(kind, np.int64)


def _forbidden(a: Ints, b: Ints) -> Floats:
    """Cost to pair windows of conditions that are known and differ, shape (n_b, n_a)."""
    both = (b[:, None] >= 0) & (a[None] >= 0)
    return np.asarray(np.where(both & (b[:, None] != a[None]), _NEVER, 0.0), float)


def _unlike(found: list[Solution], b: Trajectories, like: float) -> list[Solution]:
    """The best of each kind: those that send trajectories to the same places are of one kind."""
    flat = b.values.reshape(-1, b.values.shape[2])
    size = (flat**2).sum()
    kept: list[Solution] = []
    for one in found:
        if all(((flat @ one.turn) * (flat @ k.turn)).sum() < like * size for k in kept):
            kept.append(one)
    return kept
