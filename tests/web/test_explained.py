"""Explanations of units over the server: fitted in the background, told as the reader has them."""

import base64
import shutil
import time
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from nissl.project import open_project
from nissl.project.reviewing import open_room, prepare
from nissl.web.app import create_app


class Asked:
    """A reader who asks for explanations."""

    def __init__(self, project):
        self.room = open_room(project.store)
        prepare(self.room)
        (self.desk,) = [desk for desk in self.room.desks if desk.view == "units"]
        self.client = TestClient(create_app(self.room))

    def once(self, item, status=200, reader="Ana", what="explained"):
        path = f"/api/desks/{self.desk.key}/units/{item}/{what}"
        answer = self.client.get(path, params={"reader": reader})
        assert answer.status_code == status, answer.text
        return answer.json()

    def ready(self, item, **more):
        until = time.monotonic() + 120
        while (told := self.once(item, **more))["state"] == "fitting":
            assert time.monotonic() < until
            time.sleep(0.1)
        return told

    def decide(self, kind, *items, **payload):
        edit = {
            "uuid": str(uuid4()), "kind": kind, "base": self.desk.key, "items": list(items),
            "reviewer": "Ana", "when_s": time.time(), "payload": payload, "took_s": 1.0,
        }  # fmt: skip
        assert self.client.post("/api/decisions", json={"edits": [edit]}).status_code == 200


@pytest.fixture
def sorting(sorted_study, tmp_path):
    folder = tmp_path / "sorting"
    shutil.copytree(sorted_study.parent, folder)
    return folder / "study"


@pytest.fixture
def asked(sorting):
    with open_project(sorting, create=False) as project:
        yield Asked(project)


def test_a_unit_is_told_in_words_and_a_picture_and_the_sorter_is_kept(asked, sorting):
    first, second = asked.desk.labels.items.tolist()[:2]
    assert asked.once(first)["state"] == "fitting"
    told = asked.ready(first)
    assert told["sentences"][0].startswith(f"Unit {first}: ")
    assert "were found again" in told["sentences"][0]
    assert told["warnings"] == []
    (picture,) = told["pictures"]
    kind, _, data = picture.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data)[:4] == b"\x89PNG"
    assert told["facts"]["runners_up"][0]["unit"] in asked.desk.labels.items
    assert asked.once(second)["state"] == "ready"  # the sorter is fitted once
    assert list((sorting / "work").glob("explained-*/units-*.npz"))


def test_a_unit_is_told_as_the_reader_left_it(asked):
    first, second, third = asked.desk.labels.items.tolist()
    before = asked.ready(first)["facts"]["n_spikes"]
    more = asked.ready(second)["facts"]["n_spikes"]
    asked.decide("merge", first, second)
    told = asked.once(first)
    assert told["facts"]["n_spikes"] == before + more
    asked.once(second, 409)
    named = [rival["unit"] for rival in asked.once(third)["facts"]["runners_up"]]
    assert second not in named
    assert asked.once(first, reader="Ben")["facts"]["n_spikes"] == before


def test_the_cut_of_a_unit_gives_the_two_neurons_back(asked):
    labels = asked.desk.labels
    first, second, third = labels.items.tolist()
    asked.decide("merge", first, second)
    told = asked.ready(first, what="cut")
    of = [set(labels.column("id")[labels.rows_of(item)].tolist()) for item in (first, second)]
    smaller = min(of, key=len)
    assert len(smaller ^ set(told["rows"])) < 0.03 * len(of[0] | of[1])
    assert told["probability"] > 0.5
    body = {"kind": "split", "items": [first], "rows": told["rows"]}
    path = f"/api/desks/{asked.desk.key}/units/preview"
    assert len(asked.client.post(path, params={"reader": "Ana"}, json=body).json()["after"]) == 2
    asked.decide("split", first, rows=[told["rows"]])
    with asked.room.reading(asked.desk.key, "Ana") as reading:
        assert len(reading.base.items) == 3
    assert asked.once(third, what="cut")["state"] == "fitting"  # another unit, on its own


def test_units_of_another_sorter_and_a_recording_that_is_gone_are_told(asked, sorting, talk):
    item = asked.desk.labels.items.tolist()[0]
    (sorting.parent / "rec.npz").unlink()
    with open_project(sorting, create=False) as project:
        gone = Asked(project).once(item, 404)["error"]
    assert "rec" in gone["got"] + gone["expected"]
    desks = talk.get("/api/project")["desks"]
    units = next(desk for desk in desks if desk["view"] == "units")
    told = talk.get(f"/api/desks/{units['key']}/units/0/explained", 410)["error"]
    assert told["expected"] == "units that spikes/nissl sorted"
    spans = next(desk for desk in desks if desk["view"] == "spans")
    talk.get(f"/api/desks/{spans['key']}/units/0/explained", 422)
