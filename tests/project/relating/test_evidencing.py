"""The checklist of a claim, from spikes and tables of windows to a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.align.evidence.claim import Drive, Intervention
from nissl.align.evidence.simulate import simulate_recordings
from nissl.align.fragments import Fragment, runs
from nissl.cli import app
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project.adding import keep

RATE_HZ = 1000.0
BIN = 100


def add(project: nissl.Project, folder: Path, fragment: Fragment, name: str) -> None:
    """Spikes of a fragment, and three tables: its windows, and those with a laser on and off.

    Where the laser is on, half of the spikes are gone.
    """
    rng = np.random.default_rng(0)
    counts = fragment.activity.astype(int)
    offset = np.zeros(len(counts), np.int64)
    lines, at = ["onset,duration,stimulus"], 500
    for a, b in zip(*runs(fragment)[1:], strict=True):
        offset[a:b] = at + np.arange(b - a) * BIN
        condition = np.asarray(fragment.condition)[a]
        lines.append(f"{at / RATE_HZ},{(b - a) * BIN / RATE_HZ},image {condition:02d}")
        at += (b - a) * BIN + 500
    lit = rng.random(60) < 0.5
    begins = at + 500 + 700 * np.arange(60)
    where, unit = np.nonzero(counts)
    n = counts[where, unit]
    sample = np.repeat(offset[where], n) + rng.integers(0, BIN, n.sum())
    units = np.repeat(unit, n)
    extra = rng.random((60, 200, counts.shape[1])) < np.where(lit, 0.005, 0.01)[:, None, None]
    k, step, who = np.nonzero(extra)
    sample, units = np.concatenate([sample, begins[k] + step]), np.concatenate([units, who])
    length = int(begins[-1]) + 1000
    data = rng.standard_normal((length, 2)).astype(np.float32)
    np.savez(folder / f"{name}.npz", data=data, rate_hz=RATE_HZ)
    source = project.add(folder / f"{name}.npz")
    order = np.argsort(sample, kind="stable")
    columns = {"item": units[order], "label": np.zeros(len(order), int), "sample": sample[order]}
    stream = next(iter(source.row.streams))
    made_by = Provenance("spikes", source.fingerprint, Author("model", "sim", "1"), stream)
    keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), made_by))
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    for word, chosen in (("on", lit), ("off", ~lit)):
        rows = [f"{b / RATE_HZ},0.2,{word}" for b in begins[chosen]]
        (folder / f"{name}_{word}.csv").write_text(
            "\n".join(["onset,duration,stimulus", *rows]) + "\n"
        )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("claims")
    project = nissl.open(folder / "study")
    fragments = simulate_recordings(
        np.random.default_rng(4),
        n_subjects=2,
        n_days=1,
        n_units=8,
        per_condition=6,
        axes=2,
        depth=0.9,
    )
    names = ("anna", "berta")
    for name, fragment in zip(names, fragments, strict=True):
        add(project, folder, fragment, name)
    return SimpleNamespace(project=project, path=folder / "study", folder=folder, names=names)


def new(study: SimpleNamespace, name: str) -> list[str]:
    arguments = ["evidence", str(study.path), name, "--new", "--says", "images are coded alike"]
    for each in study.names:
        arguments += ["--source", each, "--windows", str(study.folder / f"{each}.csv")]
    return [*arguments, "--bin", "0.1"]


def test_from_a_new_claim_to_a_page(study: SimpleNamespace) -> None:
    said = CliRunner().invoke(app, new(study, "images"))
    assert said.exit_code == 0, said.output
    file = study.path / "claims" / "images.json"
    assert json.loads(file.read_text())["sources"][0]["windows"] == "../../anna.csv"
    said = CliRunner().invoke(app, ["evidence", str(study.path), "images", "--permutations", "99"])
    assert said.exit_code == 0, said.output
    folder = study.path / "reports" / "images.evidence"
    rows = {r["name"]: r for r in parquet.read_table(folder / "items.parquet").to_pylist()}
    assert rows["shared"]["verdict"] == "supported"
    assert rows["individuals"]["verdict"] == "not testable"
    assert "subject" in rows["individuals"]["needs"]
    assert rows["basis"]["verdict"] == "not supported"
    facts = json.loads((folder / "evidence.json").read_text())
    digests = facts["made"]["sources"]["anna"]["label_sets"]
    assert digests
    assert len(digests[0]) == 64
    assert set(facts["windows"]) == set(study.names)
    conditions = next(i for i in facts["items"] if i["name"] == "conditions")["facts"]
    assert conditions["units"] == [f"image {k:02d}" for k in range(12)]
    page = (folder / "evidence.html").read_text()
    assert page.count("<svg") >= 5
    assert not re.search(r'(src|href)="(?!#)(?!data:)', page.replace('xlink:href="', 'x="'))
    text = (folder / "evidence.md").read_text()
    for picture in re.findall(r"\]\((figures/[^)]+)\)", text):
        assert (folder / picture).stat().st_size > 3000


def test_interventions_and_arrows_stand_beside_the_code(
    study: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nissl.project.relating.evidencing.MOST_SERIES", 2)  # only the named units

    def windows(name: str, word: str) -> str:
        return str(study.folder / f"{name}_{word}.csv")

    for subject, predicts, expected in (
        ("agrees", "lower", "supported"),
        ("opposite", "higher", "not supported"),
    ):
        study.project.claim(
            subject,
            "the laser silences it",
            study.names,
            [str(study.folder / f"{n}.csv") for n in study.names],
            bin_s=0.1,
            interventions=(
                Intervention("anna", windows("anna", "on"), windows("anna", "off"), predicts),
            ),
            drives=(Drive("anna", "1", "2"),) if subject == "agrees" else (),
        )
        found = study.project.evidence(
            subject, permutations=19, seed=1, out=study.folder / subject
        ).checklist
        assert found["intervention"].verdict == expected, found["intervention"].says
    assert found["drives"].verdict == "not testable"
    first = (study.folder / "opposite" / "evidence.json").read_text()
    study.project.evidence("opposite", permutations=19, seed=1, out=study.folder / "opposite")
    assert (study.folder / "opposite" / "evidence.json").read_text() == first
    told = json.loads((study.folder / "agrees" / "evidence.json").read_text())
    assert next(i for i in told["items"] if i["name"] == "drives")["verdict"] == "not supported"
    assert told["made"]["series"][0]["method"].startswith("transfer entropy of spike")


def test_a_claim_is_not_changed_behind_its_back(study: SimpleNamespace) -> None:
    CliRunner().invoke(app, new(study, "fixed"))
    assert CliRunner().invoke(app, new(study, "fixed")).exit_code == 0
    other = CliRunner().invoke(app, [*new(study, "fixed"), "--axes", "2"])
    assert isinstance(other.exception, BadArgumentError)
    assert "new name" in str(other.exception)


def test_metadata_in_the_claim_count(study: SimpleNamespace) -> None:
    pytest.importorskip("yaml")
    file = study.folder / "whole.yaml"
    lines = ["name: whole", "says: images are coded alike", "bin_s: 0.1", "sources:"]
    for name in study.names:
        lines.append(
            f"- {{source: {name}, windows: {name}.csv, subject: {name}, day: d1, "
            "species: mouse, region: V1, state: awake}"
        )
    file.write_text("\n".join(lines) + "\n")
    found = study.project.evidence(file, permutations=19, out=study.folder / "whole").checklist
    assert found["basis"].value == 1.0
    assert found["individuals"].n == 2
    assert "5 individuals" in found["individuals"].needs


def test_what_is_missing_is_said(study: SimpleNamespace) -> None:
    with pytest.raises(BadArgumentError, match="--new"):
        study.project.evidence("unheard of")
    bare = CliRunner().invoke(app, ["evidence", str(study.path), "x", "--new"])
    assert "--says" in str(bare.exception)
    with pytest.raises(BadArgumentError, match="windows for all"):
        study.project.claim("x", "y", study.names, ["a", "b", "c"])
    bad = study.folder / "bad.json"
    bad.write_text("{")
    with pytest.raises(BadArgumentError, match="as JSON"):
        study.project.evidence(bad)
