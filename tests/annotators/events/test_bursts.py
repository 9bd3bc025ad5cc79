"""Bursts: what a definition means, and what must not disturb it."""

import numpy as np
import pytest

from nissl.annotators.events.bursts import BURSTS, bursts_of, followed, whitened
from nissl.annotators.events.score import score
from nissl.annotators.events.simulate import backgrounds, simulate
from nissl.annotators.events.stimulation import lines, without_lines
from nissl.annotators.events.waves import aperiodic, spectrum
from nissl.data import Recording, Signal
from nissl.run.context import Context
from nissl.tasks import Inputs

SIZE = {"kinds": {"beta burst": 20.0}, "duration_s": 240.0, "n_channels": 1, "snr": 5.0}


def annotated(samples, like, tmp_path, **parameters):
    signal = Signal.from_array(
        samples.astype(np.float32), 256.0, name="eeg", channels=like.signal.channels
    )
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    given = {**BURSTS.defaults(), **parameters}
    return BURSTS.annotate(Inputs(recording, "eeg"), given, Context(tmp_path))


def test_stimulation_within_and_beside_the_band_is_taken_out(tmp_path):
    recording, truth = simulate(4, **SIZE)
    x = recording.signal.read()
    t = np.arange(len(x))[:, None] / 256.0
    pulses = 60 * np.sin(2 * np.pi * 21.3 * t) + 80 * np.sin(2 * np.pi * 85.2 * t)
    result = annotated(x + pulses, recording, tmp_path)
    assert result.log["facts"][0]["lines_hz"] == pytest.approx([21.3, 85.2], abs=0.2)
    assert score(result.labels[0], truth)["f1_iou20"] > 0.85
    kept = annotated(x + pulses, recording, tmp_path, remove_lines=False)
    assert score(kept.labels[0], truth)["f1_iou20"] < 0.5


def test_an_oscillation_of_the_brain_is_no_line():
    recording, _ = simulate(4, **SIZE)
    x = recording.signal.read()[:, 0].astype(np.float64)
    assert lines(x, 256.0).size == 0
    assert without_lines(x, 256.0)[0] is x


@pytest.mark.parametrize("slope", [0.8, 1.5, 2.2])
def test_whitened_backgrounds_are_flat(slope):
    x = backgrounds(60_000, 1, 250.0, slope, np.random.default_rng(0))[:, 0]
    assert abs(aperiodic(*spectrum(whitened(x, 250.0), 250.0))[1]) < 0.15


def test_the_peak_is_followed():
    rate, t = 250.0, np.arange(60_000) / 250.0
    f = 16 + 8 * t / t[-1]
    x = 3 * np.sin(2 * np.pi * np.cumsum(f) / rate)
    x += np.random.default_rng(0).standard_normal(len(t))
    assert np.abs(followed(x, rate, 13.0, 30.0, 30.0) - f)[2000:-2000].max() < 1.5


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_the_percentile_claims_a_quarter_of_the_time_even_without_bursts(slope):
    x = backgrounds(60_000, 1, 250.0, slope, np.random.default_rng(0))[:, 0]
    counts = {}
    for definition in ("background", "percentile", "cycles"):
        given = {**BURSTS.defaults(), "definition": definition}
        start, stop = bursts_of(x, 250.0, given)
        counts[definition] = len(start)
        assert np.all(stop - start >= 25)
    assert counts["percentile"] > 5 * max(counts["background"], counts["cycles"])
