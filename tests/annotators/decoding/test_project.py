"""From a file and a table of trials to reviewed classes and an export, through a project."""

from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

import nissl
from nissl.annotators.decoding.simulate import simulate_trials
from nissl.errors import MissingInputError
from nissl.io import import_labels
from nissl.labels import Edit
from nissl.labels.edits import EditKind
from nissl.project.reviewing import open_room, prepare
from nissl.web.app import create_app


@pytest.fixture(scope="module")
def made():
    return simulate_trials(21, n_trials=60, n_unknown=20, trial_s=1.5)


@pytest.fixture
def study(made, tmp_path):
    signal = made.recording["eeg"]
    np.savez(
        tmp_path / "session.npz",
        data=signal.read().T,
        rate_hz=signal.rate_hz,
        gain_uv=1.0,
        ch_names=np.array(signal.channels.ids),
    )
    trials = made.trials
    names = trials.vocabulary.names
    rows = ["onset\tduration\ttrial_type"]
    for start, stop, code in zip(
        *(trials.column(n) for n in ("start", "stop", "label")), strict=True
    ):
        said = "n/a" if names[code] == "unknown" else names[code]
        rows.append(f"{start / 128:.6f}\t{(stop - start) / 128:.6f}\t{said}")
    (tmp_path / "events.tsv").write_text("\n".join(rows) + "\n")
    project = nissl.open(tmp_path / "study")
    project.add(tmp_path / "session.npz")
    return project, tmp_path


def test_trials_are_needed_and_the_command_is_named(study):
    project, _ = study
    with pytest.raises(MissingInputError, match="nissl import"):
        project.annotate("session", "decoding")


def test_the_whole_way(study, made):
    project, folder = study
    project.add_labels("session", folder / "events.tsv")
    draft = project.annotate("session", "decoding/csp", head=True)
    truth = made.truth.column("label")
    assert np.mean(draft.labels.column("label")[40:] == truth[40:]) >= 0.8
    assert project.annotate("session", "decoding/csp").resumed

    room = open_room(project.store)
    prepare(room)
    (desk,) = [d for d in room.desks if d.row.task == "decoding"]
    assert desk.view == "classes"
    assert desk.vocabulary.names == ("left", "right", "unknown")
    assert desk.proposals.probabilities.shape == (60, 3)
    client = TestClient(create_app(room))
    for path in ("items", "facts", "rows", "probabilities"):
        answer = client.get(f"/api/desks/{desk.key}/{path}", params={"reader": "Ana", "items": "3"})
        assert answer.status_code == 200, (path, answer.text)
    for path in ("queue", "overview", "advice", "trust", "project"):
        answer = client.get(f"/api/{path}", params={"reader": "Ana", "task": "decoding"})
        assert answer.status_code == 200, (path, answer.text)
    wrong = int(np.flatnonzero(draft.labels.column("label") != truth)[0])
    names = draft.labels.vocabulary.names
    said = {"label": names[truth[wrong]]}
    edit = Edit(uuid4(), EditKind.RELABEL, draft.labels.digest, (wrong,), "ana", 1.0, said)
    project.decide([edit])

    for form in ("csv", "parquet"):
        out = project.export("session", form, folder / f"out_{form}", task="decoding")
        back = import_labels(out).labels[0]
        assert back.column("label")[wrong] == truth[wrong]
        assert back.n_rows == 60
