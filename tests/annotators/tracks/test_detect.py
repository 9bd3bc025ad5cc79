from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from nissl.annotators.tracks.detect import blobs, evened, likely_diameter, noise_of
from nissl.errors import BadArgumentError

SPACING = (1.5, 0.5, 0.5)
FWHM = 2.2
WORMS = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "imaging/worm_targettrack"


def rendered(xyz, shape=(14, 60, 90), *, light=100.0, offset=20.0, rng=None):  # type: ignore[no-untyped-def]
    """Gaussian nuclei of `FWHM` in the plane, half as long again along z, with photon noise."""
    sd = np.array([FWHM * 1.5, FWHM, FWHM]) / 2.355 / np.asarray(SPACING)
    axes = [np.arange(n) for n in shape]
    volume = np.zeros(shape)
    for place, bright in zip(xyz, np.broadcast_to(light, len(xyz)), strict=True):
        waves = [
            np.exp(-0.5 * ((a - c) / s) ** 2) for a, c, s in zip(axes, place[::-1], sd, strict=True)
        ]
        volume += bright * waves[0][:, None, None] * waves[1][:, None] * waves[2]
    if rng is not None:
        volume = rng.poisson(volume) + rng.normal(0, 1.5, shape)
    return (volume + offset).astype(np.float32)


def grid(rng: np.random.Generator) -> np.ndarray:
    x, y, z = np.meshgrid(np.arange(10, 85, 11), np.arange(10, 55, 11), [4, 9])
    places = np.stack([x.ravel(), y.ravel(), z.ravel()], 1).astype(float)
    return np.asarray(places + rng.uniform(-1, 1, places.shape))


def recall(true, found, within):  # type: ignore[no-untyped-def]
    near = np.linalg.norm(true[:, None] - found[None], axis=2) <= within
    left, right = linear_sum_assignment(near, maximize=True)
    return near[left, right].sum() / len(true)


def test_nuclei_are_found_between_voxels_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    true = grid(rng)
    volume = rendered(true, light=rng.uniform(30, 200, len(true)), rng=rng)
    found = blobs(volume, SPACING, diameter_um=FWHM)
    assert len(true) <= len(found.xyz) <= len(true) + 2
    near = np.linalg.norm(true[:, None] - found.xyz[None], axis=2)
    assert near.min(axis=1).max() < 0.7
    assert np.median(near.min(axis=1)) < 0.3
    assert found.score[:10].min() > found.score[-10:].max()
    assert np.all((found.diameter > 1) & (found.diameter < 5))


def test_touching_nuclei_are_parted() -> None:
    gap = 1.25 * FWHM / SPACING[2]
    true = np.array([[40, 30, 6], [40 + gap, 30, 6], [20, 20, 6], [20, 20 + gap, 6]])
    found = blobs(rendered(true), SPACING, diameter_um=FWHM)
    assert len(found.xyz) == 4
    assert recall(true, found.xyz, 1.5) == 1.0


def test_the_width_of_nuclei_is_seen() -> None:
    rng = np.random.default_rng(1)
    assert likely_diameter(rendered(grid(rng), rng=rng), SPACING) == pytest.approx(FWHM, rel=0.25)


@pytest.mark.parametrize("level", [0.0, 7.0, 100.0])
def test_noise_alone_is_no_nucleus(level: float) -> None:
    rng = np.random.default_rng(2)
    volume = rng.poisson(level, (12, 60, 80)).astype(np.uint16)
    assert len(blobs(volume, SPACING, diameter_um=FWHM).xyz) <= 2


def test_an_empty_volume_and_holes_do_no_harm() -> None:
    flat = np.full((4, 20, 20), 7, np.uint8)
    assert len(blobs(flat, SPACING, diameter_um=FWHM).xyz) == 0
    assert noise_of(evened(flat)) is None
    volume = rendered(np.array([[40.0, 30, 6]]), rng=np.random.default_rng(3))
    volume[:, 10:14] = np.nan
    found = blobs(volume, SPACING, diameter_um=FWHM)
    assert np.abs(found.xyz[0] - (40, 30, 6)).max() < 0.7
    assert len(found.xyz) <= 3


def test_only_the_clearest_are_kept_and_nonsense_is_refused() -> None:
    rng = np.random.default_rng(4)
    volume = rendered(grid(rng), rng=rng)
    assert len(blobs(volume, SPACING, diameter_um=FWHM, most=5).xyz) == 5
    with pytest.raises(BadArgumentError, match="volume"):
        blobs(volume[0], SPACING, diameter_um=FWHM)
    with pytest.raises(BadArgumentError, match="diameter"):
        blobs(volume, SPACING, diameter_um=0.0)


def test_a_volume_takes_a_tenth_of_a_second() -> None:
    rng = np.random.default_rng(5)
    true = rng.uniform([5, 5, 2], [250, 155, 13], (90, 3))
    volume = rendered(true, (16, 160, 256), rng=rng)
    spent = []
    for _ in range(3):
        began = time.process_time()
        blobs(volume, SPACING, diameter_um=FWHM)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.3  # 0.1 s where nothing else runs


@pytest.mark.data
@pytest.mark.skipif(not WORMS.is_dir(), reason="set NISSL_DATA to the folder of real recordings")
@pytest.mark.parametrize(("number", "least"), [(2, 0.85), (3, 0.75), (4, 0.85)])
def test_annotated_neurons_of_a_real_worm_are_among_the_blobs(number: int, least: float) -> None:
    file = np.load(WORMS / f"points_ex{number}.npz")
    volume = file["frame_gt"][0].transpose(2, 1, 0)
    true = file["pts_gt"][np.isfinite(file["pts_gt"]).all(axis=1)]
    spacing = (4.0, 1.0, 1.0)  # not stated: planes four times as far apart as pixels, assumed
    width = likely_diameter(volume, spacing)
    found = blobs(volume, spacing, diameter_um=width, most=2 * len(true))
    assert recall(true, found.xyz, 3.0) > least
