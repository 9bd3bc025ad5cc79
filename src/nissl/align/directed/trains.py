"""Transfer entropy between spike trains in bins: all pairs, higher orders, and delays.

Trains are sparse, so only bins with a spike of the source are counted; what involves none
follows by subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.align.directed.arrows import Arrow, Arrows, judge
from nissl.errors import BadArgumentError, BadSamplesError
from nissl.run.progress import Progress, Silent
from nissl.trust.discoveries import benjamini_hochberg

STAGE = "arrows"
Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Window = tuple[int, int]

OWN_PAST: tuple[Window, ...] = ((1, 3), (3, 7), (7, 15), (15, 31))
"""Bins before the predicted one, half-open, of which a target's past says whether it fired."""


@dataclass(frozen=True)
class Order:
    """What is looked at in bins before the predicted one.

    Parameters
    ----------
    own : tuple of (int, int)
        Windows of the target's past, one bit each.
    source : int
        Width of the source's word in bins, one bit each.
    delays : tuple of int
        From the newest bin of that word to the predicted one.
    """

    own: tuple[Window, ...] = OWN_PAST
    source: int = 1
    delays: tuple[int, ...] = tuple(range(1, 31))

    def __post_init__(self) -> None:
        if self.source < 1 or not self.delays or min(self.delays) < 1:
            raise BadArgumentError(
                "a word of one bin or more, and delays of 1 or more",
                f"{self.source} and {self.delays}",
                "Give other delays.",
            )


def binned(
    times_s: Sequence[npt.ArrayLike], duration_s: float, *, bin_s: float = 1e-3
) -> tuple[tuple[Indices, ...], int]:
    """Bins that hold a spike, of each train, and the number of bins."""
    n_bins = int(np.ceil(duration_s / bin_s))
    trains = []
    for times in times_s:
        at = np.floor(np.asarray(times, dtype=np.float64) / bin_s)
        trains.append(np.unique(at[(at >= 0) & (at < n_bins)]).astype(np.int64))
    return tuple(trains), n_bins


def jittered(train: Indices, width: int, n_bins: int, rng: np.random.Generator) -> Indices:
    """Each spike anywhere in its window of `width` bins, so that the rate stays.

    References
    ----------
    Amarasingham et al. 2012, J. Neurophysiol. 107:517.
    """
    moved = train // width * width + rng.integers(0, width, train.size)
    return np.unique(np.minimum(moved, n_bins - 1))


def transfer_all(trains: Sequence[Indices], n_bins: int, order: Order | None = None) -> Values:
    """Transfer entropy of every ordered pair at every delay.

    Parameters
    ----------
    trains : sequence of ndarray, int64
        Sorted, distinct bins with a spike.
    n_bins : int
    order : Order, optional

    Returns
    -------
    ndarray, shape (n_delays, n_trains, n_trains), float64
        From source (row) to target (column), nats per bin.

    References
    ----------
    Ito et al. 2011, PLoS ONE 6:e27431, for delays and higher orders.
    """
    asked = order or Order()
    out = np.zeros((len(asked.delays), len(trains), len(trains)))
    for at, train in enumerate(trains):
        symbols = _symbols(train, asked.own, n_bins)
        out[:, :, at] = _scan(symbols, _words(trains, asked, n_bins), asked)
    return out


@dataclass(frozen=True, eq=False)
class _Symbols:
    """What a target does in every bin: bit 0 whether it fires, then its past and others'.

    Parameters
    ----------
    of_bin : ndarray, shape (n_bins,), int64
    n : int
        Number of symbols.
    totals : ndarray, shape (n,), int64
    """

    of_bin: Indices
    n: int
    totals: Indices


def _symbols(
    train: Indices,
    windows: Sequence[Window],
    n_bins: int,
    given: Sequence[tuple[Indices, Window]] = (),
) -> _Symbols:
    parts = [(train, (0, 1)), *((train, window) for window in windows), *given]
    out = np.zeros(n_bins, dtype=np.int64)
    for at, (spikes, window) in enumerate(parts):
        reached = np.unique((spikes[:, None] + np.arange(*window)).reshape(-1))
        out[reached[(reached >= 0) & (reached < n_bins)]] |= 1 << at
    n = 1 << len(parts)
    return _Symbols(out, n, np.bincount(out, minlength=n))


