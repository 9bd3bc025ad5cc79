"""Transfer entropy between spike trains in continuous time, without bins.

The rate of transfer is the mean, over the target's spikes, of the log ratio of its intensity
given both pasts to that given its own, times its rate. By Bayes' rule both intensities are
ratios of the density of pasts seen at spikes to that of pasts seen at any time, and these are
compared by counting neighbours. Pasts are logarithms of intervals between spikes, so that short
and long ones count alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.directed.arrows import Arrow, Arrows, judge
from nissl.align.directed.surrogates import p_value
from nissl.errors import BadArgumentError, BadSamplesError
from nissl.run.progress import Progress, Silent

STAGE = "arrows"

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TransferRate:
    """Transfer entropy per second.

    Parameters
    ----------
    value : float
        Nats/s.
    p : float
        Against jittered sources; NaN where none were made.
    null : ndarray, shape (n_surrogates,), float64
    """

    value: float
    p: float
    null: Values


def transfer_rate(
    source_s: npt.ArrayLike,
    target_s: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    own: int = 1,
    theirs: int = 1,
    k: int = 5,
    sampled: float = 2.0,
    surrogates: int = 0,
    jitter_s: float = 0.05,
) -> TransferRate:
    """Transfer entropy rate from one spike train to another.

    Parameters
    ----------
    source_s, target_s : array-like, shape (n_spikes,), float
        Sorted times, s.
    rng : numpy Generator
    own, theirs : int
        Intervals of the target's and of the source's past, the first of which reaches from the
        last spike to now.
    k : int
        Neighbours at least, in the joint space.
    sampled : float
        Random times for each spike of the target.
    surrogates : int
        Jittered sources for the test; zero for none.
    jitter_s : float
        Width of the windows within which a surrogate's spikes move.

    References
    ----------
    Shorten, Spinney and Lizier 2021, PLoS Comput. Biol. 17:e1008054.
    """
    source = _train(source_s, "source", theirs)
    target = _train(target_s, "target", own)
    if own < 1 or theirs < 1 or k < 1 or sampled <= 0:
        raise BadArgumentError(
            "at least one interval of each past, one neighbour, and some random times",
            f"own={own}, theirs={theirs}, k={k}, sampled={sampled}",
            "Leave them at their defaults.",
        )
    first = max(source[theirs - 1], target[own - 1])
    last = min(source[-1], target[-1])
    spikes = target[(target > first) & (target <= last)]
    if spikes.size < 4 * k:
        raise BadSamplesError(
            f"at least {4 * k} spikes of the target while both trains run",
            f"{spikes.size}",
            "Give longer recordings.",
        )
    anytime = rng.uniform(first, last, round(sampled * spikes.size))

    def rate(train: Values) -> float:
        at_spikes, at_any = (
            np.column_stack([_intervals(target, when, own), _intervals(train, when, theirs)])
            for when in (spikes, anytime)
        )
        gain = _log_ratio(at_spikes, at_any, k)
        gain -= _log_ratio(at_spikes[:, :own], at_any[:, :own], k)
        return float(gain.mean() * spikes.size / (last - first))

    null = np.zeros(surrogates)
    for at in range(surrogates):
        window = np.floor(source / jitter_s) * jitter_s
        moved = np.sort(window + jitter_s * rng.random(source.size))
        null[at] = rate(np.concatenate([source[:theirs], moved[moved > source[theirs - 1]]]))
    value = rate(source)
    return TransferRate(value, p_value(value, null) if surrogates else float("nan"), null)


def directed_rates(
    trains_s: Sequence[npt.ArrayLike],
    *,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
    surrogates: int = 99,
    alpha: float = 0.05,
    progress: Progress | None = None,
    **options: Any,
) -> Arrows:
    """Arrows between spike trains in continuous time, each pair by itself.

    Parameters
    ----------
    trains_s : sequence of array-like, shape (n_spikes,), float
        Sorted times, s.
    rng : numpy Generator
    names : sequence of str, optional
    surrogates : int
        Their mean and spread give the null a normal tail, since many pairs need P values beyond
        the number of surrogates.
    alpha : float
    progress : Progress, optional
    **options
        Of `transfer_rate`.
    """
    from scipy.stats import norm

    n, arrows = len(trains_s), []
    bar = progress or Silent()
    bar.start(STAGE, n * (n - 1), "pairs")
    for source in range(n):
        for target in range(n):
            if source == target:
                continue
            found = transfer_rate(
                trains_s[source], trains_s[target], rng=rng, surrogates=surrogates, **options
            )
            spread = max(float(found.null.std(ddof=1)), 1e-12)
            p = float(norm.sf((found.value - found.null.mean()) / spread))
            high = float(np.quantile(found.null, 0.95))
            arrows.append(Arrow(source, target, found.value, p, null_high=high))
            bar.advance(STAGE, 1)
    bar.finish(STAGE)
    return judge(
        arrows,
        tuple(names or (str(at) for at in range(n))),
        method="transfer entropy of spike trains in continuous time",
        unit="nats/s",
        alpha=alpha,
    )


def _train(times: npt.ArrayLike, name: str, least: int) -> Values:
    train = np.asarray(times, dtype=np.float64)
    sorted_ = train.ndim == 1 and bool(np.all(np.diff(train) >= 0))
    if not sorted_ or train.size < least + 20 or not np.isfinite(train).all():
        raise BadSamplesError(
            f"at least {least + 20} sorted spike times",
            f"a {name} of {train.size}, sorted: {sorted_}",
            "Sort the times, and leave silent units out.",
        )
    return train


def _intervals(train: Values, when: Values, n: int) -> Values:
    """Time since the last spike strictly before, then the intervals before that one."""
    last = np.searchsorted(train, when, side="left") - 1
    spikes = train[np.maximum(last[:, None] - np.arange(n), 0)]
    intervals = np.column_stack([when - spikes[:, 0], spikes[:, :-1] - spikes[:, 1:]])
    return np.asarray(np.log(intervals + 1e-3))


def _log_ratio(at_spikes: Values, at_any: Values, k: int) -> Values:
    """Log ratio, at each spike, of the density of pasts at spikes to that at any time.

    Neighbours of both kinds are counted within one radius, the larger of the distances to the
    k-th of each. Each density is then that of its count within the distance to the last counted,
    which takes away the bias of a ball whose edge one of the two defines.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    near, far = cKDTree(at_spikes), cKDTree(at_any)
    own, _ = near.query(at_spikes, k=k + 1, p=1)
    other, _ = far.query(at_spikes, k=[k], p=1)
    radius = np.maximum(own[:, -1], other[:, 0]) * (1 + 1e-12)
    # a spike is its own nearest neighbour among spikes
    n_own = near.query_ball_point(at_spikes, radius, p=1, return_length=True)
    n_other = far.query_ball_point(at_spikes, radius, p=1, return_length=True)
    reach_own = np.maximum(_nth(near, at_spikes, n_own), 1e-12)
    reach_other = np.maximum(_nth(far, at_spikes, n_other), 1e-12)
    counts = digamma(n_own - 1) - digamma(n_other) + np.log(len(at_any) / (len(at_spikes) - 1))
    return np.asarray(counts + at_spikes.shape[1] * np.log(reach_other / reach_own))


def _nth(tree: Any, points: Values, n: npt.NDArray[np.int64]) -> Values:
    """Distance from each point to its n-th neighbour in a tree."""
    out = np.empty(len(points))
    for part in np.array_split(np.argsort(n, kind="stable"), max(1, len(points) // 200)):
        distance, _ = tree.query(points[part], k=np.arange(1, n[part].max() + 1), p=1)
        out[part] = distance[np.arange(len(part)), n[part] - 1]
    return out
