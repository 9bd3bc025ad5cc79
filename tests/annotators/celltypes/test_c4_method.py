"""The protocol of the C4 plug-in, with a stand-in program behind the same module name."""

import json
import os
import sys

import h5py
import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.celltypes.c4 import read_c4
from nissl.annotators.celltypes.c4_method import C4_METHOD, PYTHON
from nissl.annotators.celltypes.c4_units import PEAK, RATE_HZ, usable, waveform_of, write_units
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import CEREBELLAR
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, MethodFailedError, MissingDependencyError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, Inputs

FAKE = '''
import csv, json, os
import h5py
import numpy as np

NAMES = {4: "PkC_cs", 3: "PkC_ss", 2: "MFB", 1: "MLI", 0: "GoC", -1: "unlabelled"}

def run_cell_types_classifier(data_path, quality, threshold, parallel, layer):
    """Slow units are Golgi cells, fast ones simple spikes, and others doubtful."""
    rows, p = [], []
    with h5py.File(data_path) as file:
        for k in range(len(file)):
            group = file[f"nissl_neuron_{k}"]
            rate = len(group["spike_indices"]) / 100
            rows.append(f"nissl_neuron_{k}")
            top = {True: 0, False: 3}[rate < 5]
            own = np.full(5, 0.05)
            own[top] = 0.8
            if 5 < rate < 20:
                own = np.asarray([0.1, 0.1, 0.1, 0.4, 0.3])
            p.append(own)
    folder = data_path[: -len(".h5")]
    os.makedirs(folder + "/cell_type_classification")
    with open(folder + "/cluster_predicted_cell_type.tsv", "w", newline="") as out:
        table = csv.writer(out, delimiter="\\t")
        table.writerow(["cluster_id", "predicted_cell_type"])
        table.writerows([r, NAMES[int(np.argmax(q))]] for r, q in zip(rows, p))
    inner = folder + "/cell_type_classification/"
    p = np.stack([p] * 3, axis=2)
    np.save(inner + "ensemble_predictions_ncells_nclasses_nmodels.npy", p)
    with open(inner + "label_correspondence.tsv", "w", newline="") as out:
        table = csv.writer(out, delimiter="\\t")
        table.writerows([list(NAMES), list(NAMES.values())])
    with open(folder + "/seen.json", "w") as out:
        json.dump([quality, threshold, parallel, layer], out)
'''
BROKEN = "def run_cell_types_classifier(**k):\n    raise RuntimeError('no networks')\n"
FOREIGN = FAKE.replace('"MFB"', '"unheard of"')
RATES = {3: 2, 7: 40, 8: 10, 12: 0.5, 20: 30}
"""Spikes a second by unit; the fourth has too few, the last has no waveform."""


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """A Python in which ``import npyx`` finds the stand-in, and where its text stands."""
    package = tmp_path / "site" / "npyx" / "c4"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    text = package / "predict_cell_types.py"
    text.write_text(FAKE)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path / "site"}" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(script))
    return text


def sorted_units():
    rng = np.random.default_rng(0)
    own = [np.sort(rng.integers(0, 2_000_000, int(r * 100))) for r in RATES.values()]
    item = np.repeat(list(RATES), [s.size for s in own])
    labels = LabelSet.build(
        Kind.EVENTS,
        {"item": item, "sample": np.concatenate(own)},
        ("unit",),
        Provenance("spikes", "f", Author("model", "spikes/fake", "1"), "ap"),
    )
    template = np.zeros((5, 60, 6), np.float32)
    template[:, 20:30, 3] = -90 * np.hanning(10)
    template[:, 20:30, 4] = -40 * np.hanning(10)
    template[4] = np.nan
    items = ItemTable(
        labels.digest,
        pa.table({"item": pa.array(list(RATES), pa.int64())}),
        {"template": "uV"},
        {"template": template},
        {
            "rate_hz": 20_000.0,
            "duration_s": 100.0,
            "position_um": [[0.0, 20.0 * k] for k in range(6)],
        },
    )
    signal = Signal.from_array(
        np.zeros((100, 6), np.float32), 20_000.0, name="ap", channels=ChannelTable.plain(6)
    )
    recording = Recording(None, "array", {"ap": signal}, fingerprint="f")
    return Inputs(recording, "ap", {"spikes": labels}, {"spikes": items})


