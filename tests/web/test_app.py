"""The routes of the shell: what is answered, and with which status what is refused."""

import json
import shutil
import time
import uuid

import pytest

from nissl.errors import DiskFullError, StoreError
from nissl.project import open_project

MARKUP = "<script>alert(1)</script> <b>Ånna</b>"


# --- what there is -----------------------------------------------------------------------------


def test_the_project_names_its_desks_and_their_classes(talk, study):
    told = talk.get("/api/project")
    desks = {desk["key"]: desk for desk in told["desks"]}
    assert set(desks) == {study.units, study.spans}
    assert desks[study.units]["classes"] == study.classes
    assert [c["name"] for c in desks[study.units]["vocabulary"]] == ["good", "mua", "noise"]
    assert [c["key"] for c in desks[study.spans]["vocabulary"]] == list("12345")
    assert str(study.path) not in json.dumps(told)  # a page needs no path of this machine


def test_the_queue_asks_and_counts(talk, study):
    queue = talk.get("/api/queue", limit=3)
    assert len(queue["entries"]) == 3
    assert queue["total"] == queue["left"] == 26
    units = talk.get("/api/queue", desk=study.units)
    assert {entry["desk"] for entry in units["entries"]} == {study.units}
    blind = talk.get("/api/queue", blind="true")
    assert all(entry["proposed"] is None for entry in blind["entries"])


def test_a_decision_shows_in_the_items_the_queue_and_the_stack(talk, study):
    before = talk.states(study.units)
    assert {row["state"] for row in before.values()} == {"untouched"}
    made = talk.edit("relabel", study.classes, [before[2]["class_item"]], label="noise")
    answer = talk.decide(made)
    assert answer == {"acknowledged": [made["uuid"]], "position": 1}
    after = talk.states(study.units)
    assert after[2]["label"] == "noise"
    assert after[2]["state"] in ("changed", "accepted")
    assert talk.get("/api/queue")["done"] == 1
    (step,) = talk.get("/api/stack")["undo"]
    assert (step["target"], step["bases"]) == (made["uuid"], [study.classes])


def test_undo_and_redo_are_decisions_too(talk, study):
    start = talk.states(study.spans)
    made = talk.edit("relabel", study.spans, [3], label="R")
    talk.decide(made)
    undo = talk.edit("undo", study.spans, target=made["uuid"])
    talk.decide(undo)
    assert talk.states(study.spans) == start
    stack = talk.get("/api/stack")
    assert (len(stack["undo"]), len(stack["redo"])) == (0, 1)
    talk.decide(talk.edit("undo", study.spans, target=stack["redo"][0]["target"]))
    assert talk.states(study.spans)[3]["label"] == "R"


def test_edits_after_a_position(talk, study):
    sent = [talk.edit("accept", study.spans, [n]) for n in range(3)]
    for each in sent:
        talk.decide(each)
    told = talk.get("/api/edits", after=1)
    assert told["position"] == 3
    assert [e["edit"] for e in told["edits"]] == sent[1:]
    assert talk.get("/api/edits", after=1, desk=study.units) == {"position": 3, "edits": []}
    assert talk.get("/api/edits", after=99) == {"position": 3, "edits": []}


def test_blind_items_tell_nothing_of_the_machine(talk, study):
    for row in talk.states(study.units, blind="true").values():
        assert row["proposed"] is row["confidence"] is row["label"] is None


# --- sent twice, sent wrongly ------------------------------------------------------------------


def test_the_same_uuid_counts_once(talk, study):
    made = talk.edit("accept", study.spans, [1])
    first, second = talk.decide(made), talk.decide(made)
    assert first == second
    assert len(talk.get("/api/edits")["edits"]) == 1
    other = talk.decide(made | {"items": [2]}, status=409)
    assert "uuid" in other["error"]["expected"] + other["error"]["got"]


def test_all_or_none(talk, study):
    good, bad = (talk.edit("accept", study.spans, [n]) for n in (1, 999))
    talk.decide(good, bad, status=409)
    assert talk.get("/api/edits")["edits"] == []
    assert talk.states(study.spans)[1]["state"] == "untouched"
    talk.decide(good)


