"""Parts of a movie in memory: what they hold, how much, and what becomes of faults."""

import numpy as np
import pytest

from nissl.clock import Clock, Segment
from nissl.data import ChannelTable, Movie, Signal
from nissl.errors import BadArgumentError
from nissl.review import crops as module
from nissl.review import region_traces as traces
from nissl.review.crops import Box, Crops, box_of, frames_of
from nissl.review.region_images import laid_out, pictured, to_bytes
from nissl.review.region_traces import KeptSignal, peaks

SHAPE = (2, 40, 50)


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 4000, (300, *SHAPE), dtype=np.int16)


def test_a_crop_holds_its_box_of_every_frame(frames):
    crops = Crops(Movie.from_array(frames, 10.0))
    box = Box(1, 10, 14, 20, 25)
    crop = crops.of(box)
    crop.wait(20)
    assert crop.done
    assert not crop.fault
    wide = crop.box
    assert wide == Box(1, 0, 34, 0, 45)
    assert crop.rate_hz == 10.0
    assert np.array_equal(crop.values, frames[:, 1, 0:34, 0:45])
    assert crops.of(Box(1, 11, 12, 3, 9)) is crop
    assert crops.of(Box(0, 11, 12, 3, 9)) is not crop


def test_gaps_are_not_averaged_over(frames, monkeypatch):
    monkeypatch.setattr(module, "CROP_BYTES", 300 * 34 * 45)
    clock = Clock((Segment(0, 101, 0.0, 10.0), Segment(101, 300, 100.0, 10.0)))
    crop = Crops(Movie.from_array(frames, 10.0, clock=clock)).of(Box(1, 10, 14, 20, 25))
    crop.wait(20)
    assert crop.step == 4
    assert crop.first.tolist() == [*range(0, 101, 4), *range(101, 300, 4)]
    assert crop.values.dtype == np.float32
    inside = frames[:, 1, 0:34, 0:45]
    assert crop.values[25] == pytest.approx(inside[100])
    assert crop.values[26] == pytest.approx(inside[101:105].mean(axis=0))
    assert crop.values[-1] == pytest.approx(inside[297:].mean(axis=0))


def test_the_oldest_are_forgotten(frames, monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 2 * 300 * 34 * 45 * 2)
    monkeypatch.setattr(module, "MARGIN_PX", 2)
    crops = Crops(Movie.from_array(frames, 10.0))
    boxes = [Box(0, k, k + 20, 0, 46) for k in (0, 8, 16)]
    made = []
    for box in boxes:
        made.append(crops.of(box))
        made[-1].wait(20)
    assert crops.of(boxes[2]) is made[2]
    assert crops.of(boxes[0]) is not made[0]


class Broken:
    """Fails in the middle of the movie."""

    dtype = np.dtype(np.int16)

    def read(self, start, stop, rows):
        if stop > 200:
            raise OSError("cut off")
        return np.zeros((stop - start, 1, rows[1] - rows[0], 50), np.int16)


def test_a_fault_is_told_and_tried_again():
    movie = Movie("movie", Broken(), (1, 40, 50), Clock.regular(10.0, 600))
    crops = Crops(movie)
    crop = crops.of(Box(0, 1, 3, 1, 3))
    crop.wait(20)
    assert crop.fault == "cut off"
    assert crop.done
    assert crops.of(Box(0, 1, 3, 1, 3)) is not crop


def test_boxes_of_pixels():
    flat = [(1 * 40 + 5) * 50 + 7, (1 * 40 + 9) * 50 + 3, 2]
    box = box_of(flat, SHAPE)
    assert box == Box(1, 5, 10, 3, 8)
    mask, local = box.inside(np.asarray([*flat, -1, 10**6]), SHAPE)
    assert mask.tolist() == [True, True, False, False, False]
    assert local.tolist() == [4, 20]
    for wrong in ([], [-1], [2 * 40 * 50]):
        with pytest.raises(BadArgumentError, match="inside the field"):
            box_of(wrong, SHAPE)


