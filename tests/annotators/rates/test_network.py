"""The network: on NumPy as in PyTorch, and what it is given."""

import numpy as np
import pytest

from nissl.annotators.rates.network import Shape, Weights, prepared


def weights(shape, seed=0):
    torch = pytest.importorskip("torch")
    from nissl.annotators.rates.twin import Twin

    torch.manual_seed(seed)
    twin = Twin(shape)
    for block in twin.blocks:  # so that blocks count
        torch.nn.init.normal_(block.b.weight, 0, 0.2)
    return twin, twin.weights()


@pytest.mark.parametrize("shape", [Shape(), Shape(width=8, kernel=3, dilations=(1, 4))])
def test_numpy_says_what_pytorch_says(shape):
    torch = pytest.importorskip("torch")
    twin, numbers = weights(shape)
    x = np.random.default_rng(1).normal(size=(3, 200)).astype(np.float32)
    with torch.no_grad():
        expected = twin(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(numbers(x), expected, atol=1e-5)
    assert numbers.n_parameters == sum(p.numel() for p in twin.parameters())


def test_twin_goes_on_where_weights_stand():
    from nissl.annotators.rates.twin import twin_of

    _, numbers = weights(Shape())
    again = twin_of(numbers).weights()
    assert all(np.array_equal(again.arrays[k], v) for k, v in numbers.arrays.items())


def test_answers_depend_on_what_is_within_reach():
    _, numbers = weights(Shape())
    x = np.zeros((3, 300), np.float32)
    moved = x.copy()
    moved[:, 150] = 1
    changed = np.flatnonzero(np.abs(numbers(moved) - numbers(x)) > 1e-9)
    assert changed.min() >= 150 - numbers.shape.reach
    assert changed.max() <= 150 + numbers.shape.reach
    assert np.ptp(changed) > 60


def test_scales_do_not_move_with_gain_and_offset_but_the_third():
    dff = np.random.default_rng(0).gamma(0.3, 0.3, 600)
    a, b = prepared(dff, 30.0), prepared(3 * dff + 0.7, 30.0)
    np.testing.assert_allclose(a[:2], b[:2], rtol=2e-3, atol=2e-3)
    assert not np.allclose(a[2], b[2], atol=0.1)
    assert a.shape == (3, 600)
    assert a.dtype == np.float32


def test_a_constant_trace_gives_numbers():
    assert np.isfinite(prepared(np.full(100, 0.3), 7.5)).all()


def test_weights_are_counted():
    arrays = {"first.weight": np.zeros((2, 3, 7), np.float32)}
    assert Weights(Shape(), arrays).n_parameters == 42
