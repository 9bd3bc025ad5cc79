"""The Kilosort4 plug-in's protocol, with a stand-in program behind the same module name."""

import json
import os
import sys

import numpy as np
import pytest

from nissl.annotators.spikes.adapters import KILOSORT4
from nissl.annotators.spikes.kilosort4 import PYTHON
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import MissingDependencyError
from nissl.run.context import Context
from nissl.tasks import Inputs

FAKE = '''
import json
import numpy as np

def run_kilosort(settings, probe, filename, results_dir, data_dtype, do_CAR):
    """Troughs below -150 uV on the deepest channel."""
    x = np.fromfile(filename, dtype=data_dtype).reshape(-1, settings["n_chan_bin"])
    x = x - np.median(x, axis=0)
    with open(filename + ".seen.json", "w") as file:
        json.dump({"settings": settings, "y": probe["yc"].tolist(), "car": bool(do_CAR)}, file)
    low = np.flatnonzero(x.min(axis=1) < -150)
    first = low[np.concatenate([[True], np.diff(low) > 30])]
    deepest = x[first].argmin(axis=1)
    return {}, np.stack([first, np.zeros_like(first)], axis=1), deepest
'''


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """A Python in which ``import kilosort`` finds the stand-in."""
    package = tmp_path / "site" / "kilosort"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path / "site"}" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(script))
    return script


def recorded():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90_000, 4)) * 5
    starts = rng.permutation(np.arange(500, 89_000, 300))[:120]
    for k, start in enumerate(starts):
        x[start : start + 12, 1 + k % 2] -= 400 * np.hanning(12)
    position = np.stack([np.zeros(4), 40.0 * np.arange(4)], axis=1)
    signal = Signal.from_array(
        x.astype(np.float32),
        30_000.0,
        name="ap",
        channels=ChannelTable.plain(4, position_um=position),
    )
    inputs = Inputs(Recording(None, "array", {"ap": signal}, fingerprint="f"), "ap")
    return inputs, np.sort(starts) + 6


def test_without_an_interpreter_it_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.delenv(PYTHON, raising=False)
    assert PYTHON in KILOSORT4.missing()["kilosort"]
    inputs, _ = recorded()
    with pytest.raises(MissingDependencyError, match=PYTHON):
        KILOSORT4.annotate(inputs, KILOSORT4.defaults(), Context(tmp_path))
    assert "kilosort" not in sys.modules


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_files_go_in_and_spikes_come_out(interpreter, tmp_path):
    inputs, peaks = recorded()
    assert KILOSORT4.missing() == {}
    assert "numpy" in KILOSORT4.packages()
    workdir = tmp_path / "job"
    result = KILOSORT4.annotate(inputs, KILOSORT4.defaults(), Context(workdir, seed=0))
    labels = result.labels[0]
    assert labels.items.tolist() == [0, 1]
    assert np.abs(np.sort(labels.column("sample")) - peaks).max() <= 2
    assert set(labels.column("channel").tolist()) == {1, 2}
    steps = [(s["step"], s["by"]) for s in result.log["preprocessing"]]
    assert ("bandpass", "kilosort4") in steps
    assert ("bandpass", "nissl") not in steps
    seen = json.loads(next(workdir.rglob("*.seen.json")).read_text())
    assert seen["settings"]["n_chan_bin"] == 4
    assert seen["settings"]["fs"] == 30_000.0
    assert seen["y"] == [0.0, 40.0, 80.0, 120.0]
    assert "kilosort" not in sys.modules
