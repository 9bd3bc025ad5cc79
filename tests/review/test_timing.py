"""Times are learned from the journal, without idle gaps, and totals are covered by intervals."""

import uuid

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.labels import Edit, EditKind
from nissl.review.simulated import Pace, SimulatedReader
from nissl.review.timing import (
    IDLE_S,
    PRIOR_MEDIAN_S,
    SESSION_GAP_S,
    Answers,
    ambiguity_of,
    fit_times,
    plausible,
    timed_answers,
)


def answers(n=200, *, pace=None, kind="units", reader="ann", seed=0):
    rng = np.random.default_rng(seed)
    doubt = rng.random(n)
    person = SimulatedReader.accurate(reader, 2, 1.0, pace=pace or Pace())
    _, took = person.answer(np.zeros(n, dtype=np.int64), doubt, rng)
    return Answers((kind,) * n, (reader,) * n, doubt, np.arange(n), took)


def together(*parts):
    return Answers(
        sum((p.kind for p in parts), ()),
        sum((p.reader for p in parts), ()),
        np.concatenate([p.ambiguity for p in parts]),
        np.concatenate([p.order for p in parts]),
        np.concatenate([p.took_s for p in parts]),
    )


def edit(took_s=2.0, when_s=0.0, *, kind=EditKind.ACCEPT, base="b", items=(1,), reviewer="ann"):
    return Edit(uuid.uuid4(), kind, base, items, reviewer, when_s, {}, took_s=took_s)


def none():
    return timed_answers([], {})


def test_before_the_first_answer_the_prior_speaks():
    model = fit_times(none())
    found = model.seconds("units", np.array([0.0, 1.0]))
    assert PRIOR_MEDIAN_S < found[0] < 2 * PRIOR_MEDIAN_S
    assert found[1] > found[0]
    left = model.minutes_left([("units", np.full(100, 0.5))])
    assert left.low < left.estimate < left.high
    assert left.high > 2 * left.low


def test_it_learns_level_and_slowing():
    pace = Pace(median_s=1.5, sigma=0.4, slowing=1.5, warming=0.0, fatigue=0.0)
    model = fit_times(answers(400, pace=pace))
    doubt = np.array([0.1, 0.5, 0.9])
    found = model.seconds("units", doubt, reader="ann", order=100)
    assert found == pytest.approx(pace.expected_s(doubt, 100), rel=0.2)
    assert model.sigma == pytest.approx(0.4, rel=0.25)


def test_idle_gaps_do_not_count():
    pace = Pace(median_s=2.0, sigma=0.4)
    clean = fit_times(answers(300, pace=pace))
    idle = fit_times(answers(300, pace=Pace(median_s=2.0, sigma=0.4, idle=0.08)))
    doubt = np.full(1, 0.5)
    assert idle.seconds("units", doubt) == pytest.approx(clean.seconds("units", doubt), rel=0.1)


def test_gaps_are_marked_by_the_reader_s_own_pace():
    quick, slow = np.full(10, 1.0), np.full(10, 9.0)
    quick[3] = slow[3] = 20.0
    slow[4] = IDLE_S + 1
    parts = [
        Answers(("units",) * 10, (name,) * 10, np.zeros(10), np.arange(10), times)
        for name, times in (("quick", quick), ("slow", slow))
    ]
    assert np.flatnonzero(~plausible(together(*parts))).tolist() == [3, 14]


def test_readers_and_kinds_are_told_apart_and_a_stranger_gets_the_middle():
    everyone = together(
        answers(150, pace=Pace(median_s=1.5), reader="quick", seed=1),
        answers(150, pace=Pace(median_s=6.0), reader="slow", seed=2),
        answers(150, pace=Pace(median_s=6.0), reader="slow", kind="spans", seed=3),
    )
    model, doubt = fit_times(everyone), np.full(1, 0.5)
    quick, slow, stranger = (
        float(model.seconds("units", doubt, reader=name)[0]) for name in ("quick", "slow", "new")
    )
    assert quick < stranger < slow
    assert slow / quick == pytest.approx(4.0, rel=0.4)
    known = model.minutes_left([("units", np.full(50, 0.5))], reader="quick")
    unknown = model.minutes_left([("units", np.full(50, 0.5))], reader="new")
    assert unknown.high / unknown.low > known.high / known.low


def test_the_interval_of_the_minutes_left_covers_the_truth_as_often_as_it_says():
    held, runs = 0, 60
    for seed in range(runs):
        rng = np.random.default_rng(1000 + seed)
        pace = Pace(
            median_s=float(rng.uniform(2, 8)), sigma=0.5, slowing=float(rng.uniform(0, 1.2))
        )
        model = fit_times(answers(60, pace=pace, seed=seed))
        doubt = rng.random(120)
        true = pace.draw_s(doubt, 60 + np.arange(120), rng).sum() / 60
        said = model.minutes_left([("units", doubt)], reader="ann", order=60, level=0.9)
        held += said.low <= true <= said.high
    assert held / runs >= 0.75
    assert said.high / said.low < 2.0  # after 60 answers it is worth something


def test_more_left_takes_longer_and_nothing_left_takes_nothing():
    model = fit_times(answers())
    few, many = (model.minutes_left([("units", np.full(n, 0.5))]).estimate for n in (10, 100))
    assert many > 5 * few
    assert model.minutes_left([]).estimate == 0
    both = model.minutes_left([("units", np.full(10, 0.5)), ("spans", np.full(10, 0.5))])
    assert both.n == 20


def test_the_pace_is_not_extrapolated_beyond_a_long_session():
    tiring = answers(250, pace=Pace(warming=0.0, fatigue=0.4))
    model, doubt = fit_times(tiring), np.full(1, 0.5)
    late, never = (model.seconds("units", doubt, order=order) for order in (300, 100_000))
    assert late == pytest.approx(never)
    assert late > model.seconds("units", doubt, order=5)


def test_the_journal_is_read_as_sessions_of_each_reader():
    edits = [
        edit(when_s=0),
        edit(when_s=5, reviewer="bob"),
        edit(when_s=10),
        edit(when_s=10 + SESSION_GAP_S + 1),
        edit(when_s=12 + SESSION_GAP_S + 1),
    ]
    found = timed_answers(edits, {"b": "units"})
    assert found.order.tolist() == [0, 0, 1, 0, 1]
    assert found.reader == ("ann", "bob", "ann", "ann", "ann")
    assert set(found.kind) == {"units"}


def test_what_is_no_timed_decision_is_left_out():
    edits = [
        edit(kind=EditKind.UNDO),
        edit(kind=EditKind.NOTE),
        edit(base="gone"),
        edit(took_s=None),
        edit(took_s=0.0),
        edit(kind=EditKind.MERGE, items=(1, 2), took_s=7.0),
    ]
    found = timed_answers(edits, {"b": "units"}, {("b", 1): 0.2, ("b", 2): 0.9})
    assert found.took_s.tolist() == [7.0]
    assert found.ambiguity.tolist() == [0.9]


def test_ambiguity_is_relative_entropy():
    assert ambiguity_of(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx([0, 1], abs=1e-9)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(BadArgumentError):
        Answers(("units",), ("ann",), np.zeros(2), np.zeros(1, dtype=np.int64), np.ones(1))
