"""PyTorch's threads are given back as they were."""

import pytest

torch = pytest.importorskip("torch")

from nissl.nets.backend import one_thread


def test_one_thread_is_for_a_while() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="within"), one_thread():
            assert torch.get_num_threads() == 1
            raise ValueError("within")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
