"""Routes of the regions view, over a simulated field with its movie, and without it."""

import time
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from nissl.errors import SourceNotFoundError
from nissl.labels.replay import replay
from nissl.review.region_desks import region_desk
from nissl.review.room import Room
from nissl.testing.fields import RATE_HZ, imaged_field
from nissl.web.app import create_app

N_FRAMES, SIZE = 600, 96


class Regions:
    """A reader at the desk of regions."""

    def __init__(self, field, *, movie=True):
        def raw(row):
            if row.fingerprint == field.row.fingerprint and not movie:
                raise SourceNotFoundError("the movie", "no such file", "Relocate it.")
            return field.raw(row)

        self.field, self.labels, self.key = field, field.labels, field.labels.digest
        self.room = Room(field.project.store, raw)
        self.client = TestClient(create_app(self.room))
        region_desk(self.room.desk(self.key)).wait(60)

    def ask(self, path, status=200, **query):
        path = f"/api/desks/{self.key}/regions/{path}"
        answer = self.client.get(path, params={"reader": "Ana"} | query)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"] == "application/json" else answer

    def outlines(self):
        whole = array_of(answer := self.ask("outlines"))
        n = int(meta_of(answer)["n"])
        items, ends = whole[:n], whole[n : 2 * n]
        total = int(ends[-1])
        pixels = np.split(whole[2 * n : 2 * n + total], ends[:-1])
        weights = np.split(whole[2 * n + total :].view(np.float32), ends[:-1])
        return {int(i): (p, w) for i, p, w in zip(items, pixels, weights, strict=True)}

    def trace(self, item):
        return lines_of(self.ask(f"{item}/trace"))

    def extract(self, pixels, item=None, status=200, **body):
        body = {"pixels": [int(p) for p in pixels], "item": item} | body
        path = f"/api/desks/{self.key}/regions/extract"
        answer = self.client.post(path, params={"reader": "Ana"}, json=body)
        assert answer.status_code == status, answer.text
        return lines_of(answer) if status == 200 else answer.json()["error"]

    def decide(self, kind, items=(), **payload):
        edit = {
            "uuid": str(uuid4()), "kind": kind, "base": self.key, "items": list(items),
            "reviewer": "Ana", "when_s": time.time(), "payload": payload, "took_s": 1.0,
        }  # fmt: skip
        answer = self.client.post("/api/decisions", json={"edits": [edit]})
        assert answer.status_code == 200, answer.text


def array_of(answer):
    shape = [int(n) for n in answer.headers["X-Nissl-Shape"].split(",")]
    return np.frombuffer(answer.content, answer.headers["X-Nissl-Dtype"]).reshape(shape)


def meta_of(answer):
    import json
    from urllib.parse import unquote

    return json.loads(unquote(answer.headers["X-Nissl-Meta"]))


