"""The plan: right steps in the right order, with numbers, and nothing done twice."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.adapter import shanks_of
from nissl.annotators.spikes.adapters import (
    KILOSORT4,
    LUPIN,
    MOUNTAINSORT5,
    SPYKINGCIRCUS2,
    TRIDESCLOUS2,
)
from nissl.annotators.spikes.neuropixels import probe_name, shank_groups
from nissl.annotators.spikes.preprocess import (
    DEFAULTS,
    Plan,
    Step,
    apply_plan,
    make_plan,
    require_sortable,
)
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError, BadMetadataError, BadSamplesError

RATE = 30_000.0
ADAPTERS = (LUPIN, TRIDESCLOUS2, SPYKINGCIRCUS2, MOUNTAINSORT5, KILOSORT4)


def noise_signal(channels, *, seconds=1.0, rate_hz=RATE, scale=None, seed=0):
    rng = np.random.default_rng(seed)
    n = round(seconds * rate_hz)
    x = rng.standard_normal((n, len(channels))) * 10.0
    x = x * (np.ones(len(channels)) if scale is None else scale)
    return Signal.from_array(x.astype(np.float32), rate_hz, name="ap", channels=channels)


def np1(n=384):
    k = np.arange(n)
    x = np.asarray([43.0, 11.0, 59.0, 27.0])[k % 4]
    place = np.stack([x, 20.0 * (k // 2)], axis=1)
    return ChannelTable.plain(n, position_um=place, phase=(k // 2 % 12) / 13)


def np2_four_shanks(per_shank=96):
    k = np.arange(4 * per_shank)
    shank, i = k // per_shank, k % per_shank
    place = np.stack([250.0 * shank + 32.0 * (i % 2), 15.0 * (i // 2)], axis=1)
    return ChannelTable.plain(k.size, position_um=place, shank=shank, phase=(k // 2 % 16) / 16)


def ultra(n=384):
    k = np.arange(n)
    place = np.stack([6.0 * (k % 8), 6.0 * (k // 8)], axis=1)
    return ChannelTable.plain(n, position_um=place, phase=(k // 2 % 12) / 13)


def names_of(plan):
    return [step.step for step in plan.steps]


@pytest.mark.parametrize(
    ("table", "name", "groups", "phases"),
    [
        (np1(), "Neuropixels 1.0", [384], 12),
        (np2_four_shanks(), "Neuropixels 2.0 (4 shanks)", [96] * 4, 16),
        (ultra(), "Neuropixels Ultra", [384], 12),
    ],
    ids=["NP1.0", "NP2.0-4", "Ultra"],
)
def test_multiplexed_probes_go_through_the_fields_order(table, name, groups, phases):
    plan = make_plan(noise_signal(table, seconds=1.0), DEFAULTS | {"bad_channels": "keep"}, 0)
    assert probe_name(table) == name
    assert [len(g) for g in shank_groups(table).values()] == groups
    assert names_of(plan) == ["phase_shift", "bandpass", "reference"]
    assert plan.steps[0].parameters["n_phases"] == phases
    assert name in plan.steps[0].text
    reference = plan.steps[2].parameters["groups"]
    assert [len(g) for g in reference] == groups
    for group, indices in zip(reference, shank_groups(table).values(), strict=True):
        assert group == [table.ids[i] for i in indices]


def test_phase_shift_brings_staggered_samples_onto_one_time():
    """A 3-kHz sine sampled late by each channel's phase comes out in step."""
    table = np1(24)
    t = np.arange(60_000)[:, None] + table.phase[None, :]
    x = (100 * np.sin(2 * np.pi * 3000 * t / RATE)).astype(np.float32)
    signal = Signal.from_array(x, RATE, channels=table)
    parameters = DEFAULTS | {"bad_channels": "keep", "reference": "none"}
    recording = apply_plan(signal, make_plan(signal, parameters, 0))
    out = recording.get_traces(start_frame=20_000, end_frame=30_000)
    assert np.abs(x[:, 0] - x[:, -1]).max() > 50
    assert np.abs(out - out[:, :1]).max() < 3


def test_shanks_are_referenced_apart():
    """What all channels of one shank share is removed there, and does not leak to the others."""
    table = replace(np2_four_shanks(40), phase=np.zeros(160))
    signal = noise_signal(table)
    x = signal.read().copy()
    shared = 500 * np.sin(2 * np.pi * 1000 * np.arange(len(x)) / RATE)
    x[:, :40] += shared[:, None].astype(np.float32)
    signal = Signal.from_array(x, RATE, channels=table)
    plan = make_plan(signal, DEFAULTS | {"bad_channels": "keep"}, 0)
    out = apply_plan(signal, plan).get_traces(start_frame=5000, end_frame=25_000)
    assert out.std(axis=0).max() < 15
    alone = apply_plan(signal, plan.without(["reference"])).get_traces(end_frame=20_000)
    assert alone[:, :40].std() > 300


