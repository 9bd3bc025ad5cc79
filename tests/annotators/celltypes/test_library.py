"""Libraries of cell types: names, examples, and several of them together."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.celltypes.features import NAMES
from nissl.annotators.celltypes.learner import LEARNER
from nissl.annotators.celltypes.library import Library
from nissl.annotators.celltypes.library_files import write_library
from nissl.annotators.celltypes.merging import merged, non_commercial
from nissl.annotators.celltypes.teaching import examples_of
from nissl.annotators.curation.learner import LEARNER as CURATION
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import FeatureTable

from .libraries import features, library


def test_names_are_canonical_and_nothing_known_is_no_label():
    made = library(("Pvalb", "SOM", "unknown", "my type"))
    assert made.label == ("PV", "SST", "", "my type")
    assert made.evidence == ("optotagging", "optotagging", "", "optotagging")
    assert made.classes == ("PV", "SST", "my type")


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"label": ("PV",)}, BadLabelsError, "one per unit"),
        ({"facts": {"lab": ("here",)}}, BadLabelsError, "one per unit"),
        ({"facts": {"lab": (None,) * 4}}, BadLabelsError, "texts"),
        ({"evidence": ("rumour",) * 4}, BadArgumentError, "evidence among"),
        ({"card": {"name": "x", "licence": " "}}, BadArgumentError, "licence"),
        ({"card": {"licence": "MIT"}}, BadArgumentError, "without name"),
        ({"card": {"name": "x", "licence": "MIT", "n": np.int64(3)}}, BadLabelsError, "JSON"),
    ],
)
def test_what_a_library_must_be(wrong, error, says):
    with pytest.raises(error, match=says):
        replace(library(), **wrong)


def test_examples_have_the_classes_and_columns_asked_for():
    made = library(("PV", "SST", "", "PV"))
    examples = made.examples()
    assert examples.classes == ("PV", "SST", "unknown")
    assert examples.label.tolist() == [0, 1, 0]
    assert examples.features.items.tolist() == [0, 1, 3]
    some = made.examples(("cv2", "not there"), classes=("SOM", "VIP", "unknown"))
    assert some.classes == ("SST", "VIP", "unknown")
    assert some.features.names == ("cv2", "not there")
    assert np.isnan(some.features.values[:, 1]).all()
    assert len(made.examples(classes=("VIP",))) == 0


def test_the_digest_tells_all_content_and_no_order_of_columns():
    made = library()
    other = [
        replace(made, label=("PV", "SST", "", "SST")),
        replace(made, facts={"lab": ("here", "here", "here", "there")}),
        replace(made, facts={"rig": ("here",) * 4}),
        replace(made, card=dict(made.card) | {"version": "2"}),
        replace(made, features=replace(made.features, subject=("x",) * 4)),
        replace(made, features=replace(made.features, items=np.arange(1, 5))),
        library(seed=1),
    ]
    assert len({made.digest, *(each.digest for each in other)}) == len(other) + 1
    order = np.random.default_rng(0).permutation(len(made.features.names))
    table = FeatureTable(
        made.features.items,
        tuple(made.features.names[k] for k in order),
        made.features.values[:, order],
        tuple(made.features.units[k] for k in order),
        made.features.subject,
        made.features.session,
    )
    assert replace(made, features=table).digest == made.digest
    assert replace(made, features=table).identities == made.identities


def test_merged_libraries_stand_below_each_other():
    a = library(("PV", "SOM"), seed=1, card={"name": "a", "sources": [{"name": "lab A"}]})
    b = library(("SST", ""), seed=2, card={"name": "b", "licence": "CC-BY-NC-4.0"}, facts={})
    whole, told = merged([a, b], name="both")
    assert told == ()
    assert whole.label == ("PV", "SST", "SST", "")
    assert whole.facts["lab"] == ("here", "here", "", "")
    assert whole.features.items.tolist() == [0, 1, 2, 3]
    assert whole.card["licence"] == "CC-BY-4.0 AND CC-BY-NC-4.0"
    assert whole.card["licences"] == ["CC-BY-4.0", "CC-BY-NC-4.0"]
    assert "most restrictive" in whole.card["terms"]
    assert "commercial" in whole.card["terms"]
    assert whole.card["sources"] == [
        {"name": "lab A", "licence": "CC-BY-4.0"},
        {"name": "b", "licence": "CC-BY-NC-4.0", "units": 2},
    ]
    assert [each["digest"] for each in whole.card["made_from"]] == [a.digest, b.digest]
    again, _ = merged([whole, a], name="again")
    assert again.card["licence"] == whole.card["licence"]
    with pytest.raises(BadArgumentError, match="at least one"):
        merged([], name="none")


def test_columns_that_one_library_lacks_are_missing_there():
    a = library(("PV",), names=("x", "y"), units=("ms", ""))
    b = library(("PV",), names=("z", "y"), units=("Hz", "V"), seed=1)
    whole, _ = merged([a, b], name="both")
    assert whole.features.names == ("x", "y", "z")
    assert whole.features.units == ("ms", "V", "Hz")
    assert np.isnan(whole.features.values[1, 0])
    assert np.isnan(whole.features.values[0, 2])


def test_a_unit_counts_once_and_keeps_the_class_that_is_known():
    a = library(("", "SST", "PV"), card={"name": "a"})
    twice = a.take(np.asarray([0, 1, 2, 1]))
    b = replace(a, label=("VIP", "", "PV"), evidence=("expert", "", "expert"))
    whole, told = merged([twice, b], name="both")
    assert whole.label == ("VIP", "SST", "PV")
    assert whole.evidence == ("expert", "optotagging", "optotagging")
    assert told == (
        "1 unit of 'a' is there twice; each is kept once.",
        "3 units of 'a' are in a library before it; each is kept once.",
    )


def test_the_same_unit_measured_anew_is_known_by_its_name():
    facts = {"lab": ("here",) * 2, "unit": ("17", "")}
    a = library(("PV", "PV"), facts=facts)
    b = library(("PV", "PV"), facts=facts, seed=5)
    whole, told = merged([a, b], name="both")
    assert len(whole) == 3
    assert "1 unit of 'ours' is in a library before it" in told[0]


def test_units_of_which_nothing_was_measured_are_no_doubles():
    bare = features(2)
    bare = replace(bare, values=np.full_like(bare.values, np.nan))
    whole, told = merged([replace(library(("PV", "SST")), features=bare)], name="bare")
    assert len(whole) == 2
    assert not told


def test_a_unit_that_two_libraries_call_differently():
    a = library(("PV", "SST"), card={"name": "a"})
    b = replace(a, label=("PV", "VIP"), card={"name": "b", "licence": "MIT"})
    with pytest.raises(BadArgumentError) as error:
        merged([a, b], name="both")
    assert "unit 1 of 'b' is 'VIP', but 'SST' as unit 1 of 'a'" in str(error.value)
    assert "--alias" in str(error.value)
    whole, _ = merged([a, b], name="both", rule=lambda first, second: second)
    assert whole.label == ("PV", "VIP")
    whole, _ = merged([a, b], name="both", rule=lambda first, second: "")
    assert whole.label == ("PV", "")
    assert whole.evidence == ("optotagging", "")
    whole, _ = merged([a, b], name="both", aliases={"b:VIP": "SOM"})
    assert whole.label == ("PV", "SST")


def test_a_class_that_two_cards_define_differently():
    a = library(("PV",), card={"name": "a", "classes": {"PV": "Pvalb-Cre"}})
    b = library(("PV",), seed=3, card={"name": "b", "classes": {"Pvalb": "narrow spikes"}})
    with pytest.raises(BadArgumentError) as error:
        merged([a, b], name="both")
    for part in ("'PV'", "'Pvalb-Cre' in 'a'", "'narrow spikes' in 'b'", "--alias 'b:PV="):
        assert part in str(error.value)
    whole, _ = merged([a, b], name="both", aliases={"b:PV": "narrow"})
    assert whole.label == ("PV", "narrow")
    assert whole.card["classes"] == {"PV": "Pvalb-Cre", "narrow": "narrow spikes"}
    same = replace(b, card=dict(b.card) | {"classes": {"PV": "Pvalb-Cre"}})
    assert merged([a, same], name="both")[0].card["classes"] == {"PV": "Pvalb-Cre"}


def test_merging_again_changes_nothing():
    once, _ = merged([library(card={"sources": [{"name": "s"}]})], name="x")
    twice, told = merged([once, once], name="x")
    assert twice.identities == once.identities
    assert twice.label == once.label
    assert len(told) == 1
    assert twice.card["sources"] == once.card["sources"]


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC-BY-NC-4.0", True),
        ("Non-Commercial use only", True),
        ("noncommercial", True),
        ("CC-BY-4.0", False),
        ("NCSA", False),
        ("BSD-3-Clause", False),
    ],
)
def test_licences_that_forbid_commerce(licence, forbids):
    assert non_commercial(licence) is forbids


def test_libraries_teach_a_learner_of_cell_types(tmp_path):
    a = write_library(tmp_path / "a", library(("PV", "SST", "", "PV"), card={"name": "a"}))
    b = write_library(tmp_path / "b.zip", library(("new type",), seed=4, card={"name": "b"}))
    examples = examples_of([a, b], LEARNER, extend=False)
    assert examples.classes == ("PV", "SST", "new type", "unknown")
    assert examples.afresh
    assert set(NAMES) <= set(examples.features.names)
    more = examples_of([b], LEARNER, extend=True)
    known = LEARNER.vocabulary.names[:-1]
    assert more.classes == (*known, "new type", "unknown")
    assert more.label.tolist() == [len(known)]
    with pytest.raises(BadArgumentError, match="learner of 'curation'"):
        examples_of([a], CURATION, extend=False)


def test_a_library_of_nothing_is_a_library():
    none = library(())
    assert isinstance(none, Library)
    assert none.classes == ()
    assert len(none.examples()) == 0
