"""`nissl demo cells`: the whole way from a movie to cells and rates, scored."""

import json

import pytest
from typer.testing import CliRunner

import nissl
from nissl.cli import app

pytest.importorskip("onnxruntime")


def test_the_demo_finds_cells_and_rates(tmp_path):
    out = tmp_path / "imaging"
    given = ["demo", "cells", "--out", str(out), "--seconds", "24", "--side", "96", "--json"]
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 0, said.output
    found = {row["what"]: row["value"] for row in json.loads(said.stdout)}
    assert found["cells: recall"] > 0.2
    assert found["rate of active cells: median r"] > 0.5
    assert list((out / "reports").glob("*.html"))
    assert (out / "exports" / "simulated-0").is_dir()
    with nissl.open(out) as study:
        kinds = {s.name.rpartition(".")[2] for s in study.sources()}
    assert {"fluorescence", "raw", "neuropil", "motion", "rates"} <= kinds
