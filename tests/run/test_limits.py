"""BLAS is held to one thread, and given back."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from nissl.run.limits import THREAD_VARIABLES, child_environment, single_threaded_blas


def threads():
    assert np.eye(2).any()  # numpy's BLAS is loaded
    return [pool["num_threads"] for pool in threadpool_info()]


def test_one_thread_inside_and_as_before_outside():
    with threadpool_limits(limits=2):
        before = threads()
        with single_threaded_blas():
            assert set(threads()) == {1}
        assert threads() == before


def test_children_are_told():
    assert child_environment() == dict.fromkeys(THREAD_VARIABLES, "1")
    assert "OMP_NUM_THREADS" in THREAD_VARIABLES
