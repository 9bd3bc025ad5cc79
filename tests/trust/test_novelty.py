import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.novelty import Novelty, fit_novelty

NAMES = ("rms_uv", "skewness", "next_channel", "second_channel")
PROBE = 24


def recording(rng):
    """A probe in one animal: noise shared with neighbouring channels, spikes that go down."""
    wide = rng.normal(0, 1, (3000, PROBE + 4))
    weight = np.array([0.3, 0.7, 1.0, 0.7, 0.3]) * rng.uniform(0.9, 1.1, 5)
    x = np.stack([wide[:, c : c + 5] @ weight for c in range(PROBE)], axis=1)
    spikes = rng.random((3000, PROBE)) < 0.02
    x -= spikes * rng.uniform(4, 9, (1, PROBE))
    return 8.0 * rng.uniform(0.94, 1.06) * x


def per_channel(x):
    """What an amplifier's channels look like, one row a channel."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    apart = [np.append((z[:, k:] * z[:, :-k]).mean(axis=0), [np.nan] * k) for k in (1, 2)]
    return np.column_stack([x.std(axis=0), (z**3).mean(axis=0), *apart])


@pytest.fixture(scope="module")
def animals():
    rng = np.random.default_rng(0)
    return [recording(rng) for _ in range(10)]


@pytest.fixture(scope="module")
def novelty(animals):
    features = np.concatenate([per_channel(x) for x in animals])
    groups = np.repeat(np.arange(len(animals)), PROBE)
    return fit_novelty(features, groups, names=NAMES, rng=np.random.default_rng(1))


def test_further_animals_pass_and_damaged_recordings_do_not(novelty):
    rng = np.random.default_rng(2)
    fresh = [recording(rng) for _ in range(20)]
    assert sum(novelty.verdict(per_channel(x)).automatic for x in fresh) >= 19
    order = rng.permutation(PROBE)
    for name, x in {
        "rms_uv": 0.66 * fresh[0],
        "skewness": -fresh[1],
        "next_channel": fresh[2][:, order],
    }.items():
        verdict = novelty.verdict(per_channel(x))
        assert not verdict.automatic
        assert any(name in feature for feature in verdict.features)
        assert name in verdict.reason
        assert verdict.p < 0.01
        assert verdict.n == PROBE


def test_the_reason_tells_the_value_and_what_was_seen(novelty, animals):
    damaged = per_channel(0.5 * animals[0])
    reason = novelty.verdict(damaged).reason
    assert f"{np.median(damaged[:, 0]):.3g} where 10 animals show" in reason
    item = novelty.items(damaged).reasons[0]
    assert item.startswith("rms_uv")
    assert "usually" in item


def test_a_feature_that_is_gone_is_named(novelty, animals):
    gone = per_channel(animals[0])
    gone[:, 1] = np.nan
    verdict = novelty.verdict(gone)
    assert not verdict.automatic
    assert "skewness is missing in 100 %" in verdict.reason


def test_p_values_are_uniform_on_further_animals_and_small_on_strange_items():
    rng = np.random.default_rng(3)
    mix = rng.normal(size=(5, 5))
    draw = lambda n: rng.standard_t(5, (n, 5)) @ mix + rng.normal(0, 0.3, 5)  # noqa: E731
    train = [draw(80) for _ in range(12)]
    groups = np.repeat(np.arange(12), 80)
    for kind in ("mahalanobis", "neighbours"):
        fitted = fit_novelty(
            np.concatenate(train), groups, names=tuple("abcde"), rng=rng, kind=kind
        )
        p = np.concatenate([fitted.items(draw(80)).p for _ in range(12)])
        for level in (0.05, 0.2, 0.5):
            assert abs(np.mean(p <= level) - level) < 0.06
        assert np.mean(fitted.items(draw(80) + 12 * mix.std()).novel(0.05)) > 0.9
        # further away is never less novel
        line = np.linspace(0, 40, 30)[:, None] * np.ones(5)
        assert np.all(np.diff(fitted.items(line).p) <= 1e-12)


def test_the_distance_is_chosen_by_evidence():
    rng = np.random.default_rng(4)
    angle = rng.uniform(0, 2 * np.pi, 900)  # a ring: its centre is novel, but only to neighbours
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * 4 + rng.normal(0, 0.1, (900, 2))
    fitted = fit_novelty(ring, np.repeat(np.arange(6), 150), names=("x", "y"), rng=rng)
    assert fitted.distance.kind == max(fitted.evidence, key=fitted.evidence.get) == "neighbours"
    assert fitted.items([[0.0, 0.0]]).novel(0.05)[0]


@pytest.mark.parametrize("kind", ["mahalanobis", "neighbours"])
def test_json_keeps_every_answer(animals, kind):
    features = np.concatenate([per_channel(x) for x in animals])
    groups = np.repeat(np.arange(len(animals)), PROBE)
    rng = np.random.default_rng(5)
    fitted = fit_novelty(features, groups, names=NAMES, rng=rng, kind=kind)
    again = Novelty.from_json(json.loads(json.dumps(fitted.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(again.items(features).p, fitted.items(features).p)
    assert again.verdict(features) == fitted.verdict(features)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 5), st.integers(1, 4), st.floats(0, 0.6))
def test_laws_hold_for_any_numbers(seed, n_groups, d, missing):
    rng = np.random.default_rng(seed)
    x = rng.standard_cauchy((12 * n_groups, d)) * 10.0 ** rng.integers(-8, 8, d)
    x[rng.random(x.shape) < missing] = np.nan
    x[:, 0] = rng.choice([0.0, np.inf, 7.0])  # constant, or not a number that can be used
    names = tuple(f"f{i}" for i in range(d))
    groups = np.repeat(np.arange(n_groups), 12)
    fitted = fit_novelty(x, groups, names=names, rng=rng, kind="mahalanobis")
    found = fitted.items(x)
    assert np.all((found.p > 0) & (found.p <= 1))
    assert np.isfinite(found.distance).all()
    verdict = fitted.verdict(x)
    assert verdict.automatic == (not verdict.features)
    assert 0 <= verdict.p <= 1


def test_too_little_is_no_ground_for_acceptance(novelty, animals):
    few = per_channel(animals[0])[:4]
    assert not novelty.verdict(few).automatic
    assert "4 items" in novelty.verdict(few).reason
    assert novelty.verdict(few).to_json()["p"] is None
    rng = np.random.default_rng(6)
    two = fit_novelty(rng.normal(size=(40, 2)), [0, 1] * 20, names=("a", "b"), rng=rng)
    assert "2 animals" in two.verdict(rng.normal(size=(40, 2))).reason
    with pytest.raises(EvaluationError, match="two animals"):
        fit_novelty(rng.normal(size=(40, 2)), [0] * 40, names=("a", "b"), rng=rng)
    with pytest.raises(BadArgumentError, match="rms_uv"):
        novelty.items(np.zeros((3, 2)))
    with pytest.raises(BadArgumentError, match="kind"):
        fit_novelty(np.zeros((4, 1)), [0, 0, 1, 1], names=("a",), rng=rng, kind="forest")
