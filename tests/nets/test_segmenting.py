"""A segmenter over whole recordings: pieces, rates, gaps and silence."""

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.nets.inference import Network
from nissl.nets.segmenting import segmented

torch = pytest.importorskip("torch")

from nissl.nets.backend import seeded  # noqa: E402
from nissl.nets.onnx_files import exported  # noqa: E402
from nissl.nets.training import Recipe, Windows, fit  # noqa: E402
from nissl.nets.unet1d import UNet1d, UNetSettings  # noqa: E402

SETTINGS = UNetSettings(2, period=16, pools=(4, 4), width=6)


def header(n_samples, around):
    return {
        "kind": "segmenter", "rate_hz": 64.0, "period": 16,
        "n_samples": n_samples, "around": around,
    }  # fmt: skip


def recording(seed, seconds, rate=64.0):
    """Noise on two channels with bursts at 10 Hz, and whether each quarter second is in one."""
    rng = np.random.default_rng(seed)
    burst = np.repeat(rng.random(seconds) < 0.3, round(rate))
    t = np.arange(seconds * round(rate)) / rate
    wave = 25 * np.sin(2 * np.pi * 10 * t) * burst
    samples = wave[:, None] + 8 * rng.standard_normal((t.size, 2)) * np.sqrt(rate / 64)
    return samples.astype(np.float32), np.repeat(burst[:: round(rate)], 4)


@pytest.fixture(scope="module")
def net():
    samples, truth = recording(0, 256)
    x = (samples / 10).reshape(64, 256, 2).transpose(0, 2, 1)
    with seeded(np.random.default_rng(0)):
        fresh = UNet1d(SETTINGS)
    known = Windows(x, truth.reshape(64, 16).astype(np.int64))
    recipe = Recipe(epochs=12, batch=8, rate=5e-3)
    return fit(fresh, known, rng=np.random.default_rng(0), recipe=recipe).net


def network(net, n_samples=512, around=128):
    axes = {0: "n", 1: "channels", 2: "samples"}
    example = np.zeros((1, 2, n_samples), np.float32)
    return Network(exported(net, example, header(n_samples, around), varying=axes))


def test_pieces_give_what_the_whole_gives(net):
    samples, truth = recording(1, 100)
    signal = Signal.from_array(samples, 64.0)
    starts, p = segmented(network(net), signal)
    assert starts.tolist() == list(range(0, 6400, 16))
    assert np.allclose(p.sum(axis=1), 1, atol=1e-4)
    assert ((p[:, 1] > 0.5) == truth).mean() > 0.9
    _, whole = segmented(network(net, 6400, 0), signal)
    assert np.abs(p - whole)[:-8].max() < 0.01


def test_another_rate_one_channel_and_gaps(net):
    samples, truth = recording(2, 60, rate=200.0)
    clock = Clock.from_segments(200.0, [5000, 20, 6980], [0.0, 100.0, 200.0])
    signal = Signal.from_array(samples, 200.0, clock=clock)
    starts, p = segmented(network(net), signal, channels=[1])
    assert len(p) == 100 + 0 + 139
    assert starts[100] == 5020
    within = np.arange(100)
    assert ((p[within, 1] > 0.5) == truth[within]).mean() > 0.85
    silent = Signal.from_array(np.zeros_like(samples), 200.0)
    assert np.isnan(segmented(network(net), silent)[1]).all()


def test_another_kind_is_refused(net):
    other = Network(exported(net, np.zeros((1, 1, 64), np.float32), {"kind": "x"}, varying={}))
    with pytest.raises(BadArgumentError, match="segmenter"):
        segmented(other, Signal.from_array(np.ones((64, 1), np.float32), 64.0))