def test_frames_of_a_box(frames):
    movie = Movie.from_array(frames, 10.0)
    assert np.array_equal(frames_of(movie, 3, 5, Box(1, 2, 6, 1, 4)), frames[3:5, 1, 2:6, 1:4])


def test_pictures_show_what_is_there():
    rng = np.random.default_rng(1)
    frames = rng.normal(100, 5, (400, 1, 30, 30))
    frames[:, 0, 5:12, 5:12] += 40 * np.repeat(rng.random(50) < 0.1, 8)[:, None, None]
    images = pictured(Movie.from_array(frames.astype(np.float32), 10.0))
    assert set(images) == {"mean", "max", "correlation", "active"}
    cell, rest = (0, slice(6, 11), slice(6, 11)), (0, slice(15, 28), slice(15, 28))
    for name in ("max", "correlation", "active"):
        assert images[name][cell].mean() > 1.2 * images[name][rest].mean()
    assert images["mean"][rest].mean() == pytest.approx(100, abs=0.5)
    single = pictured(Movie.from_array(np.full((1, 8, 9), 3, np.int16), 1.0))
    assert np.array_equal(single["mean"], np.full((1, 8, 9), 3, np.float32))
    assert not single["active"].any()


def test_unknown_pixels_stay_unknown():
    steps, low, high = to_bytes(np.array([[np.nan, 1.0], [2.0, 3.0]]))
    assert steps.tolist()[0][0] == 0
    assert steps.min() == 0
    assert steps[1, 1] == 255
    assert low < high
    assert to_bytes(np.full((2, 2), np.nan))[0].tolist() == [[0, 0], [0, 0]]


def test_patches_lie_where_their_regions_are():
    import pyarrow as pa

    from nissl.labels import ItemTable

    patch = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    items = ItemTable("", pa.table({"item": pa.array([4, 9], pa.int64())}), {}, {"patch": patch})
    whole = laid_out(items, {4: (0, 0, 0), 9: (0, 3, 4)}, (1, 5, 6))
    assert whole[0, 0, 0] == patch[0, 1, 1]
    assert whole[0, 2:5, 3:6].tolist() == patch[1].tolist()
    assert np.isnan(whole).sum() == 30 - 4 - 9


def test_a_large_signal_is_turned_once_and_read_from_its_file(tmp_path, monkeypatch):
    samples = np.random.default_rng(3).normal(size=(500, 7)).astype(np.float32)
    ids = [str(k) for k in range(7)]
    table = ChannelTable.plain(ids, kind="fluorescence")
    clock = Clock((Segment(0, 123, 0.0, 10.0), Segment(123, 500, 50.0, 10.0)))
    signal = Signal.from_array(samples, 10.0, name="f", channels=table, clock=clock)
    assert np.array_equal(KeptSignal(signal).of("4"), samples[:, 4])
    monkeypatch.setattr(traces, "HELD_VALUES", 100)
    file = tmp_path / "work" / "turned.npy"
    assert np.array_equal(KeptSignal(signal, file).of("4"), samples[:, 4])
    assert np.load(file).shape == (7, 500)
    assert np.array_equal(KeptSignal(signal, file).of("6"), samples[:, 6])
    assert KeptSignal(signal, file).of("7") is None
    file.write_bytes(b"no array")
    assert np.array_equal(KeptSignal(signal, file).of("0"), samples[:, 0])
    (tmp_path / "taken").write_text("a file where a folder should be")
    kept = KeptSignal(signal, tmp_path / "taken" / "turned.npy")
    assert np.array_equal(kept.of("2"), samples[:, 2])
    assert list(file.parent.iterdir()) == [file]


def test_peaks_stand_out_and_apart():
    rng = np.random.default_rng(2)
    line = rng.normal(0, 0.05, 1000).astype(np.float32)
    for at, size in ((100, 1.0), (110, 0.9), (500, 2.0)):
        line[at : at + 30] += size * np.exp(-np.arange(30) / 10)
    assert np.abs(peaks(line, 10.0) - [501, 111]).max() <= 3  # the second stands on the first
    assert peaks(np.zeros(2, np.float32), 10.0).size == 0
