import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.review.double_reading import assign, disagreements, second_questions, with_gold
from nissl.review.readers import Answer

READERS = ("ana", "ben", "eve", "kim")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sets(st.integers(0, 10_000), max_size=60),
    st.integers(2, 4),
    st.integers(2, 3),
    st.floats(0, 1),
)
def test_everyone_reads_alike_much_and_repeated_items_have_different_readers(
    seed, items, n_readers, per_item, fraction
):
    names = READERS[: max(n_readers, per_item)]
    made = assign(
        sorted(items), names, fraction, rng=np.random.default_rng(seed), per_item=per_item
    )
    loads = [len(own) for own in made.by_reader.values()]
    assert max(loads) - min(loads) <= 1
    assert len(made.repeated) == np.ceil(fraction * len(items))
    for item in items:
        n = sum(item in own for own in made.by_reader.values())
        assert n == (per_item if item in made.repeated else 1)
    for own in made.by_reader.values():
        assert len(set(own)) == len(own)


def test_which_items_are_repeated_is_random():
    counts = np.zeros(20)
    for seed in range(300):
        made = assign(range(20), READERS[:2], 0.25, rng=np.random.default_rng(seed))
        counts[list(made.repeated)] += 1
    assert np.all(np.abs(counts / 300 - 0.25) < 0.12)


def test_second_readings_are_asked_of_those_who_have_not_read():
    made = assign(range(10), ("ana", "ben"), 0.5, rng=np.random.default_rng(0))
    rows = second_questions(made, "d" * 64)
    assert len(rows) == 10
    assert {row.policy for row in rows} == {"second"}
    assert {row.uuid for row in rows} == {row.uuid for row in second_questions(made, "d" * 64)}
    done = {item: ["ana"] for item in made.repeated}
    left = second_questions(made, "d" * 64, done=done)
    assert {row.body["reader"] for row in left} == {"ben"}
    assert sorted(row.item for row in left) == list(made.repeated)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 80), st.integers(0, 40), st.floats(0, 0.5))
def test_gold_is_hidden_and_nothing_else_changes(seed, n, n_gold, share):
    gold = list(range(1000, 1000 + n_gold))
    mixed = with_gold(range(n), gold, rng=np.random.default_rng(seed), share=share)
    assert [item for item, is_gold in mixed if not is_gold] == list(range(n))
    inserted = [item for item, is_gold in mixed if is_gold]
    assert len(set(inserted)) == len(inserted) == min(n_gold, round(share / (1 - share) * n))
    assert set(inserted) <= set(gold)


def test_gold_lies_everywhere_and_at_no_regular_place():
    gaps = []
    for seed in range(40):
        mixed = with_gold(range(190), range(1000, 1100), rng=np.random.default_rng(seed))
        places = np.flatnonzero([is_gold for _, is_gold in mixed])
        assert places.size == 10
        assert np.all(np.histogram(places, 5, (0, 200))[0] >= 1)
        gaps.append(np.diff(places))
    assert np.std(np.concatenate(gaps)) > 4


def answer(reader, item, label, *, adjudicates=False):
    return Answer(reader, item, label, 0.0, adjudicates=adjudicates)


def test_only_what_readers_see_differently_is_to_be_settled():
    answers = [
        answer("ana", 0, "good"),
        answer("ben", 0, "good"),
        answer("ana", 1, "good"),
        answer("ben", 1, "mua"),
        answer("ana", 2, "good"),
        answer("ben", 2, None),
        answer("ana", 3, None),
        answer("ben", 3, None),
        answer("ana", 4, "good"),
        answer("ben", 4, "noise"),
        answer("eve", 4, "mua"),
        answer("ana", 5, "good"),
        answer("ben", 5, "mua"),
        answer("kim", 5, "mua", adjudicates=True),
        answer("ana", 6, "mua"),
    ]
    queue = disagreements(answers)
    assert [d.item for d in queue] == [4, 1, 3]  # the most doubtful first
    assert queue[0].said == {"ana": "good", "ben": "noise", "eve": "mua"}
    assert queue[1].doubt == pytest.approx(1.0)
    known = {1: (0.99, 0.01), 4: (0.9, 0.1), 3: (0.5, 0.5)}
    assert [d.item for d in disagreements(answers, posterior=known)] == [3, 4, 1]


def test_changing_ones_mind_ends_a_disagreement():
    answers = [answer("ana", 1, "good"), answer("ben", 1, "mua"), answer("ben", 1, "good")]
    assert disagreements(answers) == ()


def test_bad_arguments_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError, match="2 readers"):
        assign(range(4), ["ana"], 0.5, rng=rng)
    assert len(assign(range(4), ["ana"], 0.0, rng=rng).by_reader["ana"]) == 4
    with pytest.raises(BadArgumentError, match="repeats"):
        assign([1, 1], ["ana", "ben"], 0.5, rng=rng)
    with pytest.raises(BadArgumentError, match="share"):
        with_gold([1], [2], rng=rng, share=1.0)
