from __future__ import annotations

import numpy as np

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.swaps import swaps

STEP = np.array([0.5, 0.5, 2.0])


def test_two_neurons_taken_for_each_other_are_told_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    right = rng.uniform(0, 60, (3, 10, 3))
    placed = right.copy()
    placed[1, [2, 7]] = placed[1, [7, 2]]
    placed[2, 4] = np.nan
    told = Positions.build([5, 9, 30], placed, items=np.arange(10) + 100)
    named = [each * STEP + rng.normal(0, 0.1, each.shape) for each in right]
    (found,) = swaps(told, named, STEP, 1.5)
    assert found.item == 102
    assert "volume 9" in found.sentence
    assert "102 and 107" in found.sentence


def test_a_place_that_is_merely_off_is_no_swap() -> None:
    right = np.random.default_rng(1).uniform(0, 60, (1, 6, 3))
    placed = right.copy()
    placed[0, 3] += 8
    assert not swaps(Positions.build([0], placed), list(right * STEP), STEP, 1.5)
