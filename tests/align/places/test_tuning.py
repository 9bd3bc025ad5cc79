"""Rates by place, decoding, remapping and matching by tuning, on simulated place cells."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nissl.align.fragments import Fragment
from nissl.align.places.remapping import maps_of
from nissl.align.places.same_units import CURVE, fitted, same_units, simulated
from nissl.align.places.simulate import BINS, TRACK_CM, simulate_places
from nissl.align.places.tuning import Tuning, along_tracks, decoded, places, summed, tuned
from nissl.errors import BadArgumentError


@cache
def two_days(drift_cm: float = 3.0) -> list[tuple[Fragment, Tuning]]:
    return simulate_places(np.random.default_rng(0), drift_cm=drift_cm)


def test_places_know_the_direction_and_where_an_animal_rests() -> None:
    where = places(
        np.array([0.0, 99.0, 100.0, 50.0]),
        np.array([5.0, -5.0, 5.0, 0.0]),
        10,
        low=0.0,
        high=100.0,
        still=1.0,
    )
    assert_array_equal(where, [0, 19, 9, -1])


def test_rates_are_events_per_bin_where_the_animal_was() -> None:
    events = np.array([[1.0, 0], [1, 0], [0, 2], [0, 2], [3, 0]])
    fragment = Fragment("s", events, 0.1, np.array([0, 0, 0, 1, 1]))
    found = tuned(fragment, np.array([0, 0, 1, 1, -1]), np.eye(3))
    assert_allclose(found.rates[0, 0], [1, 0])
    assert_allclose(found.rates[0, 1], [0, 2])
    assert np.isnan(found.rates[1, 0]).all()
    assert np.isnan(found.rates[:, 2]).all()
    assert_allclose(found.spent, [[2, 1, 0], [0, 1, 0]])
    assert_allclose(found.mean()[:2], [[1, 0], [0, 2]])


def test_neighbours_across_directions_do_not_mix() -> None:
    weights = along_tracks(4, 2)
    assert weights.shape == (8, 8)
    assert not weights[:4, 4:].any()


def error_cm(train: Tuning, test: Fragment) -> float:
    _, here, there = np.intersect1d(train.units, np.asarray(test.units), return_indices=True)
    said = decoded(train.mean()[:, here] * 5, summed(test.activity[:, there], 5)) % BINS
    centre = (said + 0.5) * TRACK_CM / BINS
    return float(np.median(np.abs(centre - test.behaviour["position"][:, 0])))


def test_known_identity_carries_position_to_another_day() -> None:
    (_, first), (second, _) = two_days()
    shuffled = replace(first, units=np.random.default_rng(1).permutation(first.units))
    assert error_cm(first, second) < 8
    assert error_cm(shuffled, second) > 15


def test_remapped_windows_are_found_and_noise_is_not_taken_for_a_map() -> None:
    follows = ((0, 0, 0, 0, 0), (0, 1, 0, 1, 1), (1, 1, 1, 0, -1))
    days = simulate_places(np.random.default_rng(3), maps=follows)
    found = maps_of([t for _, t in days], np.random.default_rng(0))
    true = np.concatenate(follows)
    assert_array_equal(found.remapped, true == 1)
    assert_array_equal(found.unclear, true == -1)


def test_a_map_that_stays_is_not_split() -> None:
    days = simulate_places(np.random.default_rng(5), maps=((0,) * 4,) * 4, drift_cm=4.0)
    found = maps_of([t for _, t in days], np.random.default_rng(0))
    assert not found.remapped.any()
    assert not found.unclear.any()


def test_sessions_without_shared_units_are_refused() -> None:
    (_, first), (_, second) = two_days()
    strange = replace(second, units=second.units + 1000)
    one = replace(first, rates=first.rates[:1], spent=first.spent[:1], windows=first.windows[:1])
    two = replace(
        strange, rates=strange.rates[:1], spent=strange.spent[:1], windows=strange.windows[:1]
    )
    with pytest.raises(BadArgumentError, match="same cells first"):
        maps_of([one, two], np.random.default_rng(0))


def test_cells_are_matched_by_what_they_do_far_above_chance() -> None:
    (_, first), (_, second) = two_days(1.0)
    found = same_units(first, second)
    right = first.units[found.a] == second.units[found.b]
    assert right.mean() > 0.3
    assert np.mean(right[found.confidence >= np.median(found.confidence)]) > right.mean()
    assert found.present > 0.5
    assert abs(found.confidence.mean() - right.mean()) < 0.15
    assert (found.probability.sum(axis=1) <= 1 + 1e-9).all()
    assert len(np.unique(found.b)) == len(found.b)


def test_strangers_are_not_matched_with_confidence() -> None:
    (_, first), _ = two_days()
    (_, other), _ = simulate_places(np.random.default_rng(99))
    found = same_units(first, other)
    assert found.present < 0.2
    assert np.mean(found.probability[found.a, found.b]) < 0.1
    # Right of many days, and so of one animal's more often than of two's, where nothing is right.
    assert np.mean(found.confidence) < 0.2


def test_what_is_claimed_is_right_as_often_on_other_simulated_days() -> None:
    """Seeds that the curve has not seen; softassign alone claims half of what is right."""
    facts, right = simulated(range(2000, 2008))
    offset, *slopes = CURVE
    said = 1 / (1 + np.exp(-(offset + facts @ np.array(slopes))))
    plain = 1 / (1 + np.exp(-facts[:, 0]))
    assert abs(said.mean() - right.mean()) < 0.1
    assert abs(said.mean() - right.mean()) < abs(plain.mean() - right.mean())
    again = fitted(facts, right)
    assert (np.array(again[1:]) > 0).all()


def test_matching_needs_two_windows() -> None:
    (_, first), (_, second) = two_days()
    one = replace(first, rates=first.rates[:1], spent=first.spent[:1], windows=first.windows[:1])
    with pytest.raises(BadArgumentError, match="split it into laps"):
        same_units(one, second)


def test_nowhere_is_refused() -> None:
    fragment, _ = two_days()[0]
    with pytest.raises(BadArgumentError, match="some movement"):
        tuned(fragment, np.full(fragment.n_bins, -1), along_tracks(BINS, 2))
