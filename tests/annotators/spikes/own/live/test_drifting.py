"""The displacement that spikes on a stream speak for."""

from dataclasses import replace

import numpy as np
import pytest
from tests.annotators.spikes.own.live.test_displacing import PLACE, RATE_HZ, WINDOWS, N, waves
from tests.annotators.spikes.own.live.test_displacing import whitening as white_of

from nissl.annotators.spikes.own.live.drifting import (
    AHEAD,
    REACH_UM,
    STEP_UM,
    Drift,
    can_drift,
)
from nissl.annotators.spikes.own.templates.templates import Templates

DEPTHS = (40.0, 75.0, 110.0)
EVERY = 200
"""White samples between two spikes."""
LATER = 10**6


def drift(start_um=0.0):
    cut = np.stack([waves(d)[WINDOWS.lead : WINDOWS.lead + WINDOWS.scored] for d in DEPTHS])
    basis = np.linalg.svd(cut.transpose(0, 2, 1).reshape(-1, WINDOWS.scored))[2][:3]
    rest = Templates(np.stack([waves(d) for d in DEPTHS]), basis, np.ones(3), WINDOWS)
    return Drift(rest, white_of(), PLACE, np.full(N, start_um), RATE_HZ / 2)


def see(own, moved_um, n=12, seed=0):
    """Show it spikes of tissue that stands displaced, let it decide, and forget."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1, ((n + 1) * EVERY, N)).astype(np.float32)
    first, unit = 50 + EVERY * np.arange(n), np.arange(n) % 3
    now = np.stack([own.waveform(u, own.at) for u in range(3)])
    used = replace(own.templates, waveforms=now)
    used.__dict__["channels"] = own.templates.channels
    for a, u in zip(first, unit, strict=True):
        z[a : a + WINDOWS.long] += waves(DEPTHS[u] + moved_um) - now[u]
    zero, one = np.zeros(n, np.float32), np.ones(n, np.float32)
    own.add(z, first, unit, zero, one, used)
    for u in range(3):
        own.judge(u, LATER * seed)
    own.decide()
    for u in range(3):
        own.judge(u, LATER * (seed + 1))  # what it has seen counts for nothing from here on
    own._gain[:] = 0


@pytest.mark.parametrize("moved_um", [-8.0, -2.0, 4.0, 8.0])
def test_it_goes_where_the_spikes_are(moved_um):
    own = drift()
    see(own, moved_um)
    assert own.moved_um == pytest.approx(moved_um, abs=STEP_UM)
    assert np.sign(own.moved_um) == np.sign(moved_um)


def test_it_stays_where_nothing_moves_and_without_spikes():
    own = drift()
    for seed in range(10):
        see(own, 0.0, seed=seed)
    assert own.moved_um == 0
    for u in range(3):
        own.judge(u, 12 * LATER)
    own.decide()
    assert own.moved_um == 0


def test_it_is_counted_from_where_the_stream_began():
    own = drift(start_um=10.0)
    see(own, 10.0)
    assert own.moved_um == 0
    np.testing.assert_allclose(own.waveform(1, own.at), waves(DEPTHS[1] + 10.0), atol=2.5)
    see(own, 16.0, seed=1)
    assert own.moved_um == pytest.approx(6.0, abs=STEP_UM)


def test_it_goes_no_further_than_it_looks():
    own = drift()
    for seed in range(2 * round(REACH_UM / STEP_UM)):
        own.at = min(own.at + max(AHEAD), round(2 * REACH_UM / STEP_UM))
        see(own, own.moved_um, n=3, seed=seed)
    assert own.moved_um <= REACH_UM


def test_channels_that_templates_come_to_are_held_from_the_beginning():
    own = drift()
    for u in range(3):
        held = own.templates.channels[u]
        for um in (-20.0, 20.0):
            there = waves(DEPTHS[u] + um)
            power = np.sqrt(np.sum(there**2, axis=0))
            assert set(np.flatnonzero(power > 0.1 * power.max())) <= set(held.tolist())


def test_only_places_that_are_known_and_span_enough_show_a_displacement():
    assert can_drift(PLACE)
    assert not can_drift(PLACE[:6])
    assert not can_drift(np.full((N, 2), np.nan))
