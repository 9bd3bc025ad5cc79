"""Quality by limits: classes, presets, what failed, what is missing; flags of single units."""

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.curation import flags
from nissl.annotators.curation.simulate import simulate_sorting
from nissl.annotators.curation.task import CURATION
from nissl.annotators.curation.thresholds import (
    PRESETS,
    RULES,
    THRESHOLDS,
    VOCABULARY,
    judged,
    limits_of,
)
from nissl.annotators.spikes import mixture
from nissl.annotators.spikes.task import SPIKES
from nissl.errors import BadArgumentError
from nissl.io.curation import human_groups
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, Inputs, Learner
from nissl.testing.annotators import AnnotatorContract


@pytest.fixture(scope="module")
def sorting(tmp_path_factory):
    recording, units, truth = simulate_sorting(5, n_channels=8, duration_s=12, n_units=6)
    inputs = Inputs(recording, recording.signal.name, {"spikes": units})
    items = SPIKES.describe(units, inputs, Context(tmp_path_factory.mktemp("w")))
    return Inputs(recording, recording.signal.name, {"spikes": units}, {"spikes": items}), truth


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return THRESHOLDS

    @pytest.fixture(scope="class")
    def inputs(self, sorting):
        return sorting[0]


def values(n=1, **given):
    """Numbers of units that keep every limit, with exceptions."""
    fine = {
        "positive_peaks": 1,
        "negative_peaks": 1,
        "trough_to_peak_ms": 0.5,
        "decay_per_um": 0.03,
        "upward": 0.3,
        "before_to_after": 0.5,
        "amplitude_uv": 120,
        "snr": 12,
        "amplitude_cutoff": 0.01,
        "rp_contamination": 0.01,
        "presence_ratio": 1,
        "n_spikes": 5000,
    }
    return {k: np.full(n, float(v)) for k, v in (fine | given).items()}


def name(code):
    return VOCABULARY.names[int(code[0])]


def limits(preset="default", **given):
    return limits_of(THRESHOLDS.defaults() | {"preset": preset} | given)


def test_registered_beside_the_learner():
    assert not isinstance(ANNOTATORS.get("curation/thresholds"), Learner)
    assert CURATION.methods == ("curation/nissl", "curation/thresholds")


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ({}, "good"),
        ({"snr": 2}, "mua"),
        ({"rp_contamination": 0.4}, "mua"),
        ({"upward": 1.4}, "non-somatic"),
        ({"upward": 1.4, "snr": 2}, "non-somatic"),
        ({"positive_peaks": 5, "upward": 1.4, "snr": 2}, "noise"),
        ({"trough_to_peak_ms": 0.01}, "noise"),
        ({"snr": np.nan}, "good"),
        ({"snr": np.nan, "positive_peaks": np.nan, "rp_contamination": np.nan}, "mua"),
    ],
)
def test_what_fails_first_names_the_class(given, called):
    code, failed = judged(values(**given), limits())
    assert name(code) == called
    wrong = sum(np.isfinite(v) for v in given.values())
    assert len(failed[0]) == wrong


def test_presets_are_stricter_and_looser():
    unit = values(rp_contamination=0.05, snr=4)
    assert name(judged(unit, limits("psth"))[0]) == "good"
    assert name(judged(values(rp_contamination=0.05), limits("default"))[0]) == "good"
    assert name(judged(values(rp_contamination=0.05), limits("ccg"))[0]) == "mua"
    for rule in RULES:
        if rule.fails == "mua":
            default, strict, loose = (rule.limits[k] for k in range(3))
            order = (loose, default, strict) if rule.least else (strict, default, loose)
            assert order[0] <= order[1] <= order[2]


def test_a_stated_limit_goes_before_the_preset():
    unit = values(rp_contamination=0.05)
    assert name(judged(unit, limits("ccg", max_rp_contamination=0.2))[0]) == "good"
    for preset in PRESETS:
        assert name(judged(unit, limits(preset, max_rp_contamination=0.01))[0]) == "mua"


def test_wrong_parameters_are_told():
    for wrong in ({"preset": "strict"}, {"min_snr": "high"}, {"min_snr": True}):
        with pytest.raises(BadArgumentError):
            limits_of(THRESHOLDS.defaults() | wrong)


def test_findings_tell_the_limit_and_what_was_not_applied(sorting, tmp_path):
    inputs, _ = sorting
    result = THRESHOLDS.annotate(
        inputs, THRESHOLDS.defaults() | {"min_snr": 1e6}, Context(tmp_path)
    )
    told = [f for f in result.findings if f.check == "min_snr"]
    assert {f.item for f in told} == set(inputs.labels["spikes"].items.tolist())
    assert all(f.limit == 1e6 and f.value < 1e6 for f in told)
    assert result.log["limits"]["min_snr"] == 1e6
    bare = Inputs(inputs.recording, inputs.stream, inputs.labels)
    said = THRESHOLDS.annotate(bare, THRESHOLDS.defaults(), Context(tmp_path)).findings
    assert any(f.check == "rules_not_applied" and "min_snr" in f.sentence for f in said)


def test_a_person_who_says_non_somatic_still_has_groups_for_phy():
    made = Provenance("curation", "0" * 64, Author("person", "ana"), "ap", targets=("1" * 64,))
    columns = {"target": np.arange(4), "label": np.arange(4, dtype=np.int32)}
    labels = LabelSet.build(Kind.CLASSES, columns, VOCABULARY, made)
    assert human_groups([labels]) is labels


RATE = 30_000.0


