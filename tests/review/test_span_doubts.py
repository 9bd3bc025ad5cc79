"""Wrong labels among spans that people bring along, found by a model's probabilities."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner

from nissl.annotators.sleep.stages import STAGES
from nissl.cli import app
from nissl.errors import BadArgumentError, EvaluationError, MissingInputError
from nissl.io.edf_annotations import EDF_ANNOTATIONS
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.project import open_project
from nissl.project.adding import keep
from nissl.project.reviewing import open_room
from nissl.review.queue import build
from nissl.review.span_doubts import opinions, span_suspects
from nissl.tasks import Dossier
from nissl.testing.files import EdfFields, EdfSignal, write_edf

RATE = 10


def night(rng, *, n=400, wrong=20, model_epoch_s=30, sharp=8.0):
    """True stages in runs, a scorer who errs in some epochs, and a model that is mostly right."""
    truth = np.repeat(rng.integers(0, 5, n // 8 + 1), 8)[:n]
    scored = truth.copy()
    planted = rng.choice(n, wrong, replace=False)
    scored[planted] = (truth[planted] + rng.integers(1, 5, wrong)) % 5
    probabilities = rng.dirichlet(np.ones(5), n)
    probabilities[np.arange(n), truth] += sharp * rng.beta(4, 1.5, n)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return truth, scored, planted, probabilities


def spans(codes, author, epoch_s=30, *, probabilities=None, source="f" * 64, stream="eeg"):
    edges = np.arange(codes.size + 1) * epoch_s * RATE
    columns = {"start": edges[:-1], "stop": edges[1:], "label": codes.astype(np.int32)}
    if probabilities is not None:
        columns["probabilities"] = probabilities.astype(np.float32)
        columns["confidence"] = probabilities.max(axis=1).astype(np.float32)
    about = Provenance("sleep", source, author, stream)
    return LabelSet.build(Kind.SPANS, columns, STAGES[:5], about)


ANNA, MODEL = Author("person", "anna"), Author("model", "sleep/nissl", "1")


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_are_found(seed):
    rng = np.random.default_rng(seed)
    _, scored, planted, said = night(rng)
    given = spans(scored, ANNA)
    found = span_suspects(given, spans(said.argmax(1), MODEL, probabilities=said), source="n1")
    right = [each.item in planted for each in found]
    assert np.mean(right) >= 0.7
    assert sum(right) >= 0.5 * planted.size
    assert {(each.desk, each.source) for each in found} == {(given.digest, "n1")}
    assert all(each.given != each.suggested for each in found)
    order = [each.probability for each in found]
    assert order == sorted(order, reverse=True)


def test_a_model_that_errs_itself_accuses_mostly_rightly():
    hits, n_planted = [], 0
    for seed in range(10):
        _, scored, planted, said = night(np.random.default_rng(seed), n=1000, wrong=50, sharp=1.0)
        found = span_suspects(spans(scored, ANNA), spans(said.argmax(1), MODEL, probabilities=said))
        hits += [each.item in planted for each in found]
        n_planted += planted.size
    assert np.mean(hits) >= 0.7
    assert sum(hits) >= 0.5 * n_planted


def test_epochs_need_not_be_those_of_the_model():
    rng = np.random.default_rng(0)
    _, scored, _, said = night(rng)
    fine = np.repeat(said, 6, axis=0)  # 5-s epochs
    model = spans(fine.argmax(1), MODEL, 5, probabilities=fine)
    given = spans(scored, ANNA)
    same = spans(said.argmax(1), MODEL, probabilities=said)
    np.testing.assert_allclose(
        opinions(given, model).probabilities, opinions(given, same).probabilities, atol=1e-6
    )
    assert span_suspects(given, model) == span_suspects(given, same)


def test_what_the_model_does_not_see_or_know_is_not_judged():
    rng = np.random.default_rng(0)
    _, scored, _, said = night(rng, n=100)
    model = spans(said[:60].argmax(1), MODEL, probabilities=said[:60])
    given = spans(scored, ANNA)
    found = opinions(given, model)
    assert found.items.tolist() == list(range(60))
    named = replace(given.vocabulary, names=("W", "N1", "N2", "N3", "twitch"))
    other = LabelSet(given.kind, given.table, named, given.provenance)
    kept = opinions(other, model)
    assert 4 not in kept.label
    assert kept.items.size == int((scored[:60] != 4).sum())


def test_pieces_of_an_item_are_judged_together():
    probabilities = np.tile([[0.9, 0.1]], (40, 1))
    about = Provenance("events", "f" * 64, MODEL, "eeg")
    start = np.arange(40) * 100
    said = {"start": start, "stop": start + 100, "probabilities": probabilities}
    model = LabelSet.build(Kind.SPANS, said, ("a", "b"), about)
    columns = {"start": [0, 250], "stop": [120, 300], "item": [7, 7], "label": [1, 1]}
    given = LabelSet.build(Kind.SPANS, columns, ("a", "b"), replace(about, author=ANNA))
    found = opinions(given, model)
    assert found.items.tolist() == [7]
    np.testing.assert_allclose(found.probabilities, [[0.9, 0.1]], atol=1e-6)


def test_what_cannot_be_judged():
    rng = np.random.default_rng(0)
    _, scored, _, said = night(rng, n=100)
    given, model = spans(scored, ANNA), spans(said.argmax(1), MODEL, probabilities=said)
    with pytest.raises(MissingInputError, match="at least 30"):
        span_suspects(spans(scored[:10], ANNA), model)
    with pytest.raises(BadArgumentError, match="with probabilities"):
        span_suspects(given, spans(said.argmax(1), MODEL))
    with pytest.raises(BadArgumentError, match="one stream"):
        span_suspects(spans(scored, ANNA, stream="other"), model)
    learnt = replace(model, provenance=replace(model.provenance, made_from=(given.digest,)))
    with pytest.raises(EvaluationError, match="has not learnt"):
        span_suspects(given, learnt)
    instants = LabelSet.build(Kind.EVENTS, {"sample": [1]}, ("a",), given.provenance)
    with pytest.raises(BadArgumentError, match="sets of spans"):
        opinions(instants, model)


def test_from_a_hypnogram_file_to_suspicious_epochs(tmp_path):
    """As people will do it: add the night, import what was scored, let a model look at it."""
    rng = np.random.default_rng(4)
    _, scored, planted, said = night(rng, n=240)
    start = EdfFields(date="02.03.02", time="22.30.00")
    write_edf(
        tmp_path / "night.edf",
        [EdfSignal("EEG C4-M1", rng.integers(-99, 99, 240 * 30 * RATE), RATE)],
        fields=start,
    )
    elsewhere = spans(scored, Author("person", "old-lab"))
    stream = {"clock": [[0, 240 * 30 * RATE, 0.0, RATE]], "rate_hz": RATE}
    dossier = Dossier(labels=elsewhere, stream="eeg", source={"streams": {"eeg": stream}})
    EDF_ANNOTATIONS.write(dossier, tmp_path / "scored.edf", start="2002-03-02T22:30:00")

    with open_project(tmp_path / "study") as study:
        source = study.add(tmp_path / "night.edf")
        (given,) = study.add_annotations(source, tmp_path / "scored.edf", author="anna")
        assert given.provenance.author == Author("person", "old-lab")  # the file's own
        model = spans(
            said.argmax(1),
            MODEL,
            probabilities=said,
            source=source.fingerprint,
            stream=given.provenance.stream,
        )
        keep(study.store, model)
        found = study.suspicious_spans(source, "sleep")
    told = CliRunner().invoke(app, ["doubts", str(tmp_path / "study"), "night", "--json"])
    assert told.exit_code == 0, told.output
    rows = json.loads(told.stdout)
    assert [row["item"] for row in rows] == [each.item for each in found]
    assert all(row["start_s"] == 30 * row["item"] for row in rows)
    hits = [each.item in planted for each in found]
    assert len(found) >= 5
    assert np.mean(hits) >= 0.7
    assert {each.source for each in found} == {"night"}
    asked = CliRunner().invoke(
        app, ["doubts", str(tmp_path / "study"), "night", "--ask", "--by", "kim"]
    )
    assert asked.exit_code == 0, asked.output
    with open_project(tmp_path / "study") as study:
        room = open_room(study.store)
        (desk,) = room.desks
        assert desk.key == given.digest
        queue = build(room, "kim", np.random.default_rng(0))
        first = [entry.item for entry in queue.entries][: len(found)]
        assert set(first) == {each.item for each in found}
        assert "it is rather" in queue.entries[0].reason
        worst = found[0]
        edit = Edit(
            uuid4(),
            EditKind.RELABEL,
            desk.key,
            (worst.item,),
            "kim",
            time.time(),
            {"label": worst.suggested},
        )
        room.decide([edit])
        reviewed = study.reviewed("night", "sleep").labels
        row = reviewed.rows_of(worst.item)[0]
        assert reviewed.vocabulary.names[reviewed.column("label")[row]] == worst.suggested
        assert study.labels("night", "sleep").digest == given.digest
