"""Opening reads next to nothing; reading touches what it must, in little memory."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nissl.data.files import FilePart, FramesReader
from nissl.testing.files import write_spikeglx

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/io"), reason="needs Linux, which counts the bytes read"
)

MEASURE = """
import json, resource, sys
import numpy as np
from nissl.data.read import read

def now():
    with open("/proc/self/io") as file:
        n_bytes = int(file.readline().split()[1])
    return n_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

options = json.loads(sys.argv[2])
read(sys.argv[1], **options)  # imports what it needs
marks = [now()]
signal = next(iter(read(sys.argv[1], **options).values()))
marks.append(now())
start, stop, channels = json.loads(sys.argv[3])
samples = signal.read(start, stop, channels)
marks.append(now())
print(json.dumps([marks, samples.shape, float(np.abs(samples).max())]))
"""


def measure(path, options, interval):
    """Bytes read while opening and while reading, and the growth of peak memory."""
    command = [sys.executable, "-c", MEASURE, str(path), json.dumps(options), json.dumps(interval)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    marks, shape, largest = json.loads(out.stdout)
    opened, read = (marks[i + 1][0] - marks[i][0] for i in (0, 1))
    return opened, read, marks[2][1] - marks[1][1], shape, largest


def test_a_minute_of_384_channels_from_a_huge_file(tmp_path):
    path = tmp_path / "x.bin"
    path.touch()
    frame = 384 * 2
    n_frames = 4 * 3600 * 30_000  # 330 GB
    try:
        os.truncate(path, n_frames * frame)
    except OSError:
        pytest.skip("this file system holds no sparse files of 330 GB")
    start = n_frames // 2
    with path.open("r+b") as file:  # one step of 1 in channel 7, one second after the start
        file.seek((start + 30_000) * frame + 7 * 2)
        file.write(b"\x01\x00")
    options = {"rate_hz": 30_000.0, "n_channels": 384, "gain_uv": 2.5}
    stop = start + 60 * 30_000
    opened, read, grown, shape, largest = measure(path, options, [start, stop, [7, 300]])
    assert (shape, largest) == ([60 * 30_000, 2], 2.5)
    assert opened < 6_000_000  # the fingerprint's blocks
    assert 60 * 30_000 * frame <= read < 1.01 * 60 * 30_000 * frame
    assert grown < 120e6  # the result, 14 MB, and blocks


def test_spikeglx_reads_what_it_must(tmp_path):
    samples = np.random.default_rng(0).integers(-9, 9, (60_000, 384)).astype(np.int16)
    path = write_spikeglx(tmp_path, samples)
    opened, read, _, shape, _ = measure(path, {}, [20_000, 20_300, None])
    assert shape == [300, 384]
    assert opened < 6_000_000
    assert 300 * 385 * 2 <= read < 300 * 385 * 2 + 20_000


def test_a_column_that_the_file_lacks_is_no_other_one(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(np.arange(50, dtype="<i2").tobytes())
    reader = FramesReader((FilePart(str(path), 0, 10),), "<i2", 5, (1, 7))
    with pytest.raises(IndexError):
        reader.read(0, 10, np.arange(2))


@pytest.mark.parametrize("columns", [None, (1, 2, 3), (4, 0), (2,)])
def test_blocks_join_without_a_seam(tmp_path, monkeypatch, columns):
    monkeypatch.setattr("nissl.data.files.BLOCK_BYTES", 70)  # seven frames
    samples = np.arange(500, dtype="<i2").reshape(100, 5)
    parts = []
    for index, (a, b) in enumerate(((0, 31), (31, 100))):
        path = tmp_path / f"{index}.bin"
        path.write_bytes(b"head" + samples[a:b].tobytes())
        parts.append(FilePart(str(path), 4, b - a))
    reader = FramesReader(tuple(parts), "<i2", 5, columns)
    whole = samples if columns is None else samples[:, list(columns)]
    for a, b in ((0, 100), (3, 98), (30, 32), (31, 31), (50, 51)):
        every = np.arange(whole.shape[1])
        np.testing.assert_array_equal(reader.read(a, b, every), whole[a:b])
        np.testing.assert_array_equal(reader.read(a, b, every[::-1]), whole[a:b, ::-1])
