"""The training of confidences: which spikes count as true, and a fit of them."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_each_true_spike_is_found_once():
    from train_spike_confidence import nearest

    train = np.asarray([100, 200, 300])
    at = np.asarray([95, 103, 201, 250, 330])
    assert nearest(train, at, 12).tolist() == [True, False, True, False, False]


def test_spikes_of_units_without_a_partner_are_wrong():
    from train_spike_confidence import true_spikes

    rng = np.random.default_rng(0)
    true = np.sort(rng.integers(0, 10**6, 400))
    noise = np.sort(rng.integers(0, 10**6, 300))
    late = 12  # a constant lag of the sorter does not count against it
    at, unit = np.r_[true[:350] + late, noise], np.r_[np.zeros(350, int), np.ones(300, int)]
    right = true_spikes(np.zeros(400, int), true, unit, at, 12)
    assert right[:350].mean() > 0.98
    assert not right[350:].any()


def test_a_fit_is_calibrated_on_what_it_saw():
    from train_spike_confidence import COLUMNS, fit_weights, judged

    rng = np.random.default_rng(1)
    parts = []
    for _ in range(3):
        columns = rng.standard_normal((20_000, len(COLUMNS)))
        odds = 1 + 2 * columns[:, 0] - columns[:, 4]
        parts.append({"columns": columns, "right": rng.random(20_000) < 1 / (1 + np.exp(-odds))})
    found = judged(fit_weights(parts), parts)
    assert found["ece"] < 0.03
    assert found["brier_skill"] > 0.3
