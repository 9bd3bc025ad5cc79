"""Templates that follow: to where waveforms went, no farther than allowed, and not after noise."""

import numpy as np
import pytest
from tests.annotators.spikes.own.planted import N_CHANNELS, front, planted, templates

from nissl.annotators.spikes.own.live.following import LEAST_SD, Following, Parts
from nissl.annotators.spikes.own.live.stream import SpikeStream
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.errors import BadArgumentError
from nissl.live.latency import matched

BLOCK = 150
WIDEN = 0.8


def following(**more):
    return Following(templates(), front().rate_hz, **more)


def told(x, own):
    stream = SpikeStream(front(), templates(), following=own)
    parts = [stream.push(x[a : a + BLOCK]) for a in range(0, len(x), BLOCK)]
    return [np.concatenate([getattr(p, k) for p in parts]) for k in ("sample", "unit", "amplitude")]


def last_third(spikes, truth, n):
    """Mean amplitude of spikes in the last third, and the share of true ones that are found."""
    late = spikes[0] > 2 * n / 3
    hits = total = 0
    for u in range(len(templates())):
        true = np.sort(truth.sample[(truth.unit == u) & (truth.sample > 2 * n / 3)])
        hits += matched(np.sort(spikes[0][late & (spikes[1] == u)]), true, 12)
        total += true.size
    return float(np.mean(spikes[2][late])), hits / total


def test_a_unit_given_another_waveform_is_one_that_always_had_it():
    base = templates()
    moved = base.waveforms.copy()
    moved[1] = 0.8 * base.waveforms[1] + np.roll(0.1 * base.waveforms[1], 2, axis=0)
    anew = Templates(moved, base.basis, base.rate_hz, base.windows)
    own = following().templates
    for _ in Parts(own).steps(1, moved[1]):
        pass
    for name in ("waveforms", "weights", "norms", "scored", "echoes", "own", "moved"):
        np.testing.assert_allclose(
            getattr(own, name), getattr(anew, name), rtol=1e-4, atol=2e-3, err_msg=name
        )
    assert not np.allclose(own.echoes, base.echoes, atol=2e-3)


def test_slow_change_is_followed():
    truth = planted(seconds=20.0, rate=25.0, widen=WIDEN)
    n = truth.signal.n_samples
    x = truth.signal.read(0, n)
    own = following(time_s=3.0)
    size, found = last_third(told(x, own), truth, n)
    kept_size, kept_found = last_third(told(x, None), truth, n)
    assert np.all(own.distance > 0.1)
    assert own.distance.max() < 0.5
    assert abs(size - 1) < 0.5 * abs(kept_size - 1)
    assert found >= kept_found - 0.005
    assert found > 0.97


def test_what_stands_still_stays():
    signal = planted(seconds=20.0, rate=25.0).signal
    own = following(time_s=3.0)
    told(signal.read(0, signal.n_samples), own)
    assert own.distance.max() < 0.12
    assert own.distance.max() > 0


def test_no_template_goes_farther_than_allowed():
    truth = planted(seconds=20.0, rate=25.0, widen=WIDEN)
    own = following(time_s=3.0, bound=0.05)
    told(truth.signal.read(0, truth.signal.n_samples), own)
    assert own.distance.max() == pytest.approx(0.05, abs=1e-3)
    held = np.any(templates().waveforms != 0, axis=1)
    now = np.any(own.templates.waveforms != 0, axis=1)
    np.testing.assert_array_equal(now, held)


def test_noise_moves_nothing():
    noise = np.random.default_rng(3).normal(0, 10, (300_000, N_CHANNELS)).astype(np.float32)
    own = following(time_s=1.0)
    told(noise, own)
    assert own.distance.max() < 0.02
    np.testing.assert_array_equal(templates().waveforms[0], following().templates.waveforms[0])


def test_small_units_stay_as_they_were_fitted():
    small = Templates(
        templates().waveforms * np.float32(0.6),
        templates().basis,
        templates().rate_hz,
        templates().windows,
    )
    signal = planted().signal
    own = Following(small, front().rate_hz, time_s=1.0)
    weak = np.sqrt(small.norms) < LEAST_SD
    assert 0 < weak.sum() < len(small)
    stream = SpikeStream(front(), small, following=own)
    for a in range(0, signal.n_samples, BLOCK):
        stream.push(signal.read(a, min(a + BLOCK, signal.n_samples)) * np.float32(0.6))
    assert not own.distance[weak].any()
    assert own.distance[~weak].all()


def test_what_was_learnt_stays_when_a_segment_ends_and_what_is_kept_is_bounded():
    signal = planted().signal
    own = following(time_s=3.0)
    told(signal.read(0, signal.n_samples), own)
    before = own.distance
    assert len(own._z) + sum(map(len, own._pieces)) < 24 * BLOCK + 2 * templates().windows.long
    assert len(own._spikes) < 60
    own.reset()
    np.testing.assert_array_equal(own.distance, before)
    assert before.max() > 0
    assert len(own._z) == len(own._spikes) == 0


def test_what_means_nothing_is_refused():
    for wrong in ({"time_s": 0.0}, {"time_s": float("inf")}, {"bound": 0.0}, {"bound": 1.0}):
        with pytest.raises(BadArgumentError, match="follow"):
            following(**wrong)
