"""The learner: shipped weights, contract, learning from answers, files."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.sleep.learner import LEARNER, unscored
from nissl.annotators.sleep.model import from_files
from nissl.annotators.sleep.numbers import item_table
from nissl.annotators.sleep.simulate import simulate_night
from nissl.annotators.sleep.task import SLEEP
from nissl.annotators.sleep.vocabulary import HUMAN, UNKNOWN
from nissl.errors import BadArgumentError, MissingInputError
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Examples, Inputs, Learner
from nissl.testing.annotators import AnnotatorContract


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return LEARNER

    @pytest.fixture(scope="class")
    def inputs(self, night):
        return night[0]


@pytest.fixture(scope="module")
def proposed(night, tmp_path_factory):
    context = Context(tmp_path_factory.mktemp("w"))
    return LEARNER.annotate(night[0], LEARNER.defaults(), context)


def taught(seed, *, subject, n=None, stages=None):
    """Epochs of a simulated night with their stages."""
    recording, truth = simulate_night(seed, hours=1.5)
    epochs = unscored(Inputs(recording, "signal"), 30.0)
    facts = item_table(epochs, recording["signal"], progress=None)
    features = LEARNER.featurise(epochs, facts, subject=subject, session=subject)
    label = truth.column("label").astype(np.int64)
    classes = ()
    if stages is not None:
        names = [stages[HUMAN.names[code]] for code in label.tolist()]
        classes = (*dict.fromkeys(stages.values()), UNKNOWN)
        label = np.asarray([classes.index(name) for name in names], np.int64)
    every = Examples(features, label, np.ones(len(label)), classes)
    return (
        every if n is None else every.take(np.random.default_rng(seed).permutation(len(every))[:n])
    )


def stacked(parts):
    from nissl.review.decided import combined

    return combined(*parts)


def kappa(learner, part):
    said = learner.predict(part.features).probabilities.argmax(axis=1)
    from nissl.annotators.sleep.score import agreement

    return agreement(said, part.label)["kappa"]


def test_registered_and_a_learner():
    assert TASKS.get("sleep") is SLEEP
    assert isinstance(ANNOTATORS.get("sleep/nissl"), Learner)
    assert not isinstance(ANNOTATORS.get("sleep/yasa"), Learner)


def test_a_proposal_is_one_span_per_epoch_with_probabilities_and_numbers(night, proposed):
    labels, facts = proposed.labels[0], proposed.items[0]
    assert labels.n_rows == 180
    assert np.array_equal(labels.column("start")[1:], labels.column("stop")[:-1])
    p = np.stack(labels.table.column("probabilities").to_numpy(zero_copy_only=False))
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(p.max(axis=1), labels.column("confidence"), atol=1e-6)
    assert facts.of == labels.digest
    assert [d["channel"] for d in facts.context["derivations"]] == ["EEG Fpz-Cz", "EEG Pz-Oz"]
    assert labels.provenance.author.weights == LEARNER.weights


def test_short_epochs(night, tmp_path):
    given = {**LEARNER.defaults(), "epoch_s": 10.0}
    labels = LEARNER.annotate(night[0], given, Context(tmp_path)).labels[0]
    assert labels.n_rows == 540


def test_gain_keeps_most_stages_and_sign_keeps_all(night, tmp_path):
    inputs, _ = night
    base = LEARNER.annotate(inputs, LEARNER.defaults(), Context(tmp_path / "a")).labels[0]
    for factor, least in ((-1.0, 1.0), (0.66, 0.8), (1.5, 0.8)):
        channels = inputs.signal.channels
        scaled = replace(
            inputs.signal, channels=replace(channels, gain_uv=channels.gain_uv * factor)
        )
        changed = replace(inputs, recording=replace(inputs.recording, streams={"signal": scaled}))
        got = LEARNER.annotate(changed, LEARNER.defaults(), Context(tmp_path / str(factor)))
        same = np.mean(got.labels[0].column("label") == base.column("label"))
        assert same >= least


def test_epochs_without_signal_are_unscored(night, tmp_path):
    inputs, _ = night
    samples = inputs.signal.read()
    samples[30_000:60_000] = 0
    from nissl.data import Signal

    dead = Signal.from_array(samples, 100.0, channels=inputs.signal.channels)
    changed = replace(inputs, recording=replace(inputs.recording, streams={"signal": dead}))
    result = LEARNER.annotate(changed, LEARNER.defaults(), Context(tmp_path))
    labels = result.labels[0]
    names = np.asarray(HUMAN.names)[labels.column("label")]
    assert set(names[10:20]) == {UNKNOWN}
    assert UNKNOWN not in set(names[21:])
    assert np.isnan(labels.column("confidence")[10:20]).all()


def test_a_few_answers_of_a_night_help_on_the_rest_of_it():
    before, after = [], []
    for seed in (11, 12, 13):
        every = taught(seed, subject="a")
        order = np.random.default_rng(0).permutation(len(every))
        few, rest = every.take(order[:30]), every.take(order[30:])
        fitted = LEARNER.fit(few, rng=np.random.default_rng(0))
        before.append(kappa(LEARNER, rest))
        after.append(kappa(fitted, rest))
        assert fitted.known.members == LEARNER.known.members
    assert np.mean(after) > np.mean(before) + 0.05
    again = LEARNER.fit(few, rng=np.random.default_rng(0))
    assert again.weights == fitted.weights != LEARNER.weights


def test_other_stages_are_learnt_afresh():
    rodent = {"W": "W", "N1": "NREM", "N2": "NREM", "N3": "NREM", "R": "REM"}
    parts = [taught(seed, subject=str(seed), stages=rodent) for seed in (21, 22, 23)]
    fitted = LEARNER.fit(stacked(parts[:2]), rng=np.random.default_rng(0))
    assert fitted.vocabulary.names == ("W", "NREM", "REM", UNKNOWN)
    assert kappa(fitted, parts[2]) > 0.6


def test_files_hold_all_of_it():
    few = taught(11, subject="a", n=40)
    fitted = LEARNER.fit(few, rng=np.random.default_rng(0))
    back = LEARNER.restored(fitted.files())
    assert back.weights == fitted.weights
    p, q = (one.predict(few.features).probabilities for one in (fitted, back))
    assert np.array_equal(p, q)
    with pytest.raises(BadArgumentError):
        from_files({"model.json": b"{}"})


def test_too_few_answers_are_refused():
    with pytest.raises(MissingInputError):
        LEARNER.fit(taught(11, subject="a", n=9), rng=np.random.default_rng(0))


def test_contributions_add_up_to_the_score_but_for_a_constant(proposed, night):
    features = LEARNER.featurise(proposed.labels[0], proposed.items[0])
    few = features
    parts = LEARNER.contributions(few)[:5, :, :-1].sum(axis=1)
    scores = LEARNER.known.scores(few).mean(axis=0)[:5]
    rest = scores - parts
    assert np.allclose(rest, rest[0], atol=1e-6)


def test_a_recording_without_eeg_is_refused(tmp_path):
    recording, _ = simulate_night(1, hours=0.1, channels=("EMG chin", "ECG"))
    with pytest.raises(MissingInputError, match="EEG"):
        LEARNER.annotate(Inputs(recording, "signal"), LEARNER.defaults(), Context(tmp_path))
