"""Questions, models and settings in the journal."""

from uuid import uuid4

import pytest

from nissl.errors import BadArgumentError, CorruptProjectError, MissingInputError
from nissl.labels import Edit, EditKind
from nissl.store import QuestionRow, Store

CARD = {"task": "curation", "name": "curation/nissl", "version": "1"}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "study") as opened:
        yield opened


def edit(base="a" * 64, item=0):
    return Edit(uuid4(), EditKind.ACCEPT, base, (item,), "Ada", 1.0)


def test_a_question_is_asked_once_and_answered_by_the_first_edit(store):
    row = QuestionRow(uuid4(), "a" * 64, 3, "entropy", 0.7, {"probability": 0.2})
    store.ask([row])
    store.ask([row, QuestionRow(uuid4(), "b" * 64, None, "audit")])
    found = store.questions(labels="a" * 64)
    assert [q.uuid for q in found] == [row.uuid]
    assert found[0].body == {"probability": 0.2}
    assert found[0].answered_by is None
    first, second = edit(item=3), edit(item=3)
    store.append([first], answering=row.uuid)
    store.append([second], answering=row.uuid)
    assert store.questions(policy="entropy")[0].answered_by == first.uuid


def test_edits_come_after_a_position_in_the_journals_order(store):
    edits = [edit(item=i) for i in range(5)]
    for one in edits:
        store.append([one])
    assert store.last_position() == 5
    after = store.edits_after(2)
    assert [p for p, _ in after] == [3, 4, 5]
    assert [e.uuid for _, e in after] == [e.uuid for e in edits[2:]]
    assert store.edits_after(0, base="c" * 64) == []


def test_a_model_is_kept_whole_and_a_changed_one_is_refused(store):
    files = {"model.txt": b"tree\n", "calibration.json": b"{}"}
    digest = store.put_model(files, CARD)
    assert store.put_model(files, CARD) == digest
    assert store.get_model(digest) == (files, CARD)
    assert [m.digest for m in store.models("curation")] == [digest]
    (store.path / "models" / digest / "model.txt").write_bytes(b"other")
    with pytest.raises(CorruptProjectError):
        store.get_model(digest)


@pytest.mark.parametrize("name", ["../x", "card.json", "", "a/b", "x" * 200])
def test_a_models_files_stay_in_its_folder(store, name):
    with pytest.raises(BadArgumentError):
        store.put_model({name: b""}, CARD)
    assert not [p for p in (store.path / "models").iterdir()]


def test_a_model_comes_into_use_and_is_rolled_back(store):
    assert store.model_head("curation") is None
    one, two = (store.put_model({"w": bytes([i])}, CARD) for i in range(2))
    store.set_model_head("curation", one, by="Ada")
    store.set_model_head("curation", two, by="Ada")
    assert store.model_head("curation") == two
    store.set_model_head("curation", one, by="Bo")
    assert store.model_head("curation") == one
    store.set_model_head("curation", "", by="Bo")
    assert store.model_head("curation") is None
    assert [m.by for m in store.model_head_history("curation")] == ["Ada", "Ada", "Bo", "Bo"]
    with pytest.raises(MissingInputError):
        store.set_model_head("curation", "f" * 64, by="Ada")
    with pytest.raises(BadArgumentError):
        store.set_model_head("curation", one, by="")


def test_the_newest_setting_counts(store):
    assert store.setting("reader:Ada") is None
    assert store.setting_position("reader:Ada") is None
    store.set_setting("reader:Ada", {"keys": {"accept": "a"}})
    first = store.setting_position("reader:Ada")
    store.set_setting("reader:Ada", {"keys": {}})
    assert store.setting_position("reader:Ada") > first
    assert store.setting("reader:Ada") == {"keys": {}}
    with Store.open(store.path) as again:
        assert again.setting("reader:Ada") == {"keys": {}}
