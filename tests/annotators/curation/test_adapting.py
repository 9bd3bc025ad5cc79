"""How far a model leaves what it knows."""

import numpy as np
import pytest

from nissl.annotators.curation import adapting
from nissl.annotators.curation.adapting import FEWEST, STEPS, better, chosen, cooled, folds
from nissl.annotators.curation.boosting import FURTHER, LIGHT
from nissl.trust.calibration import Calibration

IDENTITY = Calibration("identity", 3)


def answered(n, *, known_is_right, seed=0):
    """Items whose class two values tell, and a model that is calibrated or sure of another one."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    values = rng.normal(size=(n, 5))
    values[:, :2] += 3 * np.eye(3)[kind][:, :2]
    known = 3.0 * np.eye(3)[kind] + 0.3 * rng.normal(size=(n, 3))
    label = (known + rng.gumbel(size=(n, 3))).argmax(axis=1)  # as often right as it says
    if not known_is_right:
        label = (label + 1) % 3
    return known, values, label.astype(np.int64), np.ones(n), ["m"] * n


def test_answers_that_agree_with_the_model_change_it_lightly():
    for n in (FEWEST, 120):
        choice = chosen(*answered(n, known_is_right=True), calibration=IDENTITY, seed=0)
        assert choice.step is LIGHT
        assert choice.calibration is IDENTITY


def test_answers_that_contradict_it_leave_it_behind():
    choice = chosen(*answered(120, known_is_right=False), calibration=IDENTITY, seed=0)
    assert choice.step in FURTHER
    assert choice.step.kept < 1
    assert choice.calibration.kind == "temperature"
    again = chosen(*answered(120, known_is_right=False), calibration=IDENTITY, seed=0)
    assert again == choice


def test_few_answers_choose_nothing():
    given = answered(FEWEST - 1, known_is_right=False)
    assert chosen(*given, calibration=IDENTITY, seed=0).step is LIGHT


def test_answers_without_weight_have_no_say():
    known, values, label, weight, groups = answered(120, known_is_right=True)
    wrong = np.arange(120) >= 60
    label = np.where(wrong, (label + 1) % 3, label)
    weight = np.where(wrong, 0.0, 2.0)
    assert chosen(known, values, label, weight, groups, calibration=IDENTITY, seed=0).step is LIGHT


@pytest.mark.parametrize(("gains", "best"), [([1.0, 1.0, 0.8, 1.2], 1), ([4.0, -4.0, 0.5, 0.5], 0)])
def test_a_step_must_be_better_by_a_standard_error(gains, best):
    losses = np.full((len(STEPS), 4), 3.0)
    losses[1] -= gains
    assert better(losses, np.ones(4)) == best


def test_a_weight_counts_as_so_many_equal_answers():
    losses = np.random.default_rng(0).random((len(STEPS), 6))
    weight = np.array([1.0, 2.0, 3.0, 1.0, 1.0, 1.0])
    share = weight / weight.sum()
    assert (losses @ share).argmin() in (0, 1, 2, 3)
    losses[2] = losses[0] - np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    losses[[1, 3]] = losses[0] + 1
    assert better(losses, np.array([1.0, 1.0, 1e6, 1.0, 1.0, 1.0])) == 2
    assert better(losses, np.array([1.0, 1.0, 1e-6, 1.0, 1.0, 1.0])) == 0


def test_subjects_are_left_out_as_wholes():
    names = ["a", "a", "b", "c", "c", "c", "b"]
    fold = folds(names, np.random.default_rng(0))
    for name in "abc":
        assert len({k for k, own in zip(fold.tolist(), names, strict=True) if own == name}) == 1
    assert len(set(fold.tolist())) == 3
    alone = folds(["a"] * 50, np.random.default_rng(0))
    assert np.bincount(alone).tolist() == [10] * adapting.FOLDS


def test_few_answers_hardly_cool():
    rng = np.random.default_rng(1)
    for n, low, high in ((40, 1.0, 2.2), (2000, 2.6, 3.6)):
        label = rng.integers(0, 3, n)
        calm = 1.5 * np.eye(3)[label] + rng.gumbel(size=(n, 3))
        honest = np.exp(1.5 * calm / 3)
        honest /= honest.sum(axis=1, keepdims=True)
        truth = np.array([rng.choice(3, p=p) for p in honest])
        sharp = honest**3
        sharp /= sharp.sum(axis=1, keepdims=True)
        found = cooled(sharp, truth, np.ones(n)).parameters[0][0]
        assert low < found < high
