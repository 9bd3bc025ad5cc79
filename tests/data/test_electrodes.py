"""Electrodes: names of real montages, aliases, references and contacts."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.data import ChannelTable
from nissl.data.electrode_names import TYPES
from nissl.data.electrodes import (
    electrodes,
    kind_by_names,
    stream_kind,
    unknown,
)
from nissl.errors import BadMetadataError


@pytest.mark.parametrize(
    ("written", "name", "type_", "reference"),
    [
        ("EEG Fpz-Cz", "Fpz", "eeg", "Cz"),
        ("EEG C3-REF", "C3", "eeg", "REF"),
        ("EEG EKG1-REF", "ECG", "ecg", "REF"),
        ("EEG LOC-REF", "E1", "eog", "REF"),
        ("T8-P8-0", "T8", "eeg", "P8"),
        ("C3_M2", "C3", "eeg", "M2"),
        ("F3_F4", "F3", "eeg", "F4"),
        ("EEG C3-CLE", "C3", "eeg", "LE"),
        ("EOG(L)", "E1", "eog", ""),
        ("SX1-SX2", "LAT", "emg", "LAT"),
        ("EKG_Off", "EKG_Off", "misc", ""),
        ("EEG(sec)", "EEG(sec)", "eeg", ""),
        ("EEG T3-LE", "T7", "eeg", "LE"),
        ("EEG Fp1-A1A2", "Fp1", "eeg", "LE"),
        ("FP1-AVG", "Fp1", "eeg", "AVG"),
        ("C3-A2", "C3", "eeg", "M2"),
        ("C3A2", "C3", "eeg", "M2"),
        ("C4:M1", "C4", "eeg", "M1"),
        ("A1", "M1", "eeg", ""),
        ("T6", "P8", "eeg", ""),
        ("Fc5.", "FC5", "eeg", ""),
        ("EEG 001", "EEG001", "eeg", ""),
        ("EOG horizontal", "HEOG", "eog", ""),
        ("ROC", "E2", "eog", ""),
        ("LOC-A2", "E1", "eog", "M2"),
        ("E1-M2", "E1", "eog", "M2"),
        ("EMG submental", "Chin", "emg", ""),
        ("Chin1-Chin2", "Chin", "emg", "Chin"),
        ("LAT", "LAT", "emg", ""),
        ("Leg/R", "RAT", "emg", ""),
        ("EKG", "ECG", "ecg", ""),
        ("Resp oro-nasal", "Flow", "resp", ""),
        ("ABDO RES", "Abdomen", "resp", ""),
        ("SaO2", "SpO2", "misc", ""),
        ("EDF Annotations", "annotations", "stim", ""),
        ("STI 014", "STI014", "stim", ""),
        ("MEG 0113", "MEG0113", "meg", ""),
        ("MLC11-1609", "MLC11", "meg", ""),
        ("LA1", "LA1", "seeg", ""),
        ("POL LA1", "LA1", "seeg", ""),
        ("LA1-LA2", "LA1", "seeg", "LA2"),
    ],
)
def test_names_of_real_files(written: str, name: str, type_: str, reference: str) -> None:
    (found,) = electrodes([written])
    assert (found.given, found.name, found.type, found.reference) == (
        written,
        name,
        type_,
        reference,
    )
    assert found.known


def test_every_position_of_the_systems_that_mne_knows() -> None:
    channels = pytest.importorskip("mne").channels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for montage in ("standard_1005", "biosemi64", "easycap-M1"):
            names = channels.make_standard_montage(montage).ch_names
            for found in electrodes(names):
                assert found.type == "eeg", found
                renamed = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "A1": "M1", "A2": "M2"}
                assert found.name == renamed.get(found.given, found.given)
        for montage in ("GSN-HydroCel-128", "biosemi128"):  # nets that number their electrodes
            names = channels.make_standard_montage(montage).ch_names
            assert {e.type for e in electrodes(names)} == {"eeg"}


def test_contacts_explain_each_other() -> None:
    shaft = [f"A{i}" for i in range(1, 13)]
    found = electrodes([*shaft, "C3", "LAT1", "LAT2", "LAT3", "LTG1", "LTG2", "LTG3", "POL B'1"])
    types = {e.given: (e.name, e.type) for e in found}
    assert types["A1"] == ("A1", "seeg")  # no earlobe, since A3 is no scalp name
    assert types["C3"] == ("C3", "eeg")
    assert types["LAT1"] == ("LAT1", "seeg")  # no leg, since there are three
    assert types["LTG2"] == ("LTG2", "ecog")
    assert electrodes([f"G{i}" for i in range(1, 65)])[0].type == "ecog"
    assert {e.type for e in electrodes([f"CH{i}" for i in range(40)])} == {"misc"}


def test_unknown_names_stay_and_are_listed() -> None:
    found = electrodes(["C3", "foo", "POL $A1", "DC01"])
    assert unknown(found) == ("foo", "POL $A1")
    assert found[1].name == "foo"
    assert found[1].type == "misc"
    assert unknown(found) == ("foo", "POL $A1")


def test_types_of_the_file_win_over_names() -> None:
    found = electrodes(["A1", "C3", "foo", "0113"], ["SEEG", "", "EMG", "mag"])
    assert [(e.name, e.type) for e in found] == [
        ("A1", "seeg"),
        ("C3", "eeg"),
        ("foo", "emg"),
        ("0113", "meg"),
    ]
    with pytest.raises(BadMetadataError):
        electrodes(["C3", "C4"], ["eeg"])


def test_a_stream_is_eeg_by_its_names_only_where_all_are_known() -> None:
    assert kind_by_names(["Fc5.", "C3..", "EOG"], "ephys") == "eeg"
    assert kind_by_names(["C3", "foo"], "ephys") == "ephys"
    assert kind_by_names(["0", "1"], "lfp") == "lfp"
    kinds = {("MEG 0111", "C3"): "meg", ("LA1",): "ieeg", ("EOG", "SaO2"): "exg", ("x",): "aux"}
    assert {names: stream_kind(electrodes(names)) for names in kinds} == kinds


@given(st.lists(st.text(max_size=20), max_size=40))
def test_any_names_are_given_back_as_they_are(names: list[str]) -> None:
    found = electrodes(names)
    assert [e.given for e in found] == names
    assert all(e.type in TYPES for e in found)


def test_a_channel_table_keeps_the_types_of_its_file() -> None:
    table = ChannelTable.plain(["a", "b"], types=["eeg", "eog"])
    assert table.take(["b"]).types == ("eog",)
    assert ChannelTable.from_json(table.to_json()).types == table.types
    assert "types" not in ChannelTable.plain(2).to_json()  # fingerprints of before stay
    with pytest.raises(BadMetadataError):
        ChannelTable.plain(2, types=["eeg"])
