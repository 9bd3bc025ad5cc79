"""The command with a real sorter, on a recording whose added units it must find."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nissl.annotators.spikes.groundtruth import GAIN_UV
from nissl.annotators.spikes.rawfile import raw_options, save_raw
from nissl.annotators.spikes.simulate import simulate
from nissl.cli import app


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_tridesclous2_finds_large_added_units_and_not_tiny_ones(tmp_path):
    recording = simulate(5, n_channels=16, duration_s=30.0, n_units=5)[0]
    raw = save_raw(recording, tmp_path)
    before = raw.read_bytes()
    found = CliRunner().invoke(
        app,
        ["verify-sorting", str(raw), "--method", "spikes/tridesclous2", "--snr", "2,20",
         "--rounds", "2", "--units-per-round", "2", "--no-halves", "--json", "--workers", "1",
         "--out", str(tmp_path / "out"), "--rate", "30000", "--channels", "16", "--dtype",
         "int16", "--gain-uv", str(GAIN_UV), "--probe", str(raw_options(raw)["probe"])],
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    recall = {band["band"]: band["recall"]["estimate"] for band in told["by_snr"]}
    assert recall["20"] > 0.8
    assert recall["2"] < 0.5
    assert told["verdict"]["state"] == "no confidence"
    assert raw.read_bytes() == before
    assert np.isfinite(told["facts"]["noise_uv"])
