"""Matching by threads and by a Dask cluster: the same spikes."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.own.matching.matching import (
    Job,
    digest,
    match_chunks,
    matched_everywhere,
)
from nissl.annotators.spikes.own.preprocessing.front import fit_front
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows
from nissl.annotators.spikes.simulate import simulate_truth
from nissl.clock import Clock, Segment
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.run.chunks import plan_chunks
from nissl.run.context import Context

N = 4


@pytest.fixture(scope="module")
def job():
    """Two segments of a simulation, matched with templates made by hand."""
    made = simulate_truth(106, n_channels=N, duration_s=11.0, n_units=2).recording.signal
    n, rate_hz = made.n_samples, made.rate_hz
    segments = (Segment(0, n // 2, 0.0, rate_hz), Segment(n // 2, n, 300.0, rate_hz))
    signal = Signal.from_array(
        made.read(0, n), rate_hz, channels=made.channels, clock=Clock(segments)
    )
    front = fit_front(signal, range(N), 300.0, 6000.0)
    windows = Windows.at(front.rate_hz)
    t = np.arange(windows.long) - windows.long_before
    shape = -np.exp(-0.5 * (t / 1.8) ** 2) + 0.35 * np.exp(-0.5 * ((t - 8) / 5) ** 2)
    waves = 9.0 * shape[None, :, None] * np.eye(N)[:2, None, :]
    cut = shape[windows.lead : windows.lead + windows.scored]
    moved = np.stack([np.roll(cut, k) for k in range(-3, 4)])
    basis = np.ascontiguousarray(np.linalg.svd(moved, full_matrices=False)[2][:6], np.float32)
    templates = Templates(waves.astype(np.float32), basis, np.full(2, 10.0), windows)
    return Job(signal, front, templates)


def same(one, other):
    np.testing.assert_array_equal(one.exact, other.exact)
    np.testing.assert_array_equal(one.segment, other.segment)
    for name in one.spikes.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one.spikes, name), getattr(other.spikes, name))


def test_threads_give_the_same_spikes_in_order_of_time(job, tmp_path):
    one, two = (matched_everywhere(job, Context(tmp_path, workers=n), "match") for n in (1, 2))
    same(one, two)
    assert one.exact.size > 20
    assert set(one.segment) == {0, 1}
    assert np.all(np.diff(one.exact) >= 0)


def test_a_dask_cluster_gives_the_same_spikes(job, tmp_path):
    pytest.importorskip("distributed", reason="pip install 'nissl[dask]'")
    here = matched_everywhere(job, Context(tmp_path), "match")
    there = matched_everywhere(job, Context(tmp_path, workers=2, cluster="local"), "match")
    same(here, there)


@pytest.fixture
def elsewhere(job):
    """The same, through PyTorch on its CPU."""
    pytest.importorskip("torch", reason="pip install 'nissl[train]'")
    return replace(job, device="torch:cpu")


def test_a_device_gives_the_same_spikes_with_any_workers(job, elsewhere, tmp_path):
    known = matched_everywhere(job, Context(tmp_path), "match")
    one, two = (
        matched_everywhere(elsewhere, Context(tmp_path, workers=n), "match") for n in (1, 3)
    )
    same(one, two)
    np.testing.assert_array_equal(known.spikes.unit, one.spikes.unit)
    np.testing.assert_array_equal(known.segment, one.segment)
    np.testing.assert_allclose(known.exact, one.exact, atol=1e-3)
    np.testing.assert_allclose(known.spikes.amplitude, one.spikes.amplitude, atol=1e-3)


def test_a_dask_cluster_matches_on_its_devices(elsewhere, tmp_path):
    pytest.importorskip("distributed", reason="pip install 'nissl[dask]'")
    here = matched_everywhere(elsewhere, Context(tmp_path), "match")
    there = matched_everywhere(elsewhere, Context(tmp_path, workers=2, cluster="local"), "match")
    # workers of a cluster have threads of their own, and sums of PyTorch's "cpu" follow from these
    np.testing.assert_array_equal(here.spikes.unit, there.spikes.unit)
    np.testing.assert_allclose(here.exact, there.exact, rtol=0, atol=1e-4)


def test_a_worker_without_the_device_says_so(job, monkeypatch):
    torch = pytest.importorskip("torch", reason="pip install 'nissl[train]'")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (chunk, *_) = plan_chunks(job.signal.clock, job.size)
    with pytest.raises(BadArgumentError, match=r"device=cuda"):
        match_chunks(replace(job, device="cuda"), chunk)


def test_spikes_do_not_depend_on_how_chunks_are_put_together(job):
    whole, single = (
        [match_chunks(job, chunk) for chunk in plan_chunks(job.signal.clock, k * job.size)]
        for k in (3, 1)
    )
    assert len(single) > len(whole) == 2
    for name in whole[0]:
        one, other = (np.concatenate([part[name] for part in parts]) for parts in (whole, single))
        np.testing.assert_array_equal(one, other)


def test_the_digest_follows_templates_and_noise(job):
    louder = Templates(
        job.templates.waveforms * 2, job.templates.basis, job.templates.rate_hz, Windows.at(15e3)
    )
    other = Job(job.signal, job.front, louder)
    assert digest(job) == digest(Job(job.signal, job.front, job.templates))
    assert digest(other) != digest(job)
    assert digest(replace(job, device="cuda")) != digest(job)
