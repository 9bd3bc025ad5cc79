"""Labels from drugs and tables: provenance, verdicts, and what is refused."""

import numpy as np
import pytest

from nissl.annotators.celltypes.evidence import Statement, known_units, statements_of
from nissl.annotators.celltypes.pharmacology import Change, drug_units, responses
from nissl.annotators.celltypes.simulate_tagging import simulate_train
from nissl.annotators.celltypes.tagging import pulses_of, tag_units
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, Kind, LabelSet, Provenance

RATE_HZ = 1000.0
ABOUT = Provenance("spikes", "f" * 64, Author("model", "spikes/true", "1"), "ap")
SPANS = ([[0, 200]], [[220, 420]], [[440, 640]])


def sorting(trains):
    sample = np.concatenate([np.rint(t * RATE_HZ).astype(np.int64) for t in trains.values()])
    item = np.repeat(list(trains), [t.size for t in trains.values()])
    order = np.lexsort((item, sample))
    columns = {"sample": sample[order], "item": item[order]}
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), ABOUT)


def silenced(train, start, stop, left=0.0, seed=0):
    keep = np.random.default_rng(seed).random(train.size) < left
    return train[keep | (train < start) | (train > stop)]


@pytest.fixture
def trains():
    rng = np.random.default_rng(0)
    plain = {k: simulate_train(rng, 650.0, 5.0) for k in range(6)}
    plain[1] = silenced(plain[1], 210, 430)
    plain[2] = silenced(plain[2], 210, 650)
    plain[3] = silenced(plain[3], 210, 430, left=0.6)
    plain[4] = plain[4][:3]
    return plain


def test_a_drug_marks_only_units_that_fall_silent_and_come_back(trains):
    clock = Clock.regular(RATE_HZ, int(650 * RATE_HZ))
    found = drug_units(sorting(trains), SPANS, clock, "Purkinje", seed=3)
    verdicts = {row["unit"]: row["verdict"] for row in found.tested}
    assert verdicts == {
        0: "unchanged",
        1: "confirmed",
        2: "doubtful",
        3: "doubtful",
        4: "doubtful",
        5: "unchanged",
    }
    assert found.labels.column("target").tolist() == [1]
    assert found.labels.provenance.parameters["evidence"] == "pharmacology"
    sentences = {f.item: f.sentence for f in found.findings}
    assert "may have been lost" in sentences[2]
    assert "too rarely" in sentences[4]
    assert drug_units(sorting(trains), SPANS, clock, "Purkinje", seed=3).labels == found.labels


def test_a_drug_may_excite():
    rng = np.random.default_rng(1)
    quiet = simulate_train(rng, 650.0, 2.0)
    loud = np.sort(np.concatenate([quiet, rng.uniform(220, 420, 4000)]))
    change = Change(direction="more")
    found = responses({0: quiet, 1: loud}, SPANS[0], SPANS[1], change, rng=rng)
    assert [each.verdict for each in found] == ["unchanged", "confirmed"]


@pytest.mark.parametrize("kind", ["poisson", "bursty"])
def test_steady_units_are_not_marked(kind):
    rng = np.random.default_rng(2)
    units = {k: simulate_train(rng, 430.0, 6.0, kind=kind) for k in range(150)}
    found = responses(units, SPANS[0], SPANS[1], Change(), rng=rng)
    p = np.asarray([each.p for each in found])
    assert np.mean(p < 0.05) < 0.11
    assert not any(each.verdict == "confirmed" for each in found)


@pytest.mark.parametrize(
    ("spans", "match"),
    [
        (([[0, 30]], [[50, 250]]), "at least 5 bins"),
        (([[0, 200]], [[150, 350]]), "overlap"),
        (([[200, 0]], [[220, 420]]), "that last"),
        (([], [[220, 420]]), "at least 5 bins"),
    ],
)
def test_spans_that_cannot_serve(trains, spans, match):
    with pytest.raises(BadLabelsError, match=match):
        responses(trains, *spans, Change(), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "changes", [{"direction": "gone"}, {"factor": 1}, {"bin_s": 0}, {"n_permutations": 10}]
)
def test_changes_that_cannot_be(changes):
    with pytest.raises(BadArgumentError):
        Change(**changes)


def test_statements_become_classes_of_a_person(trains):
    rows = statements_of(
        {"unit": ["3", "0", "3"], "class": ["SST", "PV", "SST"], "evidence": ["juxta", "", "dye"]},
        "units.csv",
    )
    found = known_units(sorting(trains), rows, "ana", table="units.csv")
    assert found.labels.provenance.author == Author("person", "ana")
    assert found.labels.provenance.parameters["evidence"] == {"0": "expert", "3": "juxta; dye"}
    assert found.labels.column("target").tolist() == [0, 3]
    names = [found.labels.vocabulary.names[k] for k in found.labels.column("label")]
    assert names == ["PV", "SST"]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"unit": ["1"]}, "without \\['class'\\]"),
        ({"unit": ["x"], "class": ["PV"]}, "row 1"),
        ({"unit": ["1"], "class": ["unknown"]}, "stay open"),
        ({"unit": ["1"], "class": [" "]}, "stay open"),
    ],
)
def test_tables_that_cannot_be_read(columns, match):
    with pytest.raises(BadLabelsError, match=match):
        statements_of(columns, "units.csv")


def test_statements_that_cannot_stand(trains):
    spikes = sorting(trains)
    with pytest.raises(BadLabelsError, match=r"do not exist: \[77\]"):
        known_units(spikes, [Statement(77, "PV")], "ana")
    with pytest.raises(BadLabelsError, match="as PV and as SST"):
        known_units(spikes, [Statement(1, "PV"), Statement(1, "SST")], "ana")
    with pytest.raises(BadLabelsError, match="none"):
        known_units(spikes, [], "ana")
    with pytest.raises(BadArgumentError, match="nobody"):
        known_units(spikes, [Statement(1, "PV")], " ")


def test_light_without_answers_gives_an_empty_set_and_says_so(trains):
    clock = Clock.regular(RATE_HZ, int(650 * RATE_HZ))
    onsets = np.arange(5, 600, 5.0)
    columns = {"sample": (onsets * RATE_HZ).astype(np.int64)}
    events = LabelSet.build(Kind.EVENTS, columns, ("light",), ABOUT)
    spikes = sorting({0: trains[0], 5: trains[5]})
    found = tag_units(spikes, pulses_of(events, clock), clock, "PV", pulses_from=(events.digest,))
    assert found.labels.n_rows == 0
    assert found.labels.vocabulary.names == ("PV",)
    assert found.labels.provenance.made_from == (spikes.digest, events.digest)
    checks = {f.check for f in found.findings}
    assert {"none_tagged", "not_negative"} <= checks


def test_spans_tell_the_duration_of_pulses():
    clock = Clock.regular(RATE_HZ, 10_000)
    columns = {"start": [100, 500, 900], "stop": [110, 510, 905], "label": [0, 1, 0]}
    spans = LabelSet.build(Kind.SPANS, columns, ("blue", "red"), ABOUT)
    pulses = pulses_of(spans, clock, "blue")
    np.testing.assert_allclose(pulses.onset_s, [0.1, 0.9])
    np.testing.assert_allclose(pulses.duration_s, [0.01, 0.005])
