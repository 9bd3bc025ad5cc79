from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from nissl.annotators.rates import pools
from nissl.annotators.rates import simulate as sim
from nissl.annotators.rates.model import Ensemble
from nissl.annotators.rates.network import Scale, Shape, Weights, prepared
from nissl.annotators.rates.online import OnlineDeconvolution, OnlineNetwork
from nissl.errors import BadArgumentError

RATE = 30.0
SHAPE = Shape(width=4, dilations=(1, 2, 4))


def ensemble(rate_hz=RATE, seed=0):
    rng = np.random.default_rng(seed)
    sizes = {
        "first.weight": (4, 3, 7),
        "first.bias": (4,),
        "last.weight": (1, 4, 1),
        "last.bias": 1,
    }
    for k in range(3):
        sizes |= {f"blocks.{k}.a.weight": (4, 4, 5), f"blocks.{k}.a.bias": (4,)}
        sizes |= {f"blocks.{k}.b.weight": (4, 4, 1), f"blocks.{k}.b.bias": (4,)}
    arrays = {k: rng.normal(0.1, 0.4, size).astype(np.float32) for k, size in sizes.items()}
    return Ensemble(rate_hz, 0.05, (Weights(SHAPE, arrays),))


@pytest.fixture(scope="module")
def traces():
    made = sim.batch(RATE, 1.0, 3, 1800, np.random.default_rng(0), indicators=("GCaMP6f",))
    return np.ascontiguousarray(made.dff.T, np.float64)


def all_of(method, frames, cuts=()):
    """Answers to a whole recording, pushed in pieces, and how late each frame was answered."""
    edges = [0, *sorted(cuts), len(frames)]
    parts, late = [], np.full(len(frames), np.nan)
    for a, b in pairwise(edges):
        first, answers = method.push(frames[a:b])
        assert first == sum(len(p) for p in parts)
        late[first : first + len(answers)] = b - 1 - np.arange(first, first + len(answers))
        parts.append(answers)
    parts.append(method.finish()[1])
    return np.concatenate(parts), late


def offline_jumps(y, g, taken, look_ahead):
    """Jump of every frame in the deconvolution of the trace that ends `look_ahead` later."""
    out = np.zeros(len(y))
    for t in range(1, len(y)):
        c = pools.calcium(y[: t + look_ahead + 1] - taken, g)
        out[t] = max(c[t] - g * c[t - 1], 0)
    return out


@pytest.mark.parametrize("look_ahead_s", [0.0, 0.1, 0.5])
def test_deconvolution_is_that_of_the_trace_cut_off(traces, look_ahead_s):
    method = OnlineDeconvolution(
        3, RATE, look_ahead_s=look_ahead_s, decay_s=0.4, refresh_s=1e6, warm_s=10.0
    )
    answers, _ = all_of(method, traces[:700])
    assert answers.shape == (700, 3)
    g = np.exp(-1 / (RATE * 0.4))
    for cell in range(3):
        slow = offline_jumps(traces[:700, cell], g, method._offset[cell], method.look_ahead)
        np.testing.assert_allclose(answers[:, cell], slow, atol=1e-9)


def test_pools_that_are_dropped_change_nothing():
    # nothing ever merges: every frame jumps, and pools run over many times
    y = np.cumsum(np.ones((5000, 1)), axis=0)
    method = OnlineDeconvolution(1, RATE, decay_s=0.3, refresh_s=1e6, warm_s=20.0)
    answers, _ = all_of(method, y)
    g = np.exp(-1 / (RATE * 0.3))
    c = pools.calcium(y[:, 0] - method._offset[0], g)
    np.testing.assert_allclose(answers[1:, 0], np.maximum(c[1:] - g * c[:-1], 0), atol=1e-9)


@given(st.lists(st.integers(0, 1800), max_size=12))
@settings(max_examples=6, deadline=None)
def test_answers_do_not_depend_on_how_frames_arrive(traces, cuts):
    for build in (
        lambda: OnlineDeconvolution(3, RATE, refresh_s=5.0, past_s=30.0),
        lambda: OnlineNetwork(ensemble(), 3, RATE, refresh_s=5.0, past_s=30.0),
    ):
        whole, _ = all_of(build(), traces)
        pieces, _ = all_of(build(), traces, cuts)
        np.testing.assert_array_equal(whole, pieces)


