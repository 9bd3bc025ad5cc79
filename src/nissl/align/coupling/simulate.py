"""Populations with planted reasons why the loop has something to do.

One subject, several days of other units. One day was heard with few windows in use and few of its
conditions, two begin with smoothing and axes that do not suit them, and one, a stranger, has the
same windows under conditions in another order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nissl.align.coupling.rounds import begin
from nissl.align.coupling.scores import Bench, How
from nissl.align.coupling.state import State
from nissl.align.fragments import Fragment
from nissl.align.latent.simulate import simulate_day, simulate_subject

N_CONDITIONS = 16
WRONG = How(n_axes=2, smooth_s=0.6)
"""Settings that the first two days begin with: all of a window smoothed, too few axes."""
FEW, MANY = 5, 3
"""Conditions that the poor day begins with; windows of each that the others begin with."""


@dataclass(frozen=True, eq=False)
class Planted:
    """Simulated sources.

    Parameters
    ----------
    fragments : tuple of Fragment
    poor, stranger : int
        Which of them has few windows in use, and which does not match.
    """

    fragments: tuple[Fragment, ...]
    poor: int
    stranger: int

    def start(self, bench: Bench) -> State:
        """Where the loop begins: wrong settings of the first two, few windows of the poor one."""
        state = begin(bench, per_condition=MANY)
        number, of = bench.numbers[self.poor], bench.of_fit[self.poor]
        first = [number[of == c][:1] for c in range(FEW)]
        used = list(state.used)
        used[self.poor] = tuple(sorted(int(k) for k in np.concatenate(first)))
        how = {**state.how, (0, 1): WRONG}
        return replace(state, used=tuple(used), how=how)


def planted(rng: np.random.Generator, *, n_units: int = 60, per_condition: int = 16) -> Planted:
    """Simulate four sources.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_units : int
    per_condition : int
        Windows of each condition, all parts together.
    """
    subject = simulate_subject(rng)
    days = []
    for name in ("rich", "plain", "poor", "stranger"):
        day = simulate_day(
            rng, subject, name=name, n_units=n_units, n_trials=per_condition * N_CONDITIONS,
            n_conditions=N_CONDITIONS,
        )  # fmt: skip
        days.append(day.fragment)
    order = rng.permutation(N_CONDITIONS)
    held = days[3].condition
    days[3] = replace(days[3], condition=None if held is None else order[held])
    return Planted(tuple(days), 2, 3)
