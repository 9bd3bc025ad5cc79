"""Arousals, breathing and leg movements on signals made for them."""

import numpy as np
import pytest

from nissl.annotators.events.critical_care import (
    BACKGROUND,
    asymmetry,
    continuity,
    periodic,
    side,
)
from nissl.annotators.events.simulate import backgrounds
from nissl.annotators.events.sleep_events import AROUSALS, LIMB_MOVEMENTS, RESPIRATION
from nissl.annotators.events.sleep_events import periodic as periodic_movements
from nissl.data import ChannelTable, Recording, Signal
from nissl.run.context import Context
from nissl.tasks import Inputs


def run(method, samples, names, rate_hz, tmp_path):
    table = ChannelTable.plain(names, kind="eeg")
    signal = Signal.from_array(samples.astype(np.float32), rate_hz, name="eeg", channels=table)
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    parameters = {**method.defaults(), "channels": list(names)}
    labels = method.annotate(Inputs(recording, "eeg"), parameters, Context(tmp_path)).labels[0]
    code = labels.column("label").tolist()
    edges = (labels.column(n) / rate_hz for n in ("start", "stop"))
    return [(labels.vocabulary.names[c], a, b) for c, a, b in zip(code, *edges, strict=True)]


def breathing(effort_goes_on):
    rate, t = 10.0, np.arange(9000) / 10.0
    flow = np.sin(2 * np.pi * 0.25 * t)
    effort, oxygen = flow.copy(), np.full(len(t), 96.0)
    apnoea, hypopnoea = (t >= 300) & (t < 330), (t >= 600) & (t < 630)
    flow[apnoea] *= 0.02
    flow[hypopnoea] *= 0.5
    if not effort_goes_on:
        effort[apnoea] *= 0.02
    oxygen[(t >= 610) & (t < 650)] = 91.0
    return np.stack([flow, effort, oxygen], axis=1), rate


@pytest.mark.parametrize("goes_on", [True, False])
def test_apnoea_by_effort_and_hypopnoea_by_oxygen(goes_on, tmp_path):
    x, rate = breathing(goes_on)
    found = run(RESPIRATION, x, ["Airflow", "Thorax", "SpO2"], rate, tmp_path)
    assert [f[0] for f in found] == [
        "obstructive apnoea" if goes_on else "central apnoea",
        "hypopnoea",
    ]
    assert found[0][1] == pytest.approx(300, abs=5)
    assert found[0][2] == pytest.approx(330, abs=5)


def test_without_a_desaturation_there_is_no_hypopnoea(tmp_path):
    x, rate = breathing(True)
    x[:, 2] = 96.0
    found = run(RESPIRATION, x, ["Airflow", "Thorax", "SpO2"], rate, tmp_path)
    assert [f[0] for f in found] == ["obstructive apnoea"]
    found = run(RESPIRATION, x[:, :1], ["Airflow"], rate, tmp_path)
    assert [f[0] for f in found] == ["apnoea", "hypopnoea"]


def test_leg_movements_and_their_period(tmp_path):
    rng = np.random.default_rng(0)
    x = 2 * rng.standard_normal(200 * 400)
    for at in (20, 45, 70, 95, 120, 300):
        x[at * 200 : at * 200 + 400] *= 15
    found = run(LIMB_MOVEMENTS, x[:, None], ["LEG L"], 200.0, tmp_path)
    assert [f[0] for f in found] == ["periodic limb movement"] * 5 + ["limb movement"]
    assert found[0][1] == pytest.approx(20, abs=0.3)
    assert found[0][2] == pytest.approx(22, abs=0.6)
    assert periodic_movements(np.array([0.0, 20, 40, 200])).tolist() == [False] * 4


def test_an_arousal_is_a_shift_of_three_seconds_after_ten_steady_ones(tmp_path):
    x = backgrounds(30_000, 1, 100.0, 1.8, np.random.default_rng(3))[:, 0] * 20
    t = np.arange(500) / 100
    x[10_000:10_500] += 25 * np.sin(2 * np.pi * 9.5 * t)
    x[20_000:20_150] += 25 * np.sin(2 * np.pi * 9.5 * t[:150])
    found = run(AROUSALS, x[:, None], ["C3"], 100.0, tmp_path)
    assert len(found) == 1
    assert found[0][1] == pytest.approx(100, abs=0.7)
    assert found[0][2] == pytest.approx(105, abs=0.7)


def test_continuity_by_the_suppressed_share(tmp_path):
    assert [continuity(s) for s in (0.0, 0.05, 0.3, 0.6, 1.0)] == [
        "continuous",
        "nearly continuous",
        "discontinuous",
        "burst suppression",
        "suppressed",
    ]
    x = backgrounds(48_000, 4, 200.0, 1.5, np.random.default_rng(2)) * 30
    second = np.arange(48_000) // 200
    x[(second >= 60) & (second < 120) & (second % 10 >= 3)] *= 0.02
    x[second >= 180] *= 0.02
    found = run(BACKGROUND, x, ["C3", "C4", "O1", "O2"], 200.0, tmp_path)
    pages = [f[0] for f in found if f[0] not in ("marked asymmetry",)]
    assert pages == ["continuous", "burst suppression", "continuous", "suppressed"]


def test_asymmetry_and_sides():
    assert [side(n) for n in ("C3", "C4", "Cz", "Fp1")] == [-1, 1, 0, -1]
    assert asymmetry(np.array([10.0, 4.0]), [-1, 1]) == pytest.approx(0.6)
    assert asymmetry(np.array([10.0, 4.0]), [-1, 0]) == 0.0


def test_periodic_discharges_need_six_at_a_steady_interval():
    steady = np.arange(5.0, 20.0, 1.0)
    ((start, stop, name),) = periodic([steady, steady + 0.02], [-1, 1])
    assert name == "periodic discharges, generalised"
    assert start == pytest.approx(4.9)
    assert stop == pytest.approx(19.25)
    ((_, _, name),) = periodic([steady, np.empty(0)], [-1, 1])
    assert name == "periodic discharges, lateralised"
    assert periodic([np.array([1.0, 2, 3, 4])], [-1]) == []
    assert periodic([np.array([1.0, 9, 10, 31, 32.5, 60])], [-1]) == []
