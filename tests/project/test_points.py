"""Tracks from elsewhere on the movie that they lie in, and back out again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.annotators.tracks.positions import Positions
from nissl.cli import app
from nissl.errors import BadArgumentError, UnknownFormatError
from nissl.io import IMPORTERS
from nissl.io.nwb.read import opened
from nissl.project import Project
from nissl.testing.exporters import damage, read_or_refuse
from nissl.testing.files import write_targettrack

pytest.importorskip("h5py")


def places() -> np.ndarray:
    out = np.random.default_rng(1).uniform(0, 5, (4, 3, 3)).astype(np.float32)
    out[2, 1] = np.nan
    return out


@pytest.fixture
def worm(tmp_path: Path) -> Path:
    volumes = np.random.default_rng(0).integers(0, 200, (4, 2, 6, 9, 11)).astype(np.int16)
    return write_targettrack(tmp_path / "worm.h5", volumes, places())


@pytest.fixture
def study(tmp_path: Path, worm: Path) -> Project:
    project = nissl.open(tmp_path / "study")
    project.add(worm, rate_hz=4.0)
    return project


def test_points_are_put_on_the_movie(study: Project, worm: Path) -> None:
    source = study.sources()[0]
    (labels,) = study.add_points(source, worm, author="ada")
    assert labels.provenance.source == source.fingerprint
    assert labels.provenance.stream == "red"
    found, named = study.store.label_sets(source=source.fingerprint)
    assert (found.author.name, named.author.name) == ("targettrack user", "ada")
    assert found.stream == "red"
    assert study.store.get_items(named.items).of == labels.digest
    np.testing.assert_array_equal(Positions.from_labels(labels).xyz, places())


def test_places_outside_the_volume_are_refused(study: Project, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("frame,neuron,x,y,z\n0,1,3,3,3\n1,1,3,9,3\n")
    source = study.sources()[0]
    with pytest.raises(BadArgumentError, match="1 outside, the first 3 9 3 of neuron 1 in volume"):
        study.add_points(source, table)
    table.write_text("frame,neuron,x,y,z\n0,1,3,3,3\n4,1,3,3,3\n")
    with pytest.raises(BadArgumentError, match="volume 4"):
        study.add_points(source, table)
    table.write_text("a,b\n1,2\n")
    with pytest.raises(UnknownFormatError):
        study.add_points(source, table)


def test_from_the_command_line_and_out_again(tmp_path: Path, worm: Path) -> None:
    run = CliRunner().invoke
    folder = str(tmp_path / "study")
    assert run(app, ["add", folder, str(worm), "--rate", "4"]).exit_code == 0
    table = tmp_path / "t.csv"
    table.write_text("frame,neuron,x,y,z\n0,AVAL,3,3,3\n1,AVAL,3,4,3\n1,AVAR,5,6,4\n")
    told = run(app, ["import", folder, "worm", str(table), "--author", "ada", "--json"])
    assert told.exit_code == 0, told.output
    out = tmp_path / "out"
    told = run(
        app,
        ["export", folder, str(out), "--to", "targettrack", "--task", "tracks", "--draft"],
    )
    assert told.exit_code == 0, told.output
    (written,) = out.iterdir()
    found = IMPORTERS.get("targettrack").read(written)
    assert found.items[0].table.column("name").to_pylist() == ["AVAL", "AVAR"]
    np.testing.assert_array_equal(
        nissl.read(written, rate_hz=4.0).movies["green"].read(),
        nissl.read(worm, rate_hz=4.0).movies["green"].read(),
    )


def test_through_nwb_to_the_same_movie(tmp_path: Path, worm: Path) -> None:
    pytest.importorskip("pynwb")
    project = nissl.open(tmp_path / "study")
    source = project.add(worm, rate_hz=4.0, spacing_um=(1.5, 0.4, 0.3))
    (labels,) = project.add_points(source, worm, author="ada")
    out = project.export(source, "nwb", tmp_path / "worm.nwb", task="tracks", draft=True)
    other = nissl.open(tmp_path / "other")
    same = other.add(worm, rate_hz=4.0, spacing_um=(1.5, 0.4, 0.3))
    (back,) = other.add_points(same, out)
    assert back.digest == labels.digest
    told = CliRunner().invoke(
        app, ["import", str(tmp_path / "other"), "worm", str(out), "--format", "nwb", "--json"]
    )
    assert told.exit_code == 0, told.output
    assert labels.digest[:12] in told.output
    with opened(out) as nwbfile:
        series = nwbfile.processing["tracks"]["Position"]["neuron_1"]
        np.testing.assert_allclose(series.data[:2], places()[:2, 0] * (0.3, 0.4, 1.5), rtol=1e-6)
        np.testing.assert_allclose(series.timestamps[:], np.arange(4) / 4)


def test_damaged_files_are_read_or_refused(worm: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = worm.read_bytes()
    importer = IMPORTERS.get("targettrack")
    for k in range(60):
        path = tmp_path / f"d{k}.h5"
        path.write_bytes(whole)
        damage(path, rng)
        if path.is_file():
            read_or_refuse(importer, path)
