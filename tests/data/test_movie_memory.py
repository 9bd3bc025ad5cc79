"""Movies ten times larger than the memory they may take, and blocks that read what they must."""

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest

from nissl.testing.files import write_hdf5_movie, write_nwb_movie, write_suite2p, write_video

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/io"), reason="needs Linux, which counts the bytes read"
)

HEIGHT = WIDTH = 256
N_FRAMES = 1920
FRAME = HEIGHT * WIDTH * 2
BUDGET = N_FRAMES * FRAME // 10  # 25 MB

MEASURE = """
import json, resource, sys
from nissl.data.read import read

def now():
    with open("/proc/self/io") as file:
        n_bytes = int(file.readline().split()[1])
    return n_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

options = json.loads(sys.argv[2])
read(sys.argv[1], **options).movie.read(0, 16)  # imports what it needs
marks = [now()]
movie = read(sys.argv[1], **options).movie
marks.append(now())
movie.read(1000, 1008, rows=(100, 200))
marks.append(now())
total = 0
for a, b in movie.blocks(16):
    total += int(movie.read(a, b).sum())
marks.append(now())
print(json.dumps([marks, movie.n_frames, total]))
"""


def measure(path, **options):
    """Bytes read while opening and for a block, and the growth of peak memory over all."""
    command = [sys.executable, "-c", MEASURE, str(path), json.dumps(options)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    marks, n_frames, total = json.loads(out.stdout)
    opened, block = (marks[i + 1][0] - marks[i][0] for i in (0, 1))
    return opened, block, marks[3][1] - marks[0][1], n_frames, total


def sparse(path, size):
    with path.open("ab") as file:
        file.truncate(size)
    return path


def huge_tiff(path):
    """BigTIFF whose headers come first; its pixels are a hole of zeros but for one."""
    tags = [(256, WIDTH), (257, HEIGHT), (258, 16), (259, 1), (262, 1), (273, 0)]
    tags += [(277, 1), (278, HEIGHT), (279, FRAME)]
    ifd = 8 + 20 * len(tags) + 8
    data = 16 + N_FRAMES * ifd
    parts = [b"II" + struct.pack("<HHHQ", 43, 8, 0, 16)]
    for k in range(N_FRAMES):
        values = {**dict(tags), 273: data + k * FRAME}
        entries = b"".join(struct.pack("<HHQQ", tag, 16, 1, values[tag]) for tag, _ in tags)
        following = 16 + (k + 1) * ifd if k + 1 < N_FRAMES else 0
        parts.append(struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", following))
    path.write_bytes(b"".join(parts))
    sparse(path, data + N_FRAMES * FRAME)
    with path.open("r+b") as file:
        file.seek(data + 1700 * FRAME)
        file.write(b"\x07\x00")
    return path


def test_tiff(tmp_path):
    opened, block, grown, n_frames, total = measure(huge_tiff(tmp_path / "x.tif"), rate_hz=30.0)
    assert (n_frames, total) == (N_FRAMES, 7)
    assert opened < 8_000_000  # the fingerprint's blocks, and the headers
    assert 8 * 100 * WIDTH * 2 <= block < 8 * 100 * WIDTH * 2 + 50_000
    assert grown < BUDGET


def test_npy_and_suite2p(tmp_path):
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.int16))
    with (tmp_path / "x.npy").open("wb") as file:
        shape = (N_FRAMES, HEIGHT, WIDTH)
        np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
        start = file.tell()
    sparse(tmp_path / "x.npy", start + N_FRAMES * FRAME)
    _, block, grown, n_frames, _ = measure(tmp_path / "x.npy", rate_hz=30.0)
    assert n_frames == N_FRAMES
    assert block < 8 * 100 * WIDTH * 2 + 50_000
    assert grown < BUDGET
    folder = write_suite2p(tmp_path, [np.zeros((1, HEIGHT, WIDTH), np.int16)])
    np.save(folder / "plane0/ops.npy", np.array({"Ly": HEIGHT, "Lx": WIDTH, "fs": 30.0}))
    sparse(folder / "plane0/data.bin", N_FRAMES * FRAME)
    _, block, grown, n_frames, _ = measure(folder / "plane0")
    assert n_frames == N_FRAMES
    assert block < 8 * 100 * WIDTH * 2 + 50_000
    assert grown < BUDGET


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hdf5", "nwb", "zarr", "npz", "avi"])
def test_containers(tmp_path, kind):
    frames = np.zeros((N_FRAMES, HEIGHT, WIDTH), np.int16)
    frames[::7, ::5] = 3
    options = {"rate_hz": 30.0}
    path = tmp_path / f"x.{kind}"
    if kind == "hdf5":
        write_hdf5_movie(path, frames)
    elif kind == "nwb":
        write_nwb_movie(path, frames)
        options = {}
    elif kind == "zarr":
        import zarr

        zarr.array(frames, store=str(path), chunks=(8, HEIGHT, WIDTH))
    elif kind == "npz":
        np.savez_compressed(path, movie=frames)
    else:
        write_video(path, frames.astype(np.uint8))
        options = {}
    _, _, grown, n_frames, total = measure(path, **options)
    assert n_frames == N_FRAMES
    assert total == int(frames.sum())
    assert grown < BUDGET / (2 if kind == "avi" else 1)
