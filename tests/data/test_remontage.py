"""Signals in another montage read as the differences they are, and stay lazy."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from nissl.data import ChannelTable, Signal
from nissl.data.read import read
from nissl.data.remontage import remontaged
from nissl.data.spikeinterface import signal_from_json, signal_to_json
from nissl.errors import BadArgumentError
from nissl.testing.files import EdfSignal, write_edf

NAMES = ("C3", "Cz", "C4", "A1", "A2", "SaO2")


@pytest.fixture
def signal(tmp_path) -> Signal:
    rng = np.random.default_rng(0)
    units = {"SaO2": "%"}
    signals = [EdfSignal(n, rng.integers(-500, 500, 400), 100, units.get(n, "uV")) for n in NAMES]
    return read(write_edf(tmp_path / "x.edf", signals)).signal


def test_traces_are_channels_of_a_lazy_signal(signal: Signal) -> None:
    linked = remontaged(signal, "linked mastoids")
    whole = signal.read()
    ears = whole[:, 3:5].mean(axis=1, keepdims=True)
    assert linked.channels.ids == ("C3-M1M2", "Cz-M1M2", "C4-M1M2", "M1-M1M2", "M2-M1M2", "SaO2")
    np.testing.assert_allclose(
        linked.read(10, 50, [2, 0]), (whole - ears)[10:50][:, [2, 0]], atol=1e-3
    )
    np.testing.assert_array_equal(linked.read(0, 9, ["SaO2"])[:, 0], whole[:9, 5])
    assert linked.metadata["units"] == {"SaO2": "%"}
    assert linked.metadata["montage"] == "linked mastoids"
    assert linked.channels.types[:1] == ("eeg",)
    assert linked.clock == signal.clock


def test_it_travels_and_is_described(signal: Signal) -> None:
    average = remontaged(signal, "average")
    expected = average.read()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(average)).read(), expected)
    again = signal_from_json(json.loads(json.dumps(signal_to_json(average))))
    np.testing.assert_array_equal(again.read(), expected)
    assert len(pickle.dumps(average)) < 10_000
    in_memory = Signal.from_array(np.zeros((5, 2)), 1.0, channels=ChannelTable.plain(["a", "b"]))
    assert signal_to_json(remontaged(in_memory, "average")) is None


def test_recorded_is_the_signal_itself_and_others_are_refused(signal: Signal) -> None:
    assert remontaged(signal, "recorded") is signal
    with pytest.raises(BadArgumentError, match="linked mastoids"):
        remontaged(signal, "reference Pz")
