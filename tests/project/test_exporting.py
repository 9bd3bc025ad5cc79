"""Classes of trials leave with the times of their trials."""

from __future__ import annotations

import numpy as np
import pytest

from nissl.errors import BadArgumentError, BadLabelsError, ExportError
from nissl.io import IMPORTERS
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.project import open_project
from nissl.project.adding import keep
from nissl.project.exporting import timed
from nissl.testing.spans import span_project

CLASSES = ("left", "right")


def trials_and_classes(source, kind=Kind.SPANS):
    """Ten trials of a session, and what a decoder says of nine of them."""
    at = np.arange(10) * 1000
    times = {"start": at, "stop": at + 500} if kind is Kind.SPANS else {"sample": at}
    about = Provenance("trials", source, Author("person", "rig"), "signal")
    trials = LabelSet.build(kind, times, ("trial",), about)
    said = np.random.default_rng(0).dirichlet((1.0, 1.0), 9).astype(np.float32)
    columns = {
        "target": np.arange(9)[::-1],
        "label": said.argmax(axis=1).astype(np.int32),
        "probabilities": said,
        "confidence": said.max(axis=1),
    }
    about = Provenance(
        "decoding", source, Author("model", "decoding/csp", "1"), targets=(trials.digest,)
    )
    return trials, LabelSet.build(Kind.CLASSES, columns, CLASSES, about)


@pytest.mark.parametrize("kind", [Kind.SPANS, Kind.EVENTS])
@pytest.mark.parametrize("to", ["bids", "edf-annotations", "wonambi"])
def test_decoded_trials_leave_with_their_times(tmp_path, kind, to):
    with span_project(tmp_path, np.random.default_rng(0)) as project:
        source = project.source("night")
        trials, classes = trials_and_classes(source.fingerprint, kind)
        keep(project.store, trials)
        keep(project.store, classes)
        path = project.export("night", to, tmp_path / "out", task="decoding", draft=True)
        (back,) = IMPORTERS.get(to).read(path, rate_hz=128.0).labels
    assert back.kind is kind
    assert back.column("start" if kind is Kind.SPANS else "sample").tolist() == [
        1000 * k for k in range(9)
    ]
    wanted = [CLASSES[c] for c in classes.column("label")[::-1]]
    assert [back.vocabulary.names[c] for c in back.column("label")] == wanted
    if to == "bids":
        assert back.provenance.task == "decoding"
        np.testing.assert_array_equal(back.column("confidence"), classes.column("confidence")[::-1])
        assert back.table.column("probabilities").null_count == 0


def test_classes_of_trials_that_are_not_there():
    trials, classes = trials_and_classes("f" * 64)
    few = LabelSet(Kind.SPANS, trials.table.slice(0, 3), trials.vocabulary, trials.provenance)
    with pytest.raises(BadLabelsError, match="others: \\[3, 4"):
        timed(classes, few)


def test_classes_of_units_have_no_times(tmp_path):
    with span_project(tmp_path, np.random.default_rng(0)) as project:
        source = project.source("night")
        _, classes = trials_and_classes(source.fingerprint)
        keep(project.store, classes)  # of trials that the project never had
        with pytest.raises(ExportError, match="spans or events"):
            project.export("night", "wonambi", tmp_path / "a.xml", task="decoding", draft=True)


def test_the_task_that_is_meant_where_none_is_named(tmp_path):
    with open_project(tmp_path / "study") as study:
        assert study.main_task == "spikes"
        for task, kind, expected in (
            ("sleep", Kind.SPANS, "sleep"),
            ("events", Kind.SPANS, None),
            ("spikes", Kind.EVENTS, "spikes"),
        ):
            places = {"sample": [1]} if kind is Kind.EVENTS else {"start": [1], "stop": [2]}
            made = Provenance(task, "f" * 64, Author("model", "m", "1"))
            labels = LabelSet.build(kind, places, Vocabulary(("a",)), made)
            study.store.record_labels(study.store.put_labels(labels))
            if expected is None:
                with pytest.raises(BadArgumentError, match="--task"):
                    _ = study.main_task
            else:
                assert study.main_task == expected
