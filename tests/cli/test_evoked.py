"""`nissl evoked`: from a recording and its trials to amplitudes with their errors."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.cli import app
from nissl.errors import BadArgumentError, BadMetadataError, MissingInputError
from nissl.project.evoked import parse_window

RATE = 250.0


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(0)
    onsets = 1.0 + 1.2 * np.arange(40)
    x = rng.standard_normal((round((onsets[-1] + 2) * RATE), 2)).astype(np.float32)
    t = np.arange(round(0.9 * RATE)) / RATE
    for k, onset in enumerate(onsets.tolist()):
        a = round(onset * RATE)
        x[a : a + t.size, 1] += (8 if k % 2 else 2) * np.exp(-((t - 0.4) ** 2) / (2 * 0.05**2))
    np.savez(tmp_path / "odd.npz", data=x, rate_hz=RATE, channel_names=np.array(["Cz", "Pz"]))
    rows = [f"{o},0.8,{'rare' if k % 2 else 'frequent'}" for k, o in enumerate(onsets.tolist())]
    (tmp_path / "trials.csv").write_text("onset,duration,label\n" + "\n".join(rows))
    with nissl.open(tmp_path / "study") as project:
        project.add_labels(project.add(tmp_path / "odd.npz"), tmp_path / "trials.csv")
    return tmp_path / "study"


def test_rare_and_frequent_differ_by_more_than_their_errors(study):
    said = CliRunner().invoke(
        app, ["evoked", str(study), "odd", "--window", "P300:Pz:0.25:0.55", "--json"]
    )
    assert said.exit_code == 0, said.output
    rows = {row["class"]: row for row in json.loads(said.stdout)}
    assert rows["rare"]["n_trials"] == rows["frequent"]["n_trials"] == 20
    assert rows["rare"]["peak_uv"] == pytest.approx(8, abs=0.7)
    assert rows["frequent"]["peak_uv"] == pytest.approx(2, abs=0.7)
    assert rows["rare"]["latency_s"] == pytest.approx(0.4, abs=0.01)
    assert 0 < rows["rare"]["mean_sme_uv"] < 0.5


@pytest.mark.parametrize("text", ["P300", "P300:Pz:a:b", "P300:Pz:0.5:0.2", ":Pz:0:1", "a:b:0:1:+"])
def test_a_window_that_is_none_says_how_one_is_written(text):
    with pytest.raises(BadArgumentError, match="P300:Pz"):
        parse_window(text)


def test_what_is_missing_is_told(study):
    window = [parse_window("N170:P8:0.13:0.2:-")]
    assert not window[0].positive
    with nissl.open(study) as project:
        with pytest.raises(BadMetadataError, match="P8"):
            project.evoked("odd", window)
        with pytest.raises(MissingInputError, match="nissl import"):
            project.evoked("odd", window, trials="faces")
