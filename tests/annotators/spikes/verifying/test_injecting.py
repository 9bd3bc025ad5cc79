"""What a recording with units added holds: the original and the units' waveforms, no more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.groundtruth import grid_um
from nissl.annotators.spikes.verifying.bed import Bed
from nissl.annotators.spikes.verifying.injecting import inject
from nissl.annotators.spikes.verifying.library import built_in
from nissl.annotators.spikes.verifying.placing import Design, planned
from nissl.data import ChannelTable, Recording, Signal

RATE, N, CHANNELS = 20_000.0, 60_000, 16


def _made(folder, seed, *, dtype=np.int16, gain_uv=0.25, phase=None):
    rng = np.random.default_rng(seed)
    raw = np.rint(20 * rng.standard_normal((N, CHANNELS))).astype(dtype)
    position = grid_um(CHANNELS)
    table = ChannelTable.plain(CHANNELS, gain_uv=gain_uv, position_um=position, phase=phase)
    signal = Signal.from_array(raw, RATE, channels=table)
    recording = Recording(
        path=None, format="array", streams={"signal": signal}, fingerprint=f"{seed:064d}"
    )
    none = np.full(CHANNELS, np.inf)
    bed = Bed(
        position, True, np.zeros(CHANNELS, np.int64), np.arange(CHANNELS),
        np.full(CHANNELS, 5.0), RATE, -none, none,
    )  # fmt: skip
    (units,) = planned(built_in(4, rng), bed, signal.clock, 5000, Design((6.0, 15.0), 1, 2), rng)
    return raw, inject(recording, "signal", units, bed, folder)


def _sum_of_templates(units, gain_uv):
    """Each spike's waveform where the truth puts it, in steps."""
    out = np.zeros((N, CHANNELS))
    for unit in units:
        for sample, phase, factor in zip(unit.sample, unit.phase, unit.factor, strict=True):
            wave = unit.print_uv.waveforms_uv[phase] * unit.scale * float(factor) / gain_uv
            first = sample - unit.print_uv.n_before
            out[first : first + len(wave)] += wave
    return out


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 50), gain_uv=st.sampled_from([0.1, 0.25, 2.0]))
def test_what_is_added_is_the_sum_of_the_templates(tmp_path_factory, seed, gain_uv):
    raw, made = _made(tmp_path_factory.mktemp("added"), seed, gain_uv=gain_uv)
    out = made.recording["signal"].read_raw()
    assert out.dtype == raw.dtype
    expected = _sum_of_templates(made.units, gain_uv)
    # half a step of rounding, and what lies below a thousandth of a unit's size
    limit = 0.5 + 2 * 1.5e-3 * max(u.amplitude_uv for u in made.units) / gain_uv
    assert np.abs(out.astype(float) - raw - expected).max() <= limit
    assert np.abs(expected).max() > 20 / gain_uv


@pytest.mark.parametrize("length", [997, 20_000, N])
def test_chunks_of_any_length_give_the_same(tmp_path, length):
    _, made = _made(tmp_path, 3)
    signal = made.recording["signal"]
    parts = [signal.read_raw(a, b) for a, b in signal.blocks(length)]
    np.testing.assert_array_equal(np.concatenate(parts), signal.read_raw())


def test_floating_samples_stay_floating(tmp_path):
    raw, made = _made(tmp_path, 4, dtype=np.float32)
    out = made.recording["signal"].read_raw()
    assert out.dtype == np.float32
    assert np.any(out != np.rint(out))
    assert np.any(out == raw)


def test_truth_names_the_samples_and_the_recording_is_another(tmp_path):
    _, made = _made(tmp_path, 5)
    assert made.truth.n_rows == sum(u.ticks.size for u in made.units)
    for k, unit in enumerate(made.units):
        rows = made.truth.rows_of(k)
        np.testing.assert_array_equal(made.truth.column("sample")[rows], unit.sample)
    assert made.recording.fingerprint != f"{5:064d}"
    assert made.truth.provenance.source == made.recording.fingerprint
    _, again = _made(tmp_path, 5)
    assert again.recording.fingerprint == made.recording.fingerprint


def test_later_sampled_channels_get_the_waveform_earlier_in_their_samples(tmp_path):
    phase = np.linspace(0, 0.9, CHANNELS)
    _, plain = _made(tmp_path, 6, dtype=np.float32)
    _, late = _made(tmp_path, 6, dtype=np.float32, phase=phase)
    base, shifted = (m.recording["signal"].read_raw().astype(float) for m in (plain, late))
    raw, _ = _made(tmp_path, 6, dtype=np.float32)
    channel = plain.units[0].channel
    frequency = np.fft.rfftfreq(N)
    turned = np.fft.rfft(base[:, channel] - raw[:, channel])
    turned = turned * np.exp(2j * np.pi * frequency * phase[channel])
    expected = np.fft.irfft(turned, n=N)
    got = shifted[:, channel] - raw[:, channel]
    assert np.abs(got - expected).max() < 0.05 * np.abs(expected).max()
