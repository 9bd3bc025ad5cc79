"""The contract suite that every reader of recordings passes.

Subclass `ReaderTests` in a test module and give it an example::

    class TestMyFormat(ReaderTests):
        def make(self, folder):
            path = write_my_format(folder / "x.my", samples)
            return Example("myformat", path, {"my": samples * 0.5})

The fuzzing tests damage copies of the example; whatever happens, only errors of nissl may come
out of opening and reading it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Recording
from nissl.data.read import matching_reader, read
from nissl.data.spikeinterface import signal_from_json, signal_to_json, to_spikeinterface
from nissl.errors import NisslError

N_DAMAGED = 30


@dataclass(frozen=True, eq=False)
class Example:
    """A small valid recording and what it holds.

    Parameters
    ----------
    format : str
        Name of the reader that must recognise it.
    path : Path
    samples_uv : mapping of str to ndarray, shape (n_samples, n_channels), uV
        What each stream must give, segment after segment.
    options : mapping
        Options of `read`.
    frames : mapping of str to ndarray, shape (t, z, y, x)
        What each movie must give, exactly.
    atol_uv : float
        How far the samples may be off, for rounding.
    """

    format: str
    path: Path
    samples_uv: Mapping[str, npt.NDArray[Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    atol_uv: float = 1e-3
    frames: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


class ReaderTests:
    """Tests of one reader; subclasses define `make`."""

    def make(self, folder: Path) -> Example:
        """Write the example into a folder."""
        raise TypeError(f"{type(self).__name__} must define make(folder)")

    def _open(self, folder: Path) -> tuple[Example, Recording]:
        example = self.make(folder)
        return example, read(example.path, **example.options)

    def test_is_recognised(self, tmp_path: Path) -> None:
        """The reader is found by the path alone."""
        example, recording = self._open(tmp_path)
        check(matching_reader(example.path) == example.format, "another reader took the path")
        check(recording.format == example.format, "the recording names another format")

    def test_gives_what_was_written(self, tmp_path: Path) -> None:
        """Streams, their lengths and every sample."""
        example, recording = self._open(tmp_path)
        check(list(recording) == list(example.samples_uv), f"streams {list(recording)}")
        for name, expected in example.samples_uv.items():
            signal = recording[name]
            check((signal.n_samples, signal.n_channels) == expected.shape, "another shape")
            check(signal.read_raw(0, 1).dtype == signal.dtype, "another dtype than stated")
            for a, b in signal.blocks(1 << 20):
                np.testing.assert_allclose(
                    signal.read(a, b), expected[a:b], rtol=1e-5, atol=example.atol_uv
                )

    def test_pieces_are_cuts_of_the_whole(self, tmp_path: Path) -> None:
        """Any interval and any channels in any order, an empty one too."""
        _, recording = self._open(tmp_path)
        rng = np.random.default_rng(0)
        for signal in recording.values():
            for a, b in signal.blocks(1 << 20):
                whole = signal.read_raw(a, b)
                for _ in range(8):
                    start, stop = np.sort(rng.integers(a, b + 1, 2)).tolist()
                    n = int(rng.integers(1, signal.n_channels + 1))
                    chosen = rng.permutation(signal.n_channels)[:n].tolist()
                    piece = signal.read_raw(start, stop, chosen)
                    np.testing.assert_array_equal(piece, whole[start - a : stop - a][:, chosen])

    def test_travels_to_other_processes(self, tmp_path: Path) -> None:
        """A pickled signal is small and reads the same."""
        _, recording = self._open(tmp_path)
        for signal in recording.values():
            a, b = next(signal.blocks(64))
            again = ForkingPickler.loads(ForkingPickler.dumps(signal))
            np.testing.assert_array_equal(again.read_raw(a, b), signal.read_raw(a, b))

    def test_is_described_in_json(self, tmp_path: Path) -> None:
        """A description in a file leads back to the same samples."""
        _, recording = self._open(tmp_path)
        for signal in recording.values():
            again = signal_from_json(json.loads(json.dumps(signal_to_json(signal))))
            check(again.clock == signal.clock, "another clock")
            for a, b in signal.blocks(1 << 20):
                np.testing.assert_array_equal(again.read_raw(a, b), signal.read_raw(a, b))

    def test_is_a_spikeinterface_recording(self, tmp_path: Path) -> None:
        """Sorters see the same segments, samples, gains and places."""
        import pytest

        pytest.importorskip("spikeinterface")
        _, recording = self._open(tmp_path)
        for signal in recording.values():
            wrapped = to_spikeinterface(signal)
            for index, segment in enumerate(signal.clock.segments):
                traces = wrapped.get_traces(segment_index=index, return_in_uV=True)
                expected = signal.read(segment.start, segment.stop)
                np.testing.assert_allclose(traces, expected, rtol=1e-5, atol=1e-2)
            if signal.channels.has_geometry:
                np.testing.assert_allclose(
                    wrapped.get_channel_locations(), signal.channels.position_um
                )

    def test_opens_again_with_its_options(self, tmp_path: Path) -> None:
        """The options that a project stores lead to the same recording."""
        example, recording = self._open(tmp_path)
        options = json.loads(json.dumps(dict(recording.options)))
        check(read(example.path, **options).fingerprint == recording.fingerprint, "another one")

    def test_is_the_same_at_another_place(self, tmp_path: Path) -> None:
        """The fingerprint does not depend on path or time."""
        example, recording = self._open(tmp_path / "here")
        shutil.copytree(tmp_path / "here", tmp_path / "there", copy_function=shutil.copyfile)
        moved = tmp_path / "there" / example.path.relative_to(tmp_path / "here")
        check(read(moved, **example.options).fingerprint == recording.fingerprint, "another one")

    def test_changes_nothing(self, tmp_path: Path) -> None:
        """Opening and reading leaves every file as it was, and adds none."""
        example = self.make(tmp_path)
        before = _contents(tmp_path)
        _use(read(example.path, **example.options))
        check(_contents(tmp_path) == before, "files were changed")

    def test_describes_itself(self, tmp_path: Path) -> None:
        """Names are distinct and metadata are JSON values."""
        _, recording = self._open(tmp_path)
        lines = [line.name for line in recording.lines]
        check(len(set(lines)) == len(lines), "two lines of one name")
        for signal in recording.values():
            json.dumps([dict(signal.metadata), signal.channels.to_json(), signal.channels.probe])
            check(signal.rate_hz > 0, "no rate")
        for movie in recording.movies.values():
            json.dumps([dict(movie.metadata), movie.spacing_um, movie.clock.to_json()])
            check(movie.rate_hz > 0, "no rate")

    def test_truncated_copies_raise_only_our_errors(self, tmp_path: Path) -> None:
        """Every file cut at several places."""
        example = self.make(tmp_path / "good")
        for file in _files(tmp_path / "good"):
            size = file.stat().st_size
            for keep in sorted({0, 1, size // 3, size // 2, max(0, size - 1)}):
                with _damaged(tmp_path, example, file) as (copy, target):
                    with target.open("r+b") as handle:
                        handle.truncate(keep)
                    _try(copy, example)

    def test_random_bytes_raise_only_our_errors(self, tmp_path: Path) -> None:
        """Files with random bytes at random places, mostly in their heads."""
        example = self.make(tmp_path / "good")
        files = _files(tmp_path / "good")
        rng = np.random.default_rng(1)
        for index in range(N_DAMAGED):
            file = files[index % len(files)]
            with _damaged(tmp_path, example, file) as (copy, target):
                _scramble(target, rng)
                _try(copy, example)


class MovieReaderTests(ReaderTests):
    """Tests of a reader of movies; examples give `frames` and, as a rule, no samples."""

    def test_gives_the_frames_that_were_written(self, tmp_path: Path) -> None:
        """Movies, their lengths and every pixel."""
        example, recording = self._open(tmp_path)
        check(list(recording.movies) == list(example.frames), f"movies {list(recording.movies)}")
        for name, expected in example.frames.items():
            movie = recording.movies[name]
            check((movie.n_frames, *movie.shape) == expected.shape, "another shape")
            for a, b in movie.blocks(3):
                frames = movie.read(a, b)
                check(frames.dtype == movie.dtype, "another dtype than stated")
                check(frames.dtype.isnative, "bytes in another order than this machine's")
                np.testing.assert_array_equal(frames, expected[a:b])

    def test_pieces_of_movies_are_cuts_of_the_whole(self, tmp_path: Path) -> None:
        """Any interval of frames and any rows, in any order, empty ones too."""
        _, recording = self._open(tmp_path)
        rng = np.random.default_rng(0)
        for movie in recording.movies.values():
            for a, b in movie.blocks(1 << 20):
                whole = movie.read(a, b)
                for _ in range(12):
                    start, stop = np.sort(rng.integers(a, b + 1, 2)).tolist()
                    low, high = np.sort(rng.integers(0, movie.shape[1] + 1, 2)).tolist()
                    piece = movie.read(start, stop, rows=(low, high))
                    np.testing.assert_array_equal(piece, whole[start - a : stop - a, :, low:high])

    def test_movies_travel_to_other_processes(self, tmp_path: Path) -> None:
        """A pickled movie is small and reads the same."""
        _, recording = self._open(tmp_path)
        for movie in recording.movies.values():
            data = bytes(ForkingPickler.dumps(movie))
            check(len(data) < 5000, f"{len(data)} bytes pickled")
            a, b = next(movie.blocks(3))
            np.testing.assert_array_equal(ForkingPickler.loads(data).read(a, b), movie.read(a, b))


def check(condition: bool, message: str) -> None:
    """Fail the test with a message."""
    if not condition:
        raise AssertionError(message)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in _files(folder)}


def _use(recording: Recording) -> None:
    for signal in recording.values():
        for a, b in signal.blocks(4096):
            signal.read(a, b)
    for movie in recording.movies.values():
        for a, b in movie.blocks(16):
            movie.read(a, b)
    for line in recording.lines:
        line.rising  # noqa: B018  scans a lazy line
    len(recording.annotations)  # reads them


@contextlib.contextmanager
def _damaged(folder: Path, example: Example, file: Path) -> Any:
    """Copy of the example, and the copy of one of its files."""
    good, copy = folder / "good", folder / "copy"
    shutil.copytree(good, copy)
    try:
        yield copy / example.path.relative_to(good), copy / file.relative_to(good)
    finally:
        shutil.rmtree(copy)


def _try(path: Path, example: Example) -> None:
    with contextlib.suppress(NisslError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _use(read(path, **example.options))


def _scramble(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    if not data:
        return
    for _ in range(int(rng.integers(1, 9))):
        most = len(data) if rng.random() < 0.3 else min(len(data), 600)
        place, length = int(rng.integers(most)), int(rng.integers(1, 5))
        noise = rng.integers(0, 256, length).astype(np.uint8).tobytes()
        data[place : place + length] = noise if rng.random() < 0.8 else bytes(length)
    path.write_bytes(data)
