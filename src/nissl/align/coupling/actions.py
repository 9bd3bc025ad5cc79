"""What a round of the loop can do, and what it can be expected to bring.

Other settings of a pair cost nothing and are tried. More windows cost somebody's time, so their
gain is predicted before they are used: half of the windows in use are taken away, and the loss is
laid on the conditions by the law that the variance of a mean falls as one over their number. That
law says nothing of conditions that a pair has hardly seen: there the loop hopes for what other
pairs reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nissl.align.coupling.scores import RULES, Bench, How, Used
from nissl.align.fragments import Bools, Floats, Ints

Pair = tuple[int, int]
SEEN = 2
"""Windows of each condition in both sources from which on the law of means is believed."""
HOPED = 0.3
"""What a pair may reach where no other pair tells."""
N_HALVES = 6
MOST_SMOOTH_S = 1.0
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "noise": ("smoothing", "penalty", "axes", "rule"),
    "units": ("axes", "penalty", "smoothing", "rule"),
    "rates": ("axes", "smoothing", "penalty", "rule"),
    "geometry": ("rule", "axes", "penalty", "smoothing"),
}
"""Which settings are tried first, by the largest reason of the loss."""
USUAL = FAMILIES["noise"]


def others(how: How, family: str) -> list[How]:
    """Neighbours of settings that differ in one thing.

    Parameters
    ----------
    how : How
    family : {"rule", "axes", "smoothing", "penalty"}
    """
    a, n, s, p = how.rule, how.n_axes, how.smooth_s, how.penalty
    if family == "rule":
        return [How(rule, n, s, p) for rule in RULES if rule != a]
    if family == "axes":
        near = {max(2, round(n / 2)), max(2, round(n / 1.4)), round(n * 1.4), n * 2} - {n}
        return [How(a, k, s, p) for k in sorted(near)]
    if family == "smoothing":
        # From none at all one must get away again.
        near_s = (0.0, s / 4, s / 2, s * 2, s * 4) if s > 0 else (0.03, 0.06, 0.12)
        return [How(a, n, round(v, 4), p) for v in near_s if v <= MOST_SMOOTH_S]
    if a != "linear":
        return []
    return [How(a, n, s, round(v, 4)) for v in (p / 10, p / 3, p * 3, p * 10) if 0.01 <= v <= 10]


@dataclass(frozen=True, eq=False)
class Outlook:
    """What windows can bring.

    Parameters
    ----------
    counts : ndarray, shape (n_sources, n_conditions)
        Windows in use.
    free : ndarray, shape (n_sources, n_conditions)
        Windows that could be used.
    loss, error : mapping of pair to float
        What the pair loses with half of its windows, and the standard error over windows scored.
    hope : mapping of pair to float
        What more a pair with conditions that it has hardly seen may reach.
    value : mapping of pair to float
        Skill now, mean of both directions; below 0 where no map is better.
    """

    counts: Ints
    free: Ints
    loss: Mapping[Pair, float]
    error: Mapping[Pair, float]
    hope: Mapping[Pair, float]
    value: Mapping[Pair, float]

    def gain(self, more: Ints) -> tuple[float, float]:
        """Expected gain of the mean skill of pairs by more windows, and its standard error.

        Parameters
        ----------
        more : ndarray of int, shape (n_sources, n_conditions)
        """
        gained, variance = 0.0, 0.0
        for pair in self.loss:
            share, hope = self._of_pair(pair, more)
            now = self.value[pair]
            then = now + max(self.loss[pair], 0.0) * share
            gained += max(min(then, 1.0), 0.0) - max(min(now, 1.0), 0.0) + hope
            variance += (self.error[pair] * share) ** 2
        n = max(len(self.loss), 1)
        return gained / n, float(np.sqrt(variance)) / n

    def _of_pair(self, pair: Pair, more: Ints) -> tuple[float, float]:
        own, extra = self.counts[list(pair)], more[list(pair)]
        known = (own > 0).all(axis=0) & (self.usable(pair))
        less = 1 / np.maximum(own, 1) - 1 / np.maximum(own + extra, 1)
        total = float((1 / np.maximum(own, 1))[:, known].sum())
        share = float(less[:, known].sum()) / total if total else 0.0
        lacking = np.maximum(SEEN - own, 0)[:, self.usable(pair)]
        if pair not in self.hope or not lacking.sum():
            return share, 0.0
        filled = np.minimum(extra[:, self.usable(pair)], lacking)
        # A condition counts when both have it: what is filled alone is worth half.
        return share, self.hope[pair] * float(filled.sum()) / float(lacking.sum())

    def usable(self, pair: Pair) -> Bools:
        """Conditions of which both sources have windows, in use or free, shape (n_conditions,)."""
        both = self.counts[list(pair)] + self.free[list(pair)]
        return np.asarray((both > 0).all(axis=0))

    def covered(self, pair: Pair) -> bool:
        """Whether each usable condition has been seen as often as it can or must be."""
        own = self.counts[list(pair)]
        most = np.minimum(own + self.free[list(pair)], SEEN)
        return bool((own >= most)[:, self.usable(pair)].all())

    def best(self, n: int) -> Ints:
        """Windows to use next, one by one those of the largest gain, (n_sources, n_conditions)."""
        more = np.zeros_like(self.counts)
        for _ in range(n):
            gains = np.where(self.free > more, self._next(more), 0.0)
            at = np.unravel_index(int(np.argmax(gains)), gains.shape)
            if gains[at] <= 0:
                break
            more[at] += 1
        return more

    def next_window(self) -> Floats:
        """Expected gain of one window more, free or not, summed over pairs, shape of `counts`."""
        return self._next(np.zeros_like(self.counts))

    def _next(self, more: Ints) -> Floats:
        """Expected gain of one window beyond `more`, summed over pairs."""
        out = np.zeros(more.shape)
        for pair, loss in self.loss.items():
            rows, usable = list(pair), self.usable(pair)
            own = self.counts[rows]
            known = (own > 0).all(axis=0) & usable
            whole = self._of_pair(pair, self.free)[0]
            now = np.maximum(own + more[rows], 1)
            total = float((1 / np.maximum(own, 1))[:, known].sum())
            # What stays worse than no map with every window there is gains nothing by any.
            if total and self.value[pair] + max(loss, 0.0) * whole > 0:
                out[rows] += max(loss, 0.0) / total * np.where(known, 1 / now - 1 / (now + 1), 0.0)
            lacking = np.where(usable, np.maximum(SEEN - own, 0), 0)
            if pair in self.hope and lacking.sum():
                out[rows] += self.hope[pair] / lacking.sum() * (more[rows] < lacking)
        return out


def outlook(bench: Bench, used: Used, how: Mapping[Pair, How], rng: np.random.Generator) -> Outlook:
    """Look ahead by looking back: what half of the windows took away.

    Parameters
    ----------
    bench : Bench
        Its scores are of the choose part.
    used : sequence of ndarray of int
    how : mapping of pair to How
        Pairs that are still compared.
    rng : numpy.random.Generator
    """
    counts = np.stack([bench.counts(s, used[s]) for s in range(bench.n)])
    whole = np.stack([bench.counts(s, bench.numbers[s]) for s in range(bench.n)])
    halves = [_half(bench, used, rng) for _ in range(N_HALVES)]
    loss, error, value = {}, {}, {}
    for (i, j), own in how.items():
        drop, spread, now = [], [], []
        for a, b in ((i, j), (j, i)):
            full = bench.skill(a, b, own, used)
            less = [bench.skill(a, b, own, half) for half in halves]
            each = full.gained - np.mean([s.gained for s in less], axis=0)
            drop.append(each.sum() / full.signal)
            spread.append(each.std(ddof=1) * np.sqrt(len(each)) / full.signal)
            now.append(full.value)
        loss[i, j] = float(np.mean(drop))
        error[i, j] = float(np.hypot(*spread)) / 2
        value[i, j] = float(np.mean(now))
    found = Outlook(counts, whole - counts, loss, error, {}, value)
    useful = {p: max(v, 0.0) for p, v in value.items()}
    seen = [useful[p] for p in how if found.covered(p)]
    hope = {
        p: max((max(seen) if seen else max(HOPED, useful[p] + HOPED / 2)) - useful[p], 0.0)
        for p in how
        if not found.covered(p)
    }
    return Outlook(counts, whole - counts, loss, error, hope, value)


def _half(bench: Bench, used: Used, rng: np.random.Generator) -> list[Ints]:
    """Half of the windows of each condition of every source; of an odd one by lot."""
    out = []
    for s in range(bench.n):
        of = bench.of_fit[s]
        chosen = np.isin(bench.numbers[s], used[s])
        kept = []
        for c in np.unique(of[chosen]).tolist():
            own = rng.permutation(bench.numbers[s][chosen & (of == c)])
            kept.append(own[: max((len(own) + int(rng.integers(2))) // 2, 0)])
        out.append(np.sort(np.concatenate(kept)))
        if not len(out[-1]):
            out[-1] = np.sort(np.asarray(used[s], np.int64))
    return out
