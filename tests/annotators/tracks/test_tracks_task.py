from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.tracks.annotated import annotated, channels_of, spacing_of
from nissl.annotators.tracks.checks import relative_steps
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.score import count, match
from nissl.annotators.tracks.task import TRACKS
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError, BadLabelsError, BadMetadataError
from nissl.labels import Author, ItemTable, Provenance
from nissl.run.context import Context
from nissl.tasks import TASKS, Inputs

SHAPE = (4, 40, 50)
PERSON = Provenance("tracks", "f" * 64, Author("person", "someone"), "red")
MODEL = Provenance("tracks", "f" * 64, Author("model", "tracks/some", "1"), "red")


def scattered(n_frames: int = 12, n_neurons: int = 8) -> Positions:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid([8, 20, 32, 44], [10, 30], [2]), -1).reshape(-1, 3)[:n_neurons]
    sway = rng.normal(0, 0.3, (n_frames, 1, 3)).cumsum(axis=0) * (1, 1, 0)
    return Positions.build(np.arange(n_frames), grid + sway)


def filmed(n_frames: int = 12, spacing=(2.0, 0.5, 0.5), **channels: int) -> Inputs:  # type: ignore[no-untyped-def]
    levels = channels or {"red": 100, "green": 30}
    movies = {
        name: Movie.from_array(
            np.random.default_rng(level).poisson(level, (n_frames, *SHAPE)).astype(np.uint16),
            5.0,
            name=name,
            spacing_um=spacing,
        )
        for name, level in levels.items()
    }
    return Inputs(Recording(None, "test", {}, fingerprint="f" * 64, movies=movies), "red")


def test_the_task_is_registered() -> None:
    assert TASKS.get("tracks") is TRACKS


def test_truth_scores_one_and_a_swap_costs_two_neurons() -> None:
    truth = scattered()
    same = TRACKS.score(truth.to_labels(MODEL), truth.to_labels(PERSON))
    assert same == dict.fromkeys(("right", "recall", "precision", "identity", "linked"), 1.0)
    swapped = truth.xyz.copy()
    swapped[6:, [0, 1]] = swapped[6:, [1, 0]]
    scores = count(Positions.build(truth.frames, swapped), truth).metrics()
    assert scores["right"] == pytest.approx(1 - 2 * 6 / (12 * 8))
    assert scores["recall"] == scores["precision"] == 1.0
    assert scores["identity"] == scores["right"] == scores["linked"]


def test_tracks_without_identity_are_judged_by_their_links() -> None:
    truth = scattered()
    renamed = Positions.build(truth.frames, truth.xyz[:, ::-1], items=np.arange(50, 58))
    scores = count(renamed, truth).metrics()
    assert scores["right"] == 0.0
    assert scores["linked"] == scores["recall"] == 1.0
    pairs = match(truth.to_labels(PERSON), renamed.to_labels(MODEL))
    assert pairs == {k: 57 - k for k in range(8)}


def test_only_volumes_of_the_truth_count_and_distance_is_as_asked() -> None:
    every, few = scattered(), scattered().take(np.array([2, 7]))
    moved = Positions.build(every.frames, every.xyz + np.float32([0, 0, 1]))
    assert count(every, few).true == 16
    assert count(moved, few).right == 16
    assert count(moved, few, within=1.5, spacing_um=(2.0, 0.5, 0.5)).right == 0
    with pytest.raises(BadArgumentError):
        count(every, few, within=0.0)
    missing = count(few.take(np.array([0])), few)
    assert (missing.true, missing.proposed, missing.right) == (16, 8, 8)


def test_facts_of_tracks_are_read_from_places_and_movie() -> None:
    told = scattered()
    places = told.xyz.copy()
    places[3:9, 0] = np.nan
    sure = np.where(np.isfinite(places).all(2), 0.8, np.nan)
    labels = Positions.build(told.frames, places, confidence=sure).to_labels(MODEL)
    items = TRACKS.describe(labels, filmed(), Context(Path("unused")))
    facts = {name: items.table.column(name).to_numpy() for name in items.table.column_names}
    assert items.of == labels.digest
    assert facts["n_frames"].tolist() == [6] + [12] * 7
    assert facts["seen"][0] == 0.5
    np.testing.assert_allclose(facts["confidence"], 0.8, rtol=1e-6)
    np.testing.assert_allclose(facts["brightness_red"], 100, atol=10)
    np.testing.assert_allclose(facts["brightness_green"], 30, atol=6)
    assert np.all(facts["largest_step"] >= facts["step"])
    assert items.context["channels"] == ["red", "green"]


