"""Answers to stimuli: from derived traces and a table or spans to labels, tables and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.cli import app
from nissl.clock import Clock, Segment
from nissl.data import ChannelTable, Signal
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    CorruptSourceError,
    MissingInputError,
    SourceNotFoundError,
)
from nissl.project.deriving import keep_derived
from nissl.project.reviewing import open_room

RATE_HZ = 5.0
ONSETS = np.array([15.0, 31, 44, 62, 75, 90, 108, 121, 137, 150])
NAMES = ["odour", "buffer"] * 5


def traces(kinds: list[str]) -> np.ndarray:
    """Six neurons: 1 and 2 answer to odour, 3 to both and ever less, the others to nothing."""
    rng = np.random.default_rng(0)
    x = np.zeros((850, 6))
    for t in range(1, len(x)):
        x[t] = 0.85 * x[t - 1] + 0.05 * rng.standard_normal(6)
    for k, (onset, name) in enumerate(zip(ONSETS, kinds, strict=True)):
        frames = slice(round(onset * RATE_HZ), round((onset + 4) * RATE_HZ))
        x[frames, :2] += (name == "odour") * np.array([0.8, -0.8])
        x[frames, 2] += 1.2 - 0.1 * k
    return x


@pytest.fixture
def study(tmp_path: Path) -> SimpleNamespace:
    np.savez(tmp_path / "movie.npz", data=np.zeros((850, 2), np.float32), rate_hz=RATE_HZ)
    table = tmp_path / "stimuli.csv"
    rows = [f"{o},4,{n}" for o, n in zip(ONSETS, NAMES, strict=True)]
    table.write_text("onset,duration,stimulus\n" + "\n".join(rows))
    project = nissl.open(tmp_path / "study")
    movie = project.add(tmp_path / "movie.npz")
    ids = [str(k) for k in range(1, 7)]
    signal = Signal.from_array(
        traces(NAMES).astype(np.float32),
        RATE_HZ,
        name="fluorescence",
        channels=ChannelTable.plain(ids, kind="fluorescence"),
    )
    signal = replace(signal, metadata={"unit": "dF/F, a fraction"})
    name = keep_derived(project.store, movie, signal, {"source": movie.fingerprint})
    return SimpleNamespace(project=project, name=name, table=table, path=tmp_path / "study")


def test_a_table_of_stimuli_gives_effects_comparisons_and_adaptation(study):
    found = study.project.responses(study.name, study.table, permutations=999)
    rows = found.table.to_pylist()
    told = {(r["neuron"], r["stimulus"]) for r in rows if r["measure"] == "on" and r["q"] <= 0.05}
    assert told == {(1, "odour"), (2, "odour"), (3, "odour"), (3, "buffer")}
    apart = [r for r in rows if r["measure"] == "difference"]
    assert {(r["stimulus"], r["against"]) for r in apart} == {("buffer", "odour")}
    assert {r["neuron"] for r in apart if r["q"] <= 0.05} == {1, 2}
    one = next(r for r in apart if r["neuron"] == 1)
    assert one["effect"] == pytest.approx(-0.8, abs=0.15)
    waning = [r for r in rows if r["measure"] == "adaptation" and r["neuron"] == 3]
    assert all(r["effect"] == pytest.approx(-0.2, abs=0.06) for r in waning)
    assert all(0 < r["se"] < 0.1 for r in waning)
    names = found.labels.vocabulary.names
    said = {
        (int(t), s): names[c]
        for t, c, s in zip(
            found.labels.column("target"),
            found.labels.column("label"),
            found.items.table.column("stimulus").to_pylist(),
            strict=True,
        )
    }
    assert said[(1, "odour")] == "rises"
    assert said[(2, "odour")] == "falls"
    assert said[(6, "odour")] == "no answer told"
    desks = open_room(study.project.store).desks
    assert not desks  # what was measured is shown, not reviewed
    again = study.project.responses(study.name, study.table, permutations=999)
    assert again.labels.digest == found.labels.digest
    assert again.items.digest == found.items.digest


def test_files_say_what_they_were_made_from_and_are_shown(study):
    said = CliRunner().invoke(
        app,
        ["responses", str(study.path), study.name, "--stimuli", str(study.table), "--json"],
    )
    assert said.exit_code == 0, said.output
    folder = study.path / "reports" / f"{study.name}.responses"
    assert {p.name for p in folder.iterdir()} >= {
        "responses.csv",
        "responses.parquet",
        "facts.json",
        "neurons_in_time.png",
        "averages.svg",
        "adaptation.png",
        "compared.svg",
    }
    assert (folder / "averages.svg").read_text().count("var(--") == 0
    table = parquet.read_table(folder / "responses.parquet")
    assert table.num_rows == 6 * (2 * 3 + 1) == len(json.loads(said.stdout))
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["provenance"]["parameters"]["stimuli"] == "stimuli.csv"
    assert len(facts["provenance"]["made_from"]) == 1
    assert facts["provenance"]["seed"] == 0
    page = (study.path / "reports" / f"{study.name}.responses.html").read_text()
    assert "Answers" in page
    assert page.count("<svg") == 4
    assert str(study.path.parent) not in page


def test_spans_of_the_recording_that_traces_were_made_from_are_stimuli_too(study, tmp_path):
    shown = tmp_path / "shown.csv"
    shown.write_text(study.table.read_text().replace("stimulus", "trial_type"))
    study.project.add_labels("movie", shown, name="shown")
    by_set = study.project.responses(study.name, "shown", permutations=99)
    assert by_set.items.context["stimuli"] == ["buffer", "odour"]
    by_class = study.project.responses(study.name, "odour", permutations=99)
    assert by_class.items.context["stimuli"] == ["odour"]
    assert by_class.labels.provenance.made_from == by_set.labels.provenance.made_from
    with pytest.raises(BadArgumentError, match="shown"):
        study.project.responses(study.name, "light")


def test_bad_stimuli_are_told(study, tmp_path):
    def give(text: str, **options):
        path = tmp_path / "bad.csv"
        path.write_text(text)
        return study.project.responses(study.name, path, permutations=99, **options)

    head = "onset,duration,stimulus\n"
    with pytest.raises(BadLabelsError, match="a stimulus at least"):
        give(head)
    with pytest.raises(CorruptSourceError):
        give("")
    with pytest.raises(SourceNotFoundError):
        study.project.responses(study.name, tmp_path / "none.csv")
    with pytest.raises(MissingInputError, match="1 of 'odour'"):
        give(head + "30,4,odour\n")
    with pytest.raises(BadLabelsError, match="3 of 4 at other times, the first from 900"):
        give(head + "30,4,a\n900,4,a\n1000,4,a\n1100,4,a\n")
    with pytest.raises(BadLabelsError, match="none of 2"):
        give(head + "900,4,a\n1000,4,a\n", outside="drop")
    with pytest.raises(BadLabelsError, match="without a duration"):
        give("onset\n30\n60\n90\n")
    with pytest.raises(BadLabelsError, match="duration"):
        give(head + "30,-1,a\n")
    few = give(head + "".join(f"{o},4,a\n" for o in (1, 30, 60, 90)) + "120,4,b\n164,4,c\n")
    assert few.items.context["stimuli"] == ["a"]
    checks = [f.check for f in few.findings]
    assert checks == ["cut_trials", "few_trials", "cut_trials", "few_trials", "few_permutations"]
    told = give("onset\n30\n60\n90\n2000\n", duration_s=0.01, outside="drop")
    assert told.findings[0].check == "outside"
    assert told.items.context["duration_s"] == [0.2]  # a flash takes the frame it came in


def test_options_outside_their_values_and_other_sources_are_told(study):
    for options in ({"before_s": 0.0}, {"permutations": 5}, {"q": 1.5}, {"outside": "keep"}):
        with pytest.raises(BadArgumentError):
            study.project.responses(study.name, study.table, **options)
    with pytest.raises(BadArgumentError, match=study.name):
        study.project.responses("movie", study.table)
    with pytest.raises(BadArgumentError, match="channel each"):
        study.project.responses(study.name, study.table, stream="lf")


def test_permutations_suffice_for_the_neurons_or_that_is_told(study):
    found = study.project.responses(study.name, study.table, q=0.001)
    assert found.items.context["permutations"] == 12_000
    few = study.project.responses(study.name, study.table, permutations=99)
    assert [f.check for f in few.findings] == ["few_permutations"]


def test_trials_across_a_gap_are_left_out(study):
    values = traces(NAMES).astype(np.float32)
    clock = Clock((Segment(0, 460, 0.0, RATE_HZ), Segment(460, 850, 95.0, RATE_HZ)))
    signal = Signal.from_array(
        values,
        RATE_HZ,
        name="fluorescence",
        channels=ChannelTable.plain([str(k) for k in range(6)], kind="fluorescence"),
        clock=clock,
    )
    movie = study.project.source("movie")
    name = keep_derived(study.project.store, movie, signal, {"source": movie.fingerprint})
    found = study.project.responses(name, study.table, permutations=99, outside="drop")
    assert any(f.check == "cut_trials" and "gap" in f.sentence for f in found.findings)


def test_a_neuron_that_was_hardly_seen_has_no_answer(study):
    values = traces(NAMES).astype(np.float32)
    values[100:, 5] = np.nan
    values[:, 4] = np.nan
    signal = Signal.from_array(
        values,
        RATE_HZ,
        name="fluorescence",
        channels=ChannelTable.plain([str(k) for k in range(6)], kind="fluorescence"),
    )
    movie = study.project.source("movie")
    name = keep_derived(study.project.store, movie, signal, {"source": movie.fingerprint})
    found = study.project.responses(name, study.table, permutations=99)
    rows = [r for r in found.table.to_pylist() if r["neuron"] in (4, 5)]
    assert all(r["p"] is None or np.isnan(r["p"]) for r in rows)
    assert [f.sentence[-5:] for f in found.findings if f.check == "seldom_seen"] == ["4, 5."]
