"""Populations in one space and error maps, from spikes and tables to latents, maps and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.align.fragments import runs
from nissl.align.latent.simulate import SimulatedDay, Subject, simulate_day, simulate_subject
from nissl.cli import app
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Kind
from nissl.testing.days import BIN, GAP_S, RATE_HZ, add_day


def behaviour_table(path: Path, day: SimulatedDay) -> Path:
    """Velocity at the middle of every bin, as `spikes_and_trials` lays bins out."""
    lines, at = ["time,x,y"], GAP_S
    for a, b in zip(*runs(day.fragment)[1:], strict=True):
        for k in range(b - a):
            x, y = day.fragment.behaviour["velocity"][a + k]
            lines.append(f"{at + (k + 0.5) * BIN / RATE_HZ:.4f},{x:.3f},{y:.3f}")
        at += (b - a) * BIN / RATE_HZ + GAP_S
    path.parent.mkdir()
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("days")
    rng = np.random.default_rng(0)
    subject = simulate_subject(rng)
    strange = simulate_subject(np.random.default_rng(77))
    project = nissl.open(folder / "study")
    tables, moved = {}, {}
    how: dict[str, tuple[Subject, int]] = {
        "monday": (subject, 100),
        "friday": (subject, 80),
        "stranger": (strange, 90),
    }
    for k, (name, (who, n_units)) in enumerate(how.items()):
        day = simulate_day(rng, who, n_units=n_units, n_trials=96)
        tables[name] = add_day(project, folder, day, name, k)
        moved[name] = behaviour_table(folder / name / "velocity.csv", day)
    return SimpleNamespace(
        project=project, path=folder / "study", tables=tables, folder=folder, moved=moved
    )


def test_two_days_share_a_space_without_labels(study: SimpleNamespace) -> None:
    windows = [study.tables["monday"], study.tables["friday"]]
    found = study.project.overlap(
        "monday", "friday", windows, labels=False, bin_s=0.1, out=study.folder / "overlap"
    )
    assert found.likeness["shape"].p < 0.05
    assert found.likeness["shape"].value > 0.7
    assert not [f for f in found.findings if f.check == "geometry"]
    assert found.sources == ("monday.latents", "friday.latents")
    latents = study.project.source("friday.latents").recording.signal
    assert latents.n_channels == 10
    assert latents.clock.segments[0].rate_hz == pytest.approx(10.0)
    assert latents.metadata["made_from"]["method"] == "transport"
    assert {p.name for p in found.files} == {"maps.npz", "facts.json", "overlap.png"}
    facts = json.loads((study.folder / "overlap" / "facts.json").read_text())
    assert facts["labels_used"] is False
    with np.load(study.folder / "overlap" / "maps.npz", allow_pickle=False) as maps:
        assert maps["b_weights"].shape == (80, 10)
    again = study.project.overlap(
        "monday", "friday", windows, labels=False, bin_s=0.1, out=study.folder / "again"
    )
    assert again.sources == found.sources


def test_axes_are_links_that_are_kept_with_the_latents(study: SimpleNamespace) -> None:
    windows = [study.tables["monday"], study.tables["friday"]]
    found = study.project.overlap(
        "monday", "friday", windows, method="procrustes", bin_s=0.1, n_axes=5, onnx=True,
        out=study.folder / "axes",
    )  # fmt: skip
    (links,) = found.links
    assert links.kind is Kind.LINKS
    assert links.n_rows == 5
    kept = study.project.store.label_sets(task="links")
    assert links.digest in {row.digest for row in kept}
    latents = study.project.source(found.sources[1])
    assert links.provenance.source == latents.fingerprint
    sure = np.asarray(links.column("confidence"), float)
    assert ((sure >= 0.5) & (sure <= 1)).all()
    assert {"map_a.onnx", "map_b.onnx"} <= {p.name for p in found.files}
    with np.load(study.folder / "axes" / "maps.npz", allow_pickle=False) as maps:
        assert_array_equal(latents.recording.signal.metadata["made_from"]["map"]["weights"],
                           maps["b_weights"])  # fmt: skip


@pytest.mark.parametrize("which", [0, 1])
def test_latents_are_exported_with_their_map(study: SimpleNamespace, which: int) -> None:
    pynwb = pytest.importorskip("pynwb")
    windows = [study.tables["monday"], study.tables["friday"]]
    found = study.project.overlap(
        "monday", "friday", windows, method="cca", bin_s=0.1, n_axes=4, out=study.folder / "nwb"
    )
    name = found.sources[which]
    arguments = ["export", str(study.path), str(study.folder / "out"), "--to", "nwb", "--draft"]
    said = CliRunner().invoke(app, [*arguments, "--task", "links", "--source", name, "--overwrite"])
    assert said.exit_code == 0, said.output
    path = study.folder / "out" / f"{name}.links.nwb"
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        module = io.read().processing["latents"]
        signal = study.project.source(name).recording.signal
        series = module["latents"]
        assert_array_equal(series.data[:], signal.read(0, signal.n_samples))
        assert series.rate == pytest.approx(10.0)
        about = json.loads(module["map"].description)
        assert about["method"] == "cca"
        assert np.stack(module["map"]["weights"][:]).shape == (100 if which == 0 else 80, 4)
        assert len(module["axis_links"]) == 4


def test_three_sources_share_a_space_and_behaviour_is_decoded(study: SimpleNamespace) -> None:
    names = ("monday", "friday", "stranger")
    arguments = ["align", str(study.path), *names, "--by", "overlap", "--bin", "0.1"]
    for name in names:
        arguments += ["--windows", str(study.tables[name])]
        arguments += ["--behaviour", str(study.moved[name])]
    said = CliRunner().invoke(
        app,
        [*arguments, "--method", "hyperalignment", "--axes", "5", "--out", str(study.folder / "3")],
    )
    assert said.exit_code == 0, said.output
    assert "source stranger.latents" in said.output
    assert "fresh" in said.output
    facts = json.loads((study.folder / "3" / "facts.json").read_text())
    assert len(facts["likeness"]) == 2
    monday_friday, _ = facts["decoders"]
    assert monday_friday["fresh"] > 0.2
    bad = CliRunner().invoke(app, ["align", str(study.path), *names])
    assert "two sources" in str(bad.exception)
    with pytest.raises(BadArgumentError, match="two or more sources"):
        study.project.overlap("monday", "monday", study.tables["monday"])
    with pytest.raises(BadArgumentError, match="a channel of"):
        study.project.overlap(
            "monday", "friday", [study.tables["monday"], study.tables["friday"]],
            behaviour=["speed"], bin_s=0.1, method="cca",
        )  # fmt: skip


def test_strangers_are_said_not_to_match(study: SimpleNamespace) -> None:
    windows = [study.tables["monday"], study.tables["stranger"]]
    found = study.project.overlap(
        "monday", "stranger", windows, labels=False, bin_s=0.1, out=study.folder / "strange"
    )
    assert found.aligned.doubts or [f for f in found.findings if f.check == "geometry"]


def test_overlap_from_the_command_line(study: SimpleNamespace) -> None:
    arguments = ["align", str(study.path), "monday", "friday", "--by", "overlap", "--bin", "0.1"]
    for name in ("monday", "friday"):
        arguments += ["--windows", str(study.tables[name])]
    said = CliRunner().invoke(app, [*arguments, "--method", "cca"])
    assert said.exit_code == 0, said.output
    assert "source friday.latents" in said.output
    none = CliRunner().invoke(app, arguments[:6])
    assert none.exit_code != 0
    assert "--windows" in str(none.exception)


def test_one_source_is_translated_into_another(study: SimpleNamespace) -> None:
    """A day with itself is a perfect pair; with another day's trials in order, there is nothing."""
    table = str(study.tables["monday"])
    arguments = ["translate", str(study.path), "monday", "monday", "--windows", table]
    said = CliRunner().invoke(
        app, [*arguments, "--bin", "0.1", "--lags", "0", "--permutations", "9"]
    )
    assert said.exit_code == 0, said.output
    facts = json.loads((study.path / "reports" / "monday~monday.map" / "facts.json").read_text())
    assert facts["skill"] > 0.5
    assert facts["p"] == pytest.approx(0.1)
    assert facts["shuffled"] < 0.2
    folder = study.path / "reports" / "monday~monday.map"
    assert (folder / "translation.png").stat().st_size > 20_000
    with np.load(folder / "map.npz", allow_pickle=False) as held:
        assert held["weights"].shape == (100, 100)
        assert held["target_units"].shape == (100,)
    bad = CliRunner().invoke(app, [*arguments, "--lags", "soon"])
    assert "whole numbers" in str(bad.exception)


