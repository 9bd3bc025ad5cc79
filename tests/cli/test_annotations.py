"""`nissl import` and `nissl export` of annotations, as a technician types them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nissl.testing.spans import span_project


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nights")
    for seed, name in enumerate(("night1", "night2")):
        rng = np.random.default_rng(seed)
        with span_project(folder, rng, name=name, duration_s=120.0, n_spans=12):
            pass
    return folder / "study"


def test_a_study_becomes_one_dataset(nissl, study, tmp_path):
    arguments = ["--to", "bids", "--task", "events", "--draft"]
    result = nissl("export", study, tmp_path / "out", *arguments, "--json")
    assert result.code == 0, result.err
    assert [row["verified"] for row in json.loads(result.out)] == [True, True]
    assert len(list((tmp_path / "out").rglob("*_desc-nissl_events.tsv"))) == 2
    assert nissl("export", study, tmp_path / "out", *arguments).code == 3
    assert nissl("export", study, tmp_path / "out", *arguments, "--overwrite").code == 0


@pytest.mark.parametrize("to", ["edf-annotations", "wonambi", "mne", "szcore", "luna"])
def test_out_and_in_again(nissl, study, tmp_path, to):
    out = tmp_path / "out"
    arguments = ["--to", to, "--task", "events", "--draft", "--source", "night1"]
    result = nissl("export", study, out, *arguments, "--json")
    assert result.code == 0, result.err
    (path,) = out.iterdir()
    result = nissl("import", study, "night1", path, "--name", "again", "--author", "anna", "--json")
    assert result.code == 0, result.err
    (row,) = json.loads(result.out)
    assert row["task"] == "again"
    assert row["rows"] > 0 or to == "szcore"


def test_what_was_done_is_told(nissl, study, tmp_path):
    path = tmp_path / "night.eannot"
    path.write_text("W\nN1\nN2\nN2\nR\n")
    result = nissl("import", study, "night1", path)
    assert result.code == 3
    assert "--outside cut" in result.err
    result = nissl(
        "import", study, "night1", path, "--outside", "cut", "--author", "anna", "--json"
    )
    assert result.code == 0, result.err
    assert "cut off" in result.err
    assert json.loads(result.out)[0]["rows"] == 4
    result = nissl("import", study, "night1", path, "--format", "wonambi")
    assert result.code == 3
