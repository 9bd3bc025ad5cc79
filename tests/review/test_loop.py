"""From decisions to a model, to its proposals, and back."""

from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.curation.learner import LEARNER
from nissl.annotators.curation.model import VOCABULARY
from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.replay import majority, replay
from nissl.project import learning
from nissl.review import decided, judging, loop
from nissl.review.loop import TAUGHT, taught
from nissl.review.why import why
from nissl.store import QuestionRow, SourceRow, Store

N_UNITS = 24
TRUE = np.arange(N_UNITS) % 3


def sorting(seed):
    """Spikes and facts of units whose class shows in SNR, rate and refractory violations."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(30, 60, N_UNITS)
    item = np.repeat(np.arange(N_UNITS), counts)
    labels = LabelSet.build(
        Kind.EVENTS,
        {
            "item": item,
            "sample": rng.integers(0, 300_000, item.size),
            "amplitude": rng.normal(-60, 5, item.size).astype(np.float32),
        },
        ("unit",),
        Provenance("spikes", f"f{seed}", Author("model", "spikes/fake", "1"), "ap"),
    )
    columns = {c.name: np.full(N_UNITS, np.nan) for c in SCHEMA}
    columns |= {
        "item": np.arange(N_UNITS),
        "n_spikes": counts,
        "channel": np.zeros(N_UNITS, np.int32),
        "shank": np.zeros(N_UNITS, np.int32),
        "firing_rate_hz": counts / 10.0,
        "snr": np.asarray([12.0, 6.0, 2.0])[TRUE] + rng.normal(size=N_UNITS),
        "isi_violations_ratio": np.asarray([0.0, 2.0, 9.0])[TRUE] + rng.random(N_UNITS),
        "amplitude_median_uv": -np.asarray([150.0, 80.0, 30.0])[TRUE],
    }
    table = to_arrow(columns)
    items = ItemTable(labels.digest, table, context={"rate_hz": 30_000.0, "duration_s": 10.0})
    return labels, items


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "study") as opened:
        for seed in range(2):
            row = SourceRow(
                f"f{seed}", f"night{seed}", f"/raw/{seed}.bin", "raw", subject={"id": f"m{seed}"}
            )
            opened.add_source(row)
            labels, items = sorting(seed)
            opened.put_labels(labels)
            opened.record_labels(labels.digest, items=opened.put_items(items))
            classes = LEARNER.propose(labels, LEARNER.featurise(labels, items))
            opened.put_labels(classes)
            opened.record_labels(classes.digest)
        yield opened


def classes_of(store, seed=0):
    rows = store.label_sets(source=f"f{seed}", task="curation")
    return store.get_labels(rows[-1].digest)


def decide(store, seed, items, *, names=None, reviewer="ana", kind=EditKind.RELABEL):
    base = classes_of(store, seed)
    edits = []
    for i in items:
        payload = {}
        if kind is EditKind.RELABEL:
            payload = {"label": (names or VOCABULARY.names)[TRUE[i]]}
        edits.append(Edit(uuid4(), kind, base.digest, (int(i),), reviewer, 1.0, payload))
    store.append(edits)
    return edits


def test_untouched_items_are_not_learnt_from(store):
    decide(store, 0, range(12))
    decide(store, 1, range(3), kind=EditKind.UNSURE)
    examples = decided.gather(store, "curation", LEARNER)
    assert len(examples) == 12
    assert examples.label.tolist() == TRUE[:12].tolist()
    assert set(examples.features.subject) == {"m0"}
    assert set(examples.features.session) == {"night0"}


def test_nothing_decided_is_refused(store):
    with pytest.raises(MissingInputError, match="decisions"):
        learning.learn(store, "curation")


def test_expert_labels_count_as_decisions(store):
    labels = store.get_labels(store.label_sets(source="f1", task="spikes")[0].digest)
    expert = LabelSet.build(
        Kind.CLASSES,
        {"target": np.arange(10), "label": TRUE[:10].astype(np.int32)},
        VOCABULARY,
        Provenance("curation", "f1", Author("person", "eva"), targets=(labels.digest,)),
    )
    store.put_labels(expert)
    store.record_labels(expert.digest)
    assert len(decided.gather(store, "curation", LEARNER)) == 10


def test_a_new_model_is_kept_judged_and_not_in_use(store):
    decide(store, 0, range(N_UNITS))
    decide(store, 1, range(N_UNITS))
    before = store.label_sets()
    learned = learning.learn(store, "curation")
    assert store.model_head("curation") is None
    assert store.label_sets() == before
    files, card = store.get_model(learned.digest)
    assert card == learned.card
    assert LEARNER.restored(files).weights != LEARNER.weights
    assert card["how"].startswith("subjects left out")
    assert card["data"]["n"] == 2 * N_UNITS
    assert card["licence"].endswith(LEARNER.card()["licence"])
    new, old = card["evaluation"], learned.comparison["evaluation"]
    assert new["log_loss"]["estimate"] < old["log_loss"]["estimate"]
    assert learning.learn(store, "curation").digest == learned.digest


def test_few_decisions_give_a_model_without_scores(store):
    decide(store, 0, range(12))
    card = learning.learn(store, "curation").card
    assert card["evaluation"] is None
    state = learning.models(store, "curation")[-1]
    assert "too few decided items to compare" in state.page


def test_use_proposes_anew_carries_decisions_and_rolls_back(store):
    decide(store, 0, range(N_UNITS))
    decide(store, 1, [0, 1, 2])
    first = {seed: classes_of(store, seed) for seed in range(2)}
    learned = learning.learn(store, "curation")
    used = learning.use(store, "curation", learned.digest, by="ana")
    assert store.model_head("curation") == learned.digest
    assert used.carried == N_UNITS + 3
    assert not used.questions
    for seed, n in ((0, N_UNITS), (1, 3)):
        now = classes_of(store, seed)
        assert now.digest in used.labels
        assert now.provenance.author.weights != first[seed].provenance.author.weights
        reviewed = replay(now, store.edits(base=now.digest))
        assert len(reviewed.decided) == n
        assert reviewed.labels.column("label")[:n].tolist() == TRUE[:n].tolist()
        assert store.get_labels(first[seed].digest) == first[seed]
    back = learning.rollback(store, "curation", by="ben")
    assert back.digest == ""
    assert store.model_head("curation") is None
    again = classes_of(store, 0)
    assert again.provenance.author.weights == first[0].provenance.author.weights
    assert np.array_equal(again.column("label"), first[0].column("label"))
    assert len(replay(again, store.edits(base=again.digest)).decided) == N_UNITS
    assert len(decided.gather(store, "curation", LEARNER)) == N_UNITS + 3


def test_an_accepted_class_stays_where_the_new_model_says_another(store):
    base = classes_of(store)
    edits = [Edit(uuid4(), EditKind.ACCEPT, base.digest, tuple(range(N_UNITS)), "ana", 1.0)]
    store.append(edits)
    given = base.column("label")
    other = LabelSet.build(
        Kind.CLASSES,
        {
            **{name: base.column(name) for name in ("id", "item", "target")},
            "label": np.where(np.arange(N_UNITS) % 2, given, (given + 1) % 3).astype(np.int32),
        },
        VOCABULARY,
        base.provenance,
    )
    bench = next(decided.benches(store, "curation"))
    carried, questions = loop.carry(store, bench, other)
    assert not questions
    reviewed = replay(other, carried)
    assert reviewed.labels.column("label").tolist() == given.tolist()
    assert len(reviewed.decided) == N_UNITS
    assert len({e.group for e in carried}) == 1  # one undo takes all back
    group = carried[0].group
    undo = Edit(uuid4(), EditKind.UNDO, other.digest, (), "ana", 2.0, {"target": str(group)})
    assert replay(other, [*carried, undo]).decided == ()
    assert loop.carry(store, bench, other)[0] == carried


def test_readers_who_disagree_are_not_learnt_from(store):
    decide(store, 0, range(12))
    wrong = VOCABULARY.names[1:] + VOCABULARY.names[:1]
    decide(store, 0, range(6), names=wrong, reviewer="ben")
    assert len(decided.gather(store, "curation", LEARNER, resolve=majority)) == 6


def test_merged_units_are_learnt_as_they_are_now(store):
    units = store.label_sets(source="f0", task="spikes")[0].digest
    store.append([Edit(uuid4(), EditKind.MERGE, units, (0, 3), "ana", 1.0)])
    decide(store, 0, range(12))
    examples = decided.gather(store, "curation", LEARNER)
    assert 3 not in examples.features.items
    assert len(examples) == 11
    row = examples.features.items.tolist().index(0)
    rate = examples.features.values[row, examples.features.names.index("firing_rate_hz")]
    _, items = sorting(0)
    counts = items.table.column("n_spikes").to_numpy()
    assert rate == pytest.approx((counts[0] + counts[3]) / 10)


def test_rarely_asked_items_count_more(store):
    base = classes_of(store)
    decide(store, 0, range(12))
    asked = [
        QuestionRow(UUID(int=i + 1), base.digest, i, "entropy", 0.5, {"probability": p})
        for i, p in enumerate([0.5] * 6 + [0.1] * 3)
    ]
    store.ask(asked)
    weight = decided.gather(store, "curation", LEARNER).weight
    assert weight.mean() == pytest.approx(1)
    assert weight[6] / weight[0] == pytest.approx(5)
    assert weight[11] == weight[0]


@given(st.lists(st.one_of(st.none(), st.floats(1e-6, 1.0)), min_size=1, max_size=50))
def test_weights_have_mean_one_and_a_bound(chances):
    given_ = [np.nan if c is None else c for c in chances]
    weight = decided.weights_of(given_)
    assert weight.mean() == pytest.approx(1)
    assert weight.max() <= decided.MAX_WEIGHT * np.median(weight) * (1 + 1e-9) or len(chances) < 3
    assert np.all(weight > 0)


def test_split_never_cuts_a_subject(store):
    decide(store, 0, range(N_UNITS))
    decide(store, 1, range(N_UNITS))
    examples = decided.gather(store, "curation", LEARNER)
    how, fold = judging.split(examples, np.random.default_rng(0))
    subject = np.asarray(examples.features.subject)
    assert how == "subjects left out in turn"
    assert all(len(set(fold[subject == name])) == 1 for name in set(subject))
    alone = examples.take(subject == "m0")
    assert "flatters" in judging.split(alone, np.random.default_rng(0))[0]


def test_why_speaks_of_facts_and_of_units_people_decided_on(store):
    decide(store, 0, range(0, N_UNITS, 2))
    base = store.label_sets(source="f1", task="spikes")[0].digest
    told = why(store, "curation", base, 0)
    classes = classes_of(store, 1)
    assert told.proposed == VOCABULARY.names[classes.column("label")[0]]
    assert told.confidence == pytest.approx(float(classes.column("confidence")[0]), abs=1e-6)
    assert 0 < len(told.reasons) <= 5
    size = [abs(r.weight) for r in told.reasons]
    assert size == sorted(size, reverse=True)
    assert all("towards" in r.sentence for r in told.reasons)
    snr = [r for r in told.reasons if r.feature == "snr"]
    assert all("times the noise" in r.sentence for r in snr)
    near = (*told.accepted, *told.rejected)
    assert near
    assert all((e.source, e.item % 2) == ("night0", 0) for e in near)
    assert all(e.label == told.proposed for e in told.accepted)
    assert all(e.label != told.proposed for e in told.rejected)
    assert told.to_json()["reasons"][0]["sentence"] == told.reasons[0].sentence


def test_why_of_what_is_not_there(store):
    base = store.label_sets(source="f1", task="spikes")[0].digest
    with pytest.raises(MissingInputError):
        why(store, "curation", base, 999)
    with pytest.raises(MissingInputError):
        why(store, "curation", "0" * 64, 0)


def test_a_task_that_does_not_learn(store):
    with pytest.raises(BadArgumentError, match="learns from decisions"):
        learning.learn(store, "spikes")


def test_models_are_listed_and_found(store):
    decide(store, 0, range(12))
    learned = learning.learn(store, "curation")
    shipped, own = learning.models(store, "curation")
    assert shipped.in_use
    assert not own.in_use
    assert learning.find(store, "curation", learned.digest[:8]).digest == own.digest
    assert learning.find(store, "curation", "").digest == ""
    assert "Model card" in shipped.page
    assert "3673" in shipped.page
    with pytest.raises(MissingInputError):
        learning.find(store, "curation", "ffff")
    with pytest.raises(MissingInputError):
        learning.rollback(store, "curation", by="ana")


def test_a_recording_that_a_model_has_learnt_from_is_not_new_to_it():
    card = {"data": {"sessions": {"night": {"0": 30, "2": 25}, "day": {"1": 3}}}}
    assert taught(card, "night") == 55 >= TAUGHT
    assert taught(card, "day") == 3
    assert taught(card, "other") == taught(None, "night") == 0