def test_rules_are_carried_over_both_ways(study: SimpleNamespace) -> None:
    arguments = ["translate", str(study.path), "monday", "friday", "--unpaired", "--bin", "0.1"]
    for name in ("monday", "friday"):
        arguments += ["--windows", str(study.tables[name])]
    how = ["--axes", "6", "--steps", "2", "--permutations", "19"]
    said = CliRunner().invoke(app, [*arguments, *how])
    assert said.exit_code == 0, said.output
    folder = study.path / "reports" / "monday~friday.rule"
    facts = json.loads((folder / "facts.json").read_text())
    there, back = facts["directions"]
    assert (there["from"], there["to"], back["from"]) == ("monday", "friday", "friday")
    assert there["skill"]["own"] > 0.02
    assert {"rule", "adaptation"} <= {f["check"] for f in facts["findings"]}
    table = parquet.read_table(folder / "carried.parquet")
    assert table.num_rows == 2 * 6 * 2
    assert (folder / "friday~monday.png").stat().st_size > 20_000
    assert "The rule of monday" in said.output
    bad = CliRunner().invoke(app, [*arguments, "--method", "ridge"])
    assert "aligner" in str(bad.exception)


def test_what_is_missing_is_said(study: SimpleNamespace, tmp_path: Path) -> None:
    windows = [study.tables["monday"]] * 3
    with pytest.raises(BadArgumentError, match="windows for all"):
        study.project.overlap("monday", "friday", windows)
    with pytest.raises(BadArgumentError, match="shorter bins"):
        study.project.overlap("monday", "friday", study.tables["monday"], bin_s=30.0)
    np.savez(tmp_path / "raw.npz", data=np.zeros((4000, 2), np.float32), rate_hz=RATE_HZ)
    study.project.add(tmp_path / "raw.npz")
    with pytest.raises(MissingInputError, match="--task spikes"):
        study.project.overlap("monday", "raw", study.tables["monday"])
