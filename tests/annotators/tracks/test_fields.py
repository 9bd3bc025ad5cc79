"""Displacement fields: what they carry, what they undo, and which matches they leave aside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.tracks.fields import Field, fit_field, random_field
from nissl.errors import BadArgumentError, BadMetadataError

from .rod import SHAPE, SPACING, animal, posed, render, rest_places


@pytest.fixture
def rng():
    return np.random.default_rng(0)


UM = np.array(SPACING[::-1])


def _pair(seed, n=60):
    """Places of the same neurons in two postures, voxels."""
    rng = np.random.default_rng(seed)
    rest = rest_places(rng, n)
    return [posed(rest, np.r_[rng.uniform(-1, 1, 2), rng.normal(0, 0.5)]) for _ in range(2)]


def _miss(field, source, target):
    return np.linalg.norm((field.at(source) - target) * UM, axis=1)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1.5))
def test_a_place_comes_back_from_where_it_went(seed, bending):
    rng = np.random.default_rng(seed)
    field = random_field(rng, SHAPE, SPACING, bending=bending)
    turn = np.array([[0.9, -0.3, 0.05], [0.3, 0.95, 0], [0, 0.02, 1.1]])
    field = field.added(Field(SHAPE, SPACING, np.column_stack([turn, [3, -2, 1]]), field.modes * 0))
    places = rng.uniform(-0.1, 1.1, (40, 3)) * SHAPE[::-1]
    if not field.strain().folded:
        np.testing.assert_allclose(field.inverse_at(field.at(places)), places, atol=1e-3)
        np.testing.assert_allclose(field.at(field.inverse_at(places)), places, atol=1e-3)


def test_the_identity_moves_nothing_not_even_a_bit_of_the_image(rng):
    field = Field.identity(SHAPE, SPACING)
    places = rng.uniform(0, 10, (5, 3))
    np.testing.assert_array_equal(field.at(places), places)
    volume = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(field.warp_image(volume), volume, atol=1e-4)
    labels = rng.integers(0, 9, SHAPE).astype(np.uint16)
    np.testing.assert_array_equal(field.warp_labels(labels), labels)
    assert field.strain().largest == 0
    assert field.strain().least_volume == 1


def test_a_part_of_a_field_lies_on_the_way():
    source, target = _pair(1)
    field = fit_field(source, target, SHAPE, SPACING)
    np.testing.assert_allclose(field.scaled(0).at(source), source, atol=1e-9)
    np.testing.assert_allclose(field.scaled(1).at(source), field.at(source), atol=1e-6)
    whole = np.linalg.norm((field.at(source) - source) * UM, axis=1)
    half = np.linalg.norm((field.scaled(0.5).at(source) - source) * UM, axis=1)
    assert np.median(half / whole) == pytest.approx(0.5, abs=0.05)


def test_half_a_turn_keeps_lengths():
    angle = 1.2
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]]
    )
    field = Field(SHAPE, SPACING, np.column_stack([turn, [4, 5, 6]]), np.zeros((1, 1, 1, 3)))
    half = field.scaled(0.5)
    assert half.strain().largest == pytest.approx(0, abs=1e-9)
    places = np.random.default_rng(0).uniform(0, 50, (9, 3))
    np.testing.assert_allclose(half.at(half.at(places)), field.at(places), atol=1e-6)


def test_a_mirror_has_parts_too():
    mirror = np.column_stack([np.diag([-1.0, 1, 1]), [9, 0, 0]])
    half = Field(SHAPE, SPACING, mirror, np.zeros((1, 1, 1, 3))).scaled(0.5)
    assert np.isfinite(half.affine).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_bend_is_found_from_some_of_the_neurons(seed):
    source, target = _pair(seed)
    field = fit_field(source[:40], target[:40], SHAPE, SPACING)
    before = np.linalg.norm((source - target)[40:] * UM, axis=1).mean()
    assert _miss(field, source, target)[40:].mean() < 0.35 * before
    assert not field.strain().folded


@pytest.mark.parametrize("seed", range(5))
def test_wrong_matches_do_not_bend_the_field(seed):
    source, target = _pair(seed)
    rng = np.random.default_rng(seed)
    given = target.copy()
    wrong = rng.choice(60, 18, replace=False)
    given[wrong] = given[np.roll(wrong, 1)]
    robust = fit_field(source, given, SHAPE, SPACING)
    plain = fit_field(source, given, SHAPE, SPACING, n_rounds=1)
    assert _miss(robust, source, target).mean() < 0.5 * _miss(plain, source, target).mean()
    assert _miss(robust, source, target).mean() < 1.0


def test_a_match_of_no_trust_and_a_missing_one_are_the_same():
    source, target = _pair(3)
    trust = np.ones(60)
    trust[5] = 0
    target[5] += 40
    by_trust = fit_field(source, target, SHAPE, SPACING, weights=trust)
    target[5] = np.nan
    np.testing.assert_array_equal(by_trust.modes, fit_field(source, target, SHAPE, SPACING).modes)


def test_beyond_the_volume_the_affine_part_alone_extrapolates():
    source, target = _pair(4)
    field = fit_field(source, target, SHAPE, SPACING)
    far = np.array([[1000.0, 40, 8], [1010.0, 40, 8]])
    step = (field.at(far)[1] - field.at(far)[0]) * UM
    np.testing.assert_allclose(step, field.affine[:, :3] @ [10 * UM[0], 0, 0], atol=1e-9)


def test_few_matches_only_shift():
    field = fit_field(np.array([[1.0, 2, 3]]), np.array([[4.0, 2, 3]]), SHAPE, SPACING)
    np.testing.assert_allclose(field.at(np.array([[9.0, 9, 9]])), [[12, 9, 9]])


def test_an_image_is_carried_to_where_its_points_go(rng):
    source, target = _pair(5, n=12)
    size, bright = np.full(12, 1.2), np.full(12, 100.0)
    field = fit_field(source, target, SHAPE, SPACING)
    volume = render(source, size, bright, rng, noise=0)
    carried = field.warp_image(volume[None])[0]
    whole = render(field.at(source), size, bright, rng, noise=0)
    corner = np.array(SHAPE)
    for place in np.rint(field.at(source)[:, ::-1]).astype(int):
        box = tuple(slice(max(p - 2, 0), min(p + 3, n)) for p, n in zip(place, corner, strict=True))
        middle = [np.average(i, weights=carried[box] - 19) for i in np.indices(carried[box].shape)]
        there = [np.average(i, weights=whole[box] - 19) for i in np.indices(carried[box].shape)]
        np.testing.assert_allclose(middle, there, atol=0.35)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_labels_stay_those_that_were_there(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array([0, 3, 7, 400], np.uint16), (6, 20, 30))
    field = random_field(rng, (6, 20, 30), SPACING, bending=1.0)
    carried = field.warp_labels(labels)
    assert carried.dtype == labels.dtype
    assert set(np.unique(carried)) <= {0, 3, 7, 400}


def test_the_same_generator_gives_the_same_field():
    a, b = (random_field(np.random.default_rng(8), SHAPE, SPACING, bending=2.0) for _ in range(2))
    np.testing.assert_array_equal(a.modes, b.modes)


def test_a_fold_is_seen():
    modes = np.zeros((1, 1, 6, 3))
    modes[0, 0, 5, 0] = 30
    strain = Field(SHAPE, SPACING, np.eye(3, 4), modes).strain()
    assert strain.folded
    assert strain.most_volume > 2


def test_proportions_are_asked_for():
    source, target = _pair(6)
    with pytest.raises(BadMetadataError, match="size of a voxel"):
        fit_field(source, target, SHAPE, None)
    relative = fit_field(source, target, SHAPE, None, scale=(3.0, 1.0, 1.0))
    known = fit_field(source, target, SHAPE, SPACING)
    np.testing.assert_allclose(relative.at(source), known.at(source), atol=0.05)


def test_a_field_needs_a_match_and_its_own_shape(rng):
    with pytest.raises(BadArgumentError, match="matched"):
        fit_field(np.full((3, 3), np.nan), np.zeros((3, 3)), SHAPE, SPACING)
    with pytest.raises(BadArgumentError, match="volume of"):
        Field.identity(SHAPE, SPACING).warp_image(np.zeros((1, 4, 4, 4)))


def test_places_that_are_not_seen_stay_so():
    field = random_field(np.random.default_rng(0), SHAPE, SPACING, bending=1.0)
    places = np.array([[1.0, 2, 3], [np.nan] * 3])
    assert np.isnan(field.at(places)[1]).all()
    assert np.isfinite(field.inverse_at(places)[0]).all()
    assert np.isnan(field.inverse_at(places)[1]).all()


def test_a_real_looking_pair_is_carried_quickly(rng):
    import time

    both = animal(rng, n_frames=2)
    field = fit_field(both.xyz[0], both.xyz[1], SHAPE, SPACING)
    field.warp_image(both.volumes[0])
    begun = time.process_time()
    field.warp_image(both.volumes[0])
    assert time.process_time() - begun < 0.5  # a twentieth of it here; machines differ
