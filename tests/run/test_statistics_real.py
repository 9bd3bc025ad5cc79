"""Statistics of real recordings tell what is known about them."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.data import ChannelTable, Signal
from nissl.run.context import Context
from nissl.run.statistics import signal_statistics

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.exists(), reason="set NISSL_DATA to the folder of real recordings"),
]


@pytest.mark.parametrize(
    ("pattern", "samples", "scale", "line"),
    [
        ("eeg/eegmmidb/S001R01.npz", "X_uV", None, 1),  # United States: 60 Hz
        ("eeg/ssvep_exo/sub01_*.npz", "X", "scale_uV", 0),  # France: 50 Hz
    ],
)
def test_the_line_frequency_is_that_of_the_country(tmp_path, pattern, samples, scale, line):
    path = sorted(DATA.glob(pattern))[0]
    with np.load(path) as file:
        values, rate_hz = file[samples].T, float(file["fs"])
        gain_uv = float(file[scale]) if scale else 1.0
    table = ChannelTable.plain(values.shape[1], gain_uv=gain_uv)
    signal = Signal.from_array(values, rate_hz, channels=table)
    found = signal_statistics(signal, Context(tmp_path))
    assert np.median(found.line_ratio[:, line]) > 2 * np.median(found.line_ratio[:, 1 - line])
    assert found.mean_uv == pytest.approx(values.astype(float).mean(axis=0) * gain_uv, rel=1e-6)
    assert found.sd_uv == pytest.approx(values.astype(float).std(axis=0) * gain_uv, rel=1e-6)


def test_a_tetrode_has_spikes_beyond_its_noise(tmp_path):
    with np.load(DATA / "ephys/paired_raw/locust20010201_tetrode_trial01.npz") as file:
        signal = Signal.from_array(file["data"], float(file["fs"]))
    found = signal_statistics(signal, Context(tmp_path))
    assert np.all(np.maximum(found.max_uv, -found.min_uv) > 6 * found.noise_uv)
    assert np.all(found.sd_uv > 0)
    assert len(found.zero_runs) == len(found.frozen_runs) == 0
    assert not found.n_nan.any()
