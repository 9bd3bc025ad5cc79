"""PyTorch's threads are given back as they were."""

import pytest

torch = pytest.importorskip("torch")

from nissl.nets.backend import one_thread  # noqa: E402 (needs PyTorch)


def test_one_thread_is_for_a_while() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