def lines_of(answer):
    meta = meta_of(answer)
    return dict(zip(meta["lines"], array_of(answer), strict=True)), meta


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A field with pictures, traces and rates; nothing is decided in it."""
    folder = tmp_path_factory.mktemp("field")
    made = imaged_field(folder, np.random.default_rng(2), n_cells=12, n_frames=N_FRAMES, size=SIZE)
    yield made
    made.project.close()


@pytest.fixture
def fresh(tmp_path):
    """A field of its own, of which nothing but the regions and their facts is kept."""
    made = imaged_field(
        tmp_path, np.random.default_rng(2), n_cells=12, n_frames=N_FRAMES, size=SIZE,
        traces=False, images=False,
    )  # fmt: skip
    yield made
    made.project.close()


def test_the_field_and_its_pictures(field):
    at = Regions(field)
    told = at.ask("field")
    assert told["shape"] == [1, SIZE, SIZE]
    assert told["layers"] == ["mean", "max", "correlation", "active"]
    assert (told["pictures"], told["movie"], told["n_frames"]) == ("ready", True, N_FRAMES)
    mean = array_of(answer := at.ask("images/mean"))
    assert mean.shape == (SIZE, SIZE)
    assert (mean.min(), mean.max()) == (1, 255)
    meta = meta_of(answer)
    assert meta["low"] < meta["high"]
    at.ask("images/none", 410)
    assert meta_of(at.ask("images/mean", plane=7)) == meta


def test_outlines_are_those_of_the_labels_then_of_the_edits(fresh):
    at = Regions(fresh)
    before = at.outlines()
    table = at.labels.table
    assert sorted(before) == list(range(12))
    for row, item in enumerate(table.column("item").to_pylist()):
        assert before[item][0].tolist() == table.column("pixels")[row].as_py()
        assert before[item][1] == pytest.approx(table.column("weights")[row].as_py())
    at.decide("merge", [2, 5])
    at.decide("reshape", [0], pixels=[3, 1, 2], weights=None)
    at.decide("add", rows=[{"pixels": [700, 701], "label": "cell"}])
    at.decide("reject", [7])
    now = at.outlines()
    assert sorted(now) == [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12]
    assert now[2][0].tolist() == sorted({*before[2][0].tolist(), *before[5][0].tolist()})
    assert (now[0][0].tolist(), now[0][1].tolist()) == ([1, 2, 3], [1, 1, 1])
    assert now[12][0].tolist() == [700, 701]
    reviewed = replay(at.labels, fresh.project.store.edits()).labels
    rows = reviewed.table.select(["item", "pixels"]).to_pylist()
    told = {row["item"]: sorted(row["pixels"]) for row in rows}
    assert told == {i: p.tolist() for i, (p, _) in now.items()}
    assert reviewed.n_rows == len(now)


def test_a_kept_trace_comes_with_rate_and_interval(field):
    at = Regions(field)
    lines, meta = at.trace(3)
    assert list(lines) == ["dff", "raw", "neuropil", "rate", "low", "high"]
    assert (meta["origin"], meta["rate_hz"], meta["frame_step"]) == ("kept", RATE_HZ, 1)
    assert np.all(lines["low"] <= lines["rate"])
    assert np.all(lines["rate"] <= lines["high"])
    peaks = meta["peaks"]
    assert lines["dff"][peaks[0]] == pytest.approx(lines["dff"].max(), rel=0.35)
    assert np.min(np.abs(np.subtract.outer(peaks, peaks)) + 999 * np.eye(len(peaks))) >= 45


def test_a_drawn_outline_is_extracted_from_the_movie_in_time(field):
    at = Regions(field)
    pixels = at.outlines()[3][0]
    kept, _ = at.trace(3)
    started = time.perf_counter()
    lines, meta = at.extract(pixels, item=3)
    took_s = time.perf_counter() - started
    assert took_s < 1.0
    assert (meta["origin"], meta["read"]) == ("movie", 1.0)
    assert list(lines) == ["dff", "raw", "neuropil"]
    assert np.corrcoef(lines["dff"], kept["dff"])[0, 1] > 0.9
    assert 0 < meta["noise"] < 10
    nothing, _ = at.extract([0, 1, 2, SIZE, SIZE + 1])
    assert abs(np.corrcoef(nothing["dff"], kept["dff"])[0, 1]) < 0.3


def test_without_kept_traces_they_are_extracted_and_pictures_made(fresh):
    at = Regions(fresh)
    assert at.ask("field")["layers"] == ["mean", "max", "correlation", "active"]
    _, meta = at.trace(3)
    assert meta["origin"] == "movie"
    again = Regions(fresh, movie=False)
    assert again.ask("field")["pictures"] == "ready"  # kept the first time
    lines, meta = again.trace(3)
    assert (meta["origin"], list(lines)) == ("table", ["dff"])


def test_without_the_movie_it_says_what_cannot_be_had(fresh):
    at = Regions(fresh, movie=False)
    told = at.ask("field")
    assert (told["pictures"], told["layers"], told["movie"]) == ("patches", ["patches"], False)
    assert told["shape"] == [1, SIZE, SIZE]
    picture = array_of(at.ask("images/patches"))
    owned = np.concatenate([p for p, _ in at.outlines().values()])
    assert np.all(picture.ravel()[owned] > 0)
    assert "movie" in at.extract([1, 2, 3], status=410)["expected"]
    at.ask("3/frames", 410)
    at.decide("reshape", [3], pixels=[1, 2, 3], weights=None)
    _, meta = at.trace(3)
    assert "as proposed" in meta["note"]
    at.decide("add", rows=[{"pixels": [5, 6]}])
    lines, meta = at.trace(12)
    assert (meta["origin"], lines) == ("none", {})


def test_frames_around_a_region(field):
    at = Regions(field)
    answer = at.ask("3/frames", start=590, n=60)
    shown, meta = array_of(answer), meta_of(answer)
    pixels = at.outlines()[3][0]
    y, x = np.divmod(pixels, SIZE)
    assert shown.shape[0] == 10
    assert (meta["top"], meta["left"]) == (max(y.min() - 10, 0), max(x.min() - 10, 0))
    raw = field.movie.frames(590, 600)[:, y - 0, x].mean()
    steps = shown[:, y - meta["top"], x - meta["left"]].mean()
    assert meta["low"] + (steps - 1) / 254 * (meta["high"] - meta["low"]) == pytest.approx(
        raw, rel=0.05
    )


def test_what_makes_no_sense_is_told(field):
    at = Regions(field)
    assert "inside the field" in at.extract([SIZE * SIZE], status=422)["expected"]
    assert "inside the field" in at.extract([2**40], status=422)["expected"]
    at.extract([], status=422)
    at.extract([1, 2], weights=[1.0], status=422)
    at.extract([1], weights=[-1.0], status=422)
    assert "Undo" in at.ask("99/trace", 409)["error"]["remedy"]
    at.ask("3/frames", 422, start=N_FRAMES)
    at.ask("3/frames", 422, n=0)
    at.ask("warm", 422, x=SIZE, y=0)
    assert at.ask("warm", x=0, y=0)["read"] <= 1


def test_a_region_outside_the_field_is_told_and_harms_no_other(fresh):
    at = Regions(fresh)
    at.decide("reshape", [2], pixels=[SIZE * SIZE + 5], weights=None)
    assert at.outlines()[2][0].tolist() == [SIZE * SIZE + 5]
    assert "inside the field" in at.ask("2/trace", 422)["error"]["expected"]
    assert at.trace(3)[1]["origin"] == "movie"
    assert at.extract([500, 501])[1]["read"] == 1.0
