"""Synthetic volumes of masks: objects arrive where the target has them, whole and by number."""

import numpy as np
import pytest

from nissl.annotators.tracks.mask_synthesis import (
    landmarks,
    plane_flow,
    synthesise_masks,
    tidied,
)
from nissl.annotators.tracks.synthesis import Settings
from nissl.errors import BadArgumentError

from .rod import SHAPE, SPACING, posed, render, rest_places

UM = np.array(SPACING[::-1])


def _mask(xyz, radius=1.6):
    """Balls of a radius, um, by number from 1."""
    z, y, x = np.indices(SHAPE)
    away = [
        (((x - p[0]) * UM[0]) ** 2 + ((y - p[1]) * UM[1]) ** 2 + ((z - p[2]) * UM[2]) ** 2)
        for p in xyz
    ]
    nearest = np.argmin(away, axis=0)
    return np.where(np.min(away, axis=0) < radius**2, nearest + 1, 0).astype(np.uint16)


@pytest.fixture(scope="module")
def pair():
    """Two postures of thirteen objects: volumes and masks."""
    rng = np.random.default_rng(4)
    rest = rest_places(rng, 13)
    places = [posed(rest, bend) for bend in ([-0.6, 0.5, 0.2], [0.5, -0.4, -0.3])]
    size, bright = np.full(13, 1.2), rng.lognormal(4.5, 0.3, 13)
    volumes = [render(each, size, bright, rng, 2.0)[None].astype(np.float32) for each in places]
    return volumes, [_mask(each) for each in places]


def _dice(a, b):
    """Mean over objects of either."""
    numbers = np.union1d(np.unique(a), np.unique(b))[1:]
    both = [2 * ((a == i) & (b == i)).sum() / ((a == i).sum() + (b == i).sum()) for i in numbers]
    return float(np.mean(both))


def test_objects_arrive_where_the_target_has_them(pair):
    volumes, masks = pair
    coarse = masks[1].copy()
    coarse[coarse == 3] = 0  # the prediction lacks one and swaps two
    swapped = coarse.copy()
    swapped[coarse == 5], swapped[coarse == 9] = 9, 5
    whole = Settings(part=(1, 1), bending=0, least_matched=3)
    made = synthesise_masks(
        volumes[0],
        masks[0],
        swapped,
        SPACING,
        np.random.default_rng(0),
        whole,
        target_volume=volumes[1],
    )
    before, after = _dice(masks[0], masks[1]), _dice(made.mask, masks[1])
    assert after > before + 0.25
    assert after > 0.6
    assert set(np.unique(made.mask)) <= set(np.unique(masks[0]))
    assert made.mask.dtype == masks[0].dtype
    bright = made.volume[0][made.mask > 0].mean()
    assert bright > 1.5 * made.volume[0][made.mask == 0].mean()


def test_the_same_generator_gives_the_same_bytes(pair):
    volumes, masks = pair
    a, b = (
        synthesise_masks(volumes[0], masks[0], masks[1], SPACING, np.random.default_rng(3))
        for _ in range(2)
    )
    np.testing.assert_array_equal(a.mask, b.mask)
    np.testing.assert_array_equal(a.volume, b.volume)


def test_too_few_objects_make_nothing(pair):
    volumes, masks = pair
    few = np.where(masks[1] <= 2, masks[1], 0)
    assert synthesise_masks(volumes[0], masks[0], few, SPACING, np.random.default_rng(0)) is None


def test_masks_of_another_shape_are_refused(pair):
    volumes, masks = pair
    with pytest.raises(BadArgumentError, match="masks of"):
        synthesise_masks(volumes[0], masks[0], masks[1][1:], SPACING, np.random.default_rng(0))


def test_landmarks_are_centre_and_sides():
    mask = np.zeros((5, 9, 11), np.uint8)
    mask[1:4, 2:7, 3:10] = 2
    points = landmarks(mask)
    assert list(points) == [2]
    np.testing.assert_allclose(points[2][0], [6, 4, 2])
    assert points[2][1][0] < 4.5 < 7.5 < points[2][2][0]


def test_tidy_objects_are_whole_and_leave_others_alone():
    mask = np.zeros((1, 9, 9), np.uint8)
    mask[0, 1:6, 1:6] = 1
    mask[0, 3, 3] = 0  # a hole is filled
    mask[0, 2, 2] = 2  # another object in it is not
    mask[0, 8, 8] = 1  # a crumb goes
    clean = tidied(mask)
    assert clean[0, 3, 3] == 1
    assert clean[0, 2, 2] == 2
    assert clean[0, 8, 8] == 0
    np.testing.assert_array_equal(tidied(clean), clean)


def test_flow_finds_a_small_shift():
    pytest.importorskip("skimage")
    rng = np.random.default_rng(0)
    rest = posed(rest_places(rng, 30), [0, 0, 0])
    size, bright = np.full(30, 1.3), np.full(30, 80.0)
    image = render(rest, size, bright, rng, 1.0)
    target = render(rest + np.array([1.0, 0, 0]), size, bright, rng, 1.0)
    flow = plane_flow(image, target)
    shift = flow[1][target > 60].mean()
    assert -1.3 < shift < -0.5  # read one pixel to the left
