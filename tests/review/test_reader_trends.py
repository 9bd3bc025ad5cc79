import json

import numpy as np
import pytest

from nissl.errors import MissingInputError
from nissl.review.reader_trends import automation_bias, drift
from nissl.review.readers import Answer


def answers(right, reader="ana", start=0):
    return [
        Answer(reader, start + i, "good" if r else "mua", 1000.0 + i) for i, r in enumerate(right)
    ]


REFERENCE = dict.fromkeys(range(1000), "good")


def test_a_reader_who_gets_worse_is_noticed_and_when():
    rng = np.random.default_rng(0)
    right = np.concatenate([rng.random(150) < 0.95, rng.random(150) < 0.7])
    found = drift(answers(right), "ana", REFERENCE, rng=rng)
    assert found.p < 0.01
    assert abs(found.change_s - 1150) < 30
    assert found.before.low > found.after.estimate
    assert len(found.windows) == 6
    assert sum(w.agreement.n for w in found.windows) == 300
    assert found.windows[0].last_s == 1049.0
    assert found.windows[0].agreement.estimate > found.windows[-1].agreement.estimate
    json.dumps(found.to_json())


def test_a_steady_reader_raises_no_alarm_more_often_than_promised():
    rng = np.random.default_rng(1)
    alarms = [
        drift(answers(rng.random(120) < 0.85), "ana", REFERENCE, rng=rng, n_permutations=99).p
        < 0.05
        for _ in range(100)
    ]
    assert np.mean(alarms) <= 0.12


def test_only_this_readers_first_hand_answers_to_known_items_count():
    mixed = [
        *answers([True] * 12),
        *answers([False] * 12, "ben"),
        *answers([False] * 5, start=2000),
        Answer("ana", 3, "mua", 5000.0, adjudicates=True),
    ]
    found = drift(mixed, "ana", REFERENCE, rng=np.random.default_rng(0), n_permutations=20)
    assert found.windows[0].agreement.estimate == 1.0
    assert found.change_s is None
    with pytest.raises(MissingInputError, match="10 answers"):
        drift(answers([True] * 9), "ana", REFERENCE, rng=np.random.default_rng(0))


def shown_and_hidden(led, n=600, seed=0):
    """Two readers; the method errs on a fifth, and a share of the answers shown follow it."""
    rng = np.random.default_rng(seed)
    truth = {item: "good" if rng.random() < 0.5 else "mua" for item in range(n)}
    proposed = {
        item: label if rng.random() < 0.8 else ("mua" if label == "good" else "good")
        for item, label in truth.items()
    }
    said = []
    for item in range(n):
        reader, hidden = ("ana", "ben")[item % 2], bool(rng.random() < 0.5)
        skill = 0.85 if reader == "ana" else 0.95
        own = truth[item] if rng.random() < skill else ("good", "mua")[truth[item] == "good"]
        label = proposed[item] if not hidden and rng.random() < led else own
        said.append(Answer(reader, item, label, float(item), hidden=hidden))
    return said, proposed, truth


def test_readers_who_follow_the_method_are_found_and_others_are_not():
    said, proposed, truth = shown_and_hidden(0.5)
    rng = np.random.default_rng(1)
    led = automation_bias(said, proposed, rng=rng, truth=truth, n_resamples=500)
    assert led.p < 0.01
    assert led.difference.low > 0
    assert led.shown.estimate > led.hidden.estimate
    assert led.followed_wrong["shown"].low > led.followed_wrong["hidden"].estimate
    json.dumps(led.to_json())
    alarms = 0
    for seed in range(20):
        said, proposed, _ = shown_and_hidden(0.0, n=200, seed=seed)
        found = automation_bias(said, proposed, rng=rng, n_resamples=200)
        alarms += found.p < 0.05
        assert found.followed_wrong == {}
    assert alarms <= 4


def test_without_hidden_answers_nothing_can_be_said():
    said, proposed, _ = shown_and_hidden(0.0, n=50)
    shown = [a for a in said if not a.hidden]
    with pytest.raises(MissingInputError, match="hidden"):
        automation_bias(shown, proposed, rng=np.random.default_rng(0))