@pytest.mark.parametrize("hop", [1, 4])
def test_the_network_is_the_offline_one(traces, hop):
    net = ensemble()
    scales = tuple(Scale.of(traces[:, k], RATE) for k in range(3))
    method = OnlineNetwork(net, 3, RATE, scales=scales, hop=hop)
    assert method.look_ahead == SHAPE.reach
    answers, _ = all_of(method, traces)
    for k in range(3):
        np.testing.assert_allclose(answers[:, k], net(traces[:, k]), atol=1e-4, rtol=1e-4)


def test_with_less_look_ahead_the_network_is_that_of_the_trace_cut_off(traces):
    net = ensemble()
    scales = tuple(Scale.of(traces[:, k], RATE) for k in range(3))
    method = OnlineNetwork(net, 3, RATE, scales=scales, hop=1, look_ahead_s=0.1, warm_s=5.0)
    answers, _ = all_of(method, traces[:600])
    for t in (0, 3, 17, 140, 590, 599):
        seen = scales[1](traces[: min(t + 4, 600), 1])
        assert answers[t, 1] == pytest.approx(net.of_inputs(seen)[t], abs=1e-4)


@pytest.mark.parametrize("kind", ["deconvolution", "network"])
def test_the_delay_is_the_stated_one_and_nothing_later_is_looked_at(traces, kind):
    def build():
        times = {"warm_s": 10.0, "refresh_s": 4.0, "past_s": 20.0}
        if kind == "network":
            return OnlineNetwork(ensemble(), 3, RATE, **times)
        return OnlineDeconvolution(3, RATE, **times)

    method = build()
    answers, late = all_of(method, traces[:900], range(1, 900))
    after = late[300:-20]
    assert np.nanmax(after[np.isfinite(after)]) == method.delay_frames
    assert method.delay_s == pytest.approx((method.delay_frames + 1) / RATE)
    changed = traces[:900].copy()
    changed[500 + method.delay_frames :] += 10.0
    other, _ = all_of(build(), changed, range(1, 900))
    np.testing.assert_array_equal(answers[:500], other[:500])


def test_scales_of_the_past_come_near_those_of_the_whole():
    made = sim.batch(RATE, 1.0, 4, 6000, np.random.default_rng(3), nuisance=sim.CLEAN)
    frames = made.dff.T.astype(float)
    answers, _ = all_of(OnlineDeconvolution(4, RATE), frames)
    smooth = np.ones(15) / 15
    r = [
        np.corrcoef(np.convolve(answers[:, k], smooth, "same"),
                    np.convolve(made.counts[k], smooth, "same"))[0, 1]
        for k in range(4) if made.counts[k].sum() > 10
    ]  # fmt: skip
    assert np.median(r) > 0.5


@pytest.mark.parametrize("kind", ["deconvolution", "network"])
def test_missing_frames_and_dead_cells(traces, kind):
    frames = traces[:900].copy()
    frames[400:420] = np.nan
    frames[:, 2] = np.nan
    method = (
        OnlineNetwork(ensemble(), 3, RATE) if kind == "network" else OnlineDeconvolution(3, RATE)
    )
    answers, _ = all_of(method, frames)
    assert len(answers) == 900
    assert np.all(np.isnan(answers[:, 2]))
    assert np.all(np.isfinite(answers[450:, :2]))


def test_a_recording_shorter_than_warming_up_has_no_answers(traces):
    answers, _ = all_of(OnlineDeconvolution(3, RATE), traces[:100])
    assert answers.shape == (0, 3)


def test_what_does_not_fit_is_refused(traces):
    with pytest.raises(BadArgumentError):
        OnlineNetwork(ensemble(7.5), 3, RATE)
    with pytest.raises(BadArgumentError):
        OnlineNetwork(ensemble(), 3, RATE, scales=(Scale.of(traces[:, 0], RATE),))
    with pytest.raises(BadArgumentError):
        OnlineDeconvolution(0, RATE)
    with pytest.raises(BadArgumentError):
        OnlineDeconvolution(3, RATE, look_ahead_s=100.0)
    with pytest.raises(BadArgumentError):
        OnlineDeconvolution(3, RATE).push(np.zeros((4, 2)))
    with pytest.raises(BadArgumentError):
        OnlineDeconvolution(3, RATE, past_s=5.0)


def test_prepared_is_its_scale(traces):
    x = traces[:, 0]
    np.testing.assert_array_equal(prepared(x, RATE), Scale.of(x, RATE)(x))
