"""Units that are added: libraries, moved units, trains, places and sizes."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.groundtruth import grid_um
from nissl.annotators.spikes.verifying.bed import Bed, peak_in_band
from nissl.annotators.spikes.verifying.firing import REFRACTORY_S, made_train
from nissl.annotators.spikes.verifying.library import built_in, read_library
from nissl.annotators.spikes.verifying.own import OwnUnit, moved
from nissl.annotators.spikes.verifying.placing import APART_UM, Design, planned
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadMetadataError, SourceNotFoundError

RATE = 30_000.0


def _bed(n=32, noise=5.0, shank=None):
    position = grid_um(n)
    shank = np.zeros(n, np.int64) if shank is None else shank
    inf = np.full(n, np.inf)
    return Bed(position, True, shank, np.arange(n), np.full(n, noise), RATE, -inf, inf)


def _own(channel=4, n=32, item=0):
    position = grid_um(n)
    t = np.arange(-30, 60)[:, None] / 30.0
    fall = np.exp(-np.linalg.norm(position - position[channel], axis=1) / 25.0)
    wave = -80 * np.exp(-0.5 * (t / 0.12) ** 2) + 25 * np.exp(-0.5 * ((t - 0.5) / 0.25) ** 2)
    return OwnUnit(item, (wave * fall).astype(np.float32), channel, RATE)


@settings(max_examples=25, deadline=None)
@given(rate=st.floats(0.5, 30.0), seed=st.integers(0, 1000))
def test_trains_are_refractory_within_the_recording_and_about_as_fast_as_asked(rate, seed):
    train = made_train(rate, 200.0, np.random.default_rng(seed))
    assert np.all(np.diff(train.times_s) >= REFRACTORY_S - 1e-12)
    assert train.times_s[0] >= 0
    assert train.times_s[-1] < 200.0
    assert train.factor.shape == train.times_s.shape
    assert abs(train.times_s.size / 200.0 - rate) < 0.35 * rate + 0.2


def test_amplitudes_fall_within_bursts():
    train = made_train(8.0, 2000.0, np.random.default_rng(0))
    in_burst = np.flatnonzero(np.diff(train.times_s) < 8e-3) + 1
    rest = np.setdiff1d(np.arange(train.times_s.size), in_burst)
    assert train.factor[in_burst].mean() < 0.93 * train.factor[rest].mean()


@pytest.mark.parametrize(("rate", "duration"), [(0.0, 10.0), (200.0, 10.0), (5.0, 0.0)])
def test_impossible_trains_are_refused(rate, duration):
    with pytest.raises(BadArgumentError, match="100 Hz"):
        made_train(rate, duration, np.random.default_rng(0))


def test_built_in_shapes_differ_and_have_their_trough_on_the_first_contact():
    units = built_in(6, np.random.default_rng(0))
    assert len({u.template_uv.tobytes() for u in units}) == 6
    for unit in units:
        assert np.argmax(np.abs(unit.template_uv).max(axis=0)) == 0
        assert unit.template_uv.min() < -unit.template_uv.max()


def test_libraries_that_people_bring_are_read(tmp_path):
    waves = np.random.default_rng(0).standard_normal((3, 40, 5)).astype(np.float32)
    np.savez(tmp_path / "lib.npz", templates=waves, rate_hz=20_000.0, names=["a", "b", "c"])
    units = read_library(tmp_path / "lib.npz")
    assert [u.name for u in units] == ["lib/a", "lib/b", "lib/c"]
    np.testing.assert_array_equal(units[1].template_uv, waves[1])
    with h5py.File(tmp_path / "work.nwb", "w") as file:
        made = file.create_dataset("units/waveform_mean", data=waves * 1e-6)
        made.attrs["sampling_rate"] = 20_000.0
        file["units/id"] = [4, 5, 6]
    from_nwb = read_library(tmp_path / "work.nwb")
    assert from_nwb[2].name == "work/6"
    np.testing.assert_allclose(from_nwb[2].template_uv, waves[2], rtol=1e-4, atol=1e-4)


def test_other_files_are_refused_with_what_is_missing(tmp_path):
    with pytest.raises(SourceNotFoundError, match="nothing at"):
        read_library(tmp_path / "gone.npz")
    np.savez(tmp_path / "lib.npz", templates=np.zeros((2, 4, 1)))
    with pytest.raises(BadMetadataError, match="rate_hz"):
        read_library(tmp_path / "lib.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(BadMetadataError, match="arrays at"):
        read_library(tmp_path / "text.npz")
    with h5py.File(tmp_path / "empty.nwb", "w") as file:
        file.create_group("acquisition")
    with pytest.raises(BadMetadataError, match="waveform_mean"):
        read_library(tmp_path / "empty.nwb")


def test_a_move_by_whole_rows_changes_only_the_place():
    unit, position = _own(4), grid_um(32)
    here = moved(unit, 4, position, np.zeros(32))
    there = moved(unit, 9, position, np.zeros(32))
    # column by column: 5 contacts on is 5 rows up
    np.testing.assert_allclose(there.template_uv[:, 5:16], here.template_uv[:, 0:11], atol=1e-4)
    assert np.argmax(np.abs(there.template_uv).max(axis=0)) == 9


def test_moves_off_the_rows_interpolate_and_stay_on_the_shank():
    position = grid_um(32)
    position[:, 1] += np.where(position[:, 0] > 0, 7.0, 0.0)
    shank = (position[:, 1] > 160).astype(int)
    made = moved(_own(4), 20, position, shank)
    size = np.abs(made.template_uv).max(axis=0)
    assert size[20] > 0
    assert size[20] == size.max()
    assert not size[shank == 1].any()


def test_plans_keep_apart_from_each_other_and_from_home_and_within_the_budget():
    units = [_own(c, item=c) for c in (2, 7, 12)] + list(built_in(3, np.random.default_rng(1)))
    bed, clock = _bed(), Clock.regular(RATE, round(60 * RATE))
    design = Design(rounds=3)
    rounds = planned(units, bed, clock, 12_000, design, np.random.default_rng(2))
    assert len(rounds) == 3
    for made in rounds:
        assert len(made) == 4
        assert sum(u.ticks.size for u in made) <= 1.5 * 0.1 * 12_000
        places = np.array([u.place_um for u in made])
        away = np.linalg.norm(places[:, None] - places[None], axis=2)
        assert away[~np.eye(4, dtype=bool)].min() >= 0.5 * APART_UM
        assert np.ptp(places[:, 1]) > 150
        for unit in made:
            if unit.name.startswith("own"):
                home = bed.position_um[int(unit.name.split()[-1])]
                assert np.linalg.norm(unit.place_um - home) > 0
    deepest = [min(made, key=lambda u: u.place_um[1]).snr for made in rounds]
    assert len(set(deepest)) == 3
    counts = [sum(u.snr == s for made in rounds for u in made) for s in design.snr]
    assert max(counts) - min(counts) <= 1


def test_sizes_are_over_the_noise_in_the_band_of_spikes():
    clock = Clock.regular(RATE, round(30 * RATE))
    (made,) = planned([_own()], _bed(noise=4.0), clock, 5000, Design((8.0,), 1, 1),
                      np.random.default_rng(0))  # fmt: skip
    unit = made[0]
    channel, peak = peak_in_band(unit.print_uv.template_uv * np.float32(unit.scale), RATE)
    assert channel == unit.channel
    assert peak == pytest.approx(32.0, rel=1e-3)


def test_no_waveform_crosses_a_gap():
    clock = Clock.from_segments(RATE, [round(5 * RATE)] * 6, [10.0 * k for k in range(6)])
    (made,) = planned([_own()], _bed(), clock, 9000, Design((8.0,), 1, 1),
                      np.random.default_rng(0))  # fmt: skip
    unit = made[0]
    onset = unit.sample - unit.print_uv.n_before
    width = unit.print_uv.waveforms_uv.shape[1]
    inside = [
        any(s.start <= a and a + width <= s.stop for s in clock.segments) for a in onset.tolist()
    ]
    assert all(inside)


@pytest.mark.parametrize("wrong", [{"snr": ()}, {"rounds": 0}, {"most_extra": 2.0}])
def test_impossible_designs_are_refused(wrong):
    with pytest.raises(BadArgumentError, match="Correct the options"):
        Design(**wrong)


def test_two_channels_hold_one_unit():
    bed = _bed(2)
    clock = Clock.regular(RATE, round(20 * RATE))
    rounds = planned(built_in(2, np.random.default_rng(0)), bed, clock, 0, Design(),
                     np.random.default_rng(0))  # fmt: skip
    assert [len(made) for made in rounds] == [1, 1, 1, 1]
    assert all(u.ticks.size >= 10 for made in rounds for u in made)
