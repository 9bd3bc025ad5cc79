"""Rounds of the coupling loop: score, look for the best step, take it, until none pays.

Each round first tries settings that cost nothing, on the worst pair first and in the order that the
reasons of its loss suggest; a gain must exceed its standard error by as much as the number of
settings looked at so far asks for (Bonferroni). Then pairs that do not match are set apart: chance
does as well although both have seen their conditions. Then windows are used whose expected gain is
largest. The loop stops when all windows left are expected to bring less than `enough` asks for, or
less than the standard error of that expectation, or when the budget is used up. While no map is
better than none and conditions have hardly been seen, nothing can be expected: windows are then
used evenly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from nissl.align.coupling.actions import (
    FAMILIES,
    HOPED,
    USUAL,
    Outlook,
    Pair,
    others,
    outlook,
)
from nissl.align.coupling.scores import Bench, How, Skill
from nissl.align.coupling.state import Options, Round, State
from nissl.align.errormap.attribution import reasons
from nissl.align.errormap.windowed import of_windows
from nissl.align.fragments import Ints
from nissl.errors import BadArgumentError

LEVEL = 0.05
LEAST_GAIN = 0.01
"""Of a pair's skill, below which settings are left as they are."""
N_NULL = 99
MOST_ROUNDS = 200
TELLING = 4
"""Windows of a condition that tell what more of them bring, where no map serves yet."""
_AGAIN = 1.5
"""A pair is looked at anew when its windows have grown by this."""


def begin(bench: Bench, *, per_condition: int = 2, how: How | None = None) -> State:
    """Start with the first windows of each condition of every source.

    Parameters
    ----------
    bench : Bench
    per_condition : int
    how : How, optional
        Of all pairs.

    Raises
    ------
    BadArgumentError
        Of fewer than one window of each condition.
    """
    if per_condition < 1:
        raise BadArgumentError(
            "one or more windows of each condition to begin with",
            f"{per_condition}",
            "Nothing can be scored without any: --first 2",
        )
    used = []
    for number, of in zip(bench.numbers, bench.of_fit, strict=True):
        first = [number[of == c][:per_condition] for c in np.unique(of)]
        used.append(tuple(sorted(int(k) for k in np.concatenate(first))))
    pairs = [(i, j) for i in range(bench.n) for j in range(i + 1, bench.n)]
    return State(tuple(used), {p: how or How() for p in pairs})


def couple(
    bench: Bench, start: State, options: Options, done: tuple[Round, ...] = ()
) -> Iterator[Round]:
    """Rounds, one after the other, until the loop stops.

    Parameters
    ----------
    bench : Bench
        Fitted on the fit part, scored on the choose part. The test part is not in reach.
    start : State
    options : Options
    done : tuple of Round, optional
        Rounds of an earlier run, from which it goes on.
    """
    if done:
        last = done[-1]
    else:
        skill = _mean(bench, start)
        n = sum(len(u) for u in start.used)
        last = Round(0, "start", "Begin.", None, "", 0.0, 0.0, 0.0, skill, n, start)
        yield last
    begun = sum(len(u) for u in start.used)
    while last.kind != "stop":
        number = last.number + 1
        if number > MOST_ROUNDS:
            return
        last = _round(bench, last, options, begun, number)
        yield last


def _round(bench: Bench, last: Round, options: Options, begun: int, number: int) -> Round:
    rng = np.random.default_rng([options.seed, number])
    state = last.state
    if not state.live:
        return _stopped(last, number, "No pair of sources matches.")
    value = {p: _both(bench, p, h, state)[0] for p, h in state.live.items()}
    worst = min(value, key=lambda p: value[p])
    reason = last.reason
    if not reason or state.n_windows(worst) >= _AGAIN * state.tried.get(worst, 0):
        reason = _reason(bench, worst, state, rng)
    ahead = outlook(bench, state.windows, state.live, rng)
    known = {p: v for p, v in value.items() if ahead.covered(p)}
    state, better = _settings(bench, state, known, worst, reason)
    if better is not None:
        pair, says, gain, error = better
        n = len(state.live)
        return _after(
            bench, last, state, number, "settings", says, pair, reason, gain / n, error / n
        )
    state, stranger = _stranger(bench, state, known, ahead, rng)
    if stranger is not None:
        says = state.apart[stranger]
        return _after(bench, last, state, number, "apart", says, stranger, reason, 0.0, 0.0)
    last = replace(last, state=state)
    rest = int(ahead.free.sum())
    spent = sum(len(u) for u in state.used) - begun
    room = rest if options.budget is None else min(rest, options.budget - spent)
    gain, error = ahead.gain(ahead.free)
    if not rest:
        return _stopped(last, number, "All windows are in use.", reason)
    if room <= 0:
        return _stopped(last, number, f"The budget of {options.budget} windows is used up.", reason)
    n = min(options.step, room)
    if last.skill <= 0 and _hardly_seen(ahead, state):
        more = _evenly(ahead, state, n)
        new = replace(state, used=_taken(bench, state, more))
        says = (
            f"Use {int(more.sum())} more windows: so few tell nothing of what more bring: "
            f"{_words(bench, more)}."
        )
        return _after(bench, last, new, number, "windows", says, worst, reason, gain, error)
    reach = last.skill + gain
    if options.enough < 1 and gain <= max((1 - options.enough) * reach, error):
        says = (
            f"All {rest} windows left are expected to bring {gain:.3f} (standard error "
            f"{error:.3f}) to a skill of {last.skill:.2f}: not worth it."
        )
        return _stopped(last, number, says, reason)
    more = _random(ahead, state, n, rng) if options.pick == "random" else ahead.best(n)
    if not more.sum():
        return _stopped(last, number, "No window left is expected to bring anything.", reason)
    expected, error = ahead.gain(more)
    new = replace(state, used=_taken(bench, state, more))
    says = f"Use {int(more.sum())} more windows: {_words(bench, more)}."
    return _after(bench, last, new, number, "windows", says, worst, reason, expected, error)


