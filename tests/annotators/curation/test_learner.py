"""The learner: shipped weights, contract, learning on top, files."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.curation import boosting
from nissl.annotators.curation.adapting import FEWEST
from nissl.annotators.curation.features import NAMES
from nissl.annotators.curation.learner import LEARNER
from nissl.annotators.curation.model import VOCABULARY, from_files, to_files
from nissl.annotators.curation.simulate import simulate_sorting
from nissl.annotators.curation.task import CURATION
from nissl.annotators.spikes.task import SPIKES
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import FeatureTable
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Examples, Inputs, Learner
from nissl.testing.annotators import AnnotatorContract
from nissl.trust.calibration import Calibration


@pytest.fixture(scope="module")
def sorting(tmp_path_factory):
    recording, units, truth = simulate_sorting(5, n_channels=8, duration_s=12, n_units=6)
    inputs = Inputs(recording, recording.signal.name, {"spikes": units})
    items = SPIKES.describe(units, inputs, Context(tmp_path_factory.mktemp("w")))
    return Inputs(recording, recording.signal.name, {"spikes": units}, {"spikes": items}), truth


def examples(n=60, seed=0, subjects=1):
    """Units whose class can be told from two features."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    values = rng.normal(size=(n, len(NAMES)))
    values[:, NAMES.index("snr")] = np.asarray([9.0, 4.0, 2.0])[label] + rng.normal(size=n) * 0.5
    values[:, NAMES.index("half_width_ms")] = np.asarray([0.2, 0.3, 0.9])[label]
    values[rng.random(values.shape) < 0.2] = np.nan
    table = FeatureTable(
        np.arange(n),
        NAMES,
        values,
        ("",) * len(NAMES),
        tuple(f"m{k % subjects}" for k in range(n)),
        ("s",) * n,
    )
    return Examples(table, label.astype(np.int64), np.ones(n))


def log_loss(learner, part):
    p = learner.predict(part.features).probabilities
    return float(-np.log(p[np.arange(len(part)), part.label]).mean())


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return LEARNER

    @pytest.fixture(scope="class")
    def inputs(self, sorting):
        return sorting[0]


def test_registered_and_a_learner():
    assert TASKS.get("curation") is CURATION
    assert isinstance(ANNOTATORS.get("curation/nissl"), Learner)
    assert not isinstance(ANNOTATORS.get("spikes/tridesclous2"), Learner)


def test_it_tells_neurons_from_random_spikes(sorting):
    inputs, truth = sorting
    labels = LEARNER.propose(
        inputs.labels["spikes"],
        LEARNER.featurise(inputs.labels["spikes"], inputs.items["spikes"]),
    )
    assert CURATION.score(labels, truth)["accuracy"] > 0.5
    of_noise = labels.column("label")[truth.column("label") == VOCABULARY.code("noise")]
    assert np.all(of_noise != VOCABULARY.code("good"))
    assert labels.provenance.author.weights == LEARNER.weights
    p = np.stack(labels.table.column("probabilities").to_numpy(zero_copy_only=False))
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(p.max(axis=1), labels.column("confidence"))


def test_facts_of_classes_are_the_features(sorting, tmp_path):
    inputs, truth = sorting
    table = CURATION.describe(truth, inputs, Context(tmp_path))
    features = LEARNER.featurise(inputs.labels["spikes"], inputs.items["spikes"])
    got = table.table.column("snr").to_numpy()
    assert np.allclose(got, features.values[:, NAMES.index("snr")], equal_nan=True)


def test_learning_on_top_is_better_on_other_items_and_leaves_the_first_alone():
    before = LEARNER.weights
    fitted = LEARNER.fit(examples(seed=1), rng=np.random.default_rng(0))
    unseen = examples(seed=2)
    assert log_loss(fitted, unseen) < 0.8 * log_loss(LEARNER, unseen)
    assert LEARNER.weights == before != fitted.weights
    again = LEARNER.fit(examples(seed=1), rng=np.random.default_rng(0))
    assert again.weights == fitted.weights


def test_twenty_answers_are_learnt_from_in_seconds():
    import time

    begun = time.perf_counter()
    LEARNER.fit(examples(20), rng=np.random.default_rng(0))
    assert time.perf_counter() - begun < 10


