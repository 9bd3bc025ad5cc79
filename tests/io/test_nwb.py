"""NWB files: what others read in them, and what comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.data.privacy import pseudonym
from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    SourceNotFoundError,
    VerificationError,
)
from nissl.io.nwb import NWB
from nissl.labels import Kind
from nissl.testing.exporters import (
    SpikeExporterContract,
    damage,
    example_dossier,
    hash_tree,
    read_or_refuse,
    times_s,
)
from nissl.testing.strategies import label_sets

pynwb = pytest.importorskip("pynwb")

SHARED = [HealthCheck.function_scoped_fixture]  # each example replaces what the last one wrote


class TestContract(SpikeExporterContract):
    name = "nwb"
    holds_marks = True


@pytest.fixture
def opened(tmp_path):
    """An exported example and its open file."""
    dossier = example_dossier()
    path = NWB.write(dossier, tmp_path / "out.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        yield dossier, io.read(), path


def test_others_read_times_waveforms_and_quality(opened):
    dossier, nwbfile, _ = opened
    units = nwbfile.units
    assert len(units.id) == 4
    for row, unit in enumerate(dossier.labels.items.tolist()):
        assert np.array_equal(units["spike_times"][row], times_s(dossier.labels, unit))
    template = dossier.items.arrays["template"]
    assert np.allclose(units["waveform_mean"].data[:], template * 1e-6, rtol=1e-6)
    assert units.waveform_rate == 30000
    assert units.waveform_unit == "volts"
    human = dossier.classes[1]
    names = [human.vocabulary.names[c] for c in human.column("label")]
    assert units["quality"].data[:].tolist() == [*names, ""]
    assert units["curation_by_reviewer_a"].data[:].tolist() == [*names, ""]
    machine = dossier.classes[0]
    p = units["curation_by_unitrefine_probability_good_0"].data[:]
    wanted = machine.table.column("probabilities").to_pylist()
    assert np.allclose(p[:3], [row[0] for row in wanted])
    assert np.isnan(p[3])
    assert units["estimated"].data[:].all()
    assert np.isnan(units["confidence"].data[:]).all()
    assert units["snr"].description == "snr"
    assert units["x_um"].description == "x_um, um"
    assert "Too many." in units["findings"].data[0]


def test_others_read_electrodes_trials_subject_and_provenance(opened):
    dossier, nwbfile, _ = opened
    electrodes = nwbfile.electrodes.to_dataframe()
    assert electrodes["channel_name"].tolist() == ["ch0", "ch1", "ch2", "ch3"]
    assert electrodes["rel_y"].tolist() == [0, 20, 40, 60]
    assert nwbfile.units["electrodes"][0]["channel_name"].tolist()[1] == "ch1"
    trials = nwbfile.trials.to_dataframe()
    spans = dossier.events["trials"]
    assert np.array_equal(trials["start_time"], spans.column("start") / 30000)
    assert np.array_equal(trials["stop_sample"], spans.column("stop"))
    assert set(trials["label"]) <= {"go", "stop"}
    camera = nwbfile.intervals["camera"].to_dataframe()
    assert camera["start_time"].equals(camera["stop_time"].rename("start_time"))
    assert nwbfile.subject.subject_id == "m1"
    assert nwbfile.subject.species == "Mus musculus"
    assert nwbfile.session_start_time == datetime(2026, 3, 1, tzinfo=UTC)
    facts = json.loads(nwbfile.scratch["nissl_provenance"].data)
    assert facts["labels"]["provenance"]["parameters"]["threshold"] == 5.5
    assert facts["labels"]["digest"] == dossier.labels.digest
    assert "75%" in nwbfile.notes


def test_no_critical_finding_of_nwbinspector_and_valid(tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    importance = nwbinspector.Importance
    bare = replace(example_dossier(), source={"rate_hz": 30000.0}, items=None, classes=())
    for name, dossier in (("full", example_dossier()), ("bare", bare)):
        path = NWB.write(dossier, tmp_path / f"{name}.nwb")
        NWB.verify(dossier, path)
        worst = [
            m
            for m in nwbinspector.inspect_nwbfile(nwbfile_path=path)
            if m.importance.value >= importance.CRITICAL.value
        ]
        assert worst == []
        assert pynwb.validate(path=str(path)) in ([], ([], 0))


def test_the_inspector_is_listened_to(tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    nwbfile = pynwb.NWBFile("s", "id", datetime(2020, 1, 1, tzinfo=UTC))
    with pynwb.NWBHDF5IO(str(tmp_path / "bad.nwb"), "w") as io:
        io.write(nwbfile)
    found = list(nwbinspector.inspect_nwbfile(nwbfile_path=tmp_path / "bad.nwb"))
    assert any(m.importance is nwbinspector.Importance.CRITICAL for m in found)


def test_templates_in_a_sorters_own_scale_are_not_called_volts(tmp_path):
    dossier = example_dossier()
    units = {**dossier.items.units, "template": "a.u."}
    dossier = replace(dossier, items=replace(dossier.items, units=units))
    path = NWB.write(dossier, tmp_path / "out.nwb")
    NWB.verify(dossier, path)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        columns = io.read().units
        assert "waveform_mean" not in columns.colnames
        assert columns["template"].description == "template, a.u."
    assert NWB.read(path).items == (dossier.items,)


def test_an_unknown_session_start_is_a_placeholder_that_says_so(tmp_path):
    dossier = replace(example_dossier(), source={})
    path = NWB.write(dossier, tmp_path / "out.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwbfile = io.read()
        assert nwbfile.session_start_time.year == 1970
        assert "placeholder" in nwbfile.notes
        assert nwbfile.subject.sex == "U"
    given_ = NWB.write(dossier, tmp_path / "given.nwb", session_start="2025-02-03T04:05:06+01:00")
    with pynwb.NWBHDF5IO(str(given_), "r") as io:
        assert io.read().session_start_time.hour == 4
    with pytest.raises(BadArgumentError):
        NWB.write(dossier, tmp_path / "bad.nwb", session_start="yesterday")


def test_times_follow_the_recordings_clock_over_gaps(tmp_path):
    clock = Clock.from_segments(30000.0, [100_000, 200_000], [5.0, 60.0])
    channels = ChannelTable.plain(
        ["ch0", "ch1", "ch2", "ch3"],
        position_um=[[0, 0], [16, 20], [0, 40], [16, 60]],
        shank=[0, 0, 1, 1],
    )
    signal = Signal.from_array(
        np.zeros((300_000, 4), np.int16), 30000.0, channels=channels, clock=clock, name="ap"
    )
    dossier = replace(example_dossier(), recording=Recording(None, "array", {"ap": signal}))
    path = NWB.write(dossier, tmp_path / "out.nwb")
    NWB.verify(dossier, path)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwbfile = io.read()
        rows = dossier.labels.rows_of(2)
        wanted = clock.to_seconds(dossier.labels.column("sample")[rows])
        assert np.array_equal(nwbfile.units["spike_times"][2], wanted)
        assert np.allclose(nwbfile.units["obs_intervals"][0], [[5, 5 + 10 / 3], [60, 60 + 20 / 3]])
        assert sorted(nwbfile.electrode_groups) == ["shank0", "shank1"]
    back = NWB.read(path)
    again = NWB.write(back.dossier(), tmp_path / "again.nwb")
    with pynwb.NWBHDF5IO(str(again), "r") as io:
        assert np.array_equal(io.read().units["spike_times"][2], wanted)


@pytest.mark.parametrize(
    "column",
    ["spike_times", "spike_samples", "spike_amplitudes_uv", "waveform_mean", "snr", "drift_um"],
)
def test_verify_notices_each_changed_column(tmp_path, column):
    dossier = example_dossier()
    path = NWB.write(dossier, tmp_path / "out.nwb")
    with h5py.File(path, "r+") as file:
        data = file["units"][column]
        data[0] = data[0] + 1
    with pytest.raises(VerificationError):
        NWB.verify(dossier, path)


def test_verify_notices_changed_groups_trials_and_electrodes(tmp_path):
    dossier = example_dossier()
    for place in (
        "processing/nissl/classes_1/target",
        "intervals/trials/start_sample",
        "general/extracellular_ephys/electrodes/rel_x",
    ):
        path = NWB.write(dossier, tmp_path / "out.nwb", overwrite=True)
        with h5py.File(path, "r+") as file:
            file[place][0] += 1
        with pytest.raises(VerificationError):
            NWB.verify(dossier, path)


def foreign(path, *, electrodes=True, rate=30000.0, negative=False, resolution=None):
    """Somebody else's file: three units, the middle one without spikes."""
    nwbfile = pynwb.NWBFile("s", "id", datetime(2020, 1, 1, tzinfo=UTC), session_id="day1")
    nwbfile.subject = pynwb.file.Subject(subject_id="m7", description="d")
    if electrodes:
        device = nwbfile.create_device(name="d")
        group = nwbfile.create_electrode_group("g", "g", "CA1", device)
        for k in range(2):
            nwbfile.add_electrode(group=group, location="CA1", rel_x=0.0, rel_y=20.0 * k)
    nwbfile.add_unit_column("quality", "q")
    nwbfile.add_unit_column("snr", "s")
    trains = [np.asarray([1.0, 2.5, 4.0]), np.asarray([]), np.asarray([0.1, 0.2, 9.0])]
    if negative:
        trains[0] = trains[0] - 3
    for k, train in enumerate(trains):
        more = {"electrodes": [0, 1], "waveform_mean": np.full((5, 2), -1e-4)} if electrodes else {}
        nwbfile.add_unit(
            spike_times=train, quality=["good", "noise", "good"][k], snr=float(k), id=10 + k, **more
        )
    if resolution:
        nwbfile.units.resolution = resolution
    if electrodes and rate:
        region = nwbfile.create_electrode_table_region([0, 1], "all")
        nwbfile.add_acquisition(
            pynwb.ecephys.ElectricalSeries(
                name="raw", data=np.zeros((10, 2), np.int16), electrodes=region, rate=rate
            )
        )
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwbfile)
    return path


