import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.optimize import nnls

from nissl.annotators.rates import deconvolution, pools, second_order
from nissl.annotators.rates import simulate as sim
from nissl.errors import BadArgumentError

VALUES = arrays(
    np.float64, st.integers(3, 40), elements=st.floats(-3, 5, allow_subnormal=False, width=32)
)


def slow_first(y, g, penalty):
    """The same problem as a general one of non-negative least squares."""
    n = y.size
    impulse = np.tril(g ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))))
    counts = np.isfinite(y)
    s, _ = nnls(impulse[counts], (y - penalty * (1 - g))[counts], maxiter=100 * n)
    return impulse @ s


def slow_second(y, g1, g2, penalty):
    n = y.size
    gain = np.eye(n)
    gain[range(2, n), range(1, n - 1)] = -g1
    gain[range(2, n), range(n - 2)] = -g2
    each = np.full(n, penalty)
    each[:2] = 0
    impulse = np.linalg.inv(gain)
    s, _ = nnls(impulse, y - gain.T @ each, maxiter=100 * n)
    return impulse @ s


def cost(y, c, linear):
    return 0.5 * np.nansum((y - c) ** 2) + linear @ c


@given(VALUES, st.floats(0, 0.99), st.floats(0, 2))
@settings(max_examples=200, deadline=None)
def test_pools_solve_the_problem_exactly(y, g, penalty):
    found = pools.calcium(y, g, penalty)
    np.testing.assert_allclose(found, slow_first(y, g, penalty), atol=1e-6)
    assert np.all(found[1:] >= g * found[:-1] - 1e-12)


@given(VALUES, st.floats(0, 0.99), st.data())
@settings(max_examples=100, deadline=None)
def test_missing_frames_count_nothing(y, g, data):
    # what calcium did before the first frame that counts is not known, so that one stays
    gone = data.draw(st.lists(st.integers(1, y.size - 1), max_size=y.size - 2))
    y = y.copy()
    y[gone] = np.nan
    found, slow = pools.calcium(y, g, 0.1), slow_first(y, g, 0.1)
    linear = np.where(np.isfinite(y), 0.1 * (1 - g), 0.0)
    assert cost(y, found, linear) == pytest.approx(cost(y, slow, linear), abs=1e-6)
    np.testing.assert_allclose(found[np.isfinite(y)], slow[np.isfinite(y)], atol=1e-5)


