"""Teaching the screen: it learns what can be told, and NumPy says what PyTorch says."""

import numpy as np
import pytest

pytest.importorskip("torch")

from nissl.annotators.spikes.own.screen.training import (
    Plan,
    exported,
    fresh,
    module,
    train,
    varied,
)
from nissl.annotators.spikes.own.screen.vicinity import LENGTH, N_NEAR
from nissl.nets.backend import pytorch, seeded

SMALL = Plan(filters=4, width=8, steps=90, batch=64, rate=2e-2)


def test_numpy_says_what_pytorch_says():
    torch = pytorch()
    x = np.random.default_rng(0).standard_normal((5, N_NEAR + 1, LENGTH + 4)).astype(np.float32)
    with seeded(np.random.default_rng(1)):
        net = fresh(SMALL)
        expected = net(torch.as_tensor(x)).detach().numpy().transpose(0, 2, 1)
    network = exported(net)
    np.testing.assert_allclose(network(x), expected, atol=1e-5)
    back = exported(module(network))
    for name, array in network.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)


def test_what_can_be_told_is_learnt_and_a_seed_gives_the_same_weights():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 600)
    x = 0.3 * rng.standard_normal((y.size, N_NEAR + 1, LENGTH)).astype(np.float32)
    middle = slice(LENGTH // 2 - 2, LENGTH // 2 + 3)
    x[y == 1, 0, middle] += 3
    x[y == 2, 0, middle] += 3
    x[y == 2, 1, LENGTH // 2 + 6 : LENGTH // 2 + 11] += 3
    x[y == 3, :N_NEAR] += 1.5
    networks = [train(x, y, np.random.default_rng(5), SMALL) for _ in range(2)]
    right = np.mean(networks[0](x)[:, 0].argmax(axis=1) == y)
    assert right > 0.8
    for name in networks[0].arrays:
        np.testing.assert_array_equal(networks[0].arrays[name], networks[1].arrays[name])


def test_some_windows_lose_channels_and_some_turn():
    x = np.ones((4000, N_NEAR + 1, LENGTH), np.float32)
    varied(x, np.random.default_rng(0))
    assert 0.25 < np.mean(x[:, 0, 0] < 0) < 0.35
    assert 0.12 < np.mean(~x[:, -1].any(axis=1)) < 0.18
    assert 0.07 < np.mean(~x[:, N_NEAR - 1].any(axis=1)) < 0.13
    assert np.all(np.abs(x[:, :4]) == 1)
