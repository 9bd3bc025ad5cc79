"""The audit sample of a project: one random order, made longer by itself, asked in time."""

import numpy as np
import pytest

from nissl.review.audit import Audit, current
from nissl.review.audited import acceptance, residual_error
from nissl.review.auditing import extend, reserve, sparing
from nissl.review.decided import benches
from nissl.review.loop import keep, learner_of, propose
from nissl.review.queue import build
from nissl.trust.bounds import finite_required
from nissl.trust.intervals import Interval
from nissl.trust.selection import Selection


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def selection(threshold=0.7):
    return Selection(0.1, 0.95, threshold, Interval(0.8, 0.7, 0.9, 0.95, 5), 500, 400, 4, 0.02, "x")


def answer(room, write, refs, wrong=()):
    """Answer items in order; those at the places `wrong` contradict the proposal."""
    for place, (key, item) in enumerate(refs):
        desk = room.desk(key)
        said = desk.vocabulary.names[int(desk.proposals.label[desk.item_ids.tolist().index(item)])]
        other = next(name for name in desk.vocabulary.names if name != said)
        payload = {"label": other} if place in wrong else {}
        kind = "relabel" if place in wrong else "accept"
        room.decide([write(desk.classes.digest, kind, item, **payload)])


def test_the_order_is_fixed_at_the_draw_and_begins_with_what_good_prospects_need(open_study, rng):
    room, _ = open_study(n_units=200)
    audit = reserve(room, "spikes", selection(), rng, budget=0.1)
    accepted = audit.sample.n_accepted
    assert audit.sample.watched
    assert len({*audit.refs, *audit.later}) == len(audit.refs) + len(audit.later) == accepted
    assert len(audit.refs) == finite_required(0.1, accepted, rate=0.1 / 3) < accepted
    asked = room.store.questions(policy="audit")
    assert [(q.labels, q.item) for q in asked] == list(audit.refs)
    assert asked[0].body["probability"] == pytest.approx(len(audit.refs) / accepted)
    kept = current(room, "spikes").to_json()
    assert kept == audit.to_json()
    older = {name: value for name, value in kept.items() if not name.startswith("later")}
    assert Audit.from_json(older).later == ()


def test_it_grows_when_it_is_answered_and_too_small(open_study, write, rng):
    room, _ = open_study(n_units=200)
    first = reserve(room, "spikes", selection(), rng, budget=0.1)
    assert extend(room, "spikes") is None  # not answered yet
    answer(room, write, first.refs, wrong=(1, 4, 7))
    build(room, "Ada", rng)
    longer = current(room, "spikes")
    added = longer.refs[len(first.refs) :]
    assert longer.refs[: len(first.refs)] == first.refs
    assert added == first.later[: len(added)]
    assert added + longer.later == first.later
    left = residual_error(room, "spikes")
    assert (left.pending, left.wrong) == (len(added), 3)
    queue = build(room, "Ada", rng, limit=300)
    assert {(e.desk, e.item) for e in queue.entries if e.blind} == set(added)
    assert len(current(room, "spikes").refs) == len(longer.refs)  # once, until that is answered
    answer(room, write, added)
    assert acceptance(room, "spikes").on  # so many right answers were what was missing
    assert build(room, "Ada", rng).automatic > 0
    assert extend(room, "spikes") is None


def test_it_stops_as_soon_as_the_budget_is_shown(open_study, write, rng):
    room, _ = open_study(n_units=200)
    audit = reserve(room, "spikes", selection(), rng, budget=0.1)
    enough = finite_required(0.1, audit.sample.n_accepted)
    assert enough < len(audit.refs)
    answer(room, write, audit.refs[: enough - 1])
    assert not acceptance(room, "spikes").on
    answer(room, write, audit.refs[enough - 1 : enough])
    assert acceptance(room, "spikes").on
    queue = build(room, "Ada", rng, limit=300)
    assert not any(entry.blind for entry in queue.entries)
    assert queue.left == len(queue.entries)


@pytest.mark.parametrize("n_wrong", [12, 40])
def test_it_does_not_grow_where_more_than_the_budget_is_wrong(open_study, write, rng, n_wrong):
    room, _ = open_study(n_units=200)
    audit = reserve(room, "spikes", selection(), rng, budget=0.1)
    answer(room, write, audit.refs, wrong=range(n_wrong))
    assert extend(room, "spikes") is None
    assert not acceptance(room, "spikes").on
    queue = build(room, "Ada", rng, limit=300)
    assert queue.left == len(queue.entries) == 200 - len(audit.refs)
    assert current(room, "spikes").refs == audit.refs


