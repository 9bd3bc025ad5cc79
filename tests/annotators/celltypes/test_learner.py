"""The learner of cell types: contract, abstention, missing parts, learning, files, reasons."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.celltypes.axes import ACG, MODALITIES, WAVE
from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.learner import LEARNER, CelltypesLearner, with_curves
from nissl.annotators.celltypes.model import from_files, shipped, to_files
from nissl.annotators.celltypes.putative import PUTATIVE, VOCABULARY, putative
from nissl.annotators.celltypes.simulate import simulate_cells, simulate_units
from nissl.annotators.celltypes.task import CELLTYPES
from nissl.annotators.celltypes.vocabulary import UNKNOWN
from nissl.annotators.spikes.polarity import polarity_finding
from nissl.annotators.spikes.task import SPIKES
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import FeatureTable
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Examples, Inputs, Learner
from nissl.testing.annotators import AnnotatorContract

from .conftest import CLASSES, of, without


@pytest.fixture(scope="module")
def sorting(tmp_path_factory):
    recording, units, truth = simulate_cells(5, n_channels=8, duration_s=20, n_units=6)
    inputs = Inputs(recording, recording.signal.name, {"spikes": units})
    items = SPIKES.describe(units, inputs, Context(tmp_path_factory.mktemp("w")))
    return Inputs(recording, recording.signal.name, {"spikes": units}, {"spikes": items}), truth


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return LEARNER

    @pytest.fixture(scope="class")
    def inputs(self, sorting):
        return sorting[0]


class TestPutativeContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return PUTATIVE

    @pytest.fixture(scope="class")
    def inputs(self, sorting):
        return sorting[0]


def left_out(examples):
    return examples.take(np.asarray(examples.features.subject) == "m5")


def test_registered_and_a_learner():
    assert TASKS.get("celltypes") is CELLTYPES
    assert isinstance(ANNOTATORS.get("celltypes/nissl"), Learner)
    assert not isinstance(ANNOTATORS.get("celltypes/putative"), Learner)


def test_simulated_kinds_are_told_in_an_animal_that_was_not_seen(learner, examples):
    held = left_out(examples)
    p = learner.predict(held.features).probabilities
    assert np.mean(p[:, :-1].argmax(axis=1) == held.label) > 0.5
    assert np.allclose(p.sum(axis=1), 1)
    assert p.shape == (len(held), len(CLASSES) + 1)


def test_what_is_claimed_is_mostly_right_and_unknown_has_no_confidence(learner, examples):
    held = left_out(examples)
    code, confidence = replace(learner, budget=0.3).claims(held.features)
    unknown = code == len(CLASSES)
    assert np.isnan(confidence[unknown]).all()
    assert np.isfinite(confidence[~unknown]).all()
    if (~unknown).sum() >= 5:
        assert np.mean(code[~unknown] == held.label[~unknown]) >= 0.6


def test_a_larger_budget_never_claims_less(learner, examples):
    held = left_out(examples)
    counts = [
        int(np.sum(replace(learner, budget=b).claims(held.features)[0] < len(CLASSES)))
        for b in (0.01, 0.05, 0.1, 0.2, 0.3, 0.9)
    ]
    assert counts == sorted(counts)
    assert counts[0] == 0  # no threshold is known for so small a budget


def test_a_class_that_is_absent_from_training_lies_outside(examples):
    from nissl.annotators.celltypes.fitting import grown

    kept = examples.take(examples.label != CLASSES.index("pyramidal"))
    known = CelltypesLearner(grown(kept, shipped().frame.encoders, seed=0))
    inputs = known.known.frame.inputs(examples.features)
    distance = known.known.strange.distance(inputs)
    strange = examples.label == CLASSES.index("pyramidal")
    assert np.median(distance[strange]) > np.median(distance[~strange])
    claimed = known.claims(examples.features)[0] < len(known.vocabulary) - 1
    assert claimed[strange].mean() < 0.2


@pytest.mark.parametrize("gone", [("wave_",), ("acg",), ("isi_",), ("acg3",), ("acg", "isi_")])
def test_a_missing_modality_is_no_obstacle(learner, examples, gone):
    held = left_out(examples)
    p = learner.predict(without(held.features, *gone)).probabilities
    assert np.isfinite(p).all()
    assert np.allclose(p.sum(axis=1), 1)


def test_a_unit_of_which_nothing_is_known_is_never_claimed(learner, examples):
    bare = without(left_out(examples).features, "")
    generous = replace(learner, budget=0.99)
    code, confidence = generous.claims(bare)
    assert np.all(code == len(CLASSES))
    assert np.isnan(confidence).all()
    assert all("cannot be used" in why or "neither" in why for why in generous.unlike(bare)[1])
    assert learner.predict(bare).probabilities[:, :-1].max() < 0.5


def test_contributions_add_up_to_the_score(learner, examples):
    held = left_out(examples)
    given = learner.contributions(held.features)
    model = learner.known
    inputs = model.frame.inputs(held.features)
    scores = np.mean([m.scores(inputs) for m in model.members], axis=0)
    nothing = np.mean([m.scores(np.zeros_like(inputs)) for m in model.members], axis=0)
    told = given[:, :, :-1].sum(axis=1)
    # curves are told from the mean curve on: what the mean curve itself says holds for all units
    gap = (scores - nothing) - told
    assert np.std(gap, axis=0).max() < 0.25 * np.std(scores, axis=0).max()
    assert given.shape == (len(held), len(held.features.names), len(CLASSES) + 1)
    assert np.all(given[:, :, -1] == 0)
    place = [held.features.names.index(name) for name in (*WAVE, *ACG)]
    assert np.abs(given[:, place]).max() > 0


def test_files_give_the_same_learner_and_bytes(learner, examples):
    files = learner.files()
    again = LEARNER.restored(files)
    assert again.files() == files
    assert again.weights == learner.weights
    held = left_out(examples).features
    assert np.array_equal(again.predict(held).probabilities, learner.predict(held).probabilities)
    assert b"pickle" not in b"".join(files.values())


def test_the_same_examples_and_seed_give_the_same_bytes(examples):
    rng = np.random.default_rng
    fitted = [LEARNER.fit(examples, rng=rng(4)).weights for _ in range(2)]
    assert fitted[0] == fitted[1]


def test_files_of_something_else_are_refused():
    for files in ({}, {"model.json": b"{}"}, {"model.json": b"nonsense", "arrays.bin": b""}):
        with pytest.raises(BadArgumentError, match="celltypes/nissl"):
            from_files(files)
    good = dict(to_files(shipped()))
    good["arrays.bin"] = good["arrays.bin"][:100]
    with pytest.raises(BadArgumentError):
        from_files(good)


def test_examples_replace_classes_or_extend_them(examples):
    replaced = LEARNER.fit(replace(examples, afresh=True), rng=np.random.default_rng(0))
    assert set(replaced.vocabulary.names) == {*CLASSES, UNKNOWN}
    known = shipped().vocabulary.names
    names = (*known[:-1], "my type", UNKNOWN)
    label = np.where(examples.label == CLASSES.index("SST"), names.index("my type"), 0)
    own = Examples(examples.features, label.astype(np.int64), examples.weight, names)
    extended = LEARNER.fit(own, rng=np.random.default_rng(0))
    assert extended.vocabulary.names == names
    p = extended.predict(examples.features).probabilities
    mine = examples.label == CLASSES.index("SST")
    column = names.index("my type")
    assert p[mine, column].mean() > p[~mine, column].mean()


def test_too_little_to_learn_from_is_said(examples):
    examples = replace(examples, afresh=True)
    few = examples.take(np.arange(6))
    with pytest.raises(MissingInputError, match="at least 10 labelled units"):
        LEARNER.fit(few, rng=np.random.default_rng(0))
    alone = examples.take(examples.label == 0)
    with pytest.raises(MissingInputError, match="of 2 or more classes"):
        LEARNER.fit(alone, rng=np.random.default_rng(0))


def test_a_class_with_one_example_is_not_learnt(examples):
    one = np.flatnonzero(examples.label == CLASSES.index("VIP"))[:1]
    rows = np.sort(np.r_[np.flatnonzero(examples.label != CLASSES.index("VIP")), one])
    fresh = replace(examples.take(rows), afresh=True)
    fitted = LEARNER.fit(fresh, rng=np.random.default_rng(0))
    assert "VIP" not in fitted.vocabulary.names


def test_one_animal_is_said_to_flatter(examples):
    alone = replace(examples.features, subject=("m",) * len(examples))
    part = replace(examples, features=alone)
    assert "flatters" in LEARNER.fit(part, rng=np.random.default_rng(0)).known.calibrated_on


def test_a_prior_shifts_probabilities_and_is_checked(learner, examples, sorting, tmp_path):
    held = left_out(examples).features
    plain = learner.predict(held).probabilities
    more = replace(learner, prior={"PV": 10.0}).predict(held).probabilities
    k = learner.vocabulary.code("PV")
    assert np.all(more[:, k] >= plain[:, k] - 1e-12)
    assert np.allclose(more[:, -1], plain[:, -1])
    for wrong in ({"PV": 0}, {"no such": 1}, {"PV": "much"}):
        with pytest.raises(BadArgumentError):
            learner.annotate(sorting[0], {"budget": 0.2, "prior": wrong}, Context(tmp_path))
    for budget in (0, 1, "x", True):
        with pytest.raises(BadArgumentError, match="share of wrong classes"):
            learner.annotate(sorting[0], {"budget": budget, "prior": {}}, Context(tmp_path))


CHANGES = {
    "halved": lambda u: replace(u, waveform=0.5 * u.waveform),
    "shifted": lambda u: replace(u, waveform=np.roll(u.waveform, 1, axis=0)),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_scale_and_shift_change_no_class(learner, units, change):
    chosen = units[0][75:]
    before = learner.predict(with_curves(featurise_units(chosen))).probabilities[:, :-1]
    moved = [CHANGES[change](u) for u in chosen]
    after = learner.predict(with_curves(featurise_units(moved))).probabilities[:, :-1]
    assert np.mean(before.argmax(axis=1) != after.argmax(axis=1)) < 0.05


def test_twenty_kilohertz_changes_no_class(learner, units):
    from scipy.signal import resample_poly

    chosen = units[0][75:]
    slow = [
        replace(u, waveform=resample_poly(u.waveform, 2, 3, axis=0), rate_hz=u.rate_hz * 2 / 3)
        for u in chosen
    ]
    tables = [with_curves(featurise_units(each)) for each in (chosen, slow)]
    p = [learner.predict(t).probabilities[:, :-1].argmax(axis=1) for t in tables]
    assert np.mean(p[0] != p[1]) < 0.1


def test_an_inverted_unit_loses_confidence(learner, units):
    chosen = units[0][75:]
    turned = [replace(u, waveform=-u.waveform) for u in chosen]
    tables = [with_curves(featurise_units(each)) for each in (chosen, turned)]
    top = [learner.predict(t).probabilities[:, :-1].max(axis=1).mean() for t in tables]
    assert top[1] < 0.6 * top[0]
    claimed = [np.mean(replace(learner, budget=0.3).claims(t)[0] < len(CLASSES)) for t in tables]
    assert claimed[1] <= claimed[0]
    assert claimed[1] < 0.1


def test_an_inverted_recording_is_told(sorting):
    templates = sorting[0].items["spikes"].arrays["template"]
    assert polarity_finding(templates) is None
    found = polarity_finding(-templates)
    assert found is not None
    assert found.check == "novelty"
    assert found.item is None
    assert found.sentence.startswith("polarity reversed?")
    inputs = sorting[0]
    turned = replace(
        inputs.items["spikes"],
        arrays={**inputs.items["spikes"].arrays, "template": -templates},
    )
    upside = replace(inputs, items={"spikes": turned})
    labels = LEARNER.propose(
        inputs.labels["spikes"], LEARNER.featurise(inputs.labels["spikes"], turned)
    )
    said = CELLTYPES.check(labels, None, upside, Context(inputs.recording.path or "."))
    assert any(f.check == "novelty" and f.item is None for f in said)


def test_the_item_table_has_what_the_view_shows(sorting, tmp_path):
    inputs, _ = sorting
    result = LEARNER.annotate(inputs, LEARNER.defaults(), Context(tmp_path))
    table, n = result.items[0], result.labels[0].n_rows
    shapes = {name: array.shape[1:] for name, array in table.arrays.items()}
    assert shapes["waveform"] == (61,)
    assert shapes["acg"] == shapes["isi"] == (100,)
    assert shapes["acg3"] == (10, 50)
    assert shapes["map"] == (2,)
    assert shapes["template"][0] == 61
    assert shapes["template_position_um"][1] == 2
    assert {"item", "target", "unlike", "firing_rate_hz"} <= set(table.table.column_names)
    assert not any(name in table.table.column_names for name in (*WAVE, *ACG))
    assert len(table.context["wave_ms"]) == 61
    assert json.loads(json.dumps(dict(table.context), allow_nan=False))
    described = CELLTYPES.describe(result.labels[0], inputs, Context(tmp_path))
    assert described.items.tolist() == table.items.tolist()
    assert n == 6


def test_shipped_weights_hold_no_example_and_claim_nothing_unproved():
    model = shipped()
    assert all(each.n >= 3 for each in model.exemplars)
    card = LEARNER.card()
    assert card["licence"].startswith("BSD-3-Clause")
    assert card["classes"] == list(model.vocabulary.names)
    assert "SST" not in model.vocabulary.names  # none whose licence is known


def test_an_empty_sorting_gives_an_empty_answer(learner):
    table = with_curves(featurise_units([]))
    assert learner.claims(table)[0].shape == (0,)
    assert learner.predict(table).probabilities.shape == (0, len(CLASSES) + 1)
    assert learner.unlike(table) == (None, [])
    assert learner.contributions(table).shape[0] == 0


def test_the_rule_of_two_thresholds():
    names = ("trough_to_peak_ms", "acg_tau_rise_ms")
    values = np.asarray([[0.3, 2], [0.3, np.nan], [0.7, 8], [0.7, 2], [0.7, np.nan], [np.nan, 2]])
    n = len(values)
    table = FeatureTable(np.arange(n), names, values, ("ms",) * 2, ("",) * n, ("",) * n)
    told = [VOCABULARY.names[k] for k in putative(table)]
    assert told == [
        "narrow interneuron",
        "narrow interneuron",
        "wide interneuron",
        "putative pyramidal",
        UNKNOWN,
        UNKNOWN,
    ]


def test_modalities_name_columns_of_the_table(learner, examples):
    assert learner.modalities == MODALITIES
    for names in learner.modalities.values():
        assert set(names) <= set(examples.features.names)


def test_says_has_words_for_every_number(learner):
    for name in learner.known.frame.scaling.names:
        assert learner.says[name].format(1.0)


def test_simulated_units_do_not_depend_on_how_many_there_are():
    few, many = (simulate_units(8, n_units=n, duration_s=30.0) for n in (2, 4))
    for a, b in zip(few.units, many.units, strict=False):
        assert np.array_equal(a.spikes_s, b.spikes_s)
        assert np.array_equal(a.waveform, b.waveform)
    assert of(list(few.units), few.kind, ["m", "m"]).features.values.shape[0] == 2