def units(*trains, template=None):
    """A sorting of trains with their templates, and its item table."""
    sample = np.concatenate(trains)
    item = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    order = np.argsort(sample, kind="stable")
    made = Provenance("spikes", "0" * 64, Author("model", "x"), "ap")
    columns = {"item": item[order], "sample": sample[order]}
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), made)
    wave = -np.exp(-0.5 * ((np.arange(40) - 15) / 3) ** 2)[:, None] * np.asarray([1, 0.5, 0.2])
    templates = np.stack(
        [wave if template is None else wave * template[k] for k in range(len(trains))]
    )
    import pyarrow as pa

    table = pa.table(
        {
            "item": np.arange(len(trains)),
            "x_um": np.zeros(len(trains)),
            "y_um": np.zeros(len(trains)),
        }
    )
    context = {"rate_hz": RATE, "duration_s": 60.0}
    return labels, ItemTable(
        labels.digest, table, arrays={"template": templates.astype(np.float32)}, context=context
    )


def random_train(seed, n=2000, last=60.0):
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(int(last * RATE), n, replace=False)).astype(np.int64)


def test_a_unit_found_twice_is_flagged_once():
    one = random_train(0)
    twin = one[::2] + 3
    found = flags.flags(*units(one, twin, random_train(5)))
    (duplicate,) = [f for f in found if f.check == "duplicate"]
    assert duplicate.item == 1
    assert "unit 0" in duplicate.sentence
    assert duplicate.value > 0.95


def test_coincidence_with_another_template_is_no_duplicate():
    one = random_train(0)
    other = np.zeros((2, 3))
    other[0], other[1] = (1, 1, 1), (0.01, -1, 1)
    assert not [
        f for f in flags.flags(*units(one, one + 2, template=other)) if f.check == "duplicate"
    ]


@pytest.mark.parametrize(("where", "word"), [("start", "end"), ("stop", "beginning"), ("all", "")])
def test_a_unit_that_left_is_flagged(where, word):
    train = random_train(1, last=60.0 if where == "all" else 30.0)
    if where == "stop":
        train = train + int(30 * RATE)
    found = [f for f in flags.flags(*units(train)) if f.check == "drifted_out"]
    assert [word in f.sentence for f in found] == ([True] if word else [])


def test_a_mixture_is_suspected_and_one_neuron_is_not():
    rng = np.random.default_rng(0)
    gaps = rng.exponential(1 / 30, 1500) + 0.004
    one = (np.cumsum(gaps) * RATE).astype(np.int64)
    gaps = rng.exponential(1 / 30, 1500) + 0.004
    both = np.sort(np.concatenate([one, (np.cumsum(gaps) * RATE).astype(np.int64)]))
    labels, items = units(one, both)
    found = [f for f in flags.flags(labels, items) if f.check == "split_suspect"]
    assert [f.item for f in found] in ([1], [])
    assert mixture.split_probability(one, np.full(one.size, np.nan), RATE) < 0.1
    wide = np.where(np.isin(both, one), 60.0, 120.0) + rng.normal(0, 5, both.size)
    assert mixture.split_probability(both, wide, RATE) > 0.8
    humps = np.where(rng.random(one.size) < 0.5, 60.0, 120.0) + rng.normal(0, 5, one.size)
    assert mixture.split_probability(one, humps, RATE) < 0.2  # two humps, one refractory period
    assert np.isnan(mixture.split_probability(one[:10], humps[:10], RATE))


def test_what_the_sorter_says_of_a_split_stands(monkeypatch):
    monkeypatch.setattr(flags, "flagged", lambda *_: {0: 0.95, 1: 0.9})
    labels, items = units(random_train(0), random_train(1), random_train(2))
    told = np.asarray([0.1, np.nan, 0.85])
    table = items.table.append_column("split_probability", pa.array(told))
    items = ItemTable(items.of, table, items.units, items.arrays, items.context)
    found = [f for f in flags.flags(labels, items) if f.check == "split_suspect"]
    assert [(f.item, f.value) for f in found] == [(2, 0.85), (1, 0.9)]
    assert ["freed of all others" in f.sentence for f in found] == [True, False]


@pytest.mark.slow
def test_the_probability_of_a_mixture_means_what_it_says():
    inputs, truth = mixture.simulated_units(41, None)
    score = mixture.INTERCEPT + inputs[:, :2] @ [mixture.BY_INTERVALS, mixture.BY_AMPLITUDES]
    p = inputs[:, 2] / (1 + np.exp(-score))
    assert truth.sum() >= 4
    assert truth[p < 0.2].mean() < 0.2
    assert truth[p > 0.8].mean() > 0.8


def test_without_a_rate_or_spikes_nothing_is_flagged():
    labels, items = units(random_train(0, n=3))
    assert flags.flags(labels, None) == []
    assert flags.flags(labels, items) == []
    assert flags.shared(np.empty(0, np.int64), random_train(0), 5) == 0


def test_an_inverted_recording_is_told_by_the_check(sorting, tmp_path):
    inputs, _ = sorting
    from dataclasses import replace

    labels = THRESHOLDS.annotate(inputs, THRESHOLDS.defaults(), Context(tmp_path)).labels[0]
    items = inputs.items["spikes"]
    turned = replace(items, arrays={**items.arrays, "template": -items.arrays["template"]})
    upside = replace(inputs, items={"spikes": turned})
    told = CURATION.check(labels, None, upside, Context(tmp_path))
    assert any(f.check == "novelty" and f.item is None for f in told)
    assert not any(
        f.check == "novelty" for f in CURATION.check(labels, None, inputs, Context(tmp_path))
    )
    # a single inverted unit of which the most goes up is no soma
    one = THRESHOLDS.annotate(upside, THRESHOLDS.defaults(), Context(tmp_path)).labels[0]
    names = np.asarray(VOCABULARY.names)[one.column("label")]
    assert set(names) <= {"non-somatic", "noise"}
