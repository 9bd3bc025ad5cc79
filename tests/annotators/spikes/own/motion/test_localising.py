"""Sources of known places are found from their amplitudes."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.motion.localising import localise, neighbours

POSITION = np.stack(np.meshgrid([0.0, 20.0], np.arange(16) * 20.0, indexing="ij"), axis=-1).reshape(
    -1, 2
)


def amplitudes(place_um: np.ndarray, fall_off: str) -> np.ndarray:
    apart = np.linalg.norm(place_um[:, None] - POSITION[None], axis=2)
    if fall_off == "gaussian":
        size = 60 * np.exp(-(apart**2) / (2 * 28.0**2))
    elif fall_off == "point":
        size = 1800 / np.hypot(apart, 25.0)
    else:
        size = 80 * np.exp(-np.hypot(apart, 10.0) / 30)
    return np.sqrt(size**2 + 25).astype(np.float32)


def located(place_um: np.ndarray, fall_off: str) -> np.ndarray:
    size = amplitudes(place_um, fall_off)
    near = neighbours(POSITION)
    channel = size.argmax(axis=1)
    return localise(channel, np.take_along_axis(size, near[channel], axis=1), POSITION, near)


@pytest.mark.parametrize(
    ("fall_off", "limit_um"), [("gaussian", 1.0), ("point", 4.0), ("exponential", 4.0)]
)
def test_depths_are_found_whatever_the_fall_off(fall_off: str, limit_um: float):
    rng = np.random.default_rng(3)
    place = np.stack([rng.uniform(0, 20, 200), rng.uniform(40, 260, 200)], axis=1)
    assert np.abs(located(place, fall_off)[:, 1] - place[:, 1]).max() < limit_um


def test_movement_is_followed_at_its_full_size_at_the_ends():
    depth = np.linspace(0, 20, 31)
    found = located(np.stack([np.full(31, 6.0), depth], axis=1), "gaussian")
    assert np.polyfit(depth, found[:, 1], 1)[0] == pytest.approx(1.0, abs=0.1)


def test_neighbours_begin_with_the_channel_and_end_with_nothing():
    near = neighbours(POSITION, 30.0)
    assert np.array_equal(near[:, 0], np.arange(32))
    assert (near[0] == -1).any()
    apart = np.linalg.norm(POSITION[near[5][near[5] >= 0]] - POSITION[5], axis=1)
    assert apart.max() <= 30


def test_no_spikes_have_no_places():
    near = neighbours(POSITION)
    none = np.empty((0, near.shape[1]), np.float32)
    assert localise(np.empty(0, np.int64), none, POSITION, near).shape == (0, 2)
