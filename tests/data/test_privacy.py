"""Nothing that identifies a person leaves a header."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.data import Session, Subject
from nissl.data.privacy import is_human, protect, pseudonym
from nissl.data.read import read
from nissl.data.spikeinterface import signal_to_json
from nissl.testing.files import (
    write_blackrock_nev,
    write_blackrock_nsx,
    write_intan_rhd,
    write_nidq,
    write_nwb,
    write_openephys,
    write_spikeglx,
)

PLANTED = ("Mustermann", "1961-02-03", "MRN0042")
ONE = np.arange(512, dtype=np.int16).reshape(128, 4)


def everything(recording):
    """All that is serialised or shown of a recording, but for its path."""
    signals = [
        [signal.name, signal.channels.to_json(), signal.clock.to_json(), dict(signal.metadata)]
        for signal in recording.values()
    ]
    return json.dumps(
        [
            vars(recording.subject),
            vars(recording.session),
            recording.options,
            recording.fingerprint,
            repr(recording),
            signals,
            [line.name for line in recording.lines],
        ]
    )


def patient(folder):
    subject = {
        "subject_id": "MRN0042",
        "species": "Homo sapiens",
        "sex": "M",
        "age": "P63Y",
        "description": "Erika Mustermann",
        "genotype": "Mustermann",
    }
    file = {
        "experimenter": ["Mustermann, E."],
        "notes": "born 1961-02-03",
        "session_id": "Mustermann-1961-02-03",
        "identifier": "MRN0042",
        "lab": "Mustermann lab",
    }
    return write_nwb(folder / "x.nwb", ONE, subject=subject, file=file)


def test_a_patient_in_nwb(tmp_path):
    pytest.importorskip("pynwb")
    recording = read(patient(tmp_path))
    said = everything(recording)
    assert not [word for word in PLANTED if word in said]
    assert recording.subject.id == pseudonym("sub", "MRN0042")
    assert re.fullmatch(r"sub-[0-9a-f]{8}", recording.subject.id)
    assert recording.session.id.startswith("ses-")
    assert (recording.subject.sex, recording.subject.age) == ("M", "P63Y")


def test_kept_identifiers_are_explicit_and_recorded(tmp_path):
    pytest.importorskip("pynwb")
    recording = read(patient(tmp_path), keep_identifiers=True)
    assert recording.subject.id == "MRN0042"
    assert recording.options["keep_identifiers"] is True
    said = everything(recording).replace(recording.session.id, "")
    assert "Erika" not in said


def test_what_is_given_is_used_as_it_is(tmp_path):
    pytest.importorskip("pynwb")
    recording = read(patient(tmp_path), subject="P01", session="night1")
    assert (recording.subject.id, recording.session.id) == ("P01", "night1")


def test_headers_of_the_other_formats(tmp_path):
    pytest.importorskip("spikeinterface")
    name = "Mustermann 1961-02-03 MRN0042"
    write_spikeglx(tmp_path / "a", ONE, userNotes=name, fileName=f"C:/{name}/x.bin")
    write_nidq(tmp_path / "b", ONE, userNotes=name)
    write_openephys(tmp_path / "c", ONE, machine=name)
    (tmp_path / "d").mkdir()
    write_intan_rhd(tmp_path / "d" / "x.rhd", ONE.astype(np.uint16), notes=(name, name, name))
    (tmp_path / "e").mkdir()
    write_blackrock_nsx(tmp_path / "e" / "x.ns5", [(0, ONE)], comment=name)
    write_blackrock_nev(tmp_path / "e" / "x.nev", [(1, 1)], comment=name)
    for folder in "abcde":
        recording = read(tmp_path / folder)
        said = everything(recording) + json.dumps([signal_to_json(recording[s]) for s in recording])
        assert not [word for word in PLANTED if word in said]
        assert recording.subject.id == "unknown"


@given(st.text(min_size=1), st.text(min_size=1))
def test_protection_is_stable_and_done_once(subject_id, session_id):
    if "unknown" in (subject_id, session_id):
        return
    before = Subject(id=subject_id, species="Homo sapiens"), Session(id=session_id)
    once = protect(*before)
    assert once == protect(*before)
    assert once[0].id == pseudonym("sub", subject_id)
    assert protect(*before, keep_identifiers=True)[1].id == session_id


def test_animals_keep_their_names_and_unknown_species_do_not():
    mouse = Subject(id="M-17", species="Mus musculus", genotype="PV-Cre", age="P90D")
    assert protect(mouse, Session(id="d1")) == (mouse, Session(id="d1"))
    unknown = protect(Subject(id="John Doe"), Session(id="d1"))
    assert (unknown[0].id[:4], unknown[1].id[:4]) == ("sub-", "ses-")
    assert protect(Subject(), Session()) == (Subject(), Session())


def test_free_text_in_narrow_fields_is_dropped():
    odd = Subject(id="r1", species="Rattus norvegicus", sex="Erika", age="born 1961-02-03")
    assert protect(odd, Session())[0] == Subject(id="r1", species="Rattus norvegicus")


@pytest.mark.parametrize("species", ["Homo sapiens", "human", None, " ", "NCBITaxon_9606"])
def test_who_is_human(species):
    assert is_human(species)
    assert not is_human("Macaca mulatta")
