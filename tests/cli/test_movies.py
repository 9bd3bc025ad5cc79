"""Movies from the command line: what is shown of a file, what adding says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nissl.testing.files import write_imagej, write_scanimage, write_stack


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 3000, (24, 16, 20)).astype(np.int16)


def test_show_tells_shape_rate_planes_and_channels(nissl, frames, tmp_path):
    volumes = frames.astype(np.uint16).reshape(4, 3, 2, 16, 20)
    path = write_imagej(tmp_path / "x.tif", volumes, finterval=0.1, pixel_um=0.5, spacing=2.0)
    shown = nissl("show", path)
    assert shown.code == 0
    line = next(x for x in shown.out.splitlines() if x.startswith("channel1"))
    words = ["channel1", "4", "10", "0.4", "3", "16", "x", "20", "0.5", "x", "0.5", "2"]
    assert line.split()[:12] == words
    rows = json.loads(nissl("show", path, "--json").out)
    assert rows[0]["shape"] == [3, 16, 20]
    assert rows[0]["spacing_um"] == [2.0, 0.5, 0.5]


def test_what_a_stack_does_not_say_is_asked_for(nissl, frames, tmp_path):
    path = write_stack(tmp_path / "x.tif", frames)
    asked = nissl("show", path)
    assert asked.code == 3
    assert "--rate" in asked.err
    shown = nissl("show", path, "--rate", 20, "--planes", 4, "--channels", 2, "--json")
    assert [row["frames"] for row in json.loads(shown.out)] == [3, 3]
    assert nissl("add", tmp_path / "study", path, "--rate", 20, "--planes", 5).code == 3
    assert not (tmp_path / "study").exists()


def test_the_size_of_a_voxel_is_given_where_a_stack_does_not_say_it(nissl, frames, tmp_path):
    path = write_stack(tmp_path / "x.tif", frames)
    options = ("--rate", 20, "--planes", 4)
    shown = nissl("show", path, *options, "--spacing", "1.5,0.33,0.33", "--json")
    assert json.loads(shown.out)[0]["spacing_um"] == [1.5, 0.33, 0.33]
    wrong = nissl("show", path, *options, "--spacing", "1.5 0.33")
    assert wrong.code == 3
    assert "Write --spacing" in wrong.err


def test_add_says_what_is_doubtful_and_opens_again(nissl, frames, tmp_path):
    numbers = np.r_[1:13, 25:37]
    frames[:, :4] = 3000
    path = write_scanimage(tmp_path / "x.tif", frames[:, None], numbers=numbers)
    study = tmp_path / "study"
    added = nissl("add", study, path, "--subject", "M1")
    assert added.code == 0
    assert "12 frames are missing" in added.err
    assert "saturated" in added.err
    findings = json.loads(nissl("show", study, "--source", "x", "--json").out)
    assert {f["check"] for f in findings} >= {"dropped_frames", "saturated"}
    assert nissl("verify", study, "--full").code == 0
    moved = tmp_path / "elsewhere.tif"
    path.rename(moved)
    assert nissl("relocate", study, "x", moved).code == 0
    write_stack(moved, frames)
    assert nissl("relocate", study, "x", moved).code == 3
