"""`tracks/registration` and `tracks/blobs` on a small simulated worm, and on bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nissl.annotators.tracks.linking import BLOBS
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.registering import REGISTRATION
from nissl.annotators.tracks.task import TRACKS
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError, BadLabelsError, BadMetadataError, BadSamplesError
from nissl.labels import Author, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs, resolve
from nissl.testing.annotators import AnnotatorContract

N_FRAMES = 12
ANNOTATED = [0, 4, 8]


@pytest.fixture(scope="module")
def filmed() -> tuple[Recording, LabelSet]:
    made, truth = TRACKS.simulate(
        3, n_neurons=24, n_frames=N_FRAMES, shape=(10, 48, 80), spread=0.4, silent=1.0
    )
    read = {
        name: Movie.from_array(
            movie.read(0, N_FRAMES), movie.rate_hz, name=name, spacing_um=movie.spacing_um
        )
        for name, movie in made.movies.items()
    }
    return replace(made, movies=read), truth


def by_a_person(positions: Positions, recording: Recording) -> LabelSet:
    author = Author("person", "someone")
    return positions.to_labels(Provenance("tracks", recording.fingerprint, author, "red"))


@pytest.fixture(scope="module")
def annotated(filmed) -> Inputs:  # type: ignore[no-untyped-def]
    recording, truth = filmed
    few = Positions.from_labels(truth).take(np.asarray(ANNOTATED))
    return Inputs(recording, "red", {"tracks": by_a_person(few, recording)})


def test_methods_are_found_by_name() -> None:
    assert resolve("tracks/registration")[1] is REGISTRATION
    assert resolve("tracks/blobs")[1] is BLOBS


class TestRegistration(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):  # type: ignore[no-untyped-def]
        return REGISTRATION

    @pytest.fixture(scope="class")
    def inputs(self, annotated):  # type: ignore[no-untyped-def]
        return annotated

    def test_most_neurons_are_found_again(self, run, filmed) -> None:  # type: ignore[no-untyped-def]
        result, truth = run[0], filmed[1]
        scores = TRACKS.score(result.labels[0], truth)
        assert scores["right"] > 0.8
        assert np.isnan(result.labels[0].column("confidence")).all()
        (signal,) = result.sources
        assert signal.n_samples == N_FRAMES
        values = signal.read()
        assert np.nanmin(values) >= 0
        assert np.nanmax(values) <= 1

    def test_what_people_placed_stays(self, run, filmed) -> None:  # type: ignore[no-untyped-def]
        found = Positions.from_labels(run[0].labels[0])
        told = Positions.from_labels(filmed[1])
        np.testing.assert_array_equal(found.xyz[4], told.xyz[4])


class TestBlobs(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):  # type: ignore[no-untyped-def]
        return BLOBS

    @pytest.fixture(scope="class")
    def inputs(self, filmed):  # type: ignore[no-untyped-def]
        return Inputs(filmed[0], "red")

    def test_links_hold_through_the_movie(self, run, filmed) -> None:  # type: ignore[no-untyped-def]
        scores = TRACKS.score(run[0].labels[0], filmed[1])
        assert scores["recall"] > 0.6
        assert scores["linked"] > 0.75 * scores["recall"]


def annotate(inputs: Inputs, tmp_path: Path, method: Any = REGISTRATION, **given: Any) -> Any:
    return method.annotate(inputs, {**method.defaults(), **given}, Context(tmp_path))


def test_one_annotated_volume_works_and_says_what_that_means(filmed, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recording, truth = filmed
    one = by_a_person(Positions.from_labels(truth).take(np.asarray([5])), recording)
    result = annotate(Inputs(recording, "red", {"tracks": one}), tmp_path)
    assert "one_volume" in {finding.check for finding in result.findings}
    assert TRACKS.score(result.labels[0], truth)["right"] > 0.7


def test_places_that_count_from_one_are_told(filmed, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recording, truth = filmed
    few = Positions.from_labels(truth).take(np.asarray(ANNOTATED))
    off = Positions.build(few.frames, few.xyz + np.float32([1, 1, 1]), items=few.items)
    off = Positions.build(off.frames, np.minimum(off.xyz, [79, 47, 9]), items=off.items)
    result = annotate(Inputs(recording, "red", {"tracks": by_a_person(off, recording)}), tmp_path)
    assert "off_centre" in {finding.check for finding in result.findings}


def test_empty_volumes_hold_no_neuron_and_are_told(filmed, annotated, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recording = filmed[0]
    dark = {}
    for name, movie in recording.movies.items():
        values = movie.read(0, N_FRAMES).copy()
        values[11] = values.min()  # the last one
        dark[name] = replace(Movie.from_array(values, 4.0, name=name), spacing_um=movie.spacing_um)
    inputs = Inputs(replace(recording, movies=dark), "red", annotated.labels)
    result = annotate(inputs, tmp_path)
    assert 11 not in result.labels[0].column("frame")
    assert "unlike_annotated" in {finding.check for finding in result.findings}
    found = TRACKS.check(result.labels[0], None, inputs, Context(tmp_path))
    assert "empty_volumes" in {finding.check for finding in found}


def test_no_volume_with_a_blob_is_an_error(tmp_path) -> None:  # type: ignore[no-untyped-def]
    black = Movie.from_array(np.zeros((6, 4, 20, 20), np.uint8), 4.0, spacing_um=(2, 1, 1))
    inputs = Inputs(Recording(None, "test", {}, movies={"movie": black}), "movie")
    with pytest.raises(BadSamplesError, match="nuclei stand out"):
        annotate(inputs, tmp_path, BLOBS, diameter_um=3.0)


def test_bad_input_is_refused(filmed, annotated, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recording, truth = filmed
    with pytest.raises(BadLabelsError, match="person annotated"):
        annotate(Inputs(recording, "red", {"tracks": truth}), tmp_path)
    nowhere = {k: replace(m, spacing_um=None) for k, m in recording.movies.items()}
    unknown = Inputs(replace(recording, movies=nowhere), "red", annotated.labels)
    with pytest.raises(BadMetadataError, match="--spacing"):
        annotate(unknown, tmp_path)
    short = recording.movies["green"]
    short = Movie.from_array(short.read(0, 5), 4.0, name="green", spacing_um=short.spacing_um)
    uneven = replace(recording, movies={**recording.movies, "green": short})
    with pytest.raises(BadMetadataError, match="channels of"):
        annotate(Inputs(uneven, "red", annotated.labels), tmp_path, channels=["red", "green"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ["red", "infrared"]},
        {"channels": "red"},
        {"frames": 3},
        {"votes": 0},
        {"least": 2.0},
        {"threshold": "high"},
        {"diameter_um": 0.1},
        {"spacing_um": [1, 1]},
    ],
)
def test_parameters_outside_their_values_are_refused(annotated, tmp_path, wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadArgumentError):
        annotate(annotated, tmp_path, **wrong)
