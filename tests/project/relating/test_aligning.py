"""Two days of a project, aligned from Python and from the command line."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.align.cells.simulate import two_days
from nissl.cli import app
from nissl.errors import BadArgumentError
from nissl.io.pickled import save


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Project with two folders of Suite2p, and the truth."""
    home = tmp_path_factory.mktemp("align")
    days = two_days(
        np.random.default_rng(5), size_px=200, n_cells=90, shift_px=4, degrees=1, bend_px=1
    )
    project = nissl.open(home / "study")
    for name, cells in zip(("monday", "friday"), days.cells, strict=True):
        folder = home / name
        folder.mkdir()
        stat = []
        for pixels, weights in zip(cells.pixels, cells.weights, strict=True):
            y, x = np.divmod(pixels, 200)
            stat.append({"ypix": y, "xpix": x, "lam": weights})
        save(folder / "stat.npy", stat)
        save(folder / "ops.npy", {"Ly": 200, "Lx": 200, "fs": 10.0})
        project.add(folder)
    return project, days


def test_days_are_linked_and_kept(study):
    project, days = study
    found = project.align("monday", "friday")
    truth = set(map(tuple, days.pairs.tolist()))
    same = found.labels.column("label") == 0
    pairs = zip(
        found.labels.column("a")[same].tolist(),
        found.labels.column("b")[same].tolist(),
        strict=True,
    )
    right = [pair in truth for pair in pairs]
    assert np.mean(right) > 0.9
    assert sum(right) > 0.85 * len(truth)
    (row,) = project.store.label_sets(task="links")
    assert row.digest == found.labels.digest
    assert set(row.targets) == {r.digest for r in project.store.label_sets(task="cells")}
    assert project.align("monday", "friday").labels == found.labels


def test_command(study):
    project, _ = study
    ran = CliRunner().invoke(app, ["align", str(project.store.path), "monday", "friday", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    row = told[0] if isinstance(told, list) else told
    assert row["same"] > 30
    assert row["expected_wrong"] < 5


def test_nonsense_is_told(study):
    project, _ = study
    with pytest.raises(BadArgumentError, match="cells"):
        project.align("monday", "friday", by="stars")
    with pytest.raises(BadArgumentError, match="two sources"):
        project.align("monday", "monday")


def test_activity_is_asked_of_both_days(study):
    project, _ = study
    with pytest.raises(BadArgumentError, match="traces of both days"):
        project.align("monday", "friday", activity=True)