@dataclass(frozen=True, eq=False)
class _Words:
    """Bins in which sources have a word other than zero, of all sources one after another."""

    bins: Indices
    source: Indices
    word: Indices
    n_sources: int
    n_words: int


def _words(trains: Sequence[Indices], order: Order, n_bins: int) -> _Words:
    bins, sources, words = [], [], []
    for at, train in enumerate(trains):
        times = (train[:, None] + np.arange(order.source)).reshape(-1)
        bits = np.tile(1 << np.arange(order.source), len(train))
        where, back = np.unique(times, return_inverse=True)
        bins.append(where)
        words.append(np.bincount(back, bits).astype(np.int64))
        sources.append(np.full(where.size, at))
    return _Words(
        np.concatenate(bins),
        np.concatenate(sources),
        np.concatenate(words),
        len(trains),
        1 << order.source,
    )


def _scan(target: _Symbols, words: _Words, order: Order, *, scaled: bool = False) -> Values:
    """Transfer entropy from every source at every delay, shape (n_delays, n_sources)."""
    out = np.zeros((len(order.delays), words.n_sources))
    n_bins, n = len(target.of_bin), target.n
    row = (words.source * words.n_words + words.word) * n
    shape = (words.n_sources, words.n_words, n)
    for at, delay in enumerate(order.delays):
        when = words.bins + delay
        kept = when < n_bins
        keys = row[kept] + target.of_bin[when[kept]]
        counts = np.bincount(keys, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
        counts[:, 0] = target.totals - counts[:, 1:].sum(axis=1)
        out[at] = _of_counts(counts) / n_bins
        if scaled:
            out[at] = _scaled(out[at] * n_bins, counts)
    return out


def _of_counts(counts: Values) -> Values:
    """Transfer entropy times bins of counts (source, word, symbol); bit 0 of a symbol is now."""
    split = counts.reshape(*counts.shape[:2], -1, 2)  # past, now
    pooled = split.sum(axis=1)
    terms = [(split, 1.0), (split.sum(axis=3), -1.0), (pooled, -1.0), (pooled.sum(axis=2), 1.0)]
    out = np.zeros(len(counts))
    for part, sign in terms:
        full = part > 0
        out += sign * (part * np.log(np.where(full, part, 1.0))).reshape(len(counts), -1).sum(
            axis=1
        )
    return out


def _scaled(gain: Values, counts: Values) -> Values:
    """What `_of_counts` gives, from its mean without transfer and in units of its spread then.

    A source that shares bins with what is conditioned on fills other cells than its jittered
    copies do, and each filled cell adds a little, and varies: the same scale makes them compare.
    """
    split = counts.reshape(*counts.shape[:2], -1, 2)
    seen = split.sum(axis=3)
    pooled = split.sum(axis=1)
    of_state = pooled.sum(axis=2)
    fires = pooled[:, :, 1] / np.maximum(of_state, 1.0)
    cells, states = _at(seen * fires[:, None]), _at(of_state * fires)
    mean = _MEAN[cells].sum(axis=(1, 2)) - _MEAN[states].sum(axis=1)
    # the common word holds nearly all of a state, and what varies there cancels
    spread = np.sqrt(np.maximum(_VARIANCE[cells[:, 1:]].sum(axis=(1, 2)), 0.25))
    return np.asarray((gain - mean) / spread)


def _at(expected: Values) -> Indices:
    return np.asarray(np.minimum(np.sqrt(expected) * 100, len(_MEAN) - 1), dtype=np.int64)


def _chance() -> tuple[Values, Values]:
    """Mean and variance of k log(k/m) - k + m for k that is Poisson with mean m, by root of m."""
    mean = (np.arange(1001) / 100.0)[:, None] ** 2
    k = np.arange(220)
    log_k = np.concatenate([[0.0], np.cumsum(np.log(k[1:]))])
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.exp(k * np.log(mean) - mean - log_k)
        gain = np.where(k > 0, k * np.log(k / mean), 0.0) - k + mean
        first = (chance * gain).sum(axis=1)
        second = (chance * gain**2).sum(axis=1)
    first[0] = second[0] = 0.0
    return first, second - first**2


_MEAN, _VARIANCE = _chance()


def gumbel_p(observed: Values, null: Values) -> Values:
    """P values of maxima, by the extreme-value distribution that fits their null.

    Parameters
    ----------
    observed : ndarray, shape (...)
    null : ndarray, shape (n_surrogates, ...)

    Notes
    -----
    Moments, since the maximum over delays is what each null value is; it reaches beyond the
    number of surrogates, which the correction for many pairs needs.
    """
    scale = np.maximum(null.std(axis=0, ddof=1) * np.sqrt(6) / np.pi, 1e-300)
    place = null.mean(axis=0) - 0.5772156649015329 * scale
    return np.asarray(-np.expm1(-np.exp(-(observed - place) / scale)))


def directed_trains(
    trains: Sequence[Indices],
    n_bins: int,
    *,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
    order: Order | None = None,
    surrogates: int = 40,
    jitter: int = 50,
    alpha: float = 0.05,
    multivariate: bool = True,
    most: int = 4,
    progress: Progress | None = None,
) -> Arrows:
    """Arrows between spike trains.

    Parameters
    ----------
    trains : sequence of ndarray, int64
        Sorted, distinct bins of 1 ms with a spike; see `binned`.
    n_bins : int
    rng : numpy Generator
    names : sequence of str, optional
    order : Order, optional
    surrogates : int
        Jittered copies of all sources.
    jitter : int
        Bins in which a surrogate's spikes may move: what is slower counts as rate that is
        shared, not as drive, and delays must be shorter.
    alpha : float
    multivariate : bool
        Whether arrows that the strongest other sources of a target explain are taken back.
    most : int
        How many sources are conditioned on.
    progress : Progress, optional
        Told of each target that is done.

    Notes
    -----
    What no train recorded cannot be conditioned on: a neuron that drives two others with
    different delays leaves an arrow between them.
    """
    asked = order or Order()
    _check(trains, jitter, asked)
    moved = [
        _words([jittered(train, jitter, n_bins, rng) for train in trains], asked, n_bins)
        for _ in range(surrogates)
    ]
    still = _words(trains, asked, n_bins)
    arrows = []
    bar = progress or Silent()
    bar.start(STAGE, len(trains), "targets")
    for target in range(len(trains)):
        found = _tested(_symbols(trains[target], asked.own, n_bins), still, moved, asked)
        arrows += [
            Arrow(source, target, float(v), float(p), delay=int(d), null_high=float(h))
            for source, (v, p, d, h) in enumerate(zip(*found, strict=True))
            if source != target
        ]
        bar.advance(STAGE, 1)
    bar.finish(STAGE)
    if multivariate:
        arrows = _explained(arrows, trains, n_bins, still, moved, asked, alpha, most)
    return judge(
        arrows,
        tuple(names or (str(at) for at in range(len(trains)))),
        method="transfer entropy of spike trains" + (", multivariate" if multivariate else ""),
        unit="nats per bin",
        alpha=alpha,
    )


def _tested(
    target: _Symbols,
    still: _Words,
    moved: Sequence[_Words],
    order: Order,
    *,
    scaled: bool = False,
) -> tuple[Values, Values, Indices, Values]:
    """Of each source: its most over delays, P value, delay, and what chance stays below."""
    found = _scan(target, still, order, scaled=scaled)
    null = np.asarray([_scan(target, each, order, scaled=scaled).max(axis=0) for each in moved])
    peak = found.max(axis=0)
    delays = np.asarray(order.delays)[found.argmax(axis=0)]
    return peak, gumbel_p(peak, null), delays, np.quantile(null, 0.95, axis=0)


def _check(trains: Sequence[Indices], jitter: int, order: Order) -> None:
    silent = [at for at, train in enumerate(trains) if len(train) < 20]
    if len(trains) < 2 or silent:
        raise BadSamplesError(
            "two or more trains of at least 20 spikes",
            f"{len(trains)} trains, {len(silent)} of them with fewer (first: {silent[:5]})",
            "Leave the silent units out.",
        )
    unsorted = [at for at, train in enumerate(trains) if (np.diff(train) <= 0).any()]
    if unsorted:
        raise BadSamplesError(
            "trains of sorted, distinct bins",
            f"{len(unsorted)} that are not (first: {unsorted[:5]})",
            "Make them with `binned`.",
        )
    if jitter <= max(order.delays):
        raise BadArgumentError(
            f"a jitter above the longest delay, {max(order.delays)} bins",
            f"{jitter}",
            "Widen the jitter or shorten the delays.",
        )


def _explained(
    arrows: list[Arrow],
    trains: Sequence[Indices],
    n_bins: int,
    still: _Words,
    moved: Sequence[_Words],
    order: Order,
    alpha: float,
    most: int,
) -> list[Arrow]:
    """Test each target's sources given the strongest, which are taken one after another.

    Estimates stay those of pairs.
    """
    q = benjamini_hochberg([a.p for a in arrows])
    candidates: dict[int, list[int]] = {}
    for at, arrow in enumerate(arrows):
        if q[at] <= alpha:
            candidates.setdefault(arrow.target, []).append(at)
    out = list(arrows)
    for target, left in candidates.items():
        taken: list[int] = []
        while left and len(taken) < most:
            given = _given(trains, [out[at] for at in taken], order)
            symbols = _symbols(trains[target], order.own, n_bins, given)
            picked = [arrows[at].source for at in left]
            peak, p, delays, high = _tested(
                symbols,
                _of(still, picked),
                [_of(each, picked) for each in moved],
                order,
                scaled=True,
            )
            for at, chance, d in zip(left, p, delays, strict=True):
                worst = max(arrows[at].p, min(1.0, float(chance) * (len(trains) - 1)))
                out[at] = replace(arrows[at], p=worst, delay=int(d))
            excess = np.where(p * (len(trains) - 1) <= alpha, peak - high, -np.inf)
            best = int(np.argmax(excess))
            if not np.isfinite(excess[best]):
                break
            taken.append(left.pop(best))
            # those that the taken ones explain are not asked again
            left = [at for at in left if out[at].p <= alpha]
        for at in taken:  # the first were taken before the others were known
            given = _given(trains, [out[each] for each in taken if each != at], order)
            symbols = _symbols(trains[target], order.own, n_bins, given)
            only = [arrows[at].source]
            _, p, _, _ = _tested(
                symbols, _of(still, only), [_of(m, only) for m in moved], order, scaled=True
            )
            out[at] = replace(out[at], p=max(out[at].p, min(1.0, float(p[0]) * (len(trains) - 1))))
    return out


def _given(
    trains: Sequence[Indices], taken: Sequence[Arrow], order: Order
) -> list[tuple[Indices, Window]]:
    """What is known of other sources: whether they fired at their delay, and shortly before.

    Bins of its word have bits of their own, since the timing of a follower tells them apart.
    """
    out = []
    for arrow in taken:
        train, last = trains[arrow.source], arrow.delay + order.source
        out += [(train, (at, at + 1)) for at in range(arrow.delay, last)]
        out.append((train, (last, last + 6)))
    return out


def _of(words: _Words, sources: Sequence[int]) -> _Words:
    """Words of some sources only, numbered anew."""
    new = np.full(words.n_sources, -1, dtype=np.int64)
    new[list(sources)] = np.arange(len(sources))
    kept = new[words.source] >= 0
    return replace(
        words,
        bins=words.bins[kept],
        source=new[words.source[kept]],
        word=words.word[kept],
        n_sources=len(sources),
    )
