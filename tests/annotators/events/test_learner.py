"""A detector that is taught by marks."""

from uuid import uuid4

import numpy as np
import pytest

from nissl.annotators.events.describe import described
from nissl.annotators.events.features import NAMES
from nissl.annotators.events.learner import LEARNER, EventLearner, search_of
from nissl.annotators.events.marking import taught
from nissl.annotators.events.score import score
from nissl.annotators.events.simulate import simulate
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Edit, EditKind
from nissl.project import open_project
from nissl.review.decided import gather
from nissl.run.context import Context
from nissl.tasks import Examples, Inputs, Learner
from nissl.testing.annotators import AnnotatorContract

KINDS = {"spindle": 5.0, "beta burst": 6.0, "muscle": 1.0}


@pytest.fixture(scope="module")
def night():
    return simulate(8, kinds=KINDS, duration_s=600.0, snr=8.0, n_channels=1)


@pytest.fixture(scope="module")
def teacher(night):
    """Taught by 20 marked spindles."""
    recording, truth = night
    own = truth.column("label") == truth.vocabulary.code("spindle")
    start, stop = truth.column("start")[own][:20], truth.column("stop")[own][:20]
    read = (0, int(stop[-1]) + 10)
    rng = np.random.default_rng(0)
    return taught(recording.signal, 0, (start, stop), read, name="spindle", rng=rng)


