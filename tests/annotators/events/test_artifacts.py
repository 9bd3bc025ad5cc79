"""Artifacts and suppression on signals made for them."""

import numpy as np
import pytest

from nissl.annotators.events.artifacts import ARTIFACTS, bad_channels
from nissl.annotators.events.score import score
from nissl.annotators.events.simulate import backgrounds, simulate
from nissl.annotators.events.suppression import SUPPRESSION, ratio
from nissl.data import ChannelTable, Recording, Signal
from nissl.run.context import Context
from nissl.tasks import Inputs

NAMES = ("C3", "Fp1", "O1", "F3", "P3", "C4")


def run(method, samples, tmp_path, rate_hz=200.0, names=NAMES):
    table = ChannelTable.plain(names[: samples.shape[1]], kind="eeg")
    signal = Signal.from_array(samples.astype(np.float32), rate_hz, name="eeg", channels=table)
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    inputs = Inputs(recording, "eeg")
    return method.annotate(inputs, method.defaults(), Context(tmp_path)).labels[0]


def of(labels, name):
    rows = labels.column("label") == labels.vocabulary.code(name)
    columns = (labels.column(n)[rows].tolist() for n in ("start", "stop", "channel"))
    return list(zip(*columns, strict=True))


@pytest.fixture
def quiet():
    return backgrounds(24_000, 6, 200.0, 1.5, np.random.default_rng(1)) * 20


@pytest.mark.parametrize("slope", [1.0, 1.5, 2.0])
def test_blinks_and_muscle(slope, tmp_path):
    kinds = {"blink": 8.0, "muscle": 3.0, "spindle": 3.0}
    recording, truth = simulate(6, kinds=kinds, slope=slope, snr=10.0, n_channels=4)
    inputs = Inputs(recording, "eeg")
    labels = ARTIFACTS.annotate(inputs, ARTIFACTS.defaults(), Context(tmp_path)).labels[0]
    assert score(labels, truth)["f1_iou20"] > 0.95


def test_a_quiet_recording_has_no_artifact(quiet, tmp_path):
    assert run(ARTIFACTS, quiet, tmp_path).n_rows == 0


def test_hum_is_no_muscle(quiet, tmp_path):
    hum = 40 * np.sin(2 * np.pi * 50 * np.arange(len(quiet)) / 200)[:, None]
    assert of(run(ARTIFACTS, quiet + hum, tmp_path), "muscle") == []


def test_a_flat_stretch_is_found_where_it_is(quiet, tmp_path):
    quiet[4000:5000, 2] = 3.0
    ((start, stop, channel),) = of(run(ARTIFACTS, quiet, tmp_path), "flat")
    assert channel == 2
    assert abs(start - 4000) < 60
    assert abs(stop - 5000) < 60


def test_a_jump_of_all_channels_is_a_bad_segment(quiet, tmp_path):
    quiet[10_000:10_200] += 2000 * np.hanning(200)[:, None]
    ((start, stop, channel),) = of(run(ARTIFACTS, quiet, tmp_path), "bad segment")
    assert channel == -1
    assert start <= 10_000
    assert stop >= 10_200


def test_bad_channels_vary_too_much_too_little_or_alone(quiet, tmp_path):
    quiet[:, 0] *= 20
    quiet[:, 3] *= 0.01
    labels = run(ARTIFACTS, quiet, tmp_path)
    assert [(0, len(quiet), 0), (0, len(quiet), 3)] == sorted(of(labels, "bad channel"))
    rng = np.random.default_rng(0)
    common = rng.standard_normal(5000)
    x = np.stack([common + 0.3 * rng.standard_normal(5000) for _ in range(5)])
    x[4] = rng.standard_normal(5000)
    assert bad_channels(x.std(axis=1), x, 5.0).tolist() == [False] * 4 + [True]


def test_suppression_is_found_and_its_share_told(tmp_path):
    x = backgrounds(60_000, 2, 200.0, 1.5, np.random.default_rng(2)) * 30
    mask = (np.arange(60_000) // 1000) % 3 != 0  # 5 s bursts, 10 s of suppression
    x[mask] *= 0.03
    labels = run(SUPPRESSION, x, tmp_path)
    assert ratio(labels, 60_000) == pytest.approx(2 / 3, abs=0.03)
    assert 20 <= labels.n_rows <= 24