def test_three_subjects_calibrate_it_anew_and_one_does_not():
    one = LEARNER.fit(examples(FEWEST - 1, subjects=1), rng=np.random.default_rng(0)).known
    three = LEARNER.fit(examples(80, subjects=3), rng=np.random.default_rng(0)).known
    assert one.calibration == LEARNER.known.calibration
    assert "before these decisions" in one.calibrated_on
    assert three.calibrated_on == "80 units of 3 subjects, each left out"


def test_one_subject_cools_a_model_that_leaves_what_it_knew():
    given = examples(80, subjects=1)
    one = LEARNER.fit(given, rng=np.random.default_rng(0)).known
    assert one.calibration.kind == "temperature"
    assert one.calibrated_on == "80 decisions, left out in turn"
    p = LEARNER.predict(given.features).probabilities
    drawn = (p.cumsum(axis=1) < np.random.default_rng(3).random((80, 1))).sum(axis=1)
    agreeing = Examples(given.features, np.minimum(drawn, 2), given.weight)
    same = LEARNER.fit(agreeing, rng=np.random.default_rng(0)).known
    assert same.calibration == LEARNER.known.calibration
    assert "before these decisions" in same.calibrated_on


def test_answers_that_contradict_it_are_followed():
    fitted = LEARNER.fit(examples(120, seed=1), rng=np.random.default_rng(0))
    light = boosting.grow_on(
        LEARNER.known.members,
        examples(120, seed=1).features.values,
        examples(120, seed=1).label,
        np.ones(120),
        0,
    )
    cautious = LEARNER.restored(to_files(replace(LEARNER.known, members=light)))
    unseen = examples(300, seed=2)
    assert log_loss(fitted, unseen) < 0.7 * log_loss(cautious, unseen)


def test_too_few_examples_are_refused():
    with pytest.raises(MissingInputError, match="at least 10"):
        LEARNER.fit(examples(9), rng=np.random.default_rng(0))


def test_a_weight_counts_as_that_many_copies_would_pull():
    part = examples(60, seed=3)
    wrong = Examples(part.features, (part.label + 1) % 3, part.weight)
    both = Examples(
        FeatureTable(
            np.arange(120),
            NAMES,
            np.concatenate([part.features.values] * 2),
            part.features.units,
            ("m",) * 120,
            ("s",) * 120,
        ),
        np.concatenate([part.label, wrong.label]),
        np.concatenate([np.full(60, 5.0), np.full(60, 0.2)]),
    )
    fitted = LEARNER.fit(both, rng=np.random.default_rng(0))
    assert log_loss(fitted, part) < log_loss(fitted, wrong)


def of_version_one(seed=0):
    """A model as earlier versions of nissl made them: one booster over three classes."""
    part = examples(60, seed=seed)
    given = (part.features.values, part.label, part.weight, part.features.session, 0)
    members = boosting.grow_one_stage(*given)
    return replace(LEARNER.known, members=members, calibration=Calibration("identity", 3))


@pytest.mark.parametrize("model", [LEARNER.known, of_version_one()], ids=["two", "one"])
def test_contributions_add_up_to_the_score_of_each_class(model):
    part = examples(7)
    given = boosting.contributions(model.members, part.features.values)
    scores = np.mean([boosting.raw(m, part.features.values) for m in model.members], axis=0)
    assert np.allclose(given.sum(axis=1), boosting.by_class(scores), atol=1e-6)
    told = replace(LEARNER, model=model).contributions(part.features)
    assert np.allclose(told[:, :, :3], given[:, :-1])
    assert not told[:, :, 3].any()


def test_scores_of_classes_are_the_log_odds_of_the_two_stages():
    raw = np.random.default_rng(0).normal(size=(50, 2)) * 3
    p, score = boosting.probabilities(raw), boosting.by_class(raw)
    assert np.allclose(p.sum(axis=1), 1)
    assert np.allclose(score[:, 2] - score[:, :2].mean(axis=1), np.log(p[:, 2] / (1 - p[:, 2])))
    assert np.allclose(score[:, 1] - score[:, 0], np.log(p[:, 1] / p[:, 0]))
    assert np.isfinite(boosting.probabilities(raw * 1e6)).all()


