"""Simulated recordings are what they say."""

import numpy as np
import pytest

from nissl.annotators.events.simulate import SORTS, backgrounds, simulate
from nissl.annotators.events.waves import aperiodic, spectrum
from nissl.errors import BadArgumentError


def test_same_seed_same_bytes():
    a, truth = simulate(3, duration_s=30.0)
    b, again = simulate(3, duration_s=30.0)
    assert a.fingerprint == b.fingerprint
    assert truth.digest == again.digest
    assert a.fingerprint != simulate(4, duration_s=30.0)[0].fingerprint


@pytest.mark.parametrize("slope", [0.8, 1.5, 2.2])
def test_the_background_has_its_slope_and_the_fit_finds_it(slope):
    x = backgrounds(60_000, 1, 200.0, slope, np.random.default_rng(0))[:, 0]
    assert aperiodic(*spectrum(x, 200.0))[1] == pytest.approx(slope, abs=0.15)


@pytest.mark.parametrize("kind", sorted(SORTS))
def test_every_kind_is_planted_within_the_record(kind):
    rate = 1000.0 if kind == "high-frequency oscillation" else 256.0
    recording, truth = simulate(1, kinds={kind: 3.0}, duration_s=240.0, rate_hz=rate)
    assert truth.n_rows > 0
    assert truth.column("stop").max() <= recording.signal.n_samples
    lasts = (truth.column("stop") - truth.column("start")) / rate
    low, high = SORTS[kind].lasts_s
    assert lasts.min() >= low - 0.02
    assert lasts.max() <= high + 0.02


def test_spans_of_a_kind_lie_apart():
    _, truth = simulate(5, kinds={"spindle": 12.0}, n_channels=1)
    assert np.all(truth.column("start")[1:] >= truth.column("stop")[:-1])


def test_unknown_kinds_are_refused():
    with pytest.raises(BadArgumentError, match="unicorn"):
        simulate(0, kinds={"unicorn": 1.0})
