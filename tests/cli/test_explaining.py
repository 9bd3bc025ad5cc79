"""`nissl explain`: from a sorting to sentences, facts and pictures of its units."""

import json
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.annotators.spikes.own.matching import devices
from nissl.cli import app
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Edit, EditKind
from nissl.project import explaining

RATE_HZ = 30_000
LEVELS = np.asarray([[1.0, 0.6, 0.2, 0.0], [0.0, 0.2, 0.6, 1.0], [0.7, 1.0, 0.3, 0.0]]) * 130.0


def samples(seconds=8):
    """Noise of 10 uV on four channels with three units; and where these fire."""
    rng, n = np.random.default_rng(7), seconds * RATE_HZ
    x = rng.normal(0, 10, (n, 4))
    t = np.arange(-30, 60) / 30.0
    shape = -np.exp(-0.5 * (t / 0.15) ** 2) + 0.4 * np.exp(-0.5 * ((t - 0.6) / 0.3) ** 2)
    at = np.arange(400, n - 400, 350)
    at = at + rng.integers(0, 150, at.size)
    whose = rng.integers(0, 6, at.size)
    for a, u in zip(at, whose, strict=True):
        if u < 3:
            x[a - 30 : a + 60] += shape[:, None] * LEVELS[u]
    return x.astype(np.float32), [at[whose == u] for u in range(3)]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
    folder = tmp_path_factory.mktemp("explained")
    x, trains = samples()
    place = np.stack([np.zeros(4), 25.0 * np.arange(4)], axis=1)
    names = np.array(["a", "b", "c", "d"])
    np.savez(folder / "rec.npz", data=x, rate_hz=RATE_HZ, channel_names=names, position_um=place)
    with nissl.open(folder / "study") as project:
        source = project.add(folder / "rec.npz")
        labels = project.annotate(source, "spikes/nissl", seed=3).labels
    return SimpleNamespace(path=folder / "study", labels=labels, trains=trains)


def unit_at(study, train):
    """Unit of the labels that fires with a true one."""
    item, sample = study.labels.column("item"), study.labels.column("sample")
    near = np.abs(sample[:, None] - train[None]).min(axis=1) <= 10
    return int(np.bincount(item[near]).argmax())


@pytest.fixture(scope="module")
def told(study, tmp_path_factory):
    """What the command says of unit b, beside which unit a lies, and the spike at 6 s."""
    out = tmp_path_factory.mktemp("out")
    unit = unit_at(study, study.trains[2])
    asked = ["--unit", str(unit), "--at", "6", "--spikes", "40", "--out", str(out), "--json"]
    said = CliRunner().invoke(app, ["explain", str(study.path), "rec", *asked])
    assert said.exit_code == 0, said.output
    (facts,) = json.loads(said.stdout)
    return SimpleNamespace(unit=unit, facts=facts, out=out, said=said)


def test_a_unit_of_the_labels_is_found_again_and_told(study, told):
    facts = told.facts
    assert facts["unit"] == told.unit
    assert facts["n_looked_at"] == 40
    assert facts["n_explained"] >= 39
    assert facts["energy_before"] > 5
    assert facts["energy_after"] == pytest.approx(1, abs=0.2)
    assert facts["labels"] == study.labels.digest


def test_the_runner_up_has_the_name_that_the_labels_give_it(study, told):
    rival = told.facts["runners_up"][0]
    assert rival["unit"] == unit_at(study, study.trains[0])
    assert rival["share"] > 0.9
    assert set(rival["channels"]) <= {"a", "b"}


def test_the_spike_nearest_to_the_moment_is_told(study, told):
    sample = study.labels.column("sample")[study.labels.column("item") == told.unit]
    spike = told.facts["spike"]
    assert spike["sample"] == sample[np.argmin(np.abs(sample / RATE_HZ - 6))]
    assert spike["amplitude"] == pytest.approx(1, abs=0.3)
    assert spike["odds"]["unit"] > 0.99


def test_pictures_and_facts_are_in_files(told):
    kinds = sorted(path.suffix for path in told.out.iterdir())
    assert kinds == [".json", ".png", ".png"]
    assert json.loads((told.out / f"unit-{told.unit}.json").read_text()) == told.facts
    for path in told.out.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_people_are_told_in_sentences_and_merged_units_as_they_are_now(study, tmp_path):
    one, two = unit_at(study, study.trains[0]), unit_at(study, study.trains[1])
    with nissl.open(study.path) as project:
        items = (one, two)
        edit = Edit(uuid4(), EditKind.MERGE, study.labels.digest, items, "Ada", 0.0)
        project.store.append([edit])
        new = min(items)
        found = project.explain("rec", [new], most=30, out=tmp_path)
    assert found.units[0]["unit"] == new
    assert found.units[0]["n_explained"] < 30  # half of it is another unit of the sorter
    assert f"Unit {new}: " in found.sentences[0]


def test_labels_of_another_device_are_told(study, monkeypatch):
    with nissl.open(study.path) as project:
        assert explaining._devices(project.store, study.labels) == []
        monkeypatch.setattr(devices, "told", lambda device: f"another {device}")
        (found,) = explaining._devices(project.store, study.labels)
    assert (found.check, found.severity) == ("device", "warning")
    assert "made on cpu and are explained on another cpu" in found.sentence


def test_what_is_missing_is_told(study, tmp_path):
    with nissl.open(study.path) as project:
        with pytest.raises(BadArgumentError, match="units among 0"):
            project.explain("rec", [99])
        with pytest.raises(BadArgumentError, match="spikes of a unit"):
            project.explain("rec", most=0)
    np.savez(tmp_path / "new.npz", data=np.zeros((60_000, 2), np.float32), rate_hz=RATE_HZ)
    with nissl.open(tmp_path / "study") as project:
        project.add(tmp_path / "new.npz")
        with pytest.raises(MissingInputError, match="--task spikes/nissl"):
            project.explain("new")
