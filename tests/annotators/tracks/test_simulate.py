"""Simulated worms: any block has the same bytes, and what the truth says is in the volumes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.simulate import POSTURE, Worm, simulate, simulate_worm, simulated
from nissl.annotators.tracks.simulate.anatomy import head
from nissl.annotators.tracks.simulate.body import wander
from nissl.errors import BadArgumentError
from nissl.labels import Kind

pytest.importorskip("numba")

SMALL = Worm(seed=3, n_neurons=20, n_frames=30, shape=(10, 40, 64))
CLEAN = {"haze": 0.0, "granules": 0.0, "read_noise": 0.0, "vignette": 0.0, "photons": 2000.0}


def test_any_block_of_volumes_and_rows_has_the_same_bytes_in_any_order() -> None:
    made = simulated(SMALL)
    for movie in made.volumes.channels:
        whole = movie.read()
        assert whole.shape == (30, 10, 40, 64)
        assert whole.dtype == np.uint16
        again = pickle.loads(pickle.dumps(movie.reader))
        assert len(pickle.dumps(movie.reader)) < 2000
        for frame in (29, 4, 17):
            part = again.read(frame, frame + 1, (5, 31))
            np.testing.assert_array_equal(part[0], whole[frame, :, 5:31])
    assert not np.array_equal(*(movie.read(3, 4) for movie in made.volumes.channels))


def test_seeds_differ_and_are_kept() -> None:
    size = {"n_neurons": 8, "n_frames": 4, "shape": (6, 24, 40)}
    first, again, other = (simulate(seed, **size) for seed in (1, 1, 2))
    assert first[1].digest == again[1].digest != other[1].digest
    assert first[0].fingerprint == again[0].fingerprint != other[0].fingerprint
    assert first[1].kind is Kind.POINTS
    assert set(first[0].movies) == {"red", "green"}
    back = Positions.from_labels(first[1])
    truth = simulated(Worm(seed=1, **size)).positions
    np.testing.assert_array_equal(back.xyz, truth.xyz[:, np.isin(truth.items, back.items)])
    drawn = [simulate_worm(np.random.default_rng(5), **size).worm for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_neurons_shine_where_the_truth_says() -> None:
    made = simulated(Worm(seed=1, n_neurons=30, n_frames=20, dtype="uint16", gain=0.5, **CLEAN))
    checked = 0
    for frame in (0, 9, 19):
        red = made.volumes[frame][0]
        xyz = made.positions.xyz[frame]
        um = made.positions.in_um(made.worm.spacing_um)[frame]
        gaps = np.linalg.norm(um[:, None] - um[None], axis=2)
        np.fill_diagonal(gaps, np.inf)
        lone = (np.nanmin(gaps, axis=1) > 6.0) & (made.brightness[0] > 0.5)
        for place in xyz[lone & made.positions.seen[frame]]:
            x, y, z = np.round(place).astype(int)
            low = np.maximum((z - 1, y - 2, x - 2), 0)
            patch = red[low[0] : z + 2, low[1] : y + 3, low[2] : x + 3]
            at = np.array(np.unravel_index(patch.argmax(), patch.shape)) + low
            assert np.all(np.abs(at[::-1] - place) <= 1.0)
            checked += 1
    assert checked > 5


def test_masks_hold_the_places_of_their_neurons() -> None:
    made = simulated(SMALL)
    for frame in (0, 15):
        mask = made.masks(frame)
        assert mask.shape == SMALL.shape
        assert mask.dtype == np.int32
        seen = np.flatnonzero(made.positions.seen[frame])
        own = np.round(made.positions.xyz[frame, seen]).astype(int)[:, ::-1]
        found = mask[tuple(own.T)]
        assert np.mean(found == seen + 1) > 0.9  # of two within one voxel only one has it
        assert set(np.unique(mask)) <= {0, *(seen + 1)}
    with pytest.raises(BadArgumentError, match="a volume from 0 to 29"):
        made.masks(30)


def test_a_neuron_out_of_view_has_no_place_and_comes_back() -> None:
    made = simulated(Worm(seed=2, n_frames=200, drift=0.12, drift_z=0.17))
    seen = made.positions.seen
    changes = np.diff(seen.astype(int), axis=0)
    assert 0.5 < seen.mean() < 0.99
    assert (changes == 1).any()
    assert (changes == -1).any()
    xyz = made.positions.xyz[seen]
    assert np.all((xyz >= -0.5) & (xyz < np.array(made.worm.shape[::-1]) - 0.5))


def test_the_ratio_of_a_silent_neuron_is_flat_and_that_of_an_active_one_is_not() -> None:
    still = {"haze": 0.0, "granules": 0.0, "bleach_red": 0.0, "bleach_green": 0.0}
    made = simulated(Worm(seed=4, n_frames=200, silent=0.5, **still))
    from nissl.annotators.tracks.simulate.worm import stage_of

    light = stage_of(made.worm).light[:, :, : made.worm.n_neurons]
    ratio = light[1] / light[0]
    varies = ratio.std(axis=0) / ratio.mean(axis=0)
    assert made.silent.sum() >= 40
    assert varies[made.silent].max() < 1e-5
    assert np.median(varies[~made.silent]) > 0.05
    # motion changes the light of both channels
    assert np.median(light[0].std(axis=0) / light[0].mean(axis=0)) > 0.1


def test_light_bleaches_and_falls_with_depth() -> None:
    from nissl.annotators.tracks.simulate.worm import stage_of

    worm = Worm(seed=1, n_frames=400, bleach_red=0.9, flicker=0.0, drift_z=0.0)
    stage = stage_of(worm)
    total = stage.light[0].sum(axis=1)
    assert total[-50:].mean() < 0.9 * total[:50].mean()
    depth = stage.xyz[0, :80, 2]
    falls = np.corrcoef(depth, np.log(stage.light[0, 0, :80] / stage.anatomy.light[0, :80]))[0, 1]
    assert falls < -0.99


def test_uint8_saturates_and_does_not_wrap() -> None:
    made = simulated(Worm(seed=1, n_frames=3, dtype="uint8", gain=20.0))
    volume = made.volumes.channels[0].read(0, 1)
    assert volume.dtype == np.uint8
    assert (volume == 255).sum() > 50


def test_neurons_of_an_atlas_are_taken() -> None:
    rng = np.random.default_rng(0)
    atlas = rng.uniform((-30, -8, -6), (30, 8, 6), (25, 3)) + 500.0
    made = simulate_worm(rng, positions_um=atlas, n_frames=5, shape=(16, 64, 128))
    assert made.positions.xyz.shape == (5, 25, 3)
    assert made.positions.seen.mean() > 0.9
    fewer = simulate_worm(rng, positions_um=atlas, n_neurons=9, n_frames=1)
    assert fewer.positions.items.size == 9
    with pytest.raises(BadArgumentError, match="all finite"):
        simulate_worm(rng, positions_um=np.full((4, 3), np.nan))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dtype": "int8"},
        {"silent": 1.2},
        {"photons": 0.0},
        {"bend": -1.0},
        {"n_neurons": 0},
        {"shape": (1, 20, 20)},
        {"n_neurons": 3, "positions_um": ((0.0, 0.0, 0.0),)},
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadArgumentError):
        Worm(**wrong)  # type: ignore[arg-type]


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**62),
    n=st.integers(1, 120),
    shape=st.tuples(st.integers(4, 20), st.integers(24, 80), st.integers(24, 128)),
)
def test_any_worm_has_finite_places_and_stays_about_the_view(
    seed: int, n: int, shape: tuple[int, int, int]
) -> None:
    made = simulated(Worm(seed=seed, n_neurons=n, n_frames=6, shape=shape))
    assert made.positions.seen.mean() > 0.4
    assert np.isfinite(made.posture).all()
    assert made.posture.shape == (6, len(POSTURE))
    assert np.all(made.activity >= 0)
    volume = made.volumes[5]
    assert volume.shape == (2, *shape)
    assert np.isfinite(volume).all()


def test_neurons_of_the_own_head_keep_apart() -> None:
    xyz = head(80, Worm(), np.random.default_rng(0))
    gaps = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 1.2


def test_what_wanders_has_the_spread_it_says_and_is_smooth() -> None:
    made = wander(400, 4.0, 1.0, 200, np.random.default_rng(0))
    assert abs(made.std() - 1) < 0.05
    assert np.diff(made, axis=0).std() < 0.4
