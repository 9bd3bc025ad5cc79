from __future__ import annotations

from pathlib import Path

import numpy as np

from nissl.annotators.cells.activity import ActivitySettings, find_active, plan_tiles
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.joining import joined, merged_duplicates, partners, union
from nissl.annotators.cells.traces import extract
from nissl.data import Movie
from nissl.run.context import Context

CENTRES = ((15, 15), (15, 24), (40, 50), (60, 12), (62, 62))


def disc(y: float, x: float, radius: float = 5.0, size: int = 75) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return np.flatnonzero(np.hypot(rows - y, columns - x) <= radius)


def lively(seed: int = 0, *, peak: float = 40.0) -> Movie:
    """Cells that are invisible at rest, on a neuropil that waxes and wanes."""
    rng = np.random.default_rng(seed)
    n = 900
    frames = np.full((n, 75, 75), 100.0)
    slow = np.convolve(rng.normal(0, 1, n), np.exp(-np.arange(60) / 20.0))[:n]
    frames += 2.0 * slow[:, None, None]
    for y, x in CENTRES:
        what = np.convolve(rng.random(n) < 0.01, np.exp(-np.arange(40) / 8.0))[:n]
        frames.reshape(n, -1)[:, disc(y, x)] += peak * what[:, None]
    return Movie.from_array(rng.poisson(np.maximum(frames, 0)).astype(np.uint16), 15.0)


def test_cells_that_only_light_up_are_found_with_their_pixels(tmp_path: Path) -> None:
    found = find_active(lively(), Context(tmp_path), ActivitySettings(diameter_px=10)).cells
    truth = Footprints.build((1, 75, 75), [disc(*c) for c in CENTRES])
    pairs = partners(truth, found)
    assert len(pairs) == 5
    assert len(found) == 5
    for k, other in pairs.items():
        shared = np.intersect1d(truth.pixels[k], found.pixels[other]).size
        assert shared / np.union1d(truth.pixels[k], found.pixels[other]).size > 0.6
    assert set(found.origin) == {"activity"}


def test_cells_of_two_planes_stay_in_their_planes(tmp_path: Path) -> None:
    one, two = lively(0), lively(1, peak=0.0)
    volume = Movie.from_array(np.stack([two.frames(), one.frames()], 1), 15.0)
    found = find_active(volume, Context(tmp_path), ActivitySettings(diameter_px=10)).cells
    assert len(found) == 5
    assert (found.centres()[:, 0] == 1).all()


def test_borders_without_numbers_are_no_cells(tmp_path: Path) -> None:
    frames = lively().frames().astype(np.float32)
    frames[:, :8] = np.nan
    frames[100:110, :, :9] = np.nan
    found = find_active(
        Movie.from_array(frames, 15.0), Context(tmp_path), ActivitySettings(diameter_px=10)
    ).cells
    assert len(found) == 5
    assert min(p[0] for p in found.pixels) >= 8 * 75


def test_nothing_is_found_in_noise_or_darkness(tmp_path: Path) -> None:
    quiet = lively(peak=0.0)
    settings = ActivitySettings(diameter_px=10)
    assert len(find_active(quiet, Context(tmp_path / "a"), settings).cells) == 0
    for n in (1, 2, 40):
        dark = Movie.from_array(np.zeros((n, 30, 30), np.uint16), 10.0)
        assert len(find_active(dark, Context(tmp_path / f"b{n}")).cells) == 0


