"""The report of spans: a night of sleep, and events."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from nissl.annotators.sleep.statistics import statistics
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.report import render, span_plots
from nissl.tasks import Finding
from nissl.testing.nights import night_project
from nissl.testing.spans import span_project


class _Balanced(HTMLParser):
    """Checks that tags close, and that nothing is loaded."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "iframe", "img")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    project, _ = night_project(folder, np.random.default_rng(1), hours=1.0, expert=False)
    with project:
        yield replace(project.dossier("night", "sleep", draft=True), recording=None)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    with span_project(folder, np.random.default_rng(2), duration_s=240, n_spans=40) as project:
        yield project.dossier("night", "events", draft=True)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_night_has_its_picture_its_statistics_and_its_stages(night):
    html = render(night)
    _Balanced().feed(html)
    assert "Hypnogram of 120 epochs" in html
    assert "Confidence of 120 proposals" in html
    said, told = text_of(html), statistics(night.labels, 100.0)
    assert f"total sleep time {told['sleep_min']:.1f} min" in said
    assert f"sleep efficiency {told['efficiency_percent']:.1f} %" in said
    assert "120 epochs by sleep/simulated" in said
    for stage in ("W", "N1", "N2", "N3", "R"):
        n = int(np.sum(night.labels.column("label") == night.labels.vocabulary.code(stage)))
        assert f"{stage} {n}" in said
    assert "Polysomnographic signals (4 channels, 100 Hz, 60.0 min)" in said
    assert "The AASM Manual" in said
    assert "#010203" not in html, "pictures follow the theme"


def test_methods_cite_what_they_are_made_of(night):
    made = replace(night.labels.provenance, author=Author("model", "sleep/yasa", "0.8.1"))
    labels = replace(night.labels, provenance=made)
    assert "Vallat R, Walker MP (2021)" in render(replace(night, labels=labels))


def test_who_reviewed_is_named_beside_the_method(night):
    reviewed = replace(night.labels.provenance, author=Author("person", "Ann"))
    labels = replace(night.labels, provenance=reviewed)
    html = render(replace(night, labels=labels, proposed=night.labels.provenance, reviewed=0.25))
    said = text_of(html)
    assert "by sleep/simulated, reviewed by Ann" in said
    assert "Sleep stages were assigned by sleep/simulated" in said
    assert "25% of the epochs were reviewed" in said


def test_findings_of_epochs_stand_with_their_time(night):
    found = (Finding("x", "warning", "Too <b>loud</b>.", item=12), Finding("y", "note", "Night."))
    html = render(replace(night, findings=found))
    assert "Epoch 12 (0:06:00)" in html
    assert "Too &lt;b&gt;loud&lt;/b&gt;." in html
    assert "Night." in html
    assert "1 epoch with findings" in html


def test_without_numbers_and_probabilities_a_night_is_still_a_report(night):
    columns = {name: night.labels.column(name) for name in ("start", "stop", "label")}
    about = Provenance("sleep", "f" * 64, Author("person", "kb"), "data")
    bare = LabelSet.build(Kind.SPANS, columns, night.labels.vocabulary, about)
    html = render(replace(night, labels=bare, items=None, source={}, log={"x": 1}))
    assert "power of bands cannot be shown" in html
    rate = replace(night, labels=bare, items=None)
    html = render(rate)
    assert "Hypnogram of 120 epochs" in html
    assert "Confidence of" not in html
    assert "Sleep stages were assigned by kb" in html


def test_none_scored_is_a_report_too(night, events):
    for dossier in (night, events):
        empty = {"start": [], "stop": []}
        labels = dossier.labels
        none = LabelSet.build(Kind.SPANS, empty, labels.vocabulary, labels.provenance)
        assert "to show." in render(replace(dossier, labels=none, items=None))


def test_events_are_counted_by_class_and_hour_and_drawn_in_time(events):
    html = render(events)
    _Balanced().feed(html)
    said = text_of(html)
    n = events.labels.n_rows
    assert f"{n} events of 3 classes in time" in html
    assert "Events in each of 1 hours" in html
    assert f"Durations of {n} events" in html
    spindles = events.labels.column("label") == events.labels.vocabulary.code("spindle")
    per_hour = spindles.sum() / (240 / 3600)
    assert f"spindle {spindles.sum()} {per_hour:.2f}" in said
    assert "Hypnogram" not in html
    assert "AASM" not in html
    assert "Events were marked by events/threshold" in said


def test_events_on_channels_are_counted_there(events):
    start = np.arange(6) * 200
    channel = np.array([1, 1, 1, 0, 2, 2], np.int32)
    columns = {"start": start, "stop": start + 90, "channel": channel}
    labels = LabelSet.build(Kind.SPANS, columns, ("hfo",), events.labels.provenance)
    html = render(replace(events, labels=labels))
    assert "Events on 3 channels" in html
    assert "Fp1" in html


def test_stages_are_ordered_by_depth_and_unknown_has_no_place():
    assert span_plots.depth_order(("W", "N1", "N2", "N3", "R", "unknown")) == [0, 4, 1, 2, 3]
    assert span_plots.depth_order(("W", "NREM", "REM", "unknown")) == [0, 2, 1]
    assert span_plots.depth_order(("run", "rest")) == [0, 1]


def test_same_night_same_text(night):
    assert render(night) == render(night)
