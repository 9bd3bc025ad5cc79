"""The contract suite of annotators: subclass it, give it a method and inputs, and run pytest.

A plug-in's test file needs no more than::

    class TestMySorter(AnnotatorContract):
        @pytest.fixture(scope="class")
        def annotator(self):
            return MY_SORTER

        @pytest.fixture(scope="class")
        def inputs(self):
            recording, _ = simulate(seed=1, n_channels=8, duration_s=10, n_units=3)
            return Inputs(recording, recording.signal.name)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nissl.labels import LabelSet
from nissl.run.context import Context
from nissl.tasks import TASKS, Annotator, Inputs, Result


class Recorded:
    """Progress that remembers which stages began and ended."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.finished: list[str] = []

    def start(self, stage: str, total: float | None, unit: str) -> None:
        """Remember the stage."""
        self.started.append(stage)

    def advance(self, stage: str, amount: float) -> None:
        """Only stages that have begun may advance, and only forwards."""
        if stage not in self.started or amount < 0:
            pytest.fail(f"stage {stage!r} advanced by {amount} before it began")

    def finish(self, stage: str) -> None:
        """Remember the end."""
        self.finished.append(stage)


class AnnotatorContract:
    """What every annotator must do. Override `annotator` and `inputs`, at class scope."""

    @pytest.fixture(scope="class")
    def annotator(self) -> Annotator:
        """The method under test."""
        raise pytest.UsageError("override the fixture `annotator`")

    @pytest.fixture(scope="class")
    def inputs(self) -> Inputs:
        """A small source on which it finds something."""
        raise pytest.UsageError("override the fixture `inputs`")

    @pytest.fixture(scope="class")
    def parameters(self, annotator: Annotator) -> Mapping[str, Any]:
        """Complete parameters; the defaults."""
        return dict(annotator.defaults())

    @pytest.fixture(scope="class")
    def run(
        self,
        annotator: Annotator,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> tuple[Result, Context, Recorded]:
        """One run with one worker, shared by the tests."""
        progress = Recorded()
        context = Context(tmp_path_factory.mktemp("job"), seed=3, workers=1, progress=progress)
        before = samples_digest(inputs)
        result = annotator.annotate(inputs, parameters, context)
        if samples_digest(inputs) != before:
            pytest.fail("the method changed its source")
        return result, context, progress

    def test_names_itself(self, annotator: Annotator) -> None:
        """The name is task/method, of a task that exists; the version is not empty."""
        task, _, method = annotator.name.partition("/")
        assert task in TASKS
        assert method
        assert annotator.version

    def test_says_what_is_missing(self, annotator: Annotator) -> None:
        """Each missing package comes with a command; here nothing is missing."""
        assert annotator.missing() == {}

    def test_parameters_and_packages_are_plain(self, annotator: Annotator) -> None:
        """They go into the job's hash: JSON values, the same when asked again."""
        for values in (annotator.defaults(), annotator.packages()):
            assert json.loads(json.dumps(dict(values))) == dict(values)
        assert annotator.defaults() == annotator.defaults()

    def test_promises_are_known(self, annotator: Annotator) -> None:
        """Memory is a budget or measured."""
        assert annotator.promises.memory in ("budget", "measured")

    def test_gives_what_the_task_gives(
        self, annotator: Annotator, run: tuple[Result, Context, Recorded]
    ) -> None:
        """Kind and vocabulary are the task's, and further classes come after its own.

        Where the vocabulary is open, the last class is the same.
        """
        task = TASKS.get(annotator.name.partition("/")[0])
        labels = run[0].labels[0]
        assert labels.kind is task.gives
        if task.open_vocabulary:
            assert labels.vocabulary.names[-1] == task.vocabulary.names[-1]
        else:
            own = task.vocabulary.names
            assert labels.vocabulary.names[: len(own)] == own
        assert labels.n_rows > 0

    def test_states_its_provenance(
        self,
        annotator: Annotator,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        run: tuple[Result, Context, Recorded],
    ) -> None:
        """Who, from what, with which parameters and preprocessing, seed and packages."""
        stated, log = run[0].labels[0].provenance, run[0].log
        done = {"preprocessing": log["preprocessing"]} if "preprocessing" in log else {}
        assert stated.author.kind == "model"
        assert stated.author.name == annotator.name
        assert stated.author.version == annotator.version
        assert stated.source == inputs.recording.fingerprint
        assert stated.stream == inputs.stream
        assert dict(stated.parameters) == {**parameters, **done}
        assert stated.seed == run[1].seed
        assert dict(stated.packages) == dict(annotator.packages())

    def test_confidence_is_a_probability_or_unknown(
        self, run: tuple[Result, Context, Recorded]
    ) -> None:
        """NaN where a method has none; never 1 for all, which would say "sure of everything"."""
        confidence = run[0].labels[0].column("confidence")
        known = confidence[~np.isnan(confidence)]
        assert np.all((known >= 0) & (known <= 1))
        assert not (known.size and np.all(known == 1))

    def test_labels_lie_within_the_source(
        self, inputs: Inputs, run: tuple[Result, Context, Recorded]
    ) -> None:
        """No sample before the start or after the end."""
        labels = run[0].labels[0]
        for name in ("sample", "start", "stop"):
            if name in labels.table.column_names:
                values = labels.column(name)
                assert values.min() >= 0
                assert values.max() < inputs.signal.n_samples + (name == "stop")

    def test_items_belong_to_the_labels(self, run: tuple[Result, Context, Recorded]) -> None:
        """An item table, where there is one, is of the first set and has its items."""
        result = run[0]
        for table in result.items[:1]:
            assert table.of == result.labels[0].digest
            assert table.items.tolist() == result.labels[0].items.tolist()

    def test_log_is_plain(self, run: tuple[Result, Context, Recorded]) -> None:
        """The log goes into the journal as JSON."""
        log = dict(run[0].log)
        assert json.loads(json.dumps(log, allow_nan=False)) == log

    def test_measured_memory_is_told(
        self, annotator: Annotator, run: tuple[Result, Context, Recorded]
    ) -> None:
        """Who does not keep to a budget says what it took."""
        if annotator.promises.memory == "measured":
            assert run[0].log["peak_memory_bytes"] > 0

    def test_every_stage_ends(self, run: tuple[Result, Context, Recorded]) -> None:
        """Progress bars are closed."""
        progress = run[2]
        assert progress.started
        assert sorted(progress.started) == sorted(progress.finished)

    def test_resumes(
        self,
        annotator: Annotator,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        run: tuple[Result, Context, Recorded],
    ) -> None:
        """In the same folder the same job gives the same labels again."""
        result, context, _ = run
        again = annotator.annotate(inputs, parameters, context)
        assert digests(again.labels) == digests(result.labels)

    def test_workers_change_nothing(
        self,
        annotator: Annotator,
        inputs: Inputs,
        parameters: Mapping[str, Any],
        run: tuple[Result, Context, Recorded],
        tmp_path: Path,
    ) -> None:
        """A method that promises it gives the same digest with two workers."""
        if not annotator.promises.deterministic:
            pytest.skip("makes no such promise")
        context = Context(tmp_path, seed=run[1].seed, workers=2)
        again = annotator.annotate(inputs, parameters, context)
        assert digests(again.labels) == digests(run[0].labels)


def digests(labels: tuple[LabelSet, ...]) -> list[str]:
    """Digests of label sets."""
    return [each.digest for each in labels]


def samples_digest(inputs: Inputs) -> str:
    """Hash of (up to a second of) the samples and of the channel table, or of 16 frames."""
    if inputs.stream in inputs.recording.movies:
        frames = inputs.movie.read(0, min(inputs.movie.clock.segments[0].stop, 16))
        return hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()
    signal = inputs.signal
    raw = signal.read_raw(0, min(signal.clock.segments[0].stop, round(signal.rate_hz)))
    table = json.dumps(signal.channels.to_json(), sort_keys=True)
    return hashlib.sha256(np.ascontiguousarray(raw).tobytes() + table.encode()).hexdigest()