@pytest.mark.parametrize("step", [boosting.LIGHT, *boosting.FURTHER])
@pytest.mark.parametrize("model", [LEARNER.known, of_version_one()], ids=["two", "one"])
def test_contributions_add_up_after_every_step(step, model):
    part = examples(60)
    members = boosting.grow_on(
        model.members, part.features.values, part.label, part.weight, 0, step
    )
    given = boosting.contributions(members, part.features.values)
    scores = np.mean([boosting.raw(m, part.features.values) for m in members], axis=0)
    assert np.allclose(given.sum(axis=1), boosting.by_class(scores), atol=1e-6)
    assert len(members[0]) == (2 if step.kept else 1)
    assert members[0][0].scale == (step.kept or 1.0)


def test_columns_are_taken_by_name():
    part = examples(5).features
    order = np.random.default_rng(0).permutation(len(NAMES))
    shuffled = FeatureTable(
        part.items,
        tuple(NAMES[k] for k in order),
        part.values[:, order],
        part.units,
        part.subject,
        part.session,
    )
    a, b = LEARNER.predict(part), LEARNER.predict(shuffled)
    assert a.probabilities.tobytes() == b.probabilities.tobytes()


def test_files_restore_the_same_learner_and_hold_no_example():
    fitted = LEARNER.fit(examples(30), rng=np.random.default_rng(0))
    back = LEARNER.restored(fitted.files())
    assert back.weights == fitted.weights
    assert to_files(from_files(fitted.files())) == dict(fitted.files())
    assert all(name.endswith((".txt", ".json")) for name in fitted.files())


def test_models_of_earlier_versions_are_read_and_go_on_learning():
    old = of_version_one()
    part = examples(60)
    members = boosting.grow_on(
        old.members, part.features.values, part.label, part.weight, 0, boosting.FURTHER[1]
    )
    scaled = replace(old, members=members)
    for model, number in ((old, 1), (scaled, 2), (LEARNER.known, 3)):
        files = to_files(model)
        assert json.loads(files["model.json"])["format"] == number
        assert from_files(files).members == model.members
        assert to_files(from_files(files)) == files
    learner = LEARNER.restored(to_files(old))
    p = learner.predict(part.features).probabilities
    assert p.shape == (60, 4)
    assert np.allclose(p.sum(axis=1), 1)
    fitted = learner.fit(examples(30), rng=np.random.default_rng(0))
    assert json.loads(fitted.files()["model.json"])["format"] in (1, 2)
    files = to_files(scaled)
    head = json.loads(files["model.json"])
    for damaged in ({**head, "scales": [[0.5]]}, {k: v for k, v in head.items() if k != "scales"}):
        with pytest.raises(BadArgumentError, match="files of a model"):
            LEARNER.restored({**files, "model.json": json.dumps(damaged).encode()})


@pytest.mark.parametrize("head", [None, b"{}", b"not JSON", b'{"format":9}'])
def test_damaged_files_are_refused(head):
    with pytest.raises(BadArgumentError, match="files of a model"):
        LEARNER.restored({} if head is None else {"model.json": head})


def test_no_unit_no_class():
    empty = FeatureTable(
        np.empty(0, np.int64), NAMES, np.empty((0, len(NAMES))), ("",) * len(NAMES), (), ()
    )
    assert LEARNER.predict(empty).probabilities.shape == (0, 4)
    assert LEARNER.unlike(empty) == (None, ())


def test_shipped_card_names_its_data_and_scores():
    card = LEARNER.card()
    assert card["data"]["n"] == 3673
    assert len(card["data"]["subjects"]) == 3
    assert card["evaluation"]["balanced_accuracy"]["estimate"] > 0.81
    assert "MIT" in card["licence"]


def test_it_knows_what_it_has_not_seen():
    frame = LEARNER.known.seen.frame
    rng = np.random.default_rng(0)
    usual = frame.centre + 0.1 * frame.scale * rng.normal(size=(40, len(NAMES)))

    def told(values):
        rest = (("",) * len(NAMES), ("m",) * 40, ("s",) * 40)
        return LEARNER.unlike(FeatureTable(np.arange(40), NAMES, values, *rest))

    assert told(usual)[1] == [""] * 40
    verdict, reasons = told(usual * 1e6)
    assert not verdict.automatic
    assert all("usually" in reason for reason in reasons)
    assert LEARNER.fit(examples(30), rng=rng).known.seen is LEARNER.known.seen
