"""Shapes on curves whose features are known, and what must not change them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.celltypes import waveforms
from nissl.annotators.celltypes.axes import BEFORE, N_WAVE, WAVE_MS
from nissl.annotators.celltypes.unit import Unit

PEAK_MS, SIGMA_MS = 0.45, 0.12


def curve(ms, peak_ms=PEAK_MS):
    """A trough at 0 of width 0.12 ms and a peak of 0.4 times its size."""
    return -np.exp(-0.5 * (ms / SIGMA_MS) ** 2) + 0.4 * np.exp(-0.5 * ((ms - peak_ms) / 0.2) ** 2)


def spike(rate_hz=30_000.0, *, shift_ms=0.0, gain=100.0, before_ms=1.0, after_ms=2.0, **shape):
    n = round((before_ms + after_ms) * rate_hz / 1000)
    ms = np.arange(n) * 1000 / rate_hz - before_ms - shift_ms
    return Unit(waveform=gain * curve(ms, **shape)[:, None], rate_hz=rate_hz)


def both(unit):
    shape = waveforms.shape_of(unit)
    return waveforms.on_axis(shape), waveforms.waveform_features(shape)


def close(a, b, atol=0.02):
    for name, value in a.items():
        slack = 0.15 if name.endswith("per_ms") else atol
        assert b[name] == pytest.approx(value, abs=slack), name


def test_features_of_a_known_curve():
    wave, found = both(spike())
    assert wave.shape == (N_WAVE,)
    assert wave[BEFORE] == pytest.approx(-1, abs=1e-6)
    assert np.all(np.isfinite(wave))
    fine = np.arange(-1, 2, 1e-4)
    value = curve(fine)
    trough = fine[np.argmin(value)]
    after = np.where(fine > trough, value, -1)
    assert found["trough_to_peak_ms"] == pytest.approx(fine[np.argmax(after)] - trough, abs=0.01)
    below = fine[value <= value.min() / 2]
    assert found["half_width_ms"] == pytest.approx(np.ptp(below), abs=0.005)
    assert found["peak_trough_ratio"] == pytest.approx(value.max() / -value.min(), abs=0.005)
    steep = np.gradient(value, fine)
    near = (fine > trough - 0.5) & (fine < trough + 0.25)
    fall = fine[near][np.argmin(steep[near])]
    rise = fine[fine > fall][np.argmax(steep[fine > fall])]
    assert found["trough_to_peak_derivative_ms"] == pytest.approx(rise - fall, abs=0.01)
    assert found["positive_peaks"] == found["negative_peaks"] == 1
    assert found["ab_ratio"] > 0.3
    assert found["repolarization_per_ms"] > 0 > found["recovery_per_ms"]
    assert found["polarity"] == pytest.approx((value.max() + value.min()) / np.ptp(value), abs=0.01)


@given(st.floats(0.01, 100.0))
def test_gain_changes_nothing(gain):
    wave, found = both(spike())
    other_wave, other = both(spike(gain=gain))
    assert np.allclose(wave, other_wave, atol=1e-9)
    close(found, other, atol=1e-6)


@given(st.floats(-0.05, 0.05), st.sampled_from([20_000.0, 24_414.0, 25_000.0, 32_000.0, 40_000.0]))
def test_shifts_and_rates_hardly_change_anything(shift_ms, rate_hz):
    """A shift of one sample, or of part of one, and any usual rate."""
    wave, found = both(spike())
    other_wave, other = both(spike(rate_hz, shift_ms=shift_ms))
    assert np.nanmax(np.abs(wave - other_wave)) < 0.02
    close(found, other)


def test_polarity_is_kept_and_durations_do_not_depend_on_it():
    wave, found = both(spike())
    inverted, other = both(spike(gain=-100.0))
    assert np.allclose(inverted, -wave)
    assert other["polarity"] == pytest.approx(-found["polarity"])
    assert other["positive_peaks"] == found["negative_peaks"]
    for name in ("trough_to_peak_ms", "half_width_ms", "ab_ratio", "recovery_per_ms"):
        assert other[name] == pytest.approx(found[name])


def test_what_was_not_recorded_is_missing():
    wave, _ = both(spike(before_ms=0.4, after_ms=0.8))
    assert np.all(np.isnan(wave[WAVE_MS < -0.41]))
    assert np.all(np.isnan(wave[WAVE_MS > 0.81]))
    assert np.all(np.isfinite(wave[(WAVE_MS > -0.39) & (WAVE_MS < 0.75)]))


def test_a_peak_that_was_not_reached_is_missing_unless_it_is_late_anyway():
    cut_early = both(spike(after_ms=0.3))[1]
    assert np.isnan(cut_early["trough_to_peak_ms"])
    assert np.isfinite(cut_early["half_width_ms"])
    cut_late = both(spike(after_ms=0.75, peak_ms=1.0))[1]
    assert cut_late["trough_to_peak_ms"] == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize(
    "waveform",
    [np.zeros((60, 3)), np.full((60, 3), 7.0), np.full((60, 3), np.nan), np.ones((4, 1))],
    ids=["zero", "flat", "nan", "short"],
)
def test_nothing_is_said_of_a_flat_waveform(waveform):
    unit = Unit(waveform=waveform, rate_hz=3e4)
    wave, found = both(unit)
    assert np.all(np.isnan(wave))
    assert np.all(np.isnan(list(found.values())))
    assert np.all(np.isnan(list(waveforms.space_features(unit, None).values())))


def on_a_probe(speed_um_per_ms=None, decay_um=50.0, n=20):
    position = np.stack([np.zeros(n), 20.0 * np.arange(n)], axis=1)
    apart = position[:, 1] - position[n // 2, 1]
    ms = np.arange(90) / 30 - 1
    delay = 0 * apart if speed_um_per_ms is None else np.maximum(apart, 0) / speed_um_per_ms
    wave = 100 * curve(ms[:, None] - delay) * np.exp(-np.abs(apart) / decay_um)
    return Unit(waveform=wave, rate_hz=3e4, position_um=position)


def test_decay_and_spread_on_a_probe():
    unit = on_a_probe()
    shape = waveforms.shape_of(unit)
    assert shape.main == 10
    found = waveforms.space_features(unit, shape)
    assert found["decay_per_um"] == pytest.approx(1 / 50, rel=0.01)
    assert 100 <= found["spread_um"] <= 200
    assert found["velocity_above_s_per_m"] == pytest.approx(0, abs=0.01)


def test_travel_up_the_probe_has_its_speed():
    unit = on_a_probe(speed_um_per_ms=500.0)
    found = waveforms.space_features(unit, waveforms.shape_of(unit))
    assert found["velocity_above_s_per_m"] == pytest.approx(1000 / 500, rel=0.1)
    assert found["velocity_below_s_per_m"] == pytest.approx(0, abs=0.02)


def test_space_needs_positions_and_four_channels():
    unit = on_a_probe()
    bare = Unit(waveform=unit.waveform, rate_hz=3e4)
    few = Unit(waveform=unit.waveform[:, 9:12], rate_hz=3e4, position_um=unit.position_um[9:12])
    for other in (bare, few):
        found = waveforms.space_features(other, waveforms.shape_of(other))
        assert np.all(np.isnan(list(found.values())))
