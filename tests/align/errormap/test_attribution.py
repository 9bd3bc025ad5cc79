"""Reasons: each that is planted alone is named first, and all sum to the loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nissl.align.errormap.attribution import Reason, reasons_of_windows
from nissl.align.errormap.reading import skill_of
from nissl.align.errormap.simulate import PLANTED, Planted, planted
from nissl.align.errormap.windowed import halved
from nissl.errors import BadArgumentError


def found(made: Planted, seed: int = 0) -> dict[str, Reason]:
    told = reasons_of_windows(
        made.source,
        made.target,
        made.common,
        np.random.default_rng(seed),
        halves=made.halves,
        same=made.same,
    )
    assert {one.name for one in told} == set(PLANTED)
    return {one.name: one for one in told}


@pytest.mark.parametrize("reason", PLANTED)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_planted_is_named_first(reason: str, seed: int) -> None:
    made = planted(reason, np.random.default_rng(seed))
    told = found(made)
    losses = {name: round(one.loss, 3) for name, one in told.items()}
    assert next(iter(told)) == reason, losses
    assert told[reason].loss > 0.1, losses
    assert told[reason].tested
    assert told[reason].low <= told[reason].loss <= told[reason].high
    a, b = (halved(one, made.common, made.halves) for one in (made.source, made.target))
    assert_allclose(sum(losses.values()), 1 - skill_of(a, b), atol=5e-3)


def test_what_cannot_be_tested_says_why() -> None:
    made = planted("geometry", np.random.default_rng(0))
    told = found(made)
    assert not told["remapping"].tested
    assert "which units are the same" in told["remapping"].says
    assert not told["rates"].tested, "as many units: nothing to choose among"
    assert not told["drift"].tested
    assert "--halves time" in told["drift"].says
    apart = replace(made, target=replace(made.target, state=made.target.state + 1e3))
    assert "same state" in found(apart)["state"].says
    with pytest.raises(BadArgumentError, match="a reason among"):
        planted("magic", np.random.default_rng(0))


def test_conditions_that_moved_as_one_are_no_remapping() -> None:
    made = planted("remapping", np.random.default_rng(3))
    moved = replace(made.source, condition=(made.source.condition + 3) % 10)
    told = found(replace(made, source=moved, target=made.source))
    assert next(iter(told)) == "geometry"
    assert "moved as one" in told["remapping"].says


def test_all_units_on_another_map_are_remapping() -> None:
    rng = np.random.default_rng(4)
    one, other = planted("geometry", rng), planted("geometry", rng)
    same = (np.arange(50), np.arange(50))
    told = found(Planted(one.source, other.target, one.common, same=same))
    assert next(iter(told)) == "remapping"
    assert told["geometry"].loss == 0
