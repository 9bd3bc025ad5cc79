"""The network of volumes and the transformer of point sets, on blobs small enough for seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")

from nissl.annotators.tracks.assign import best, expected, marginals
from nissl.annotators.tracks.augment import Augment, coded, decoded
from nissl.annotators.tracks.decode import look
from nissl.annotators.tracks.pointsets import PointTeaching, ask, mixed, teach_points
from nissl.annotators.tracks.prepare import Grid
from nissl.annotators.tracks.training import Lessons, Teaching, teach
from nissl.errors import NisslError

SHAPE = (6, 24, 32)
PLACES = np.array(
    [[5, 6, 2], [26, 5, 3], [9, 18, 4], [24, 17, 1], [15, 11, 3], [16, 20, 2]], np.float32
)


def rendered(xyz: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    z, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    out = np.zeros(SHAPE, np.float32)
    for k, (a, b, c) in enumerate(xyz):
        apart = ((x - a) ** 2 + (y - b) ** 2) / 4 + (z - c) ** 2
        out += (1 + 0.3 * k) * np.exp(-apart)
    return 100 * out[None]


def lessons(n: int, rng: np.random.Generator) -> Lessons:
    grid = Grid.of(SHAPE)
    xyz = PLACES + rng.normal(0, 0.7, (n, *PLACES.shape)).astype(np.float32) * [1, 1, 0.2]
    volumes = np.stack([grid.read(rendered(places)) for places in xyz])
    return Lessons(volumes, xyz.astype(np.float32), np.ones(n))


def test_a_grid_gives_places_back() -> None:
    grid = Grid.of((16, 160, 256))
    assert grid.factor == 2
    assert grid.size == (16, 80, 128)
    xyz = np.random.default_rng(0).uniform(0, 100, (5, 3)).astype(np.float32)
    np.testing.assert_allclose(grid.from_grid(grid.to_grid(xyz)), xyz, atol=1e-4)
    np.testing.assert_allclose(grid.to_grid(np.array([0.5, 0.5, 3.0])), [0, 0, 3])


def test_a_volume_of_one_value_is_read_as_nothing() -> None:
    read = Grid.of(SHAPE).read(np.full((1, *SHAPE), 7.0))
    assert np.all(read == 0)


def test_places_move_with_their_volume() -> None:
    rng = np.random.default_rng(3)
    change = Augment(rotate_deg=10, bend=0.04)
    volume = rendered(PLACES)
    for _ in range(3):
        warp = change.warp(SHAPE, rng)
        moved = warp.volume(volume)[0]
        for k, place in enumerate(warp.places(PLACES.astype(float))):
            x, y, z = np.rint(place).astype(int)
            if not (1 <= z < 5 and 3 <= y < 21 and 3 <= x < 29):
                continue
            near = moved[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2].max()
            assert near > 0.6 * 100 * (1 + 0.3 * k)


def test_coded_places_come_back_and_what_is_outside_is_ignored() -> None:
    xyz = np.array([[1.25, 2.5, 3.0], [np.nan, 0, 0], [40, 2, 2]])
    again = decoded(coded(xyz, SHAPE))
    np.testing.assert_allclose(again[0], xyz[0], atol=1 / 64)
    assert np.isnan(again[1:]).all()


def test_the_network_learns_which_blob_is_which_and_resumes_to_the_same_weights(
    tmp_path: Path,
) -> None:
    told = lessons(4, np.random.default_rng(1))
    how = Teaching(steps=160, batch=4, augment=Augment(cut=0.0))
    net = teach(told, np.random.default_rng(5), how)
    fresh = lessons(3, np.random.default_rng(2))
    right = []
    for volume, xyz in zip(fresh.volumes, fresh.xyz, strict=True):
        seen = look(net, Grid.of(SHAPE), volume)
        right.append(seen.at(xyz)[:, :-1].argmax(axis=1) == np.arange(6))
        places, sure = seen.places()
        assert places.shape == (6, 3)
        assert np.all((sure >= 0) & (sure <= 1))
    assert np.mean(right) > 0.8

    class Stop(Exception):
        pass

    class Stopping:
        said = 0

        def start(self, stage: str, total: float | None, unit: str) -> None: ...
        def finish(self, stage: str) -> None: ...
        def advance(self, stage: str, amount: float) -> None:
            self.said += 1
            if self.said == 5:
                raise Stop

    kept = tmp_path / "state.safetensors"
    with pytest.raises(Stop):
        teach(told, np.random.default_rng(5), how, progress=Stopping(), checkpoint=kept)
    again = teach(told, np.random.default_rng(5), how, checkpoint=kept)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), again.state_dict()[name].numpy())


def test_a_checkpoint_of_other_volumes_is_refused(tmp_path: Path) -> None:
    how, kept = Teaching(steps=8, batch=4), tmp_path / "state.safetensors"
    teach(lessons(4, np.random.default_rng(1)), np.random.default_rng(5), how, checkpoint=kept)
    with pytest.raises(NisslError, match="of another"):
        teach(lessons(4, np.random.default_rng(2)), np.random.default_rng(5), how, checkpoint=kept)


def test_point_sets_are_named_by_their_arrangement() -> None:
    rng = np.random.default_rng(0)
    sets = np.concatenate(
        [PLACES + rng.normal(0, 0.5, (3, 6, 3)), np.zeros((3, 6, 1))], axis=2
    ).astype(np.float32)
    how = PointTeaching(steps=120, batch=8, width=32, layers=2, lost=0.1, litter=0.1)
    net = teach_points(sets, SHAPE, rng, how, kept=np.ones(6))
    order = rng.permutation(6)
    said = ask(net, sets[0][order])
    np.testing.assert_array_equal(said[:, :-1].argmax(axis=1), order)
    assert ask(net, sets[0][:0]).shape == (0, 7)


def test_mixing_two_postures_keeps_what_only_one_shows() -> None:
    first, second = PLACES.copy(), PLACES + 2
    second[3] = np.nan
    half = mixed(first, second, 0.5)
    np.testing.assert_allclose(half, first, atol=1e-4)  # a shift is no posture


def test_the_best_assignment_leaves_out_what_fits_nothing() -> None:
    said = np.log(np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.01, 0.01, 0.98]]) + 1e-9)
    np.testing.assert_array_equal(best(said), [0, 1])
    sure = marginals(said)
    np.testing.assert_allclose(sure.sum(axis=1), 1)
    assert sure[:, 0].sum() <= 1.05
    assert best(said[:0]).tolist() == [-1, -1]


def test_neighbours_tell_where_a_neuron_lies_and_how_well() -> None:
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 40, (40, 3))
    target = source @ np.array([[1.05, 0.1, 0], [-0.1, 0.95, 0], [0, 0, 1.0]]) + [3, -2, 1]
    hidden = target.copy()
    hidden[:5] = np.nan
    hidden[5] += 15  # a swap, and not trusted
    trust = np.full(40, 0.95)
    trust[5] = 0.1
    told = expected(source, hidden, trust)
    assert np.linalg.norm(told.xyz[:6] - target[:6], axis=1).max() < 3
    assert np.median(told.spread[6:]) < np.median(told.spread[:5]) + 1e-9
    assert np.isnan(expected(source[:3], hidden[:3], trust[:3]).xyz).all()
