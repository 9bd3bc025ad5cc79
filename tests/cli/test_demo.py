"""The main job end to end, through the real command on real files."""

import json
import re

import numpy as np
import pytest


def test_demo_finds_the_true_units(demo):
    rows = json.loads(demo.result.out)
    accuracy = np.array([row["accuracy"] for row in rows])
    assert len(rows) == 6
    assert np.median(accuracy) > 0.8
    assert "report:" in demo.result.err
    assert "(verified)" in demo.result.err


def test_demo_reports_on_every_unit(demo):
    html = (demo.study / "reports/simulated-0.spikes.html").read_text()
    found = int(re.search(r"(\d+) units by spikes/nissl", demo.result.err)[1])
    assert html.count("<article") == found > 0
    assert "Raw traces" in html


def test_nwb_of_the_demo_opens_with_pynwb_and_holds_the_spikes(demo, nissl):
    pynwb = pytest.importorskip("pynwb")
    shown = json.loads(nissl("show", demo.study, "--json").out)
    spikes = next(row for row in shown if row["task"] == "spikes")
    path = demo.study / "exports/simulated-0.nwb"
    with pynwb.NWBHDF5IO(path, "r") as io:
        units = io.read().units
        trains = [units["spike_times"][k] for k in range(len(units))]
    assert len(trains) == spikes["items"]
    assert sum(t.size for t in trains) == spikes["rows"]
    assert all(np.all(np.diff(t) >= 0) and t.max() <= 30.0 for t in trains)


def test_same_command_again_computes_nothing_and_gives_the_same(demo, nissl):
    again = nissl("demo", "spikes", "--out", demo.study, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out) == json.loads(demo.result.out)
    shown = json.loads(nissl("show", demo.study, "--json").out)
    assert len([row for row in shown if row["task"] == "spikes"]) == 1


def test_demo_of_a_session_meets_the_truth(nissl):
    result = nissl("demo", "session", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert all(row["true_error_max_ms"] < 0.5 for row in told["maps"])
    for row in told["units"]:
        assert abs(row["latency_ms"] - row["true_latency_ms"]) < 1e3 / 60
