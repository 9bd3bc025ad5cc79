"""The verdict: skill on the sealed part, once, before the loop, after it, and with all windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nissl.align.coupling.rounds import N_NULL
from nissl.align.coupling.scores import Bench, Skill
from nissl.align.coupling.split import Parts
from nissl.align.coupling.state import Round

_Z90 = 1.645


@dataclass(frozen=True)
class Verdict:
    """Skill of one ordered pair in windows that nothing was fitted or chosen on.

    Parameters
    ----------
    read, predicted : str
    before, after, everything : float
        With the windows and settings of the beginning, of the end, and with all windows and the
        settings of the end.
    low, high : float
        90 % interval of `after`, over windows.
    gain_low, gain_high : float
        Of `after` minus `before`.
    null, p : float
        Mean of `after` with conditions in other orders, and how often that reaches it.
    matches : bool
        False where the loop set the pair apart.
    """

    read: str
    predicted: str
    before: float
    after: float
    everything: float
    low: float
    high: float
    gain_low: float
    gain_high: float
    null: float
    p: float
    matches: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {k: getattr(self, k) for k in self.__dataclass_fields__}


def judge(
    parts: Parts, first: Round, last: Round, rng: np.random.Generator, *, n_null: int = N_NULL
) -> list[Verdict]:
    """Open the sealed part and score every ordered pair.

    Parameters
    ----------
    parts : Parts
    first, last : Round
    rng : numpy.random.Generator
    n_null : int
    """
    bench = Bench(parts.fit, parts.test.open("verdict after the last round"))
    whole = tuple(tuple(int(k) for k in numbers) for numbers in bench.numbers)
    every = replace(last.state, used=whole)
    out = []
    for i in range(bench.n):
        for j in range(bench.n):
            if i == j:
                continue
            pair = min(i, j), max(i, j)

            def scored(state: Any, i: int = i, j: int = j, pair: Any = pair) -> Skill:
                return bench.skill(i, j, state.how[pair], state.windows)

            before, after, best = (scored(s) for s in (first.state, last.state, every))
            how, used = last.state.how[pair], last.state.windows
            null = np.array(
                [
                    bench.skill(i, j, how, used, rng.permutation(len(bench.names))).value
                    for _ in range(n_null)
                ]
            )
            half, change = _Z90 * after.error(), after.value - before.value
            half_change = _Z90 * after.error(before)
            out.append(
                Verdict(
                    bench.fit[i].name, bench.fit[j].name, before.value, after.value, best.value,
                    after.value - half, after.value + half,
                    change - half_change, change + half_change,
                    float(null.mean()) if n_null else float("nan"),
                    (1 + int((null >= after.value).sum())) / (1 + n_null),
                    pair not in last.state.apart,
                )
            )  # fmt: skip
    return out
