from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.names.affine import least_squares, likeliest, moved, starts
from nissl.annotators.names.animals import (
    Animals,
    normal_colours,
    read_animals,
    write_animals,
)
from nissl.annotators.names.atlas import aligned, built, patterns
from nissl.annotators.names.confidence import answers, calibrated, mapped
from nissl.annotators.names.method import ATLAS
from nissl.annotators.names.naming import named
from nissl.annotators.names.simulate import (
    Plan,
    random_affine,
    simulate_animals,
    simulate_tracks,
)
from nissl.annotators.names.task import NAMES
from nissl.annotators.names.transport import assigned, best
from nissl.annotators.names.vocabulary import vocabulary
from nissl.errors import BadArgumentError, CorruptSourceError
from nissl.run.context import Context
from nissl.tasks import TASKS, Inputs
from nissl.testing.annotators import AnnotatorContract


@pytest.fixture(scope="module")
def animals() -> Animals:
    return simulate_animals(np.random.default_rng(1), n_names=40, n_animals=7)


def test_transport_gives_each_name_once_and_leaves_strangers_out() -> None:
    score = np.array([[0.0, -9.0], [-0.1, -9.0], [-40.0, -40.0]])
    p, _ = assigned(score, np.full(3, -10.0), np.full(2, -5.0))
    assert np.all(p.sum(axis=1) <= 1 + 1e-9)
    assert np.all(p.sum(axis=0) <= 1.02)
    assert p[2].sum() < 1e-6
    assert p[0, 0] > p[1, 0]
    rows, columns = best(p)
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True))[0] == 0


def test_affine_maps_are_found_again() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((50, 3)) * (4, 1, 2)
    affine = random_affine(rng)
    there = moved(points, affine)
    assert least_squares(points, there) == pytest.approx(affine)
    near = min(
        float(np.linalg.norm(moved(there, each) - points, axis=1).mean())
        for each in starts(there, points, angles=(0.0,))
    )
    assert near < 1.5
    noisy = there + rng.normal(0, 0.01, there.shape)
    precision = np.tile(np.eye(3) * 1e4, (50, 1, 1))
    found = likeliest(points, noisy, precision, np.eye(50), least_squares(points, noisy) * 1.1)
    assert moved(points, found) == pytest.approx(there, abs=0.1)


def test_shapes_come_into_one_frame() -> None:
    rng = np.random.default_rng(2)
    body = rng.standard_normal((20, 3)) * (5, 1, 2)
    shapes = np.stack([moved(body, random_affine(rng)) for _ in range(4)])
    shapes[1, :5] = np.nan
    out = aligned(shapes)
    assert np.nanmax(np.nanstd(out, axis=0)) < 1e-3


def test_an_animal_is_named_in_any_affine_frame(animals: Animals) -> None:
    atlas = built(animals.without(0))
    seen = np.flatnonzero(animals.seen[0])
    truth = np.array(animals.names)[seen]
    rng = np.random.default_rng(3)
    rates = []
    for _ in range(2):
        xyz = moved(animals.xyz[0, seen], random_affine(rng))
        found = answers(named(atlas, xyz, animals.colours[0, seen]))
        rates.append(np.mean(np.array(atlas.names)[found.name] == truth))
    assert rates[0] == pytest.approx(rates[1], abs=0.06)
    assert min(rates) > 0.75
    alone = answers(named(atlas, animals.xyz[0, seen]))
    assert np.mean(np.array(atlas.names)[alone.name] == truth) > 0.3


def test_animals_that_show_another_part_are_patterns_of_their_own() -> None:
    presence, seen = np.full(8, 0.8), np.ones((4, 8), bool)
    assert len(patterns(presence, seen)) == 1
    seen[2, :5] = False
    found = patterns(presence, seen)
    assert found[0] == pytest.approx(presence)
    assert np.array_equal(found[1], seen[2].astype(float))


def test_a_mirrored_animal_is_named_when_that_is_said(animals: Animals) -> None:
    atlas = built(animals.without(0))
    seen = np.flatnonzero(animals.seen[0])
    truth = np.array(animals.names)[seen]
    xyz = animals.xyz[0, seen] * (1, 1, -1)
    found = answers(named(atlas, xyz, animals.colours[0, seen], mirrored=True))
    assert np.mean(np.array(atlas.names)[found.name] == truth) > 0.75


def test_confidence_is_learned_from_animals_left_out(animals: Animals) -> None:
    from functools import partial

    def learned(some: Animals):  # type: ignore[no-untyped-def]
        return partial(named, built(some))

    rng = np.random.default_rng(0)
    sure = calibrated(animals, learned, coloured=True, rng=rng)
    assert sure is not None
    out = mapped(sure, np.array([0.1, 0.5, 0.99]))
    assert np.all(np.diff(out) > 0)
    assert calibrated(animals.take(np.arange(2)), learned, coloured=True, rng=rng) is None
    assert np.isnan(mapped(None, np.array([0.5]))).all()


