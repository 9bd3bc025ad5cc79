"""Reasons of a learner whose features hold whole curves, and at desks of classes themselves."""

from types import SimpleNamespace

import numpy as np
import pytest

from nissl.annotators.celltypes.axes import MODALITIES, MODALITY_SAYS
from nissl.errors import MissingInputError
from nissl.labels import FeatureTable
from nissl.project.reviewing import open_room
from nissl.review.why import _margin, _modalities, _relatives, reasons, why, why_at
from nissl.store import Store
from nissl.testing.celltypes import celltypes_study
from nissl.testing.kinds import kinds_project

NAMES = ("rate_hz", "curve_0", "curve_1", "curve_2", "depth_um")
CLASSES = ("PV", "SST", "VIP")


class Learner:
    """Says of every item what it is told to say."""

    says = {"rate_hz": "{:.0f} spikes a second", "curve": "shape of the curve"}  # noqa: RUF012
    modalities = {"curve": NAMES[1:4]}  # noqa: RUF012

    def __init__(self, given):
        self.given = np.asarray(given, float)

    def contributions(self, features):
        return self.given[None]

    def relatives(self, features, n):
        return [("unit 3", "PV", "optotagging", 0.5)][:n]


@pytest.fixture
def one():
    values = np.asarray([[12.0, 0.1, 0.2, 0.3, np.nan]])
    units = ("Hz", "", "", "", "um")
    return FeatureTable(np.zeros(1, np.int64), NAMES, values, units, ("m",), ("s",))


@pytest.fixture
def learner():
    given = np.zeros((5, 4))
    given[:, :3] = [[0.2, 0, 0], [0.3, 0, 0], [0.4, 0, 0], [-0.1, 0, 0], [0, 0.5, 0]]
    return Learner(given)


def test_samples_of_a_curve_are_one_reason(learner, one):
    p = np.asarray([0.6, 0.3, 0.1])
    margin, given = _margin(learner, one, p)
    told = reasons(learner, one, margin, given, CLASSES, "PV")
    assert [reason.feature for reason in told] == ["curve", "depth_um", "rate_hz"]
    assert told[0].weight == pytest.approx(0.6)
    assert told[0].value is None
    assert told[0].sentence == "shape of the curve: towards PV"
    assert told[1].sentence == "depth um could not be computed: towards SST"
    assert told[2].sentence == "12 spikes a second: towards PV"


def test_samples_keep_what_each_says_and_sum_to_the_reason(learner, one):
    p = np.asarray([0.6, 0.3, 0.1])
    margin, given = _margin(learner, one, p)
    (columns,) = _modalities(learner, one).values()
    told = reasons(learner, one, margin, given, CLASSES, "PV")
    assert margin[columns].tolist() == pytest.approx([0.3, 0.4, -0.1])
    assert margin[columns].sum() == pytest.approx(told[0].weight)


def test_a_learner_without_curves_and_library_has_neither(one):
    plain = SimpleNamespace()
    assert _modalities(plain, one) == {}
    assert _relatives(plain, one) == ()


def test_nearest_units_of_a_library_are_told(learner, one):
    (near,) = _relatives(learner, one)
    assert (near.name, near.label, near.evidence, near.distance) == (
        "unit 3",
        "PV",
        "optotagging",
        0.5,
    )


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    path = tmp_path_factory.mktemp("types") / "study"
    celltypes_study(path, n_units=12, seed=4)
    with Store.open(path) as store:
        yield open_room(store)


def test_why_at_the_desk_of_the_classes_themselves(room):
    desk = next(desk for desk in room.desks if desk.view == "celltypes")
    told = why_at(desk, 3)
    assert told.item == 3
    assert told.proposed != "unknown"  # the last class claims nothing
    assert 0 < told.confidence <= 1
    assert {name: len(MODALITIES[name]) for name in MODALITIES} == {
        name: len(values) if values else len(MODALITIES[name])
        for name, values in told.saliency.items()
    }
    assert told.saliency["waveform"] is not None
    words = [reason for reason in told.reasons if reason.feature in MODALITY_SAYS]
    assert all(reason.sentence.startswith(MODALITY_SAYS[reason.feature]) for reason in words)
    sent = told.to_json()
    assert sent["library"] == []
    assert set(sent["saliency"]) == set(MODALITIES)
    unit = why(room.store, "celltypes", desk.row.targets[0], 3)
    assert unit.reasons == told.reasons


def test_an_item_that_is_not_there(room):
    desk = next(desk for desk in room.desks if desk.view == "celltypes")
    with pytest.raises(MissingInputError):
        why_at(desk, 99)


def test_findings_of_the_classes_are_told(room):
    desk = next(desk for desk in room.desks if desk.view == "celltypes")
    finding = {"check": "novelty", "severity": "note", "sentence": "far out", "item": 5}
    room.store.record_findings(desk.key, [finding])
    assert [each.sentence for each in why_at(desk, 5).findings] == ["far out"]
    assert why_at(desk, 6).findings == ()


def test_a_task_without_a_method_says_so(tmp_path):
    with kinds_project(tmp_path, np.random.default_rng(1), n_items=4) as project:
        desk = next(each for each in open_room(project.store).desks if each.view == "classes")
        with pytest.raises(MissingInputError, match="reason in the queue"):
            why_at(desk, 0)
