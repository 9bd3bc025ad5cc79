"""The cut of a unit: the second neuron's spikes in the whole recording, or none."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.own.doubting.cutting import part_unit
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.annotators.spikes.own.templates.templates import Templates


@pytest.fixture(scope="module", params=[False, True])
def two(known, request):
    return known(seconds=20, gap=request.param)


def of_both(two):
    """Spikes of both neurons in order, and which are the one's that fires less."""
    every = np.concatenate(two.trains)
    fewer = int(np.argmin([train.size for train in two.trains]))
    whose = np.repeat([0, 1], [train.size for train in two.trains])
    order = np.argsort(every)
    return every[order], (whose == fewer)[order]


def mixed(fitted):
    """A sorter that has both neurons as one unit, of their mean."""
    known = fitted.templates
    mean = known.waveforms.mean(axis=0, keepdims=True)
    one = Templates(mean, known.basis, known.rate_hz.sum(keepdims=True), known.windows)
    return Fitted(fitted.front, one, np.zeros(1, np.int64))


def test_a_unit_of_two_neurons_is_cut_between_them(two):
    samples, second = of_both(two)
    said = []
    found = part_unit(two.signal, mixed(two.fitted), samples, 0, said.append)
    assert sum(said) == pytest.approx(20)
    assert found.n_found > 0.95 * samples.size
    assert np.mean(found.second == second) > 0.97
    assert found.heaps.share == pytest.approx(second.mean(), abs=0.03)


def test_units_that_people_merged_are_cut_again(two):
    samples, second = of_both(two)
    found = part_unit(two.signal, two.fitted, samples, 0)
    assert np.mean(found.second == second) > 0.97


def test_one_neuron_is_hardly_cut_and_strangers_not_at_all(two):
    alone = part_unit(two.signal, two.fitted, two.trains[0], 0)
    assert alone.heaps.ratio < 5
    away = part_unit(two.signal, two.fitted, two.trains[0] + 450, 0)
    assert not away.second.any()
    none = part_unit(two.signal, replace(two.fitted, templates=None), two.trains[0], 0)
    assert (none.n_found, none.second.any()) == (0, False)
