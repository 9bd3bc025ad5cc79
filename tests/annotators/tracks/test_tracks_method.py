"""`tracks/nissl` on a small simulated worm: contract, resuming, bad input, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from nissl.annotators.tracks.method import NISSL
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.task import TRACKS
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError, BadLabelsError, InterruptedRunError
from nissl.labels import Author, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.testing.annotators import AnnotatorContract

N_FRAMES = 20
ANNOTATED = [0, 7, 14]


@pytest.fixture(scope="module")
def filmed() -> tuple[Recording, LabelSet]:
    made, truth = TRACKS.simulate(
        3, n_neurons=20, n_frames=N_FRAMES, shape=(10, 48, 80), spread=0.4, silent=1.0
    )
    read = {
        name: Movie.from_array(
            movie.read(0, N_FRAMES), movie.rate_hz, name=name, spacing_um=movie.spacing_um
        )
        for name, movie in made.movies.items()
    }
    return replace(made, movies=read), truth


def inputs_of(filmed: tuple[Recording, LabelSet], rows: list[int]) -> Inputs:
    recording, truth = filmed
    few = Positions.from_labels(truth).take(np.asarray(rows))
    person = Provenance("tracks", recording.fingerprint, Author("person", "someone"), "red")
    return Inputs(recording, "red", {"tracks": few.to_labels(person)})


def small(**settings: Any) -> dict[str, Any]:
    return {**NISSL.defaults(), "steps": 60, "threshold": 5.0, **settings}


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self) -> Any:
        return NISSL

    @pytest.fixture(scope="class")
    def inputs(self, filmed: tuple[Recording, LabelSet]) -> Inputs:
        return inputs_of(filmed, ANNOTATED)

    @pytest.fixture(scope="class")
    def parameters(self) -> dict[str, Any]:
        return small()

    def test_most_neurons_are_found_again(self, run: Any, filmed: Any) -> None:
        result, truth = run[0], filmed[1]
        assert TRACKS.score(result.labels[0], truth)["right"] > 0.85

    def test_what_people_placed_stays_and_has_no_confidence(self, run: Any, filmed: Any) -> None:
        found = Positions.from_labels(run[0].labels[0])
        told = Positions.from_labels(filmed[1])
        seen = told.seen[ANNOTATED]
        np.testing.assert_array_equal(found.xyz[ANNOTATED][seen], told.xyz[ANNOTATED][seen])
        assert np.isnan(found.confidence[ANNOTATED][seen]).all()
        others = np.setdiff1d(np.arange(N_FRAMES), ANNOTATED)
        assert np.isfinite(found.confidence[others][found.seen[others]]).all()


@pytest.mark.parametrize("way", ["plain", "none"])
def test_the_published_way_runs_and_claims_no_confidence(
    filmed: tuple[Recording, LabelSet], tmp_path: Path, way: str
) -> None:
    result = NISSL.annotate(
        inputs_of(filmed, ANNOTATED),
        small(targeted=way, steps=20, targets=4),
        Context(tmp_path, seed=1),
    )
    found = Positions.from_labels(result.labels[0])
    assert len(found.frames) == N_FRAMES
    assert np.isnan(found.confidence).all()
    assert result.log["synthetic"] <= 4


def test_one_annotated_volume_works_and_says_what_it_means(
    filmed: tuple[Recording, LabelSet], tmp_path: Path
) -> None:
    result = NISSL.annotate(inputs_of(filmed, [7]), small(rounds=0), Context(tmp_path))
    assert TRACKS.score(result.labels[0], filmed[1])["right"] > 0.5
    assert "one_annotated_volume" in [finding.check for finding in result.findings]


def test_an_interrupted_run_goes_on_to_the_same_labels(
    filmed: tuple[Recording, LabelSet], tmp_path: Path
) -> None:
    class Interrupting:
        said = 0

        def start(self, stage: str, total: float | None, unit: str) -> None: ...
        def finish(self, stage: str) -> None: ...
        def advance(self, stage: str, amount: float) -> None:
            self.said += stage == "train"
            if self.said == 7:
                raise KeyboardInterrupt

    inputs, settings = inputs_of(filmed, ANNOTATED), small(targeted="points-once")
    whole = NISSL.annotate(inputs, settings, Context(tmp_path / "whole", seed=2))
    with pytest.raises(InterruptedRunError):
        NISSL.annotate(inputs, settings, Context(tmp_path / "a", seed=2, progress=Interrupting()))
    again = NISSL.annotate(inputs, settings, Context(tmp_path / "a", seed=2))
    assert again.labels[0].digest == whole.labels[0].digest


def test_empty_volumes_have_no_confident_neuron(
    filmed: tuple[Recording, LabelSet], tmp_path: Path
) -> None:
    recording, truth = filmed
    dark = {}
    for name, movie in recording.movies.items():
        frames = movie.read(0, N_FRAMES).copy()
        frames[10:12] = 0
        dark[name] = Movie.from_array(frames, 4.0, name=name, spacing_um=movie.spacing_um)
    inputs = inputs_of((replace(recording, movies=dark), truth), ANNOTATED)
    result = NISSL.annotate(inputs, small(rounds=0), Context(tmp_path))
    found = Positions.from_labels(result.labels[0])
    rows = np.flatnonzero(np.isin(found.frames, (10, 11)))
    sure = found.confidence[rows]
    assert not np.any(sure > 0.5)


@pytest.mark.parametrize(
    ("name", "value"), [("targeted", "best"), ("steps", 0), ("rounds", -1), ("targets", "all")]
)
def test_parameters_outside_their_values_are_told(
    filmed: tuple[Recording, LabelSet], tmp_path: Path, name: str, value: Any
) -> None:
    with pytest.raises(BadArgumentError, match=name):
        NISSL.annotate(inputs_of(filmed, [0]), small(**{name: value}), Context(tmp_path))


def test_a_machine_s_labels_are_no_annotation(
    filmed: tuple[Recording, LabelSet], tmp_path: Path
) -> None:
    inputs = Inputs(filmed[0], "red", {"tracks": filmed[1]})
    with pytest.raises(BadLabelsError):
        NISSL.annotate(inputs, small(), Context(tmp_path))
