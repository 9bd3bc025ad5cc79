"""Firing is held against matches that knew nothing of it; doubts are told."""

from dataclasses import replace

import numpy as np

from nissl.align.waveforms.firing import LEAST, autocorrelograms, firing_check
from nissl.align.waveforms.matching import Itself, match
from nissl.align.waveforms.simulate import simulate_days
from nissl.project.relating.waveforming import _of_days, _of_matches

RATE_HZ = 30_000.0


def trains(rng, neurons, *, same):
    """Spike trains with a rhythm of each neuron's own, or of none."""
    found = {}
    for unit, neuron in enumerate(neurons.tolist()):
        period = 8 + 3 * (neuron % 20) if same else rng.integers(8, 68)
        gaps = rng.normal(period, 0.1 * period, 1500).clip(2)
        found[unit] = np.cumsum(gaps * RATE_HZ / 1000).astype(np.int64)
    return found


def checked(*, same):
    rng = np.random.default_rng(0)
    days = simulate_days(rng, n_units=40, n_channels=64, turnover=0.2)
    found = match(*days.days)
    curves = [
        autocorrelograms(trains(rng, who, same=same), RATE_HZ, day.items)
        for who, day in zip(days.neuron, days.days, strict=True)
    ]
    return found, firing_check(found, *curves)


def test_partners_that_fire_alike_are_told():
    found, told = checked(same=True)
    assert told.n_pairs > 15
    assert told.low > 0.8
    (note,) = [f for f in _of_matches(found, told) if f.check == "firing"]
    assert note.severity == "note"


def test_firing_that_tells_nothing_is_a_doubt():
    found, told = checked(same=False)
    assert told.low < 0.5 < told.high
    (warning,) = [f for f in _of_matches(found, told) if f.check == "firing"]
    assert warning.severity == "warning"


def test_few_spikes_say_nothing_of_firing_and_are_doubtful():
    day = simulate_days(np.random.default_rng(1), n_units=6, n_channels=16).days[0]
    few = {int(item): np.arange(LEAST - 1) * 900 for item in day.items}
    curves, known = autocorrelograms(few, RATE_HZ, day.items)
    assert not known.any()
    assert not curves.any()
    nowhere = np.full_like(day.position_um, np.nan)
    poor = replace(day, n_spikes=np.full(len(day), 20), position_um=nowhere)

    class Labels:
        items = np.arange(len(day) + 2)

    told = _of_days([poor], [Labels()], [Itself(0.3, 0.2, len(day))], ("tuesday",))
    assert [f.check for f in told] == [
        "units_left_out", "few_spikes", "few_units", "no_places", "split_halves"
    ]  # fmt: skip
    assert all("tuesday" in f.sentence for f in told)
