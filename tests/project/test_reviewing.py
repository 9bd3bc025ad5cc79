"""Decisions, reports and exports: what people said is what leaves the project."""

import numpy as np
import pytest

from nissl.errors import BadArgumentError, BadEditError, MissingInputError
from nissl.io import IMPORTERS
from nissl.labels.replay import by_reviewer

METHOD = "spikes/crossings"


def rows_of(labels, item):
    return int(np.sum(labels.column("item") == item))


def test_decisions_are_replayed_and_kept(project, night, edit):
    labels = night.draft.labels
    a, b, c = labels.items[:3].tolist()
    project.decide([edit("merge", labels, [a, b]), edit("remove", labels, [c])])
    project.decide(edit("accept", labels, [k]) for k in labels.items[3:4].tolist())
    outcome = project.reviewed("night0", "spikes")
    merged = outcome.labels
    assert rows_of(merged, a) == rows_of(labels, a) + rows_of(labels, b)
    assert c not in merged.items
    assert merged.n_rows == labels.n_rows - rows_of(labels, c)
    assert project.labels("night0", "spikes") == labels, "the proposal itself never changes"
    assert labels.digest in merged.provenance.made_from


def test_the_export_holds_the_reviewed_labels_and_says_how_much(project, night, edit, tmp_path):
    labels = night.draft.labels
    c = int(labels.items[0])
    project.set_head("night0", "spikes", by="ana")
    project.decide([edit("remove", labels, [c])])
    dossier = project.dossier("night0", "spikes")
    assert dossier.reviewed == pytest.approx(1 / labels.items.size)
    assert not dossier.draft
    assert dossier.labels == project.reviewed("night0", "spikes").labels
    written = project.export("night0", "csv", tmp_path / "out" / "spikes.csv")
    back = IMPORTERS.get("csv").read(written).labels[0]
    assert back.n_rows == labels.n_rows - rows_of(labels, c)
    assert c not in back.items


def test_drafts_leave_only_when_asked(project, night, tmp_path):
    with pytest.raises(MissingInputError, match="nissl head"):
        project.export("night0", "csv", tmp_path / "spikes.csv")
    assert not (tmp_path / "spikes.csv").exists()
    written = project.export("night0", "csv", tmp_path / "spikes.csv", draft=True)
    assert IMPORTERS.get("csv").read(written).labels[0].n_rows == night.draft.labels.n_rows
    assert project.dossier("night0", "spikes", draft=True).draft
    assert project.dossier("night0", "spikes", draft=True).reviewed == 0.0
    with pytest.raises(BadArgumentError, match="nwb"):
        project.export("night0", "nwbb", tmp_path / "x", draft=True)


def test_the_head_is_exported_not_the_newest(project, night, tmp_path):
    project.set_head("night0", "spikes", by="ana")
    newer = project.annotate("night0", METHOD, parameters={"threshold_uv": 80.0})
    written = project.export("night0", "csv", tmp_path / "spikes.csv")
    n = IMPORTERS.get("csv").read(written).labels[0].n_rows
    assert n == night.draft.labels.n_rows > newer.labels.n_rows


def test_several_reviewers_need_a_rule(project, night, edit, tmp_path):
    labels = night.draft.labels
    a = int(labels.items[0])
    project.set_head("night0", "spikes", by="ana")
    project.decide([edit("accept", labels, [a], "ana"), edit("remove", labels, [a], "ben")])
    for use in (
        lambda: project.reviewed("night0", "spikes"),
        lambda: project.dossier("night0", "spikes"),
        lambda: project.export("night0", "csv", tmp_path / "spikes.csv"),
    ):
        with pytest.raises(BadEditError, match=r"by_reviewer|resolve"):
            use()
    assert not (tmp_path / "spikes.csv").exists()
    ana = project.reviewed("night0", "spikes", resolve=by_reviewer("ana"))
    ben = project.dossier("night0", "spikes", resolve=by_reviewer("ben"))
    assert (a in ana.labels.items, a in ben.labels.items) == (True, False)
    ben_only = project.export("night0", "csv", tmp_path / "spikes.csv", resolve=by_reviewer("ben"))
    assert a not in IMPORTERS.get("csv").read(ben_only).labels[0].items


def test_the_report_stands_in_the_project_and_names_the_source(project, night):
    path = project.report("night0", "spikes")
    assert path == project.path / "reports" / "night0.spikes.html"
    html = path.read_text()
    assert html.count("<article") == night.draft.labels.items.size
    assert "Looked at quickly." in html
    assert "night0" in html
    assert "not available" not in html


def test_the_report_without_the_raw_file_says_so(project, night, tmp_path):
    night.file.path.unlink()
    html = project.report("night0", "spikes").read_text()
    assert "The raw recording is not available" in html
    assert html.count("<article") == night.draft.labels.items.size
    project.set_head("night0", "spikes", by="ana")
    for to, name in (("csv", "spikes.csv"), ("phy", "phy"), ("nwb", "spikes.nwb")):
        written = project.export("night0", to, tmp_path / name)
        back = IMPORTERS.get(to).read(written).labels[0]
        assert back.n_rows == night.draft.labels.n_rows


def test_decisions_survive_without_the_raw_file(project, night, edit):
    labels = night.draft.labels
    night.file.path.unlink()
    project.decide([edit("merge", labels, labels.items[:2].tolist())])
    html = project.report("night0", "spikes").read_text()
    assert html.count("<article") == labels.items.size - 1


def test_comparison_with_a_reference(project, night):
    result = project.compare("night0", "spikes", night.draft.labels)
    assert all(row["accuracy"] == 1.0 for row in result.items.to_pylist())
