"""Display filters: what they pass, what they take away, and what they leave in place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.data.filtering import Filters, filtered
from nissl.errors import BadArgumentError

RATE_HZ = 500.0


def _tone(hz: float, n: int = 5000) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(n) / RATE_HZ).astype(np.float32)[:, None]


def _left(hz: float, filters: Filters) -> float:
    """Part of a tone's amplitude that is left, away from the ends."""
    middle = slice(1500, 3500)
    return float(np.ptp(filtered(_tone(hz), RATE_HZ, filters)[middle]) / 2)


@pytest.mark.parametrize(
    ("filters", "kept_hz", "taken_hz"),
    [
        (Filters(high_hz=1.0), 10.0, 0.1),
        (Filters(low_hz=30.0), 10.0, 120.0),
        (Filters(notch_hz=50.0), 40.0, 50.0),
        (Filters(0.5, 35.0, 50.0), 12.0, 50.0),
    ],
)
def test_a_tone_passes_or_is_taken_away(filters: Filters, kept_hz: float, taken_hz: float) -> None:
    assert _left(kept_hz, filters) == pytest.approx(1.0, abs=0.06)
    assert _left(taken_hz, filters) < 0.08


@settings(max_examples=20, deadline=None)
@given(hz=st.floats(5.0, 20.0), at=st.integers(1500, 3500))
def test_nothing_moves_in_time(hz: float, at: int) -> None:
    bump = np.zeros((5000, 1), np.float32)
    bump[at] = 100.0
    out = filtered(bump, RATE_HZ, Filters(low_hz=hz))[:, 0]
    assert int(np.argmax(out)) == at
    np.testing.assert_allclose(out[at - 200 : at], out[at + 200 : at : -1], atol=1e-4)


def test_a_page_with_its_halo_looks_like_the_whole() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 50, (20_000, 2)).astype(np.float32)
    filters = Filters(1.0, 40.0, 50.0)
    halo = round(filters.halo_s * RATE_HZ)
    whole = filtered(samples, RATE_HZ, filters)[8000:12_000]
    page = filtered(samples[8000 - halo : 12_000 + halo], RATE_HZ, filters)[halo:-halo]
    assert np.abs(page - whole).max() < 0.02 * np.std(whole)


def test_missing_samples_stay_missing_and_spoil_nothing_else() -> None:
    samples = _tone(10.0)
    holed = samples.copy()
    holed[2000:2010] = np.nan
    out, whole = (filtered(x, RATE_HZ, Filters(low_hz=40.0)) for x in (holed, samples))
    np.testing.assert_array_equal(np.isnan(out), np.isnan(holed))
    np.testing.assert_allclose(out[:1900], whole[:1900], atol=1e-3)
    gone = np.full((100, 1), np.nan, np.float32)
    assert np.isnan(filtered(gone, RATE_HZ, Filters(low_hz=40.0))).all()


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_short_pieces_are_filtered_too(n: int) -> None:
    assert filtered(np.ones((n, 2), np.float32), RATE_HZ, Filters(0.5, 35.0)).shape == (n, 2)


def test_impossible_filters_are_refused() -> None:
    for wrong in ({"high_hz": -1.0}, {"low_hz": np.nan}, {"high_hz": 30.0, "low_hz": 10.0}):
        with pytest.raises(BadArgumentError):
            Filters(**wrong)
    with pytest.raises(BadArgumentError, match="half the sampling rate"):
        Filters(low_hz=300.0).sections(RATE_HZ)
    for name in ("high_hz", "low_hz", "notch_hz"):
        samples = np.ones((400, 1), np.float32)
        for value in (1e-300, 1e-9):
            with pytest.raises(BadArgumentError):
                filtered(samples, RATE_HZ, Filters(**{name: value}))
        for rate_hz in (RATE_HZ, 30_000.0):
            assert np.isfinite(filtered(samples, rate_hz, Filters(**{name: rate_hz * 1e-6}))).all()
    assert not Filters()
    samples = _tone(3.0)
    assert filtered(samples, RATE_HZ, Filters()) is samples
