"""Footprints that move: those at rest at 0, one contact further by one pitch, smooth between."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.footprints import Field, field_of, footprint
from nissl.annotators.spikes.groundtruth import grid_um
from nissl.annotators.spikes.hybrid_units import HybridUnit
from nissl.annotators.spikes.moving_footprints import MovingFootprint, seen_between

PITCH_UM = 20.0
PLACE_UM = np.asarray([4.0, 103.0, 9.0])
POSITION_UM = grid_um(24)


def make_unit(n_channels=9, rate_hz=20_000.0):
    """Another shape on each channel: the trough comes later and is wider further away."""
    t_ms = (np.arange(60) - 25) / rate_hz * 1e3
    far = np.arange(n_channels)
    late, width = 0.02 * far, 0.15 + 0.03 * far
    shape = np.exp(-(((t_ms[:, None] - late) / width) ** 2))
    shape -= 0.4 * np.exp(-(((t_ms[:, None] - 0.5 - late) / (0.2 + 0.02 * far)) ** 2))
    times = np.arange(1.0, 60.0, 0.11)
    return HybridUnit("a/u0", "a", -90 * shape * 0.8**far, rate_hz, times)


def make_moving(spatial="fitted"):
    field = field_of(make_unit(), PLACE_UM, POSITION_UM, 30_000.0, spatial=spatial)
    return MovingFootprint(field, PLACE_UM, POSITION_UM)


@pytest.mark.parametrize("spatial", ["fitted", "measured"])
def test_a_unit_that_has_not_moved_is_the_one_at_rest(spatial):
    rest = footprint(make_unit(), PLACE_UM, POSITION_UM, 30_000.0, spatial=spatial)
    moving = make_moving(spatial)
    assert np.array_equal(moving.at(0.0).waveforms_uv, rest.waveforms_uv)
    almost = moving.at(1e-6).waveforms_uv  # the law at 0 is what was placed
    assert np.allclose(almost, rest.waveforms_uv, atol=1e-3)


@pytest.mark.parametrize("spatial", ["fitted", "measured"])
@pytest.mark.parametrize("pitches", [-2, -1, 1, 2])
def test_by_whole_pitches_it_is_the_same_unit_further_along(spatial, pitches):
    moving = make_moving(spatial)
    rest = moving.at(0.0).template_uv
    moved = moving.at(pitches * PITCH_UM).template_uv
    rows = np.arange(12)
    kept = rows[(rows - pitches >= 0) & (rows - pitches < 12)]
    for column in (0, 12):
        assert np.allclose(moved[:, column + kept], rest[:, column + kept - pitches], atol=1e-3)


@pytest.mark.parametrize("spatial", ["fitted", "measured"])
@settings(max_examples=40, deadline=None)
@given(displacement=st.floats(-60, 60))
def test_moving_a_little_changes_little(spatial, displacement):
    moving = make_moving(spatial)
    a, b = (moving.at(d).template_uv for d in (displacement, displacement + 0.25))
    # a whole pitch swaps a shape for another: an eightieth of it changes no more than that
    assert np.abs(b - a).max() < 2.5 * np.abs(a).max() / 80


@settings(max_examples=40, deadline=None)
@given(displacement=st.floats(-60, 60))
def test_the_unit_is_largest_on_a_contact_beside_it(displacement):
    moving = make_moving()
    made = moving.at(displacement)
    best = int(np.argmax(np.abs(made.template_uv[made.n_before])))
    assert abs(POSITION_UM[best, 1] - (PLACE_UM[1] + displacement)) <= PITCH_UM
    assert POSITION_UM[best, 0] == 0.0


def test_amplitudes_follow_the_distance():
    moving = make_moving()
    distance = [np.linalg.norm([4.0, 3.0, 9.0]), np.linalg.norm([4.0, 7.0, 9.0])]
    expected = moving.field.peak_uv * np.exp((distance[0] - distance[1]) / moving.field.decay_um)
    # contact 5 is 3 um below the unit at rest and 7 um below it when moved up by 4
    size = np.abs(moving.field.shapes[:, :, 5]).max()
    blended = np.abs(moving.at(4.0).waveforms_uv[:, :, 5]).max()
    assert blended == pytest.approx(expected * size, rel=0.05)
    assert blended < moving.field.peak_uv
    assert np.abs(moving.at(-3.0).waveforms_uv[:, :, 5]).max() > 0.99 * moving.field.peak_uv


def test_contacts_far_away_stay_finite():
    position = grid_um(600)
    place = np.asarray([4.0, 30.0, 6.0])
    sharp = Field(
        shapes=np.ones((8, 5, 600)),
        amplitude_uv=np.zeros(600),
        log_excess=np.zeros(600),
        peak_uv=100.0,
        nearest_um=8.0,
        decay_um=8.0,
        n_before=2,
        n_real_channels=5,
    )
    made = MovingFootprint(sharp, place, position).at(50.0)
    assert np.all(np.isfinite(made.waveforms_uv))
    assert np.argmax(made.template_uv[2]) == 4


def test_a_contact_lies_between_two_of_its_own_column():
    low, high, weight = seen_between(grid_um(6), 5.0)
    assert low.tolist() == [0, 0, 1, 3, 3, 4]
    assert high.tolist() == [1, 1, 2, 4, 4, 5]
    assert np.allclose(weight, [0.0, 0.75, 0.75, 0.0, 0.75, 0.75])
    alone = seen_between(np.asarray([[0.0, 0.0], [9.0, 5.0]]), 70.0)
    assert [part.tolist() for part in alone] == [[0, 1], [0, 1], [0.0, 0.0]]
