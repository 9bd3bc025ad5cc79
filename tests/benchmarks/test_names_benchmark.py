import json
import sys
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.names.simulate import simulate_animals


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "imaging" / "worm_neuropal_id"
    folder.mkdir(parents=True)
    for seed, part in enumerate(("head", "tail")):
        made = simulate_animals(np.random.default_rng(seed), 24, 4)
        features = np.concatenate([made.xyz, made.colours], axis=2).transpose(1, 2, 0)
        np.savez(folder / f"{part}.npz", features=features, names=np.array(made.names))
        if part == "head":
            seen = made.seen[0]
            names = np.array(made.names)[seen]
            np.savez(folder / "fdnc_template.npz", pts_um=made.xyz[0, seen], name=names)
    tracks = tmp_path / "data" / "imaging" / "worm_targettrack"
    tracks.mkdir()
    places = np.random.default_rng(0).standard_normal((30, 3)) * (60, 20, 3) + 100
    for k in (2, 3, 4):
        places[k] = np.nan
        np.savez(tracks / f"points_ex{k}.npz", pts_gt=places)
    return tmp_path / "data"


def test_it_writes_figures_a_table_and_a_plot(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    import importlib.util

    spec = importlib.util.spec_from_file_location("names_benchmark", folder / "names.py")
    assert spec is not None
    assert spec.loader is not None
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    out = tmp_path / "out"
    options = ["--train", str(data), "--test", str(data), "--out", str(out), "--quick"]
    assert names.main([*options, "--page", str(tmp_path / "page" / "names.md")]) == 0
    results = json.loads((out / "results.json").read_text())
    for part in ("head", "tail"):
        told = results["parts"][part]["by"]["place and colour"]
        assert told["accuracy"]["estimate"] > 0.5
        assert told["top3"]["estimate"] >= told["accuracy"]["estimate"]
        network = results["network"][part]["by"]["place and colour"]
        assert network["accuracy"]["estimate"] > 0.4
    # planes taken to be as near as pixels make a flat animal, whose neurons are hardly told apart
    assert all(each["right"] == 1 for each in results["matching"] if each["ratio"] > 1)
    page = (tmp_path / "page" / "names.md").read_text()
    assert "quick run" in page
    assert (tmp_path / "page" / "names.png").is_file()
    assert "_names_work" in sys.modules
