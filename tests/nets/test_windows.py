"""Windows: of any rate, on the recording's own scale, never across a gap."""

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.nets.windows import Grid, read_window, scale_of, windows

GRID = Grid(100.0, 2.0, 1.0)


def tone(rate, seconds=20.0, gain=1.0, offset=0.0):
    t = np.arange(round(seconds * rate)) / rate
    wave = 30 * np.sin(2 * np.pi * 7 * t)
    return np.stack([wave, 0.5 * wave + offset], axis=1).astype(np.float32) * gain


@pytest.mark.parametrize("rate", [100.0, 128.0, 250.0, 256.0, 399.6, 1000.0])
def test_any_rate_gives_the_same_window(rate):
    signal = Signal.from_array(tone(rate), rate)
    starts = GRID.starts(signal)[0]
    assert len(starts) == 19
    got = read_window(signal, int(starts[5]), GRID, scale_of(signal))
    t = starts[5] / rate + np.arange(200) / 100
    want = np.sin(2 * np.pi * 7 * t)
    assert got.shape == (2, 200)
    assert got.dtype == np.float32
    spread = got[0] @ want / (want @ want)
    assert np.abs(got[0] - spread * want).max() < 0.02 * spread


def test_size_and_offset_do_not_matter_and_silence_is_missing():
    plain = dict(windows(Signal.from_array(tone(128.0), 128.0), GRID))
    other = dict(windows(Signal.from_array(tone(128.0, gain=40.0, offset=9.0), 128.0), GRID))
    assert plain.keys() == other.keys()
    assert all(np.allclose(plain[k], other[k], atol=1e-3) for k in plain)
    samples = tone(128.0)
    samples[:, 1] = 3.0
    silent = dict(windows(Signal.from_array(samples, 128.0), GRID))
    assert np.isnan(silent[0][1]).all()
    assert np.isfinite(silent[0][0]).all()


def test_no_window_crosses_a_gap_or_the_end():
    clock = Clock.from_segments(100.0, [450, 150, 500], [0.0, 10.0, 30.0])
    signal = Signal.from_array(tone(100.0, 11.0), 100.0, clock=clock)
    assert [s.tolist() for s in GRID.starts(signal)] == [[0, 100, 200], [], [600, 700, 800, 900]]
    assert len(list(windows(signal, GRID))) == 7
    slow = Grid(50.0, 2.0, 2.0)
    assert all(w.shape == (2, 100) for _, w in windows(signal, slow))
    with pytest.raises(BadArgumentError):
        Grid(100.0, 0.0, 1.0)
