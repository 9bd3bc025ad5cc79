"""The formats of annotations, each held to the contract, and what sets each apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import ExportError
from nissl.io import EXPORTERS
from nissl.io.mark_format import MarkFormat, Sheet, seconds_text
from nissl.io.marks import Marks
from nissl.labels import Author
from nissl.testing.marks import (
    AnnotationContract,
    FreeSpansContract,
    dossier_of,
    night_dossier,
    span_dossier,
    spans_on_clocks,
)


def one_mark(onset_s, label="spindle"):
    stop = np.asarray([onset_s + 1.0])
    return Marks(np.asarray([onset_s]), stop, (label,), ((),), Author("person", "anna"))


@given(st.floats(-1e12, 1e12) | st.floats(-1e4, 1e4) | st.floats(-1e-3, 1e-3))
def test_seconds_are_written_in_the_fewest_digits_of_their_nanosecond(seconds):
    known = np.format_float_positional(np.round(seconds, 9) + 0.0, unique=True, trim="-")
    assert seconds_text(np.float64(seconds)) == known


class WritesOne:
    def with_onset(self, folder, onset_s):
        exporter = EXPORTERS.get(self.name)
        assert isinstance(exporter, MarkFormat)
        path = folder / f"one{exporter.suffix}"
        exporter.writer(Sheet((one_mark(onset_s),), end_s=100.0), path)
        return path


class TestEdfAnnotations(WritesOne, FreeSpansContract):
    name = "edf-annotations"
    holds_author = True


class TestMneFif(WritesOne, FreeSpansContract):
    name = "mne"
    holds_author = True
    large = 3000  # many rows: see test_mne_annotations


class TestWonambi(WritesOne, FreeSpansContract):
    name = "wonambi"
    holds_author = True


class TestLuna(WritesOne, FreeSpansContract):
    name = "luna"


class TestBids(FreeSpansContract):
    name = "bids"
    holds_author = holds_sets = True


class TestSzcore(AnnotationContract):
    name = "szcore"

    def example(self, seed=0, *, n_rows=200):
        return span_dossier(seed, n_rows=n_rows, classes=("seizure", "sz_foc_ia"))


class TestDreams(AnnotationContract):
    name = "dreams"
    holds_author = True

    def example(self, seed=0, *, n_rows=200):
        return span_dossier(seed, n_rows=n_rows, classes=("Spindles",), channels=False)


class TestHypnogram(AnnotationContract):
    name = "hypnogram"

    def example(self, seed=0, *, n_rows=200):
        return night_dossier(seed, n_rows=n_rows)


@pytest.mark.parametrize("name", ["edf-annotations", "mne", "wonambi", "luna", "bids", "hypnogram"])
def test_stages_come_back_as_stages(tmp_path, name):
    dossier = night_dossier(4)
    exporter = EXPORTERS.get(name)
    path = exporter.write(dossier, tmp_path / f"out{exporter.suffix}")
    exporter.verify(dossier, path)
    back = exporter.read(path, rate_hz=128.0).labels
    assert [s.provenance.task for s in back] == ["sleep"]
    assert back[0].vocabulary == dossier.labels.vocabulary
    for column in ("start", "stop", "label", "item"):
        np.testing.assert_array_equal(back[0].column(column), dossier.labels.column(column))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), name=st.sampled_from(["bids", "edf-annotations", "mne", "wonambi", "luna"]))
def test_any_spans_on_any_clock_come_back_or_are_refused(tmp_path, data, name):
    names = data.draw(st.tuples(TEXT, TEXT).filter(lambda pair: pair[0] != pair[1]))
    clock, labels = data.draw(spans_on_clocks(names))
    dossier = dossier_of(labels, clock)
    exporter = EXPORTERS.get(name)
    path = tmp_path / f"out{exporter.suffix}"
    try:
        written = exporter.write(dossier, path, overwrite=path.exists())
    except ExportError:
        return  # a name that the format cannot hold
    exporter.verify(dossier, written)


def test_two_authors_are_not_one_sheet():
    sheet = Sheet((one_mark(0.0), one_mark(1.0)))
    with pytest.raises(ExportError, match="one author"):
        _ = sheet.only
