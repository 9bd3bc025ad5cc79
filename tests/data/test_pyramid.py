"""The pyramid against brute force over the samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.pyramid import (
    Ladder,
    calibrated,
    coarsen,
    make_tile,
    ranges,
    read_over_gaps,
)
from nissl.errors import BadArgumentError

DTYPES = ("<i2", ">i2", "<u2", "<i4", "<f4", "<f8")


def _samples(rng: np.random.Generator, n: int, n_channels: int, dtype: str) -> np.ndarray:
    if np.dtype(dtype).kind != "f":
        return rng.integers(0, 30_000, (n, n_channels)).astype(dtype)
    values = rng.normal(0, 100, (n, n_channels)).astype(dtype)
    values[rng.random((n, n_channels)) < 0.1] = np.nan
    return values


def _brute(samples: np.ndarray, width: int) -> np.ndarray:
    bins = [samples[a : a + width] for a in range(0, len(samples), width)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # bins of nothing but NaN
        pairs = [(np.nanmin(b, axis=0), np.nanmax(b, axis=0)) for b in bins]
    return np.asarray(pairs, dtype=samples.dtype.newbyteorder("=")).transpose(2, 0, 1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 700),
    n_channels=st.sampled_from([1, 3, 40]),
    width=st.integers(1, 90),
    dtype=st.sampled_from(DTYPES),
)
def test_ranges_are_those_of_the_samples(
    seed: int, n: int, n_channels: int, width: int, dtype: str
) -> None:
    samples = _samples(np.random.default_rng(seed), n, n_channels, dtype)
    found = ranges(samples, width)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, _brute(samples, width))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    ladder=st.builds(
        Ladder, base=st.integers(2, 9), factor=st.integers(2, 4), n_levels=st.integers(1, 3)
    ),
    cuts=st.lists(st.integers(1, 400), max_size=3),
    last=st.integers(1, 300),
    dtype=st.sampled_from(DTYPES),
    piece_values=st.integers(1, 500),
)
def test_every_level_of_every_tile_is_exact_over_gaps_and_pieces(
    seed: int, ladder: Ladder, cuts: list[int], last: int, dtype: str, piece_values: int
) -> None:
    lengths = [*cuts, last]
    samples = _samples(np.random.default_rng(seed), sum(lengths), 3, dtype)
    starts_s = [i * 10.0 for i in range(len(lengths))]
    clock = Clock.from_segments(100.0, lengths, starts_s)
    signal = Signal.from_array(samples, 100.0, clock=clock)
    tiles = [
        make_tile(signal, ladder, tile, piece_values=piece_values)
        for tile in range(ladder.n_tiles(signal.n_samples))
    ]
    for level, width in enumerate(ladder.widths):
        whole = np.concatenate([tile[level] for tile in tiles], axis=1)
        np.testing.assert_array_equal(whole, _brute(samples, width))
        assert [t[level].shape[1] for t in tiles] == [
            ladder.n_bins(i, signal.n_samples)[level] for i in range(len(tiles))
        ]


@given(seed=st.integers(0, 2**32 - 1), n_bins=st.integers(1, 50), factor=st.integers(1, 9))
def test_coarsening_is_taking_wider_bins(seed: int, n_bins: int, factor: int) -> None:
    samples = _samples(np.random.default_rng(seed), n_bins * 4, 2, "<f4")
    np.testing.assert_array_equal(coarsen(ranges(samples, 4), factor), _brute(samples, 4 * factor))


@given(seed=st.integers(0, 2**32 - 1), gain=st.sampled_from([1.0, 0.195, -2.3]))
def test_calibrated_ranges_are_those_of_the_calibrated_samples(seed: int, gain: float) -> None:
    samples = _samples(np.random.default_rng(seed), 100, 3, "<i2")
    table = ChannelTable.plain(3, gain_uv=[1.0, gain, 4.0], offset_uv=[0.0, 12.5, -3.0])
    signal = Signal.from_array(samples, 100.0, channels=table)
    picked = np.asarray([1, 2])
    found = calibrated(ranges(samples[:, picked], 7), signal, picked)
    np.testing.assert_array_equal(found, _brute(signal.read(channels=[1, 2]), 7))


def test_reading_over_a_gap_puts_its_sides_together() -> None:
    samples = np.arange(20, dtype=np.int16).reshape(10, 2)
    clock = Clock.from_segments(10.0, [4, 6], [0.0, 5.0])
    signal = Signal.from_array(samples, 10.0, clock=clock)
    both = read_over_gaps(signal, 2, 7, np.asarray([1]))
    np.testing.assert_array_equal(both, samples[2:7, [1]])
    assert read_over_gaps(signal, 3, 3, np.asarray([0])).shape == (0, 1)


def test_the_level_for_a_bin_is_the_coarsest_that_fits() -> None:
    ladder = Ladder(base=4, factor=2, n_levels=3)
    assert [ladder.level_for(n) for n in (1, 3, 4, 7, 8, 15, 16, 999)] == [
        None, None, 0, 0, 1, 1, 2, 2,
    ]  # fmt: skip
    with pytest.raises(BadArgumentError):
        Ladder(base=1)
