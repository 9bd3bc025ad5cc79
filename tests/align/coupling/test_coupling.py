"""Coupling loop: what it finds where reasons are planted, and that the test part has no say."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from nissl.align.coupling.actions import Outlook, others
from nissl.align.coupling.judging import judge
from nissl.align.coupling.log import Log, key_of
from nissl.align.coupling.rounds import begin, couple
from nissl.align.coupling.scores import Bench, How
from nissl.align.coupling.simulate import Planted, planted
from nissl.align.coupling.split import Parts, Sealed, split
from nissl.align.coupling.state import Options, Round
from nissl.align.fragments import Fragment, conditions, runs
from nissl.errors import BadArgumentError, CorruptProjectError

OPTIONS = Options(step=16, enough=0.8)
SOME = 6
"""Rounds that are run again: some of each kind."""


@pytest.fixture(scope="module")
def small() -> Planted:
    return planted(np.random.default_rng(3), n_units=40)


@pytest.fixture(scope="module")
def parts(small: Planted) -> Parts:
    return split(small.fragments, np.random.default_rng(0))


@pytest.fixture(scope="module")
def rounds(small: Planted, parts: Parts) -> list[Round]:
    bench = Bench(parts.fit, parts.choose)
    return list(couple(bench, small.start(bench), OPTIONS))


def told(rounds: list[Round]) -> list[str]:
    return [json.dumps(r.to_json(), sort_keys=True) for r in rounds]


def test_parts_are_disjoint_blocks_with_every_condition(small: Planted, parts: Parts) -> None:
    for k, whole in enumerate(small.fragments):
        each = [parts.fit[k], parts.choose[k], parts.test.open("test of the split")[k]]
        numbers = [set(runs(f)[0].tolist()) for f in each]
        assert set.union(*numbers) == set(runs(whole)[0].tolist())
        assert sum(map(len, numbers)) == len(runs(whole)[0])
        for part in each:
            assert len(np.unique(conditions(part))) == 16
    shares = [len(runs(f[0])[0]) for f in (parts.fit, parts.choose)]
    assert shares[0] == pytest.approx(2 * shares[1], rel=0.2)
    assert parts.test.opened


def test_the_loop_does_what_was_planted(small: Planted, rounds: list[Round]) -> None:
    assert rounds[0].kind == "start"
    assert rounds[-1].kind == "stop"
    last = rounds[-1].state
    assert {p for p in last.apart} == {(k, small.stranger) for k in range(3)}
    assert rounds[-1].skill > rounds[0].skill + 0.2
    start = rounds[0].state
    more = [len(a) - len(b) for a, b in zip(last.used, start.used, strict=True)]
    assert max(more) == more[small.poor]
    assert more[small.stranger] <= 8
    assert last.how[0, 1].n_axes > 2


def test_no_choice_depends_on_the_test_part(small: Planted, rounds: list[Round]) -> None:
    """Cut again after the test windows' activity was replaced by noise: the same rounds."""
    before = split(small.fragments, np.random.default_rng(0))
    rng = np.random.default_rng(9)
    spoilt = []
    for whole, test in zip(small.fragments, before.test.open("to spoil it"), strict=True):
        hit = np.isin(whole.windows, test.windows)
        noise = rng.poisson(3.0, whole.activity.shape).astype(float)
        spoilt.append(replace(whole, activity=np.where(hit[:, None], noise, whole.activity)))
    after = split(spoilt, np.random.default_rng(0))
    bench = Bench(after.fit, after.choose)
    again = list(islice(couple(bench, small.start(bench), OPTIONS), SOME))
    assert told(again) == told(rounds[:SOME])
    assert after.test.opened == []