def test_units_of_others(tmp_path):
    path = foreign(tmp_path / "theirs.nwb")
    before = hash_tree(path)
    imported = NWB.read(path, reviewer="Ada")
    labels, classes = imported.labels
    assert labels.items.tolist() == [10, 12]
    assert labels.column("sample").tolist() == [3000, 6000, 30000, 75000, 120000, 270000]
    assert labels.column("item").tolist() == [12, 12, 10, 10, 10, 12]
    items = imported.items[0]
    assert items.items.tolist() == [10, 11, 12]
    assert items.table.column("n_spikes").to_pylist() == [3, 0, 3]
    assert items.table.column("snr").to_pylist() == [0, 1, 2]
    assert np.allclose(items.arrays["template"], -100)
    assert items.units["template"] == "uV"
    assert classes.provenance.author.name == "Ada"
    assert classes.column("target").tolist() == [10, 12]
    assert imported.subject == pseudonym("sub", "m7"), "no species is stated"
    assert imported.session == pseudonym("ses", "day1")
    assert hash_tree(path) == before
    unknown = NWB.read(path).labels[1].provenance.author
    assert unknown.kind == "model"
    assert "unknown author" in unknown.name


def test_units_of_others_without_electrodes_or_rate(tmp_path):
    path = foreign(tmp_path / "theirs.nwb", electrodes=False)
    imported = NWB.read(path)
    assert imported.facts["rate_hz"] == 1e6
    assert imported.labels[0].column("sample")[0] == 100_000
    assert any("microseconds" in s for s in imported.what_is_missing)
    assert NWB.read(path, rate_hz=20000.0).labels[0].column("sample")[0] == 2000
    fine = foreign(tmp_path / "fine.nwb", electrodes=False, resolution=1e-4)
    assert NWB.read(fine).facts["rate_hz"] == pytest.approx(10000)


