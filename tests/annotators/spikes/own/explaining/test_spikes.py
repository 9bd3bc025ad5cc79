"""What is told of a spike: sums that hold, the runner-up, the channels that decided."""

from types import SimpleNamespace

import numpy as np
import pytest

from nissl.annotators.spikes.own.explaining.spikes import deciding, explain
from nissl.annotators.spikes.own.explaining.surroundings import Surroundings
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.annotators.spikes.own.templates.projection import phases, shifted
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
N_CHANNELS = 6
COLUMNS = (10, 11, 12, 13, 14, 15)


def wave(width, main, size, reach=1.2):
    """A waveform over channels, nothing where it is hardly there; (n_long, n_channels)."""
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / width) ** 2) + 0.4 * np.exp(-0.5 * ((t - 7) / (2 * width)) ** 2)
    fall = np.exp(-np.abs(np.arange(N_CHANNELS) - main) / reach)
    return (size * shape[:, None] * np.where(fall > 0.1, fall, 0)).astype(np.float32)


def templates_of(waves):
    lead = WINDOWS.lead
    scored = np.stack(waves)[:, lead : lead + WINDOWS.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(scored)).reshape(-1, WINDOWS.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    return Templates(
        np.stack(waves), np.ascontiguousarray(basis), np.full(len(waves), 10.0), WINDOWS
    )


@pytest.fixture(scope="module")
def templates():
    """Two of nearly one shape that differ on channel 3 alone, a neighbour, and one far away."""
    one = wave(2.0, 1, 12.0)
    two = one.copy()
    two[:, 3] = 0.9 * one[:, 1]
    return templates_of([one, two, wave(3.0, 2, 8.0), wave(2.0, 5, 9.0, 0.2)])


def seen(templates, planted, unit=(), n=900, seed=0, noise=1.0):
    """Surroundings with spikes (at, template, shift, amplitude) planted in noise."""
    z = noise * np.random.default_rng(seed).standard_normal((n, N_CHANNELS)).astype(np.float32)
    for at, u, shift, size in planted:
        late = shifted(np.ascontiguousarray(templates.waveforms[u].T), shift).T
        first = at - WINDOWS.long_before
        z[first : first + WINDOWS.long] += np.float32(size) * late
    z = z.astype(np.float32)
    spikes = pursue(z, templates, RATE_HZ)
    front = SimpleNamespace(columns=COLUMNS, rate_hz=RATE_HZ)
    fitted = Fitted(front, templates, np.asarray(unit, np.int64))
    return Surroundings(0, z, spikes, spikes.at.copy()), fitted


def explained(around, fitted, at):
    which = around.nearest(at, np.ones(len(around.spikes), bool), 3)
    return explain(around, which, fitted)


def test_samples_are_others_own_and_what_is_left(templates):
    around, fitted = seen(templates, [(400, 0, 0.2, 1.1), (412, 2, -0.3, 1.0), (700, 3, 0, 1)])
    one = explained(around, fitted, 400)
    np.testing.assert_allclose(one.samples, one.others + one.own + one.left, atol=1e-5)
    first = 400 - WINDOWS.long_before
    rows = slice(first, first + WINDOWS.long)
    every = subtract(around.z, around.spikes, templates)
    np.testing.assert_allclose(one.left, every[rows], atol=1e-5)
    np.testing.assert_array_equal(one.samples, around.z[rows])
    assert np.abs(one.others).max() > 4  # the overlapping spike was taken out first
    assert one.columns == COLUMNS


def test_the_gains_differ_by_what_channels_and_priors_say(templates):
    around, fitted = seen(templates, [(400, 0, 0.2, 1.0), (700, 3, 0.0, 1.0)])
    for k in range(len(around.spikes)):
        one = explain(around, k, fitted)
        parts = one.llr.sum() + one.llr_prior
        assert parts == pytest.approx(one.gain - one.rival_gain, rel=1e-5)
        assert one.gain == pytest.approx(float(around.spikes.gain[k]), rel=0.05)


def test_the_runner_up_is_the_twin_and_one_channel_decided(templates):
    around, fitted = seen(templates, [(400, 0, 0.0, 1.0)])
    one = explained(around, fitted, 400)
    assert (one.unit, one.rival) == (0, 1)
    assert one.rival == int(around.spikes.rival[0])
    assert 0 < one.rival_gain < one.gain
    assert one.rival_gain == pytest.approx(float(around.spikes.rival_gain[0]), rel=0.05)
    assert one.deciding[0] == 13
    assert set(one.deciding) <= {13, 11}  # the rival is drawn smaller, and misses some of 11
    assert one.share[3] > 0.6
    np.testing.assert_allclose(one.runner_up[WINDOWS.long_before].argmin(), 1)
    assert one.odds.argmax() == 0
    assert one.odds.sum() == pytest.approx(1)


def test_pieces_of_one_unit_do_not_compete(templates):
    around, fitted = seen(templates, [(400, 0, 0.0, 1.0)], unit=[0, 0, 1, 2])
    one = explained(around, fitted, 400)
    assert one.unit == 0
    assert one.rival != 0
    assert one.rival_template != 1


def test_a_spike_that_only_noise_contests_has_no_runner_up(templates):
    around, fitted = seen(templates, [(400, 3, 0.0, 1.0)])
    one = explained(around, fitted, 400)
    assert one.unit == 3
    assert (one.rival, one.rival_template, one.rival_gain) == (-1, -1, 0.0)
    assert not one.runner_up.any()
    assert one.deciding == (15,)
    assert one.llr.sum() + one.llr_prior == pytest.approx(one.gain, rel=1e-5)


def test_what_is_left_of_a_spike_is_noise_and_of_another_waveform_is_not(templates):
    right, fitted = seen(templates, [(400, 0, 0.1, 1.0)])
    one = explained(right, fitted, 400)
    assert one.energy_before > 5
    assert one.energy_after == pytest.approx(1, abs=0.25)
    other = templates_of([wave(4.0, 1, 12.0), *templates.waveforms[1:]])
    wrong, _ = seen(other, [(400, 0, 0.1, 1.0)])
    foreign = pursue(wrong.z, templates, RATE_HZ)
    told = explain(Surroundings(0, wrong.z, foreign, foreign.at), 0, fitted)
    assert told.energy_after > 1.5


def test_energies_are_shares_of_the_noise_there(templates):
    quiet, fitted = seen(templates, [(400, 0, 0.1, 1.0)], noise=0.5)
    one = explained(quiet, fitted, 400)
    assert one.energy_after == pytest.approx(1, abs=0.35)


def test_a_spike_at_the_edge_is_explained_by_what_there_is(templates):
    around, fitted = seen(templates, [(400, 0, 0.0, 1.0)])
    z = around.z[400 - WINDOWS.before - 2 :]
    spikes = pursue(z, templates, RATE_HZ)
    one = explain(Surroundings(0, z, spikes, spikes.at), 0, fitted)
    assert one.samples.shape == (WINDOWS.long, N_CHANNELS)
    assert not one.samples[: WINDOWS.lead - 2].any()
    assert np.isfinite([one.gain, one.energy_before, one.energy_after]).all()


def test_deciding_channels_are_the_fewest():
    assert deciding(np.asarray([1.0, 8.0, -50.0, 1.0])) == [1]
    assert deciding(np.asarray([3.0, 4.0, 3.0])) == [1, 0, 2]
    assert deciding(np.asarray([-1.0, 0.0])) == []
