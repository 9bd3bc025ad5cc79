"""Tiles on disk: whole or not there, exact, made in the background, mended by making anew."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from nissl.data import Signal
from nissl.data.pyramid import Ladder, make_tile
from nissl.errors import CorruptSourceError
from nissl.review.pyramids import Pyramids, Tiles

LADDER = Ladder(base=4, factor=2, n_levels=3)


@pytest.fixture
def signal() -> Signal:
    samples = np.random.default_rng(0).integers(-900, 900, (150, 5)).astype(np.int16)
    return Signal.from_array(samples, 100.0)


def test_tiles_read_back_what_was_made(tmp_path: Path, signal: Signal) -> None:
    tiles = Tiles(tmp_path / "t", signal, LADDER)
    assert tiles.n_tiles == 10
    assert tiles.read(9, 0, np.arange(5)) is None
    for tile in range(tiles.n_tiles):
        tiles.make(tile)
    again = Tiles(tmp_path / "t", signal, LADDER)
    assert again.missing() is None
    some = np.asarray([4, 1, 1])
    for tile in range(again.n_tiles):
        for level, wanted in enumerate(make_tile(signal, LADDER, tile)):
            for _ in range(2):  # the second time it is not checked whole
                np.testing.assert_array_equal(again.read(tile, level, some), wanted[some])


def _shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def _turn_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def _spoil_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 9'))


@pytest.mark.parametrize(
    "harm", [_shorten, _turn_a_byte, _spoil_the_header, Path.unlink, lambda p: p.write_bytes(b"")]
)
def test_a_damaged_tile_is_not_there_and_is_made_anew(
    tmp_path: Path, signal: Signal, harm: object
) -> None:
    Tiles(tmp_path, signal, LADDER).make(3)
    tiles = Tiles(tmp_path, signal, LADDER)
    harm(tiles.path(3))  # type: ignore[operator]
    last = LADDER.n_levels - 1
    assert tiles.read(3, last, np.arange(5)) is None
    assert not tiles.has(3)
    tiles.make(3)
    np.testing.assert_array_equal(
        tiles.read(3, last, np.arange(5)), make_tile(signal, LADDER, 3)[last]
    )


def test_what_a_killed_process_left_is_swept_later(tmp_path: Path, signal: Signal) -> None:
    old, fresh = tmp_path / ".000001.tile.ab.partial", tmp_path / ".000002.tile.cd.partial"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    Tiles(tmp_path, signal, LADDER)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_tiles_of_another_signal_are_not_taken(tmp_path: Path, signal: Signal) -> None:
    Tiles(tmp_path, signal, LADDER).make(0)
    other = Signal.from_array(signal.read_raw().astype(np.int32), 100.0)
    assert Tiles(tmp_path, other, LADDER).read(0, 0, np.arange(5)) is None


def test_the_background_makes_the_near_ones_first_and_all_in_the_end(
    tmp_path: Path, signal: Signal
) -> None:
    pyramids = Pyramids(tmp_path, rest=0.0)
    tiles = pyramids.of("f" * 64, signal, LADDER)
    assert pyramids.of("f" * 64, signal) is tiles
    assert tiles.missing(near=6) == 6
    pyramids.want(tiles, 100)
    assert pyramids.wait(tiles, timeout_s=20)
    assert tiles.n_made == tiles.n_tiles
    ages = {t: tiles.path(t).stat().st_mtime_ns for t in range(tiles.n_tiles)}
    assert min(ages, key=ages.__getitem__) == 6
    pyramids.close()


class _Broken:
    dtype = np.dtype("<i2")

    def read(self, start: int, stop: int, channels: np.ndarray) -> np.ndarray:
        raise CorruptSourceError("samples", "none", "Restore it.")


def test_a_recording_that_fails_is_named_and_stops_no_other(tmp_path: Path, signal: Signal) -> None:
    pyramids = Pyramids(tmp_path, rest=0.0)
    broken = pyramids.of("b" * 64, Signal("x", _Broken(), signal.channels, signal.clock), LADDER)
    sound = pyramids.of("a" * 64, signal, LADDER)
    pyramids.want(broken, 0)
    late = time.monotonic() + 10
    while pyramids.fault(broken) is None and time.monotonic() < late:
        time.sleep(0.01)
    assert "Expected samples" in (pyramids.fault(broken) or "")
    pyramids.want(sound, 0)
    assert pyramids.wait(sound, timeout_s=20)
    pyramids.close()
    pyramids.want(sound, 0)  # after closing nothing happens


def test_a_folder_that_cannot_be_written_leaves_no_half_tile(
    tmp_path: Path, signal: Signal
) -> None:
    (tmp_path / "file").write_bytes(b"")
    pyramids = Pyramids(tmp_path / "file", rest=0.0)
    tiles = pyramids.of("a" * 64, signal, LADDER)
    pyramids.want(tiles, 0)
    late = time.monotonic() + 10
    while pyramids.fault(tiles) is None and time.monotonic() < late:
        time.sleep(0.01)
    assert pyramids.fault(tiles)
    assert tiles.n_made == 0
    pyramids.close()
