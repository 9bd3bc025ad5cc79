"""Routes of the units view, over a small project with its recording."""

import time
from contextlib import closing
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from nissl.annotators.spikes.units import describe
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project import open_project
from nissl.review.room import Room
from nissl.review.unit_desks import unit_desk
from nissl.review.unit_questions import merge_questions, merges_of
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.web.app import create_app

RATE = 30_000.0
N_CHANNELS, PER_UNIT = 4, 40
CHANNEL = (0, 2, 2)  # units 1 and 2 are one neuron
SIZE = (150.0, 90.0, 100.0)


def made_recording(path):
    rng = np.random.default_rng(0)
    n = round(3 * RATE)
    x = rng.standard_normal((n, N_CHANNELS)) * 4.0
    sample = np.sort(rng.permutation(np.arange(400, n - 400, 200))[: 3 * PER_UNIT])
    unit = rng.permutation(np.repeat([0, 1, 2], PER_UNIT))
    t = (np.arange(40) - 12) / 5.0
    for at, k in zip(sample, unit, strict=True):
        fall = 0.5 ** np.abs(np.arange(N_CHANNELS) - CHANNEL[k])
        x[at - 12 : at + 28] -= SIZE[k] * np.exp(-(t**2))[:, None] * fall
    np.savez(path, data=np.round(x * 4).astype(np.int16), rate_hz=RATE, gain_uv=0.25)
    return sample, unit


def made_project(folder):
    sample, unit = made_recording(folder / "night.npz")
    project = open_project(folder / "study")
    source = project.add(folder / "night.npz", subject="m1")
    stream = source.recording.signal.name
    provenance = Provenance("spikes", source.fingerprint, Author("model", "spikes/made"), stream)
    amplitude = -np.asarray(SIZE)[unit].astype(np.float32)
    columns = {"sample": sample, "item": unit, "amplitude": amplitude}
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)
    items = describe(labels, Inputs(source.recording, stream), Context(folder / "work"))
    project.store.put_labels(labels)
    project.store.record_labels(labels.digest, items=project.store.put_items(items))
    return project, labels


