"""Synthetic annotated volumes: nearer to the target than their source, or refused."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.tracks.fields import Field
from nissl.annotators.tracks.posture import sketch
from nissl.annotators.tracks.synthesis import Settings, dressed, plausible, synthesise

from .rod import SHAPE, SPACING, animal, posed, render, rest_places

UM = np.array(SPACING[::-1])


@pytest.fixture(scope="module")
def pair():
    """Two volumes far apart in posture, their places, and a coarse prediction of the second."""
    rng = np.random.default_rng(5)
    rest = rest_places(rng, 60)
    places = [posed(rest, bend) for bend in ([-0.9, 0.7, 0.3], [0.8, -0.6, -0.4])]
    size, bright = rng.uniform(0.9, 1.4, 60), rng.lognormal(4, 0.4, 60)
    volumes = [render(each, size, bright, rng, 3.0)[None].astype(np.float32) for each in places]
    coarse = places[1] + rng.normal(0, 0.4, places[1].shape) / UM
    wrong = rng.choice(60, 18, replace=False)
    coarse[wrong] = coarse[np.roll(wrong, 1)]
    coarse[rng.choice(60, 12, replace=False)] = np.nan
    return volumes, places, coarse


def _miss(xyz, places):
    return np.nanmean(np.linalg.norm((xyz - places) * UM, axis=1))


def test_it_lies_nearer_to_the_target_than_its_source(pair):
    volumes, places, coarse = pair
    rng = np.random.default_rng(0)
    whole = Settings(part=(1, 1), bending=0, most_strain=2)
    made = synthesise(
        volumes[0], places[0], coarse, None, SPACING, rng, whole, target_volume=volumes[1]
    )
    assert _miss(made.xyz, places[1]) < 0.4 * _miss(places[0], places[1])
    target = sketch(volumes[1][0], SPACING)
    before = np.linalg.norm(sketch(volumes[0][0], SPACING) - target)
    assert np.linalg.norm(sketch(made.volume[0], SPACING) - target) < 0.7 * before


def test_points_sit_on_their_blobs(pair):
    volumes, places, coarse = pair
    made = synthesise(volumes[0], places[0], coarse, None, SPACING, np.random.default_rng(1))
    z, y, x = np.rint(made.xyz[:, ::-1]).astype(int).T
    zs, ys, xs = np.rint(places[0][:, ::-1]).astype(int).T
    there = made.volume[0][z, y, x]
    assert np.corrcoef(there, volumes[0][0][zs, ys, xs])[0, 1] > 0.9


def test_the_same_generator_gives_the_same_bytes(pair):
    volumes, places, coarse = pair
    a, b = (
        synthesise(volumes[0], places[0], coarse, None, SPACING, np.random.default_rng(7))
        for _ in range(2)
    )
    np.testing.assert_array_equal(a.volume, b.volume)
    np.testing.assert_array_equal(a.xyz, b.xyz)


def test_brightness_and_noise_are_those_of_the_target(pair):
    volumes, places, coarse = pair
    rng = np.random.default_rng(2)
    dim = volumes[1] * 0.4 + 7
    made = synthesise(volumes[0], places[0], coarse, None, SPACING, rng, target_volume=dim)
    for rank in (0.5, 0.99):
        assert np.quantile(made.volume, rank) == pytest.approx(np.quantile(dim, rank), rel=0.1)
    corner = (0, slice(None), slice(0, 8), slice(0, 8))
    assert made.volume[corner].std() == pytest.approx(dim[corner].std(), rel=0.2)


def test_noise_that_interpolation_took_comes_back():
    rng = np.random.default_rng(3)
    source = rng.normal(50, 4, (1, *SHAPE)).astype(np.float32)
    between = np.stack(np.meshgrid(*[np.arange(n) + 0.5 for n in SHAPE], indexing="ij"))
    smooth = np.full((1, *SHAPE), 50, np.float32)
    smooth += rng.normal(0, 4 * np.sqrt(1 / 8), smooth.shape).astype(np.float32)
    again = dressed(smooth, source, between, source, np.ones(1), rng)
    assert again.std() == pytest.approx(4, rel=0.05)


def test_neurons_that_leave_have_no_place(pair):
    volumes, places, _ = pair
    away = places[0] + [30, 0, 0]
    exact = Settings(part=(1, 1), bending=0, most_leaving=0.9)
    made = synthesise(volumes[0], places[0], away, None, SPACING, np.random.default_rng(0), exact)
    left = places[0][:, 0] + 30 > SHAPE[2] + 1
    assert left.any()
    assert np.isnan(made.xyz[left]).all()
    assert np.isfinite(made.xyz[places[0][:, 0] + 30 < SHAPE[2] - 3]).all()
    strict = replace(exact, most_leaving=0.0, n_tries=1)
    assert (
        synthesise(volumes[0], places[0], away, None, SPACING, np.random.default_rng(0), strict)
        is None
    )


def test_too_little_predicted_makes_nothing(pair):
    volumes, places, coarse = pair
    few = coarse.copy()
    few[5:] = np.nan
    rng = np.random.default_rng(0)
    assert synthesise(volumes[0], places[0], few, None, SPACING, rng) is None
    nobody = np.zeros(60)
    assert synthesise(volumes[0], places[0], coarse, nobody, SPACING, rng) is None


def test_what_no_animal_does_is_refused(pair):
    _, places, _ = pair
    how = Settings()
    assert plausible(Field.identity(SHAPE, SPACING), places[0], how)
    squeezed = np.column_stack([np.diag([0.3, 1, 1]), [0, 0, 0]])
    assert not plausible(Field(SHAPE, SPACING, squeezed, np.zeros((1, 1, 1, 3))), places[0], how)
    folded = np.zeros((1, 1, 6, 3))
    folded[0, 0, 5, 0] = 30
    assert not plausible(Field(SHAPE, SPACING, np.eye(3, 4), folded), places[0], how)
    crowded = replace(how, most_strain=9, least_gap=0.4)
    thin = np.column_stack([np.diag([0.3, 0.3, 0.3]), [20, 20, 5]])
    assert not plausible(Field(SHAPE, SPACING, thin, np.zeros((1, 1, 1, 3))), places[0], crowded)


def test_both_channels_are_carried_alike():
    both = animal(np.random.default_rng(1), n_frames=2)
    made = synthesise(
        both.volumes[0], both.xyz[0], both.xyz[1], None, SPACING, np.random.default_rng(0)
    )
    assert made.volume.shape == (2, *SHAPE)
    assert made.volume.dtype == np.float32
    bright = made.volume[0] > 60
    assert np.corrcoef(made.volume[0][bright], made.volume[1][bright])[0, 1] > 0.8
