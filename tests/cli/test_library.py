"""`nissl library` as a user calls it."""

import json

import pytest
from typer.testing import CliRunner

from nissl.annotators.celltypes.ground_truth import class_set
from nissl.annotators.celltypes.library_files import read_library
from nissl.cli import app
from nissl.labels import Author
from nissl.store import Store
from nissl.testing.celltypes import celltypes_study


def call(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)
    return done.exit_code, done.stdout, done.exception


@pytest.fixture
def study(tmp_path):
    """A project of a session whose first units were tagged."""
    celltypes_study(tmp_path / "study", n_units=10)
    with Store.open(tmp_path / "study") as store:
        spikes = store.get_labels(store.label_sets(task="spikes")[0].digest)
        light = Author("model", "celltypes/optotagging", "1")
        tagged = class_set(spikes, {0: "PV", 1: "PV", 2: "SOM"}, light, {})
        store.put_labels(tagged)
        store.record_labels(tagged.digest)
    return tmp_path / "study"


def build(study, out, name="a", licence="CC-BY-4.0", *more):
    return call("library", "build", study, out, "--name", name, "--licence", licence, *more)


def test_build_show_and_teach(study, tmp_path):
    out = tmp_path / "ours.zip"
    code, printed, _ = build(
        study, out, "ours", "CC-BY-4.0", "--define", "PV=Pvalb-Cre, light", "--by", "ana", "--json"
    )
    assert code == 0
    assert json.loads(printed) == [{"class": "PV", "units": 2}, {"class": "SST", "units": 1}]
    code, printed, _ = call("library", "show", out)
    assert code == 0
    for part in ("# ours", "Licence: CC-BY-4.0", "| PV | 2 |", "Pvalb-Cre, light"):
        assert part in printed
    card = json.loads(call("library", "show", out, "--json")[1])
    assert card["counts"]["evidence"] == {"optotagging": 3}
    assert card["built_by"] == "ana"
    assert card["digest"] == read_library(out).digest
    _, _, error = call("learn", study, "--task", "celltypes", "--library", out)
    assert "at least 10 labelled units" in str(error)
    assert "'SST': 2" in str(error)  # SOM of the project is the library's SST


def test_what_is_there_is_not_overwritten(study, tmp_path):
    assert build(study, tmp_path / "ours")[0] == 0
    code, _, error = build(study, tmp_path / "ours")
    assert code != 0
    assert "nothing is yet" in str(error)
    _, _, error = build(study, tmp_path / "more", "x", " ")
    assert "without licence" in str(error)
    assert not (tmp_path / "more").exists()
    _, _, error = build(study, tmp_path / "more", "x", "MIT", "--define", "PV")
    assert "NAME=VALUE" in str(error)


def test_merging(study, tmp_path):
    build(study, tmp_path / "a", "a", "CC-BY-4.0", "--define", "PV=light")
    build(study, tmp_path / "b.zip", "b", "CC-BY-NC-4.0", "--define", "PV=staining", "--all")
    a, b, out = tmp_path / "a", tmp_path / "b.zip", tmp_path / "both"
    _, _, error = call("library", "merge", a, b, out)
    assert "--alias 'b:PV=another name'" in str(error)
    assert not out.exists()
    _, _, error = call("library", "merge", a, b, out, "--alias", "b:PV=stained")
    assert "one class for a unit" in str(error)
    more = ("--alias", "b:PV=stained", "--disagree", "first", "--json")
    code, printed, _ = call("library", "merge", a, b, out, *more)
    assert code == 0
    counts = {row["class"]: row["units"] for row in json.loads(printed)}
    assert counts == {"–": 7, "PV": 2, "SST": 1}
    made = read_library(out)
    assert made.card["name"] == "both"
    assert made.card["licence"] == "CC-BY-4.0 AND CC-BY-NC-4.0"
    assert "commercial" in made.card["terms"]
    assert "most restrictive" in call("library", "show", out)[1]


def test_what_cannot_be_merged(study, tmp_path):
    build(study, tmp_path / "a")
    _, _, error = call("library", "merge", tmp_path / "a")
    assert "libraries, and a name" in str(error)
    _, _, error = call("library", "merge", tmp_path / "a", tmp_path / "x", "--disagree", "maybe")
    assert "--disagree among" in str(error)
    aliases = ("--alias", "PV=x", "--alias", "PV=y")
    _, _, error = call("library", "merge", tmp_path / "a", tmp_path / "x", *aliases)
    assert "one value for 'PV'" in str(error)
    _, _, error = call("library", "show", tmp_path / "nothing")
    assert error.exit_code == 3


def test_imports_name_what_they_need(tmp_path):
    _, _, error = call("library", "import-c4", tmp_path / "x.h5", tmp_path / "o", "--licence", "y")
    assert "no x.h5" in str(error)
    _, _, error = call("library", "import-cellexplorer", tmp_path, tmp_path / "out")
    assert "cells_all_columns.csv" in str(error)
