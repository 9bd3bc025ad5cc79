"""Microstates: planted topographies come back, whatever their polarity."""

import numpy as np
import pytest

from nissl.annotators.events.microstates import MICROSTATES, field_peaks, fitted_maps, settled
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import MissingInputError
from nissl.run.context import Context
from nissl.tasks import Inputs

NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8")


def planted(seed=0, n=6000, rate_hz=125.0, noise=0.2):
    rng = np.random.default_rng(seed)
    maps = np.linalg.qr(rng.standard_normal((14, 5)))[0].T
    maps = np.linalg.qr((maps - maps.mean(axis=1, keepdims=True)).T)[0].T[:4]
    state = np.repeat(rng.permutation(np.arange(n // 12) % 4), 12)[:n]
    t = np.arange(len(state)) / rate_hz
    x = maps[state] * (20 * np.sin(2 * np.pi * 10 * t))[:, None]
    return x + noise * rng.standard_normal(x.shape), maps, state


def test_maps_come_back_and_explain_nearly_all():
    x, maps, _ = planted()
    found = fitted_maps(x[field_peaks(x)], 4, np.random.default_rng(1))
    assert np.abs(found.maps @ maps.T).max(axis=1).min() > 0.98
    assert found.gev.sum() > 0.9
    assert np.all(np.diff(found.gev) <= 0)


def test_polarity_does_not_matter():
    x, _, _ = planted()
    a = fitted_maps(x[field_peaks(x)], 4, np.random.default_rng(1))
    b = fitted_maps(-x[field_peaks(-x)], 4, np.random.default_rng(1))
    assert np.allclose(a.gev, b.gev, atol=1e-6)


def test_short_pieces_go_to_their_neighbours():
    state = np.array([0] * 10 + [1] * 2 + [2] * 10)
    out = settled(state, 4)
    assert set(out.tolist()) == {0, 2}
    assert out.tolist().count(0) == 11


def test_as_a_method_it_covers_the_record_and_tells_gev(tmp_path):
    x, _, _ = planted()
    table = ChannelTable.plain(NAMES, kind="eeg")
    signal = Signal.from_array(x.astype(np.float32), 125.0, name="eeg", channels=table)
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    result = MICROSTATES.annotate(
        Inputs(recording, "eeg"), MICROSTATES.defaults(), Context(tmp_path)
    )
    labels = result.labels[0]
    assert labels.column("start")[0] == 0
    assert labels.column("stop")[-1] == len(x)
    assert np.array_equal(labels.column("start")[1:], labels.column("stop")[:-1])
    assert result.log["facts"][0]["gev_total"] > 0.8
    with pytest.raises(MissingInputError, match="8 scalp"):
        MICROSTATES.annotate(
            Inputs(recording, "eeg"),
            {**MICROSTATES.defaults(), "channels": ["C3", "C4"]},
            Context(tmp_path),
        )
