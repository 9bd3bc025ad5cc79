"""The screen's network: against PyTorch, in pieces, in eight bits, in files."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.screen.network import (
    CLASSES,
    TAPS,
    from_arrays,
    from_safetensors,
    probabilities,
    to_int8,
    to_safetensors,
)
from nissl.annotators.spikes.own.screen.vicinity import LENGTH, N_NEAR
from nissl.errors import CorruptSourceError

WIDTH, FILTERS = 6, 3


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {
        "time": (FILTERS, TAPS),
        "mix.weight": (WIDTH, (N_NEAR + 1) * FILTERS),
        "mix.bias": (WIDTH,),
        "a.weight": (WIDTH, WIDTH * 5),
        "a.bias": (WIDTH,),
        "b.weight": (WIDTH, WIDTH * 5),
        "b.bias": (WIDTH,),
        "last.weight": (len(CLASSES), WIDTH),
        "last.bias": (len(CLASSES),),
    }
    return {k: (0.3 * rng.standard_normal(s)).astype(np.float32) for k, s in shapes.items()}


def windows(n, length=LENGTH, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, N_NEAR + 1, length)).astype(np.float32)


def test_long_windows_are_answered_as_each_short_one():
    network = from_arrays(drawn())
    x = windows(2, LENGTH + 7)
    long = network(x)
    assert long.shape == (2, 8, len(CLASSES))
    for k in range(8):
        short = network(np.ascontiguousarray(x[:, :, k : k + LENGTH]))[:, 0]
        np.testing.assert_allclose(short, long[:, k], atol=1e-5)


def test_batches_do_not_matter_and_none_is_none():
    network = from_arrays(drawn())
    x = windows(700)
    np.testing.assert_allclose(network(x)[650], network(x[650:651])[0], atol=1e-5)
    assert network(x[:0]).shape == (0, 1, len(CLASSES))


def test_probabilities_sum_to_one():
    p = probabilities(np.asarray([[1000.0, 0, -1000, 5], [0, 0, 0, 0]], np.float32))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    assert p[0, 0] == 1
    assert probabilities(np.empty((0, 4), np.float32)).shape == (0, 4)


def test_files_give_back_what_was_written():
    arrays = drawn()
    back = from_safetensors(to_safetensors(arrays, {"about": "x"}))
    assert sorted(back) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


def test_the_format_is_that_of_safetensors():
    reference = pytest.importorskip("safetensors.numpy")
    back = reference.load(to_safetensors(to_int8(from_arrays(drawn())), {"about": "x"}))
    assert back["time"].dtype == np.int8
    np.testing.assert_array_equal(back["mix.bias"], drawn()["mix.bias"])


def test_eight_bits_change_little():
    network = from_arrays(drawn())
    small = from_arrays(from_safetensors(to_safetensors(to_int8(network), {})))
    x = windows(50)
    np.testing.assert_allclose(small(x), network(x), atol=0.03, rtol=0.03)
    assert np.any(small(x) != network(x))


@pytest.mark.parametrize("content", [b"", b"12345678", b"\x05" + b"\0" * 7 + b"{}   "])
def test_damaged_files_are_refused(content):
    with pytest.raises(CorruptSourceError):
        from_arrays(from_safetensors(content))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(CorruptSourceError, match=r"a\.weight"):
        from_arrays({**drawn(), "a.weight": np.zeros((WIDTH, 3), np.float32)})