def test_band_is_in_uv_without_delay_and_offset():
    channels = ChannelTable.plain(2, gain_uv=0.5, offset_uv=100.0)
    t = np.arange(60_000) / RATE
    wave = 400 * np.sin(2 * np.pi * 1000 * t)
    raw = np.stack([wave, -wave], axis=1).astype(np.int16)
    signal = Signal.from_array(raw, RATE, channels=channels)
    plan = make_plan(signal, DEFAULTS | {"bad_channels": "keep"}, 0)
    out = apply_plan(signal, plan).get_traces(start_frame=20_000, end_frame=40_000)
    assert names_of(plan) == ["bandpass"]
    assert abs(out.mean()) < 0.5
    assert np.corrcoef(out[:, 0], wave[20_000:40_000])[0, 1] > 0.999
    assert 150 < out[:, 0].max() < 201


@pytest.mark.parametrize("n", [8, 16])
def test_dead_and_noisy_channels_are_left_out_and_said(n):
    scale = np.ones(n)
    scale[2], scale[5] = 0.0, 20.0
    signal = noise_signal(ChannelTable.plain(n), scale=scale)
    plan = make_plan(signal, {}, 0)
    assert dict(plan.bad_channels) == {"2": "dead", "5": "noise"}
    step = next(s for s in plan.steps if s.step == "bad_channels")
    assert "2 (dead)" in step.text
    assert "5 (noisy)" in step.text
    kept = [str(c) for c in apply_plan(signal, plan).channel_ids]
    assert kept == [str(i) for i in range(n) if i not in (2, 5)]


def test_bad_channels_are_found_by_the_seed_alone():
    signal = noise_signal(ChannelTable.plain(8), scale=np.asarray([1, 1, 0.1, 1, 1, 9, 1, 1.0]))
    assert make_plan(signal, {}, 4).to_json() == make_plan(signal, {}, 4).to_json()


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.sorter.name)
def test_nothing_is_done_twice(adapter):
    """nissl's steps for a sorter and the sorter's own never meet."""
    signal = noise_signal(np1(64))
    plan = make_plan(signal, adapter.defaults(), 0)
    ours = {step.step for step in plan.without(adapter.sorter.does).steps}
    assert not ours & set(adapter.sorter.does)
    done = ours | set(adapter.sorter.does)
    assert {"phase_shift", "bandpass", "reference", "whitening"} <= done


def test_a_step_twice_is_refused():
    step = Step("whitening", "nissl", {}, "Whitened.")
    with pytest.raises(BadArgumentError, match="once"):
        Plan((step,)).extended(Step("whitening", "lupin", {}, "Whitened again."))


@pytest.mark.parametrize(
    ("adapter", "off"),
    [
        (LUPIN, {"preprocessing_dict": []}),
        (TRIDESCLOUS2, {"preprocessing_dict": []}),
        (SPYKINGCIRCUS2, {"apply_preprocessing": False}),
        (MOUNTAINSORT5, {"filter": False, "whiten": True}),
    ],
    ids=lambda v: v.sorter.name if hasattr(v, "sorter") else "",
)
def test_the_sorters_own_filter_is_switched_off(adapter, off):
    """Settings exist in the installed sorter, and an empty pipeline leaves samples alone."""
    from spikeinterface.preprocessing import apply_preprocessing_pipeline
    from spikeinterface.sorters import get_default_sorter_params

    known = get_default_sorter_params(adapter.sorter.name)
    settings = adapter.sorter.settings(True, 0, 1)
    assert set(settings) <= set(known)
    assert off.items() <= settings.items()
    assert {**known, **settings}.get("apply_whitening", True)
    recording = apply_plan(*_planned())
    same = apply_preprocessing_pipeline(recording, [])
    assert np.array_equal(same.get_traces(end_frame=3000), recording.get_traces(end_frame=3000))


def _planned():
    signal = noise_signal(ChannelTable.plain(4))
    return signal, make_plan(signal, {}, 0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"reference": "loud"},
        {"bad_channels": "burn"},
        {"freq_min_hz": 0.0},
        {"freq_min_hz": 7000.0},
    ],
)
def test_options_outside_their_values_are_refused(parameters):
    with pytest.raises(BadArgumentError):
        make_plan(noise_signal(ChannelTable.plain(4)), parameters, 0)


