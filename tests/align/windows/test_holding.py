"""Geometry and dynamics over hours: what holds, what drifts slowly, what cannot be said."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.align.fragments import Fragment
from nissl.align.windows.holding import cut, holding
from nissl.errors import BadArgumentError

BIN_S = 0.1


def hours(drift, *, minutes=40.0, n_units=40, seed=0):
    """Two rotations in four latents, heard through loadings that turn by `drift` quarter turns."""
    rng = np.random.default_rng(seed)
    n = int(minutes * 60 / BIN_S)
    step = np.zeros((4, 4))
    for k, (angle, size) in enumerate(((0.3, 0.97), (0.12, 0.95))):
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        step[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = size * np.array(turn)
    z, noise = np.zeros((n, 4)), 0.3 * rng.standard_normal((n, 4))
    for t in range(1, n):
        z[t] = step @ z[t - 1] + noise[t]
    first, last = 0.4 * rng.standard_normal((2, 4, n_units))
    way = drift * np.linspace(0, np.pi / 2, n)[:, None]
    drive = (z @ first) * np.cos(way) + (z @ last) * np.sin(way)
    counts = rng.poisson(np.exp(np.clip(drive - 1.2, -8, 3))).astype(float)
    return Fragment("long", counts, BIN_S), np.arange(n) * BIN_S


def held(fragment, start_s, minutes=5.0, **options):
    pieces, begin = cut(fragment, start_s, minutes)
    found = holding(pieces, begin, np.random.default_rng(0), n_axes=4, n_null=29, **options)
    return found, {h.measure: h for h in found.measures}


def test_what_does_not_drift_holds():
    found, by = held(*hours(0.0))
    assert len(found.start_s) == 8
    for one in by.values():
        assert one.lasts == 8
        assert abs(one.value[-1] - one.own[-1]) < 0.15
    assert found.angle.max() < 30
    assert (by["rule"].value > found.persistence + 0.3).all()
    assert found.silent == ()


def test_slow_drift_is_seen_in_all_three():
    found, by = held(*hours(1.0))
    for one in by.values():
        assert one.trend < -0.8
        assert one.p < 0.05
        assert one.value[-1] < 0.5 * one.own[-1]
    assert by["correlations"].lasts < 8
    assert found.angle[-1] > 70


def test_independent_units_have_nothing_that_could_hold():
    rng = np.random.default_rng(0)
    fragment = Fragment("noise", rng.poisson(0.5, (12_000, 30)).astype(float), BIN_S)
    _, by = held(fragment, np.arange(12_000) * BIN_S)
    assert by["correlations"].lasts <= 1
    assert by["rule"].value.max() < 0.05


def test_units_that_fall_silent_are_named():
    fragment, start_s = hours(0.0)
    fragment.activity[len(start_s) // 2 :, 7] = 0
    assert held(fragment, start_s)[0].silent == (7,)


def test_pieces_are_cut_by_time_and_pauses_stay_out():
    fragment, start_s = hours(0.0, minutes=20.0)
    later = start_s + np.where(np.arange(len(start_s)) > 6000, 600.0, 0.0)
    pieces, begin = cut(fragment, later, 5.0)
    assert len(pieces) == 4
    assert begin[2] > 1199
    assert sum(p.n_bins for p in pieces) <= len(start_s)


def test_bad_input_is_refused():
    fragment, start_s = hours(0.0, minutes=10.0)
    with pytest.raises(BadArgumentError, match="three pieces"):
        held(fragment, start_s)
    with pytest.raises(BadArgumentError, match="longer than nothing"):
        cut(fragment, start_s, 0.0)
    with pytest.raises(BadArgumentError, match="200 bins or more"):
        held(fragment, start_s, minutes=0.2)
    pieces, begin = cut(fragment, start_s, 3.0)
    with pytest.raises(BadArgumentError, match="the same units"):
        holding([pieces[0], pieces[1], pieces[2].select(np.arange(9))], begin[:3],
                np.random.default_rng(0))  # fmt: skip


@pytest.mark.data
def test_three_hours_of_a_sleeping_mouse_hold_their_correlations():
    root = Path(os.environ.get("NISSL_DATA", Path(__file__).parents[4] / "shared" / "data"))
    path = root / "glue" / "lfp_spikes" / "mouse_ca1_units_sleep.npz"
    if not path.exists():
        pytest.skip(f"no data at {path}")
    with np.load(path, allow_pickle=False) as file:
        counts = file["rate_bins"].T.astype(float)
    pieces, begin = cut(Fragment("ca1", counts, 1.0), np.arange(len(counts)) * 1.0, 10.0)
    found = holding(pieces, begin, np.random.default_rng(0), smooth_s=0.0)
    by = {h.measure: h for h in found.measures}
    assert by["correlations"].lasts == len(pieces) == 18
    assert by["space"].lasts == 18
