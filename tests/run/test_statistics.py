"""Statistics agree with a direct computation, and have the same bytes however they are cut."""

from dataclasses import fields, replace

import chunk_functions as functions
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.errors import BadSamplesError, MemoryBudgetError
from nissl.run import statistics as module
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context
from nissl.run.execute import run_chunks
from nissl.run.progress import Recorder
from nissl.run.statistics import STAGE, SignalStatistics, signal_statistics

RATE_HZ = 2000.0


def as_bytes(statistics: SignalStatistics) -> dict[str, object]:
    values = {f.name: getattr(statistics, f.name) for f in fields(statistics)}
    return {
        k: (v.dtype.str, v.shape, v.tobytes()) if hasattr(v, "tobytes") else v
        for k, v in values.items()
    }


def noise(n_samples=int(RATE_HZ * 7.3), n_channels=21, seed=0):
    rng = np.random.default_rng(seed)
    return np.rint(rng.normal(5, 20, (n_samples, n_channels))).astype(np.int16)


def compute(samples, tmp_path, *, rate_hz=RATE_HZ, **options):
    clock = options.pop("clock", None)
    table = ChannelTable.plain(
        samples.shape[1],
        gain_uv=options.pop("gain_uv", 1.0),
        offset_uv=options.pop("offset_uv", 0.0),
    )
    signal = Signal.from_array(samples, rate_hz, channels=table, clock=clock)
    return signal_statistics(signal, Context(tmp_path, **options))


def longest_constant(column):
    breaks = np.flatnonzero(np.append(True, column[1:] != column[:-1]))
    return int(np.diff(np.append(breaks, column.size)).max())


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 1200),
    st.integers(1, 20),
    st.sampled_from(["int16", "uint16", "int32", "int8", "float32", "float64"]),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_against_a_direct_computation(tmp_path_factory, n, n_channels, dtype, seed, nans):
    rng = np.random.default_rng(seed)
    samples = np.rint(rng.normal(50, rng.uniform(0.2, 20), (n, n_channels))).astype(dtype)
    if nans and samples.dtype.kind == "f":
        samples[rng.random(samples.shape) < 0.1] = np.nan
        samples[rng.random(samples.shape) < 0.05] = np.inf
    found = compute(
        samples, tmp_path_factory.mktemp("work"), rate_hz=100.0, gain_uv=-0.5, offset_uv=3.0
    )
    for channel in range(n_channels):
        raw = samples[:, channel]
        good = raw[np.isfinite(raw)].astype(np.float64) * -0.5 + 3.0
        assert found.n_nan[channel] == raw.size - good.size
        assert found.n_zero[channel] == np.count_nonzero(raw == 0)
        assert found.longest_constant[channel] == longest_constant(raw)
        if good.size == 0:
            assert np.isnan(found.mean_uv[channel])
            assert np.isnan(found.sd_uv[channel])
            continue
        assert found.mean_uv[channel] == pytest.approx(good.mean(), abs=1e-9)
        assert found.sd_uv[channel] == pytest.approx(good.std(), abs=1e-7)
        assert found.min_uv[channel] == good.min()
        assert found.max_uv[channel] == good.max()
        assert found.n_at_min[channel] == np.count_nonzero(good == good.min())
        assert found.n_at_max[channel] == np.count_nonzero(good == good.max())
    assert np.all(np.isnan(found.line_uv))  # 100 Hz cannot tell


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_cut_does_not_change_a_byte(tmp_path, monkeypatch, blocks):
    samples = noise()
    samples[3000:5000] = 0
    samples[5990:6003, :] = samples[5990]
    clock = Clock.from_segments(RATE_HZ, [9001, len(samples) - 9001], [0.0, 100.0])
    whole = compute(samples, tmp_path / "whole", clock=clock)
    monkeypatch.setattr(module, "_CHUNK_BLOCKS", blocks)
    assert as_bytes(compute(samples, tmp_path / "cut", clock=clock)) == as_bytes(whole)


def test_two_workers_and_dask_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_BLOCKS", 1)
    samples = noise()
    samples[100:4000, 3] = 7
    progress = Recorder()
    one = compute(samples, tmp_path / "one", progress=progress)
    assert progress.done[STAGE] == pytest.approx(7.3)
    assert as_bytes(compute(samples, tmp_path / "two", workers=2)) == as_bytes(one)
    pytest.importorskip("distributed", reason="pip install 'nissl[dask]'")
    dask = compute(samples, tmp_path / "dask", workers=2, cluster="local")
    assert as_bytes(dask) == as_bytes(one)


def filtered(signal, context, name):
    """A stage with a halo, and one whose sums BLAS would split by its threads."""
    plan = plan_chunks(signal.clock, 3000, halo=600)
    pieces = run_chunks(
        functions.bandpass,
        plan,
        (signal, 20.0, 300.0),
        context,
        key=f"filter-{name}",
        memory_per_chunk=10**7,
    )
    band = np.concatenate([piece["filtered"] for piece in pieces])
    sums = run_chunks(
        functions.covariance, plan, signal, context, key=f"cov-{name}", memory_per_chunk=10**7
    )
    return band, np.sum([piece["covariance"] for piece in sums], axis=0)


