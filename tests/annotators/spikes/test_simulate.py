"""Simulations: same seed, same bytes; spikes where the truth says; declared as made up."""

import numpy as np
import pytest

from nissl.annotators.spikes.groundtruth import GAIN_UV, about
from nissl.annotators.spikes.motion_paths import DRIFT_UM
from nissl.annotators.spikes.rawfile import raw_options, save_raw
from nissl.annotators.spikes.simulate import _jumping, _Size, simulate, simulate_truth
from nissl.data.read import read
from nissl.errors import BadArgumentError
from nissl.labels.digest import digest_table

SIZE = {"n_channels": 8, "duration_s": 6.0, "n_units": 3, "rate_hz": 30_000.0}


@pytest.fixture(scope="module")
def made():
    return simulate_truth(7, **SIZE)


def mean_waveform(made, item, *, before=20, after=30):
    signal, rows = made.recording.signal, made.truth.rows_of(item)
    samples = signal.read()
    channel = int(made.truth.column("channel")[rows[0]])
    at = made.truth.column("sample")[rows]
    at = at[(at > before) & (at < len(samples) - after)]
    return np.mean([samples[s - before : s + after, channel] for s in at], axis=0)


def test_same_seed_same_bytes_other_seed_other_bytes(made):
    again, other = simulate_truth(7, **SIZE), simulate_truth(8, **SIZE)
    assert again.recording.fingerprint == made.recording.fingerprint
    assert again.truth.digest == made.truth.digest
    assert again.items.digest == made.items.digest
    assert other.recording.fingerprint != made.recording.fingerprint


def test_recording_is_what_was_asked_for(made):
    signal = made.recording.signal
    assert (signal.n_channels, signal.n_samples, signal.rate_hz) == (8, 180_000, 30_000.0)
    assert signal.dtype == np.int16
    assert np.allclose(signal.channels.gain_uv, GAIN_UV)
    assert signal.channels.position_um[:, 1].max() == 60.0
    assert signal.channels.probe is not None
    assert made.truth.provenance.source == made.recording.fingerprint
    assert made.truth.provenance.author.name == "spikes/simulate"
    assert made.truth.items.tolist() == [0, 1, 2]


def test_samples_are_microvolts_and_the_noise_is_what_is_declared(made):
    level = np.median(np.abs(made.recording.signal.read())) / 0.6745
    assert level == pytest.approx(made.declaration.parameters["noise_uv"], rel=0.15)


def test_spikes_stand_where_the_truth_says(made):
    template, row = made.items.arrays["template"], 0
    n_before = made.items.context["n_before"]
    for row, item in enumerate(made.truth.items.tolist()):
        mean = mean_waveform(made, item)
        channel = int(made.items.table.column("channel")[row].as_py())
        assert abs(int(np.argmin(mean)) - 20) <= 1
        expected = template[row, n_before - 20 : n_before + 30, channel]
        assert np.corrcoef(mean, expected)[0, 1] > 0.98
        assert mean[20] == pytest.approx(
            made.items.table.column("amplitude_median_uv")[row].as_py(), rel=0.15
        )


def test_trains_keep_the_refractory_period(made):
    for item in made.truth.items.tolist():
        samples = made.truth.column("sample")[made.truth.rows_of(item)]
        assert np.diff(samples).min() >= 0.004 * 30_000 - 1


def test_nothing_is_declared_real(made):
    declared = made.recording.signal.metadata["declaration"]
    assert declared["kind"] == "simulated"
    assert declared["real"] == []
    assert any("Poisson" in sentence for sentence in declared["made"])


def test_drift_moves_the_spikes_along_the_probe():
    size = {**SIZE, "n_channels": 16, "n_units": 4, "duration_s": 20.0}
    made = simulate_truth(3, drift="rigid", **size)
    still = simulate_truth(3, **size)
    samples = made.recording.signal.read()
    y = made.recording.signal.channels.position_um[:, 1]
    moved = []
    for item in made.truth.items.tolist():
        at = made.truth.column("sample")[made.truth.rows_of(item)]
        at = at[(at > 10) & (at < len(samples) - 10)]
        depth = np.asarray([samples[s - 5 : s + 5].min(axis=0) ** 2 @ y for s in at])
        depth /= np.asarray([np.sum(samples[s - 5 : s + 5].min(axis=0) ** 2) for s in at])
        ends = [depth[(at >= a * 30_000) & (at < b * 30_000)] for a, b in ((6.3, 8.3), (13, 15))]
        if min(map(len, ends)) > 3:
            moved.append(abs(np.median(ends[0]) - np.median(ends[1])))
    assert len(moved) >= 2
    assert max(moved) > DRIFT_UM / 3
    assert made.recording.fingerprint != still.recording.fingerprint
    assert "rigid" in " ".join(made.declaration.made)


def test_raw_file_opens_as_any_recording_and_holds_the_same(made, tmp_path):
    path = save_raw(made.recording, tmp_path / "raw")
    opened = read(path, **raw_options(path))
    signal = opened.signal
    assert np.array_equal(signal.read_raw(), made.recording.signal.read_raw())
    assert np.allclose(signal.channels.gain_uv, GAIN_UV)
    assert np.allclose(signal.channels.position_um, made.recording.signal.channels.position_um)
    moved = about(made.truth, opened.fingerprint)
    assert moved.provenance.source == opened.fingerprint
    assert digest_table(moved.table) == digest_table(made.truth.table)


def test_written_directly_to_a_file_is_the_same_recording(made, tmp_path):
    written = simulate_truth(7, path=tmp_path / "direct.bin", **SIZE)
    assert written.recording.fingerprint == made.recording.fingerprint
    assert written.truth.digest == made.truth.digest
    block = written.recording.signal.read(1000, 1100)
    assert np.array_equal(block, made.recording.signal.read(1000, 1100))


def test_simulate_gives_recording_and_truth(made):
    recording, truth = simulate(7, **SIZE)
    assert recording.fingerprint == made.recording.fingerprint
    assert truth == made.truth


@pytest.mark.parametrize(
    "wrong", [{"n_channels": 7}, {"n_units": 0}, {"duration_s": 0.0}, {"drift": "sideways"}]
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(BadArgumentError):
        simulate_truth(0, **(SIZE | wrong))


def test_jumps_are_sudden_and_large():
    made = simulate_truth(104, drift="jumps", **{**SIZE, "n_channels": 4, "duration_s": 5.0})
    assert "jumps, 50 to 100 um each" in " ".join(made.declaration.made)
    _, vectors, factor, rate_hz, steps = _jumping(104, _Size(4, 3, 30_000.0, 40.0))
    path = vectors[:, 1, 0]
    moved = np.abs(np.diff(path))
    assert path.size == 40 * rate_hz
    assert np.sum(moved > 0) == 3
    assert moved[moved > 0].min() >= 50
    assert moved.max() <= 100
    assert set(path) == set(steps[:, 1])
    assert np.all(factor == 1)
    assert not vectors[:, 0].any()
