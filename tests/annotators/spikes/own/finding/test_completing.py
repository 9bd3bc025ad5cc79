"""Templates that are half of a spike get the other half, and nothing that only comes at times."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.completing import completed, usual_lag
from nissl.annotators.spikes.own.matching.pursuit import Matched, pursue
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
T = np.arange(WINDOWS.long) - WINDOWS.long_before


def bump(late, width, sizes):
    return (-np.exp(-0.5 * ((T - late) / width) ** 2)[:, None] * np.asarray(sizes)).astype(
        np.float32
    )


LARGE, SMALL = bump(0, 2.0, [20, 8, 0]), bump(0, 2.5, [4, 12, 3])


def templates_of(*waves):
    lead, n = WINDOWS.lead, WINDOWS.scored
    cut = np.concatenate([w[lead + s : lead + s + n].T for w in waves for s in (-1, 0, 1)])
    basis = np.linalg.svd(cut, full_matrices=False)[2][:4].astype(np.float32)
    return Templates(
        np.stack(waves), np.ascontiguousarray(basis), np.full(len(waves), 5.0), WINDOWS
    )


def spikes_of(trains):
    at = np.concatenate(trains)
    unit = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    order = np.lexsort((unit, at))
    one = np.ones(at.size, np.float32)
    none = np.full(at.size, -1)
    return Matched(at[order], 0 * one, unit[order], one, one, none, 0 * one)


def test_what_always_comes_five_samples_later_is_put_in():
    templates = templates_of(LARGE, SMALL)
    at = np.arange(1000, 90_000, 900)
    whole = completed(templates, spikes_of([at, np.sort(np.append(at + 5, at[:20] + 400))]))
    expected = LARGE + bump(5, 2.5, [4, 12, 3])
    np.testing.assert_allclose(whole.waveforms[0], expected, atol=0.15)
    np.testing.assert_array_equal(whole.waveforms[1], SMALL)  # the small one stays what it is


def test_a_completed_template_explains_its_spikes_alone():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((90_000, 3)).astype(np.float32)
    at = np.arange(1000, 89_000, 900)
    for a in at:
        z[a - WINDOWS.long_before :][: WINDOWS.long] += LARGE + bump(5, 2.5, [4, 12, 3])
    halves = templates_of(LARGE, SMALL)
    spikes = pursue(z, halves, RATE_HZ)
    assert np.bincount(spikes.unit).min() > 0.9 * at.size  # two explain what is one
    spikes = pursue(z, completed(halves, spikes), RATE_HZ)
    assert np.sum(spikes.unit == 0) == at.size
    assert np.sum(spikes.unit == 1) <= 2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_units_that_come_together_at_times_stay(share):
    rng = np.random.default_rng(1)
    at = np.arange(1000, 90_000, 900)
    with_it = at[: round(share * at.size)] + 5
    free = np.sort(rng.choice(np.arange(1500, 90_000, 900) - 40, at.size - with_it.size, False))
    templates = templates_of(LARGE, SMALL)
    assert completed(templates, spikes_of([at, np.sort(np.append(with_it, free))])) is templates


def test_a_lag_that_varies_is_none():
    rng = np.random.default_rng(2)
    at = np.arange(100.0, 90_000, 900)
    assert usual_lag(at, np.sort(at + rng.uniform(-20, 20, at.size)), 30) is None
    assert usual_lag(at, at + 3.2, 30) == pytest.approx(3.2)
    assert usual_lag(at, at[:5], 30) is None
    assert usual_lag(at[:0], at, 30) is None
