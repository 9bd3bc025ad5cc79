"""Which part of a recording teaches the sorter."""

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.project.live_sorter import beginning


@pytest.fixture
def signal():
    clock = Clock.from_segments(100.0, [300, 500, 200], [0.0, 10.0, 60.0])
    x = np.arange(1000, dtype=np.float32)[:, None]
    return Signal.from_array(x, 100.0, clock=clock)


@pytest.mark.parametrize(("seconds", "segments"), [(2.0, 1), (3.0, 1), (3.5, 2), (10.0, 3)])
def test_the_beginning_has_the_samples_and_gaps_of_the_whole(signal, seconds, segments):
    part = beginning(signal, seconds)
    assert part.n_samples == round(100 * seconds)
    assert part.duration_s == pytest.approx(seconds)
    assert len(part.clock.segments) == segments
    for one, whole in zip(part.clock.segments, signal.clock.segments, strict=False):
        assert (one.start, one.t0_s) == (whole.start, whole.t0_s)
        np.testing.assert_array_equal(
            part.read(one.start, one.stop), signal.read(one.start, one.stop)
        )


@pytest.mark.parametrize("seconds", [0.0, -1.0, 10.5, float("nan"), float("inf")])
def test_what_was_not_recorded_cannot_teach(signal, seconds):
    with pytest.raises(BadArgumentError, match="up to 10"):
        beginning(signal, seconds)
