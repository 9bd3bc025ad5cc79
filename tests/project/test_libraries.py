"""Libraries from the units of a project whose cell type is known."""

from uuid import uuid4

import numpy as np
import pytest

from nissl.annotators.celltypes.features import NAMES
from nissl.annotators.celltypes.ground_truth import class_set
from nissl.annotators.celltypes.library_files import read_library, write_library
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Edit, EditKind
from nissl.project import open_project
from nissl.testing.celltypes import celltypes_study

LIGHT = Author("model", "celltypes/optotagging", "1")


@pytest.fixture
def study(tmp_path):
    """Two sessions of 12 units; in the first some are tagged and some decided on."""
    truth = celltypes_study(tmp_path / "study", n_units=12, n_sessions=2)
    return tmp_path / "study", list(truth)


def decide(store, digest, kind, item, **payload):
    store.append([Edit(uuid4(), kind, digest, (item,), "ana", 1.0, payload)])


def fill(path, proposals):
    """Tags of three units, a table of a person, and two decisions in review."""
    with open_project(path) as project:
        store = project.store
        row = store.sources()[0]
        spikes = store.get_labels(store.label_sets(source=row.fingerprint, task="spikes")[0].digest)
        light = class_set(spikes, {0: "Pvalb", 1: "Pvalb", 2: "Pvalb"}, LIGHT, {})
        words = {"evidence": {"3": "juxtacellular; expert", "4": "staining"}}
        table = class_set(spikes, {3: "SOM", 4: "VIP"}, Author("person", "ana"), words)
        for labels in (light, table):
            store.put_labels(labels)
            store.record_labels(labels.digest)
        decide(store, light.digest, EditKind.ACCEPT, 1)
        decide(store, light.digest, EditKind.UNSURE, 2)
        decide(store, proposals[0], EditKind.RELABEL, 5, label="pyramidal")
        decide(store, proposals[0], EditKind.RELABEL, 6, label="unknown")


def test_known_units_become_a_library(study, tmp_path):
    path, proposals = study
    fill(path, proposals)
    with open_project(path) as project:
        made = project.library(name="ours", licence="CC0-1.0", card={"citation": "us 2026"})
        whole = project.library(name="ours", licence="CC0-1.0", everything=True)
    by_unit = dict(
        zip(made.facts["unit"], zip(made.label, made.evidence, strict=True), strict=True)
    )
    assert by_unit == {
        "0": ("PV", "optotagging"),
        "1": ("PV", "optotagging"),
        "3": ("SST", "juxtacellular"),
        "4": ("VIP", "expert"),
        "5": ("pyramidal", "expert"),
    }
    assert made.facts["evidence as stated"][2:4] == ("juxtacellular; expert", "staining")
    assert made.features.names == NAMES
    assert set(made.features.subject) == {"mouse-1"}
    assert np.isfinite(made.features.values[:, NAMES.index("firing_rate_hz")]).all()
    (source,) = made.card["sources"]
    assert source["units"] == 5
    assert source["evidence"] == {"expert": 2, "juxtacellular": 1, "optotagging": 2}
    assert made.card["citation"] == "us 2026"
    assert len(whole) == 24
    assert whole.classes == made.classes
    assert set(whole.features.subject) == {"mouse-1", "mouse-2"}
    read = read_library(write_library(tmp_path / "ours", made))
    assert read.digest == made.digest


def test_a_model_learns_from_what_a_project_gave(study, tmp_path):
    path, proposals = study
    fill(path, proposals)
    with open_project(path) as project:
        made = project.library(name="ours", licence="CC0-1.0")
    examples = made.examples(names=NAMES)
    assert examples.classes == ("PV", "SST", "VIP", "pyramidal", "unknown")
    assert examples.label.tolist() == [0, 0, 1, 2, 3]


def test_nothing_known_is_no_library(study):
    path, _ = study
    with open_project(path) as project:
        with pytest.raises(MissingInputError, match="nissl tag"):
            project.library(name="ours", licence="CC0-1.0", everything=True)
        with pytest.raises(BadArgumentError, match="made here"):
            project.library(name="ours", licence="CC0-1.0", card={"sources": []})