def test_a_filter_and_a_product_have_the_same_bytes_with_two_workers_and_dask(tmp_path):
    signal = Signal.from_array(noise(15_000, 8), RATE_HZ)
    one = filtered(signal, Context(tmp_path), "one")
    others = [filtered(signal, Context(tmp_path, workers=2), "two")]
    if pytest.importorskip("distributed"):
        others.append(filtered(signal, Context(tmp_path, workers=2, cluster="local"), "dask"))
    for other in others:
        assert [a.tobytes() for a in other] == [a.tobytes() for a in one]
    whole = functions.bandpass((signal, 20.0, 300.0), plan_chunks(signal.clock, 15_000)[0])
    assert one[0].shape == whole["filtered"].shape
    inside = slice(600, -600)  # chunked = whole, to the precision of what is stored
    assert np.abs(one[0] - whole["filtered"])[inside].max() < 1e-3


def test_noise_is_robust_to_spikes_and_in_microvolts(tmp_path):
    samples = noise(40_000, 4)
    samples[::50] = -3000
    found = compute(samples, tmp_path, gain_uv=0.195)
    assert found.noise_uv == pytest.approx(20 * 0.195, rel=0.05)
    assert np.all(found.sd_uv > 50)


@pytest.mark.parametrize(("line_hz", "which"), [(50.0, 0), (60.0, 1)])
@pytest.mark.parametrize("rate_hz", [250.0, 2000.0, 30000.0])
def test_line_noise_is_measured_in_microvolts(tmp_path, line_hz, which, rate_hz):
    samples = noise(int(rate_hz * 8), 3).astype(np.float32) * 2
    samples[:, 1] += 30 * np.sin(2 * np.pi * line_hz * np.arange(len(samples)) / rate_hz)
    found = compute(samples, tmp_path, rate_hz=rate_hz, gain_uv=0.5)
    assert found.line_hz == (50.0, 60.0)
    assert found.line_uv[1, which] == pytest.approx(0.5 * 30 / np.sqrt(2), rel=0.1)
    assert found.line_ratio[1, which] > 20
    quiet = found.line_ratio[[0, 2]]
    assert np.all((quiet > 0.2) & (quiet < 5))
    assert 0.2 < found.line_ratio[1, 1 - which] < 5


def test_saturated_constant_and_dropped_samples(tmp_path):
    samples = noise(9000, 5)
    samples[100:180, 0] = np.iinfo(np.int16).max
    samples[200:210, 0] = np.iinfo(np.int16).min
    samples[:, 1] = 12
    samples[3990:4040] = 0  # across the edge between two blocks
    samples[7000:7020] = samples[7000]
    found = compute(samples, tmp_path)
    assert found.n_at_max[0] == 80
    assert found.n_at_min[0] == 10
    assert found.n_at_limit.tolist() == [90, 0, 0, 0, 0]
    assert found.longest_constant[0] == 80
    assert found.longest_constant[1] == 4960
    assert found.sd_uv[2] > 15
    assert found.zero_runs.tolist() == [[3990, 4040]]
    assert found.frozen_runs.tolist() == [[3990, 4040], [7000, 7020]]
    assert found.n_zero[1] == 50


def test_dead_and_nan_channels(tmp_path):
    samples = noise(5000, 3).astype(np.float32)
    samples[:, 0] = 0
    samples[:, 1] = np.nan
    found = compute(samples, tmp_path)
    assert found.sd_uv[0] == found.noise_uv[0] == 0
    assert found.longest_constant[0] == 5000
    assert found.n_nan.tolist() == [0, 5000, 0]
    assert np.isnan(
        [found.mean_uv[1], found.noise_uv[1], found.min_uv[1], found.line_uv[1, 0]]
    ).all()
    assert found.noise_uv[2] == pytest.approx(20, rel=0.1)
    assert len(found.zero_runs) == 0


def test_runs_do_not_cross_a_gap(tmp_path):
    samples = noise(6000, 2)
    samples[2980:3020] = 0
    clock = Clock.from_segments(RATE_HZ, [3000, 3000], [0.0, 50.0])
    found = compute(samples, tmp_path, clock=clock)
    assert found.zero_runs.tolist() == [[2980, 3000], [3000, 3020]]
    assert found.frozen_runs.tolist() == [[2980, 3000], [3000, 3020]]
    assert found.longest_constant.tolist() == [20, 20]


def test_another_signal_in_the_same_folder_is_not_mistaken(tmp_path):
    first = compute(noise(seed=1), tmp_path)
    second = compute(noise(seed=2), tmp_path)
    assert as_bytes(first) != as_bytes(second)
    assert as_bytes(compute(noise(seed=2), tmp_path / "fresh")) == as_bytes(second)


def test_an_empty_signal_and_a_budget_that_is_too_small(tmp_path):
    with pytest.raises(BadSamplesError, match="a signal with samples"):
        compute(noise(0), tmp_path)
    with pytest.raises(MemoryBudgetError, match="memory budget"):
        compute(noise(), tmp_path, memory_bytes=10**6)


def test_the_repr_tells_what_it_is(tmp_path):
    found = compute(noise(4000, 2), tmp_path)
    assert repr(found).startswith("SignalStatistics(2 channels x 2.0 s, median noise ")
    assert replace(found, n_samples=8000).n_samples == 8000
