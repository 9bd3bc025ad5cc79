"""What lights up, seen in its windows: pictures, places, targets, and the shipped weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.cells.activity import Active, ActivitySettings, find_active
from nissl.annotators.cells.describing import field_images
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.joining import joined
from nissl.annotators.cells.matching import IOU, matched, overlap
from nissl.annotators.cells.network import shipped, weights_file
from nissl.annotators.cells.simulate import Scene, simulated
from nissl.annotators.cells.window_examples import source_examples, target, true_cells
from nissl.annotators.cells.windows import (
    NAMES,
    PICTURES,
    SIDE,
    judged,
    patches_of,
    placed,
    window_pictures,
    windows_of,
)
from nissl.data import Movie
from nissl.run.context import Context

pytest.importorskip("onnxruntime")
pytest.importorskip("skimage")
pytest.importorskip("numba")

SCENE = Scene(
    seed=78, height=128, width=128, n_frames=300, rate_hz=7.5, photons=20.0, um_per_px=1.2,
    jitter_px=0.0, drift_px=0.0, jerks_per_min=0.0, dim=0.6, silent=0.2, processes=3.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A simulation, its pictures and what lights up in it."""
    made = simulated(SCENE)
    movie = Movie.from_array(made.movie.frames(), made.movie.rate_hz)
    context = Context(tmp_path_factory.mktemp("windows"))
    found = find_active(movie, context, ActivitySettings(diameter_px=10.0, energy=3.0))
    return made, field_images(movie, context), found


def disc(y: float, x: float, radius: float = 5.0, size: int = 80) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return np.flatnonzero(np.hypot(rows - y, columns - x) <= radius)


def test_windows_are_the_strongest_moments_and_quiet_ones_beside_them() -> None:
    trace = np.random.default_rng(0).normal(0, 0.3, 200).astype(np.float32)
    trace[[50, 51, 120]] += [20, 12, 8]
    found = windows_of(trace)
    assert [int(inside[1]) for inside, _ in found] == [50, 120]
    for inside, rest in found:
        assert not np.isin(rest, inside).any()
        assert trace[rest].max() <= 1.0
        assert np.abs(rest - inside[1]).max() < 15
    assert windows_of(np.zeros(30, np.float32)) == []
    assert windows_of(np.zeros(0, np.float32)) == []


def test_pictures_show_what_fired_and_not_what_is_always_bright() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.normal(100, 1, (120, 30, 30)).astype(np.float32)
    blocks[:, 5:10, 5:10] += 500
    trace = np.zeros(120, np.float32)
    for at in (20, 60, 90):
        blocks[at : at + 2, 18:24, 18:24] += 10
        trace[at : at + 2] = 9
    pictures = window_pictures(blocks, trace)
    assert set(pictures) == set(PICTURES)
    for name in ("window 1", "lit", "with"):
        on, off = pictures[name][18:24, 18:24].mean(), pictures[name][5:10, 5:10].mean()
        assert on > 4 * abs(off)
    assert pictures["with"].max() <= 1 + 1e-6
    none = window_pictures(blocks, np.zeros(120, np.float32))
    assert not any(image.any() for image in none.values())


def test_patches_lie_where_the_source_is_and_are_empty_beyond_the_field(seen) -> None:
    _, images, found = seen
    assert len(found.cells) > 8
    places, x, fine = patches_of(found, images, 10.0)
    assert x.shape == (len(found.cells), len(NAMES), SIDE, SIDE)
    assert np.isfinite(x).all()
    assert np.abs(x).max() <= 4.0 + 1e-5
    for place, size in zip(places, fine, strict=True):
        assert size == (128, 128)
        if place.top < 0:
            assert not x[places.index(place), :, : -place.top].any()


def test_targets_are_the_cells_that_fired(seen) -> None:
    made, _, found = seen
    truth = true_cells(found, made)
    assert (truth >= 0).sum() > 5
    fires = made.truth.spikes.sum(axis=0) > 0
    assert fires[truth[truth >= 0]].all()
    cells, k = made.truth.cells, int(np.flatnonzero(truth >= 0)[0])
    which = int(truth[k])
    place = placed(cells.pixels[which], cells.weights[which], cells.shape, (128, 128))
    y = target(cells, which, place, (128, 128))
    assert y[0].sum() == cells.pixels[which].size
    assert y[1].max() == 1
    assert not target(cells, -1, place, (128, 128))[0].any()
    some = source_examples(np.random.default_rng([5, 1]))
    assert len(some.x) == len(some.y)


def test_shipped_weights_tell_cells_from_what_else_lights_up(seen) -> None:
    made, images, found = seen
    said = judged(found, images, 10.0)
    truth = true_cells(found, made)
    yes, no = said.score[truth >= 0], said.score[truth == -1]
    assert (yes > 0).mean() > 0.6
    assert (no > 0).mean() < 0.5
    before, after = (
        len(matched(overlap(cells.take(truth >= 0), made.truth.cells), IOU))
        for cells in (found.cells, said.cells)
    )
    assert after >= before


def test_nothing_to_judge_is_no_error(seen) -> None:
    _, images, found = seen
    none = Active(found.cells.take(np.zeros(0, np.int64)), found.traces[:0], found.blocks)
    assert judged(none, images, 10.0).score.size == 0


def test_planes_are_judged_by_themselves(seen) -> None:
    _, images, found = seen
    two = {name: np.concatenate([np.zeros_like(image), image]) for name, image in images.items()}
    moved = Footprints.build(
        (2, 128, 128),
        [pixels + 128 * 128 for pixels in found.cells.pixels],
        found.cells.weights,
        score=found.cells.score,
        origin="activity",
    )
    blocks = np.concatenate([np.zeros_like(found.blocks), found.blocks], axis=1)
    alone, both = (
        judged(each, pictures, 10.0)
        for each, pictures in ((found, images), (Active(moved, found.traces, blocks), two))
    )
    assert np.array_equal(alone.score, both.score)


def test_sources_that_become_one_cell_are_taken_once() -> None:
    shape = (1, 80, 80)
    shapes = Footprints.build(shape, [disc(20, 20)], score=[0.9], origin="shape")
    outlines = [disc(20, 20), disc(20, 21), disc(60, 60), disc(60, 61), disc(40, 10)]
    active = Footprints.build(shape, outlines, score=[4, 5, 6, 7, 8], origin="activity")
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.0], np.float32)
    both = joined(shapes, active, score)
    assert both.cells.origin == ("both", "activity", "activity")
    assert both.window_score.tolist() == pytest.approx([0.9, 0.7, 0.0])
    assert both.activity_score.tolist() == [4, 6, 8]
    assert len(joined(shapes, active).cells) == 5


def test_the_card_says_where_the_weights_come_from() -> None:
    card = json.loads(weights_file("windows").with_suffix(".json").read_text(encoding="utf-8"))
    network = shipped("windows")
    assert card["digest"] == network.digest
    assert card["simulated"] is True
    assert tuple(network.header["images"]) == NAMES


def test_training_goes_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from nissl.annotators.cells import train_windows, window_examples

    small = replace(SCENE, n_frames=120, height=96, width=96)
    monkeypatch.setattr(
        window_examples,
        "varied_scene",
        lambda rng: replace(small, seed=int(rng.integers(2**31))),
    )
    train_windows.train(tmp_path, 3, 1)
    card = json.loads((tmp_path / "windows.json").read_text(encoding="utf-8"))
    assert set(card["scores"]) == {"f1", "precision", "recall"}