def _settings(
    bench: Bench, state: State, value: Mapping[Pair, float], worst: Pair, reason: str
) -> tuple[State, tuple[Pair, str, float, float] | None]:
    """Try settings of pairs, the worst first; the first that surely gain are taken."""
    from scipy.special import ndtri

    for pair in sorted(value, key=lambda p: value[p]):
        n = state.n_windows(pair)
        if n < _AGAIN * state.tried.get(pair, 0):
            continue
        old = state.how[pair]
        _, before = _both(bench, pair, old, state)
        for family in FAMILIES.get(reason, USUAL) if pair == worst else USUAL:
            best: tuple[float, float, How] | None = None
            for how in others(old, family):
                _, after = _both(bench, pair, how, state)
                gain = sum(b.useful - a.useful for a, b in zip(before, after, strict=True)) / 2
                error = _error([b.error(a) for a, b in zip(before, after, strict=True)])
                if best is None or gain > best[0]:
                    best = gain, error, how
            looked = state.looked + len(others(old, family))
            state = replace(state, looked=looked)
            sure = -float(ndtri(LEVEL / max(looked, 1)))
            if best is not None and best[0] > max(sure * best[1], LEAST_GAIN):
                state = replace(state, how={**state.how, pair: best[2]})
                says = f"{_pair_words(bench, pair)}: {family} {_change(old, best[2], family)}."
                return state, (pair, says, best[0], best[1])
        state = replace(state, tried={**state.tried, pair: n})
    return state, None


def _stranger(
    bench: Bench, state: State, value: Mapping[Pair, float], ahead: Outlook,
    rng: np.random.Generator,
) -> tuple[State, Pair | None]:  # fmt: skip
    """Set one pair apart that chance explains although it has seen its conditions."""
    for pair in sorted(value, key=lambda p: value[p]):
        n = state.n_windows(pair)
        if n < _AGAIN * state.tested.get(pair, 0):
            continue
        usual = float(np.median([v for p, v in value.items() if p != pair] or [HOPED]))
        _, skills = _both(bench, pair, state.how[pair], state)
        own = (skills[0].value + skills[1].value) / 2
        high = own + 1.64 * _error([s.error() for s in skills])
        if high > 0.5 * max(usual, HOPED):
            continue
        null = chance(bench, pair, state.how[pair], state, rng)
        p = (1 + int((null >= own).sum())) / (1 + len(null))
        if p > LEVEL:
            says = (
                f"{_pair_words(bench, pair)} do not match: a skill of {own:.2f} "
                f"(at most {high:.2f}), chance gives as much (p {p:.2f}), in "
                f"{int(ahead.usable(pair).sum())} conditions that both have."
            )
            return replace(state, apart={**state.apart, pair: says}), pair
        state = replace(state, tested={**state.tested, pair: n})
    return state, None


