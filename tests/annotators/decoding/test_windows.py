"""Windows and decisions from a stream equal those of the file; delays are stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from nissl.annotators.decoding.windows import KEEP_S, Cutter, Windowing, cut
from nissl.data import Signal
from nissl.errors import BadArgumentError

RATE = 128.0


def signal(n=1000, channels=3, seed=0):
    samples = np.random.default_rng(seed).standard_normal((n, channels)).astype(np.float32)
    return Signal.from_array(samples, RATE)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=40),
    start=st.floats(-0.5, 0.5),
    every=st.integers(1, 3),
)
def test_chunks_change_nothing(sizes, start, every):
    stream = signal()
    how = Windowing(RATE, start, start + 1.0, (2.0, 15.0), average=True, every=every)
    onsets = np.array([70, 200, 200, 431, 800])
    offline, inside = cut(stream, onsets, how)
    assert inside.all()
    cutter, found, at, k = Cutter(how, 3), {}, 0, 0
    for onset in onsets:
        cutter.ask(int(onset))
    while at < stream.n_samples:
        stop = min(at + sizes[k % len(sizes)], stream.n_samples)
        found |= dict(cutter.push(stream.read(at, stop)))
        at, k = stop, k + 1
    for row, onset in enumerate(onsets.tolist()):
        assert_array_equal(found[onset], offline[row])


def test_without_a_band_windows_are_the_samples():
    stream = signal()
    windows, inside = cut(stream, np.array([-5, 10, 900, 990]), Windowing(RATE, 0.0, 0.5))
    assert inside.tolist() == [False, True, True, False]
    assert_array_equal(windows[0], stream.read(10, 74).T)


def test_windows_refuse_what_cannot_be():
    with pytest.raises(BadArgumentError, match="ends after"):
        Windowing(RATE, 1.0, 1.0)
    with pytest.raises(BadArgumentError, match="band"):
        Windowing(RATE, 0.0, 1.0, (1.0, 70.0))
    with pytest.raises(BadArgumentError, match="256 Hz"):
        cut(signal(), np.array([0]), Windowing(256.0, 0.0, 1.0))
    cutter = Cutter(Windowing(RATE, 0.0, 0.5), 3)
    with pytest.raises(BadArgumentError, match="shape"):
        cutter.push(np.zeros((4, 2)))
    cutter.push(np.zeros((round((KEEP_S + 3) * RATE), 3)))
    with pytest.raises(BadArgumentError, match="Ask within"):
        cutter.ask(5)


def test_the_delay_is_that_of_a_burst():
    how = Windowing(RATE, 0.0, 2.0, (8.0, 12.0))
    t = np.arange(1024) / RATE
    burst = np.exp(-0.5 * ((t - 4) / 0.5) ** 2) * np.sin(2 * np.pi * 9.8 * t)
    out = Cutter(how, 1)._filtered(burst[:, None])[:, 0]
    centre = np.sum(t * out**2) / np.sum(out**2)
    assert abs(centre - 4 - how.delay_s) < 0.02
    assert how.latency_s == 2.0 + how.delay_s
