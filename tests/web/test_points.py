"""Routes of the view of tracks, over a simulated animal with its volumes, and without them."""

import json
import time
from urllib.parse import unquote
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from nissl.errors import SourceNotFoundError
from nissl.labels.replay import STATES, replay
from nissl.review.point_desks import HIDDEN, LEAST, NOTHING, UNKNOWN
from nissl.review.room import Room
from nissl.testing.worms import SPACING_UM, tracked_worm
from nissl.web.app import create_app

SHAPE = (12, 64, 112)
N, T = 10, 40


class Tracks:
    """A reader at the desk of tracks."""

    def __init__(self, worm, *, movie=True):
        def raw(row):
            if not movie:
                raise SourceNotFoundError("the movie", "no such file", "Relocate it.")
            return worm.raw(row)

        self.worm, self.labels, self.key = worm, worm.labels, worm.labels.digest
        self.room = Room(worm.project.store, raw)
        self.client = TestClient(create_app(self.room))

    def ask(self, path, status=200, **query):
        path = f"/api/desks/{self.key}/points/{path}"
        answer = self.client.get(path, params={"reader": "Ana"} | query)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"] == "application/json" else answer

    def cuts(self, **query):
        answer = self.ask("cuts", **query)
        parts, shapes = [], meta_of(answer)["shapes"]
        flat = array_of(answer)
        for shape in shapes:
            size = int(np.prod(shape))
            parts.append(flat[:size].reshape(shape))
            flat = flat[size:]
        return parts

    def grid(self, **query):
        answer = self.ask("grid", **query)
        sure, said = array_of(answer)
        return meta_of(answer)["items"], sure, said

    def rows(self, start, n=1, **query):
        stream = self.ask("rows", start=start, n=n, **query).content
        return pa.ipc.open_stream(stream).read_all().to_pylist()

    def decide(self, kind, items=(), status=200, **payload):
        edit = {
            "uuid": str(uuid4()), "kind": kind, "base": self.key, "items": list(items),
            "reviewer": "Ana", "when_s": time.time(), "payload": payload, "took_s": 1.0,
        }  # fmt: skip
        answer = self.client.post("/api/decisions", json={"edits": [edit]})
        assert answer.status_code == status, answer.text
        return edit["uuid"]


def array_of(answer):
    shape = [int(n) for n in answer.headers["X-Nissl-Shape"].split(",")]
    return np.frombuffer(answer.content, answer.headers["X-Nissl-Dtype"]).reshape(shape)


def meta_of(answer):
    return json.loads(unquote(answer.headers["X-Nissl-Meta"]))


@pytest.fixture
def worm(tmp_path):
    made = tracked_worm(tmp_path, np.random.default_rng(3), n_neurons=N, n_frames=T, shape=SHAPE)
    yield made
    made.project.close()


def test_the_field_its_channels_and_what_the_method_made_up(worm):
    told = Tracks(worm).ask("field")
    assert (told["shape"], told["spacing_um"]) == (list(SHAPE), list(SPACING_UM))
    assert (told["channels"], told["n_frames"], told["n_volumes"]) == (["red", "green"], T, T)
    assert [name.split()[0] for name in told["layers"]] == ["synthetic"] * 2


def test_planes_and_projections_are_those_of_the_volume(worm):
    at = Tracks(worm)
    x, y, z = np.rint(worm.truth.xyz[7, 4]).astype(int).tolist()
    xy, xz, yz = at.cuts(frame=7, z=z, y=y, x=x)
    assert [part.shape for part in (xy, xz, yz)] == [(2, 64, 112), (2, 12, 112), (2, 64, 12)]
    assert xy[0, y, x] == xz[0, z, x] == yz[0, y, z]
    assert xy[0, y, x] > np.percentile(xy[0], 95)
    flat = at.cuts(frame=7, flat=True)
    volume = worm.movies["red"].read(7, 8)[0]
    brightest = np.unravel_index(int(volume.max(axis=0).argmax()), SHAPE[1:])
    assert flat[0][0][brightest] == flat[0][0].max()
    assert np.all(flat[0] >= xy)
    half = at.cuts(frame=7, z=z, y=y, x=x, level=1)
    assert [part.shape for part in half] == [(2, 32, 56), (2, 12, 56), (2, 32, 12)]
    made = at.cuts(frame=0, z=3, layer=at.ask("field")["layers"][0])
    assert made[0].shape == (1, 64, 112)
    at.ask("cuts", 410, frame=0, layer="none")
    assert at.ask("cuts", 422, frame=T)["error"]["got"] == str(T)


