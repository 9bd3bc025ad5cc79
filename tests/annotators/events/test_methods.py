"""Every method of the task holds the contract, finds what was planted, and keeps its word."""

import numpy as np
import pytest

from nissl.annotators.events.score import score
from nissl.annotators.events.simulate import simulate
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, BadMetadataError, MissingInputError
from nissl.labels import Kind
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Inputs
from nissl.testing.annotators import AnnotatorContract

CASES = {
    "events/spindles": ({"spindle": 5.0}, {"snr": 9.0}, 0.9),
    "events/yasa-spindles": ({"spindle": 5.0}, {"snr": 9.0}, 0.8),
    "events/slow-waves": ({"slow wave": 4.0}, {"snr": 6.0}, 0.85),
    "events/yasa-slow-waves": ({"slow wave": 4.0}, {"snr": 6.0}, 0.5),
    "events/bursts": ({"beta burst": 20.0}, {"snr": 5.0}, 0.85),
    "events/spikes-interictal": ({"interictal spike": 6.0}, {"snr": 12.0}, 0.85),
    "events/artifacts": ({"blink": 8.0, "muscle": 3.0}, {"snr": 10.0, "n_channels": 4}, 0.9),
    "events/seizures": (
        {"seizure": 0.2},
        {"snr": 4.0, "n_channels": 4, "duration_s": 600.0},
        0.85,
    ),
    "events/hfo": (
        {"high-frequency oscillation": 8.0},
        {"snr": 8.0, "rate_hz": 1000.0, "duration_s": 120.0},
        0.85,
    ),
}
"""Kinds planted, size of the simulation, and the least F1 at an overlap of 0.2."""


def run(name, recording, tmp_path, **parameters):
    method = ANNOTATORS.get(name)
    complete = {**method.defaults(), **parameters}
    return method.annotate(Inputs(recording, "eeg"), complete, Context(tmp_path, seed=3))


class TestMethods(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self, name):
        return ANNOTATORS.get(name)

    @pytest.fixture(scope="class")
    def inputs(self, name):
        kinds, size, _ = CASES[name]
        recording, _ = simulate(2, kinds=kinds, **{"duration_s": 180.0, **size})
        return Inputs(recording, "eeg")

    @pytest.fixture(scope="class", params=sorted(CASES))
    def name(self, request):
        return request.param


@pytest.mark.parametrize("slope", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("name", sorted(CASES))
def test_finds_what_was_planted_whatever_the_slope(name, slope, tmp_path):
    kinds, size, least = CASES[name]
    size = {**size, "snr": size["snr"] * (1 + max(slope - 1.5, 0))}
    recording, truth = simulate(11, kinds=kinds, slope=slope, **size)
    labels = run(name, recording, tmp_path).labels[0]
    assert score(labels, truth)["f1_iou20"] >= least - (0.15 if slope == 2.0 else 0)


@pytest.mark.parametrize("name", ["events/spindles", "events/bursts", "events/slow-waves"])
def test_gain_changes_nothing(name, tmp_path):
    kinds, size, _ = CASES[name]
    recording, _ = simulate(4, kinds=kinds, duration_s=120.0, **size)
    plain = run(name, recording, tmp_path).labels[0]
    x = recording.signal.read()
    for gain in (0.66, 1.5):
        labels = run(name, recorded(x * np.float32(gain), recording), tmp_path).labels[0]
        assert score(labels, plain)["f1_iou20"] >= 0.98


@pytest.mark.parametrize("name", ["events/spindles", "events/bursts"])
def test_sign_rate_and_line_change_little(name, tmp_path):
    kinds, size, _ = CASES[name]
    recording, truth = simulate(4, kinds=kinds, duration_s=120.0, **size)
    plain = score(run(name, recording, tmp_path).labels[0], truth)["f1_iou20"]
    x = recording.signal.read()
    t = np.arange(len(x))[:, None] / recording.signal.rate_hz
    hum = (20 * np.sin(2 * np.pi * 50 * t)).astype(np.float32)
    for changed in (-x, x + hum):
        labels = run(name, recorded(changed, recording), tmp_path).labels[0]
        assert abs(score(labels, truth)["f1_iou20"] - plain) < 0.06
    slow, _ = simulate(4, kinds=kinds, duration_s=120.0, rate_hz=100.0, **size)
    assert run(name, slow, tmp_path).labels[0].n_rows


def recorded(samples, like):
    signal = Signal.from_array(
        samples, like.signal.rate_hz, name="eeg", channels=like.signal.channels
    )
    return Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")


def test_every_method_of_the_task_is_registered_and_says_nothing_last():
    task = TASKS.get("events")
    assert task.gives is Kind.SPANS
    assert set(task.methods) == {n for n in ANNOTATORS if n.startswith("events/")}
    for name in task.methods:
        method = ANNOTATORS.get(name)
        assert method.vocabulary.names[-1] == "nothing"


def test_without_a_channel_of_its_type_a_method_says_so(tmp_path):
    table = ChannelTable.plain(["ECG"], kind="eeg")
    signal = Signal.from_array(np.zeros((2000, 1), np.float32), 100.0, name="eeg", channels=table)
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    with pytest.raises(MissingInputError, match="ECG"):
        run("events/spindles", recording, tmp_path)


def test_bad_parameters_and_rates_are_refused(tmp_path):
    recording, _ = simulate(1, duration_s=20.0)
    with pytest.raises(BadArgumentError, match="threshold"):
        run("events/spindles", recording, tmp_path, threshold=3)
    with pytest.raises(BadArgumentError, match="definition"):
        run("events/bursts", recording, tmp_path, definition="some")
    with pytest.raises(BadArgumentError, match="limits"):
        run("events/slow-waves", recording, tmp_path, limits="some")
    with pytest.raises(BadArgumentError, match="channel names"):
        run("events/spindles", recording, tmp_path, channels="C3")
    slow, _ = simulate(1, duration_s=60.0, rate_hz=20.0, kinds={})
    with pytest.raises(BadMetadataError, match="50 Hz"):
        run("events/spindles", slow, tmp_path)


def test_a_flat_recording_gives_nothing_and_an_alarm(tmp_path):
    signal = Signal.from_array(
        np.zeros((6000, 1), np.float32), 100.0, name="eeg", channels=ChannelTable.plain(["C3"])
    )
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    for name in ("events/spindles", "events/slow-waves", "events/bursts", "events/yasa-spindles"):
        result = run(name, recording, tmp_path)
        assert result.labels[0].n_rows == 0
        assert "none_found" in [f.check for f in result.findings]
    task = TASKS.get("events")
    found = task.check(result.labels[0], None, Inputs(recording, "eeg"), Context(tmp_path))
    assert any(f.check == "novelty" and "flat" in f.sentence for f in found)


def test_eye_movements_need_two_eyes(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30_000, 2)).astype(np.float32) * 5
    for at in range(1000, 29_000, 1000):
        bump = 150 * np.hanning(60).astype(np.float32)
        x[at : at + 60, 0] += bump
        x[at : at + 60, 1] -= bump
    table = ChannelTable.plain(["LOC", "ROC"], kind="eeg")
    signal = Signal.from_array(x, 100.0, name="eeg", channels=table)
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    assert run("events/yasa-rems", recording, tmp_path).labels[0].n_rows > 20
    with pytest.raises(MissingInputError, match="two channels"):
        run("events/yasa-rems", recording, tmp_path, channels=["LOC"])
