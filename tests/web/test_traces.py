"""Traces and spectrograms over HTTP: binary arrays, their meaning in the headers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project import open_project
from nissl.project.adding import keep
from nissl.review.room import Room
from nissl.testing.spans import span_project
from nissl.web.app import create_app


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = span_project(tmp_path, np.random.default_rng(3), duration_s=60, n_spans=12, n_channels=4)
    with made as project:
        yield Room(project.store, lambda row: project.source(row.fingerprint).recording)


@pytest.fixture
def client(room: Room) -> Iterator[TestClient]:
    app = create_app(room)
    yield TestClient(app)
    if hasattr(app.state, "pyramids"):
        app.state.pyramids.close()


def _array(client: TestClient, path: str, **query: Any) -> tuple[np.ndarray, dict[str, Any]]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    shape = tuple(int(n) for n in answer.headers["x-nissl-shape"].split(","))
    values = np.frombuffer(answer.content, answer.headers["x-nissl-dtype"]).reshape(shape)
    return values, json.loads(unquote(answer.headers["x-nissl-meta"]))


def test_a_page_is_the_range_of_the_samples(client: TestClient, room: Room) -> None:
    (desk,) = room.desks
    values, meta = _array(
        client, f"/api/desks/{desk.key}/traces", start=0, stop=4000, width=100, channels="2,0"
    )
    assert values.dtype == np.float32
    assert (meta["first"], meta["bin_samples"], meta["exact"]) == (0, 40, True)
    assert meta["labels"] == ["C3", "Fp1"]
    blocks = desk.signal.read(0, 4000, [2, 0]).reshape(100, 40, 2)
    np.testing.assert_array_equal(values[:, :, 0], blocks.min(axis=1).T)
    np.testing.assert_array_equal(values[:, :, 1], blocks.max(axis=1).T)
    every, _ = _array(client, f"/api/desks/{desk.key}/traces", start=0, stop=400, channels="0:4:2")
    assert every.shape[0] == 2


def test_filters_and_montages_are_applied(client: TestClient, room: Room) -> None:
    (desk,) = room.desks
    path = f"/api/desks/{desk.key}/traces"
    plain, _ = _array(client, path, start=0, stop=2000)
    slow, meta = _array(client, path, start=0, stop=2000, low=4, montage="average")
    assert not meta["notes"]
    assert np.abs(np.diff(slow[:, :, 0])).mean() < 0.3 * np.abs(np.diff(plain[:, :, 0])).mean()
    np.testing.assert_allclose(slow[:, :, 0].sum(axis=0), 0, atol=0.01)


def test_the_channels_say_what_can_be_shown(client: TestClient, room: Room) -> None:
    (desk,) = room.desks
    told = client.get(f"/api/desks/{desk.key}/traces/channels").json()
    assert told["n_samples"] == desk.signal.n_samples
    assert list(told["montages"]) == ["recorded", "average", "median", "bipolar"]
    assert told["montages"]["bipolar"][0] == "Fp1-F3"
    assert told["tiles"]["fault"] is None


def test_the_strip_is_bytes_with_their_scale(client: TestClient, room: Room) -> None:
    (desk,) = room.desks
    values, meta = _array(
        client,
        f"/api/desks/{desk.key}/spectrogram",
        start=0,
        stop=4000,
        width=80,
        channel=1,
        top=30,
    )
    assert values.dtype == np.uint8
    assert values.shape[1] == 80
    assert meta["label"] == "F3"
    assert meta["high_db"] > meta["low_db"]
    assert meta["top_hz"] == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    "query",
    [
        {"channels": "0:9"}, {"channels": "x"}, {"channels": "5:1"}, {"channels": "0:4:0"},
        {"channels": "-1"}, {"montage": "../x"}, {"high": 500}, {"high": "nan"}, {"low": 0},
        {"high": 30, "low": 10}, {"start": 10**9, "stop": 10**9 + 5}, {"stop": 0}, {"width": 0},
    ],
)  # fmt: skip
def test_impossible_pages_are_refused_with_words(
    client: TestClient, room: Room, query: dict[str, Any]
) -> None:
    (desk,) = room.desks
    wanted = {"start": 0, "stop": 100, **query}
    answer = client.get(f"/api/desks/{desk.key}/traces", params=wanted)
    assert answer.status_code == 422


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    route=st.sampled_from(["traces", "spectrogram", "spans", "spans/lanes"]),
    query=st.fixed_dictionaries(
        {"reader": st.text(max_size=5)},
        optional={
            "start": st.integers(-2, 9000),
            "stop": st.integers(-2, 9000),
            "width": st.integers(-1, 9000),
            "channels": st.from_regex(r"[-0-9:,a]{0,7}", fullmatch=True),
            "channel": st.integers(-1, 6),
            "montage": st.sampled_from(["average", "median", "bipolar", "reference F3", "x"]),
            "high": st.floats(),
            "low": st.floats(0, 70),
            "notch": st.floats(0, 70),
            "top": st.floats(),
            "lanes": st.from_regex(r"[-0-9,]{0,4}", fullmatch=True),
            "asked": st.integers(),
            "blind": st.booleans(),
        },
    ),
)
def test_no_request_brings_the_server_down(
    client: TestClient, room: Room, route: str, query: dict[str, Any]
) -> None:
    (desk,) = room.desks
    answer = client.get(f"/api/desks/{desk.key}/{route}", params=query)
    assert answer.status_code in (200, 422), answer.text


def test_an_hour_of_a_probe_opens_at_once_and_becomes_exact(tmp_path: Path) -> None:
    path, n = tmp_path / "probe.raw", 3600 * 30_000
    with open(path, "wb") as file:
        file.truncate(n * 384 * 2)  # sparse: 83 GB that take no room
    with open_project(tmp_path / "study") as project:
        source = project.add(
            path, format="raw", rate_hz=30_000.0, n_channels=384, dtype="int16", gain_uv=2.34
        )
        about = Provenance("events", source.fingerprint, Author("model", "events/x"), "raw")
        columns = {"start": [5], "stop": [9]}
        keep(project.store, LabelSet.build(Kind.SPANS, columns, ("ripple",), about))
        room = Room(project.store, lambda row: project.source(row.fingerprint).recording)
        app = create_app(room)
        client = TestClient(app)
        (desk,) = room.desks
        url = f"/api/desks/{desk.key}/traces"
        client.get(f"{url}/channels")
        took_s = {}
        pages = {
            "the whole": {"start": 0, "stop": n, "channels": "0:384:4"},
            "ten seconds": {"start": 10**7, "stop": 10**7 + 300_000},
            "a second": {"start": 10**7, "stop": 10**7 + 30_000},
        }
        for name, page in pages.items():
            began = time.perf_counter()
            _, meta = _array(client, url, width=1200, **page)
            took_s[name] = time.perf_counter() - began
            assert meta["exact"] == (name == "a second")
        assert max(took_s.values()) < 1.0, took_s  # alone on a core: 0.15 s
        tiles = app.state.pyramids.of(source.fingerprint, desk.signal)
        late = time.monotonic() + 30
        while tiles.n_made < 1 and time.monotonic() < late:
            time.sleep(0.05)
        assert tiles.n_made >= 1
        app.state.pyramids.close()