def test_what_cannot_hold_spikes_is_refused():
    with pytest.raises(BadMetadataError, match="1000 Hz"):
        require_sortable(noise_signal(ChannelTable.plain(2), rate_hz=500.0, seconds=4))
    with pytest.raises(BadSamplesError, match="1 s"):
        require_sortable(noise_signal(ChannelTable.plain(2), seconds=0.2))


def test_nan_and_constant_samples_are_refused():
    signal = noise_signal(ChannelTable.plain(4))
    x = signal.read().copy()
    x[:, 1] = np.nan
    with pytest.raises(BadSamplesError, match="NaN"):
        make_plan(Signal.from_array(x, RATE), {}, 0)
    with pytest.raises(BadSamplesError, match="constant"):
        make_plan(Signal.from_array(np.full((30_000, 4), 7, np.int16), RATE), {}, 0)


def test_plans_survive_json():
    plan = make_plan(noise_signal(np1(64)), {}, 0)
    assert Plan.from_json(plan.to_json()).to_json() == plan.to_json()


def test_shanks_are_sorted_apart_without_bad_channels():
    table = np2_four_shanks(6)
    plan = Plan((), {table.ids[7]: "dead"})
    shanks = shanks_of(noise_signal(table), plan)
    assert [s.number for s in shanks] == [0, 1, 2, 3]
    assert [len(s.columns) for s in shanks] == [6, 5, 6, 6]
    assert table.ids[7] not in shanks[1].names


def test_segments_keep_their_own_samples():
    clock = Clock.from_segments(RATE, [20_000, 25_000], [0.0, 5.0])
    x = np.random.default_rng(0).standard_normal((45_000, 3)).astype(np.float32)
    signal = Signal.from_array(x, RATE, clock=clock)
    recording = apply_plan(signal, make_plan(signal, {}, 0))
    assert [recording.get_num_samples(segment_index=i) for i in (0, 1)] == [20_000, 25_000]


def test_median_reference_is_spikeinterfaces_and_survives_json():
    from spikeinterface.core import load
    from spikeinterface.preprocessing import common_reference

    from nissl.annotators.spikes.median_reference import MedianReferenceRecording

    recording = apply_plan(*_planned())
    groups = [["0", "2", "3"], ["1"]]
    ours = MedianReferenceRecording(recording, groups)
    theirs = common_reference(recording, reference="global", operator="median", groups=groups)
    wanted = theirs.get_traces(start_frame=100, end_frame=900, channel_ids=["3", "0"])
    got = ours.get_traces(start_frame=100, end_frame=900, channel_ids=["3", "0"])
    assert np.array_equal(got, wanted)
    again = load(ours.to_dict())
    assert np.array_equal(again.get_traces(end_frame=500), ours.get_traces(end_frame=500))


@pytest.mark.parametrize("n", [40_000, 40, 2])
def test_the_band_pass_is_spikeinterfaces_and_survives_json(n):
    from scipy.signal import iirfilter, sosfilt_zi
    from spikeinterface.core import NumpyRecording, load
    from spikeinterface.preprocessing import bandpass_filter

    from nissl.annotators.spikes.band_pass import BandPassRecording, zero_phase

    rng = np.random.default_rng(0)
    x = (rng.standard_normal((n, 9)) * 50 + 3000).astype(np.float32)
    recording = NumpyRecording([x, x[: n // 2]], RATE)
    ours = BandPassRecording(recording, 300.0, 6000.0, "bessel", 2)
    assert ours.get_traces(segment_index=0).shape == x.shape
    if n < 1000:  # too short for SciPy's reflection
        sos = iirfilter(2, [300.0, 6000.0], fs=RATE, btype="bandpass", ftype="bessel", output="sos")
        assert np.isfinite(zero_phase(x, sos, sosfilt_zi(sos))).all()
        return
    theirs = bandpass_filter(
        recording, freq_min=300.0, freq_max=6000.0, ftype="bessel", filter_order=2, dtype="float32"
    )
    for segment, start, stop in ((0, 0, n), (0, 7000, 7010), (1, 100, n // 2)):
        cut = {"segment_index": segment, "start_frame": start, "end_frame": stop}
        got, wanted = ours.get_traces(**cut), theirs.get_traces(**cut)
        np.testing.assert_allclose(got, wanted, atol=5e-3)
    again = load(ours.to_dict())
    np.testing.assert_array_equal(
        again.get_traces(segment_index=1, channel_ids=recording.channel_ids[[4, 2]]),
        ours.get_traces(segment_index=1)[:, [4, 2]],
    )
