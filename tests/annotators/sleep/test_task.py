"""Scores, statistics, checks, vocabulary and simulator of sleep."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.sleep.learner import LEARNER
from nissl.annotators.sleep.score import agreement
from nissl.annotators.sleep.simulate import simulate_night
from nissl.annotators.sleep.statistics import statistics
from nissl.annotators.sleep.task import SLEEP
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.annotators.unlike import NOVELTY
from nissl.data import Signal
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs

MADE = Provenance("sleep", "f" * 64, Author("person", "kb", "1"), "signal")


def hypnogram(names, epoch=3000):
    start = np.arange(len(names)) * epoch
    codes = [HUMAN.code(name) for name in names]
    columns = {"start": start, "stop": start + epoch, "label": np.asarray(codes)}
    return LabelSet.build(Kind.SPANS, columns, HUMAN, MADE)


def test_statistics_of_a_short_night_by_hand():
    names = ["W"] * 4 + ["N1", "N2", "N2", "N3", "W", "N2", "R", "R", "W", "W"]
    got = statistics(hypnogram(names), 100.0)
    assert got["recorded_min"] == 7.0
    assert got["sleep_min"] == 3.5
    assert got["efficiency_percent"] == 50.0
    assert got["onset_min"] == 2.0
    assert got["rem_latency_min"] == 3.0
    assert got["wake_after_onset_min"] == 0.5
    assert got["awakenings"] == 1
    assert got["N2_min"] == 1.5
    assert got["R_percent"] == pytest.approx(100 / 3.5)


def test_statistics_without_sleep_are_missing_not_zero():
    got = statistics(hypnogram(["W", "W", "unknown"]), 100.0)
    assert got["sleep_min"] == 0
    assert np.isnan(got["onset_min"])
    assert np.isnan(got["R_percent"])


def test_kappa_against_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    b[:200] = a[:200]
    assert agreement(a, b)["kappa"] == pytest.approx(cohen_kappa_score(a, b))


def test_a_hypnogram_in_runs_scores_like_one_in_epochs():
    names = ["W", "W", "N1", "N2", "N2", "R"]
    epochs = hypnogram(names)
    runs = LabelSet.build(
        Kind.SPANS,
        {
            "start": [0, 6000, 9000, 15000],
            "stop": [6000, 9000, 15000, 18000],
            "label": [HUMAN.code(n) for n in ("W", "N1", "N2", "R")],
        },
        HUMAN,
        MADE,
    )
    assert SLEEP.score(epochs, runs)["kappa"] == 1.0
    wrong = hypnogram(["W", "N1", "N1", "N2", "N2", "unknown"])
    got = SLEEP.score(wrong, runs)
    assert got["n_epochs"] == 5
    assert got["accuracy"] == 0.8


def test_changes_that_experts_hardly_ever_score_are_told():
    names = ["W", "N1", "N2", "N3", "R", "N2", "N3", "N2", "W", "N3"]
    labels = hypnogram(names)
    found = [f for f in SLEEP.check(labels, None, None, Context(None)) if f.check == "rare_change"]
    assert [f.item for f in found] == [4, 9]
    assert "N3 directly after W" in found[1].sentence
    starts = labels.column("start") + np.where(np.arange(len(names)) >= 4, 5000, 0)
    apart = LabelSet.build(
        Kind.SPANS,
        {"start": starts, "stop": starts + 3000, "label": labels.column("label")},
        HUMAN,
        MADE,
    )
    found = [f for f in SLEEP.check(apart, None, None, Context(None)) if f.check == "rare_change"]
    assert [f.item for f in found] == [9]  # nothing is said across a gap


def findings(signal, recording, tmp_path):
    inputs = Inputs(replace(recording, streams={"signal": signal}), "signal")
    result = LEARNER.annotate(inputs, LEARNER.defaults(), Context(tmp_path))
    found = SLEEP.check(result.labels[0], result.items[0], inputs, Context(tmp_path))
    return [(f.check, f.sentence) for f in found if f.item is None]


@pytest.fixture(scope="module")
def clean():
    recording, _ = simulate_night(4, hours=1.0, rate_hz=200.0)
    return recording, recording["signal"].read()


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("volts", "units"),
        ("flat", "no signal"),
        ("mains50", "mains"),
        ("mains60", "mains"),
    ],
)
def test_damage_is_told_and_stops_acceptance(clean, damage, word, tmp_path):
    recording, samples = clean
    samples, t = samples.copy(), np.arange(len(samples)) / 200.0
    if damage == "volts":
        samples *= 1e-6
        samples += np.random.default_rng(0).normal(0, 0.02, samples.shape)
    elif damage == "flat":
        samples[:, 1] = 0
    else:
        hz = float(damage.removeprefix("mains"))
        samples[:, :2] += 20 * np.sin(2 * np.pi * hz * t)[:, None]
    broken = Signal.from_array(samples, 200.0, channels=recording["signal"].channels)
    told = findings(broken, recording, tmp_path)
    assert any(check == NOVELTY and word in sentence for check, sentence in told)
    assert not any("log10" in sentence or "animals" in sentence for _, sentence in told)


def test_a_clean_night_has_no_such_finding(clean, tmp_path):
    recording, _ = clean
    told = findings(recording["signal"], recording, tmp_path)
    assert not [sentence for check, sentence in told if check == NOVELTY]


def test_simulated_nights_are_reproducible_and_go_through_all_stages():
    (a, one), (b, two) = (simulate_night(7, hours=6.0) for _ in range(2))
    assert np.array_equal(a["signal"].read(), b["signal"].read())
    assert one.digest == two.digest
    assert set(one.column("label")) == {0, 1, 2, 3, 4}
