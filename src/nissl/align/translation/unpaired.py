"""Unpaired translation: a rule learnt in one population predicts what another does next.

Nothing was recorded at the same time and no unit is the same. The reference's latents teach a rule
of how activity goes on (`dynamics`). The other population is laid over the reference's space by an
aligner that sees no labels, on its calibration windows; then the rule, unchanged (zero-shot) or
corrected by a few of these windows (adapted), predicts its units in windows that nothing was fitted
on, one to several bins ahead, from the bins up to now and no later ones. What is predicted are
square roots of counts (`latents.smoothing`), through the axes of the population's own space.

Beside it stand the population's own rule of all calibration windows (what is to be had), its own
rule of the few windows alone, the latents as they are now (persistence), the mean course of its
calibration windows, and two nulls. "turned": the population laid over the reference by random
rotations; where these do as well, what carries over is that activity is slow, and the alignment
says nothing. "scrambled": the rule learnt from the reference's latents with random phases, each
axis by itself, which keeps the rhythm of each axis and nothing between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints, runs, same_bins
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.maps import Aligned, Map
from nissl.align.translation.dynamics import Course, Dynamics, adapted, best, learnt, turned
from nissl.align.translation.scores import scrambled
from nissl.errors import BadArgumentError

FEWEST_WINDOWS = 10
RESAMPLED = 200
ZERO, ADAPTED, OWN, FEW = "zero-shot", "adapted", "own", "own, few windows"
STAYS, COURSE = "persistence", "mean course"
WAYS = (ZERO, ADAPTED, FEW, OWN, STAYS, COURSE)


@dataclass(frozen=True, eq=False)
class Carried:
    """What a rule of one population tells of another.

    Parameters
    ----------
    names : tuple of str
        The reference, and the population that is predicted.
    skill, low, high : mapping of str to ndarray, shape (n_steps,)
        Variance explained by each of `WAYS` so many bins ahead, over all units, about the mean of
        the calibration windows; with the 95 % interval over test windows.
    short : tuple of float
        By how much the unchanged rule falls short of the own one over all steps, and the 95 %
        interval over test windows.
    home : ndarray, shape (n_steps,)
        The reference's rule in its own windows: learnt on half, read on the other.
    turned, scrambled : ndarray, shape (n_null, n_steps)
        Of the unchanged rule under both nulls.
    by_unit : mapping of str to ndarray, shape (n_units,)
        Skill of zero-shot and own rule over all steps; NaN for units that never change.
    by_window : mapping of str to ndarray, shape (n_test,)
    rule : Dynamics
        The reference's.
    aligned : Aligned
    adapted_on : int
        Windows that the rule was adapted on.
    evidence : float
        Bins that the reference's rule counted for beside them.
    came : Fragment
        Bins of test windows that are predicted one step ahead, in square roots.
    said : mapping of str to ndarray, shape (n_bins, n_units)
        Of these bins, by the unchanged and by the own rule.
    """

    names: tuple[str, str]
    skill: Mapping[str, Floats]
    low: Mapping[str, Floats]
    high: Mapping[str, Floats]
    short: tuple[float, float, float]
    home: Floats
    turned: Floats
    scrambled: Floats
    by_unit: Mapping[str, Floats]
    by_window: Mapping[str, Floats]
    rule: Dynamics
    aligned: Aligned
    adapted_on: int
    evidence: float
    came: Fragment
    said: Mapping[str, Floats]

    def mean(self, way: str) -> float:
        """Skill over all steps."""
        return float(self.skill[way].mean())

    def p(self, null: str) -> float:
        """Share of a null ("turned", "scrambled") that reaches the unchanged rule."""
        means = getattr(self, null).mean(axis=1)
        return (1 + int((means >= self.mean(ZERO)).sum())) / (1 + len(means))


def carry(
    reference: Fragment,
    other: Fragment,
    rng: np.random.Generator,
    *,
    method: str = "transport",
    settings: Settings | None = None,
    n_steps: int = 5,
    adapt_on: int = 5,
    n_null: int = 49,
) -> Carried:
    """Learn a rule in one population and predict another by it.

    Parameters
    ----------
    reference, other : Fragment
        Windows of one kind (trials, laps), not at the same times. Half of the windows of `other`
        are the calibration part; conditions are hidden from the aligner.
    rng : numpy.random.Generator
    method : str
        An aligner that needs no labels; see `nissl.align.latent.aligners.NEEDS`.
    settings : Settings, optional
        Of the aligner.
    n_steps : int
        Bins ahead, at most; fewer where windows are short.
    adapt_on : int
        Windows of the calibration part that the rule is adapted on.
    n_null : int
        Of each null.

    Raises
    ------
    BadArgumentError
        Of fewer than ten windows, windows too short to predict within, or what the aligner says.
    """
    same_bins((reference, other))
    own_settings = settings or Settings()
    number = [_numbers(f) for f in (reference, other)]
    order = rng.permutation(number[1])
    half = len(order) // 2
    calibration, test = (other.in_windows(w) for w in (order[:half], order[half:]))
    home = reference.in_windows(number[0])
    aligned = align(
        (home.without_conditions(), calibration.without_conditions()),
        method,
        rng=rng,
        settings=own_settings,
    )
    here, there = (_raw(m, f) for m, f in zip(aligned.maps, (home, calibration), strict=True))
    longest = [int(np.median(b - a)) for _, a, b in (runs(home), runs(test))]
    n_steps = max(min(n_steps, min(longest) - 1), 1)
    first = _course(home, here)
    rule = best(first, n_steps, rng)
    known = _course(calibration, there)
    few = known.take(rng.permutation(len(known.start))[:adapt_on])
    changed, evidence = adapted(rule, few, n_steps)
    seen = _course(test, there)
    judge = Judge(test, there, seen, n_steps)
    own = best(known, n_steps, rng)
    said = {
        ZERO: rule.ahead(seen, n_steps),
        ADAPTED: changed.ahead(seen, n_steps),
        FEW: learnt(few, rule.order, rule.penalty).ahead(seen, n_steps),
        OWN: own.ahead(seen, n_steps),
        STAYS: np.repeat(seen.values[None], n_steps, axis=0),
    }
    lost = {way: judge.lost(values) for way, values in said.items()}
    lost[COURSE] = judge.lost_by_course(there.prepared(calibration), known)
    skill, low, high = {}, {}, {}
    for way, each in lost.items():
        skill[way] = judge.skill(each)
        low[way], high[way] = np.quantile(judge.drawn(each), [0.025, 0.975], axis=0)
    apart = (judge.drawn(lost[OWN]) - judge.drawn(lost[ZERO])).mean(axis=1)
    short = float((skill[OWN] - skill[ZERO]).mean()), *np.quantile(apart, [0.025, 0.975]).tolist()
    nulls = [
        [judge.skill(judge.lost(_turned_anew(rule, rng).ahead(seen, n_steps)))
         for _ in range(n_null)],
        [judge.skill(judge.lost(_scrambled(first, rule, rng).ahead(seen, n_steps)))
         for _ in range(n_null)],
    ]  # fmt: skip
    rows, _ = seen.steps(1)
    shown = {way: there.inverse(said[way][0][rows]) for way in (ZERO, OWN)}
    return Carried(
        (reference.name, other.name), skill, low, high, short,
        _at_home(home, here, rule, n_steps, rng),
        np.array(nulls[0]), np.array(nulls[1]),
        {way: judge.by_unit(lost[way]) for way in (ZERO, OWN)},
        {way: judge.by_window(lost[way]) for way in (ZERO, OWN)},
        rule, aligned, len(few.start), evidence,
        replace(test.take(rows + 1), activity=judge.x[rows + 1]), shown,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Judge:
    """Squared errors of predictions of a population's units, by step, window and unit.

    Parameters
    ----------
    test : Fragment
    reads : Map
        Of the population, without smoothing; its mean is what skill is told about.
    course : Course
        Latents of `test`.
    n_steps : int
    """

    test: Fragment
    reads: Map
    course: Course
    n_steps: int

    @cached_property
    def x(self) -> Floats:
        """What came, in square roots, shape (n_bins, n_units)."""
        return self.reads.prepared(self.test)

    @cached_property
    def total(self) -> Floats:
        """Squared distance from the mean, shape (n_steps, n_windows, n_units)."""
        return self._of(lambda k, rows: self.x[rows + k + 1] - self.reads.mean)

    def lost(self, said: Floats) -> Floats:
        """The same of latents that were said, (n_steps, n_bins, n_axes)."""
        return self._of(lambda k, rows: self.x[rows + k + 1] - self.reads.inverse(said[k][rows]))

    def lost_by_course(self, x: Floats, known: Course) -> Floats:
        """The same of the mean of other windows at the same time since they began."""
        longest = int((known.stop - known.start).max())
        course = np.repeat(self.reads.mean[None], longest, axis=0)
        for t in range(longest):
            there = known.start[known.start + t < known.stop] + t
            # Drawn to the mean where few windows are that long.
            course[t] += (x[there] - self.reads.mean).sum(axis=0) / (len(there) + 1)
        at = np.zeros(len(self.x), np.int64)
        for a, b in zip(self.course.start, self.course.stop, strict=True):
            at[a:b] = np.minimum(np.arange(b - a), longest - 1)
        return self._of(lambda k, rows: self.x[rows + k + 1] - course[at[rows + k + 1]])

    def _of(self, left: Callable[[int, Ints], Floats]) -> Floats:
        out = []
        for k in range(self.n_steps):
            rows, window = self.course.steps(k + 1)
            sums = np.concatenate([np.zeros((1, self.x.shape[1])), left(k, rows) ** 2]).cumsum(0)
            edges = np.searchsorted(window, np.arange(len(self.course.start) + 1))
            out.append(np.diff(sums[edges], axis=0))
        return np.array(out)

    def skill(self, lost: Floats) -> Floats:
        """Variance explained by step, over all units."""
        return np.asarray(1 - lost.sum(axis=(1, 2)) / self.total.sum(axis=(1, 2)), float)

    def drawn(self, lost: Floats) -> Floats:
        """`skill` of windows drawn anew, the same for all, shape (RESAMPLED, n_steps)."""
        n = len(self.course.start)
        times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLED)
        return np.asarray(
            1 - (times @ lost.sum(axis=2).T) / (times @ self.total.sum(axis=2).T), float
        )

    def by_unit(self, lost: Floats) -> Floats:
        """Variance explained of each unit over all steps; NaN where it never changes."""
        total = self.total.sum(axis=(0, 1))
        total = np.where((np.ptp(self.x, axis=0) > 0) & (total > 0), total, np.nan)
        return np.asarray(1 - lost.sum(axis=(0, 1)) / total, float)

    def by_window(self, lost: Floats) -> Floats:
        """Variance explained in each window over all steps."""
        return np.asarray(1 - lost.sum(axis=(0, 2)) / self.total.sum(axis=(0, 2)), float)


def _numbers(fragment: Fragment) -> Ints:
    number, start, stop = runs(fragment)
    if fragment.window is None or len(number) < FEWEST_WINDOWS:
        raise BadArgumentError(
            f"{FEWEST_WINDOWS} or more windows (trials, laps) of {fragment.name!r}",
            "none" if fragment.window is None else f"{len(number)}",
            "A rule has to be tested in windows that it has not seen: name more of them.",
        )
    if np.median(stop - start) < 3:
        raise BadArgumentError(
            f"windows of {fragment.name!r} of three bins or more",
            f"{int(np.median(stop - start))}",
            "Ask for shorter bins, or longer windows: within them one bin predicts the next.",
        )
    return number


def _raw(reads: Map, fragment: Fragment) -> Map:
    """The map without smoothing, which would bring later bins into earlier ones."""
    plain = replace(reads, smooth_s=0.0)
    return replace(plain, mean=plain.prepared(fragment).mean(axis=0))


def _course(fragment: Fragment, reads: Map) -> Course:
    _, start, stop = runs(fragment)
    return Course(reads.transform(fragment), start, stop)


def _at_home(
    home: Fragment, here: Map, rule: Dynamics, n_steps: int, rng: np.random.Generator
) -> Floats:
    """Skill of a rule of half of the reference's windows on the other half."""
    number = rng.permutation(runs(home)[0])
    parts = [home.in_windows(w) for w in np.array_split(number, 2)]
    train, test = (_course(f, here) for f in parts)
    judge = Judge(parts[1], here, test, n_steps)
    said = learnt(train, rule.order, rule.penalty).ahead(test, n_steps)
    return judge.skill(judge.lost(said))


def _turned_anew(rule: Dynamics, rng: np.random.Generator) -> Dynamics:
    n = rule.weights.shape[1]
    return turned(rule, np.linalg.qr(rng.standard_normal((n, n)))[0])


def _scrambled(course: Course, rule: Dynamics, rng: np.random.Generator) -> Dynamics:
    """The rule of latents with random phases, each axis by itself."""
    latents = Fragment("latents", course.values, 1.0)
    noise = scrambled(latents, np.arange(latents.n_bins), rng, alike=False)
    return learnt(replace(course, values=noise.activity), rule.order, rule.penalty)
