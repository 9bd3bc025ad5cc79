"""Spikes through PyTorch, on its CPU: those of the compiled code."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.own.matching import pieces, pursuit_on
from nissl.annotators.spikes.own.matching.pieces import Pieces, threads
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.matching.scoring import scores_of
from nissl.annotators.spikes.own.templates.projection import phases, shifted
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows
from nissl.errors import MemoryBudgetError

torch = pytest.importorskip("torch", reason="pip install 'nissl[train]'")

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
DEVICE = "torch:cpu"


def templates_of(rng, n_units, n_channels):
    """Biphasic waveforms of any width, size and place, some of them upside down."""
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    waves = []
    for _ in range(n_units):
        width, late = rng.uniform(1.5, 4), rng.uniform(4, 10)
        after = np.exp(-0.5 * ((t - late) / (2 * width)) ** 2)
        shape = -np.exp(-0.5 * (t / width) ** 2) + rng.uniform(0.1, 0.6) * after
        fall = np.exp(-np.abs(np.arange(n_channels) - rng.uniform(0, n_channels - 1)) / 1.2)
        size = rng.uniform(4, 15) * rng.choice([-1, 1], p=[0.2, 0.8])
        waves.append(size * shape[:, None] * np.where(fall < 0.04, 0, fall))
    waves = np.stack(waves).astype(np.float32)
    cut = waves[:, WINDOWS.lead : WINDOWS.lead + WINDOWS.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(cut)).reshape(-1, WINDOWS.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    return Templates(waves, np.ascontiguousarray(basis), rng.uniform(1, 50, n_units), WINDOWS)


def samples_of(rng, templates, n, per_s):
    """Noise with spikes of all units anywhere, also across the end."""
    z = rng.standard_normal((n, templates.waveforms.shape[2])).astype(np.float32)
    for _ in range(round(per_s * len(templates) * n / RATE_HZ)):
        wave = templates.waveforms[rng.integers(len(templates))].T
        late = shifted(np.ascontiguousarray(wave), rng.uniform(-0.5, 0.5)).T
        first = rng.integers(0, n)
        size = np.float32(rng.normal(1, 0.1))
        z[first : first + WINDOWS.long] += size * late[: n - first]
    return z


def same(one, other):
    """The same spikes, their numbers but for rounding."""
    for name in ("at", "unit", "rival"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(other, name).dtype == np.int64
    for name in ("shift", "amplitude"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-3)
    for name in ("gain", "rival_gain"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-2)


def identical(one, other):
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture(scope="module")
def crowd():
    """Twelve units on eight channels that fire all the time: most spikes overlap."""
    rng = np.random.default_rng(1)
    templates = templates_of(rng, 12, 8)
    return templates, samples_of(rng, templates, 30_000, 60.0)


def test_scores_are_those_of_the_compiled_code(crowd):
    templates, z = crowd
    held = pursuit_on._held(templates, DEVICE)
    found = pursuit_on.scores_on(z, held).numpy()
    known = scores_of(z, templates)
    middle = found[:, templates.reach : templates.reach + known.shape[1]]
    np.testing.assert_allclose(middle, known, rtol=1e-4, atol=1e-2)
    assert not found[:, : templates.reach].any()
    assert found.shape[1] == known.shape[1] + held.n_lags - 1


def test_spikes_that_overlap_are_those_of_the_compiled_code(crowd):
    templates, z = crowd
    known, found = (pursue(z, templates, RATE_HZ, device=name) for name in ("cpu", DEVICE))
    assert len(known) > 500
    near = np.diff(known.at) < WINDOWS.scored
    assert near.mean() > 0.5
    assert (known.rival >= 0).sum() > 100
    same(known, found)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_units=st.integers(1, 8),
    n_channels=st.integers(1, 8),
    n=st.integers(1, 3000),
    per_s=st.floats(0, 120),
    least=st.sampled_from([0.45, 0.65]),
)
def test_any_templates_and_samples_give_the_same_spikes(seed, n_units, n_channels, n, per_s, least):
    """Of 54,423 spikes of 1,500 such sets none differed; one near a tie would be no mistake."""
    rng = np.random.default_rng(seed)
    templates = templates_of(rng, n_units, n_channels)
    z = samples_of(rng, templates, n, per_s)
    known, found = (pursue(z, templates, RATE_HZ, least, name) for name in ("cpu", DEVICE))
    one, other = (set(zip(s.at.tolist(), s.unit.tolist(), strict=True)) for s in (known, found))
    assert len(one ^ other) <= max(4, 0.01 * len(one))
    if one == other:
        same(known, found)


def test_units_that_are_alike_do_not_both_take_a_spike():
    rng = np.random.default_rng(2)
    one = templates_of(rng, 1, 4)
    twins = Templates(np.repeat(one.waveforms, 2, axis=0), one.basis, np.full(2, 9.0), WINDOWS)
    z = samples_of(rng, one, 6000, 20.0)
    known, found = (pursue(z, twins, RATE_HZ, device=name) for name in ("cpu", DEVICE))
    assert len(known) == len(found) > 5
    np.testing.assert_array_equal(known.at, found.at)
    np.testing.assert_array_equal(found.unit + found.rival, np.ones(len(found)))


def test_nothing_gives_no_spikes(crowd):
    templates, z = crowd
    none = templates.kept(np.zeros(len(templates), bool))
    for units, samples in ((templates, z[:0]), (templates, z[: WINDOWS.scored - 1]), (none, z)):
        found = pursue(samples, units, RATE_HZ, device=DEVICE)
        assert len(found) == 0
        assert (found.at.dtype, found.gain.dtype) == (np.int64, np.float32)
    silent = np.zeros((500, 8), np.float32)
    for n in (WINDOWS.scored, WINDOWS.scored + 1, WINDOWS.scored + 2, 500):
        assert len(pursue(silent[:n], templates, RATE_HZ, device=DEVICE)) == 0


def test_how_much_is_held_at_once_changes_no_spike(crowd, monkeypatch):
    templates, z = crowd
    whole = pursue(z, templates, RATE_HZ, device=DEVICE)
    monkeypatch.setattr(pursuit_on, "AT_ONCE", 300)
    identical(whole, pursue(z, templates, RATE_HZ, device=DEVICE))
    monkeypatch.setattr(pursuit_on, "BLOCK", 500)  # products of other shapes may round otherwise
    same(whole, pursue(z, templates, RATE_HZ, device=DEVICE))


def test_no_two_spikes_of_a_turn_touch_one_score(crowd):
    """All that is written at once goes to different places, so that no order can matter."""
    templates, z = crowd
    held = pursuit_on._held(templates, DEVICE)
    scores = torch.zeros(len(templates), len(z) + held.n_lags - 1)
    rng = np.random.default_rng(3)
    at, unit = rng.integers(0, len(z), 800), rng.integers(0, len(templates), 800)
    shift, size = rng.uniform(-0.5, 0.5, 800), rng.uniform(0.5, 1.5, 800)
    total = torch.as_tensor(templates.norms.astype(np.float64) + pursuit_on.PRIOR)
    spikes = pursuit_on._Candidates(
        torch.as_tensor(at),
        torch.as_tensor(unit),
        torch.as_tensor(shift).float(),
        torch.as_tensor(size * total.numpy()[unit] - pursuit_on.PRIOR).float(),
        torch.zeros(800),
    )
    pursuit_on._take_out(scores, spikes, held, total)
    expected = np.zeros(scores.shape)
    start, columns = templates.pairs
    for a, u, s, k in zip(at, unit, shift.astype(np.float32), size, strict=True):
        p = min(int((s + 0.5) * 10), 9)
        part = (s + 0.5) * 10 - p
        for q in range(start[u], start[u + 1]):
            echo = (1 - part) * templates.echoes[q, p] + part * templates.echoes[q, p + 1]
            expected[columns[q], a : a + held.n_lags] -= k * echo
    scale = np.abs(expected).max()
    np.testing.assert_allclose(scores.numpy(), expected, atol=2e-5 * scale)


def test_single_digits_are_enough(crowd):
    """A device without double precision ("mps") finds the same."""
    templates, z = crowd
    known = pursue(z, templates, RATE_HZ)
    held = pursuit_on._held(templates, DEVICE)
    single = replace(held, heights=held.heights.float(), skews=held.skews.float())
    other = templates.kept(np.ones(len(templates), bool))
    pursuit_on._ON[other] = {DEVICE: single}
    same(known, pursue(z, other, RATE_HZ, device=DEVICE))


def test_pieces_give_the_same_with_any_number_of_threads(crowd, monkeypatch):
    templates, z = crowd
    gap = np.zeros((150, 8), np.float32)
    apart = np.concatenate([z[:4000], gap, z[4000:4020], gap, z[5000:12_000], gap])
    known = Pieces(apart, RATE_HZ).pursue(templates, 0.6)
    alone = Pieces(apart, RATE_HZ, device=DEVICE)
    assert len(alone.edges) == 3
    assert alone.some(2)[0].device == DEVICE
    found = alone.pursue(templates, 0.6)
    same(known, found)
    assert alone._stretches(12) == [(0, len(apart))]
    monkeypatch.setattr(pieces, "ON_DEVICE", 8000 * (12 + 2 * 8))
    first, second = alone._stretches(12)
    assert (first[0], first[1], second[1]) == (0, alone.edges[1][1], len(apart))
    found = alone.pursue(templates, 0.6)
    same(known, found)
    with threads(3) as pool:
        identical(found, Pieces(apart, RATE_HZ, pool, DEVICE).pursue(templates, 0.6))


def test_too_little_memory_is_told_and_leaves_the_device_free(crowd, monkeypatch):
    templates, z = crowd

    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr(pursuit_on, "scores_on", full)
        with pytest.raises(MemoryBudgetError, match=r"(?s)30000 samples of 8 .*device=cpu"):
            pursue(z, templates, RATE_HZ, device=DEVICE)
    assert len(pursue(z[:3000], templates, RATE_HZ, device=DEVICE)) > 0


def test_templates_leave_the_device_when_they_are_gone():
    rng = np.random.default_rng(4)
    templates = templates_of(rng, 2, 3)
    z = samples_of(rng, templates, 2000, 20.0)
    gc.collect()
    before = len(pursuit_on._ON)
    pursue(z, templates, RATE_HZ, device=DEVICE)
    assert len(pursuit_on._ON) == before + 1
    del templates
    gc.collect()
    assert len(pursuit_on._ON) == before


def test_products_are_exact_whatever_the_program_chose(crowd):
    templates, z = crowd
    whole = pursue(z, templates, RATE_HZ, device=DEVICE)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        identical(whole, pursue(z, templates, RATE_HZ, device=DEVICE))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
