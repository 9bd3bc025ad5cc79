"""Non-somatic units: rules, what decisions teach of them, units and recordings upside down."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.curation import somatic
from nissl.annotators.curation.features import ALL, featurise
from nissl.annotators.curation.learner import LEARNER
from nissl.annotators.curation.model import CORE, VOCABULARY, from_files, to_files
from nissl.annotators.curation.somatic import Shares
from nissl.annotators.curation.task import CURATION
from nissl.annotators.curation.templates import MOST_RATIO, peaks
from nissl.annotators.spikes.simulate import simulate
from nissl.annotators.spikes.task import SPIKES
from nissl.labels import FeatureTable
from nissl.run.context import Context
from nissl.tasks import Examples, Inputs

NAMES = tuple(f.name for f in ALL)
RATE_HZ = 30_000.0


def table(n=1, **given_):
    values = np.full((n, len(NAMES)), np.nan)
    for name, value in given_.items():
        values[:, NAMES.index(name)] = value
    return FeatureTable(np.arange(n), NAMES, values, ("",) * len(NAMES), ("m",) * n, ("s",) * n)


@pytest.fixture(scope="module")
def sorted_units(tmp_path_factory):
    recording, units = simulate(3, n_channels=16, duration_s=30, n_units=8)
    inputs = Inputs(recording, recording.signal.name, {"spikes": units})
    items = SPIKES.describe(units, inputs, Context(tmp_path_factory.mktemp("w")))
    return inputs, units, items


def turned(items, rows):
    arrays = dict(items.arrays)
    template = np.array(arrays["template"])
    template[rows] *= -1
    arrays["template"] = template
    return replace(items, arrays=arrays)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"largest_peak_ratio": 0.5}, False),
        ({"largest_peak_ratio": 1.5}, True),
        ({"early_late_ratio": 5.0}, False),
        (
            {
                "early_late_ratio": 5.0,
                "early_peak_ratio": 0.3,
                "early_peak_ms": 0.1,
                "half_width_ms": 0.1,
            },
            True,
        ),
        ({}, False),
    ],
)
def test_rules(told, found):
    assert somatic.named(table(**told)).tolist() == [found]
    assert bool(somatic.reasons(table(**told))[0]) is found


def test_peaks_of_a_spike_and_of_one_upside_down():
    t = np.arange(60)
    wave = -np.exp(-(((t - 25) / 3.0) ** 2)) + 0.3 * np.exp(-(((t - 37) / 5.0) ** 2))
    up, down = peaks(-wave, RATE_HZ), peaks(wave, RATE_HZ)
    assert down["largest_peak_ratio"] == pytest.approx(0.3, abs=0.02)
    assert down["early_late_ratio"] < 0.2
    assert up["largest_peak_ratio"] == pytest.approx(1 / 0.3, abs=0.3)
    assert up["early_peak_ms"] == pytest.approx(2 * 3.0 * np.sqrt(np.log(2)) / 30, rel=0.1)
    assert np.isnan(peaks(np.zeros(60), RATE_HZ)["largest_peak_ratio"])
    hill = np.exp(-(((t - 30) / 3.0) ** 2))
    assert peaks(hill, RATE_HZ)["largest_peak_ratio"] > 10
    assert peaks(hill, RATE_HZ)["largest_peak_ratio"] <= MOST_RATIO


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1), st.floats(0, 1))
def test_shares_stay_probabilities_and_follow_decisions(yes, more, noise, mixed):
    shares = Shares((yes, yes + more))
    named, other = shares.of(np.asarray([True, False]))
    assert 0 < named < 1
    assert other == 0
    assert (named > 0.5) == (yes > more)
    core = np.asarray([[(1 - noise) * (1 - mixed), (1 - noise) * mixed, noise]])
    p = somatic.with_fourth(core, np.asarray([named]))
    assert p.sum() == pytest.approx(1)
    assert p[0, 2] == pytest.approx(noise)


def test_a_unit_upside_down_is_not_confidently_good_and_is_never_accepted_by_itself(sorted_units):
    _, units, items = sorted_units
    before = LEARNER.predict(featurise(units, items)).probabilities
    row = int(before[:, 0].argmax())
    features = featurise(units, turned(items, [row]))
    after = LEARNER.predict(features).probabilities[row]
    assert VOCABULARY.names[after.argmax()] in ("non-somatic", "noise")
    assert after[:2].max() <= 0.5 * before[row].max() + 1e-9
    assert "by rules alone" in LEARNER.unlike(features)[1][row]
    assert np.allclose(np.delete(before, row, 0)[:, 3], 0)


def test_a_recording_upside_down_is_told_and_stops_acceptance(sorted_units, tmp_path):
    inputs, units, items = sorted_units
    for rows, told in (([], False), ([0], False), (list(range(len(items.items))), True)):
        asked = Inputs(
            inputs.recording, inputs.stream, {"spikes": units}, {"spikes": turned(items, rows)}
        )
        labels = LEARNER.annotate(asked, {}, Context(tmp_path)).labels[0]
        found = CURATION.check(labels, None, asked, Context(tmp_path))
        polarity = [f for f in found if f.sentence.startswith("polarity reversed?")]
        assert bool(polarity) is told
        for finding in polarity:
            assert (finding.check, finding.item) == ("novelty", None)


def test_decisions_teach_how_often_the_rules_are_right():
    n = 40
    features = table(n, largest_peak_ratio=2.0, snr=8.0, half_width_ms=0.2)
    told = {True: VOCABULARY.code("non-somatic"), False: CORE.code("good")}
    p = {}
    for right, code in told.items():
        examples = Examples(features, np.full(n, code, np.int64), np.ones(n))
        fitted = LEARNER.fit(examples, rng=np.random.default_rng(0))
        p[right] = fitted.predict(features).probabilities[0, 3]
        assert fitted.known.somatic.named == (n if right else 0, n)
        assert from_files(to_files(fitted.known)).somatic == fitted.known.somatic
        assert "by rules alone" in LEARNER.unlike(features)[1][0]
        assert "by rules alone" not in fitted.unlike(features)[1][0]
    neuron = 1 - LEARNER.predict(features).probabilities[0, 2]
    assert p[True] > 0.9 * neuron
    assert p[False] < 0.1
