"""A recording that is not what it should be switches automatic acceptance off."""

import numpy as np
import pytest

from nissl.annotators.events.checks import check, recording_findings
from nissl.annotators.events.describe import SNIPPET, describe
from nissl.annotators.events.features import NAMES
from nissl.annotators.events.simulate import simulate
from nissl.annotators.events.vocabulary import classes
from nissl.data import ChannelTable, Signal
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs


def signal_of(samples, names, rate_hz=256.0):
    return Signal.from_array(
        samples.astype(np.float32), rate_hz, channels=ChannelTable.plain(names, kind="eeg")
    )


@pytest.fixture(scope="module")
def sound():
    recording, _ = simulate(1, kinds={"blink": 10.0, "spindle": 2.0}, duration_s=120.0, snr=8.0)
    return recording.signal.read().astype(float)


def sentences(samples, names=("C3", "Fp1")):
    found = recording_findings(signal_of(samples, names))
    assert all(f.check == "novelty" and f.item is None for f in found)
    return " ".join(f.sentence for f in found)


def test_a_sound_recording_raises_nothing(sound):
    assert sentences(sound) == ""


@pytest.mark.parametrize("gain", [1e-3, 20.0, 1e6])
def test_wrong_scale(sound, gain):
    assert "unit and the gain" in sentences(sound * gain)


def test_sign_turned_over(sound):
    assert "turned over" in sentences(-sound)


@pytest.mark.parametrize("mains", [50, 60])
def test_mains_hum(sound, mains):
    t = np.arange(len(sound))[:, None] / 256.0
    assert f"{mains} Hz" in sentences(sound + 30 * np.sin(2 * np.pi * mains * t))


def test_one_flat_channel_is_named(sound):
    sound = sound.copy()
    sound[:, 0] = 7.0
    assert "Flat: C3" in sentences(sound)


def test_samples_that_are_no_numbers(sound):
    sound = sound.copy()
    sound[:, 1] = np.nan
    assert "no numbers on Fp1" in sentences(sound)


def test_implausible_rates(tmp_path):
    about = Provenance(
        "events",
        "x",
        Author("model", "events/spindles", "1"),
        parameters={"preprocessing": [{"parameters": {"rate_hz": 100.0, "duration_s": 60.0}}]},
    )
    start = np.arange(100) * 50
    labels = LabelSet.build(
        Kind.SPANS, {"start": start, "stop": start + 40}, classes("spindle"), about
    )
    (found,) = check(labels, None, None, Context(tmp_path))
    assert found.check == "novelty"
    assert found.value == pytest.approx(100.0)


def test_facts_of_events(tmp_path):
    recording, truth = simulate(2, kinds={"spindle": 4.0, "blink": 3.0}, snr=10.0)
    items = describe(truth, Inputs(recording, "eeg"), Context(tmp_path))
    assert items.items.tolist() == truth.items.tolist()
    assert set(NAMES) <= set(items.table.column_names)
    spindle = truth.column("label") == truth.vocabulary.code("spindle")
    peak = items.table.column("peak_hz").to_numpy()[spindle]
    assert np.mean((peak > 11) & (peak < 16)) > 0.9
    lasts = items.table.column("duration_s").to_numpy()
    assert np.allclose(lasts, (truth.column("stop") - truth.column("start")) / 256.0)
    assert items.arrays["snippet"].shape == (truth.n_rows, SNIPPET)
    blink = ~spindle
    assert set(np.array(items.table.column("channel_name").to_pylist())[blink]) == {"Fp1"}
