"""The fourth class of units: to other formats and back."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.curation.model import VOCABULARY
from nissl.io.alf import ALF
from nissl.io.curation import BESIDE, GROUPS
from nissl.io.files import read_table
from nissl.io.nwb import NWB
from nissl.io.phy import PHY
from nissl.io.spikeinterface import SPIKEINTERFACE
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.testing.exporters import example_dossier


@pytest.fixture
def dossier():
    made = example_dossier(n_units=5)
    labels = made.labels
    columns = {"target": labels.items[:4], "label": np.asarray([0, 1, 2, 3], np.int32)}
    about = Provenance(
        "curation", labels.provenance.source, Author("person", "A"), "ap", targets=(labels.digest,)
    )
    return replace(made, classes=(LabelSet.build(Kind.CLASSES, columns, VOCABULARY, about),))


def test_the_vocabulary_is_the_groups_and_one_more():
    assert VOCABULARY.names[: len(GROUPS)] == GROUPS
    assert set(VOCABULARY.names[len(GROUPS) :]) <= set(BESIDE)


@pytest.mark.parametrize("exporter", [PHY, ALF, NWB, SPIKEINTERFACE], ids=lambda e: e.name)
def test_there_and_back_is_the_identity(exporter, dossier, tmp_path):
    out = exporter.write(dossier, tmp_path / ("out.nwb" if exporter is NWB else "out"))
    exporter.verify(dossier, out)
    assert dossier.classes[0] in exporter.read(out).labels


def test_phy_has_it_as_a_group_of_that_name(dossier, tmp_path):
    out = PHY.write(dossier, tmp_path / "out")
    assert read_table(out / "cluster_group.tsv")["group"] == list(VOCABULARY.names)
