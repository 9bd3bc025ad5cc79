"""Simulated readers err and take time as they were told to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.review.simulated import Pace, SimulatedReader

N = 20000


def test_the_confusion_is_the_one_that_was_set():
    confusion = np.array([[0.8, 0.15, 0.05], [0.1, 0.85, 0.05], [0.0, 0.3, 0.7]])
    reader = SimulatedReader("a", confusion, lapse=0.06)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, N)
    said, _ = reader.answer(truth, np.zeros(N), rng)
    found = np.array(
        [np.bincount(said[truth == c], minlength=3) / np.sum(truth == c) for c in (0, 1, 2)]
    )
    assert np.max(abs(found - reader.effective_confusion)) < 0.02
    assert reader.effective_confusion[2, 0] == pytest.approx(0.02)  # lapses alone


@settings(max_examples=40, deadline=None)
@given(k=st.integers(2, 6), accuracy=st.floats(0, 1), lapse=st.floats(0, 1))
def test_an_accurate_reader_has_that_accuracy(k, accuracy, lapse):
    reader = SimulatedReader.accurate("a", k, accuracy, lapse=lapse)
    assert np.allclose(reader.effective_confusion.sum(1), 1)
    expected = (1 - lapse) * accuracy + lapse / k
    assert np.allclose(np.diag(reader.effective_confusion), expected)


def test_times_have_the_mean_that_is_expected_of_them():
    pace, rng = Pace(median_s=2.0, sigma=0.6, slowing=1.0), np.random.default_rng(0)
    for doubt in (0.0, 0.5, 1.0):
        ambiguity = np.full(N, doubt)
        times = pace.draw_s(ambiguity, 50, rng)
        assert times.mean() == pytest.approx(pace.expected_s(ambiguity, 50)[0], rel=0.03)
        assert np.std(np.log(times)) == pytest.approx(0.6, rel=0.03)


def test_doubt_the_first_items_and_fatigue_slow_a_reader():
    pace = Pace(fatigue=0.1)
    clear, full = pace.expected_s(np.array([0.0, 1.0]), 50)
    assert full / clear == pytest.approx(np.exp(pace.slowing))
    first, later, tired = (pace.expected_s(np.zeros(1), order)[0] for order in (0, 60, 1000))
    assert first > later
    assert tired > later


def test_idle_gaps_come_as_often_as_they_should():
    rng = np.random.default_rng(0)
    times = Pace(median_s=1.0, sigma=0.1, slowing=0.0, idle=0.05).draw_s(np.zeros(N), 50, rng)
    assert np.mean(times > 60) == pytest.approx(0.05, abs=0.006)


def test_the_same_seed_gives_the_same_answers():
    reader = SimulatedReader.accurate("a", 3, 0.8, lapse=0.1)
    truth = np.arange(60) % 3
    first, second = (
        reader.answer(truth, np.full(60, 0.3), np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: SimulatedReader("a", np.eye(3) * 0.9),
        lambda: SimulatedReader("a", np.ones((2, 3)) / 3),
        lambda: SimulatedReader("a", np.eye(2), lapse=1.5),
        lambda: SimulatedReader.accurate("a", 1, 0.5),
        lambda: Pace(median_s=0.0),
        lambda: Pace(idle=2.0),
    ],
)
def test_impossible_readers_are_refused(make):
    with pytest.raises(BadArgumentError):
        make()
