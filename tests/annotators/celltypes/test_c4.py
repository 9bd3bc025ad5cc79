"""The importer of the C4 database, on small files in its layout."""

import h5py
import numpy as np
import pytest

from nissl.annotators.celltypes.c4 import read_c4, without_gaps
from nissl.annotators.celltypes.learner import LEARNER
from nissl.annotators.celltypes.library_files import read_library, write_library
from nissl.annotators.celltypes.teaching import taught_by
from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    SourceNotFoundError,
    UnknownFormatError,
)

RATE_HZ = 30_000


def waveform(n_channels=12):
    """(channels, samples): 6 ms, largest in the middle of both."""
    time_ms = np.arange(-90, 90) / 30.0
    shape = -np.exp(-((time_ms / 0.15) ** 2)) + 0.3 * np.exp(-(((time_ms - 0.4) / 0.2) ** 2))
    near = np.exp(-np.abs(np.arange(n_channels) - n_channels // 2) / 2.0)
    return near[:, None] * shape * 90


def add_unit(file, number, *, lab="hausser", label="PkC_ss", rate=20.0, seed=0, **fields):
    rng = np.random.default_rng(seed + number)
    gaps = 0.004 + rng.exponential(1 / rate, 4000)
    samples = (np.cumsum(gaps) * RATE_HZ).astype(np.uint32)
    mean = waveform()
    given = {
        "lab_id": lab,
        "line": "Thy1",
        "dataset_id": "18-12-17_YC001_probe1",
        "neuron_relative_id": 40 + number,
        "neuron_id": f"/{lab}_neuron_{number}",
        "sampling_rate": RATE_HZ,
        "spike_indices": samples,
        "sane_spikes": np.ones(samples.size, bool),
        "fn_fp_filtered_spikes": np.ones(samples.size, bool),
        "mean_waveform_preprocessed": mean,
        "channelmap": np.stack(
            [np.tile([11.0, 43.0], len(mean) // 2), 20.0 * (np.arange(len(mean)) // 2)], axis=1
        ),
        "amplitudes": np.ones(samples.size),
        "ground_truth_label": label,
        "ground_truth_source": "CSxSS" if str(label).startswith("PkC") else "optogagged",
        "expert_label": "",
        "phyllum_layer": "PkC_layer",
        "human_layer": "",
        "mli_cluster": "",
        "raw_waveforms": np.zeros((3, len(mean), 180), np.int16),
    } | fields
    group = file.create_group(f"{lab}_neuron_{number}")
    for name, value in given.items():
        if value is not None:
            group[name] = value
    file[f"datasets/{given['dataset_id']}/{given['neuron_relative_id']}"] = group


@pytest.fixture
def database(tmp_path):
    labels = ("PkC_ss", "PkC_cs", "MLI", "GoC", "MFB", "GrC", "", "unlabelled")
    with h5py.File(tmp_path / "C4_database_hausser.h5", "w") as file:
        for number, label in enumerate(labels):
            add_unit(file, number, label=label)
        add_unit(file, 8, label=0, expert_label="MLI")
        add_unit(file, 10, fn_fp_filtered_spikes=np.zeros(4000, bool))
    with h5py.File(tmp_path / "C4_database_lisberger.h5", "w") as file:
        add_unit(
            file,
            0,
            lab="lisberger",
            label="GoC",
            sane_spikes=None,
            fn_fp_filtered_spikes=None,
            dataset_id="session 3",
            mean_waveform_preprocessed=waveform(1)[0],
            channelmap=None,
            phyllum_layer=None,
            human_layer="GCL",
        )
    return tmp_path


def column(library, name):
    return library.features.values[:, library.features.names.index(name)]


def test_units_of_all_files_become_a_library(database, tmp_path):
    made = read_c4(database, licence="as published")
    assert made.label == (
        "Purkinje simple spikes",
        "Purkinje complex spikes",
        "molecular layer interneuron",
        "Golgi",
        "mossy fibre",
        "granule",
        "",
        "",
        "",
        "Golgi",
    )
    assert made.evidence[:3] == ("expert", "expert", "optotagging")
    assert made.evidence[6:9] == ("", "", "")
    assert made.facts["lab"] == ("hausser",) * 9 + ("lisberger",)
    assert made.facts["species"][-1] == "macaque"
    assert made.facts["layer"] == ("Purkinje",) * 9 + ("granular",)
    assert made.facts["unit"][:2] == ("40", "41")
    assert made.features.subject[0] == "hausser/YC001"
    assert made.features.subject[-1] == "lisberger/session 3"
    assert made.card["licence"] == "as published"
    assert made.card["left_out"] == {"no spikes that pass the filters": 1}
    assert len(made.card["sources"]) == 2
    rate = column(made, "firing_rate_hz")
    assert rate == pytest.approx(1 / 0.054, rel=0.1)
    assert column(made, "layer").tolist() == [2.0] * 9 + [3.0]
    assert np.isfinite(column(made, "wave_020")).all()
    assert np.isfinite(column(made, "acg3_200")).all()
    assert np.isfinite(column(made, "spread_um")[:-1]).all()
    assert np.isnan(column(made, "spread_um")[-1])
    read = read_library(write_library(tmp_path / "c4", made))
    assert read.digest == made.digest
    examples = taught_by(read, LEARNER, extend=False)
    assert "Purkinje complex spikes" in examples.classes


def test_experts_speak_only_where_they_are_asked_and_truth_is_silent(database):
    path = database / "C4_database_hausser.h5"
    made = read_c4(path, licence="x", expert_labels=True)
    assert made.label[8] == "molecular layer interneuron"
    assert made.evidence[8] == "expert"
    assert made.label[0] == "Purkinje simple spikes"


def test_only_spikes_that_pass_the_filters_count(tmp_path):
    good = np.ones(4000, bool)
    good[1500:2500] = False
    with h5py.File(tmp_path / "a.h5", "w") as file:
        add_unit(file, 0, rate=20.0)
        add_unit(file, 1, rate=20.0, sane_spikes=good, seed=-1)
    made = read_c4(tmp_path / "a.h5", licence="x")
    assert 10 ** column(made, "log_n_spikes") == pytest.approx([4000, 3000])
    rate = column(made, "firing_rate_hz")
    assert rate[1] == pytest.approx(rate[0], rel=0.06)


def test_time_without_good_spikes_is_taken_out():
    time_s = np.asarray([0.0, 1.0, 2.0, 3.0, 100.0, 101.0, 102.0])
    good = np.asarray([True, True, False, False, True, True, False])
    assert without_gaps(time_s, good).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert without_gaps(time_s, np.ones(7, bool)).tolist() == time_s.tolist()
    assert without_gaps(time_s, np.arange(7) == 3).tolist() == [3.0]
    alternate = without_gaps(time_s, np.arange(7) % 2 == 0)
    assert np.all(np.diff(alternate) > 0)


def test_what_cannot_be_read_is_named(tmp_path, database):
    with pytest.raises(BadArgumentError, match="terms"):
        read_c4(database, licence=" ")
    with pytest.raises(SourceNotFoundError, match="no gone"):
        read_c4(tmp_path / "gone.h5", licence="x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceNotFoundError, match="without one"):
        read_c4(tmp_path / "empty", licence="x")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(CorruptSourceError, match="HDF5 file"):
        read_c4(tmp_path / "text.h5", licence="x")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UnknownFormatError, match="_neuron_"):
        read_c4(tmp_path / "other.h5", licence="x")
    with h5py.File(tmp_path / "short.h5", "w") as file:
        add_unit(file, 3, sane_spikes=np.ones(7, bool))
    with pytest.raises(CorruptSourceError, match=r"short\.h5/hausser_neuron_3"):
        read_c4(tmp_path / "short.h5", licence="x")
    with h5py.File(tmp_path / "bare.h5", "w") as file:
        add_unit(file, 0, spike_indices=None)
    with pytest.raises(CorruptSourceError, match="spike_indices"):
        read_c4(tmp_path / "bare.h5", licence="x")
    with h5py.File(tmp_path / "none.h5", "w") as file:
        add_unit(file, 0, sane_spikes=np.zeros(4000, bool))
    with pytest.raises(CorruptSourceError, match="pass the database's filters"):
        read_c4(tmp_path / "none.h5", licence="x")
