"""The reader's own lane is what replay makes of the reader's edits, whatever they were."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import SourceNotFoundError
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.labels.replay import STATES, replay
from nissl.project import Project, open_project
from nissl.project.adding import keep
from nissl.review.lanes import lanes, spans
from nissl.review.room import Room
from nissl.store import SourceRow

CLASSES = ("spindle", "artifact")


COUNT = itertools.count()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with open_project(tmp_path_factory.mktemp("lanes") / "study") as made:
        yield made


def _none(_row: SourceRow) -> Any:
    raise SourceNotFoundError("raw data", "none", "Lanes need none.")


def _draw(data: st.DataObject, base: str, items: list[int]) -> Edit:
    kind = data.draw(st.sampled_from(["accept", "reject", "relabel", "move", "unsure", "add"]))
    start = data.draw(st.integers(0, 500))
    payload: dict[str, Any] = {
        "relabel": {"label": CLASSES[start % 2]},
        "move": {"start": start, "stop": start + 7},
        "add": {"rows": [{"start": start, "stop": start + 3, "label": CLASSES[1]}]},
    }.get(kind, {})
    about = () if kind == "add" else (data.draw(st.sampled_from(items)),)
    uuid = uuid4()
    return Edit(uuid, EditKind(kind), base, about, "Ann", 1.0, payload)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8))
def test_own_lane_is_replay(project: Project, data: st.DataObject, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    start = np.sort(rng.integers(0, 400, n))
    source = f"{next(COUNT):064x}"  # every example has a recording of its own
    project.store.add_source(
        SourceRow(source, source[-6:], "gone.npz", "numpy", {}, {"id": "a"}, {"id": "1"}, {})
    )
    about = Provenance("events", source, Author("model", "events/x"), "data")
    columns = {"start": start, "stop": start + 20, "label": rng.integers(0, 2, n)}
    labels = LabelSet.build(Kind.SPANS, columns, CLASSES, about)
    keep(project.store, labels)
    room = Room(project.store, _none)
    gone: set[int] = set()
    edits = []
    for _ in range(data.draw(st.integers(0, 6))):
        left = [i for i in labels.items.tolist() if i not in gone]
        if not left:
            break
        edit = _draw(data, labels.digest, left)
        room.decide([edit])
        edits.append(edit)
        gone |= set(edit.items) if edit.kind is EditKind.REJECT else set()
    wanted = replay(labels, edits)
    own = spans(room, labels.digest, "Ann", only=frozenset({0}))
    found = {int(row["item"]): row for row in own.to_pylist()}
    assert set(found) == set(wanted.labels.items.tolist())
    for k, item in enumerate(wanted.labels.column("item").tolist()):
        for name in ("start", "stop", "label"):
            assert found[item][name] == wanted.labels.column(name)[k]
        assert STATES[found[item]["state"]] == wanted.state[item]
    assert [lane.kind for lane in lanes(room, labels.digest, "Ann", blind=True)] == ["own"]
    blind = spans(room, labels.digest, "Ann", blind=True).to_pylist()
    assert {row["item"] for row in blind} == {
        item for item, row in found.items() if STATES[row["state"]] != "untouched"
    }