def chance(
    bench: Bench, pair: Pair, how: How, state: State, rng: np.random.Generator, n_null: int = N_NULL
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Skill of a pair, mean of both directions, with conditions in other orders, (n_null,).

    Parameters
    ----------
    bench : Bench
    pair : tuple of int
        Two sources.
    how : How
    state : State
        Whose windows are in use.
    rng : numpy.random.Generator
    n_null : int
    """
    orders = [rng.permutation(len(bench.names)) for _ in range(n_null)]
    i, j = pair
    used = state.windows
    return np.array(
        [
            (bench.skill(i, j, how, used, o).value + bench.skill(j, i, how, used, o).value) / 2
            for o in orders
        ]
    )


def _both(bench: Bench, pair: Pair, how: How, state: State) -> tuple[float, tuple[Skill, Skill]]:
    used = state.windows
    skills = bench.skill(*pair, how, used), bench.skill(*pair[::-1], how, used)
    return (skills[0].useful + skills[1].useful) / 2, skills


def _error(errors: list[float]) -> float:
    """Standard error of the mean of both directions."""
    return float(np.linalg.norm(errors)) / len(errors)


def _mean(bench: Bench, state: State) -> float:
    values = [_both(bench, p, h, state)[0] for p, h in state.live.items()]
    return float(np.mean(values)) if values else 0.0


def _reason(bench: Bench, pair: Pair, state: State, rng: np.random.Generator) -> str:
    """Largest reason of a pair's loss in the fit part; "windows" where they are too few to say."""
    parts = [bench.fit[s].in_windows(state.used[s]) for s in pair]
    try:
        read, predicted = of_windows(parts)
        found = reasons(read, predicted, rng)
    except BadArgumentError:
        return "windows"
    return max(found, key=lambda r: r.loss).name


def _after(
    bench: Bench, last: Round, state: State, number: int, kind: str, says: str,
    pair: Pair, reason: str, expected: float, error: float,
) -> Round:  # fmt: skip
    skill = _mean(bench, state)
    gain = float("nan") if kind == "apart" else skill - last.skill
    n = sum(len(u) for u in state.used)
    return Round(number, kind, says, pair, reason, expected, error, gain, skill, n, state)


def _stopped(last: Round, number: int, says: str, reason: str = "") -> Round:
    return replace(
        last, number=number, kind="stop", says=says, pair=None, reason=reason, expected=0.0,
        error=0.0, gain=0.0,
    )  # fmt: skip


def _hardly_seen(ahead: Outlook, state: State) -> bool:
    """Whether a pair has conditions with fewer windows than tell, and more of them to use."""
    return any(
        bool(((ahead.counts < TELLING) & (ahead.free > 0))[list(pair)][:, ahead.usable(pair)].any())
        for pair in state.live
    )


def _evenly(ahead: Outlook, state: State, n: int) -> Ints:
    """Windows of the conditions that have fewest, one by one."""
    live = sorted({s for p in state.live for s in p})
    more = np.zeros_like(ahead.counts)
    for _ in range(n):
        open_ = np.zeros(more.shape, bool)
        open_[live] = (ahead.free > more)[live]
        if not open_.any():
            break
        counts = np.where(open_, ahead.counts + more, np.iinfo(np.int64).max)
        more[np.unravel_index(int(np.argmin(counts)), counts.shape)] += 1
    return more


def _random(ahead: Outlook, state: State, n: int, rng: np.random.Generator) -> Ints:
    live = sorted({s for p in state.live for s in p})
    pool = [(s, c) for s in live for c, k in enumerate(ahead.free[s].tolist()) for _ in range(k)]
    more = np.zeros_like(ahead.counts)
    for k in rng.permutation(len(pool))[:n].tolist():
        more[pool[k]] += 1
    return more


def _taken(bench: Bench, state: State, more: Ints) -> tuple[tuple[int, ...], ...]:
    """Windows in use with the earliest free ones of each condition."""
    out = []
    for s, used in enumerate(state.used):
        free = ~np.isin(bench.numbers[s], used)
        new: list[int] = []
        for c, n in enumerate(more[s].tolist()):
            new += bench.numbers[s][free & (bench.of_fit[s] == c)][:n].tolist()
        out.append(tuple(sorted({*used, *new})))
    return tuple(out)


def _words(bench: Bench, more: Ints) -> str:
    parts = []
    for s, row in enumerate(more):
        each = [f"{bench.names[c]}" + (f" x{n}" if n > 1 else "") for c, n in enumerate(row) if n]
        if each:
            parts.append(f"{bench.fit[s].name} (conditions {', '.join(each)})")
    return "; ".join(parts)


def _pair_words(bench: Bench, pair: Pair) -> str:
    return f"{bench.fit[pair[0]].name} and {bench.fit[pair[1]].name}"


def _change(old: How, new: How, family: str) -> str:
    key = {"rule": "rule", "axes": "n_axes", "smoothing": "smooth_s", "penalty": "penalty"}[family]
    a, b = getattr(old, key), getattr(new, key)
    return f"{a} to {b}" if isinstance(a, str) else f"{a:g} to {b:g}"
