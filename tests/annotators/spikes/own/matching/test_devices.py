"""Which device a name stands for, and what is said where it is not there."""

import sys

import pytest

from nissl.annotators.spikes.own.matching import devices
from nissl.annotators.spikes.own.matching.devices import chosen, told
from nissl.errors import BadArgumentError, MissingDependencyError


@pytest.fixture
def bare(monkeypatch):
    """As if PyTorch were not installed."""
    monkeypatch.setattr(devices, "find_spec", lambda name: None)


def test_without_pytorch_it_is_the_processor(bare):
    assert chosen("auto") == chosen("cpu") == told("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps", "torch:cpu"])
def test_a_device_without_pytorch_says_what_to_install(bare, name):
    with pytest.raises(
        MissingDependencyError, match=rf"(?s)torch, for device={name}.*nissl\[train\]"
    ):
        chosen(name)


def test_other_names_are_refused():
    with pytest.raises(BadArgumentError, match=r"device among .*'tpu'"):
        chosen("tpu")


def test_a_graphics_processor_is_taken_where_there_is_one(monkeypatch):
    torch = pytest.importorskip("torch", reason="pip install 'nissl[train]'")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(devices, "version", lambda name: "2.13.0")
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert chosen("auto") == ("cuda" if there else "cpu")
    for name in ("cuda", "mps"):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        with pytest.raises(BadArgumentError, match=f"(?s)device={name}.*none.*device=cpu"):
            chosen(name)
    assert told(chosen("torch:cpu")) == f"torch:cpu (PyTorch {torch.__version__})"


@pytest.mark.parametrize(
    ("platform", "build"), [("darwin", "2.13.0"), ("linux", "2.13.0+cpu"), ("win32", "2.4.1+cpu")]
)
def test_pytorch_is_not_asked_where_it_cannot_know_of_cuda(monkeypatch, platform, build):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(devices, "find_spec", lambda name: name)
    monkeypatch.setattr(devices, "version", lambda name: build)
    monkeypatch.setattr(devices, "pytorch", lambda: pytest.fail("PyTorch was asked"))
    assert chosen("auto") == "cpu"
