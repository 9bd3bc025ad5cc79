"""Units of two simulated sessions are matched, and nonsense is refused."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.align.waveforms.drift import carried, rigid
from nissl.align.waveforms.matching import against_itself, match
from nissl.align.waveforms.simulate import simulate_days
from nissl.errors import BadArgumentError


def told(days, found):
    """How many links there are, the part that is wrong and the part of the pairs that is found."""
    truth = set(map(tuple, days.pairs().tolist()))
    rows = found.pairs.a[found.chosen].tolist(), found.pairs.b[found.chosen].tolist()
    right = [pair in truth for pair in zip(*rows, strict=True)]
    return len(right), 1 - np.mean(right) if right else 0.0, sum(right) / max(len(truth), 1)


@pytest.mark.parametrize("turnover", [0.2, 0.6])
def test_a_moved_probe_and_a_turnover_are_told(turnover):
    days = simulate_days(
        np.random.default_rng(3), n_units=40, n_channels=64, turnover=turnover, drift_um=40
    )
    found = match(*days.days)
    _, wrong, recall = told(days, found)
    assert wrong <= 0.05 + 1 / len(found.chosen)
    assert recall > 0.85
    true = days.shift_um[1, days.neuron[0]].mean()
    depth = np.array([days.days[0].position_um[:, 1].mean()])
    assert abs(found.drift.at(depth)[0] - true) < 6


def test_tetrodes_without_places_and_one_channel_are_matched():
    size = {"n_units": 60, "n_channels": 4, "n_tetrodes": 12, "drift_um": 5.0}
    days = simulate_days(np.random.default_rng(1), turnover=0.4, **size)
    found = match(*days.days)
    _, wrong, recall = told(days, found)
    assert wrong <= 0.1
    assert recall > 0.6
    shanks = [day.shank[day.mean.max(axis=1).argmax(axis=1)] for day in days.days]
    assert np.all(shanks[0][found.pairs.a] == shanks[1][found.pairs.b])
    one = simulate_days(np.random.default_rng(1), n_units=6, n_channels=1, drift_um=1.0)
    assert len(match(*one.days).absent_a) == len(one.days[0])


def test_strangers_are_told_to_be_strangers():
    days = simulate_days(np.random.default_rng(2), n_units=30, n_channels=32, turnover=1.0)
    found = match(*days.days)
    assert len(found.chosen) <= 2
    assert np.nanmean(found.absent_a) > 0.8


def test_halves_of_a_day_find_themselves():
    days = simulate_days(np.random.default_rng(4), n_units=25, n_channels=32)
    itself = against_itself(days.days[0])
    assert itself.found > 0.9
    assert itself.wrong < 0.1


def test_a_shift_is_carried_along_the_probe():
    day = simulate_days(np.random.default_rng(5), n_units=10, n_channels=64).days[0]
    smooth = np.exp(-0.5 * ((day.position_um[:, 1] - 300) / 60) ** 2)
    moved = np.exp(-0.5 * ((day.position_um[:, 1] + 17 - 300) / 60) ** 2)
    assert np.abs(carried(day, 17.0) @ smooth - moved)[5:-5].max() < 0.08
    assert np.all(rigid(day, 4.0).at(np.array([-1e4, 0.0, 1e4])) == 4.0)


def test_two_probes_and_hardly_any_units_are_refused():
    days = simulate_days(np.random.default_rng(6), n_units=12, n_channels=32).days
    with pytest.raises(BadArgumentError, match="one probe"):
        match(days[0], replace(days[1], position_um=days[1].position_um * 2))
    with pytest.raises(BadArgumentError, match="one rate"):
        match(days[0], replace(days[1], rate_hz=20_000.0))
    with pytest.raises(BadArgumentError, match="day 2"):
        match(days[0], days[1].take(np.arange(2)))
    gone = days[1].halves.copy()
    gone[..., 3] = np.nan
    found = match(days[0], replace(days[1], halves=gone))
    assert 3 not in found.channels
    assert len(found.channels) == 31
    gone[...] = np.nan
    with pytest.raises(BadArgumentError, match="good on both"):
        match(days[0], replace(days[1], halves=gone))