def test_it_does_not_grow_where_nobody_would_be_spared_a_look(open_study, write, rng):
    room, _ = open_study(n_units=12)
    audit = reserve(room, "spikes", selection(0.4), rng, budget=0.05)
    assert audit.later == ()  # all of so few labels have to be looked at
    answer(room, write, audit.refs, wrong=(0,))
    assert extend(room, "spikes") is None


def test_doubtful_and_blind_items_are_through_together_and_the_sure_ones_wait(open_study, rng):
    room, _ = open_study(n_units=200)
    audit = reserve(room, "spikes", selection(0.85), rng, budget=0.1)
    queue = build(room, "Ada", rng, limit=300)
    blind = [place for place, entry in enumerate(queue.entries) if entry.blind]
    sure = [
        place
        for place, entry in enumerate(queue.entries)
        if not entry.blind and entry.confidence >= 0.85
    ]
    doubtful = [k for k, e in enumerate(queue.entries) if not e.blind and e.confidence < 0.85]
    assert len(blind) == len(audit.refs)
    assert len(doubtful) > 5
    assert min(sure) > max(doubtful) > max(blind) - len(blind) // len(doubtful) - 2
    assert [queue.entries[place].question for place in sure] == [None] * len(sure)
    assert len({(e.desk, e.item) for e in queue.entries}) == queue.left == 200
    thirds = np.histogram(blind, bins=3, range=(0, max(blind)))[0]
    assert thirds.min() >= 0.6 * thirds.max()


def test_the_threshold_is_the_one_that_spares_most_answers():
    sure, doubtful = np.full(150, 0.98), np.full(100, 0.85)
    both = np.concatenate([sure, doubtful])
    assert sparing(both, 0.1).threshold == pytest.approx(0.98)  # the others cost more audit items
    assert sparing(both, 0.4).n_accepted == 250
    assert sparing(np.full(30, 0.6), 0.1).n_accepted == 0


def test_an_audit_of_earlier_proposals_says_nothing_of_those_in_use(open_study, write, rng):
    room, _ = open_study(n_units=200)
    audit = reserve(room, "spikes", selection(), rng, budget=0.1)
    answer(room, write, audit.refs)
    assert acceptance(room, "spikes").on
    for bench in benches(room.store, "curation"):
        keep(room.store, propose(bench, learner_of(room.store, "curation")))
    room.refresh()
    assert current(room, "spikes") is None
    assert acceptance(room, "spikes") is None
    assert residual_error(room, "spikes") is None
    assert build(room, "Ada", rng).automatic == 0


def test_a_region_that_fails_the_budget_is_read_by_people(open_study, write, rng):
    room, _ = open_study(n_units=150, n_sessions=2)
    for desk, region in zip(room.desks, ("CA1", "CA3"), strict=True):
        session = dict(desk.source.session) | {"region": region}
        room.store.update_source(desk.source.fingerprint, session=session)
    room.refresh()
    _, second = room.desks
    audit = reserve(room, "spikes", selection(0.6), rng, budget=0.3, size=200)
    there = [k for k, (key, _) in enumerate(audit.refs) if key == second.key]
    answer(room, write, audit.refs, wrong=[k for n, k in enumerate(there) if n % 5 < 2])
    verdict = acceptance(room, "spikes")
    assert verdict.on, "two fifths of one region are a fifth of all"
    assert verdict.off_in["region: CA3"].endswith("the budget is 30.0%")
    assert "region: CA1" not in verdict.off_in
    queue = build(room, "Ada", rng, limit=300)
    audited = {item for key, item in audit.refs if key == second.key}
    left = set(second.item_ids.tolist()) - audited
    assert left
    assert {e.item for e in queue.entries if e.desk == second.key} == left
    assert queue.automatic > 0
    assert queue.automatic + len(queue.entries) == 300 - len(audit.refs)


def test_a_queue_looks_at_the_audit_once_however_many_sessions(open_study, rng, monkeypatch):
    def looks(n_sessions):
        room, _ = open_study(n_units=20, n_sessions=n_sessions)
        reserve(room, "spikes", selection(0.6), rng, budget=0.2)
        build(room, "Ada", rng)
        asked, look = [], room.store.setting_position
        monkeypatch.setattr(room.store, "setting_position", lambda n: asked.append(n) or look(n))
        build(room, "Ada", rng)
        return len(asked)

    assert looks(1) == looks(6) > 0
