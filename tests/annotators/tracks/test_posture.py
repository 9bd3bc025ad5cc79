"""Posture space: distances follow deformation, and choices cover it."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from nissl.annotators.tracks.posture import embed, farthest, nearest, sketch, steps
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Movie
from nissl.errors import BadArgumentError, BadMetadataError

from .rod import SPACING, animal


@pytest.fixture(scope="module")
def moving():
    return animal(np.random.default_rng(2), n_frames=30)


def _deformation(xyz):
    """Root mean square distance of neurons between volumes, shift apart, micrometres."""
    placed = (xyz - xyz.mean(axis=1, keepdims=True)) * np.array(SPACING[::-1])
    return np.sqrt(((placed[:, None] - placed[None]) ** 2).sum(-1).mean(-1))


def test_distance_follows_deformation(moving):
    latent = embed(moving.volumes, np.arange(30), np.random.default_rng(0))
    assert latent.dtype == np.float32
    away = np.linalg.norm(latent[:, None] - latent[None], axis=-1)
    pairs = np.triu_indices(30, 1)
    assert spearmanr(away[pairs], _deformation(moving.xyz)[pairs]).statistic > 0.9


def test_the_same_input_gives_the_same_posture(moving):
    a, b = (embed(moving.volumes, np.arange(9), np.random.default_rng(0)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert embed(moving.volumes, np.arange(3), np.random.default_rng(0)).shape == (3, 3)
    assert embed(moving.volumes, [], np.random.default_rng(0)).shape == (0, 10)


def test_a_shift_across_is_no_posture(moving):
    volume = moving.volumes[0][0]
    away = np.linalg.norm(sketch(np.roll(volume, 6, axis=2), SPACING) - sketch(volume, SPACING))
    other = np.linalg.norm(sketch(moving.volumes[1][0], SPACING) - sketch(volume, SPACING))
    assert away < 0.3 * other


def test_empty_volumes_have_a_posture_too():
    dark = Movie.from_array(np.zeros((3, 4, 20, 30), np.float32), 5.0, spacing_um=SPACING)
    latent = embed(Volumes((dark,)), np.arange(3), np.random.default_rng(0))
    assert np.isfinite(latent).all()


def test_proportions_are_asked_for(moving):
    unknown = Movie.from_array(np.stack([moving.volumes[i][0] for i in range(3)]), 5.0)
    with pytest.raises(BadMetadataError, match="size of a voxel"):
        embed(Volumes((unknown,)), [0, 1], np.random.default_rng(0))
    given = embed(Volumes((unknown,)), [0, 1], np.random.default_rng(0), scale=SPACING)
    assert np.isfinite(given).all()


def test_too_many_dimensions_are_refused(moving):
    with pytest.raises(BadArgumentError, match="20"):
        embed(moving.volumes, [0], np.random.default_rng(0), n_dims=40)


def test_farthest_points_spread():
    line = np.arange(11.0)[:, None]
    assert farthest(line, [0], 3).tolist() == [10, 5, 2]
    assert farthest(line, [], 2).tolist() == [5, 0]
    assert farthest(line, [0], 99).size == 10
    assert 0 not in farthest(line, [0], 99)
    sure = np.ones(11)
    sure[10] = 0
    assert farthest(line, [0], 1, weights=sure).tolist() == [9]


def test_nearest_is_one_of_the_annotated():
    line = np.arange(6.0)[:, None]
    assert nearest(line, [1, 5]).tolist() == [1, 1, 1, 1, 5, 5]
    with pytest.raises(BadArgumentError, match="annotated"):
        nearest(line, [])


def test_small_steps_lead_from_the_annotated_to_all():
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 1.5 * np.pi, 80)
    ring = np.column_stack([np.cos(turn), np.sin(turn)]) + rng.normal(0, 0.01, (80, 2))
    way = steps(ring, [0])
    assert way.parent[0] == 0
    assert sorted(way.order.tolist()) == list(range(80))
    place = np.argsort(way.order)
    others = np.arange(1, 80)
    assert (place[way.parent[others]] < place[others]).all()
    path = way.path(79)
    assert path[0] == 0
    assert path[-1] == 79
    links = np.linalg.norm(np.diff(ring[path], axis=0), axis=1)
    assert len(path) > 10  # along the ring, not across its gap
    assert links.max() < np.linalg.norm(ring[79] - ring[0])
    assert steps(ring, [3, 70]).path(71)[0] == 70
