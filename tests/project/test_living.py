"""Journals of live sessions become label sets; what is in use, or broken, is left alone."""

import numpy as np
import pytest

import nissl
from nissl.errors import BadArgumentError
from nissl.live import StreamInfo, live_method
from nissl.live.contract import Claim
from nissl.live.recorder import Recorder
from nissl.live.sinks import Journal, read_journal
from nissl.live.sources import Chunk
from nissl.project.living import (
    kept_sessions,
    labels_of,
    learnt,
    new_journal,
    task_of,
    taught,
)
from nissl.testing.nights import night_project

STREAM = StreamInfo.plain(["C3", "C4"], 10.0)
HEAD = {
    "method": "decoding/csp",
    "version": "1",
    "weights": "",
    "classes": ["left", "right", "unknown"],
    "colours": ["#000000", "#ffffff", "#888888"],
    "parameters": {"every_s": 1.0},
    "rate_hz": 10.0,
    "channels": ["C3", "C4"],
}
CLAIMS = [
    Claim(10, 20, "right", 21, None, 0.75, (0.25, 0.75, 0.0)),
    Claim(0, 10, "unknown", 11),
]


@pytest.fixture
def study(tmp_path):
    return nissl.open(tmp_path / "study")


def session(study, claims, n=40):
    """A session that ended, or whose process did."""
    path = new_journal(study.store, "decoding/csp")
    recorder = Recorder(path.with_suffix(".raw"), STREAM)
    journal = Journal(path, HEAD | {"source": {"recording": recorder.path.name}})
    if n:
        recorder.add(Chunk(np.ones((n, 2), np.float32), 0))
    if claims:
        journal.write(claims)
    recorder.close()
    return journal


def test_claims_with_and_without_probabilities_are_one_set(study):
    journal = session(study, CLAIMS)
    assert kept_sessions(study.store) == []  # it is still being written
    journal.close()
    kept = read_journal(journal.path)
    assert task_of(kept) == "decoded"
    labels = labels_of(kept, "f" * 64, "raw")
    assert labels.column("start").tolist() == [0, 10]
    assert labels.column("label").tolist() == [2, 1]
    assert np.isnan(labels.column("confidence")[0])
    (made,) = kept_sessions(study.store)
    assert made.labels.n_rows == 2
    assert study.source(made.source).recording["raw"].n_samples == 40
    assert kept_sessions(study.store) == []


def test_a_session_without_claims_leaves_its_recording_and_one_without_samples_nothing(study):
    session(study, [], n=0).close()
    assert [s.labels for s in kept_sessions(study.store)] == [None]
    assert study.sources() == []
    session(study, []).close()
    (made,) = kept_sessions(study.store)
    assert made.labels is None
    assert [s.name for s in study.sources()] == [made.source]


def test_a_journal_whose_source_is_gone_is_told_and_stays(study):
    journal = Journal(
        new_journal(study.store, "sleep"),
        HEAD | {"source": {"fingerprint": "0" * 64, "stream": "x"}},
    )
    journal.write(CLAIMS)
    journal.close()
    (made,) = kept_sessions(study.store)
    assert "fingerprint" in made.problem or "source" in made.problem
    assert journal.path.exists()


def test_only_decoders_are_taught(study):
    with pytest.raises(BadArgumentError, match="decoding"):
        taught(study.store, "sleep/nissl", None, {})


def test_a_model_of_sleep_in_use_has_a_twin_for_streams(tmp_path):
    project, _ = night_project(tmp_path, np.random.default_rng(4), hours=1.0)
    with project:
        assert learnt(project.store, "sleep/nissl") is None
        project.use_model("sleep", project.learn("sleep").digest, by="kim")
        twin = learnt(project.store, "sleep/nissl")
        assert twin.causal
        assert twin.model.correction is not None
        stream = StreamInfo.of(project.source("night").recording.signal)
        own = live_method("sleep", stream, learnt=twin)
        plain = live_method("sleep", stream)
        assert own.weights != plain.weights
        samples = project.source("night").recording.signal.read(0, round(300 * stream.rate_hz))
        said = [c.probabilities for c in own.push(samples, 0)]
        assert len(said) == 10
        assert said != [c.probabilities for c in plain.push(samples, 0)]
