"""Tracked points in targettrack's files and in tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.tracks.positions import Positions
from nissl.data.read import read
from nissl.errors import CorruptSourceError
from nissl.io import IMPORTERS, find_importer
from nissl.io.targettrack import TARGETTRACK
from nissl.testing.files import write_targettrack
from nissl.testing.points import PointExporterContract, point_dossier

h5py = pytest.importorskip("h5py")


class TestTargettrack(PointExporterContract):
    name = "targettrack"


def volumes(n: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (n, 2, 6, 40, 60)).astype(np.int16)


def places(n: int = 4, neurons: int = 3) -> np.ndarray:
    out = np.random.default_rng(1).uniform(1, 5, (n, neurons, 3)).astype(np.float32)
    out[2, 1] = np.nan
    out[3] = np.nan
    return out


def test_people_and_networks_are_two_authors(tmp_path: Path) -> None:
    path = write_targettrack(tmp_path / "worm.h5", volumes(), places())
    with h5py.File(path, "r+") as file:
        whole = np.concatenate([np.full((4, 1, 3), np.nan), places() + 1], 1)
        file["net/big_run1/NN_pointdat"] = whole.astype(np.float32)
    found = IMPORTERS.get("targettrack").read(path, reviewer="ada")
    people, network = found.labels
    assert people.provenance.author.name == "ada"
    assert network.provenance.author.kind == "model"
    back = Positions.from_labels(people)
    assert back.frames.tolist() == [0, 1, 2]
    assert back.items.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(back.xyz, places()[:3])
    assert found.items[0].context["grid"] == [6, 40, 60]


def test_volumes_travel_with_the_points(tmp_path: Path) -> None:
    recording = read(write_targettrack(tmp_path / "a.h5", volumes(14)), rate_hz=4.0)
    dossier = replace(point_dossier(), recording=recording)
    path = TARGETTRACK.write(dossier, tmp_path / "b.h5")
    TARGETTRACK.verify(dossier, path)
    again = read(path, rate_hz=4.0)
    assert list(again.movies) == ["red", "green"]
    np.testing.assert_array_equal(
        again.movies["green"].read(3, 5), recording.movies["green"].read(3, 5)
    )
    light = TARGETTRACK.write(dossier, tmp_path / "c.h5", volumes=False)
    assert light.stat().st_size < path.stat().st_size / 2


def test_what_was_moved_in_targettrack_wins(tmp_path: Path) -> None:
    path = TARGETTRACK.write(point_dossier(), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["pointdat"][0, 1] = [1.0, 2.0, 3.0]
    found = TARGETTRACK.read(path, reviewer="ada")
    assert found.labels[0].provenance.author.name == "ada"
    np.testing.assert_array_equal(Positions.from_labels(found.labels[0]).xyz[0, 0], [1, 2, 3])


TABLE = (
    "Frame,Name,x,y,z,confidence\n0,AVAL,1.5,2,3,0.9\n0,AVAR,4,5,6,\n7,AVAL,,,,\n7,AVAR,4,5,7,0.5\n"
)


def test_a_table_with_names(tmp_path: Path) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(TABLE)
    importer = find_importer(path)
    assert importer is not None
    assert importer.name == "track-table"
    found = importer.read(path)
    back = Positions.from_labels(found.labels[0])
    assert back.frames.tolist() == [0, 7]
    assert back.seen.tolist() == [[True, True], [False, True]]
    np.testing.assert_allclose(back.xyz[0, 0], [1.5, 2, 3])
    assert back.confidence[1, 1] == np.float32(0.5)
    assert found.items[0].table.column("name").to_pylist() == ["AVAL", "AVAR"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("7,AVAR", "0,AVAR"), "lines 3 and 5"),
        (("1.5,", "far,"), "'far' in line 2"),
        (("7,AVAR", "7.5,AVAR"), "in line 5"),
        (("7,AVAR", "7,"), "'' and 7 in line 5"),
    ],
)
def test_bad_tables_are_told_by_line(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(TABLE.replace(*changed))
    with pytest.raises(CorruptSourceError, match=said):
        IMPORTERS.get("track-table").read(path)


def test_tables_of_one_plane_say_so(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("t_idx\tworldline_id\tx\ty\n3\t12\t1\t2\n4\t12\t2\t2\n")
    found = IMPORTERS.get("track-table").read(path)
    assert found.labels[0].items.tolist() == [12]
    assert "no z" in found.what_is_missing[0]
