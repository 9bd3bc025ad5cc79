"""Nuclei and somata in still images and volumes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import agreement
from nissl.annotators.cells.simulate.nuclei import NucleiScene, nuclei
from nissl.annotators.cells.still import STILL, found_in, mean_frame
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError
from nissl.labels import Kind
from nissl.run.context import Context
from nissl.tasks import Inputs

pytest.importorskip("onnxruntime")
pytest.importorskip("skimage")

FLAT = NucleiScene(seed=501, shape=(1, 128, 128))
DEEP = NucleiScene(seed=502, shape=(24, 48, 48), diameter_px=12.0)


def _recording(image: np.ndarray, spacing: tuple[float, float, float] | None = None) -> Recording:
    volume = image if image.ndim == 3 else image[None]
    movie = Movie.from_array(volume[None].astype(np.float32), 1.0, spacing_um=spacing)
    return Recording(None, "array", {}, fingerprint="0" * 64, movies={"movie": movie})


def test_simulated_nuclei_are_where_the_truth_says() -> None:
    image, labels = nuclei(FLAT)
    assert image.shape == labels.shape == FLAT.shape
    assert 20 < labels.max() < 80
    assert image[labels > 0].mean() > 2 * image[labels == 0].mean()
    again = nuclei(FLAT)
    np.testing.assert_array_equal(image, again[0])
    assert not np.array_equal(image, nuclei(replace(FLAT, seed=9))[0])
    assert 0.2 < (labels > 0).mean() / FLAT.crowding < 1.2
    with pytest.raises(BadArgumentError):
        NucleiScene(crowding=0.0)


@pytest.mark.parametrize("scene", [FLAT, DEEP], ids=["image", "volume"])
def test_simulated_nuclei_are_found(scene: NucleiScene) -> None:
    image, labels = nuclei(scene)
    found = found_in(image, diameter_px=scene.diameter_px)
    assert found.shape == scene.shape
    assert agreement(found, Footprints.from_masks(labels))["f1"] > 0.6


def test_planes_may_lie_further_apart_than_pixels() -> None:
    image, labels = nuclei(replace(DEEP, shape=(48, 48, 48)))
    found = found_in(image[::3], diameter_px=12.0, anisotropy=3.0)
    assert found.shape == (16, 48, 48)
    assert agreement(found, Footprints.from_masks(labels[::3]))["f1"] > 0.4


@pytest.mark.data
def test_sample_of_real_nuclei() -> None:
    tifffile = pytest.importorskip("tifffile")
    folder = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "imaging" / "nuclei_sample"
    if not folder.is_dir():
        pytest.skip("set NISSL_DATA to the folder that holds imaging/nuclei_sample")
    for ending, least in (("2d", 0.75), ("3d", 0.4)):
        image, mask = (tifffile.imread(folder / f"{k}{ending}.tif") for k in ("img", "mask"))
        found = found_in(image)
        true = Footprints.from_masks(mask.astype(np.int32))
        assert agreement(found, true)["f1"] > least


def test_the_method_gives_regions_with_facts(tmp_path: Path) -> None:
    image, _ = nuclei(DEEP)
    recording = _recording(image, (2.0, 1.0, 1.0))
    result = STILL.annotate(
        Inputs(recording, "movie"), {**STILL.defaults(), "diameter_px": 12.0}, Context(tmp_path)
    )
    labels = result.labels[0]
    assert labels.kind == Kind.REGIONS
    assert labels.provenance.author.weights
    assert labels.n_rows == len(result.items[0].items) > 3
    assert set(result.images) == {"mean"}
    again = STILL.annotate(
        Inputs(recording, "movie"), {**STILL.defaults(), "diameter_px": 12.0}, Context(tmp_path)
    )
    assert again.labels[0].digest == labels.digest


def test_somata_of_a_movie_are_found_in_its_mean(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    from nissl.annotators.cells.simulate import simulate

    recording, truth = simulate(
        5, height=128, width=128, n_frames=60, jitter_px=0.1, drift_px=0.0, dim=0.0, photons=30.0
    )
    given = {**STILL.defaults(), "what": "somata", "diameter_px": 10.0}
    result = STILL.annotate(Inputs(recording, "movie"), given, Context(tmp_path))
    found, true = (
        Footprints.from_labels(each, (1, 128, 128)) for each in (result.labels[0], truth)
    )
    assert agreement(found, true)["f1"] > 0.4


def test_means_over_frames_leave_out_what_is_no_number() -> None:
    frames = np.ones((5, 8, 8), np.float32)
    frames[2] = 3.0
    frames[1:, 0, 0], frames[:, 1, 1] = np.nan, np.nan
    mean = mean_frame(Movie.from_array(frames, 1.0))[0]
    assert np.isnan(mean[1, 1])
    assert mean[0, 0] == 1.0
    assert mean[4, 4] == pytest.approx(1.4)


@pytest.mark.parametrize("wrong", [{"what": "planets"}, {"anisotropy": 0.0}, {"diameter_px": 1.0}])
def test_options_outside_their_values(wrong: dict[str, float]) -> None:
    with pytest.raises(BadArgumentError):
        found_in(np.ones((32, 32), np.float32), **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadArgumentError):
        found_in(np.full((32, 32), np.nan, np.float32))
