"""Error map: what it finds where it is known, and what chance gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nissl.align.errormap.attribution import reasons
from nissl.align.errormap.maps import ErrorMap, error_map
from nissl.align.errormap.responses import Responses, of_tuning
from nissl.align.errormap.windowed import of_windows
from nissl.align.fragments import About, Fragment
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.places.simulate import simulate_places
from nissl.errors import BadArgumentError
from nissl.run.context import Context
from nissl.run.progress import Recorder
from nissl.run.results import Arrays


def population(
    rng: np.random.Generator,
    code: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    *,
    name: str = "a",
    n_units: int = 40,
    noise: float = 0.3,
) -> Responses:
    """Units that mix a code of 12 conditions x 4 steps."""
    mixed = code @ rng.standard_normal((code.shape[1], n_units))
    first, second = (mixed + noise * rng.standard_normal(mixed.shape) for _ in range(2))
    return Responses(name, first, second, np.repeat(np.arange(12), 4), None, About(region=name))


def codes(seed: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(rng.standard_normal((48, 4))) for _ in range(2))


@pytest.mark.parametrize("rule", ["linear", "rotation"])
def test_populations_of_one_code_predict_each_other_and_strangers_do_not(rule: str) -> None:
    one, other = codes(0)
    rng = np.random.default_rng(1)
    parts = [
        population(rng, one, name="a1"),
        population(rng, one, name="a2"),
        population(rng, other, name="b1"),
        population(rng, other, name="b2"),
    ]
    found = error_map(parts, rng, rule=rule, n_axes=4, n_null=49)
    same = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    assert found.relative[same].min() > (0.9 if rule == "linear" else 0.5)
    assert np.nanmax(found.relative[~same]) < 0.3
    assert (found.q[same & ~np.eye(4, dtype=bool)] < 0.1).all()
    assert (found.p[~same] > 0.02).all()
    groups = [parts[k].name[0] for k in found.order()]
    assert groups in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


def test_a_poor_population_reads_worse_than_it_is_read() -> None:
    one, _ = codes(2)
    rng = np.random.default_rng(2)
    rich = population(rng, one, name="rich")
    part = population(rng, one[:, :1] @ np.ones((1, 4)), name="poor")
    found = error_map([rich, part], rng, n_axes=4, n_null=0)
    assert found.asymmetry[0, 1] > 0.3
    assert_allclose(found.asymmetry, -found.asymmetry.T)


def test_chance_is_not_found_significant() -> None:
    p = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        one, other = codes(100 + seed)
        parts = [population(rng, one, name="a"), population(rng, other, name="b")]
        found = error_map(parts, rng, n_null=19)
        p += [found.p[0, 1], found.p[1, 0]]
    assert np.mean(np.array(p) <= 0.1) <= 0.3


def smooth(rng: np.random.Generator, name: str) -> Responses:
    """Units that follow three smooth quantities along two paths of 20 places, of their own."""
    apart = np.subtract.outer(np.arange(20), np.arange(20))
    ring = np.minimum(np.abs(apart), 20 - np.abs(apart))
    spread = np.exp(-0.5 * (ring / 1.5) ** 2)
    code = np.concatenate([spread @ rng.standard_normal((20, 3)) for _ in range(2)])
    mixed = code @ rng.standard_normal((3, 30))
    first, second = (mixed + 0.3 * rng.standard_normal(mixed.shape) for _ in range(2))
    return Responses(name, first, second, np.arange(40), np.repeat([0, 1], 20))


def test_populations_that_share_nothing_but_smoothness_are_not_significant() -> None:
    p = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        found = error_map([smooth(rng, "a"), smooth(rng, "b")], rng, n_axes=3, n_null=19)
        p += [found.p[0, 1], found.p[1, 0]]
    assert np.mean(np.array(p) <= 0.1) <= 0.3


def test_two_codes_of_one_track_are() -> None:
    rng = np.random.default_rng(0)
    ((_, a), _) = simulate_places(rng)
    ((_, b), _) = simulate_places(rng)
    found = error_map([of_tuning(a), of_tuning(b)], rng, n_null=19)
    assert found.p[0, 1] == found.p[1, 0] == 0.05
    assert found.relative[0, 1] > 0.8


@given(seed=st.integers(0, 200))
@settings(max_examples=10, deadline=None)
def test_the_order_of_fragments_changes_nothing(seed: int) -> None:
    one, other = codes(seed)
    rng = np.random.default_rng(seed)
    parts = [population(rng, one, name="a"), population(rng, other, name="b")]
    forth = error_map(parts, np.random.default_rng(0), n_null=0)
    back = error_map(parts[::-1], np.random.default_rng(0), n_null=0)
    assert_allclose(forth.skill, back.skill[::-1, ::-1])


def test_trials_and_places_become_rows_that_fit() -> None:
    rng = np.random.default_rng(0)
    subject = simulate_subject(rng)
    days = [simulate_day(rng, subject, name=f"day {k}", n_units=60).fragment for k in range(2)]
    parts = of_windows(days)
    assert parts[0].first.shape[1] == 60
    assert parts[0].path is None
    assert_array_equal(parts[0].block, parts[1].block)
    found = error_map(parts, rng, n_null=49)
    assert found.relative[0, 1] > 0.5
    assert found.p[0, 1] <= 0.05


def test_long_maps_tell_how_far_they_are() -> None:
    one, other = codes(0)
    rng = np.random.default_rng(0)
    parts = [population(rng, code) for code in (one, one, other)]
    seen = Recorder()
    error_map(parts, rng, n_null=1, progress=seen)
    assert seen.totals == seen.done == {"error map": 3}
    assert seen.finished == ["error map"]


def test_what_cannot_be_compared_is_refused() -> None:
    one, _ = codes(0)
    rng = np.random.default_rng(0)
    a = population(rng, one)
    with pytest.raises(BadArgumentError, match="two or more fragments"):
        error_map([a], rng)
    with pytest.raises(BadArgumentError, match="the same conditions"):
        error_map([a, a.take(np.arange(40))], rng)
    with pytest.raises(BadArgumentError, match="a rule among"):
        error_map([a, a], rng, rule="guess")
    nowhere = replace(a, first=np.where(a.block[:, None] < 10, np.nan, a.first))
    with pytest.raises(BadArgumentError, match="visited"):
        error_map([a, nowhere], rng)
    day = simulate_day(rng, simulate_subject(rng)).fragment
    with pytest.raises(BadArgumentError, match="three or more conditions"):
        of_windows([day, replace(day, condition=np.full(day.n_bins, -1))])


def loss(source: Responses, target: Responses) -> dict[str, float]:
    found = reasons(source, target, np.random.default_rng(0))
    assert [r.loss for r in found] == sorted((r.loss for r in found), reverse=True)
    return {r.name: r.loss for r in found}


def test_reasons_sum_to_the_loss_and_name_what_was_changed() -> None:
    one, other = codes(5)
    rng = np.random.default_rng(5)
    target = population(rng, one, n_units=60, noise=0.2)
    plain = loss(population(rng, one, n_units=60, noise=0.2), target)
    assert max(plain, key=lambda k: plain[k]) in ("noise", "geometry")
    assert plain["geometry"] < 0.1
    strange = loss(population(rng, other, n_units=60, noise=0.2), target)
    assert max(strange, key=lambda k: strange[k]) == "geometry"
    few = loss(population(rng, one, n_units=2, noise=0.2), target)
    assert few["units"] > 0.2
    assert few["units"] > few["geometry"]
    noisy = population(rng, one, n_units=60, noise=4.0)
    assert loss(target, noisy)["noise"] > 0.4
    skill = error_map([noisy, target], np.random.default_rng(0), n_null=0).skill[0, 1]
    assert_allclose(sum(loss(noisy, target).values()), 1 - skill, atol=1e-9)


def test_a_map_of_two_keeps_its_order() -> None:
    small = ErrorMap(("a", "b"), *(np.eye(2) for _ in range(6)))
    assert_array_equal(small.order(), [0, 1])
    assert_allclose(np.diag(small.distance()), 0)


def test_one_window_has_no_halves() -> None:
    ((fragment, tuning), _) = simulate_places(np.random.default_rng(0))
    one = replace(
        tuning, rates=tuning.rates[:1], spent=tuning.spent[:1], windows=tuning.windows[:1]
    )
    with pytest.raises(BadArgumentError, match="Split it into laps"):
        of_tuning(one)
    assert isinstance(fragment, Fragment)


def test_rows_are_the_same_on_any_number_of_workers_and_on_dask(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="pip install 'nissl[dask]'")
    one, other = codes(3)
    rng = np.random.default_rng(3)
    parts = [population(rng, code, name=str(k)) for k, code in enumerate((one, one, other))]
    kept = []
    for k, how in enumerate(({}, {"workers": 2}, {"workers": 2, "cluster": "local"})):
        context = Context(tmp_path / str(k), **how)  # type: ignore[arg-type]
        rows: list[bytes] = []

        def each(_: int, row: Arrays, into: list[bytes] = rows) -> None:
            into.append(b"".join(row[name].tobytes() for name in sorted(row)))

        found = error_map(parts, np.random.default_rng(0), n_null=9, context=context, each=each)
        kept.append((found.skill.tobytes(), found.q.tobytes(), rows))
    assert kept[0] == kept[1] == kept[2]
    here = error_map(parts, np.random.default_rng(0), n_null=9)
    assert_allclose(here.skill, np.frombuffer(kept[0][0]).reshape(3, 3))
