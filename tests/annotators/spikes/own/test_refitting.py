"""A sorting fitted again: on the device that made it where that is there."""

import pytest

from nissl.annotators.spikes.own.matching import devices
from nissl.annotators.spikes.own.refitting import device_of


def test_labels_from_before_there_were_devices_are_of_the_processor():
    assert device_of({"freq_min_hz": 300.0}) == "cpu"


def test_a_device_that_is_there_is_taken_again():
    pytest.importorskip("torch", reason="pip install 'nissl[train]'")
    assert device_of({"device": "torch:cpu"}) == "torch:cpu"


def test_a_device_that_is_not_there_is_the_processor(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda name: None)
    for name in ("cuda", "mps", "torch:cpu", "auto"):
        assert device_of({"device": name}) == "cpu"
