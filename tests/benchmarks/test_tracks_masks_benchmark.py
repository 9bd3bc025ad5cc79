"""The benchmark of masks: which volumes are truth, and what the page says."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def made() -> Iterator[SimpleNamespace]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("_tracks_masks", "_tracks_masks_page")
        yield SimpleNamespace(
            **{k: v for name in names for k, v in vars(importlib.import_module(name)).items()}
        )
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_only_what_a_person_drew_is_truth_and_volumes_count_once(
    made: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tmp_path / made.FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 200, (3, 10, 8, 4)).astype(np.uint8)
    masks = np.zeros((3, 10, 8, 4), np.uint8)
    masks[:, 2:4, 2:4, 1:3] = 5
    files = (("0520_gt", 0), ("0620_gt", 1), ("0619_target", 2), ("0620_target", 1))
    for name, k in files:
        np.savez(
            folder / f"masks_frame{name}.npz", frame=frames[k], mask=masks[k],
            voxel_um=[0.2, 0.2, 1.5],
        )  # fmt: skip
    known = made.real_masks(tmp_path)
    movie = known.recording.movies["red"]
    assert movie.n_frames == 3
    assert movie.spacing_um == (1.5, 0.2, 0.2)
    assert known.names == ("0520", "0620")
    assert known.truth.frames.tolist() == [0, 1]
    assert known.truth.shape == (4, 8, 10)
    np.testing.assert_array_equal(movie.read(2, 3)[0], frames[2].T)
    assert made.real_masks(tmp_path / "nowhere") is None


@pytest.mark.data
def test_the_real_volumes_are_three_of_a_person_and_three_without(made: SimpleNamespace) -> None:
    known = made.real_masks(DATA)
    if known is None:
        pytest.skip("NISSL_DATA has no volumes with masks in imaging/worm_targettrack")
    assert known.names == ("0520", "0620", "0672")
    movie = known.recording.movies["red"]
    assert (movie.n_frames, movie.shape) == (6, (32, 128, 192))
    assert movie.spacing_um == pytest.approx((1.5, 0.1625, 0.1625))
    assert known.truth.frames.tolist() == [0, 1, 2]
    assert known.truth.items.max() == 13
    # masks lie on what shines: the axes of volume and mask agree
    volume, mask = movie.read(0, 1)[0].astype(float), known.truth.volume(0)
    assert volume[mask > 0].mean() > 3 * volume.mean()


def test_the_page_has_real_and_simulated_masks(made: SimpleNamespace) -> None:
    scores = dict.fromkeys(("dice", "right", "found", "identity", "precision"), 0.5)
    base: dict[str, Any] = {"label": "masks/nissl", "scores": scores, "cpu_s": 3.0,
                            "peak_memory_bytes": 10**8}  # fmt: skip
    real = {**base, "kind": "masks", "name": "0520",
            "neurons": [{"neuron": 1, "voxels": 300, "dice": 0.7},
                        {"neuron": 2, "voxels": 3, "dice": 0.0}]}  # fmt: skip
    simulated = {**base, "kind": "masks-simulated", "annotated": 5, "seed": 0, "neurons": 30,
                 "frames": 100, "shape": [12, 64, 96], "voxels": 8.0,
                 "reliability": {"ece": 0.04}}  # fmt: skip
    plain = {**simulated, "label": "without targeted augmentation",
             "scores": {**scores, "dice": 0.4}, "reliability": {"ece": None}}  # fmt: skip
    text = "\n".join(made.masks_section([real, simulated, plain]))
    assert "Dice by +0.100 (5 annotated)" in text
    assert "0.50 / 0.50 / 0.50" in text
    assert "0.70 (1)" in text
    assert "**met** (0.040 at worst)" in text
