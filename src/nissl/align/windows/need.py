"""How much one has to record until two populations can be compared: a power estimate.

From the windows at hand (a pilot), more and more are drawn, an alignment is fitted to them, and
what it is worth is scored on windows that were left out. The expected score grows towards a top
as the inverse of the number of windows, for errors of means and of axes do; its scatter falls
with the root of that number. Both are fitted, and read beyond the pilot: the number of windows
with which a score at or above a goal is reached with a stated probability. Scatter that comes from
the few windows of the test is counted in, so that the number is rather too large than too small.
The uncertainty of the estimate comes from leaving out a quarter
of the pilot's windows at random, again and again (delete-d jackknife: Shao and Wu 1989, Ann.
Stat. 17:1176-1197).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.align.fragments import Floats, Fragment, Ints, conditions, runs
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.geometry import compared
from nissl.align.latent.maps import Map
from nissl.align.latent.trajectories import Trajectories, n_steps, trajectories
from nissl.errors import BadArgumentError

POWER = 0.8
LEAST_WINDOWS = 24
"""Of each recording, below which a pilot says nothing."""
LEAST_EACH = 6
"""Of each condition."""
N_SUBSETS = 16
KEPT = 0.75
N_SIZES = 5
N_DRAWN = 12
MOST = 20_000
"""Windows beyond which "no amount" is said."""
TEST = 1 / 3
"""Share of windows that scores are made on."""
Generator = np.random.Generator
Score = Callable[[Fragment, Fragment, Fragment, Generator], tuple[float, float]]
"""``(a, b, windows of b left out, rng) -> (lost, all)``; the score is one minus their ratio, where
`all` is averaged over draws, for the ratio of two noisy numbers is biased."""


@dataclass(frozen=True, eq=False)
class Curve:
    """How a score grows with the number of windows of each recording.

    Parameters
    ----------
    top, drop : float
        The mean is ``top - drop / n``; of a measure that is right or wrong it is passed through
        the logistic function, and n is its logarithm.
    wide : float
        The scatter is ``wide * n ** -0.5``.
    binary : bool
        Whether the score is right or wrong.
    """

    top: float
    drop: float
    wide: float
    binary: bool = False

    def mean(self, n: npt.ArrayLike) -> Floats:
        """Expected score with n windows of each recording."""
        if self.binary:
            return np.asarray(1 / (1 + np.exp(-self.top - self.drop * np.log(np.asarray(n)))))
        return np.asarray(self.top - self.drop / np.asarray(n, float))

    def power(self, n: npt.ArrayLike, goal: float) -> Floats:
        """Probability of a score at or above the goal; of right or wrong, of right."""
        from scipy.stats import norm

        if self.binary:
            return self.mean(n)
        spread = np.maximum(self.wide * np.asarray(n, float) ** -0.5, 1e-9)
        return np.asarray(norm.cdf((self.mean(n) - goal) / spread), float)

    def need(self, goal: float, power: float = POWER, least: int = 2) -> float:
        """Windows of each recording for that power; infinite where no amount is enough."""
        n = np.unique(np.geomspace(least, MOST, 800).round())
        below = np.flatnonzero(self.power(n, goal) < power)
        first = 0 if not len(below) else int(below[-1]) + 1
        return float(n[first]) if first < len(n) else float("inf")


@dataclass(frozen=True, eq=False)
class Need:
    """What has to be recorded.

    Parameters
    ----------
    measure : str
    goal, power : float
    windows : float
        Of each recording; infinite where no amount is enough.
    low, high : float
        90 % interval.
    seconds : float
        Of each recording, at the mean length of a window.
    sizes : ndarray, shape (n_sizes,)
        Numbers of windows that were tried.
    scores : ndarray, shape (n_sizes, n_drawn)
    curve : Curve
    have : int
        Windows that the smaller recording has.
    """

    measure: str
    goal: float
    power: float
    windows: float
    low: float
    high: float
    seconds: float
    sizes: Ints
    scores: Floats
    curve: Curve
    have: int


def carried(a: Fragment, b: Fragment, test: Fragment, rng: Generator) -> tuple[float, float]:
    """Held-out skill: how well b's conditions are told by where a's lie; 1 is perfectly.

    One minus the squared distance between the conditions' means over the variance between b's. Both
    are freed of what single windows of the test scatter (the unbiased variance within conditions is
    subtracted), so that few of them make no lower skill.

    Parameters
    ----------
    a, b : Fragment
        Windows that the alignment is fitted on.
    test : Fragment
        Other windows of b.
    rng : numpy.random.Generator

    Returns
    -------
    lost, whole : float
        Squared distance, and variance between conditions; the skill is one minus their ratio.
    """
    maps = align((a, b), "procrustes", rng=rng, settings=SETTINGS).maps
    steps = n_steps(a, b)
    told = trajectories(a, maps[0].transform(a), steps)
    own = trajectories(b, maps[1].transform(b), steps)
    grand = [np.mean([c.values[c.condition == k].mean(0) for k in _known(c)], axis=0)
             for c in (told, own)]  # fmt: skip
    seen = trajectories(test, maps[1].transform(test), steps)
    away = between = 0.0
    for k in np.intersect1d(_known(told), _known(seen)).tolist():
        x = seen.values[seen.condition == k] - grand[1]
        if len(x) < 2:
            continue
        noise = float(x.var(axis=0, ddof=1).sum()) / len(x)
        mean = x.mean(axis=0)
        said = told.values[told.condition == k].mean(axis=0) - grand[0]
        away += float(((mean - said) ** 2).sum()) - noise
        between += float((mean**2).sum()) - noise
    return away, between


def turned_right(a: Fragment, b: Fragment, test: Fragment, rng: Generator) -> tuple[float, float]:
    """Whether an alignment that saw no condition laid a's conditions over b's, 1 or 0.

    Right is a cosine of the conditions' means above one half, as in
    `nissl.align.latent.confidence`.

    Parameters and returns are as of `carried`; what is lost is 0 or 1 of 1.
    """
    hidden = [f.without_conditions() for f in (a, b)]
    maps = align(hidden, "transport", rng=rng, settings=SETTINGS).maps
    means = [m - m.mean(axis=0) for m in _means((a, b), maps)]
    means = [m.reshape(-1) for m in means]
    size = np.linalg.norm(means[0]) * np.linalg.norm(means[1])
    return 1.0 - float(means[0] @ means[1] > 0.5 * size), 1.0


def detected(a: Fragment, b: Fragment, test: Fragment, rng: Generator) -> tuple[float, float]:
    """How far the likeness of shapes exceeds chance's 95th percentile; above 0 is detected.

    Parameters and returns are as of `carried`; what is lost is one minus the excess, of 1.
    """
    maps = align((a, b), "procrustes", rng=rng, settings=SETTINGS).maps
    means = _means((a, b), maps)
    found = compared(means[0], means[1], "shape", rng, n_null=49)
    return 1.0 - (found.value - found.null_high), 1.0


SETTINGS = Settings(n_axes=6)
MEASURES: Mapping[str, Score] = {"skill": carried, "turn": turned_right, "likeness": detected}
GOALS: Mapping[str, float] = {"skill": 0.5, "turn": 0.5, "likeness": 0.0}
"""What is asked for unless the caller says otherwise."""


def need(
    a: Fragment,
    b: Fragment,
    rng: Generator,
    *,
    measure: str = "skill",
    goal: float | None = None,
    power: float = POWER,
    subsets: int = N_SUBSETS,
    drawn: int = N_DRAWN,
) -> Need:
    """Windows that two recordings need for a stated power at a stated score.

    Parameters
    ----------
    a, b : Fragment
        With windows and conditions, two or more of which both have; the pilot.
    rng : numpy.random.Generator
    measure : {"skill", "turn", "likeness"}
        Held-out skill by conditions; the right turn without them; likeness over its null.
    goal : float, optional
        Of `GOALS` by default.
    power : float
        Probability of reaching it.
    subsets, drawn : int
        Random three quarters of the windows for the interval; draws per size for the scatter.

    Raises
    ------
    BadArgumentError
        Of an unknown measure, of a power outside 0 to 1, of too small a pilot.
    """
    if measure not in MEASURES:
        raise BadArgumentError(f"a measure among {list(MEASURES)}", repr(measure), "Choose one.")
    if not 0 < power < 1:
        raise BadArgumentError("a power between 0 and 1", f"{power:g}", "--power 0.8")
    goal = GOALS[measure] if goal is None else goal
    groups = [_groups(f) for f in (a, b)]
    # Conditions of fewer windows cannot be fitted and tested: they are left out.
    often = [{c for c, own in g.items() if len(own) >= LEAST_EACH} for g in groups]
    common = sorted(often[0] & often[1])
    groups = [{c: g[c] for c in common} for g in groups]
    totals = [sum(len(v) for v in g.values()) for g in groups]
    least = 4 if measure == "likeness" else 2
    if len(common) < least or min(totals) < LEAST_WINDOWS:
        raise BadArgumentError(
            f"a pilot of {least} or more conditions with {LEAST_EACH} windows or more in both, "
            f"{LEAST_WINDOWS} in all",
            f"{len(common)} such conditions, with {totals[0]} and {totals[1]} windows",
            "Record a longer pilot, or take fewer conditions together.",
        )
    sizes, scores, curve = _tried(a, b, groups, measure, rng, drawn)
    best = curve.need(goal, power, 2 * len(common))
    each = []
    for _ in range(subsets):
        kept = [_drawn(g, round(n * KEPT), rng) for g, n in zip(groups, totals, strict=True)]
        inner = [
            {c: np.intersect1d(v, h) for c, v in g.items()}
            for g, h in zip(groups, kept, strict=True)
        ]
        _, _, other = _tried(a, b, inner, measure, rng, max(drawn // 2, 3))
        each.append(other.need(goal, power, 2 * len(common)))
    low, high = _interval(best, np.array(each, float))
    lengths = [(stop - start).mean() * f.bin_s for f in (a, b) for _, start, stop in [runs(f)]]
    seconds = best * float(np.mean(lengths))
    return Need(measure, goal, power, best, low, high, seconds, sizes, scores, curve, min(totals))


def _groups(fragment: Fragment) -> dict[int, Ints]:
    number, _, _ = runs(fragment)
    of = conditions(fragment)
    return {int(c): number[of == c] for c in np.unique(of[of >= 0]).tolist()}


def _drawn(groups: Mapping[int, Ints], n: int, rng: Generator) -> Ints:
    """About n windows, conditions as balanced as they can be, two of each at least."""
    per, over = divmod(n, len(groups))
    order = rng.permutation(len(groups)).tolist()
    out = []
    for k, own in enumerate(groups.values()):
        wanted = max(per + (order[k] < over), 2)
        out.append(rng.permutation(own)[: min(wanted, len(own))])
    return np.sort(np.concatenate(out))


def _tried(
    a: Fragment,
    b: Fragment,
    groups: Sequence[Mapping[int, Ints]],
    measure: str,
    rng: Generator,
    drawn: int,
) -> tuple[Ints, Floats, Curve]:
    """Sizes, mean scores of draws, and the curve through them.

    Of b a third of every condition's windows is left out anew for each draw.
    """
    total = min(sum(len(v) for v in g.values()) for g in groups)
    least = max(2 * len(groups[0]), 8)
    most = max(int(total * (1 - TEST)), least + 2)
    sizes = np.unique(np.geomspace(least, most, N_SIZES).round().astype(np.int64))
    score = MEASURES[measure]
    lost, whole = (np.full((len(sizes), drawn), np.nan) for _ in range(2))
    for row, n in enumerate(sizes.tolist()):
        for k in range(drawn):
            test, rest = _apart(groups[1], rng)
            own = a.in_windows(_drawn(groups[0], n, rng)), b.in_windows(_drawn(rest, n, rng))
            with suppress(BadArgumentError):  # so few windows make no space
                lost[row, k], whole[row, k] = score(*own, b.in_windows(test), rng)
    kept = np.isfinite(lost).sum(axis=1) >= 2
    if kept.sum() < 3:
        raise BadArgumentError(
            "a pilot in which alignments to three numbers of windows can be fitted",
            f"{int(kept.sum())}",
            "Record a longer pilot, or take units that fire more.",
        )
    sizes, lost, whole = sizes[kept], lost[kept], whole[kept]
    scores = 1 - lost / np.maximum(np.nanmean(whole, axis=1, keepdims=True), 1e-12)
    known = np.isfinite(scores)
    return sizes, scores, (_logistic if measure == "turn" else _curve)(sizes, scores, known)


def _apart(groups: Mapping[int, Ints], rng: Generator) -> tuple[Ints, dict[int, Ints]]:
    """Windows of the test, and the rest by condition; two of each at least on either side."""
    test, rest = [], {}
    for c, own in groups.items():
        mixed = rng.permutation(own)
        n = min(max(round(len(own) * TEST), 2), max(len(own) - 2, 1))
        test.append(mixed[:n])
        rest[c] = mixed[n:]
    return np.sort(np.concatenate(test)), rest


def _curve(sizes: Ints, scores: Floats, known: npt.NDArray[np.bool_]) -> Curve:
    """Least squares over inverse sizes; scatter pooled over sizes."""
    y, n = scores[known], np.broadcast_to(sizes[:, None], scores.shape)[known].astype(float)
    x = np.stack([np.ones(len(n)), -1 / n], axis=1)
    top, drop = np.linalg.lstsq(x, y, rcond=None)[0].tolist()
    if drop < 0:  # more windows never make it worse
        top, drop = float(y.mean()), 0.0
    spread = np.nanstd(scores, axis=1, ddof=1) * np.sqrt(sizes)
    return Curve(min(top, 1.0), drop, float(np.median(spread)))


def _logistic(sizes: Ints, scores: Floats, known: npt.NDArray[np.bool_]) -> Curve:
    """Probability of being right, logistic in the logarithm of the size, and never falling."""
    from scipy.optimize import minimize

    right = scores[known] > 0.5
    n = np.broadcast_to(sizes[:, None], known.shape)[known].astype(float)

    def unlikely(theta: Floats) -> float:
        z = theta[0] + theta[1] * np.log(n)
        # A weak prior (as if one draw more had failed and one succeeded) keeps it finite.
        prior = np.log1p(np.exp(-np.array([z.mean(), -z.mean()]))).sum()
        return float(np.log1p(np.exp(-np.where(right, z, -z))).sum() + prior)

    fit = minimize(unlikely, [0.0, 0.5], bounds=[(-60, 60), (0.0, 12.0)])
    return Curve(float(fit.x[0]), float(fit.x[1]), 0.0, True)


def _interval(best: float, subsets: Floats) -> tuple[float, float]:
    """90 % interval of a number of windows, on the scale of logarithms."""
    logs = np.log(np.minimum(subsets, MOST))
    centre = float(np.log(min(best, MOST)))
    # Subsets share most windows: their scatter is widened to that of the whole.
    spread = np.sqrt(KEPT / (1 - KEPT)) * (logs - np.median(logs))
    low, high = (centre + float(q) for q in np.quantile(spread, [0.05, 0.95]))
    top = float("inf") if high >= np.log(MOST) - 1e-9 else float(np.exp(high))
    return float(np.exp(min(low, np.log(MOST)))), top


def _known(course: Trajectories) -> Ints:
    return np.unique(course.condition[course.condition >= 0])


def _means(fragments: Sequence[Fragment], maps: Sequence[Map]) -> list[Floats]:
    """Means of the conditions that both have, shape (n_conditions, n_steps, n_axes) each."""
    steps = n_steps(*fragments)
    course = [trajectories(f, m.transform(f), steps) for f, m in zip(fragments, maps, strict=True)]
    shared = np.intersect1d(_known(course[0]), _known(course[1]))
    return [np.array([c.values[c.condition == k].mean(axis=0) for k in shared]) for c in course]


__all__ = ["GOALS", "MEASURES", "N_SUBSETS", "Curve", "Need", "need"]
