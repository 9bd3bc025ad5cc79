"""`nissl demo cells`: the whole way from a movie to cells and rates, scored."""

import json

import numpy as np
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
    _extracted_again(out)


def _extracted_again(out):
    """Traces of regions that nobody changed are those that the method gave, and have their name."""
    said = CliRunner().invoke(app, ["traces", str(out), "simulated-0", "--json"])
    assert said.exit_code == 0, said.output
    names = [row["source"] for row in json.loads(said.stdout)]
    with nissl.open(out) as study:
        before = study.source("simulated-0.fluorescence").recording.signal
        after = study.source(names[0]).recording.signal
        assert after.channels.ids == before.channels.ids
        np.testing.assert_allclose(after.read(), before.read(), atol=1e-4)
        assert "motion" in study.dossier("simulated-0", "cells", draft=True).signals
    table = out / "taps.csv"
    table.write_text("onset,duration\n4,1\n9,1\n15,1\n")
    around = ["--before", "1.5", "--after", "1.5", "--json"]
    given = ["responses", str(out), "simulated-0.fluorescence", "--stimuli", str(table), *around]
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 0, said.output
    assert {row["stimulus"] for row in json.loads(said.stdout)} == {"taps"}
    with nissl.open(out) as study:
        answers = study.dossier("simulated-0", "cells", draft=True).answers
    assert list(answers) == ["simulated-0.fluorescence"]
