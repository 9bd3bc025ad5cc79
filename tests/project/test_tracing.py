"""Traces of tracked neurons and of cells become sources by one path, and rates run on them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from typer.testing import CliRunner

import nissl
from nissl.cli import app
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    MissingInputError,
)
from nissl.labels import Edit, EditKind
from nissl.testing.lively_worm import RATE_HZ, SPACING_UM, process, write_worm

pytest.importorskip("h5py")
pytest.importorskip("numba")

PULSES_S = (9, 21, 30, 43, 55, 66)


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def worm(tmp_path_factory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("worm")
    rng = np.random.default_rng(3)
    activity = np.zeros((320, 5))
    for k in (1, 3):  # the others are silent
        activity[:, k] = np.maximum(0.6 * process(rng, 320, 3.0), 0)
    for onset in PULSES_S:  # the last but one answers to light
        start = round(onset * RATE_HZ)
        activity[start : start + 12, 3] += 1.5
    flicker = write_worm(folder / "worm.h5", activity)
    study = folder / "study"
    spacing = ",".join(str(v) for v in SPACING_UM)
    added = run("add", study, folder / "worm.h5", "--rate", RATE_HZ, "--spacing", spacing)
    assert added.exit_code == 0, added.output
    told = run("import", study, "worm", folder / "worm.h5", "--author", "ada")
    assert told.exit_code == 0, told.output
    table = folder / "light.csv"
    table.write_text("onset,duration\n" + "".join(f"{s},3\n" for s in PULSES_S))
    return SimpleNamespace(study=study, activity=activity, flicker=flicker, light=table)


def test_from_tracks_to_traces_to_rates(worm):
    said = run("traces", worm.study, "worm", "--json")
    assert said.exit_code == 0, said.output
    rows = json.loads(said.stdout)
    names = [row["source"] for row in rows]
    assert names[0] == "worm.fluorescence"
    assert {row["traces"] for row in rows} == {5}
    with nissl.open(worm.study) as study:
        signal = study.source("worm.fluorescence").recording.signal
        made = signal.metadata["made_from"]
        assert signal.metadata["model"] == "two-channel"
        assert signal.metadata["channels"] == ["red", "green"]
        assert made["labels"] == study.labels("worm", "tracks").digest
        change = signal.read().astype(float)
        for k in (0, 2, 4):  # silent: neither active nor moved by motion
            assert change[:, k].std() < 0.1
            assert abs(np.mean((change[:, k] - change[:, k].mean()) * worm.flicker[:, k])) < 0.004
        for k in (1, 3):
            assert np.corrcoef(change[:, k], worm.activity[:, k])[0, 1] > 0.8
    again = json.loads(run("traces", worm.study, "worm", "--json").stdout)
    assert all(row["from_before"] for row in again)
    rates = run("annotate", worm.study, "--task", "rates", "--source", "worm.fluorescence")
    assert rates.exit_code == 0, rates.output
    with nissl.open(worm.study) as study:
        inferred = study.source("worm.fluorescence.rates").recording.signal
        assert inferred.channels.ids[:3] == ("1", "1.low", "1.high")
        active = np.nansum(inferred.read(channels=["2"]))
        assert active > 5 * max(np.nansum(inferred.read(channels=[k])) for k in "135")
    for source in ("worm.fluorescence", "worm.fluorescence.rates"):
        said = run("responses", worm.study, source, "--stimuli", worm.light, "--json")
        assert said.exit_code == 0, said.output
        on = {r["neuron"]: r for r in json.loads(said.stdout) if r["measure"] == "on"}
        assert sorted(on) == [1, 2, 3, 4, 5]
        assert on[4]["effect"] > 0
        assert on[4]["q"] < 0.05
        assert all(row["q"] is None or row["q"] > 0.05 for k, row in on.items() if k != 4)
        assert on[4]["stimulus"] == "light"
        assert on[4]["unit"] == ("spikes/s" if source.endswith("rates") else "dF/F")
    with nissl.open(worm.study) as study:  # they stand in the report of the tracks too
        assert list(study.dossier("worm", "tracks", draft=True).answers) == [
            "worm.fluorescence",
            "worm.fluorescence.rates",
        ]
        page = study.report("worm", "tracks").read_text()
    assert "Answers to stimuli: mean course" in page


def test_other_models_are_sources_of_their_own_and_the_last_one_is_shown(worm):
    with nissl.open(worm.study) as study:
        ratio = study.traces("worm", parameters={"model": "ratio"})
        alone = study.traces("worm", parameters={"model": "first", "channels": ["green"]})
        assert len({ratio.sources[0], alone.sources[0]}) == 2
        assert [f.check for f in alone.findings] == ["no_marker"]
        assert not ratio.findings
        shown = study.dossier("worm", "tracks", draft=True).signals
        assert set(shown) == {"fluorescence", "light"}
        by_ratio = study.source(ratio.sources[0]).recording.signal.read()
        assert np.corrcoef(by_ratio[:, 1], worm.activity[:, 1])[0, 1] > 0.6
        by_one = study.source(alone.sources[0]).recording.signal.read()
        assert np.corrcoef(by_one[:, 0], worm.flicker[:, 0])[0, 1] > 0.8  # as one channel must


def test_traces_are_those_of_what_people_left(worm, tmp_path):
    with nissl.open(worm.study) as study:
        base = study.labels("worm", "tracks")
        study.decide([Edit(uuid4(), EditKind.REMOVE, base.digest, (4,), "ada", 1.0)])
        found = study.traces("worm")
        assert study.source(found.sources[0]).recording.signal.channels.ids == ("1", "2", "3", "5")


def test_what_cannot_be_traced_is_told(worm, tmp_path):
    with nissl.open(worm.study) as study:
        with pytest.raises(BadArgumentError, match="two channels"):
            study.traces("worm", parameters={"model": "two-channel", "channels": ["red"]})
        with pytest.raises(BadArgumentError, match="channels among"):
            study.traces("worm", parameters={"channels": ["red", "blue"]})
        with pytest.raises(BadArgumentError, match="a model among"):
            study.traces("worm", parameters={"model": "three"})
        with pytest.raises(BadArgumentError, match="nissl traces --help"):
            study.traces("worm", parameters={"gain": 2})
        with pytest.raises(MissingInputError, match="task cells"):
            study.traces("worm", task="cells")
        with pytest.raises(BadArgumentError, match="tracers"):
            study.traces("worm", task="spikes")
        with pytest.raises(MissingInputError, match="cells or tracks"):
            study.traces("worm.fluorescence")
    write_worm(tmp_path / "flat.h5", np.zeros((12, 2)))
    with nissl.open(tmp_path / "study") as study:
        source = study.add(tmp_path / "flat.h5", rate_hz=RATE_HZ)
        study.add_points(source, tmp_path / "flat.h5", author="ada")
        with pytest.raises(BadMetadataError, match="size of a voxel"):
            study.traces(source)
