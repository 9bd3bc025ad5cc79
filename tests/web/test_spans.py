"""Lanes and spans over HTTP: what each reader may see, before and after decisions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from nissl.labels.replay import STATES
from nissl.project import Project
from nissl.project.adding import keep
from nissl.project.reviewing import open_room
from nissl.review.room import Room
from nissl.testing.nights import night_project
from nissl.testing.spans import CLASSES, span_project
from nissl.web.app import create_app


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with span_project(
        tmp_path, np.random.default_rng(3), duration_s=60, n_spans=12, n_channels=4
    ) as made:
        yield made


@pytest.fixture
def room(project: Project) -> Room:
    return Room(project.store, lambda row: project.source(row.fingerprint).recording)


@pytest.fixture
def client(room: Room) -> TestClient:
    return TestClient(create_app(room))


def _key(room: Room) -> str:
    (desk,) = room.desks
    return desk.key


def _spans(client: TestClient, key: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/api/desks/{key}/spans", params={"reader": "Ann", **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    for row in rows:
        row["label"] = None if row["label"] < 0 else CLASSES[row["label"]]
        row["state"] = STATES[row["state"]]
        row["confidence"] = None if np.isnan(row["confidence"]) else row["confidence"]
    return list(rows)


def _lanes(client: TestClient, key: str, **query: Any) -> list[tuple[str, str]]:
    answer = client.get(f"/api/desks/{key}/spans/lanes", params={"reader": "Ann", **query})
    return [(lane["name"], lane["kind"]) for lane in answer.json()["lanes"]]


def _decide(
    client: TestClient, key: str, kind: str, items: list[int], reader: str, **more: Any
) -> None:
    edit = {
        "uuid": str(uuid4()), "kind": kind, "base": key, "items": items, "reviewer": reader,
        "when_s": time.time(), "payload": more, "took_s": 1.0,
    }  # fmt: skip
    answer = client.post("/api/decisions", json={"edits": [edit]})
    assert answer.status_code == 200, answer.text


def test_lanes_are_ones_own_the_proposal_other_readers_and_other_sets(
    client: TestClient, room: Room
) -> None:
    key = _key(room)
    before = [("Ann", "own"), ("events/threshold", "proposed"), ("expert", "other")]
    assert _lanes(client, key) == before
    first = int(room.desk(key).labels.column("item")[0])
    _decide(client, key, "accept", [first], "Bo")
    assert _lanes(client, key) == [*before[:2], ("Bo", "reader"), before[2]]
    assert _lanes(client, key, blind=True) == [("Ann", "own")]
    rows = _spans(client, key, lanes="2")
    assert [(r["item"], r["lane"], r["state"]) for r in rows] == [(first, 2, "accepted")]


def test_ones_own_lane_follows_every_decision(client: TestClient, room: Room) -> None:
    key = _key(room)
    labels = room.desk(key).labels
    moved, gone, named = (int(i) for i in labels.column("item")[:3])
    n = labels.n_rows
    _decide(client, key, "move", [moved], "Ann", start=5, stop=77)
    _decide(client, key, "reject", [gone], "Ann")
    _decide(client, key, "relabel", [named], "Ann", label="artifact")
    rows = [{"start": 900, "stop": 990, "label": "seizure", "channel": 2}]
    _decide(client, key, "add", [], "Ann", rows=rows)
    own = {r["item"]: r for r in _spans(client, key, lanes="0")}
    assert len(own) == n
    assert (own[moved]["start"], own[moved]["stop"]) == (5, 77)
    assert own[moved]["state"] == "changed"
    assert gone not in own
    assert own[named]["label"] == "artifact"
    (added,) = [r for r in own.values() if r["state"] == "added"]
    assert (added["label"], added["channel"], added["confidence"]) == ("seizure", 2, None)
    starts = [r["start"] for r in _spans(client, key, lanes="0")]
    assert starts == sorted(starts)
    proposed = {r["item"]: r for r in _spans(client, key, lanes="1")}
    assert proposed[moved]["start"] == int(labels.column("start")[0])
    assert len(proposed) == n


def test_a_blind_reader_sees_the_asked_place_and_the_own_answers_only(
    client: TestClient, room: Room
) -> None:
    key = _key(room)
    first, second = (int(i) for i in room.desk(key).labels.column("item")[:2])
    assert _spans(client, key, blind=True) == []
    (asked,) = _spans(client, key, blind=True, asked=first)
    assert (asked["item"], asked["label"], asked["confidence"]) == (first, None, None)
    _decide(client, key, "relabel", [first], "Ann", label=CLASSES[1])
    found = {r["item"]: r["label"] for r in _spans(client, key, blind=True, asked=second)}
    assert found == {first: CLASSES[1], second: None}


def test_a_window_holds_what_meets_it(client: TestClient, room: Room) -> None:
    key = _key(room)
    every = _spans(client, key)
    some = _spans(client, key, start=2000, stop=4000)
    assert some == [r for r in every if r["start"] < 4000 and r["stop"] > 2000]
    assert 0 < len(some) < len(every)


def test_wrong_requests_are_refused_with_words(
    client: TestClient, room: Room, project: Project
) -> None:
    key = _key(room)
    for query in ({"lanes": "a"}, {"start": -1}, {"reader": ""}):
        answer = client.get(f"/api/desks/{key}/spans", params={"reader": "Ann", **query})
        assert answer.status_code == 422
    gone = client.get(f"/api/desks/{'0' * 64}/spans", params={"reader": "Ann"})
    assert gone.status_code == 410


def test_ten_thousand_spans_are_sent_at_once(
    client: TestClient, room: Room, project: Project
) -> None:
    from nissl.labels import Author, Kind, LabelSet, Provenance

    source = project.only_source()
    start = np.arange(10_000, dtype=np.int64) * 3
    about = Provenance("many", source.fingerprint, Author("model", "events/many"), "data")
    columns = {"start": start, "stop": start + 2}
    many = LabelSet.build(Kind.SPANS, columns, CLASSES, about)
    keep(project.store, many)
    room.refresh()
    _decide(client, many.digest, "accept", [17], "Ann")
    began = time.perf_counter()
    rows = _spans(client, many.digest, lanes="0")
    assert time.perf_counter() - began < 2  # most of it is this test's own parsing
    assert len(rows) == 10_000
    assert rows[17]["state"] == "accepted"


def test_epochs_are_named_and_their_chances_sent_but_not_to_the_blind(tmp_path: Path) -> None:
    made, truth = night_project(tmp_path, np.random.default_rng(1), hours=0.2, numbers=False)
    with made as project:
        room = open_room(project.store)
        client = TestClient(create_app(room))
        key = _key(room)
        for blind in (False, True):
            query = {"reader": "Ann", "blind": blind}
            told = client.get(f"/api/desks/{key}/spans/lanes", params=query).json()
            assert told["epochs"] == [0, 3000]
            query |= {"n_samples": truth.n_rows * 3000, "columns": truth.n_rows}
            answer = client.get(f"/api/desks/{key}/spans/density", params=query)
            shape = [int(n) for n in answer.headers["X-Nissl-Shape"].split(",")]
            assert shape == [6, 0 if blind else truth.n_rows]
            if not blind:
                sums = np.frombuffer(answer.content, np.uint8).reshape(shape).sum(axis=0, dtype=int)
                assert np.all(np.abs(sums - 255) <= 3)


def test_chances_of_spans_that_overlap_are_refused(client: TestClient, room: Room) -> None:
    key = _key(room)
    query = {"reader": "Ann", "n_samples": 100}
    none = client.get(f"/api/desks/{'0' * 64}/spans/density", params=query)
    assert none.status_code == 410
    lanes = client.get(f"/api/desks/{key}/spans/lanes", params={"reader": "Ann"}).json()
    assert lanes["epochs"] is None, "events are no epochs"
