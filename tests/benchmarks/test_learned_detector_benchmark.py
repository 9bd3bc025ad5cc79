"""The benchmark of the learned screen: recall at equal false alarms, told by hand."""

from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.spikes.own.screen.examples import Known

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_as_many_events_count_as_false_alarms_allow():
    from learned_detector import curve

    score = np.asarray([9.0, 8, 7, 6, 5, 4], np.float32)
    spike = np.asarray([3, -1, 1, -1, 2, 0])
    assert curve(score, spike, 1.0, 0.0).tolist() == [3]
    assert curve(score, spike, 1.0, 1.0).tolist() == [3, 1]
    assert curve(score, spike, 2.0, 1.0).tolist() == [3, 1, 2, 0]


def test_recall_is_of_the_clean_part_by_signal_to_noise_ratio():
    from learned_detector import BANDS, by_band

    z = np.zeros((100, 2), np.float32)
    at, unit = np.asarray([10, 20, 30, 80]), np.asarray([0, 0, 1, 1])
    waves = np.ones((2, 75, 2), np.float32)
    snr = np.asarray([5.0, 20.0])
    k = Known(z, z, np.zeros((2, 2)), 15_000.0, at, unit, waves, snr, 50)
    rows = by_band(k, np.asarray([0, 3]))
    assert rows[[a <= 5 < b for a, b in BANDS].index(True)] == [1, 2]
    assert rows[-1] == [0, 1]
