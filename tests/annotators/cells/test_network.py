"""Cells by shape: how images are prepared, tiles, missing images, and the shipped weights."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nissl.annotators.cells.examples import Field, field_of
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import agreement
from nissl.annotators.cells.network import (
    DIAMETER,
    IMAGES,
    detect,
    images_of,
    likely_diameter,
    maps,
    prepared,
    relative,
    rescaled,
    shipped,
    weights_file,
)
from nissl.annotators.cells.simulate import Scene, simulated
from nissl.errors import BadArgumentError
from nissl.run.context import Context

pytest.importorskip("onnxruntime")
pytest.importorskip("skimage")
pytest.importorskip("numba")

SCENE = Scene(
    seed=77, height=160, width=160, n_frames=300, rate_hz=15.0, photons=20.0, um_per_px=1.2,
    jitter_px=0.1, drift_px=0.2, jerks_per_min=0.0, dim=0.2, silent=0.4, holes=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """A field that no training has seen (its seeds are drawn otherwise)."""
    from nissl.annotators.cells.summary import summarise

    made = simulated(SCENE)
    summary = summarise(made.movie, Context(tmp_path_factory.mktemp("summary")))
    return field_of(made, images_of(summary))


def _f1(field: Field, images: dict[str, Any], diameter_px: float | None = None) -> float:
    found = detect(images, diameter_px=diameter_px or field.diameter_px)
    true = Footprints.from_masks(field.labels)
    return agreement(found, true, doubtful=~field.known)["f1"]


def test_shipped_weights_find_simulated_cells(field: Field) -> None:
    assert len(np.unique(field.labels)) > 15
    assert _f1(field, field.images) > 0.6


def test_any_images_may_be_missing(field: Field) -> None:
    without = {name: field.images[name] for name in ("mean", "correlation")}
    assert _f1(field, without) > 0.5
    assert _f1(field, {"mean": field.images["mean"]}) > 0.4
    broken = field.images | {"max": np.full_like(field.images["max"], np.nan)}
    assert _f1(field, broken) > 0.5


def test_brightness_offset_and_size_of_the_pixels_do_not_matter(field: Field) -> None:
    linear = {k: v * 3 + 50 if k in ("mean", "max", "std") else v for k, v in field.images.items()}
    assert _f1(field, linear) == pytest.approx(_f1(field, field.images), abs=0.1)
    large = {name: rescaled(image, 1.5) for name, image in field.images.items()}
    few = detect(field.images, diameter_px=field.diameter_px)
    many = detect(large, diameter_px=1.5 * field.diameter_px)
    assert abs(len(few) - len(many)) <= 0.2 * len(few)


def test_the_diameter_is_found_where_nobody_gives_it(field: Field) -> None:
    guessed = likely_diameter(field.images, shipped())
    assert 0.7 < guessed / field.diameter_px < 1.4


def test_same_bytes_again_and_whatever_the_tiles(field: Field) -> None:
    a, b = (detect(field.images, diameter_px=field.diameter_px) for _ in range(2))
    assert all(np.array_equal(p, q) for p, q in zip(a.pixels, b.pixels, strict=True))
    np.testing.assert_array_equal(a.score, b.score)
    assert set(a.origin) == {"shape"}
    assert np.all((a.score > 0) & (a.score <= 1))
    x = prepared(field.images, field.diameter_px / 2, IMAGES)
    assert max(x.shape[1:]) > 256
    whole, _ = maps(shipped(), x)
    cut, _ = maps(shipped(), np.ascontiguousarray(x[:, 40:, 40:]))
    inner = np.abs(whole[80:-40, 80:-40] - cut[40:-40, 40:-40])
    assert np.median(inner) < 0.02


def test_a_field_without_anything_gives_no_cells() -> None:
    flat = np.full((64, 64), 7.0, np.float32)
    assert len(detect({"mean": flat}, diameter_px=10)) == 0
    with pytest.raises(BadArgumentError):
        images_of({"mean": np.full((64, 64), np.nan, np.float32)})
    with pytest.raises(BadArgumentError):
        images_of({"mean": flat, "max": flat[:3]})
    with pytest.raises(BadArgumentError):
        detect({"mean": flat}, diameter_px=0.5)


def test_relative_images_ignore_what_is_not_known() -> None:
    rng = np.random.default_rng(0)
    image = rng.standard_normal((80, 80)).astype(np.float32)
    holed = image.copy()
    holed[:, :10] = np.nan
    made = relative(holed)
    assert np.isfinite(made).all()
    assert not made[:, :10].any()
    np.testing.assert_allclose(made[:, 70:], relative(image)[:, 70:], atol=0.15)
    assert 0.7 < made[:, 20:].std() < 1.4


def test_the_card_is_of_these_weights_and_they_are_small() -> None:
    for name in ("somata", "nuclei"):
        card = json.loads(weights_file(name).with_suffix(".json").read_text())
        network = shipped(name)
        assert card["digest"] == network.digest
        assert card["diameter"] == DIAMETER
        assert card["simulated"] is True
        assert len(network.model) < 2_000_000


def test_finding_cells_never_imports_torch() -> None:
    code = (
        "import sys, numpy as np; from nissl.annotators.cells.network import detect;"
        "detect({'mean': np.random.default_rng(0).random((64, 64))}, diameter_px=10);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scenes_of_training_vary() -> None:
    from nissl.annotators.cells.examples import varied_scene

    drawn = [varied_scene(np.random.default_rng(k)) for k in range(40)]
    assert {scene.optics for scene in drawn} == {"one-photon", "two-photon"}
    assert len({scene.seed for scene in drawn}) == 40
    assert replace(drawn[0], seed=1) != drawn[0]
