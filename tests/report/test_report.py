"""The report says what is known, says what is missing, and stands alone in one file."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from nissl.errors import ReadOnlyError, StoreError
from nissl.labels import Kind, LabelSet
from nissl.report import recording_plots, render, write_report
from nissl.tasks import Finding
from nissl.testing.dossiers import spike_dossier


class _Tags(HTMLParser):
    """Collects tags, their attributes, and checks that they close."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def dossier():
    return spike_dossier(n_units=3, n_channels=6)


@pytest.fixture(scope="module")
def html(dossier):
    return render(dossier)


def test_html_is_well_formed_and_needs_nothing_from_outside(html):
    parser = _Tags()
    parser.feed(html)
    assert parser.open == []
    for tag, attributes in parser.seen:
        assert tag not in ("script", "link", "iframe", "img"), tag
        source = attributes.get("src") or attributes.get("href") or ""
        assert source.startswith("#") or tag == "image" or not source, (tag, source)
    assert "url(http" not in html


def test_every_unit_has_a_card_with_pictures_metrics_and_findings(html, dossier):
    cards = re.findall(r'<article class="card" id="unit-(\d+)">(.*?)</article>', html, flags=re.S)
    assert [int(number) for number, _ in cards] == dossier.items.items.tolist()
    for _, card in cards:
        assert card.count("<svg") == 3
        assert "SNR" in card
    assert "refractory time more often" in cards[0][1]
    assert "Nothing doubtful" in cards[1][1]
    assert f"{dossier.items.table.column('n_spikes')[2].as_py()}" in cards[2][1]


def test_pictures_follow_the_theme_and_speak_to_screen_readers(html):
    assert "prefers-color-scheme: dark" in html
    assert "#010203" not in html
    assert "var(--ink)" in html
    figures = re.findall(r"<svg[^>]*>", html)
    assert figures
    assert all('role="img"' in figure and 'aria-label="' in figure for figure in figures)


def test_a_draft_is_called_one_and_nothing_is_called_confident(html):
    assert "draft, no person has confirmed it" in html
    assert "0 % reviewed" in html
    assert "Confidence is not calibrated" in html


def test_methods_name_the_method_its_versions_and_sources(html):
    assert "spikes/tridesclous2" in html
    assert "spikeinterface 0.105.3" in html
    assert "eLife 9:e61834" in html
    assert "Bandpass 300-6000 Hz" in html


def test_noise_of_every_channel_is_shown(html):
    assert "Noise level of each channel" in html


def test_same_dossier_same_text(dossier, html):
    assert render(dossier) == html


def test_rates_around_events_stand_in_every_card(dossier):
    onsets = np.arange(20_000, 90_000, 7_000)
    provenance = replace(dossier.labels.provenance, task="trials")
    events = LabelSet.build(Kind.EVENTS, {"sample": onsets}, ("cue",), provenance)
    few = LabelSet.build(Kind.EVENTS, {"sample": onsets[:2]}, ("rare",), provenance)
    html = render(replace(dossier, events={"cue": events, "rare": few}))
    assert html.count("Firing rate around cue") == 3
    assert "rare" not in html


def test_a_stable_recording_looks_stable():
    still = recording_plots.drift({"time_s": [0, 1, 2], "displacement_um": [0.0, 0.3, -0.3]})
    moving = recording_plots.drift({"time_s": [0, 1, 2], "displacement_um": [0.0, 30.0, -3.0]})
    assert re.findall(r">(−?\d+)</text>", still)[-1] == "10"
    assert int(re.findall(r">(−?\d+)</text>", moving)[-1]) >= 20


def test_markup_in_names_is_text(dossier):
    evil = "<script>alert(1)</script>"
    facts = dict(dossier.source) | {"name": evil, "subject": {"id": evil}}
    finding = Finding("x", "warning", evil, item=0)
    html = render(replace(dossier, source=facts, findings=(finding,)))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_without_raw_data_and_facts_it_says_what_is_missing(dossier):
    html = render(replace(dossier, recording=None, items=None))
    assert "raw recording is not available" in html
    assert "no table of unit facts" in html
    assert "<article" not in html


def test_no_spikes_at_all_is_a_report_too():
    full = spike_dossier(n_units=1)
    empty = LabelSet.build(
        full.labels.kind, {"sample": []}, full.labels.vocabulary, full.labels.provenance
    )
    html = render(replace(full, labels=empty, items=None))
    assert "There are no units to show" in html


def test_writing_replaces_whole_files_and_leaves_nothing_half_written(dossier, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_report(dossier, path) == path
    assert path.read_text().startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises((StoreError, ReadOnlyError)):
        write_report(dossier, tmp_path / "missing" / "report.html")
