"""Finding the format of what is at a path, and moving work from one format to another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nissl.errors import BadArgumentError, SourceNotFoundError, UnknownFormatError
from nissl.io import EXPORTERS, IMPORTERS, find_importer, import_labels
from nissl.io.contracts import Exporter, Imported, Importer
from nissl.io.registries import REGIONS
from nissl.testing.exporters import example_dossier
from nissl.testing.marks import CHANNELS, RATE_HZ, rows_of, span_dossier

NAMES = ["alf", "csv", "nwb", "parquet", "phy", "spikeinterface"]
ANNOTATIONS = ["bids", "dreams", "edf-annotations", "hypnogram", "luna", "mne", "szcore", "wonambi"]
CELLS = ["imagej", "suite2p"]
TRACKS = ["ctc", "targettrack"]
FREE = ["bids", "edf-annotations", "luna", "mne", "wonambi"]


def test_every_format_goes_both_ways():
    every = sorted(NAMES + ANNOTATIONS + CELLS + TRACKS)
    assert sorted(EXPORTERS) == every
    assert sorted(IMPORTERS) == sorted([*every, *REGIONS, "mask-stack", "track-table"])
    for name in every:
        assert isinstance(EXPORTERS.get(name), Exporter)
        assert isinstance(IMPORTERS.get(name), Importer)
        assert EXPORTERS.get(name).name == name
    suffixes = [EXPORTERS.get(name).suffix for name in every]
    assert len(set(suffixes)) == len(suffixes)


def test_what_is_not_known(tmp_path):
    assert find_importer(tmp_path) is None
    assert find_importer(tmp_path / "nothing") is None
    with pytest.raises(UnknownFormatError):
        import_labels(tmp_path)
    with pytest.raises(SourceNotFoundError):
        import_labels(tmp_path / "nothing")
    (tmp_path / "a.bin").write_bytes(b"\0" * 100)
    assert find_importer(tmp_path / "a.bin") is None
    with pytest.raises(BadArgumentError, match="nwb"):
        EXPORTERS.get("nwbb")


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(FREE, 2)))
def test_annotations_survive_any_two_formats(tmp_path, first, second):
    dossier = span_dossier(n_rows=40)
    a = EXPORTERS.get(first).write(dossier, tmp_path / f"a{EXPORTERS.get(first).suffix}")
    via = IMPORTERS.get(first).read(a, rate_hz=RATE_HZ).dossier()
    b = EXPORTERS.get(second).write(via, tmp_path / f"b{EXPORTERS.get(second).suffix}")
    EXPORTERS.get(second).verify(via, b)
    back = IMPORTERS.get(second).read(b, rate_hz=RATE_HZ)
    ids = (back.facts.get("channels") or {}).get("ids", CHANNELS)
    assert find_importer(b).name == second
    assert rows_of(back.labels, ids) == rows_of([dossier.labels])


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(NAMES, 2)))
def test_labels_survive_any_two_formats(tmp_path, first, second):
    dossier = example_dossier()
    a = EXPORTERS.get(first).write(dossier, tmp_path / f"a{EXPORTERS.get(first).suffix}")
    via = import_labels(a).dossier()
    b = EXPORTERS.get(second).write(via, tmp_path / f"b{EXPORTERS.get(second).suffix}")
    EXPORTERS.get(second).verify(via, b)
    back = import_labels(b)
    assert back.format == second
    assert back.labels[0] == dossier.labels
    assert set(back.labels[1:]) == set(dossier.classes)
    assert back.items == (dossier.items,)
    assert dict(back.events) == dict(dossier.events)


def test_a_dossier_of_nothing_is_refused():
    with pytest.raises(BadArgumentError):
        Imported(()).dossier()


def test_reviewed_counts_people_only():
    whole = example_dossier()
    one = Imported((whole.labels, whole.classes[0]))
    assert one.dossier().reviewed == 0
    both = Imported((whole.labels, *whole.classes))
    assert both.dossier().reviewed == pytest.approx(0.75)
    assert np.all(both.dossier().labels.items == whole.labels.items)