@pytest.mark.parametrize(
    "change",
    [
        {"uuid": "no uuid"}, {"kind": "guess"}, {"items": None}, {"items": ["x"]}, {"when_s": None},
        {"when_s": "soon"}, {"payload": [1]}, {"when_s": 10**400}, {"reviewer": ""},
        {"took_s": "long"}, {"group": 3},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_edit_is_malformed(talk, study, change):
    error = talk.decide(talk.edit("accept", study.spans, [1]) | change, status=422)["error"]
    assert set(error) == {"expected", "got", "remedy"}
    assert talk.get("/api/edits")["edits"] == []


@pytest.mark.parametrize(
    ("kind", "items", "payload"),
    [
        ("accept", [999], {}), ("accept", [], {}), ("accept", [2**70], {}), ("accept", [-1], {}),
        ("relabel", [1], {"label": "sleepy"}), ("relabel", [1], {}), ("merge", [1], {}),
        ("move", [1], {"start": 9, "stop": 3}), ("move", [1], {"start": 2**70}),
        ("split", [1], {"rows": [[10**9]]}), ("split", [1], {"rows": 3}),
        ("undo", [], {"target": str(uuid.UUID(int=7))}), ("undo", [], {"target": [1]}),
        ("add", [], {"rows": [{"start": "x"}]}), ("swap", [1, 2], {"from": "now"}),
        ("link", [1], {"to": 1}), ("note", [1], {"text": 4}), ("reshape", [1], {"pixels": [1]}),
    ],
)  # fmt: skip
def test_what_does_not_apply_says_why_and_leaves_nothing(talk, study, kind, items, payload):
    start = talk.states(study.spans)
    error = talk.decide(talk.edit(kind, study.spans, items, **payload), status=409)["error"]
    assert error["expected"]
    assert error["got"]
    assert talk.get("/api/edits")["edits"] == []
    assert talk.states(study.spans) == start


def test_a_body_that_is_no_request(talk):
    for content in (b"", b"{", b"[]", b"null", b'{"edits": {}}', b"[" * 100_000, b"\xff\xfe"):
        headers = {"content-type": "application/json"}
        answer = talk.client.post("/api/decisions", content=content, headers=headers)
        assert answer.status_code in (400, 422)
        assert set(answer.json()["error"]) == {"expected", "got", "remedy"}


def test_an_edit_of_a_set_that_is_gone(talk):
    error = talk.decide(talk.edit("accept", "0" * 64, [1]), status=410)["error"]
    assert "label set" in error["expected"]
    talk.get(f"/api/desks/{'0' * 64}/items", status=410)


@pytest.mark.parametrize("key", ["..", "%2e%2e", "..%2f..%2fjournal.db", "x", "A" * 64, "0" * 63])
def test_no_path_leaves_the_project(talk, key):
    for path in (f"/api/desks/{key}/items", f"/{key}/journal.db", f"/assets/{key}/journal.db"):
        assert talk.client.get(path, params={"reader": "Ana"}).status_code in (404, 405, 410, 422)


@pytest.mark.parametrize(
    "text", ["\ud800", "\0", "\u202e\u2066", "é" * 5000, "</script>"], ids=ascii
)
def test_any_text_is_kept_and_told_again(talk, study, text):
    made = talk.edit("note", study.spans, [1], text=text)
    answer = talk.client.post("/api/decisions", content=json.dumps({"edits": [made]}),
                              headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code in (200, 409, 422)
    if answer.status_code == 200:
        assert talk.get("/api/edits")["edits"][0]["edit"]["payload"] == {"text": text}
    made = talk.edit("accept", text, [1])
    answer = talk.client.post("/api/decisions", content=json.dumps({"edits": [made]}),
                              headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code in (409, 410, 422)


@pytest.mark.parametrize("depth", [15, 50, 200, 400, 2000])
def test_deep_payloads_break_nothing(talk, study, depth):
    text = json.dumps(talk.edit("note", study.spans, [1], text="x", deep="DEEP"))
    deep = '{"x":[' * depth + "1" + "]}" * depth
    body = '{"edits":[' + text.replace('"DEEP"', deep) + "]}"
    headers = {"content-type": "application/json"}
    answer = talk.client.post("/api/decisions", content=body, headers=headers)
    assert answer.status_code in (200, 400, 409, 422)
    assert talk.get("/api/edits")["position"] == (answer.status_code == 200)
    talk.decide(talk.edit("accept", study.spans, [1]))


# --- readers -----------------------------------------------------------------------------------


def test_a_name_with_markup_is_a_name(talk, study, room):
    talk.reader = MARKUP
    talk.decide(talk.edit("accept", study.spans, [1]))
    answer = talk.client.get("/api/project")
    assert answer.json()["readers"] == [MARKUP]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(talk.get("/api/stack")["undo"]) == 1
    assert room.store.edits()[0].reviewer == MARKUP


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\nb", "\x1b[31m", "x" * 81, "\u2028"])
def test_a_name_that_cannot_be_shown_is_refused(talk, study, name):
    talk.reader = name
    talk.get("/api/stack", status=422)
    made = talk.edit("accept", study.spans, [1])
    assert talk.decide(made, status=422)["error"]["remedy"]
    assert talk.get("/api/edits")["edits"] == []


def test_readers_see_their_own_decisions_apart(talk, study):
    talk.decide(talk.edit("relabel", study.spans, [1], label="R"))
    talk.reader = "Ben"
    assert talk.states(study.spans)[1]["state"] == "untouched"
    talk.decide(talk.edit("relabel", study.spans, [1], label="W"))
    talk.reader = "Ana"
    assert talk.states(study.spans)[1]["label"] == "R"


def test_settings_are_kept_per_reader(talk):
    assert talk.get("/api/settings") == {"settings": {}}
    settings = {"keys": {"accept": "a"}, "theme": "dark", "blind": True}
    body = {"reader": "Ana", "settings": settings}
    assert talk.client.put("/api/settings", json=body).json() == {"settings": settings}
    assert talk.get("/api/settings") == {"settings": settings}
    talk.reader = "Ben"
    assert talk.get("/api/settings") == {"settings": {}}
    large = body | {"settings": {"x": "y" * 200_000}}
    assert talk.client.put("/api/settings", json=large).status_code == 422


# --- when things go wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DiskFullError("room", "none", "Free some."), 507),
        (StoreError("to reach the database", "no route", "Check it."), 503),
    ],
)
def test_a_journal_that_cannot_be_written_keeps_nothing_and_says_so(
    talk, study, room, monkeypatch, error, status
):
    def refuse(*_args, **_more):
        raise error

    made = talk.edit("relabel", study.spans, [1], label="R")
    start = talk.states(study.spans)
    with monkeypatch.context() as patch:
        patch.setattr(room.store, "append", refuse)
        assert talk.decide(made, status=status)["error"]["remedy"] == error.remedy
        assert talk.states(study.spans) == start
    assert talk.decide(made)["acknowledged"] == [made["uuid"]]
    assert talk.states(study.spans)[1]["label"] == "R"


def test_a_fault_of_nissl_is_told_without_details(talk, room, monkeypatch):
    def fail(*_args):
        raise ZeroDivisionError("/home/ana/secret")

    monkeypatch.setattr(room, "stacks", fail)
    error = talk.get("/api/stack", status=500)["error"]
    assert "ZeroDivisionError" in error["got"]
    assert "secret" not in json.dumps(error)


def test_a_damaged_label_file_is_named_and_the_rest_goes_on(talk, study):
    file = study.path / "labels" / f"{study.spans}.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    error = talk.get(f"/api/desks/{study.spans}/items", status=410)["error"]
    assert "Restore" in error["remedy"]
    talk.decide(talk.edit("accept", study.spans, [1]), status=410)
    item = talk.states(study.units)[0]["class_item"]
    talk.decide(talk.edit("accept", study.classes, [item]))
    assert talk.get("/api/queue", desk=study.units)["done"] == 1
    faults = {desk["key"]: desk["fault"] for desk in talk.get("/api/project")["desks"]}
    assert faults[study.units] is None
    assert study.spans[:12] in faults[study.spans]["expected"]
    assert {e["desk"] for e in talk.get("/api/queue")["entries"]} == {study.units}
    file.write_bytes(whole)
    talk.decide(talk.edit("accept", study.spans, [1]))


def test_two_servers_of_one_project_see_each_other(talk, study, bench):
    with open_project(study.path, create=False) as other:
        from nissl.labels import Edit

        theirs = bench.edit("relabel", study.spans, [1], "Ana", label="N3")
        other.store.append([Edit.from_json(theirs)])
    assert talk.states(study.spans)[1]["label"] == "N3"
    talk.decide(talk.edit("undo", study.spans, target=theirs["uuid"]))
    assert talk.states(study.spans)[1]["state"] == "untouched"


# --- files ---------------------------------------------------------------------------------------


def test_an_app_without_its_pages_says_so(talk):
    answer = talk.client.get("/")
    assert answer.status_code == 404
    assert "pip install" in answer.text
    assert talk.get("/api/project")


def test_pages_are_served_and_kept_by_content(talk, tmp_path):
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text("<title>nissl</title>")
    (tmp_path / "static" / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path / "secret").write_text("x")
    page, script = talk.client.get("/"), talk.client.get("/assets/app-1a2b.js")
    assert page.text == "<title>nissl</title>"
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in script.headers["cache-control"]
    assert "javascript" in script.headers["content-type"]
    for path in ("/../secret", "/assets/..%2f..%2fsecret", "/%2e%2e/secret", "/assets/%00"):
        assert talk.client.get(path).status_code == 404
    shutil.rmtree(tmp_path / "static")
    assert talk.client.get("/").status_code == 404


def test_the_description_of_the_api_needs_the_token_too(talk):
    assert "/api/decisions" in talk.get("/api/openapi.json")["paths"]
    stranger = {"Authorization": "Bearer x"}
    assert talk.client.get("/api/openapi.json", headers=stranger).status_code == 401
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert talk.client.get(path).status_code == 404


# --- models --------------------------------------------------------------------------------------


def test_shipped_weights_are_a_model_and_nothing_else_is_yet(talk):
    told = talk.get("/api/models", task="curation")
    assert [m["digest"] for m in told["models"]] == [""]
    assert told["models"][0]["in_use"]
    assert told["history"] == []
    for task in ("nothing", "spikes/lupin", "\x00"):
        talk.get("/api/models", task=task, status=422)


def test_learning_without_enough_decisions_says_what_is_missing(talk):
    answer = talk.client.post("/api/learn", json={"task": "curation", "reader": "Ana"})
    assert answer.status_code == 200
    run = answer.json()["run"]
    for _ in range(600):
        told = talk.get(f"/api/learn/{run}")
        if told["state"] != "running":
            break
        time.sleep(0.05)
    assert told["state"] == "failed"
    assert set(told["error"]) == {"expected", "got", "remedy"}
    assert [r["run"] for r in talk.get("/api/learn")["runs"]] == [run]
    talk.get("/api/learn/nothing", status=410)
    for body in ({"task": "nothing", "reader": "Ana"}, {"task": "curation", "reader": "\x00"}):
        assert talk.client.post("/api/learn", json=body).status_code == 422


def test_a_model_that_is_not_there_is_not_put_into_use(talk):
    body = {"task": "curation", "reader": "Ana", "digest": "0" * 64}
    assert talk.client.post("/api/models/use", json=body).status_code == 410
    for digest in ("x", "../../journal.db", None):
        answer = talk.client.post("/api/models/use", json=body | {"digest": digest})
        assert answer.status_code == 422
    assert talk.get("/api/models", task="curation")["history"] == []
