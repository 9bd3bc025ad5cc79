"""Seizures over channels: windows, baseline, operating point, events."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.events.score import szcore
from nissl.annotators.events.seizure_features import (
    NAMES,
    baseline,
    features_of,
    window_features,
)
from nissl.annotators.events.seizures import (
    SEIZURES,
    SeizureModel,
    by_model,
    fitted_seizures,
    operating_point,
    shipped_seizures,
)
from nissl.annotators.events.simulate import simulate
from nissl.errors import BadMetadataError, BadSamplesError
from nissl.run.context import Context
from nissl.tasks import Inputs

SIZE = {
    "kinds": {"seizure": 0.1, "muscle": 2.0, "blink": 4.0, "interictal spike": 2.0},
    "duration_s": 1200.0,
    "n_channels": 4,
    "snr": 4.0,
}


@pytest.mark.parametrize("slope", [1.0, 2.0])
@pytest.mark.parametrize("gain", [0.66, 1.5])
def test_finds_simulated_seizures_whatever_slope_and_gain(slope, gain, tmp_path):
    recording, truth = simulate(31, slope=slope, background_uv=20.0 * gain, **SIZE)
    result = SEIZURES.annotate(Inputs(recording, "eeg"), SEIZURES.defaults(), Context(tmp_path))
    labels = result.labels[0]
    found = szcore(truth, labels, 256.0, 1200.0)
    assert found.sensitivity == 1.0
    assert found.n_false == 0
    assert np.all(labels.column("channel") == -1)
    assert np.all(labels.column("confidence") > 0.5)


def test_sign_changes_nothing():
    recording, _ = simulate(32, **SIZE)
    x = recording.signal.read()[:5120].reshape(20, 256, 4)
    assert np.allclose(window_features(x, 256.0), window_features(-x, 256.0), equal_nan=True)


def test_windows_in_blocks_are_those_of_the_whole():
    recording, _ = simulate(33, kinds={}, duration_s=400.0, rate_hz=100.0)
    blocks = np.concatenate(list(features_of(recording.signal, 0, 40_000, [0, 1])))
    assert blocks.shape == (400, len(NAMES))
    whole = window_features(recording.signal.read().reshape(400, 100, 2), 100.0)
    assert np.allclose(blocks, whole, equal_nan=True)


def test_a_low_rate_lacks_high_bands_and_one_channel_lacks_relations():
    x = np.random.default_rng(0).standard_normal((3, 100, 1))
    values = dict(zip(NAMES, window_features(x, 100.0).T, strict=True))
    assert np.isnan(values["power_60_120_mean"]).all()
    assert np.isnan(values["correlation"]).all()
    assert np.isfinite(values["power_8_13_mean"]).all()


def test_model_round_trip_and_learning():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((200, len(NAMES)))
    label = (np.arange(200) >= 60).astype(np.int64)
    values[label == 0, :5] += 2.0
    model = replace(fitted_seizures(values, label, rng=rng), threshold=1.5, event=(1.0, -2.0))
    again = SeizureModel.from_bytes(model.to_bytes())
    assert np.allclose(again.log_odds(values), model.log_odds(values), atol=1e-5)
    assert again.threshold == 1.5
    assert again.event == (1.0, -2.0)
    start, stop = model.events(model.log_odds(values))
    assert start[0] < 60
    assert stop[0] < 75


def test_the_operating_point_allows_so_many_false_alarms():
    peaks = np.array([5.0, 3.0, 1.0])
    assert operating_point(peaks, 24.0, false_per_day=1.0) == pytest.approx(3.0, abs=1e-3)
    assert operating_point(peaks, 1.0, false_per_day=1.0) > 5.0
    assert operating_point(np.empty(0), 24.0, least=0.5) == 0.5


def test_short_or_slow_records_are_refused():
    short, _ = simulate(1, kinds={}, duration_s=60.0)
    with pytest.raises(BadSamplesError, match="120 s"):
        by_model(short.signal, 0, short.signal.n_samples, [0], shipped_seizures())
    slow, _ = simulate(1, kinds={}, duration_s=200.0, rate_hz=50.0)
    with pytest.raises(BadMetadataError, match="60 Hz"):
        by_model(slow.signal, 0, slow.signal.n_samples, [0], shipped_seizures())


def test_baseline_is_steady_against_a_seizure():
    values = np.random.default_rng(0).standard_normal((1000, 3))
    middle, scale = baseline(np.vstack([values, values[:50] + 30]))
    assert np.all(np.abs(middle) < 0.2)
    assert np.all(np.abs(scale - 1) < 0.2)