def test_files_hold_animals(animals: Animals, tmp_path: Path) -> None:
    write_animals(tmp_path / "a.npz", animals)
    assert read_animals(tmp_path / "a.npz").digest() == animals.digest()
    lines = ["animal,name,x,y,z,red,green,blue"]
    for k in range(2):
        for j in np.flatnonzero(animals.seen[k]):
            numbers = [*animals.xyz[k, j].tolist(), *animals.colours[k, j].tolist()]
            lines.append(",".join([animals.animals[k], animals.names[j], *map(repr, numbers)]))
    (tmp_path / "a.csv").write_text("\n".join(lines))
    again = read_animals(tmp_path / "a.csv")
    assert again.n_animals == 2
    assert set(again.names) <= set(animals.names)
    (tmp_path / "twice.csv").write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(BadArgumentError, match="once in an animal"):
        read_animals(tmp_path / "twice.csv")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorruptSourceError):
        read_animals(tmp_path / "bad.csv")
    with pytest.raises(BadArgumentError):
        read_animals(tmp_path / "none.npz")


def test_a_plane_or_too_few_points_are_refused(animals: Animals) -> None:
    atlas = built(animals)
    flat = np.random.default_rng(0).standard_normal((30, 3)) * (1, 1, 0)
    for points in (flat, flat[:3]):
        with pytest.raises(BadArgumentError):
            named(atlas, points)
    with pytest.raises(BadArgumentError, match="colours"):
        named(atlas, flat + np.random.default_rng(1).random((30, 3)), np.ones((30, 2)))


def test_colours_do_not_depend_on_gain() -> None:
    counts = np.random.default_rng(0).uniform(10, 900, (20, 3))
    assert normal_colours(counts * (1, 7, 0.2)) == pytest.approx(normal_colours(counts))


def test_one_animal_is_an_atlas_without_confidence() -> None:
    alone = simulate_animals(np.random.default_rng(5), 40, 1, Plan(missing=0.0))
    atlas = built(alone)
    shaken = alone.xyz[0] + np.random.default_rng(1).normal(0, 0.3, alone.xyz[0].shape)
    found = answers(named(atlas, shaken, alone.colours[0]))
    assert np.mean(found.name == np.arange(40)) > 0.9


class TestNamesAtlas(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):  # type: ignore[no-untyped-def]
        return ATLAS

    @pytest.fixture(scope="class")
    def made(self):  # type: ignore[no-untyped-def]
        return simulate_tracks(4, n_names=30, n_animals=5)

    @pytest.fixture(scope="class")
    def inputs(self, made) -> Inputs:  # type: ignore[no-untyped-def]
        recording, tracks, items, _, _ = made
        return Inputs(recording, "red", {"tracks": tracks}, {"tracks": items})

    @pytest.fixture(scope="class")
    def parameters(self, annotator, made, tmp_path_factory):  # type: ignore[no-untyped-def]
        path = tmp_path_factory.mktemp("atlas") / "atlas.npz"
        write_animals(path, made[4])
        return {**annotator.defaults(), "atlas": str(path)}

    def test_names_are_right(self, made, run) -> None:  # type: ignore[no-untyped-def]
        found = NAMES.score(run[0].labels[0], made[3])
        assert found["accuracy"] > 0.6
        assert found["precision"] > 0.8

    def test_bad_parameters(self, annotator, inputs, parameters, tmp_path) -> None:  # type: ignore[no-untyped-def]
        wrong = ({"atlas": ""}, {"claimed": 2}, {"strange": "a"}, {"mirrored": 1}, {"channels": 3})
        for each in wrong:
            with pytest.raises(BadArgumentError):
                annotator.annotate(inputs, {**parameters, **each}, Context(tmp_path))

    def test_without_colours_fewer_names_are_right(  # type: ignore[no-untyped-def]
        self, annotator, inputs, parameters, made, run, tmp_path
    ) -> None:
        bare = dataclasses.replace(inputs, items={})
        result = annotator.annotate(bare, parameters, Context(tmp_path))
        assert result.log["colours"] is False
        truth = made[3]
        with_colours = NAMES.score(run[0].labels[0], truth)["accuracy"]
        assert NAMES.score(result.labels[0], truth)["accuracy"] < with_colours


def test_the_task_says_what_is_doubtful(tmp_path: Path) -> None:
    assert TASKS.get("names") is NAMES
    recording, tracks, _, truth, _ = simulate_tracks(2)
    inputs = Inputs(recording, "red", {"tracks": tracks})
    context = Context(tmp_path)
    items = NAMES.describe(truth, inputs, context)
    assert items.items.tolist() == truth.items.tolist()
    assert NAMES.check(truth, items, inputs, context) == []
    twice = truth.table.set_column(
        truth.table.schema.get_field_index("label"),
        truth.table.schema.field("label"),
        pa.array(np.zeros(truth.n_rows, np.int32)),
    )
    doubted = dataclasses.replace(truth, table=twice)
    assert {f.check for f in NAMES.check(doubted, None, None, context)} == {"name_twice"}
    nothing = np.full(truth.n_rows, len(truth.vocabulary) - 1, np.int32)
    lost = dataclasses.replace(
        truth,
        table=truth.table.set_column(
            truth.table.schema.get_field_index("label"),
            truth.table.schema.field("label"),
            pa.array(nothing),
        ),
    )
    assert [f.check for f in NAMES.check(lost, None, None, context)] == ["mostly_unknown"]
    assert NAMES.score(lost, truth)["claimed"] == 0
    assert np.isnan(NAMES.score(truth, lost)["accuracy"])
    with pytest.raises(BadArgumentError):
        vocabulary(())
