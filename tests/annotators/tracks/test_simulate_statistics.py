"""Numbers of pairs of postures: what they are of known maps, and that real pairs are covered."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.simulate import Worm, simulated
from nissl.annotators.tracks.simulate.statistics import (
    STATISTICS,
    of_pair,
    place_within,
    statistics,
)
from nissl.errors import BadArgumentError

SHARED = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "imaging" / "worm_targettrack"
# as in the volumes of masks of the same data, with pixels twice as large
REAL_SPACING = (1.5, 0.325, 0.325)


def cloud() -> np.ndarray:
    return np.random.default_rng(0).normal(0, (12, 4, 3), (60, 3))


def test_a_rotation_leaves_nothing_and_is_measured() -> None:
    angle = 0.5
    turn = np.array(
        [[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    found = of_pair(cloud(), cloud() @ turn + [3.0, -2.0, 1.0])
    assert set(found) == set(STATISTICS)
    for name in ("rigid", "affine", "quadratic", "thin_plate", "strain", "neighbours", "mistaken"):
        assert found[name] < 1e-6, name
    assert found["turn"] == pytest.approx(np.degrees(angle), abs=1e-4)


def test_each_family_of_maps_takes_what_it_can() -> None:
    xyz = cloud()
    stretched = of_pair(xyz, xyz * [1.3, 1.0, 0.8])
    assert stretched["rigid"] > 1.0
    assert stretched["affine"] < 1e-9
    assert stretched["longest"] == pytest.approx(np.log(1.3))
    assert stretched["shortest"] == pytest.approx(np.log(0.8))
    bent = xyz.copy()
    bent[:, 1] += 0.02 * xyz[:, 0] ** 2
    found = of_pair(xyz, bent)
    assert found["affine"] > 1.0
    assert found["quadratic"] < 1e-9
    assert found["thin_plate"] < 0.5 * found["affine"]


def test_only_neurons_seen_in_both_volumes_count() -> None:
    xyz = np.stack([cloud(), cloud() + 1.0, np.full((60, 3), np.nan)])
    xyz[0, :10] = np.nan
    xyz[1, 0] = 1e6
    found = statistics(Positions.build([0, 1, 2], xyz), (1.0, 1.0, 1.0))
    assert found["rigid"].shape == (1,)
    assert found["rigid"][0] < 1e-3
    with pytest.raises(BadArgumentError, match="share 20 neurons"):
        statistics(Positions.build([0, 1], xyz[1:]), (1.0, 1.0, 1.0))


def test_a_place_within_counts_ties_by_half() -> None:
    assert place_within(2.0, np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.375)


def test_a_stiff_worm_differs_less_from_itself() -> None:
    rng = np.random.default_rng(0)
    stiff, lively = (
        statistics(made.positions, made.worm.spacing_um, rng=rng, n_pairs=60)
        for made in (
            simulated(Worm(seed=1, n_frames=300, bend=0.05, squeeze=0.02, twist=0.02, tilt=0.01)),
            simulated(Worm(seed=1, n_frames=300)),
        )
    )
    for name in ("rigid", "affine", "strain", "mistaken"):
        assert np.median(stiff[name]) < np.median(lively[name]), name


@pytest.mark.data
def test_real_pairs_lie_within_what_is_simulated() -> None:
    if not (SHARED / "points_ex2.npz").is_file():
        pytest.skip("NISSL_DATA has no imaging/worm_targettrack")
    places = [np.load(SHARED / f"points_ex{k}.npz")["pts_gt"] for k in (2, 3, 4)]
    real = statistics(Positions.build([2, 3, 4], np.stack(places)), REAL_SPACING)
    pools = []
    for seed in range(3):
        made = simulated(Worm(seed=seed))
        rng = np.random.default_rng(seed)
        pools.append(statistics(made.positions, made.worm.spacing_um, rng=rng, n_pairs=100))
    for name in STATISTICS:
        pool = np.concatenate([each[name] for each in pools])
        for value in real[name]:
            # nothing is less than no mistake, and it is simulated too
            assert 0.005 < place_within(value, pool) < 0.995, name