def test_an_interrupted_loop_goes_on_as_it_would_have(
    small: Planted, parts: Parts, rounds: list[Round], tmp_path: Path
) -> None:
    bench = Bench(parts.fit, parts.choose)
    start = small.start(bench)
    key = key_of(parts, start, OPTIONS)
    log = Log(tmp_path, key)
    for one in islice(couple(bench, start, OPTIONS, log.rounds), 3):
        log.append(one)
    fresh = Bench(parts.fit, parts.choose)
    log = Log(tmp_path, key)
    assert len(log.rounds) == 3
    for one in islice(couple(fresh, start, OPTIONS, log.rounds), SOME - 3):
        log.append(one)
    assert told(list(Log(tmp_path, key).rounds)) == told(rounds[:SOME])
    assert list(couple(fresh, start, OPTIONS, tuple(rounds))) == []


def test_the_test_part_is_opened_once_and_says_who_matches(
    small: Planted, parts: Parts, rounds: list[Round]
) -> None:
    sealed = Sealed(parts.test.open("copied for this test"))
    found = judge(
        replace(parts, test=sealed), rounds[0], rounds[-1], np.random.default_rng(0), n_null=39
    )
    assert len(sealed.opened) == 1
    for one in found:
        stranger = "stranger" in (one.read, one.predicted)
        assert one.matches is not stranger
        if not stranger:
            assert one.p < 0.05
            assert one.low <= one.after <= one.high
            assert one.after > one.null


def test_a_log_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    log = Log(tmp_path, "a" * 20)
    log.path.write_text("{no json\n")
    with pytest.raises(CorruptProjectError, match="Delete"):
        Log(tmp_path, "a" * 20)


def test_the_budget_is_kept(small: Planted, parts: Parts) -> None:
    bench = Bench(parts.fit, parts.choose)
    got = list(couple(bench, small.start(bench), Options(step=5, budget=7)))
    assert got[-1].n_windows - got[0].n_windows == 7
    assert "budget" in got[-1].says


def test_expected_gain_falls_as_one_over_the_number_of_windows() -> None:
    counts = np.array([[4, 4], [4, 1]])
    ahead = Outlook(counts, np.full((2, 2), 9), {(0, 1): 0.1}, {(0, 1): 0.01}, {}, {(0, 1): 0.4})
    more = np.zeros((2, 2), np.int64)
    more[1, 1] = 1
    total = 3 / 4 + 1
    assert ahead.gain(more) == pytest.approx((0.1 * 0.5 / total, 0.01 * 0.5 / total))
    assert ahead.best(1).tolist() == more.tolist()
    assert ahead.gain(ahead.best(0)) == (0.0, 0.0)


def test_neighbours_of_settings_differ_in_one_thing() -> None:
    here = How()
    for family in ("rule", "axes", "smoothing", "penalty"):
        for other in others(here, family):
            differs = [k for k in vars(here) if getattr(here, k) != getattr(other, k)]
            assert len(differs) == 1
    assert not others(How(rule="cca"), "penalty")
    assert all(h.smooth_s <= 1 for h in others(How(smooth_s=0.6), "smoothing"))


def test_too_few_windows_and_no_conditions_are_refused() -> None:
    rng = np.random.default_rng(0)
    window = np.repeat(np.arange(12), 5)
    bare = Fragment("bare", rng.poisson(1.0, (60, 8)).astype(float), 0.1, window)
    with pytest.raises(BadArgumentError, match="three or more conditions"):
        split([bare, bare], rng)
    few = replace(bare, condition=window % 4)
    with pytest.raises(BadArgumentError, match="three or more conditions"):
        split([few, few], rng)
    with pytest.raises(BadArgumentError, match="condition for every window"):
        Bench([bare, bare], [bare, bare])


def test_options_that_mean_nothing_are_refused(parts: Parts) -> None:
    for wrong in ({"step": 0}, {"budget": -1}, {"enough": 0.0}, {"enough": 1.1}):
        with pytest.raises(BadArgumentError, match="step"):
            Options(**wrong)  # type: ignore[arg-type]
    with pytest.raises(BadArgumentError, match="begin with"):
        begin(Bench(parts.fit, parts.choose), per_condition=0)


def test_a_start_has_the_first_windows_of_each_condition(parts: Parts) -> None:
    bench = Bench(parts.fit, parts.choose)
    state = begin(bench, per_condition=2)
    assert all((bench.counts(s, u) == 2).all() for s, u in enumerate(state.windows))
