"""Fingerprints: of content and meaning, never of path or time; fast on any size."""

import json
import os
import shutil
import time

import numpy as np
import pytest

from nissl.data.fingerprint import BLOCK_BYTES, fingerprint_path, full_hash
from nissl.data.read import read
from nissl.errors import SourceNotFoundError
from nissl.testing.files import write_openephys, write_spikeglx

RAW = {"rate_hz": 20_000.0, "n_channels": 4, "gain_uv": 0.25}


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "x.bin"
    np.random.default_rng(0).integers(-2000, 2000, (600, 4)).astype("<i2").tofile(path)
    return path


def probe(folder, spacing_um=20.0):
    contacts = {"si_units": "um", "contact_positions": [[0, spacing_um * i] for i in range(4)]}
    path = folder / f"probe{spacing_um}.json"
    path.write_text(json.dumps({"specification": "probeinterface", "probes": [contacts]}))
    return path


def test_path_and_time_do_not_matter(raw, tmp_path):
    before = read(raw, **RAW).fingerprint
    assert len(before) == 64
    assert read(raw, **RAW).fingerprint == before
    other = tmp_path / "elsewhere" / "renamed.dat"
    other.parent.mkdir()
    shutil.copy(raw, other)
    os.utime(other, (1, 1))
    assert read(other, **RAW, subject="m1", session="s").fingerprint == before


def test_meaning_matters(raw, tmp_path):
    marks = [
        read(raw, **{**RAW, **changes}).fingerprint
        for changes in (
            {},
            {"rate_hz": 30_000.0},
            {"gain_uv": 0.5},
            {"dtype": "uint16"},
            {"n_channels": 2},
            {"probe": probe(tmp_path)},
            {"probe": probe(tmp_path, 25.0)},
        )
    ]
    assert len(set(marks)) == len(marks)


def test_order_of_channels_matters(raw):
    facts = {**RAW, "channel_ids": list("abcd")}
    side = raw.with_suffix(".json")
    marks = set()
    for ids in ("abcd", "abdc"):
        side.write_text(json.dumps({**facts, "channel_ids": list(ids)}))
        marks.add(read(raw).fingerprint)
    assert len(marks) == 2


def test_every_byte_of_a_small_file_matters(raw):
    before = read(raw, **RAW).fingerprint, full_hash(raw)
    data = bytearray(raw.read_bytes())
    for place in (0, 2401, len(data) - 1):
        data[place] ^= 1
        raw.write_bytes(data)
        assert read(raw, **RAW).fingerprint != before[0]
        assert full_hash(raw) != before[1]
        data[place] ^= 1


def test_head_tail_and_blocks_of_a_large_file(tmp_path):
    path = tmp_path / "x.bin"
    size = 40_000_000
    path.write_bytes(bytes(size))
    before, whole = fingerprint_path(path), full_hash(path)
    changed = []
    for place in (0, size - 1, (size - BLOCK_BYTES) // 65 + 10):
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"\x01")
        changed.append(fingerprint_path(path))
    assert len({before, *changed}) == 4
    assert full_hash(path) != whole
    with path.open("ab") as file:
        file.write(b"\x00")
    assert fingerprint_path(path) not in changed


def test_folders_are_their_files_under_their_names(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        write_openephys(folder, np.arange(40, dtype=np.int16).reshape(10, 4))
    assert read(a).fingerprint == read(b).fingerprint
    assert fingerprint_path(a) == fingerprint_path(b)
    assert full_hash(a) == full_hash(b)
    (b / "new.txt").write_text("")
    assert fingerprint_path(a) != fingerprint_path(b)
    assert read(a).fingerprint == read(b).fingerprint  # no data of the recording


def test_notes_in_a_header_do_not_matter_but_gains_do(tmp_path):
    samples = np.arange(80, dtype=np.int16).reshape(10, 8)
    marks = [
        read(write_spikeglx(tmp_path / str(i), samples, **meta)).fingerprint
        for i, meta in enumerate(({}, {"userNotes": "x"}, {"imAiRangeMax": 0.5}))
    ]
    assert marks[0] == marks[1] != marks[2]


def test_a_hundred_gigabytes_take_less_than_a_second(tmp_path):
    path = tmp_path / "x.bin"
    path.touch()
    os.truncate(path, 100_000_000_000 // 768 * 768)
    start = time.perf_counter()
    recording = read(path, rate_hz=30_000.0, n_channels=384, gain_uv=1.0)
    assert time.perf_counter() - start < 1.0
    assert recording.duration_s > 4000


def test_no_such_path(tmp_path):
    with pytest.raises(SourceNotFoundError):
        fingerprint_path(tmp_path / "nowhere")