def test_negative_times_of_others_keep_their_clock(tmp_path):
    path = foreign(tmp_path / "theirs.nwb", negative=True)
    imported = NWB.read(path)
    assert imported.labels[0].column("sample")[0] == 0
    again = NWB.write(imported.dossier(), tmp_path / "again.nwb")
    NWB.verify(imported.dossier(), again)
    with pynwb.NWBHDF5IO(str(again), "r") as io:
        assert np.allclose(io.read().units["spike_times"][0], [-2.0, -0.5, 1.0])


def test_files_without_units(tmp_path):
    nwbfile = pynwb.NWBFile("s", "id", datetime(2020, 1, 1, tzinfo=UTC))
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(nwbfile)
    assert not NWB.matches(tmp_path / "a.nwb")
    with pytest.raises(SourceNotFoundError):
        NWB.read(tmp_path / "a.nwb")
    (tmp_path / "b.nwb").write_bytes(b"not HDF5")
    assert not NWB.matches(tmp_path / "b.nwb")
    with pytest.raises(CorruptSourceError):
        NWB.read(tmp_path / "b.nwb")


@settings(max_examples=8, deadline=None, suppress_health_check=SHARED)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_units=st.integers(1, 4),
    n_spikes=st.integers(5, 30),
    ids=st.booleans(),
    confidence=st.booleans(),
    amplitude=st.sampled_from(["all", "none", "some"]),
)
def test_round_trip_of_any_spikes(tmp_path, seed, n_units, n_spikes, ids, confidence, amplitude):
    dossier = example_dossier(seed, n_units=n_units, n_spikes=n_spikes)
    rng = np.random.default_rng(seed)
    labels = dossier.labels
    columns = {n: labels.table.column(n) for n in ("sample", "item", "channel")}
    if ids:
        columns["id"] = rng.permutation(n_spikes) * 3
    if confidence:
        columns["confidence"] = rng.uniform(0, 1, n_spikes).astype(np.float32)
    if amplitude == "all":
        columns["amplitude"] = labels.table.column("amplitude")
    if amplitude == "some":
        values = [None, float("nan"), -5.5] * n_spikes
        columns["amplitude"] = values[:n_spikes]
    labels = type(labels).build(labels.kind, columns, labels.vocabulary, labels.provenance)
    dossier = replace(
        dossier, labels=labels, items=replace(dossier.items, of=labels.digest), classes=()
    )
    path = NWB.write(dossier, tmp_path / "out.nwb", overwrite=True)
    NWB.verify(dossier, path)
    back = NWB.read(path)
    assert back.labels == (labels,)
    assert back.items == (dossier.items,)


@settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
@given(data=st.data())
def test_round_trip_of_any_classes_and_events(tmp_path, data):
    whole = example_dossier(n_spikes=10)
    classes = tuple(data.draw(st.lists(label_sets(kinds=(Kind.CLASSES,)), max_size=2)))
    events = st.dictionaries(
        st.sampled_from(["trials", "Lick (left)", "lick left", "ripples"]),
        label_sets(kinds=(Kind.SPANS, Kind.EVENTS)),
        max_size=3,
    )
    dossier = replace(whole, classes=classes, events=data.draw(events))
    path = NWB.write(dossier, tmp_path / "out.nwb", overwrite=True)
    NWB.verify(dossier, path)
    back = NWB.read(path)
    assert back.labels == (whole.labels, *classes)
    assert dict(back.events) == dict(dossier.events)


@settings(max_examples=20, deadline=None, suppress_health_check=SHARED)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_yield_only_our_errors(tmp_path, seed):
    path = NWB.write(example_dossier(n_spikes=20), tmp_path / "out.nwb", overwrite=True)
    damage(path, np.random.default_rng(seed))
    if path.exists():
        NWB.matches(path)
    read_or_refuse(NWB, path)
