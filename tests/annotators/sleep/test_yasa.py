"""YASA's stages, and the two stagers together."""

import numpy as np
import pytest

from nissl.annotators.sleep.combined import COMBINED, DISAGREE
from nissl.annotators.sleep.simulate import simulate_night
from nissl.annotators.sleep.vocabulary import HUMAN, UNKNOWN
from nissl.annotators.sleep.yasa import YASA
from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.testing.annotators import AnnotatorContract

pytest.importorskip("yasa", reason="needs nissl[eeg]")


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return YASA

    @pytest.fixture(scope="class")
    def inputs(self, night):
        return night[0]


class TestCombinedContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return COMBINED

    @pytest.fixture(scope="class")
    def inputs(self, night):
        return night[0]


def test_its_probabilities_are_those_that_yasa_gives(night, tmp_path):
    import mne
    import yasa

    inputs, _ = night
    labels = YASA.annotate(inputs, YASA.defaults(), Context(tmp_path)).labels[0]
    raw = mne.io.RawArray(
        inputs.signal.read().T.astype(float)[[0, 2, 3]] * 1e-6,
        mne.create_info(["eeg", "eog", "emg"], 100.0, ["eeg", "eog", "emg"]),
        verbose="error",
    )
    stager = yasa.SleepStaging(raw, eeg_name="eeg", eog_name="eog", emg_name="emg")
    expected = stager.predict().proba[["WAKE", "N1", "N2", "N3", "REM"]].to_numpy()
    got = np.stack(labels.table.column("probabilities").to_numpy(zero_copy_only=False))
    assert np.allclose(got[:, :5], expected, atol=1e-4)
    assert np.isnan(labels.column("confidence")).all()


def test_segments_too_short_for_it_are_unscored(tmp_path):
    recording, _ = simulate_night(5, hours=0.5)
    samples = recording["signal"].read()
    clock = Clock.from_segments(100.0, [9000, len(samples) - 9000], [0.0, 500.0])
    signal = Signal.from_array(samples, 100.0, channels=recording["signal"].channels, clock=clock)
    from dataclasses import replace

    inputs = Inputs(replace(recording, streams={"signal": signal}), "signal")
    labels = YASA.annotate(inputs, YASA.defaults(), Context(tmp_path)).labels[0]
    names = np.asarray(HUMAN.names)[labels.column("label")]
    assert set(names[:3]) == {UNKNOWN}
    assert UNKNOWN not in names[3:]


def test_where_they_disagree_is_told(night, tmp_path):
    inputs, _ = night
    result = COMBINED.annotate(inputs, COMBINED.defaults(), Context(tmp_path))
    apart = [f for f in result.findings if f.check == DISAGREE]
    assert len(apart) == round(result.log["disagreement"] * 180)
    for finding in apart[:3]:
        assert "sleep/nissl says" in finding.sentence


def test_bad_channels_and_short_recordings_are_refused(tmp_path):
    recording, _ = simulate_night(5, hours=0.05)
    inputs = Inputs(recording, "signal")
    with pytest.raises(BadArgumentError, match="channel"):
        YASA.annotate(inputs, {**YASA.defaults(), "eeg": "X9"}, Context(tmp_path))
    with pytest.raises(BadArgumentError, match="5 minutes"):
        YASA.annotate(inputs, YASA.defaults(), Context(tmp_path))
    recording, _ = simulate_night(5, hours=0.1, channels=("EMG chin",))
    with pytest.raises(MissingInputError, match="EEG"):
        YASA.annotate(Inputs(recording, "signal"), YASA.defaults(), Context(tmp_path))