def test_without_an_interpreter_it_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.delenv(PYTHON, raising=False)
    assert ANNOTATORS.get("celltypes/c4") is C4_METHOD
    assert PYTHON in C4_METHOD.missing()["npyx"]
    with pytest.raises(MissingDependencyError, match=PYTHON):
        C4_METHOD.annotate(sorted_units(), C4_METHOD.defaults(), Context(tmp_path))
    assert "npyx" not in sys.modules


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_files_go_in_and_classes_come_out(interpreter, tmp_path):
    inputs = sorted_units()
    assert C4_METHOD.missing() == {}
    assert "c4:numpy" in C4_METHOD.packages()
    context = Context(tmp_path / "job")
    result = C4_METHOD.annotate(inputs, C4_METHOD.defaults(), context)
    labels = result.labels[0]
    names = [labels.vocabulary.names[k] for k in labels.column("label")]
    assert names == ["Golgi", "Purkinje simple spikes", "unknown", "unknown", "unknown"]
    assert labels.column("target").tolist() == list(RATES)
    assert labels.column("confidence")[:2] == pytest.approx([0.8, 0.8])
    assert np.isnan(labels.column("confidence")[2:]).all()
    p = np.asarray(labels.table.column("probabilities").to_pylist())
    assert p.shape == (5, len(CEREBELLAR))
    assert p[2, CEREBELLAR.names.index("Purkinje simple spikes")] == pytest.approx(0.4)
    assert p[3:, -1].tolist() == [1.0, 1.0]
    assert result.log["not_asked"] == 2
    assert result.log["n_models"] == 3
    seen = json.loads((tmp_path / "job" / "c4" / "units" / "seen.json").read_text())
    assert seen == ["all", 0.0, False, False]
    assert "npyx" not in sys.modules
    interpreter.write_text(BROKEN)  # a finished job is not run again
    again = C4_METHOD.annotate(inputs, C4_METHOD.defaults() | {"threshold": 1.2}, context)
    label = again.labels[0].column("label")
    assert CEREBELLAR.names[label[2]] == "Purkinje simple spikes"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("text", "says"), [(BROKEN, "no networks"), (FOREIGN, "unheard of")], ids=["broken", "foreign"]
)
def test_a_failure_names_the_log(interpreter, tmp_path, text, says):
    interpreter.write_text(text)
    with pytest.raises(MethodFailedError, match=says) as error:
        C4_METHOD.annotate(sorted_units(), C4_METHOD.defaults(), Context(tmp_path / "job"))
    assert "c4.log" in str(error.value)


@pytest.mark.parametrize("wrong", [{"threshold": 0.5}, {"threshold": True}, {"layer": 1}])
def test_options_outside_their_values(tmp_path, wrong):
    with pytest.raises(BadArgumentError):
        C4_METHOD.annotate(sorted_units(), C4_METHOD.defaults() | wrong, Context(tmp_path))


def test_units_are_written_as_the_database_keeps_them(tmp_path):
    at = np.arange(40) / 20_000
    wave = -np.exp(-(((at - 0.7e-3) / 1e-4) ** 2))[:, None] * np.asarray([0.3, 1.0, 0.6, 0.2, 0.1])
    spikes = np.cumsum(np.random.default_rng(0).gamma(4, 0.01, 3000))
    position = np.stack([np.zeros(5), 20.0 * np.arange(5)], axis=1)
    unit = Unit(spikes, None, wave, 20_000.0, position, layer="PCL")
    assert usable(unit)
    write_units(tmp_path / "units.h5", [unit], [17])
    with h5py.File(tmp_path / "units.h5") as file:
        mean = file["nissl_neuron_0/mean_waveform_preprocessed"][()]
        assert mean.shape == (4, 180)
        assert np.abs(mean).argmax(axis=1).tolist() == [PEAK] * 4
        assert np.diff(file["nissl_neuron_0/spike_indices"][()]) == pytest.approx(
            np.diff(spikes) * RATE_HZ, abs=1
        )
        assert file["nissl_neuron_0/channelmap"][:, 1].tolist() == [0.0, 20.0, 40.0, 60.0]
    made = read_c4(tmp_path / "units.h5", licence="x")
    assert made.label == ("",)
    assert made.facts["unit"] == ("17",)
    assert made.facts["layer"] == ("Purkinje",)


def test_units_of_which_c4_cannot_be_asked():
    spikes = np.arange(200) * 0.1
    flat, dead = np.zeros((40, 2)), np.full((40, 2), np.nan)
    assert not usable(Unit(spikes))
    assert not usable(Unit(spikes, None, flat, 30_000.0))
    assert not usable(Unit(spikes, None, dead, 30_000.0))
    assert not usable(Unit(spikes[:99], None, flat - np.eye(40, 2), 30_000.0))
    assert waveform_of(Unit(spikes, None, flat - np.eye(40, 2), 30_000.0))[0].shape == (2, 180)
