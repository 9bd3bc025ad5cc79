"""Transfer entropy in continuous time, against an intensity that is known."""

import numpy as np
import pytest

from nissl.align.directed.pointprocess import transfer_rate
from nissl.errors import BadSamplesError

WIDTH, QUIET, LOUD = 0.1, 2.0, 12.0


def cascade(duration, seed):
    """A source of 3 spikes/s; the target fires at 12 a second for 0.1 s after each, else at 2."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, duration, rng.poisson(3 * duration)))
    y = np.sort(rng.uniform(0, duration, rng.poisson(LOUD * duration)))
    last = np.searchsorted(x, y) - 1
    loud = (last >= 0) & (y - x[np.maximum(last, 0)] < WIDTH)
    return x, y[loud | (rng.random(y.size) < QUIET / LOUD)]


def true_rate(x, y, duration, step=0.005):
    """Mean log ratio of the intensities, that from the target's own past by a filter in time."""
    n = round(WIDTH / step)
    fired = np.zeros(round(duration / step), dtype=int)
    np.add.at(fired, np.minimum((y / step).astype(int), fired.size - 1), 1)
    since = np.r_[np.zeros(n), 1.0]  # chance of each time since the source's last spike
    intensity = np.r_[np.full(n, LOUD), QUIET]
    turn = -np.expm1(-3 * step)
    own = np.empty(fired.size)
    for at, spikes in enumerate(fired):
        since = np.r_[turn, (1 - turn) * since[: n - 1], (1 - turn) * (since[-1] + since[-2])]
        own[at] = intensity @ since
        since = since * intensity**spikes * np.exp(-intensity * step)
        since /= since.sum()
    last = np.searchsorted(x, y) - 1
    loud = (last >= 0) & (y - x[np.maximum(last, 0)] < WIDTH)
    both = np.where(loud, LOUD, QUIET)
    return (
        float(np.log(both / own[np.minimum((y / step).astype(int), own.size - 1)]).sum()) / duration
    )


def test_rate_of_transfer_is_the_one_of_the_intensities():
    x, y = cascade(600.0, 0)
    told = true_rate(x, y, 600.0)
    found = transfer_rate(x, y, rng=np.random.default_rng(99), own=2)
    assert found.value == pytest.approx(told, rel=0.12)
    back = transfer_rate(y, x, rng=np.random.default_rng(99))
    assert abs(back.value) < 0.1 * told


def test_independent_trains_lie_within_their_null_and_driven_ones_do_not():
    rng = np.random.default_rng(2)
    x, y = cascade(150.0, 3)
    alone = np.sort(rng.uniform(0, 150.0, x.size))
    options = {"rng": rng, "surrogates": 19, "jitter_s": 0.5}
    assert transfer_rate(x, y, **options).p == 0.05
    ps = [transfer_rate(alone, cascade(60.0, s)[1], **options).p for s in range(10)]
    assert np.mean(np.asarray(ps) <= 0.05) <= 0.3


def test_a_shift_in_time_changes_nothing():
    x, y = cascade(100.0, 4)
    here = transfer_rate(x, y, rng=np.random.default_rng(0)).value
    there = transfer_rate(x + 1e3, y + 1e3, rng=np.random.default_rng(0)).value
    assert there == pytest.approx(here, abs=0.05)


def test_trains_that_cannot_be_used_are_refused():
    with pytest.raises(BadSamplesError, match="sorted"):
        transfer_rate([3.0, 1.0] * 20, np.arange(50.0), rng=np.random.default_rng(0))
    with pytest.raises(BadSamplesError, match="while both"):
        transfer_rate(np.arange(30.0), 100 + np.arange(30.0), rng=np.random.default_rng(0))
