"""The parts of the benchmark of rates that are simulated: voltage, and frame by frame."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def modules():
    pytest.importorskip("numba")
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("_rates_voltage", "_rates_online", "_common")
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_voltage_is_measured_and_told(modules, monkeypatch, tmp_path):
    part = modules["_rates_voltage"]
    monkeypatch.setattr(part, "RATES_HZ", (1000.0,))
    monkeypatch.setattr(part, "SNRS", (2.0, 8.0))
    result = modules["_common"].finite(part.run(quick=True))
    json.dumps(result, allow_nan=False)
    low, high = result["by_snr"]
    assert low["recall"] < high["recall"] > 0.6
    text = part.section(result, "rates.voltage.png")
    assert "| 1000 | 8 |" in text
    assert "nan" not in text
    part.plot(result, tmp_path / "voltage.png")
    assert (tmp_path / "voltage.png").stat().st_size > 10_000


def test_the_baseline_finds_large_spikes(modules):
    part = modules["_rates_voltage"]
    made = part.cells(1000.0, 12.0, 1, part.USUAL, 10.0)[0].made
    found = part.thresholded(made, 1000.0, 4.0)
    true = part.frames_of(made.spikes_s, 1000.0, made.fluorescence.size)
    assert part.paired(true, found, np.ones(found.size))[0].mean() > 0.8


def test_waiting_is_measured_and_told(modules, monkeypatch):
    part = modules["_rates_online"]
    monkeypatch.setattr(part, "RATES_HZ", {7.5: 0.2})
    monkeypatch.setattr(part, "WAITS_S", (0.0, 0.3))
    monkeypatch.setattr(part, "MANY", 4)
    result = part.run(quick=True)
    assert [r["method"] for r in result["rows"]] == ["deconvolution"] * 2 + ["network"] * 3
    assert "| deconvolution | 7.5 | 0 | 0.13 s |" in part.section(result)
