"""Clocks with the pieces that were cut out as gaps."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data.pauses import boundaries, cut_at_boundaries
from nissl.testing.files import write_eeglab


@given(
    kept=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    data=st.data(),
)
def test_every_kept_sample_has_the_time_it_was_recorded_at(kept, data):
    lost = data.draw(st.lists(st.integers(1, 500), min_size=len(kept) - 1, max_size=len(kept) - 1))
    rate_hz = 100.0
    edges = np.cumsum(kept)
    cuts = [(edge - 0.5, n / rate_hz) for edge, n in zip(edges[:-1], lost, strict=True)]
    clock, notes = cut_at_boundaries(cuts, Clock.regular(rate_hz, int(edges[-1])))
    numbers, at = [], 0
    for n, gap in zip(kept, [*lost, 0], strict=True):
        numbers += range(at, at + n)
        at += n + gap
    times = clock.to_seconds(np.arange(edges[-1]))
    np.testing.assert_allclose(times, np.asarray(numbers) / rate_hz, atol=1e-9)
    assert len(notes) == bool(lost)


def test_cuts_at_the_ends_and_of_no_length_make_no_gap():
    clock = Clock.regular(100.0, 50)
    cut, notes = cut_at_boundaries([(-0.5, 1.0), (49.5, 1.0), (10, math.nan)], clock)
    assert cut == clock
    assert len(notes) == 1


def test_what_eeglab_wrote_is_read(tmp_path):
    samples = np.zeros((100, 2), np.float32)
    cuts = [(49.5, 300), (80, np.nan)]
    path = write_eeglab(tmp_path / "x.set", samples, ["C3", "C4"], 100, cuts=cuts)
    assert boundaries(path, 2) == [(49.5, 3.0), (80.0, 0.0)]
    assert boundaries(path, 0) == []
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"  # as MATLAB writes version 2.0
    (tmp_path / "z.set").write_bytes(header.ljust(600, b"\x00"))
    assert [math.isnan(length) for _, length in boundaries(tmp_path / "z.set", 1)] == [True]
    (tmp_path / "y.set").write_bytes(b"MATLAB 7.3".ljust(200))
    assert [math.isnan(length) for _, length in boundaries(tmp_path / "y.set", 2)] == [True, True]
