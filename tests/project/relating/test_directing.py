"""Arrows between channels, units and columns of tables, from the study to files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.align.directed.granger import connectivity
from nissl.cli import app
from nissl.errors import BadArgumentError, MissingDependencyError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project.adding import keep

RATE_HZ = 200.0


def chain(rng: np.random.Generator, n: int = 4000) -> np.ndarray:
    """Three series, the first of which drives the second; the third is alone."""
    noise = rng.standard_normal((3, n))
    out = np.zeros((3, n))
    for t in range(2, n):
        out[:, t] = 0.6 * out[:, t - 1] - 0.3 * out[:, t - 2] + noise[:, t]
        out[1, t] += 0.5 * out[0, t - 1]
    return out


def add_units(project: nissl.Project, folder: Path, rng: np.random.Generator) -> None:
    """Three units; the second answers 4 ms after the first."""
    seconds, rate_hz = 60, 1000.0
    first = np.sort(rng.choice(seconds * 1000 - 50, 900, replace=False)) + 10
    follows = first[rng.random(900) < 0.6] + 4
    other = np.sort(rng.choice(seconds * 1000, 700, replace=False))
    alone = np.sort(rng.choice(seconds * 1000, 900, replace=False))
    trains = [first, np.unique(np.concatenate([follows, other])), alone]
    sample = np.concatenate(trains)
    order = np.argsort(sample, kind="stable")
    unit = np.repeat([1, 2, 3], [len(t) for t in trains])[order]
    data = rng.standard_normal((seconds * 1000, 2)).astype(np.float32)
    np.savez(folder / "probe.npz", data=data, rate_hz=rate_hz)
    source = project.add(folder / "probe.npz")
    columns = {"item": unit, "label": np.zeros(len(unit), int), "sample": sample[order]}
    stream = next(iter(source.row.streams))
    made_by = Provenance("spikes", source.fingerprint, Author("model", "sim", "1"), stream)
    keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), made_by))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("arrows")
    rng = np.random.default_rng(0)
    project = nissl.open(folder / "study")
    series = chain(rng)
    np.savez(folder / "lfp.npz", data=series.T.astype(np.float32), rate_hz=RATE_HZ)
    project.add(folder / "lfp.npz")
    add_units(project, folder, rng)
    lines = ["one,two,three"] + [",".join(f"{v:.5f}" for v in row) for row in series.T[:1500]]
    (folder / "regions.csv").write_text("\n".join(lines) + "\n")
    return SimpleNamespace(project=project, path=folder / "study", folder=folder)


def verdicts(table: object) -> dict[tuple[str, str], str]:
    rows = table.to_pylist()  # type: ignore[attr-defined]
    return {(r["source"], r["target"]): r["verdict"] for r in rows}


def test_channels_of_a_source(study: SimpleNamespace) -> None:
    arguments = ["arrows", str(study.path), "lfp", "--frequencies", "--json"]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0, said.output
    folder = study.path / "reports" / "lfp.arrows"
    table = parquet.read_table(folder / "arrows.parquet")
    names = table.column("source").unique().to_pylist()
    found = verdicts(table)
    assert found[names[0], names[1]] == "arrow"
    assert found[names[1], names[0]] != "arrow"
    assert found[names[0], names[2]] == found[names[2], names[1]] == "no evidence"
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["modality"] == "fields"
    assert facts["made_from"][0]["fingerprint"] == study.project.source("lfp").fingerprint
    assert facts["arrows"] == 1
    granger = parquet.read_table(folder / "granger.parquet").to_pandas()
    mean = granger.groupby(["source", "target"])["granger"].mean()
    assert mean[names[0], names[1]] > 5 * mean[names[1], names[0]]
    for name in ("arrows.png", "granger.png"):
        assert (folder / name).stat().st_size > 5000


def test_units_of_a_source(study: SimpleNamespace) -> None:
    found = study.project.arrows("probe", surrogates=20, out=study.folder / "units")
    said = verdicts(found.table)
    assert said["1", "2"] == "arrow"
    assert said["2", "1"] == said["1", "3"] == said["3", "2"] == "no evidence"
    delays = {(r["source"], r["target"]): r["delay"] for r in found.table.to_pylist()}
    assert delays["1", "2"] == 4
    facts = json.loads((study.folder / "units" / "facts.json").read_text())
    assert facts["modality"] == "spikes"
    assert facts["made_from"][0]["labels"][0]
    again = study.project.arrows("probe", surrogates=20, out=study.folder / "again")
    assert again.table.equals(found.table)


def test_units_in_continuous_time(study: SimpleNamespace) -> None:
    found = study.project.arrows(
        "probe", method="pointprocess", channels=["1", "2"], surrogates=15, out=study.folder / "pp"
    )
    assert verdicts(found.table)["1", "2"] == "arrow"


def test_a_table_of_regions(study: SimpleNamespace) -> None:
    table = str(study.folder / "regions.csv")
    found = study.project.arrows(
        table, interval_s=0.005, modality="fields", out=study.folder / "table"
    )
    assert verdicts(found.table)["one", "two"] == "arrow"
    slow = study.project.arrows(table, interval_s=2.0, method="rdcm", out=study.folder / "rdcm")
    assert slow.arrows.unit == "1/s"
    with pytest.raises(BadArgumentError, match="--modality"):
        study.project.arrows(table, interval_s=2.0)
    with pytest.raises(BadArgumentError, match="--interval"):
        study.project.arrows(table, modality="bold")
    with pytest.raises(BadArgumentError, match="known inputs"):
        study.project.arrows(table, interval_s=2.0, method="dcm")


def test_what_cannot_be_is_refused(study: SimpleNamespace) -> None:
    with pytest.raises(BadArgumentError, match="a method among"):
        study.project.arrows("lfp", method="magic")
    with pytest.raises(BadArgumentError, match="names among"):
        study.project.arrows("lfp", channels=["no such"])
    with pytest.raises(BadArgumentError, match="spike trains"):
        study.project.arrows("probe", frequencies=True)
    with pytest.raises(BadArgumentError, match="same times"):
        study.project.arrows(["lfp", "probe"], method="gaussian")
    with pytest.raises(MissingInputError, match="spikes of 'lfp'"):
        study.project.arrows("lfp", method="trains")


def test_without_mne_connectivity_it_is_named(
    study: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mne_connectivity", None)
    with pytest.raises(MissingDependencyError, match="mne-connectivity"):
        study.project.arrows("lfp", spectral=["coh"], out=study.folder / "coh")


def test_spectral_measures_through_mne_connectivity() -> None:
    pytest.importorskip("mne_connectivity")
    rng = np.random.default_rng(0)
    epochs = chain(rng, 8000).reshape(3, 20, 400).swapaxes(0, 1)
    found = connectivity(epochs, RATE_HZ, method="coh", low_hz=5, high_hz=40)
    assert found[0, 1] > 2 * found[0, 2]
    assert found == pytest.approx(found.T)