class TestUntaught(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return LEARNER

    @pytest.fixture(scope="class")
    def inputs(self):
        return Inputs(simulate(8, kinds=KINDS, duration_s=60.0, snr=8.0)[0], "eeg")


class TestTaught(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self, teacher):
        return teacher

    @pytest.fixture(scope="class")
    def inputs(self, night):
        return Inputs(night[0], "eeg")


def test_it_is_a_learner():
    assert isinstance(LEARNER, Learner)
    assert LEARNER.vocabulary.names[-1] == "nothing"


def test_untaught_it_proposes_candidates_as_nothing_and_says_so(night, tmp_path):
    result = LEARNER.annotate(Inputs(night[0], "eeg"), LEARNER.defaults(), Context(tmp_path))
    labels = result.labels[0]
    assert np.all(labels.column("label") == labels.vocabulary.code("nothing"))
    assert np.isnan(result.labels[0].column("confidence")).all()
    assert [f.check for f in result.findings] == ["untaught"]


def test_twenty_marks_teach_it(teacher, tmp_path):
    recording, truth = simulate(9, kinds=KINDS, duration_s=600.0, snr=8.0, n_channels=1)
    inputs = Inputs(recording, "eeg")
    labels = teacher.annotate(inputs, teacher.defaults(), Context(tmp_path)).labels[0]
    assert score(labels, truth)["f1_iou20"] > 0.9


def test_it_learns_from_item_tables_alone_and_comes_back_from_its_files(night, tmp_path):
    recording, truth = night
    drafts = LEARNER.annotate(Inputs(recording, "eeg"), LEARNER.defaults(), Context(tmp_path))
    labels = drafts.labels[0]
    items = described(labels, recording.signal)
    features = LEARNER.featurise(labels, items, subject="a")
    middle = (labels.column("start") + labels.column("stop")) / 2
    is_spindle = np.zeros(labels.n_rows, bool)
    own = truth.column("label") == truth.vocabulary.code("spindle")
    for a, b in zip(truth.column("start")[own], truth.column("stop")[own], strict=True):
        is_spindle |= (middle > a) & (middle < b)
    label = (~is_spindle).astype(np.int64)
    examples = Examples(features, label, np.ones(len(label)), classes=("spindle", "nothing"))
    learner = LEARNER.fit(examples, rng=np.random.default_rng(1))
    said = learner.predict(features)
    assert said.votes.shape == (5, len(label), 2)
    assert np.mean(said.probabilities.argmax(axis=1) == label) > 0.85
    again = EventLearner().restored(learner.files())
    assert again.weights == learner.weights
    assert np.allclose(again.predict(features).probabilities, said.probabilities, atol=1e-6)
    proposed = learner.propose(labels, features, use=2)
    assert proposed.items.tolist() == labels.items.tolist()
    assert learner.facts(proposed, features, items).of == proposed.digest
    assert learner.contributions(features).shape == (len(label), len(NAMES), 2)
    assert learner.embedded(features).shape == (len(label), len(NAMES))
    assert set(learner.says) == set(NAMES)
    assert learner.card()["trained_on"].startswith(str(len(label)))


def test_same_seed_same_weights(night):
    recording, truth = night
    own = truth.column("label") == truth.vocabulary.code("spindle")
    marks = truth.column("start")[own][:8], truth.column("stop")[own][:8]
    read = (0, int(marks[1][-1]) + 10)
    made = [
        taught(recording.signal, 0, marks, read, name="x", rng=np.random.default_rng(4)).weights
        for _ in range(2)
    ]
    assert made[0] == made[1]


def test_too_few_examples_are_refused(night):
    recording, truth = night
    marks = truth.column("start")[:2], truth.column("stop")[:2]
    rng = np.random.default_rng(0)
    with pytest.raises(MissingInputError, match="at least 5"):
        taught(recording.signal, 0, marks, (0, 100_000), name="x", rng=rng)


def test_without_an_item_table_features_are_missing(night):
    features = LEARNER.featurise(night[1], None)
    assert np.isnan(features.values).all()
    assert all(LEARNER.unlike(features)[1])


def test_it_searches_where_the_examples_were(night):
    recording, truth = night
    own = truth.column("label") == truth.vocabulary.code("spindle")
    items = described(truth, recording.signal)
    search = search_of(LEARNER.featurise(truth, items).values[own])
    assert 8 < search.low_hz < 12.5
    assert 14.5 < search.high_hz < 19


def test_classes_of_ones_own_can_be_relabelled_to(night, tmp_path):
    inputs, context = Inputs(night[0], "eeg"), Context(tmp_path)
    parameters = {**LEARNER.defaults(), "classes": ["ripple"]}
    names = LEARNER.annotate(inputs, parameters, context).labels[0].vocabulary.names
    assert names[-2:] == ("ripple", "nothing")
    with pytest.raises(BadArgumentError, match="class names"):
        LEARNER.annotate(inputs, {**parameters, "classes": 3}, context)


def test_it_learns_from_decisions_in_a_project(tmp_path):
    recording, truth = simulate(8, kinds=KINDS, duration_s=240.0, snr=8.0, n_channels=1)
    path = tmp_path / "night.npz"
    np.savez(path, eeg=recording.signal.read(), rate_hz=256.0, channels=["C3"])
    own = truth.column("label") == truth.vocabulary.code("spindle")
    edges = list(zip(truth.column("start")[own], truth.column("stop")[own], strict=True))
    with open_project(tmp_path / "study") as project:
        source = project.add(path, subject="s1")
        draft = project.annotate(source, "events/nissl").labels
        middle = (draft.column("start") + draft.column("stop")) / 2
        edits = []
        for item, at in zip(draft.column("item").tolist(), middle.tolist(), strict=True):
            inside = any(a < at < b for a, b in edges)
            kind = EditKind.RELABEL if inside else (EditKind.REJECT, EditKind.ACCEPT)[item % 2]
            payload = {"label": "spindle"} if inside else {}
            edits.append(Edit(uuid4(), kind, draft.digest, (item,), "ana", 1.0, payload))
        project.store.append(edits)
        examples = gather(project.store, "events", LEARNER)
        assert len(examples) == draft.n_rows
        assert {examples.classes[k] for k in examples.label} == {"spindle", "nothing"}
        model = project.learn("events")
        project.use_model("events", model.digest, by="ana")
        labels = project.annotate(source, "events/nissl", seed=1).labels
    assert labels.vocabulary.names == ("spindle", "nothing")
    assert score(labels, truth)["f1_iou20"] > 0.85