class Units:
    """A reader at the desk of units."""

    def __init__(self, project, labels):
        def raw(row):
            return project.source(row.fingerprint).recording

        self.room = Room(project.store, raw)
        self.labels, self.key = labels, labels.digest
        self.client = TestClient(create_app(self.room))
        self.live = unit_desk(self.room.desk(self.key))
        self.live.wait(60)

    def ask(self, path, status=200, **query):
        query = {"reader": "Ana"} | query
        answer = self.client.get(f"/api/desks/{self.key}/units{path}", params=query)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers["content-type"] == "application/json" else answer

    def array(self, path, **query):
        answer = self.ask(path, **query)
        shape = [int(n) for n in answer.headers["X-Nissl-Shape"].split(",")]
        return np.frombuffer(answer.content, answer.headers["X-Nissl-Dtype"]).reshape(shape)

    def table(self, path, **query):
        return pa.ipc.open_stream(self.ask(path, **query).content).read_all()

    def preview(self, status=200, **body):
        path = f"/api/desks/{self.key}/units/preview"
        answer = self.client.post(path, params={"reader": "Ana"}, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def decide(self, kind, items, question=None, **payload):
        edit = {
            "uuid": str(uuid4()), "kind": kind, "base": self.key, "items": items,
            "reviewer": "Ana", "when_s": time.time(), "payload": payload, "took_s": 1.0,
        }  # fmt: skip
        told = {"edits": [edit]} | ({"question": question} if question else {})
        answer = self.client.post("/api/decisions", json=told)
        assert answer.status_code == 200, answer.text

    def items(self):
        answer = self.client.get(f"/api/desks/{self.key}/items", params={"reader": "Ana"})
        table = pa.ipc.open_stream(answer.content).read_all()
        return {row["item"]: row for row in table.to_pylist()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Project, labels; nothing is decided in it."""
    project, labels = made_project(tmp_path_factory.mktemp("units"))
    yield project, labels
    project.close()


@pytest.fixture(scope="module")
def units(made):
    return Units(*made)


def test_a_card_tells_metrics_limits_and_doubts(units):
    card = units.ask("/1")
    facts = {fact["name"]: fact for fact in card["facts"]}
    assert (card["item"], card["n_spikes"], card["waveforms"], card["recording"]) == (
        1, PER_UNIT, "ready", "ready",
    )  # fmt: skip
    assert facts["n_spikes"]["value"] == PER_UNIT
    assert facts["n_spikes"]["doubt"].startswith("The unit has 40 spikes")
    assert facts["snr"]["limit"] == 3.0
    assert facts["amplitude_cutoff"]["value"] is None  # NaN travels as null
    assert card["channel"] == 2
    assert len(card["acg"]) == 101
    assert min(card["wave"]) == pytest.approx(-90, rel=0.4)


def test_templates_correlograms_and_rates_travel_as_arrays(units):
    templates = units.array("/templates", items="2,0")
    assert templates.shape == (2, 90, N_CHANNELS)
    assert np.argmin(templates.min(axis=1), axis=1).tolist() == [2, 0]
    both = units.array("/correlograms", items="0,1", window_ms=20, bin_ms=2)
    assert both.shape == (2, 2, 21)
    assert both[0, 1] == pytest.approx(both[1, 0][::-1])
    assert both[0, 0][10] == 0.0
    rate = units.array("/0/rate")
    assert rate.sum() * (3.0 / rate.size) == pytest.approx(PER_UNIT)


def test_spikes_come_with_shapes_that_tell_units_apart(units):
    table = units.table("/0/spikes", beside="1")
    item, pc1 = table.column("item").to_numpy(), table.column("pc1").to_numpy()
    assert table.num_rows == 2 * PER_UNIT
    own, other = pc1[item == 0], pc1[item == 1]
    assert min(own.min(), other.min()) < max(own.max(), other.max())
    assert own.max() < other.min() or other.max() < own.min()
    ids = units.labels.column("id")[units.labels.rows_of(0)]
    assert table.column("row").to_numpy()[item == 0].tolist() == ids.tolist()
    assert table.schema.metadata[b"waveforms"] == b"ready"


def test_the_likeliest_neighbour_is_the_same_neuron(units):
    near = units.ask("/1/similar")["similar"]
    assert near[0]["b"] == 2
    assert near[0]["similarity"] > 0.97
    assert all(one["similarity"] <= near[0]["similarity"] for one in near)
    assert [(one["a"], one["b"]) for one in units.ask("/merges")["merges"]] == [(1, 2)]


def test_likely_merges_are_questions_that_are_asked_once(units):
    (one,) = merge_questions(units.key, units.live.likely_merges())
    assert (one.labels, one.item, one.policy, one.body["beside"]) == (units.key, 1, "merge", 2)
    assert one.body["reason"].startswith("Units 1 and 2 may be one neuron. The templates are")
    assert f"with a probability of {one.score:.0%}" in one.body["reason"]
    assert 0.9 <= one.score < 0.99  # templates are the same, and trains do not tell
    sorting = units.live.units.sorting
    assert merges_of(sorting.labels, sorting.items, RATE, least=0.99) == []
    assert merge_questions(units.key, units.live.likely_merges())[0].uuid == one.uuid


def test_a_pair_is_asked_about_until_it_is_merged_or_told_apart(tmp_path):
    project, labels = made_project(tmp_path)
    with closing(project):
        units = Units(project, labels)

        def pairs():
            answer = units.client.get("/api/queue", params={"reader": "Ana", "desk": units.key})
            entries = answer.json()["entries"]
            return [(e["item"], e["beside"], e["question"]) for e in entries if e["beside"]]

        assert pairs() == []
        path = f"/api/desks/{units.key}/units/merges/ask"
        for expected in (1, 0):
            answer = units.client.post(path, params={"reader": "Ana"})
            assert answer.json() == {"asked": expected}
        (asked,) = pairs()
        assert asked[:2] == (1, 2)
        units.decide("merge", [1, 2])
        assert pairs() == []
        (undone,) = [edit.uuid for edit in project.store.edits()]
        units.decide("undo", [], target=str(undone))
        assert pairs() == [asked]
        units.decide("accept", [1], question=asked[2])
        assert pairs() == []


def test_the_recording_around_a_spike_shows_the_spikes_in_it(units):
    answer = units.ask("/0/snippet", spike=3, window_ms=20)
    traces = units.array("/0/snippet", spike=3, window_ms=20)
    assert traces.shape == (N_CHANNELS, 600)
    assert traces[0, 297:304].min() < -100
    assert "%22n_spikes%22%3A%2040" in answer.headers["X-Nissl-Meta"]


def test_previews_say_what_would_be_and_change_nothing(units):
    merge = units.preview(kind="merge", items=[2, 1])
    assert [card["item"] for card in merge["before"]] == [1, 2]
    (after,) = merge["after"]
    assert after["item"] == 1
    assert after["facts"][0] == merge["before"][0]["facts"][0] | {
        "value": 2 * PER_UNIT, "doubt": None
    }  # fmt: skip
    split = units.preview(kind="split", items=[0], cut={"x": "time_s", "threshold": 1.5})
    late = units.labels.column("sample")[units.labels.rows_of(0)] > 1.5 * RATE
    ids = units.labels.column("id")[units.labels.rows_of(0)][late].tolist()
    assert split["rows"] == ids
    assert {card["item"] for card in split["after"]} == {-1, 0}
    told = units.preview(kind="split", items=[0], rows=ids)
    assert told["after"] == split["after"]
    assert set(units.items()) == {0, 1, 2}


def test_what_makes_no_sense_is_told(units):
    assert "two units" in units.preview(409, kind="merge", items=[1])["error"]["expected"]
    nothing = {"x": "amplitude", "threshold": 0.0, "above": True}
    units.preview(409, kind="split", items=[0], cut=nothing)
    units.preview(409, kind="split", items=[0, 1], cut=nothing)
    units.preview(409, kind="split", items=[0])
    units.preview(422, kind="split", items=[0], cut={"x": "weight", "threshold": 0.0})
    units.preview(422, kind="split", items=[0], cut={"x": "amplitude"})
    units.preview(422, kind="split", items=[0], cut={"x": "pc1", "corners": [[0, 0], [1, 1]]})
    units.preview(422, kind="melt", items=[0])
    units.ask("/9", 409)
    units.ask("/templates", 422, items="1;2")
    units.ask("/correlograms", 422, items=",".join(map(str, range(17))))
    units.ask("/correlograms", 422, items="0", bin_ms=0)


def test_decisions_change_what_is_told_to_their_reader_alone(tmp_path):
    project, labels = made_project(tmp_path)
    with project:
        units = Units(project, labels)
        units.decide("merge", [1, 2])
        assert units.ask("/1")["n_spikes"] == 2 * PER_UNIT
        assert units.items()[1]["n_spikes"] == 2 * PER_UNIT
        units.ask("/2", 409)
        assert units.ask("/merges")["merges"] == []
        assert units.ask("/2", reader="Ben")["n_spikes"] == PER_UNIT
        part = units.preview(kind="split", items=[0], cut={"x": "time_s", "threshold": 1.0})
        units.decide("split", [0], rows=[part["rows"]])
        made = units.items()
        assert set(made) == {0, 1, 3}
        assert made[3]["n_spikes"] == len(part["rows"])
        assert units.array("/templates", items="3").shape == (1, 90, N_CHANNELS)
        before = units.live.units.sorting.kept

        again = Room(project.store, units.room.raw)  # the server starts anew, the file is gone
        (tmp_path / "night.npz").unlink()
        desk = unit_desk(again.desk(labels.digest))
        desk.wait(60)
        assert (desk.waveforms, desk.recording) == ("ready", "none")
        kept = desk.units.sorting.kept
        assert kept.waveform.tobytes() == before.waveform.tobytes()
        assert kept.row.tolist() == before.row.tolist()
        units.client = TestClient(create_app(again))
        assert np.isfinite(units.table("/3/spikes").column("pc1").to_numpy()).all()
        assert units.array("/3/snippet").size == 0
