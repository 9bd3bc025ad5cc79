"""Chunks cover every sample once and never read across a gap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.errors import BadArgumentError
from nissl.run.chunks import Chunk, plan_chunks

lengths = st.lists(st.integers(0, 300), min_size=1, max_size=6)


@given(lengths, st.integers(1, 120), st.integers(0, 80))
def test_chunks_cover_every_sample_once_within_segments(lengths, size, halo):
    clock = Clock.from_segments(100.0, lengths, [10.0 * i for i in range(len(lengths))])
    chunks = plan_chunks(clock, size, halo)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    covered = [i for chunk in chunks for i in range(chunk.start, chunk.stop)]
    assert covered == list(range(clock.n_samples))
    for chunk in chunks:
        assert 1 <= chunk.n_samples <= size
        clock.check_contiguous(chunk.read_start, chunk.read_stop)
        segment = next(s for s in clock.segments if s.start <= chunk.start < s.stop)
        assert chunk.read_start == max(chunk.start - halo, segment.start)
        assert chunk.read_stop == min(chunk.stop + halo, segment.stop)
        read = np.arange(chunk.read_start, chunk.read_stop)
        assert read[chunk.core].tolist() == list(range(chunk.start, chunk.stop))


def test_a_halo_ends_at_the_gap():
    clock = Clock.from_segments(100.0, [100, 50], [0.0, 5.0])
    assert plan_chunks(clock, 80, 10) == (
        Chunk(0, 0, 80, 0, 90),
        Chunk(1, 80, 100, 70, 100),
        Chunk(2, 100, 150, 100, 150),
    )


@pytest.mark.parametrize(("size", "halo"), [(0, 0), (-5, 0), (10, -1)])
def test_impossible_sizes(size, halo):
    with pytest.raises(BadArgumentError, match="chunk_samples >= 1"):
        plan_chunks(Clock.regular(100.0, 10), size, halo)
