"""Annotating: jobs, parameters, inputs, heads, and what a failed run leaves."""

import numpy as np
import pytest

from nissl.errors import (
    BadArgumentError,
    InterruptedRunError,
    MethodFailedError,
    MissingInputError,
    SourceNotFoundError,
)
from nissl.labels import ItemTable
from nissl.project import open_project
from nissl.tasks import TASKS, Task
from nissl.testing.dossiers import spike_dossier

METHOD = "spikes/crossings"


def test_a_draft_holds_the_spikes_that_are_there(night):
    truth = spike_dossier(0, duration_s=2.0).labels.column("sample")
    found = night.draft.labels.column("sample")
    near = np.abs(found[:, None] - truth[None]).min(axis=0)
    assert np.mean(near <= 3) > 0.9
    assert isinstance(night.draft.items, ItemTable)
    assert [f.check for f in night.draft.findings] == ["quick"]
    assert night.draft.labels.provenance.source == night.source.fingerprint


def test_a_finished_job_is_not_computed_again(project, night, tmp_path):
    assert night.method.calls == 1
    again = project.annotate("night0", METHOD)
    assert (night.method.calls, again.resumed, night.draft.resumed) == (1, True, False)
    assert again.labels == night.draft.labels
    assert again.findings == night.draft.findings
    assert again.items.digest == night.draft.items.digest
    assert dict(again.log) == {"wall_s": 0.1}
    project.close()
    with open_project(tmp_path / "study", create=False) as reopened:
        assert reopened.annotate("night0", METHOD).resumed
    assert night.method.calls == 1


def test_what_changes_the_result_is_another_job(project, night):
    fewer = project.annotate("night0", METHOD, parameters={"threshold_uv": 80.0})
    project.annotate("night0", METHOD, seed=1)
    assert night.method.calls == 3
    assert fewer.labels.n_rows < night.draft.labels.n_rows
    same = project.annotate("night0", METHOD, parameters={"threshold_uv": 40.0})
    assert same.resumed, "a default that is spelt out is the same job"
    assert same.labels == night.draft.labels


def test_unknown_parameters_and_streams_are_refused(project, night):
    with pytest.raises(BadArgumentError, match="threshold_uv") as caught:
        project.annotate("night0", METHOD, parameters={"treshold": 1})
    assert "treshold" in caught.value.got
    with pytest.raises(BadArgumentError, match="--stream"):
        project.annotate("night0", METHOD, stream="lf")
    with pytest.raises(BadArgumentError, match="spikes/crossings"):
        project.annotate("night0", "spikes/crossing")
    assert night.method.calls == 1


def test_labels_that_a_task_needs_are_named_with_their_command(project, night, monkeypatch):
    needy = Task(**{**vars(TASKS.get("spikes")), "needs": ("sleep",)})
    monkeypatch.setitem(TASKS._targets, "spikes", needy)
    with pytest.raises(MissingInputError, match=r"nissl annotate .* --task sleep"):
        project.annotate("night0", METHOD)


def test_needed_labels_are_part_of_the_job(project, night, monkeypatch):
    needy = Task(**{**vars(TASKS.get("spikes")), "needs": ("spikes",)})
    monkeypatch.setitem(TASKS._targets, "spikes", needy)
    first = project.annotate("night0", METHOD, parameters={"threshold_uv": 60.0})
    assert not first.resumed
    project.set_head("night0", "spikes", by="ana", digest=night.draft.labels.digest[:9])
    on_head = project.annotate("night0", METHOD, parameters={"threshold_uv": 60.0})
    assert on_head.resumed, "the first time the newest set was the same"
    project.set_head("night0", "spikes", by="ana", digest=first.labels.digest)
    assert not project.annotate("night0", METHOD, parameters={"threshold_uv": 60.0}).resumed


def test_decisions_on_an_earlier_run_follow_to_the_next(project, night, edit):
    old = night.draft.labels
    kept, other = old.items[:2].tolist()
    project.store.append([edit("merge", old, [kept, other])])
    again = project.annotate("night0", METHOD, parameters={"threshold_uv": 41.0})
    assert any("before the re-run: 1 carried over, 0 that" in s for s in again.carried)
    assert [e.kind.value for e in project.store.edits(base=again.labels.digest)] == ["merge"]
    reviewed = project.reviewed("night0", "spikes")
    assert reviewed.labels.items.size == again.labels.items.size - 1
    same = project.annotate("night0", METHOD, parameters={"threshold_uv": 41.0})
    assert (same.resumed, same.carried) == (True, ())
    assert len(project.store.edits()) == 2


def test_a_first_run_has_no_decisions_to_follow(project, night):
    assert night.draft.carried == ()
    other = project.annotate("night0", METHOD, parameters={"threshold_uv": 80.0})
    assert other.carried == ()


def test_the_head_counts_and_only_a_person_moves_it(project, night):
    newer = project.annotate("night0", METHOD, parameters={"threshold_uv": 80.0})
    assert project.labels("night0", "spikes") == newer.labels
    project.set_head("night0", "spikes", by="ana", digest=night.draft.labels.digest[:12])
    assert project.labels("night0", "spikes") == night.draft.labels
    project.annotate("night0", METHOD, parameters={"threshold_uv": 90.0})
    assert project.labels("night0", "spikes") == night.draft.labels
    project.annotate("night0", METHOD, parameters={"threshold_uv": 80.0}, head=True)
    assert project.labels("night0", "spikes") == newer.labels
    moves = project.store.head_history(night.source.fingerprint, "spikes")
    assert [move.by for move in moves] == ["ana", "--head"]
    with pytest.raises(BadArgumentError, match="nissl show"):
        project.set_head("night0", "spikes", by="ana", digest="nonsense")


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (MethodFailedError("spikes", "a crash", "See the log."), MethodFailedError),
        (KeyboardInterrupt(), InterruptedRunError),
    ],
)
def test_a_failed_run_leaves_no_labels_and_can_be_repeated(project, raw, crossings, error, seen):
    made = raw()
    project.add(made.path, **made.options)
    crossings.error = error
    with pytest.raises(seen):
        project.annotate("night0", METHOD)
    assert project.store.label_sets() == []
    with pytest.raises(MissingInputError, match="nissl annotate"):
        project.labels("night0", "spikes")
    crossings.error = None
    assert project.annotate("night0", METHOD).labels.n_rows > 0
    assert not any((project.path / "work").iterdir())


def test_finished_labels_stay_when_the_raw_file_goes(project, night):
    night.file.path.unlink()
    assert project.annotate("night0", METHOD).resumed
    with pytest.raises(SourceNotFoundError, match="nissl relocate"):
        project.annotate("night0", METHOD, seed=5)
    assert project.labels("night0", "spikes") == night.draft.labels


def test_the_same_input_gives_the_same_digest_in_another_project(night, raw, tmp_path):
    with open_project(tmp_path / "other") as other:
        source = other.add(night.file.path, **night.file.options)
        draft = other.annotate(source, METHOD)
    assert night.method.calls == 2
    assert draft.labels.digest == night.draft.labels.digest
    assert draft.items.digest == night.draft.items.digest
