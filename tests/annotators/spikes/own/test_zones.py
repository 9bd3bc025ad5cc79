"""Zones of a probe: each channel in one core, the same white samples, each unit once."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.preprocessing.front import fit_front, white
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows
from nissl.annotators.spikes.own.zones import (
    ALONE,
    CORE,
    MARGIN_UM,
    Part,
    Zone,
    along,
    front_of,
    joined,
    together,
    zones_of,
)
from nissl.annotators.spikes.simulate import simulate_truth

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)


def places(n):
    return np.stack([32.0 * (np.arange(n) % 2), 20.0 * (np.arange(n) // 2)], axis=1)


@pytest.mark.parametrize("n", [ALONE + 1, 96, 384, 383])
def test_every_channel_is_in_one_core_and_margins_reach_as_far_as_templates(n):
    position = np.random.default_rng(0).permutation(places(n))
    zones = zones_of(position)
    owned = np.concatenate([zone.channels[zone.core] for zone in zones])
    np.testing.assert_array_equal(np.sort(owned), np.arange(n))
    near = neighbours(position, MARGIN_UM - 1)
    for zone in zones:
        core = zone.channels[zone.core]
        assert core.size <= CORE
        assert set(np.flatnonzero(near[core].any(axis=0))) <= set(zone.channels)


@pytest.mark.parametrize("position", [places(ALONE), np.full((200, 2), np.nan)])
def test_small_probes_and_unknown_places_are_one_zone(position):
    (zone,) = zones_of(position)
    assert zone.core.all()
    np.testing.assert_array_equal(zone.channels, np.arange(len(position)))


def test_channels_of_a_large_probe_are_in_order_of_depth():
    position = np.random.default_rng(1).permutation(places(ALONE + 8))
    columns = along(range(100, 100 + len(position)), position)
    assert sorted(columns) == list(range(100, 100 + len(position)))
    found = position[np.asarray(columns) - 100]
    np.testing.assert_array_equal(found, places(ALONE + 8))


@pytest.mark.parametrize("position", [places(ALONE)[::-1], np.full((200, 2), np.nan)])
def test_channels_of_small_probes_and_unknown_places_stay_in_order(position):
    columns = list(range(len(position)))
    assert along(columns, position) == columns


def test_white_samples_of_a_zone_are_those_of_the_probe():
    signal = simulate_truth(100, n_channels=96, duration_s=4.0, n_units=4).recording.signal
    front = fit_front(signal, list(range(96)), 300.0, 6000.0)
    position = np.asarray(signal.channels.position_um, float)[:, :2]
    segment = signal.clock.segments[0]
    whole = white(signal, front, segment, 30_000, 60_000)
    for zone in zones_of(position):
        part = front_of(front, zone, position)
        assert len(part.columns) < 96
        found = white(signal, part, segment, 30_000, 60_000)
        np.testing.assert_allclose(found, whole[:, zone.channels], atol=1e-3)


def part_of(zone, mains, ats, size, seed=0):
    """Templates with their peaks on some channels of the probe, and when each fires."""
    position = places(80)
    rng = np.random.default_rng(seed)
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    wave = -np.exp(-0.5 * (t / 2.0) ** 2)
    apart = [np.linalg.norm(position - position[c], axis=1) for c in mains]
    waves = np.stack([np.outer(wave, size * np.exp(-d / 30)) for d in apart])[:, :, zone.channels]
    waves = (waves + 0.02 * rng.standard_normal(waves.shape)).astype(np.float32)
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((WINDOWS.scored, 6)))[0].T
    rates = np.asarray([len(a) / 40 for a in ats])
    at = np.concatenate(ats)
    unit = np.repeat(np.arange(len(ats)), [len(a) for a in ats])
    order = np.argsort(at, kind="stable")
    f = np.zeros(at.size, np.float32)
    spikes = Matched(at[order], f, unit[order], f + 1, f, unit * 0 - 1, f)
    templates = Templates(waves, np.ascontiguousarray(basis, np.float32), rates, WINDOWS)
    return Part(zone, templates, np.arange(len(mains)), spikes)


@pytest.fixture
def zones():
    channels = np.arange(80)
    return [Zone(channels[:52], channels[:52] < 40), Zone(channels[28:], channels[28:] >= 40)]


def times(seed, n=300):
    return np.sort(np.random.default_rng(seed).choice(600_000, n, replace=False))


def test_a_unit_that_both_zones_found_stays_once(zones):
    # its largest channel is 39 to one zone, 40 to the other
    both = times(1)
    one = part_of(zones[0], [10, 39], [times(0), both], 10.0)
    other = part_of(zones[1], [40, 70], [both + 1, times(2)], 9.0)
    templates, unit = joined([one, other], places(80), RATE_HZ)
    assert templates.main.tolist() == [10, 39, 70]
    np.testing.assert_array_equal(unit, np.arange(3))


def test_neighbours_that_fire_on_their_own_both_stay(zones):
    one = part_of(zones[0], [39], [times(1)], 10.0)
    other = part_of(zones[1], [40], [times(2)], 10.0)
    templates, _ = joined([one, other], places(80), RATE_HZ)
    assert templates.main.tolist() == [39, 40]


def test_units_of_the_margin_are_left_to_the_zone_that_has_them(zones):
    shared = times(1)
    one = part_of(zones[0], [10, 46], [times(0), shared], 10.0)
    other = part_of(zones[1], [46], [shared], 10.0)
    templates, _ = joined([one, other], places(80), RATE_HZ)
    assert templates.main.tolist() == [10, 46]


def test_a_unit_that_each_zone_takes_for_the_others_is_not_lost(zones):
    both = times(1)
    one = part_of(zones[0], [41], [both], 10.0)
    other = part_of(zones[1], [38], [both], 9.0)
    templates, _ = joined([one, other], places(80), RATE_HZ)
    assert templates.main.tolist() == [41]


def test_far_in_the_margin_nothing_is_kept(zones):
    one = part_of(zones[0], [51], [times(1)], 10.0)
    assert joined([one], places(80), RATE_HZ) is None


def test_pieces_that_displacement_made_stay_one_unit_across_a_border(zones):
    first, second = times(1), times(3)
    one = part_of(zones[0], [38, 39], [first, second], 10.0)
    one = Part(one.zone, one.templates, np.zeros(2, np.int64), one.spikes)
    other = part_of(zones[1], [40, 44], [second, times(4)], 9.0)
    templates, unit = joined([one, other], places(80), RATE_HZ)
    assert templates.main.tolist() == [38, 39, 44]
    assert unit.tolist() == [0, 0, 1]


def test_spikes_that_come_together_are_counted_of_the_fewer():
    one, other = np.asarray([100, 200, 300]), np.asarray([95, 203, 1000, 2000])
    assert together(one, other, 5) == pytest.approx(2 / 3)
    assert together(other, one, 5) == pytest.approx(2 / 3)
    assert together(one[:0], other, 5) == 0.0