def test_names_that_people_gave_stay_with_the_tracks(tmp_path: Path) -> None:
    inputs = filmed(red=100)
    labels = scattered().to_labels(PERSON)
    given = ItemTable(labels.digest, pa.table({"item": labels.items[1:], "name": ["AVA"] * 7}))
    known = replace(inputs, items={"tracks": given})
    table = TRACKS.describe(labels, known, Context(tmp_path)).table
    assert table.column("name").to_pylist() == [None, *["AVA"] * 7]
    assert "name" not in TRACKS.describe(labels, inputs, Context(tmp_path)).table.column_names


def test_sound_tracks_raise_no_doubt() -> None:
    labels = scattered().to_labels(PERSON)
    assert TRACKS.check(labels, None, filmed(), Context(Path("unused"))) == []


def test_doubtful_tracks_are_told() -> None:
    told = scattered(40)
    places = told.xyz.copy()
    places[20, 2] += (9, 0, 0)
    places[:, 5] = places[:, 4] + 0.2
    places[2:, 7] = np.nan
    places[30, 1] = (200, 5, 1)
    labels = Positions.build(told.frames, places).to_labels(MODEL)
    found = TRACKS.check(labels, None, filmed(40), Context(Path("unused")))
    told_of = {(f.check, f.item) for f in found}
    assert {("jump", 2), ("merged", 4), ("seldom", 7), ("outside", 1)} <= told_of
    assert ("jump", 0) not in told_of


def test_a_whole_animal_that_moves_is_no_jump() -> None:
    told = scattered()
    leap = told.xyz.copy()
    leap[6:] += (15, 0, 0)
    assert np.nanmax(relative_steps(Positions.build(told.frames, leap))) < 1e-3


def test_doubtful_volumes_are_told() -> None:
    dark = Movie.from_array(np.zeros((3, *SHAPE), np.uint8), 5.0, name="red")
    inputs = Inputs(Recording(None, "test", {}, fingerprint="f" * 64, movies={"red": dark}), "red")
    labels = scattered(3).to_labels(PERSON)
    found = TRACKS.check(labels, None, inputs, Context(Path("unused")))
    assert {f.check: f.severity for f in found} == {
        "no_spacing": "warning",
        "empty_volumes": "error",
    }


def test_annotated_volumes_are_those_of_a_person() -> None:
    volumes = channels_of(filmed().recording, "red", None)
    told = scattered()
    assert annotated(told.to_labels(PERSON), volumes).frames.size == 12
    with pytest.raises(BadLabelsError, match="person annotated"):
        annotated(told.to_labels(MODEL), volumes)
    assert annotated(told.to_labels(MODEL), volumes, [3]).frames.tolist() == [3]
    with pytest.raises(BadLabelsError, match="have points"):
        annotated(told.to_labels(MODEL), volumes, [99])


@pytest.mark.parametrize("moved", [(60, 0, 0), (0, -30, 0), (0, 0, 9)])
def test_points_outside_the_volume_are_refused(moved) -> None:  # type: ignore[no-untyped-def]
    volumes = channels_of(filmed().recording, "red", None)
    told = scattered()
    wrong = Positions.build(told.frames, told.xyz + np.float32(moved))
    with pytest.raises(BadLabelsError, match="outside, the first of neuron"):
        annotated(wrong.to_labels(PERSON), volumes)
    late = Positions.build(told.frames + 6, told.xyz)
    with pytest.raises(BadLabelsError, match="another movie"):
        annotated(late.to_labels(PERSON), volumes)


def test_channels_are_the_stream_and_the_next_of_its_shape() -> None:
    inputs = filmed(red=100, green=30, blue=5)
    names = [movie.name for movie in channels_of(inputs.recording, "green", None).channels]
    assert names == ["green", "red"]
    named = channels_of(inputs.recording, "red", ["blue"])
    assert [movie.name for movie in named.channels] == ["blue"]
    with pytest.raises(BadArgumentError, match="yellow"):
        channels_of(inputs.recording, "red", ["yellow"])
    flat = Movie.from_array(np.ones((3, 8, 8), np.uint8), 5.0, name="flat")
    with pytest.raises(BadArgumentError, match="one plane"):
        channels_of(Recording(None, "test", {}, movies={"flat": flat}), "flat", None)


def test_a_missing_spacing_is_asked_for() -> None:
    unknown = Volumes((Movie.from_array(np.ones((3, *SHAPE), np.uint8), 5.0),))
    with pytest.raises(BadMetadataError, match="--spacing"):
        spacing_of(unknown, None)
    assert spacing_of(unknown, [3, 1, 1]) == (3.0, 1.0, 1.0)
    for wrong in ([1, 2], [0, 1, 1], "large", [1, 1, float("nan")]):
        with pytest.raises(BadArgumentError, match="spacing_um"):
            spacing_of(unknown, wrong)  # type: ignore[arg-type]
