import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadMetadataError
from nissl.sync import ClockMap


@st.composite
def clock_maps(draw, start_s=0.0):
    """Maps through 2 to 30 knots, 0.05 to 50 s apart, with local rates within 500 ppm."""
    n = draw(st.integers(2, 30))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    a = start_s + np.cumsum(rng.uniform(0.05, 50, n))
    offset = draw(st.floats(-1e6, 1e6))
    b = (
        offset
        + a[0]
        + np.concatenate([[0], np.cumsum(np.diff(a) * rng.uniform(0.9995, 1.0005, n - 1))])
    )
    return ClockMap.through(a, b)


times = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30)


@given(clock_maps(), times)
@settings(deadline=None)
def test_inverse_undoes_the_map(clock_map, seconds):
    back = clock_map.inverse()(clock_map(seconds))
    np.testing.assert_allclose(back, seconds, rtol=0, atol=2e-9)


@given(clock_maps(), times)
@settings(deadline=None)
def test_map_is_strictly_increasing(clock_map, seconds):
    ordered = np.unique(np.round(seconds, 6))
    assert np.all(np.diff(clock_map(ordered)) > 0)


@given(clock_maps(), clock_maps(), times)
@settings(max_examples=60, deadline=None)
def test_then_is_one_map_after_the_other(first, second, seconds):
    both = first.then(second)
    np.testing.assert_allclose(both(seconds), second(first(seconds)), rtol=0, atol=5e-9)


@given(clock_maps())
@settings(deadline=None)
def test_map_passes_through_its_pulses(clock_map):
    np.testing.assert_array_equal(clock_map(clock_map.knots_a_s), clock_map.knots_b_s)


@given(clock_maps())
@settings(deadline=None)
def test_json_keeps_every_bit(clock_map):
    again = ClockMap.from_json(json.loads(json.dumps(clock_map.to_json())))
    assert again == clock_map
    assert hash(again) == hash(clock_map)


def test_two_pulses_are_the_affine_map():
    clock_map = ClockMap.through([10.0, 20.0], [105.0, 125.0])
    np.testing.assert_allclose(clock_map([0, 10, 15, 20, 30]), [85, 105, 115, 125, 145])
    assert clock_map.residuals().drift_ppm == pytest.approx(1e6)


def test_beyond_the_ends_the_slope_of_the_outer_stretch_holds():
    a = np.arange(0.0, 300.0, 1.0)
    b = np.where(a < 150, a * 1.001, 150 * 1.001 + (a - 150) * 0.999)
    b[0] += 1e-4  # the jitter of the first pulse alone must not steer the map
    clock_map = ClockMap.through(a, b, edge_s=60)
    slope_before = (b[60] - b[0]) / 60
    assert clock_map(-100.0) == pytest.approx(b[0] - 100 * slope_before, abs=1e-9)
    assert clock_map(399.0) == pytest.approx(b[-1] + 100 * 0.999, abs=1e-9)


def test_offset_keeps_its_precision_at_unix_times():
    clock_map = ClockMap.offset(0.0, 1.7e9)
    assert clock_map(1e5) - 1.7e9 == 1e5
    assert clock_map.verdict(1e-3).outcome == "unchecked"
    assert not clock_map.verdict(1e-3).ok


def test_identity_and_names():
    clock_map = ClockMap.identity("probe", "board")
    assert clock_map(3.25) == 3.25
    assert clock_map.then(ClockMap.offset(0, 2, a="board", b="camera")).b == "camera"
    assert clock_map.inverse().a == "board"


def test_left_out_residuals_by_hand():
    a = np.arange(5.0)
    b = a.copy()
    b[2] += 0.003
    residuals = ClockMap.through(a, b).residuals()
    # pulse 2 is off by 3 ms; its neighbours are off by half of that when left out themselves;
    # pulses 0 and 4 are extrapolated through the line from the other end (0.003 * 1 / 3 at
    # the far side is not involved: the outer stretch spans all knots)
    by_hand = [b[k] - ClockMap.through(np.delete(a, k), np.delete(b, k))(a[k]) for k in range(5)]
    assert residuals.left_out.max_s == pytest.approx(0.003)
    assert residuals.left_out.median_s == pytest.approx(np.median(np.abs(by_hand)))
    assert residuals.left_out.p99_s == pytest.approx(np.percentile(np.abs(by_hand), 99))
    slope, intercept = np.polyfit(a, b, 1)
    worst = np.abs(b - slope * a - intercept).max()
    assert residuals.affine.max_s == pytest.approx(worst)
    assert residuals.longest_gap_s == 1


@given(clock_maps())
@settings(max_examples=40, deadline=None)
def test_left_out_equals_maps_drawn_without_each_pulse(clock_map):
    a, b = clock_map.knots_a_s, clock_map.knots_b_s
    if a.size < 3:
        assert np.isnan(clock_map.residuals().left_out.max_s)
        return
    by_hand = [
        b[k] - ClockMap.through(np.delete(a, k), np.delete(b, k))(a[k]) for k in range(a.size)
    ]
    found = clock_map.residuals().left_out
    assert found.max_s == pytest.approx(np.abs(by_hand).max(), abs=1e-8)
    assert found.median_s == pytest.approx(np.median(np.abs(by_hand)), abs=1e-8)


def test_verdict_compares_with_the_limit():
    b = np.arange(10.0)
    b[4] += 0.0007
    clock_map = ClockMap.through(np.arange(10.0), b)
    assert clock_map.verdict(0.5e-3).outcome == "above"
    assert clock_map.verdict(0.5e-3).value_s == pytest.approx(0.0007)
    assert clock_map.verdict(1e-3).ok


@pytest.mark.parametrize(
    ("a", "b", "got"),
    [
        ([0, 1, 1], [0, 1, 2], "index 2"),
        ([0, 1, 2], [0, 2, 1], "index 2"),
        ([0, np.nan, 2], [0, 1, 2], "not finite"),
        ([0, 1], [0, 1, 2], "shapes"),
        ([0], [0], "1"),
        ([], [], "0"),
    ],
)
def test_impossible_pulses_are_refused(a, b, got):
    with pytest.raises(BadMetadataError, match=got):
        ClockMap.through(a, b)


def test_malformed_json_is_our_error():
    value = ClockMap.identity().to_json()
    for broken in (
        {},
        {**value, "format": 2},
        {**value, "knots_a_s": ["x"]},
        {**value, "knots_a_s": 3},
    ):
        with pytest.raises(BadMetadataError):
            ClockMap.from_json(broken)


def test_arrays_are_read_only():
    clock_map = ClockMap.identity()
    with pytest.raises(ValueError, match="read-only"):
        clock_map.knots_a_s[0] = 1
    assert "pulses" in repr(clock_map)


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries({}, optional={k: plain for k in ClockMap.identity().to_json()}),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_json_is_a_map_or_our_error(value, with_format):
    if with_format:
        value = ClockMap.through([0.0, 1.0], [0.0, 1.0]).to_json() | value
    try:
        assert ClockMap.from_json(value)(0.0).shape == ()
    except BadMetadataError:
        return
