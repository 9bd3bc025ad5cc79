"""The task and its methods: contract, truth of simulations, bad input, what is doubtful."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nissl
from nissl.annotators.decoding import methods
from nissl.annotators.decoding.given import given_trials
from nissl.annotators.decoding.simulate import simulate_trials
from nissl.annotators.decoding.task import DECODING
from nissl.clock import Clock
from nissl.data import Recording, Signal
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    BadSamplesError,
    EvaluationError,
    MissingInputError,
)
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Inputs
from nissl.testing.annotators import AnnotatorContract

SHORT = {"trial_s": 1.0, "n_trials": 40, "n_unknown": 10}


def inputs_of(made):
    return Inputs(made.recording, "eeg", {"trials": made.trials})


def run(method, made, tmp_path, **parameters):
    inputs = made if isinstance(made, Inputs) else inputs_of(made)
    return method.annotate(inputs, {**method.defaults(), **parameters}, Context(tmp_path, seed=1))


def unknown_rows(made):
    trials = made.trials
    return trials.column("item")[trials.column("label") == len(trials.vocabulary) - 1]


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class", params=["riemann", "csp", "xdawn"])
    def annotator(self, request):
        return ANNOTATORS.get(f"decoding/{request.param}")

    @pytest.fixture(scope="class")
    def inputs(self):
        return inputs_of(simulate_trials(3, **SHORT))


class TestContractOfSteadyStates(AnnotatorContract):
    @pytest.fixture(scope="class", params=["ssvep", "fbcca", "trca"])
    def annotator(self, request):
        return ANNOTATORS.get(f"decoding/{request.param}")

    @pytest.fixture(scope="class")
    def inputs(self):
        return inputs_of(simulate_trials(3, paradigm="ssvep", **SHORT))


@pytest.mark.parametrize(
    ("name", "paradigm", "least"),
    [
        ("riemann", "motor_imagery", 0.85),
        ("csp", "motor_imagery", 0.85),
        ("ssvep", "ssvep", 0.9),
        ("fbcca", "ssvep", 0.9),
        ("trca", "ssvep", 0.9),
        ("xdawn", "p300", 0.85),
    ],
)
def test_trials_of_unknown_class_are_decoded(name, paradigm, least, tmp_path):
    effect = 2.0 if paradigm == "p300" else 1.0
    made = simulate_trials(1, paradigm=paradigm, n_trials=90, n_unknown=30, effect=effect)
    result = run(ANNOTATORS.get(f"decoding/{name}"), made, tmp_path)
    labels = result.labels[0]
    rows = np.isin(labels.column("target"), unknown_rows(made))
    right = labels.column("label") == made.truth.column("label")
    assert right[rows].mean() >= least
    assert DECODING.score(labels, made.truth)["accuracy"] >= least
    confidence = labels.column("confidence")
    assert np.all((confidence > 0.3) & (confidence <= 1))
    assert result.log["left_out"]["accuracy"] >= least - 0.05
    assert [f.check for f in result.findings if f.severity != "note"] == []


def test_the_discriminant_of_xdawn_decodes_too(tmp_path):
    made = simulate_trials(1, paradigm="p300", n_trials=90, n_unknown=30, effect=2.0)
    result = run(methods.XDAWN, made, tmp_path, classifier="lda")
    assert DECODING.score(result.labels[0], made.truth)["accuracy"] > 0.85


def test_eegnet_learns_and_repeats_itself(tmp_path):
    pytest.importorskip("torch")
    made = simulate_trials(2, n_trials=60, n_unknown=20, trial_s=1.0, effect=3.0)
    first = run(methods.EEGNET, made, tmp_path, epochs=25, folds=2)
    again = run(methods.EEGNET, made, tmp_path, epochs=25, folds=2)
    assert first.labels[0].digest == again.labels[0].digest
    assert DECODING.score(first.labels[0], made.truth)["accuracy"] > 0.6


def test_fbcca_needs_no_example_and_then_has_no_confidence(tmp_path):
    made = simulate_trials(4, paradigm="ssvep", n_trials=30, n_unknown=30)
    stated = {"13 Hz": 13, "17 Hz": 17, "21 Hz": 21}
    result = run(methods.FBCCA, made, tmp_path, frequencies_hz=stated)
    assert DECODING.score(result.labels[0], made.truth)["accuracy"] > 0.9
    assert np.isnan(result.labels[0].column("confidence")).all()
    assert "not_calibrated" in {f.check for f in result.findings}
    with pytest.raises(MissingInputError):
        run(methods.FBCCA, made, tmp_path)


def test_what_nobody_can_tell_is_said(tmp_path):
    made = simulate_trials(5, effect=0.0)
    result = run(methods.CSP, made, tmp_path)
    assert "no_better_than_chance" in {f.check for f in result.findings}


def test_a_wrong_known_class_is_disputed(tmp_path):
    made = simulate_trials(6, paradigm="ssvep", n_trials=90, n_unknown=0, effect=2.0)
    label = made.trials.column("label").copy()
    label[40] = (label[40] + 1) % 3
    columns = {n: made.trials.column(n) for n in ("id", "item", "start", "stop")}
    wrong = LabelSet.build(
        Kind.SPANS, {**columns, "label": label}, made.trials.vocabulary, made.trials.provenance
    )
    result = run(methods.SSVEP, replace(made, trials=wrong), tmp_path)
    disputed = [f.item for f in result.findings if f.check == "disputed_class"]
    assert 40 in disputed
    assert len(disputed) <= 5


def test_amplitude_and_sign_change_nothing(tmp_path):
    made = simulate_trials(7, **SHORT)
    said = run(methods.RIEMANN, made, tmp_path).labels[0].column("label")
    signal = made.recording["eeg"]
    for factor in (0.66, 1.5, -1.0):
        other = Signal.from_array(
            signal.read() * np.float32(factor), signal.rate_hz, name="eeg", channels=signal.channels
        )
        recording = replace(made.recording, streams={"eeg": other})
        again = run(methods.RIEMANN, replace(made, recording=recording), tmp_path)
        assert np.mean(again.labels[0].column("label") == said) > 0.97


def test_a_flat_channel_is_borne_and_nan_is_refused(tmp_path):
    made = simulate_trials(8, **SHORT)
    signal = made.recording["eeg"]
    for value, error in ((0.0, None), (np.nan, BadSamplesError)):
        samples = signal.read().copy()
        samples[:, 2] = value
        other = Signal.from_array(samples, signal.rate_hz, name="eeg", channels=signal.channels)
        changed = replace(made, recording=replace(made.recording, streams={"eeg": other}))
        if error is None:
            assert run(methods.RIEMANN, changed, tmp_path).labels[0].n_rows == 40
        else:
            with pytest.raises(error):
                run(methods.RIEMANN, changed, tmp_path)


def with_classes(made, names):
    trials = made.trials
    columns = {n: trials.column(n) for n in ("id", "item", "start", "stop")}
    vocabulary = tuple(sorted(set(names)))
    codes = np.array([vocabulary.index(n) for n in names], np.int32)
    labels = LabelSet.build(Kind.SPANS, {**columns, "label": codes}, vocabulary, trials.provenance)
    return replace(made, trials=labels)


@pytest.mark.parametrize(
    "names",
    [
        ["left"] * 40,
        ["unknown"] * 40,
        ["left"] * 39 + ["right"],
        ["left", "right"] * 2 + ["?"] * 36,
    ],
)
def test_too_few_known_trials(names, tmp_path):
    made = with_classes(simulate_trials(9, **SHORT), names)
    if names[0:2] == ["left", "right"]:
        result = run(methods.CSP, made, tmp_path)
        assert "not_calibrated" in {f.check for f in result.findings}
        assert np.isnan(result.labels[0].column("confidence")).all()
    else:
        with pytest.raises(MissingInputError):
            run(methods.CSP, made, tmp_path)


def test_trials_outside_the_recording_and_of_another_stream(tmp_path):
    made = simulate_trials(10, **SHORT)
    short = Signal.from_array(made.recording["eeg"].read(0, 3000), 128.0, name="eeg")
    cut = replace(made, recording=replace(made.recording, streams={"eeg": short}))
    with pytest.raises(BadLabelsError, match="outside"):
        run(methods.CSP, cut, tmp_path)
    elsewhere = replace(made.trials, provenance=replace(made.trials.provenance, stream="other"))
    with pytest.raises(BadLabelsError, match="other"):
        run(methods.CSP, replace(made, trials=elsewhere), tmp_path)
    points = LabelSet.build(Kind.CLASSES, {"target": [0]}, ("a",), made.trials.provenance)
    with pytest.raises(BadLabelsError, match="spans or events"):
        run(methods.CSP, replace(made, trials=points), tmp_path)


def test_trials_of_a_stream_with_another_rate_are_carried_over():
    made = simulate_trials(11, **SHORT)
    signal = made.recording["eeg"]
    fast = Signal.from_array(np.repeat(signal.read(), 2, axis=0), 256.0, name="fast")
    recording = Recording(None, "simulated", {"eeg": signal, "fast": fast}, fingerprint="f")
    given = given_trials(Inputs(recording, "fast", {"trials": made.trials}), ("unknown",))
    assert given.onset.tolist() == (2 * made.trials.column("start")).tolist()


def test_windows_beyond_a_gap_have_no_class(tmp_path):
    made = simulate_trials(12, **SHORT)
    signal = made.recording["eeg"]
    middle = int(made.trials.column("start")[20]) + 30
    clock = Clock.from_segments(128.0, [middle, signal.n_samples - middle], [0.0, 1e4])
    other = Signal.from_array(
        signal.read(), 128.0, name="eeg", channels=signal.channels, clock=clock
    )
    changed = replace(made, recording=replace(made.recording, streams={"eeg": other}))
    result = run(methods.CSP, changed, tmp_path)
    labels = result.labels[0]
    lost = labels.column("item")[np.isnan(labels.column("confidence"))]
    assert lost.tolist() == [20]
    assert DECODING.score(labels, made.truth)["decided"] == 39 / 40
    assert labels.vocabulary.names[labels.column("label")[20]] == "unknown"
    assert "windows_outside" in {f.check for f in result.findings}


def test_events_need_a_stated_window(tmp_path):
    made = simulate_trials(13, **SHORT)
    events = LabelSet.build(
        Kind.EVENTS,
        {"sample": made.trials.column("start"), "label": made.trials.column("label")},
        made.trials.vocabulary,
        made.trials.provenance,
    )
    changed = replace(made, trials=events)
    with pytest.raises(BadArgumentError, match="window"):
        run(methods.CSP, changed, tmp_path)
    stated = run(methods.CSP, changed, tmp_path, stop_s=1.0)
    spans = run(methods.CSP, made, tmp_path)
    assert np.array_equal(stated.labels[0].column("label"), spans.labels[0].column("label"))


def test_facts_and_scores(tmp_path):
    made = simulate_trials(14, **SHORT)
    result = run(methods.CSP, made, tmp_path)
    items = DECODING.describe(result.labels[0], inputs_of(made), Context(tmp_path))
    assert items.table.column("given").to_pylist().count("unknown") == 10
    assert np.allclose(items.table.column("duration_s").to_numpy(), 1.0)
    assert DECODING.update(items, None) is items
    assert DECODING.check(result.labels[0], items, None, Context(tmp_path)) is not None
    steady = simulate_trials(1, paradigm="ssvep", **SHORT).truth
    with pytest.raises(EvaluationError):
        DECODING.score(result.labels[0], steady)
    assert TASKS.get("decoding") is DECODING
    recording, truth = DECODING.simulate(1, n_trials=6, n_unknown=2)
    assert recording.signal.n_channels == 8
    assert truth.n_rows == 6


@pytest.mark.data
def test_a_real_session_of_steady_states(tmp_path):
    folder = Path(os.environ.get("NISSL_DATA", "")) / "eeg" / "ssvep_exo"
    path = next(iter(sorted(folder.glob("sub03*.npz"))), None)
    if path is None:
        pytest.skip("needs eeg/ssvep_exo of the data folder: set NISSL_DATA")
    recording = nissl.read(path)
    with np.load(path) as z:
        events = z["events"][z["events"][:, 2] > 1]
    names = ("rest", "rest ", "13 Hz", "21 Hz", "17 Hz")
    stream = next(iter(recording.streams))
    trials = LabelSet.build(
        Kind.EVENTS,
        {"sample": events[:, 0], "label": events[:, 2]},
        names,
        Provenance("trials", recording.fingerprint, Author("person", "imported"), stream),
    )
    result = run(
        methods.SSVEP,
        Inputs(recording, stream, {"trials": trials}),
        tmp_path,
        start_s=2.0,
        stop_s=5.0,
    )
    assert result.log["left_out"]["accuracy"] > 0.8


def test_simulation_repeats_itself_and_refuses_nonsense():
    a, b = simulate_trials(3, **SHORT), simulate_trials(3, **SHORT)
    assert np.array_equal(a.recording["eeg"].read(), b.recording["eeg"].read())
    assert a.trials == b.trials
    with pytest.raises(BadArgumentError):
        simulate_trials(3, paradigm="sleep")


def test_no_augmentation_is_on_by_default():
    from nissl.annotators.decoding.methods import EEGNET

    assert EEGNET.defaults()["augment"] == []
