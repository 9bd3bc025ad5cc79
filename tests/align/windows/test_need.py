"""How much must be recorded: what a pilot predicts, against what more data really give."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.align.fragments import Fragment
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.windows.need import Curve, carried, need
from nissl.errors import BadArgumentError


def days(seed, n_trials, change=0.2, n_units=80, n_conditions=8):
    rng = np.random.default_rng(seed)
    subject = simulate_subject(rng)
    size = {"n_units": n_units, "n_trials": n_trials, "n_conditions": n_conditions}
    first = simulate_day(rng, subject, **size).fragment
    return first, simulate_day(rng, subject, change=change, **size).fragment


def test_a_pilot_tells_what_more_windows_will_give():
    a, b = days(1, 700)
    pilot = [f.in_windows(np.arange(96)) for f in (a, b)]
    found = need(*pilot, np.random.default_rng(0), subsets=6, goal=0.6)
    assert found.low <= found.windows <= found.high
    rng, scores = np.random.default_rng(1), {}
    test = b.in_windows(np.arange(600, 700))
    for factor in (0.5, 2.0):
        n = round(found.windows * factor)
        drawn = []
        for _ in range(16):
            own = np.sort(rng.choice(np.arange(96, 600), n, replace=False))
            lost, whole = carried(a.in_windows(own), b.in_windows(own), test, rng)
            drawn.append(1 - lost / whole)
        scores[factor] = np.mean(np.array(drawn) >= 0.6)
    assert scores[2.0] >= 0.8 > scores[0.5]
    assert found.seconds == pytest.approx(found.windows * 0.65, rel=0.2)


def test_strangers_are_never_enough():
    rng = np.random.default_rng(0)
    a, b = (
        simulate_day(rng, simulate_subject(np.random.default_rng(k)), n_units=60).fragment
        for k in (1, 77)
    )
    found = need(a, b, np.random.default_rng(0), subsets=4, goal=0.9)
    assert found.windows == np.inf
    assert found.high == np.inf


def test_curves():
    curve = Curve(0.9, 8.0, 0.4)
    assert curve.mean(20) == pytest.approx(0.5)
    n = curve.need(0.7)
    assert curve.power(n, 0.7) >= 0.8 > curve.power(n - 3, 0.7)
    assert curve.need(0.95) == np.inf
    right = Curve(-6.0, 2.0, 0.0, binary=True)
    assert right.power(right.need(0.5), 0.5) >= 0.8
    assert Curve(-6.0, 0.0, 0.0, binary=True).need(0.5) == np.inf


def test_likeness_needs_fewer_windows_where_days_are_alike():
    a, b = days(3, 96, change=0.0)
    found = need(a, b, np.random.default_rng(0), measure="likeness", subsets=3, drawn=6)
    assert found.windows <= 32


@pytest.mark.slow
def test_the_right_turn_without_labels_is_estimated_too():
    a, b = days(0, 96, change=0.0, n_units=120)
    found = need(a, b, np.random.default_rng(0), measure="turn", subsets=2, drawn=6)
    assert found.curve.binary
    assert found.windows < 2000


def test_bad_input_is_refused():
    a, b = days(0, 64)
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError, match="a measure among"):
        need(a, b, rng, measure="luck")
    with pytest.raises(BadArgumentError, match="a power between"):
        need(a, b, rng, power=1.0)
    with pytest.raises(BadArgumentError, match=r"0 such conditions[\s\S]*longer pilot"):
        need(*(f.in_windows(np.arange(16)) for f in (a, b)), rng)
    with pytest.raises(BadArgumentError, match="0 such conditions"):
        need(a, b.without_conditions(), rng)


@pytest.mark.data
@pytest.mark.slow
def test_two_days_of_reaches_need_a_few_windows_of_each_target():
    root = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "glue" / "m1_multiday"
    if not root.exists():
        pytest.skip("NISSL_DATA has no glue/m1_multiday")
    pilot = []
    for day in ("2013-10-03", "2013-12-19"):
        with np.load(root / f"chewie_{day}_bin100ms_vel5.npz", allow_pickle=False) as file:
            trial = file["trial"].astype(int)
            own = trial % 2 == 0  # calibration trials only
            counts = file["counts"][own].astype(float)
            pilot.append(Fragment(day, counts, 0.1, trial[own], file["target"][own].astype(int)))
    found = need(*pilot, np.random.default_rng(0), subsets=4)
    assert 16 <= found.windows <= 60
    assert found.curve.top > 0.6
