"""Derived signals: written whole, read back the same, damage is seen."""

import numpy as np
import pytest

from nissl.clock import Clock, Segment
from nissl.data import ChannelTable, Signal
from nissl.data.read import read
from nissl.errors import CorruptSourceError, NisslError
from nissl.store.derived import write_derived

ABOUT = {
    "metadata": {"made_from": {"source": "f" * 64}},
    "subject": {"id": "m1", "species": "Mus musculus"},
    "session": {"id": "day1"},
}


@pytest.fixture
def signal():
    values = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    clock = Clock((Segment(0, 20, 0.0, 30.0), Segment(20, 50, 5.0, 30.0)))
    channels = ChannelTable.plain(3, kind="fluorescence")
    return Signal.from_array(values, 30.0, name="fluorescence", channels=channels, clock=clock)


def test_it_reads_back_the_same(signal, tmp_path):
    path = write_derived(tmp_path, signal, ABOUT)
    recording = read(path)
    back = recording.signal
    assert (recording.format, back.name) == ("derived", "fluorescence")
    assert back.channels.kind == "fluorescence"
    assert recording.subject.species == "Mus musculus"
    assert back.clock == signal.clock
    for start, stop in ((0, 20), (20, 50)):
        np.testing.assert_array_equal(back.read(start, stop), signal.read(start, stop))
    assert back.metadata["made_from"]["source"] == "f" * 64


def test_the_same_signal_is_written_once(signal, tmp_path):
    first = write_derived(tmp_path, signal, ABOUT)
    assert write_derived(tmp_path, signal, ABOUT) == first
    assert [p.name for p in tmp_path.iterdir()] == [first.name]
    other = write_derived(tmp_path, signal, {**ABOUT, "session": {"id": "day2"}})
    assert other != first


def test_missing_chunks_are_no_zeros(signal, tmp_path):
    path = write_derived(tmp_path, signal, ABOUT)
    (path / "samples" / "0.0").unlink()
    with pytest.raises(CorruptSourceError, match="missing"):
        read(path)


def test_a_failed_write_leaves_nothing(signal, tmp_path, monkeypatch):
    import nissl.store.derived as derived

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(derived, "fsync_tree", full)
    with pytest.raises(NisslError):
        write_derived(tmp_path, signal, ABOUT)
    assert list(tmp_path.iterdir()) == []