def test_the_grid_is_the_labels_then_what_was_decided(worm):
    at = Tracks(worm)
    items, sure, said = at.grid()
    assert (items, sure.shape, said.any()) == (list(range(N)), (N, T), False)
    for row in at.labels.table.slice(0, 50).to_pylist():
        code = LEAST + round(row["confidence"] * (255 - LEAST))
        assert abs(int(sure[row["item"], row["frame"]]) - code) <= 1
    assert (sure == NOTHING).sum() == N * T - at.labels.n_rows
    rows = {row["item"]: row for row in at.rows(5)}
    assert rows[3]["x"] == pytest.approx(worm.truth.xyz[5, 3, 0], abs=12)
    at.decide("accept", sorted(rows), frames=[5])
    at.decide("move", [3], row=rows[3]["id"], x=1.0, y=2.0, z=3.0)
    at.decide("move", [4], row=rows[4]["id"], visible=False)
    at.decide("swap", [0, 1], **{"from": worm.swap})
    _, now, said = at.grid()
    assert now[4, 5] == HIDDEN
    told = {i: STATES[code] for i, code in enumerate(said[:, 5].tolist())}
    expected = dict.fromkeys(rows, "accepted") | {3: "changed", 4: "changed"}
    assert {i: state for i, state in told.items() if i in rows} == expected
    assert STATES[said[0, worm.swap]] in ("changed", "untouched")
    row = next(row for row in at.rows(5) if row["item"] == 3)
    assert (row["x"], row["y"], row["z"], STATES[row["said"]]) == (1, 2, 3, "changed")
    frame, x, _, _ = array_of(at.ask("3/track"))
    assert x[frame == 5] == 1
    assert 5 not in array_of(at.ask("4/track"))[0]
    reviewed = replay(at.labels, worm.project.store.edits())
    frames, owners = (reviewed.labels.column(name) for name in ("frame", "item"))
    assert np.array_equal(reviewed.points, said[owners, frames])


def test_blind_no_confidence_is_told(worm):
    at = Tracks(worm)
    _, sure, _ = at.grid(blind=True)
    assert set(np.unique(sure)) <= {NOTHING, HIDDEN, UNKNOWN}
    assert "confidence" not in at.rows(0, blind=True)[0]


def test_without_the_movie_places_are_told_and_that_it_is_gone(worm):
    at = Tracks(worm, movie=False)
    told = at.ask("field")
    assert (told["channels"], told["n_volumes"], told["n_frames"]) == ([], 0, T)
    assert told["shape"] == list(SHAPE)
    assert at.grid()[1].shape == (N, T)
    assert at.ask("cuts", 410, frame=0)["error"]["expected"] == "the movie"
    assert at.cuts(frame=0, layer=told["layers"][0])[0].shape == (1, 64, 112)


def test_a_missing_point_is_added_to_its_track_and_what_was_undone_is_gone(worm):
    at = Tracks(worm)
    items, sure, _ = at.grid()
    item, frame = (int(k) for k in np.argwhere(sure == NOTHING)[0])
    row = {"frame": frame, "x": 5.0, "y": 6.0, "z": 7.0, "visible": True}
    done = at.decide("add", [item], rows=[row])
    _, now, said = at.grid()
    assert (now[item, frame], STATES[said[item, frame]]) == (UNKNOWN, "added")
    at.decide("undo", target=done)
    assert np.array_equal(at.grid()[1], sure)
    at.decide("accept", items, status=409, frames=[T + 5])


def test_the_next_volume_is_one_with_doubt_and_a_correction_is_carried_on(worm):
    at = Tracks(worm)
    found = at.ask("next")
    assert 0 <= found["frame"] < T
    assert 0 < found["righted"] <= found["wrong"]
    for frame in range(T):
        at.decide("accept", range(N), frames=[frame])
    assert at.ask("next")["frame"] is None
    path = f"/api/desks/{at.key}/points/alike"
    answer = at.client.post(path, params={"reader": "Ana"}, json={"frame": 3})
    assert answer.json() | {"position": 0} == {
        "frames": [], "points": 0, "looked_at": 0, "position": 0
    }  # fmt: skip
