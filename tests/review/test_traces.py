"""Pages of traces against brute force, whichever way they are answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nissl.review.traces as module
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.filtering import Filters, filtered
from nissl.data.pyramid import Ladder
from nissl.errors import BadArgumentError
from nissl.review.pyramids import Tiles
from nissl.review.spectra import spectrogram
from nissl.review.traces import Page, spread_order, traces

LADDER = Ladder(base=4, factor=4, n_levels=3)


def _signal(n: int, *, n_channels: int = 3, cuts: tuple[int, ...] = ()) -> Signal:
    rng = np.random.default_rng(n)
    samples = rng.integers(-3000, 3000, (n, n_channels)).astype(np.int16)
    lengths = np.diff([0, *cuts, n]).tolist()
    clock = Clock.from_segments(100.0, lengths, [i * 1e4 for i in range(len(lengths))])
    table = ChannelTable.plain(n_channels, gain_uv=[0.5, -2.0, 1.0][:n_channels])
    return Signal.from_array(samples, 100.0, channels=table, clock=clock)


def _brute(signal: Signal, first: int, wide: int, n_bins: int) -> np.ndarray:
    pieces = [signal.read(a, b) for a, b in signal.clock.split(0, signal.n_samples)]
    whole = np.concatenate(pieces)
    bins = [whole[a : a + wide] for a in range(first, first + wide * n_bins, wide)]
    return np.asarray([(b.min(axis=0), b.max(axis=0)) for b in bins]).transpose(2, 0, 1)


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(5, 2000),
    cut=st.floats(0.1, 0.9),
    ends=st.tuples(st.floats(0, 0.9), st.floats(0.05, 1.2)),
    width=st.integers(1, 60),
    from_tiles=st.booleans(),
)
def test_a_page_holds_the_range_of_every_pixel(
    n: int,
    cut: float,
    ends: tuple[float, float],
    width: int,
    from_tiles: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    signal = _signal(n, cuts=(max(1, int(n * cut)),))
    start = int(ends[0] * n)
    page = Page(start, start + max(1, int(ends[1] * n)), width)
    tiles = None
    with pytest.MonkeyPatch.context() as patch:
        if from_tiles:
            patch.setattr(module, "PAGE_VALUES", 0)
            tiles = Tiles(tmp_path_factory.mktemp("tiles"), signal, LADDER)
            for tile in range(tiles.n_tiles):
                tiles.make(tile)
        found = traces(signal, page, tiles, budget_s=60)
    assert found.exact
    assert not found.notes
    assert found.first <= start
    n_bins = found.values.shape[1]
    assert found.first + n_bins * found.bin_samples >= min(page.stop, n)
    assert n_bins <= 2.5 * width + 3
    np.testing.assert_array_equal(
        found.values, _brute(signal, found.first, found.bin_samples, n_bins)
    )


def test_without_tiles_a_long_page_is_approximate_within_its_budget(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "PAGE_VALUES", 0)
    signal = _signal(4096)
    ticks = iter(range(1000))
    tiles = Tiles(tmp_path, signal, LADDER)
    tiles.make(5)
    found = traces(signal, Page(0, 4096, 32), tiles, budget_s=90, now=lambda: float(next(ticks)))
    assert not found.exact
    assert "approximate" in found.notes[0]
    wide = found.bin_samples
    known = ~np.isnan(found.values[0, :, 0])
    assert 5 < known.sum() < known.size  # spread over the page, not its beginning
    assert known[: known.size // 2].sum() == pytest.approx(known[known.size // 2 :].sum(), abs=3)
    brute = _brute(signal, 0, wide, known.size)
    assert np.all(found.values[:, known, 0] >= brute[:, known, 0])
    assert np.all(found.values[:, known, 1] <= brute[:, known, 1])
    length = LADDER.tile_samples
    inside = slice(5 * length // wide, 6 * length // wide)
    if wide <= length:
        np.testing.assert_array_equal(found.values[:, inside], brute[:, inside])


def test_bins_wider_than_tiles_are_exact_only_with_all_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "PAGE_VALUES", 0)
    signal = _signal(1000)
    tiles = Tiles(tmp_path, signal, LADDER)
    for tile in range(tiles.n_tiles - 1):
        tiles.make(tile)
    page = Page(0, 1000, 4)
    assert not traces(signal, page, tiles, budget_s=60).exact
    tiles.make(tiles.n_tiles - 1)
    found = traces(signal, page, tiles, budget_s=60)
    assert found.exact
    assert found.bin_samples > LADDER.tile_samples
    np.testing.assert_array_equal(
        found.values, _brute(signal, 0, found.bin_samples, found.values.shape[1])
    )


def test_a_filtered_page_is_the_filtered_recording_cut_at_gaps() -> None:
    signal = _signal(4000, cuts=(2000,))
    filters = Filters(2.0, 20.0)
    page = Page(1000, 3000, 2000, (2, 0), "average", filters)
    found = traces(signal, page)
    assert found.bin_samples == 1
    assert found.labels == ("2", "0")
    halves = []
    for a, b in ((0, 2000), (2000, 4000)):
        read = signal.read(a, b)
        halves.append(filtered(read - read.mean(axis=1, keepdims=True), 100.0, filters))
    whole = np.concatenate(halves)[1000:3000][:, [2, 0]].T
    assert np.abs(found.values[:, :, 0] - whole).max() < 0.02 * whole.std()
    np.testing.assert_array_equal(found.values[:, :, 0], found.values[:, :, 1])


def test_a_page_too_long_to_filter_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILTER_VALUES", 100)
    signal = _signal(4000)
    found = traces(signal, Page(0, 4000, 100, None, "bipolar", Filters(2.0)))
    assert "unfiltered" in found.notes[0]
    assert found.labels == ("0", "1")
    np.testing.assert_array_equal(found.values, _brute(signal, 0, 40, 100)[:2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 5000, "stop": 6000},
        {"start": 10, "stop": 10},
        {"start": 0, "stop": 10, "width": 0},
        {"start": 0, "stop": 10, "traces": (9,)},
        {"start": 0, "stop": 10, "traces": (1, 1)},
        {"start": 0, "stop": 10, "montage": "nonsense"},
        {"start": 0, "stop": 10, "filters": Filters(low_hz=70.0)},
    ],
)
def test_impossible_pages_are_refused(wrong: dict) -> None:
    with pytest.raises(BadArgumentError):
        traces(_signal(1000), Page(**wrong))


@given(n=st.integers(0, 300))
def test_the_spread_order_visits_everything_once(n: int) -> None:
    assert sorted(spread_order(n).tolist()) == list(range(n))


def _tones(n: int = 4000) -> Signal:
    time_s = np.arange(n) / 200.0
    tone = np.where(time_s < n / 400, np.sin(2 * np.pi * 10 * time_s), np.sin(80 * np.pi * time_s))
    return Signal.from_array((tone * 100).astype(np.float32)[:, None], 200.0)


def test_the_spectrogram_shows_when_which_tone_sounds() -> None:
    found = spectrogram(_tones(), Page(0, 4000, 50), top_hz=60.0)
    loudest = np.argmax(found.values, axis=0) * found.top_hz / found.values.shape[0]
    np.testing.assert_allclose(loudest[3:22], 10, atol=1.5)
    np.testing.assert_allclose(loudest[28:47], 40, atol=1.5)
    assert found.exact
    assert found.values.max() == 255
    assert found.top_hz == pytest.approx(60, abs=2)
    assert (found.first, found.column_samples) == (0, 80.0)


def test_power_of_noise_is_its_density() -> None:
    noise = np.random.default_rng(0).normal(0, 20, (40_000, 1)).astype(np.float32)
    found = spectrogram(Signal.from_array(noise, 200.0), Page(0, 40_000, 400))
    levels = found.low_db + (found.values[2:-2].astype(float) - 1) / 254 * (
        found.high_db - found.low_db
    )
    density = 10 * np.log10(np.mean(10 ** (levels / 10)))
    assert density == pytest.approx(10 * np.log10(20**2 / 100), abs=0.5)


def test_columns_that_meet_a_gap_or_were_not_reached_are_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = _tones()
    clock = Clock.from_segments(200.0, [2000, 2000], [0.0, 100.0])
    gap = Signal.from_array(whole.read(), 200.0, clock=clock)
    empty = (spectrogram(gap, Page(0, 4000, 50)).values == 0).all(axis=0)
    assert empty[24:26].all()
    assert empty[0]  # its window would reach beyond the recording
    assert not empty[1:22].any()
    monkeypatch.setattr("nissl.review.spectra.PAGE_VALUES", 0)
    ticks = iter(range(1000))
    partly = spectrogram(whole, Page(0, 4000, 50), budget_s=10, now=lambda: float(next(ticks)))
    assert not partly.exact
    assert 5 <= (partly.values != 0).any(axis=0).sum() <= 12
    with pytest.raises(BadArgumentError):
        spectrogram(whole, Page(0, 4000, 50), top_hz=-1.0)


def test_columns_longer_than_a_window_are_means_and_so_steadier() -> None:
    noise = np.random.default_rng(0).normal(0, 10, (400_000, 1)).astype(np.float32)
    signal = Signal.from_array(noise, 100.0)
    spread = []
    for columns in (100, 1600):  # eight windows a column, and one
        found = spectrogram(signal, Page(0, 400_000, min(columns, 800)))
        step = (found.high_db - found.low_db) / 254
        spread.append(float(np.std(found.values.astype(float)) * step))
    assert spread[0] < spread[1] + 1e-9
    gap = Signal.from_array(
        noise[:80_000], 100.0, clock=Clock.from_segments(100.0, [39_000, 41_000], [0.0, 9e5])
    )
    values = spectrogram(gap, Page(0, 80_000, 20)).values
    assert values.all(), "a column with a gap is the mean of its windows beside the gap"
