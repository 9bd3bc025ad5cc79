"""Coverage of real pairs of postures: figures of simulated worms stand without the real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
cover = pytest.importorskip("_tracks_cover")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of a folder with three volumes of random places that hardly move."""
    data = tmp_path_factory.mktemp("data")
    folder = data / cover.FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rest = rng.normal((128, 80, 8), (45, 12, 2.5), (60, 3))
    for k in cover.VOLUMES:
        moved = rest + rng.normal(0, 0.01, rest.shape)
        np.savez(folder / f"points_ex{k}.npz", pts_gt=moved.astype(np.float32))
    return cover.run(data, n_worms=1, n_pairs=30)


def test_what_lies_at_the_edge_is_told(results):
    assert results["real"]["1.5"]["rigid"]["within"] == [0.0, 0.0, 0.0]
    text = cover.page(results)
    assert "outside the middle 98 % lie `rigid`" in text
    assert "chosen with these pairs in view" in text


def test_a_plot_is_drawn(results, tmp_path):
    pytest.importorskip("matplotlib")
    cover.plot(results, tmp_path / "cover.png")
    assert (tmp_path / "cover.png").stat().st_size > 10_000


def test_without_the_real_volumes_simulated_figures_stand(tmp_path):
    found = cover.run(tmp_path, n_worms=1, n_pairs=10)
    assert found["real"] == {}
    assert found["simulated"]["rigid"][3] > 0
    assert "planes" not in cover.page(found)
