"""Preprocessing of volumes: what it does to light, and that places find their way back."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.preprocess import (
    Background,
    Preprocessed,
    Upright,
    background,
    differences,
    upright,
)
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Movie
from nissl.data.movie import FramesInMemory
from nissl.errors import BadArgumentError, BadMetadataError

SHAPE = (5, 40, 60)


def volumes_of(*channels: np.ndarray, spacing: Any = (1.5, 0.5, 0.5)) -> Volumes:
    names = ("red", "green")
    return Volumes(
        tuple(
            Movie.from_array(each, 4.0, name=name, spacing_um=spacing)
            for name, each in zip(names, channels, strict=False)
        )
    )


def lying(angles: np.ndarray, centres: np.ndarray, shape: Any = SHAPE) -> np.ndarray:
    """An animal with a thin long tail towards its angle, (t, z, y, x)."""
    z, y, x = np.mgrid[tuple(slice(n) for n in shape)].astype(float)
    out = []
    for angle, (cx, cy, cz) in zip(angles, centres, strict=True):
        along = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        across = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle)
        near = np.exp(-(across**2) / 8 - (z - cz) ** 2)
        out.append(100 + 900 * near * np.exp(-((along / np.where(along > 0, 9, 4)) ** 2)))
    return np.asarray(out, np.float32)


places = st.lists(
    st.tuples(*(st.floats(-5, 70, width=32) for _ in range(3))), min_size=1, max_size=6
)


@given(
    xyz=places,
    angle=st.floats(-10, 10),
    centre=st.tuples(*(st.floats(-20, 80) for _ in range(3))),
    aspect=st.floats(0.3, 3),
    larger=st.integers(0, 40),
)
@settings(deadline=None, max_examples=60)
def test_there_and_back(xyz: Any, angle: float, centre: Any, aspect: float, larger: int) -> None:
    raw = volumes_of(np.zeros((2, *SHAPE), np.float32))
    step = Upright(
        (SHAPE[0], SHAPE[1] + larger, SHAPE[2]),
        np.asarray([0.3, angle]),
        np.asarray([[1.0, 2, 3], centre]),
        aspect,
    )
    level = Background(step.shape, np.zeros((1, 2), np.float32))
    made = Preprocessed(raw).then(step).then(level).then(replace(step, angle=step.angle[::-1]))
    there = made.from_raw(1, xyz)
    np.testing.assert_allclose(made.to_raw(1, there), np.asarray(xyz), atol=1e-9)
    np.testing.assert_allclose(made.from_raw(1, made.to_raw(1, xyz)), xyz, atol=1e-9)
    # distances in the plane stay, in units of the width of a pixel
    stretch = np.asarray([1, aspect])
    once = Preprocessed(raw).then(step).from_raw(1, xyz)
    a, b = (np.asarray(p)[:, :2] * stretch for p in (xyz, once))
    before, after = (np.linalg.norm(p - p[0], axis=1) for p in (a, b))
    np.testing.assert_allclose(after, before, atol=1e-9)


@given(
    angle=st.floats(-3, 3),
    x=st.integers(22, 38),
    y=st.integers(14, 26),
    z=st.integers(1, 3),
    aspect=st.sampled_from([0.5, 1.0, 1.7]),
)
@settings(deadline=None, max_examples=25)
def test_light_goes_where_places_go(angle: float, x: int, y: int, z: int, aspect: float) -> None:
    frames = np.zeros((1, *SHAPE), np.float32)
    frames[0, z, y, x] = 1
    frames = np.stack([[np.float32(1000) * _blur(plane) for plane in frames[0]]])
    step = Upright((9, 90, 110), np.asarray([angle]), np.asarray([[30.0, 20.0, 2.0]]), aspect)
    made = Preprocessed(volumes_of(frames)).then(step)
    there = made.from_raw(0, [(x, y, z)])[0]
    image = made.volumes[0][0]
    assert image.shape == (9, 90, 110)
    weights = image / image.sum()
    grid = np.mgrid[tuple(slice(n) for n in image.shape)]
    found = [(grid[axis] * weights).sum() for axis in (2, 1, 0)]
    np.testing.assert_allclose(found, there, atol=0.05)


def _blur(plane: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_filter(plane, 1.5)


def test_an_animal_that_turns_twice_never_flips() -> None:
    angles = 2.0 + np.linspace(0, 4 * np.pi, 60)
    centres = np.stack([30 + 3 * np.sin(angles), 20 + 0 * angles, 2 + 0 * angles], axis=1)
    frames = lying(angles, centres)
    frames[7] = 100
    made = Preprocessed(volumes_of(frames)).then(upright(volumes_of(frames)))
    step = made.steps[0]
    assert isinstance(step, Upright)
    turned = np.angle(np.exp(1j * (step.angle - angles)))
    assert np.abs(np.delete(turned, 7)).max() < 0.05
    assert np.ptp(step.angle - angles) < 0.5
    # the tail now points to larger x in every volume
    again = upright(made.volumes)
    straight = np.delete(np.angle(np.exp(1j * again.angle)), 7)
    assert np.abs(straight).max() < 0.06


def test_volumes_without_light_stay() -> None:
    step = upright(volumes_of(np.full((3, *SHAPE), 100, np.float32)))
    assert step.angle.tolist() == [0, 0, 0]
    np.testing.assert_allclose(step.centre, [[29.5, 19.5, 2.0]] * 3)


def test_background_of_each_channel_and_running_in_time() -> None:
    rng = np.random.default_rng(0)
    red = np.full((6, *SHAPE), 100, np.float32) + np.arange(6)[:, None, None, None]
    red[:, 2, 10:14, 10:14] += 50
    green = rng.uniform(200, 201, (6, *SHAPE)).astype(np.float32)
    volumes = volumes_of(red, green)
    made = Preprocessed(volumes).then(background(volumes))
    assert made.volumes[4][0].max() == 50
    assert np.median(made.volumes[4][0]) == 0
    assert made.volumes[4][1].max() < 1
    red[3] += 500
    running = background(volumes_of(red), window=3)
    assert running.levels[0].tolist() == [100, 101, 102, 104, 105, 105]
    with pytest.raises(BadArgumentError, match="quantile"):
        background(volumes, quantile=2)


def test_differences_peak_at_neurons_and_ignore_haze() -> None:
    z, y, x = np.mgrid[tuple(slice(n) for n in SHAPE)].astype(float)
    ball = np.exp(-((x - 33) ** 2 + (y - 12) ** 2) / 8 - (z - 2) ** 2 / 2)
    frames = (500 + 5 * x + 300 * ball)[None].astype(np.float32)
    volumes = volumes_of(frames)
    made = Preprocessed(volumes).then(differences(volumes, radius_um=1.5))
    image = made.volumes[0][0]
    assert np.unravel_index(image.argmax(), image.shape) == (2, 12, 33)
    assert image[:, 25:35, 5:20].max() < 0.02 * image.max()
    with pytest.raises(BadMetadataError, match="spacing"):
        differences(volumes_of(frames, spacing=None), radius_um=1.5)
    given = differences(volumes_of(frames, spacing=None), radius_um=1.5, spacing_um=(1.5, 0.5, 0.5))
    assert given.sigma == made.steps[0].sigma


@dataclass(frozen=True)
class Counting(FramesInMemory):
    read_frames: list[int] = field(default_factory=list)

    def read(self, start: int, stop: int, rows: Any) -> Any:
        self.read_frames.extend(range(start, stop))
        return super().read(start, stop, rows)


def test_lazy_picklable_and_read_by_rows() -> None:
    angles = np.linspace(0, 1, 4)
    frames = lying(angles, np.asarray([[30.0, 20, 2]] * 4))
    volumes = volumes_of(frames)
    reader = Counting(frames)
    watched = Volumes((replace(volumes.channels[0], reader=reader),))
    made = Preprocessed(watched)
    for step in (background(volumes), upright(volumes), differences(volumes, radius_um=2)):
        made = made.then(step)
    assert reader.read_frames == []
    volume = made.volumes[2]
    assert reader.read_frames == [2]
    movie = made.volumes.channels[0]
    np.testing.assert_array_equal(movie.read(1, 3, rows=(5, 9))[1], volume[0][:, 5:9])
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.volumes[2], volume)
    light = Preprocessed(volumes).then(upright(volumes))
    assert len(pickle.dumps(light.steps)) < 2000


def test_positions_map_and_keep_what_is_absent() -> None:
    angles = np.linspace(0, 1, 4)
    volumes = volumes_of(lying(angles, np.asarray([[30.0, 20, 2]] * 4)))
    made = Preprocessed(volumes).then(upright(volumes))
    xyz = np.random.default_rng(0).uniform(0, 40, (2, 3, 3))
    xyz[1, 1] = np.nan
    told = Positions.build([1, 3], xyz)
    there = made.positions_from_raw(told)
    assert not there.seen[1, 1]
    assert there.seen.sum() == 5
    np.testing.assert_allclose(made.positions_to_raw(there).xyz, told.xyz, atol=1e-4)
