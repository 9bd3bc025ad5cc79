"""Units explained from the surroundings of some of their spikes, whatever labels call them."""

from types import SimpleNamespace

import numpy as np
import pytest

from nissl.annotators.spikes.own.explaining.recognising import recognise
from nissl.annotators.spikes.own.explaining.surroundings import surroundings
from nissl.annotators.spikes.own.explaining.units import apart, explain_unit
from nissl.annotators.spikes.own.matching.matching import screen_of
from nissl.annotators.spikes.own.sorter import Fitted, matched_spikes
from nissl.errors import BadArgumentError
from nissl.run.context import Context


@pytest.fixture(scope="module")
def made(known):
    return known()


def around(made, samples):
    return [surroundings(made.signal, made.fitted, int(s), None) for s in samples]


@pytest.mark.parametrize("gap", [False, True])
def test_surroundings_hold_the_spikes_that_the_sorter_found(known, gap, tmp_path):
    made = known(seconds=4, gap=gap)
    placed = matched_spikes(made.signal, made.fitted, Context(tmp_path), "matching")
    assert len(placed.spikes) > 80
    sample = np.round(placed.exact).astype(np.int64) - made.fitted.front.delay
    for row in range(0, sample.size, 5):
        here = surroundings(made.signal, made.fitted, int(sample[row]), None)
        own = here.spikes.unit == placed.spikes.unit[row]
        which = here.nearest(int(sample[row]), own, 0)
        assert which is not None
        amplitude = float(placed.spikes.amplitude[row])
        assert here.spikes.amplitude[which] == pytest.approx(amplitude, abs=0.02)


def test_only_the_surroundings_are_read(made, monkeypatch):
    read = []
    whole = type(made.signal).read

    def told(self, start, stop, channels=None):
        read.append(stop - start)
        return whole(self, start, stop, channels)

    monkeypatch.setattr(type(made.signal), "read", told)
    surroundings(made.signal, made.fitted, 100_000, None)
    assert 0 < sum(read) < 3000  # 0.1 s of 8


def test_the_ends_of_a_recording_have_surroundings_too(made):
    for sample in (0, 1, made.signal.n_samples - 1):
        here = surroundings(made.signal, made.fitted, sample, None)
        assert np.isfinite(here.z).all()
    for sample in (-1, made.signal.n_samples):
        with pytest.raises(BadArgumentError, match="a sample from 0 to"):
            surroundings(made.signal, made.fitted, sample, None)
    with pytest.raises(BadArgumentError, match="found units"):
        surroundings(made.signal, Fitted(made.fitted.front, None), 100, None)


def test_artifacts_are_silenced_as_they_are_when_all_is_matched(made):
    assert screen_of(made.signal, made.fitted.front) is None  # not on four channels
    position = np.stack([np.zeros(16), 25.0 * np.arange(16)], axis=1)
    many = SimpleNamespace(channels=SimpleNamespace(position_um=position))
    front = SimpleNamespace(columns=range(16), rate_hz=15_000.0)
    assert screen_of(many, front).position_um.shape == (16, 2)


@pytest.mark.parametrize("unit", [0, 1])
@pytest.mark.parametrize("late", [-20, 0, 13])
def test_a_unit_is_recognised_whatever_it_is_called_and_where_labels_put_it(made, unit, late):
    samples = made.trains[unit][:20] + late
    found = recognise(around(made, samples), samples, made.fitted, made.signal.rate_hz)
    assert found.unit == unit
    assert found.shift == pytest.approx(-late, abs=3)
    assert found.share > 0.9


def test_spikes_at_no_unit_s_are_recognised_as_none(made):
    every = np.sort(np.concatenate(made.trains))
    gaps = every[:-1][np.diff(every) > 600][:20] + 300
    found = recognise(around(made, gaps), gaps, made.fitted, made.signal.rate_hz)
    assert found.unit == -1
    assert explain_unit(made.signal, made.fitted, gaps) is None


def test_a_unit_is_told_from_its_neighbour_by_their_channels(made):
    train = made.trains[0]
    told = explain_unit(made.signal, made.fitted, train, most=40)
    assert told.unit == 0
    assert (told.n_spikes, told.n_looked_at) == (train.size, 40)
    assert told.n_explained >= 38
    assert told.energy_before > 5
    assert told.energy_after == pytest.approx(1, abs=0.15)
    assert told.rivals[0].unit == 1
    assert told.rivals[0].share > 0.9
    assert set(told.rivals[0].deciding) <= {0, 1}
    assert told.margin[0] > 20
    assert told.confusion < 0.01
    assert told.expected.n_spikes == told.n_explained
    assert told.expected.false_positives < 0.01
    assert told.expected.below_threshold < 0.01
    one = told.spikes[0]
    assert abs(one.sample - train[0]) < 20


def test_confidences_that_are_given_count(made):
    train = made.trains[1]
    told = explain_unit(made.signal, made.fitted, train, np.full(train.size, 0.7), most=30)
    assert told.expected.false_positives == pytest.approx(0.3)


def test_explanations_are_always_the_same(made):
    one, two = (explain_unit(made.signal, made.fitted, made.trains[0], most=5) for _ in range(2))
    np.testing.assert_array_equal(one.margin, two.margin)
    assert [s.sample for s in one.spikes] == [s.sample for s in two.spikes]


def test_templates_are_as_far_apart_as_their_difference_is_long(made):
    templates = made.fitted.templates
    found = apart(templates, 0, 1)
    direct = np.linalg.norm(templates.scored[0] - templates.scored[1])
    assert 0 < found <= direct * 1.05
    assert found == pytest.approx(apart(templates, 1, 0), rel=0.05)
