"""Event scores by hand-made cases."""

import math

import numpy as np
import pytest

from nissl.annotators.events.score import score, szcore, united
from nissl.annotators.events.vocabulary import classes
from nissl.errors import MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance


def spans(rows, names=("seizure",), channel=None, stated=None):
    about = Provenance(
        "events",
        "x",
        Author("model", "events/test", "1"),
        parameters={} if stated is None else {"preprocessing": [{"parameters": stated}]},
    )
    start, stop = np.array(rows, np.int64).reshape(-1, 2).T
    columns = {"start": start, "stop": stop, "channel": channel or [None] * len(start)}
    return LabelSet.build(Kind.SPANS, columns, classes(*names), about)


def test_szcore_joins_cuts_and_tolerates():
    truth = spans([(1000, 1060), (5000, 5030), (5080, 5100), (9000, 9700)])
    # 25 s early counts, the pair 50 s apart is one, 700 s are three pieces
    claimed = spans([(970, 975), (5050, 5051), (9000, 9200), (20_000, 20_010), (20_050, 20_060)])
    found = szcore(truth, claimed, 1.0, 86_400.0)
    assert (found.n_true, found.n_hit, found.n_false) == (5, 3, 1)
    assert found.false_per_day == pytest.approx(1.0)
    assert found.f1 == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))


def test_szcore_without_seizures_has_no_sensitivity():
    found = szcore(spans([]), spans([(5, 10)]), 1.0, 43_200.0)
    assert math.isnan(found.sensitivity)
    assert found.false_per_day == 2.0


def test_beyond_the_tolerance_is_a_false_alarm_and_a_miss():
    truth = spans([(1000, 1010)])
    assert szcore(truth, spans([(960, 969)]), 1.0, 1e4).n_hit == 0
    assert szcore(truth, spans([(1069, 1075)]), 1.0, 1e4).n_hit == 1
    assert szcore(truth, spans([(1071, 1075)]), 1.0, 1e4).n_false == 1


def test_overlap_is_by_channel_unless_a_set_says_none():
    truth = spans([(100, 200), (400, 500)], ("spindle",), [0, 1])
    other = spans([(100, 200), (400, 500)], ("spindle",), [1, 1])
    assert score(other, truth)["f1_iou20"] == pytest.approx(0.5)
    merged = spans([(100, 200), (400, 500)], ("spindle",))
    assert score(other, merged)["f1_iou20"] == pytest.approx(1.0)


def test_only_classes_that_can_be_claimed_count():
    truth = LabelSet.build(
        Kind.SPANS,
        {"start": [0, 50], "stop": [10, 60], "label": [0, 1]},
        ("spindle", "blink", "nothing"),
        Provenance("events", "x", Author("person", "expert")),
    )
    assert score(spans([(0, 10)], ("spindle",)), truth)["f1_iou30"] == 1.0


def test_seizures_need_the_rate():
    with pytest.raises(MissingInputError, match="rate"):
        score(spans([(0, 5)]), spans([(0, 5)]))
    stated = {"rate_hz": 1.0, "duration_s": 3600.0}
    assert score(spans([(0, 5)], stated=stated), spans([(0, 5)]))["szcore_f1"] == 1.0


def test_united():
    start, stop = united(np.array([5, 0, 3, 20]), np.array([9, 4, 6, 30]))
    assert start.tolist() == [0, 20]
    assert stop.tolist() == [9, 30]