def test_smoothed_noise_is_no_activity(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(100, 10, (600, 60, 60))
    for axis in (0, 0, 1, 2):
        frames = (frames + np.roll(frames, 1, axis) + np.roll(frames, -1, axis)) / 3
    movie = Movie.from_array(frames.astype(np.float32), 7.5)
    assert len(find_active(movie, Context(tmp_path), ActivitySettings(diameter_px=10)).cells) == 0


def test_two_movies_of_one_name_never_share_a_stage(tmp_path: Path) -> None:
    lit, dark = lively(), lively(peak=0.0)
    settings, context = ActivitySettings(diameter_px=10), Context(tmp_path)
    assert (lit.name, lit.shape, lit.clock) == (dark.name, dark.shape, dark.clock)
    assert len(find_active(lit, context, settings).cells) == 5
    assert len(find_active(dark, context, settings).cells) == 0
    cells = Footprints.build((1, 75, 75), [disc(*c) for c in CENTRES])
    one, two = (extract(movie, cells, context).raw for movie in (lit, dark))
    assert not np.array_equal(one, two)


def test_the_same_cells_for_two_workers(tmp_path: Path) -> None:
    movie = lively(1)
    one = find_active(movie, Context(tmp_path / "1")).cells
    two = find_active(movie, Context(tmp_path / "2", workers=2)).cells
    assert len(one) == len(two) > 0
    for a, b in zip(one.pixels + one.weights, two.pixels + two.weights, strict=True):
        assert a.tobytes() == b.tobytes()
    assert one.score.tobytes() == two.score.tobytes()


def test_tiles_answer_for_every_pixel_once() -> None:
    count = np.zeros((2, 300, 170), int)
    for plane, rows, columns, own_rows, own_columns in plan_tiles((2, 300, 170), 4000, 10.0):
        count[plane, slice(*own_rows), slice(*own_columns)] += 1
        assert rows[0] <= own_rows[0] < own_rows[1] <= rows[1]
        assert columns[0] <= own_columns[0] < own_columns[1] <= columns[1]
    assert (count == 1).all()


def test_union_keeps_the_evidence_of_both() -> None:
    shape = (1, 75, 75)
    shapes = Footprints.build(shape, [disc(20, 20), disc(50, 50)], score=[0.9, 0.4], origin="shape")
    weights = [np.linspace(0.1, 1, disc(21, 20).size), np.ones(disc(10, 60).size)]
    active = Footprints.build(
        shape, [disc(21, 20), disc(10, 60)], weights, score=[5.0, 7.0], origin="activity"
    )
    both = union(shapes, active)
    assert both.origin == ("both", "shape", "activity")
    assert np.array_equal(both.pixels[0], shapes.pixels[0])
    assert both.weights[0].min() >= 0.1 - 1e-6
    assert both.weights[0].max() > 0.9
    assert both.score.tolist() == [np.float32(0.9), np.float32(0.4), 7.0]
    none = shapes.take(np.zeros(2, bool))
    assert union(none, active).origin == ("activity", "activity")
    assert union(shapes, none.take(np.zeros(0, np.int64))).origin == ("shape", "shape")


def test_much_evidence_of_one_kind_or_some_of_both_makes_a_plausible_cell() -> None:
    shape = (1, 75, 75)
    shapes = Footprints.build(
        shape, [disc(20, 20), disc(50, 50), disc(35, 60)], score=[0.3, 0.3, 0.9], origin="shape"
    )
    active = Footprints.build(
        shape, [disc(21, 20), disc(10, 60), disc(65, 10)], score=[3.6, 3.6, 9.0], origin="activity"
    )
    assert joined(shapes, active).plausible.tolist() == [True, False, True, False, True]
    seen = joined(shapes, active, np.array([0.0, 0.7, 0.0], np.float32))
    assert seen.plausible.tolist() == [True, False, True, True, False]


def test_parts_of_one_cell_are_merged_and_neighbours_are_not() -> None:
    rng = np.random.default_rng(0)
    cells = Footprints.build(
        (1, 75, 75), [disc(20, 20), disc(20, 23), disc(20, 26)], score=[1.0, 2.0, 3.0]
    )
    trace = rng.normal(size=200)
    traces = np.stack([trace, trace + rng.normal(0, 0.1, 200), rng.normal(size=200)])
    merged, rows = merged_duplicates(cells, traces)
    assert rows.tolist() == [1, 2]
    assert len(merged) == 2
    assert merged.score.tolist() == [2.0, 3.0]
    assert np.array_equal(merged.pixels[0], np.union1d(disc(20, 20), disc(20, 23)))
