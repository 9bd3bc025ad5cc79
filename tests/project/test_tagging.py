"""Ground truth in a project: light, drugs, tables, Purkinje cells; from Python and by command."""

import json
import uuid

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from nissl.annotators.celltypes.pharmacology import Change
from nissl.annotators.celltypes.simulate_tagging import simulate_purkinje, simulate_session
from nissl.cli import app
from nissl.clock import Clock
from nissl.data import Line
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    MissingInputError,
    NisslError,
    SourceNotFoundError,
)
from nissl.io.lines import line_events, line_spans
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.project import open_project
from nissl.project.adding import keep

SESSION = simulate_session(3, answers=("direct", "none", "network", "artefact"))


def spikes_of(source, sample, item, stream):
    columns = {"sample": sample, "item": item, "channel": item.astype(np.int32)}
    about = Provenance("spikes", source.fingerprint, Author("model", "spikes/true", "1"), stream)
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), about)


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A project with a recording, its true spikes and the line of the light."""
    folder = tmp_path_factory.mktemp("light")
    np.savez(folder / "night.npz", data=SESSION.samples, rate_hz=SESSION.rate_hz)
    study = folder / "study"
    with open_project(study) as project:
        source = project.add(folder / "night.npz", subject="M1")
        stream = source.stream()
        clock = source.recording[stream].clock
        keep(project.store, spikes_of(source, SESSION.sample, SESSION.item, stream))
        rising = clock.to_samples(SESSION.onset_s)
        line = Line("laser", rising, rising + round(0.005 * SESSION.rate_hz), clock)
        where = {"source": source.fingerprint, "stream": stream}
        for labels in (line_events([line], **where), line_spans([line], **where)):
            keep(project.store, labels)
    return study


@pytest.fixture
def project(studied):
    with open_project(studied, create=False) as opened:
        yield opened


def run(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def test_light_tags_the_driven_unit_alone_and_keeps_why(project):
    pytest.importorskip("spikeinterface", reason='needs pip install "nissl[ephys]"')
    found = project.tag("night", pulses="laser", name="PV")
    verdicts = {row["unit"]: row for row in found.tested}
    assert found.labels.column("target").tolist() == [0], verdicts
    assert verdicts[0]["waveform_r"] > 0.95
    assert verdicts[1]["verdict"] == "not responsive"
    assert "does not make it another class" in verdicts[1]["sentence"]
    assert verdicts[2]["verdict"] != "tagged"
    assert verdicts[3]["verdict"] == "doubtful"
    assert "artefact" in verdicts[3]["sentence"]
    made = found.labels.provenance
    assert (made.task, made.author.name) == ("celltypes", "celltypes/optotagging")
    assert made.parameters["criteria"]["alpha"] == 0.01
    assert made.targets == (project.labels("night", "spikes").digest,)
    assert len(made.made_from) == 2
    assert np.isnan(found.labels.column("confidence")).all()
    stored = project.store.get_labels(found.labels.digest)
    assert stored == found.labels
    said = project.store.findings(found.labels.digest)
    assert any(f["item"] == 3 and "artefact" in f["sentence"] for f in said)
    assert found.items.arrays["light_waveform"].shape[:2] == (1, 2)


def test_a_table_of_onsets_gives_what_the_line_gives(project, tmp_path):
    path = tmp_path / "light.csv"
    rows = "\n".join(f"{t:.6f},0.005" for t in SESSION.onset_s)
    path.write_text(f"onset,duration\n{rows}\n")
    bare = tmp_path / "bare.csv"
    bare.write_text("onset\n" + "\n".join(f"{t:.6f}" for t in SESSION.onset_s) + "\n")
    for each in (path, bare):
        found = project.tag("night", pulses=each, name="PV")
        assert found.labels.column("target").tolist() == [0]
        assert set(found.labels.provenance.made_from) <= {
            row.digest for row in project.store.label_sets()
        }


def test_figures_are_written(project, tmp_path):
    project.tag("night", pulses="laser", name="PV", plots=tmp_path / "figures")
    (picture,) = (tmp_path / "figures").iterdir()
    assert picture.name == "unit_0.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_the_command_prints_a_table_and_json(studied, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run("tag", studied, "night", "--pulses", "laser", "--as", "PV")
    assert result.exit_code == 0, result.output
    assert "tagged" in result.stdout
    assert "doubtful" in result.stdout
    rows = json.loads(
        run("tag", studied, "night", "--pulses", "laser", "--as", "PV", "--json").stdout
    )
    assert [row["verdict"] == "tagged" for row in rows] == [True, False, False, False]
    assert rows[0]["latency_ms"] == pytest.approx(3.0, abs=0.4)


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        (["--pulses", "lazer", "--as", "PV"], BadArgumentError, "laser"),
        (["--pulses", "{tmp}/no.csv", "--as", "PV"], SourceNotFoundError, "no.csv"),
        (["--pulses", "laser"], BadArgumentError, "--as PV"),
        (["--pulses", "laser", "--as", "unknown"], BadArgumentError, "--as PV"),
        (["--as", "PV"], BadArgumentError, "one of --pulses"),
        (["--before", "laser", "--as", "PV"], BadArgumentError, "--after"),
        (["--pulses", "laser", "--as", "PV", "--within-ms", "900"], NisslError, "apart"),
        (["--table", "{tmp}/units.csv", "--by", "ana"], BadLabelsError, "do not exist"),
        (["--table", "{tmp}/known.csv"], BadArgumentError, "--by"),
        (["--pulses", "{tmp}/late.csv", "--as", "PV"], BadLabelsError, "recorded"),
        (["--pulses", "{tmp}/one.csv", "--as", "PV"], NisslError, "pulses"),
        (["--pulses", "{tmp}/empty.csv", "--as", "PV"], NisslError, "pulses"),
        (["--pulses", "{tmp}/twice.csv", "--as", "PV"], NisslError, "overlap"),
    ],
)
def test_bad_input_is_an_error_and_keeps_nothing(studied, tmp_path, words, error, match):
    (tmp_path / "units.csv").write_text("unit,class\n0,PV\n77,PV\n")
    (tmp_path / "known.csv").write_text("unit,class\n0,PV\n")
    (tmp_path / "late.csv").write_text("onset,duration\n1e5,0.005\n")
    (tmp_path / "one.csv").write_text("onset,duration\n3.0,0.005\n")
    (tmp_path / "empty.csv").write_text("onset,duration\n")
    rows = "\n".join(f"{t},0.3" for t in np.arange(1, 20, 0.25))
    (tmp_path / "twice.csv").write_text(f"onset,duration\n{rows}\n")
    with open_project(studied, create=False) as project:
        before = {r.digest for r in project.store.label_sets(task="celltypes")}
    result = run("tag", studied, "night", *(w.format(tmp=tmp_path) for w in words))
    assert isinstance(result.exception, error), result.exception
    assert match in str(result.exception)
    with open_project(studied, create=False) as project:
        assert {r.digest for r in project.store.label_sets(task="celltypes")} == before


def test_a_source_without_spikes_names_the_command(tmp_path):
    np.savez(tmp_path / "raw.npz", data=SESSION.samples[:40_000], rate_hz=SESSION.rate_hz)
    with open_project(tmp_path / "study") as project:
        project.add(tmp_path / "raw.npz")
        with pytest.raises(MissingInputError, match="annotate"):
            project.tag("raw", pulses="laser", name="PV")


def test_a_table_keeps_the_person_and_the_evidence(project, tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("unit,class,evidence\n1,SST,juxtacellular recording\n0,PV,\n")
    found = project.tag_by_table("night", path, by="ana")
    assert found.labels.provenance.author == Author("person", "ana")
    assert found.labels.vocabulary.names == ("PV", "SST")
    evidence = found.labels.provenance.parameters["evidence"]
    assert evidence == {"0": "expert", "1": "juxtacellular recording"}
    assert found.items.table.column("evidence").to_pylist() == ["expert", evidence["1"]]


@pytest.fixture
def cerebellum(tmp_path):
    """Imported spikes of a Purkinje cell and of a strange simple-spike unit; no raw data."""
    rng = np.random.default_rng(8)
    cell = simulate_purkinje(rng, 200.0)
    other = simulate_purkinje(rng, 200.0, linked=False)
    trains = [cell.complex_s, cell.simple_s, other.simple_s]
    sample = np.concatenate([np.rint(t * 20_000).astype(np.int64) for t in trains])
    item = np.repeat([4, 7, 9], [t.size for t in trains])
    order = np.lexsort((item, sample))
    np.savez(tmp_path / "c.npz", data=np.zeros((4_000_000, 1), np.int16), rate_hz=20_000.0)
    with open_project(tmp_path / "study") as project:
        source = project.add(tmp_path / "c.npz")
        spikes = spikes_of(source, sample[order], item[order], source.stream())
        table = pa.table({"item": [4, 7, 9], "x_um": [0.0] * 3, "y_um": [0.0, 40.0, 60.0]})
        items = ItemTable(spikes.digest, table, {"x_um": "um", "y_um": "um"})
        keep(project.store, spikes, items=project.store.put_items(items))
        yield project


def test_purkinje_units_are_linked_not_merged(cerebellum):
    found = cerebellum.link_purkinje("c")
    assert found.labels.kind is Kind.LINKS
    assert found.labels.column("a").tolist() == [4]
    assert found.labels.column("b").tolist() == [7]
    spikes = cerebellum.labels("c", "spikes")
    assert found.labels.provenance.targets == (spikes.digest, spikes.digest)
    assert found.items.table.column("pause_ms").to_pylist()[0] > 10
    assert not [f for f in found.findings if f.check == "purkinje_merge"]
    assert cerebellum.labels("c", "spikes") == spikes


def test_a_merge_of_complex_and_simple_spikes_is_warned_of(cerebellum):
    spikes = cerebellum.labels("c", "spikes")
    edit = Edit(uuid.uuid4(), EditKind.MERGE, spikes.digest, (4, 7), "ben", 1.7e9)
    cerebellum.decide([edit])
    found = cerebellum.link_purkinje("c")
    (warning,) = (f for f in found.findings if f.check == "purkinje_merge")
    assert warning.severity == "warning"
    assert "link, do not merge" in warning.sentence
    assert "ben" in warning.sentence
    assert [f for f in found.findings if f.check == "units_changed_in_review"]
    result = run("purkinje", cerebellum.path, "c", "--json")
    assert result.exit_code == 0, result.output
    assert [row["verdict"] for row in json.loads(result.stdout)] == ["linked"]


def test_a_drug_confirms_units_that_come_back(cerebellum, tmp_path):
    source, spikes = cerebellum.source("c"), cerebellum.labels("c", "spikes")
    clock = Clock.from_json(source.row.streams[source.stream()]["clock"])
    times = clock.to_seconds(spikes.column("sample"))
    silent = (times > 70) & (times < 130) & (spikes.column("item") == 7)
    columns = {n: spikes.column(n)[~silent] for n in ("sample", "item", "channel")}
    keep(cerebellum.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), spikes.provenance))
    for name, start in (("before", 0), ("drug", 70), ("wash", 140)):
        (tmp_path / f"{name}.csv").write_text(f"onset,duration\n{start},60\n")
    spans = {"before": tmp_path / "before.csv", "after": tmp_path / "drug.csv"}
    lost = cerebellum.tag_by_drug("c", name="Purkinje", change=Change(bin_s=5), **spans)
    assert lost.labels.n_rows == 0
    assert any("may have been lost" in f.sentence for f in lost.findings)
    found = cerebellum.tag_by_drug(
        "c", name="Purkinje", change=Change(bin_s=5), washout=tmp_path / "wash.csv", **spans
    )
    assert found.labels.column("target").tolist() == [7], found.tested
    assert found.labels.provenance.author.name == "celltypes/pharmacology"