@given(VALUES, st.floats(0, 0.98), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_the_second_order_is_exact_too(y, d, part, penalty):
    r = d * part * 0.95
    g1, g2 = d + r, -d * r
    linear = second_order._transposed(np.full(y.size, penalty), g1, g2, first=0.0)
    found = second_order.calcium(y, g1, g2, penalty)
    slow = slow_second(y, g1, g2, penalty)
    scale = float(np.mean(y**2)) or 1.0
    assert cost(y, found, linear) <= cost(y, slow, linear) + 1e-5 * scale * y.size + 1e-12
    assert second_order.innovations(found, g1, g2).min() > -1e-9


def test_second_order_without_a_rise_is_first_order():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(300) + 2 * (rng.random(300) < 0.05)
    one = pools.calcium(y, 0.9)
    two = second_order.calcium(y, 0.9, 0.0, tolerance=1e-10)
    np.testing.assert_allclose(one[5:], two[5:], atol=1e-3)


@pytest.mark.parametrize("order", [1, 2])
def test_spikes_of_clean_calcium_are_found_exactly(order):
    rng = np.random.default_rng(1)
    s = np.where(rng.random(500) < 0.05, rng.uniform(0.5, 2, 500), 0.0)
    s[:3] = 0
    y = np.zeros(500)
    g = (0.9, 0.0) if order == 1 else (1.3, -0.36)
    for t in range(2, 500):
        y[t] = g[0] * y[t - 1] + g[1] * y[t - 2] + s[t]
    if order == 1:
        c = pools.calcium(y, 0.9)
        np.testing.assert_allclose(c[1:] - 0.9 * c[:-1], s[1:], atol=1e-9)
    else:
        c = second_order.calcium(y, *g, tolerance=1e-12)
        np.testing.assert_allclose(second_order.innovations(c, *g)[2:], s[2:], atol=1e-3)


@given(VALUES, st.floats(0.01, 2), st.floats(0.1, 0.98))
@settings(max_examples=100, deadline=None)
def test_jumps_are_as_large_as_the_least(y, least, g):
    c = pools.calcium(y, g, least=least)
    jumps = c[1:] - g * c[:-1]
    assert np.all((jumps < 1e-9) | (jumps > least - 1e-9))


@pytest.mark.parametrize("course", ["falling", "rising", "noise"])
def test_a_million_frames_take_no_long_whatever_they_do(course):
    n = 1_000_000
    y = {
        "falling": -np.arange(n, dtype=float),
        "rising": np.arange(n, dtype=float),
        "noise": np.random.default_rng(2).standard_normal(n),
    }[course]
    pools.calcium(y[:10], 0.95)
    began = time.perf_counter()
    pools.calcium(y, 0.95)
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize("rate_hz", [7.5, 30.0])
def test_what_is_estimated_is_near_the_truth(rate_hz):
    made = sim.batch(
        rate_hz,
        1.0,
        30,
        int(200 * rate_hz),
        np.random.default_rng(3),
        indicators=("GCaMP6s",),
        cell_types=("pyramidal",),
        nuisance=sim.CLEAN,
    )
    true_sd = 0.01 * np.sqrt(rate_hz) / sim.PER_SD
    r, noise = [], []
    for trace, counts in zip(made.dff, made.counts, strict=True):
        found = deconvolution.deconvolve(trace, rate_hz)
        noise.append(found.noise_sd / true_sd)
        assert np.all(found.spikes >= 0)
        if counts.sum() > 5 and found.spikes.any():
            width = int(rate_hz)
            r.append(np.corrcoef(*(np.convolve(x, np.ones(width), "same")
                                   for x in (found.spikes, counts)))[0, 1])  # fmt: skip
    assert np.median(noise) == pytest.approx(1.0, abs=0.15)
    assert np.median(r) > 0.85


def test_noise_alone_has_next_to_no_spikes_and_a_baseline_is_found():
    y = 5 + 0.1 * np.random.default_rng(4).standard_normal(3000)
    found = deconvolution.deconvolve(y, 30.0, decay_s=0.5)
    assert found.baseline == pytest.approx(5.0, abs=0.02)
    assert found.calcium.mean() < 0.02


def test_stated_penalty_and_baseline_are_kept():
    y = np.random.default_rng(5).standard_normal(500)
    found = deconvolution.deconvolve(y, 10.0, decay_s=0.5, penalty=0.3, baseline=0.1)
    g = np.exp(-1 / 5)
    np.testing.assert_allclose(found.calcium, pools.calcium(y - 0.1, g, 0.3), atol=1e-12)
    fitted = deconvolution.deconvolve(y, 10.0, decay_s=0.5, penalty=0.3)
    again = pools.calcium(y - fitted.baseline, g, 0.3)
    np.testing.assert_allclose(fitted.calcium, again, atol=1e-3)


@given(st.floats(0.1, 100), st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_the_unit_and_the_baseline_do_not_matter(scale, offset):
    made = sim.batch(30.0, 1.0, 1, 600, np.random.default_rng(6), indicators=("GCaMP6f",))
    y = made.dff[0].astype(float)
    one = deconvolution.deconvolve(y, 30.0)
    two = deconvolution.deconvolve(scale * y + offset, 30.0)
    np.testing.assert_allclose(two.spikes, scale * one.spikes, atol=0.02 * scale)


def test_leading_and_inner_gaps_give_no_spike():
    y = np.r_[np.full(50, np.nan), 3 * 0.9 ** np.arange(60), np.full(20, np.nan), np.zeros(20)]
    found = deconvolution.deconvolve(y, 10.0, penalty=0.0, baseline=0.0, decay_s=-0.1 / np.log(0.9))
    assert found.spikes.max() < 1e-9


def test_a_constant_trace_has_no_spikes():
    found = deconvolution.deconvolve(np.full(100, 2.0), 30.0)
    assert not found.spikes.any()
    assert found.baseline == 2.0


def test_the_derivative_is_positive_where_fluorescence_rises_and_ignores_gaps():
    y = np.r_[np.zeros(50), np.linspace(0, 1, 10), np.full(50, 1.0)]
    y[20] = np.nan
    out = deconvolution.derivative(y, 10.0, smooth_s=0.05)
    assert np.argmax(out) in range(50, 60)
    assert out.max() == pytest.approx(10 / 9, rel=0.1)
    assert np.all(out >= 0)


@pytest.mark.parametrize(
    ("trace", "parameters"),
    [
        (np.full(10, np.nan), {}),
        (np.zeros((5, 2)), {}),
        (np.zeros(2), {}),
        (np.zeros(10), {"rate_hz": 0.0}),
        (np.zeros(10), {"decay_s": -1.0}),
        (np.zeros(10), {"least": -1.0}),
        (np.r_[np.zeros(10), np.inf], {}),
    ],
)
def test_what_cannot_be_deconvolved_is_refused(trace, parameters):
    with pytest.raises(BadArgumentError):
        deconvolution.deconvolve(trace, **{"rate_hz": 30.0, **parameters})


@pytest.mark.parametrize("y", [(0, 0, 1e-37), (0, 1e-37, 0, 0), (1e-37, 0, 1e-37)])
def test_a_penalty_beyond_all_measure_leaves_nothing(y):
    c = second_order.calcium(np.array(y, float), 1.3, -0.4, 2.0)
    assert second_order.innovations(c, 1.3, -0.4)[2:].max() < 1e-36
