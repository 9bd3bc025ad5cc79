"""The coupling loop on a study: tables, a page, and the same end after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.align.fragments import Fragment, runs
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.cli import app
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project.adding import keep

N_CONDITIONS = 12
RATE_HZ = 1000.0
BIN = 100


def add_day(project: nissl.Project, folder: Path, fragment: Fragment, name: str) -> Path:
    """A source with the fragment's spikes, and the table of its trials."""
    counts = fragment.activity.astype(int)
    first = np.zeros(len(counts), np.int64)
    lines, at = ["onset,duration,stimulus"], BIN
    for a, b in zip(*runs(fragment)[1:], strict=True):
        first[a:b] = at + np.arange(b - a) * BIN
        target = np.asarray(fragment.condition)[a]
        lines.append(f"{at / RATE_HZ},{(b - a) * BIN / RATE_HZ},target {target:02d}")
        at += (b - a + 1) * BIN
    where, unit = np.nonzero(counts)
    sample, unit = (np.repeat(v, counts[where, unit]) for v in (first[where], unit))
    noise = np.random.default_rng(len(name)).standard_normal((at, 2)).astype(np.float32)
    np.savez(folder / f"{name}.npz", data=noise, rate_hz=RATE_HZ)
    source = project.add(folder / f"{name}.npz")
    made_by = Provenance(
        "spikes", source.fingerprint, Author("model", "simulation", "1"), *source.row.streams
    )
    columns = {"item": unit + 1, "label": np.zeros(len(sample), int), "sample": sample}
    keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), made_by))
    path = folder / f"{name}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("coupled")
    rng = np.random.default_rng(5)
    subject = simulate_subject(rng)
    project = nissl.open(folder / "study")
    tables = {}
    for name in ("monday", "friday", "stranger"):
        day = simulate_day(rng, subject, n_units=40, n_trials=120, n_conditions=N_CONDITIONS)
        if name == "stranger":
            held = np.asarray(day.fragment.condition)
            other = replace(day.fragment, condition=rng.permutation(N_CONDITIONS)[held])
            day = replace(day, fragment=other)
        tables[name] = add_day(project, folder, day.fragment, name)
    project.close()
    return SimpleNamespace(path=folder / "study", tables=tables, folder=folder)


def arguments(study: SimpleNamespace, out: Path) -> list[str]:
    said = ["couple", str(study.path), *study.tables, "--bin", "0.1", "--enough", "0.9"]
    for table in study.tables.values():
        said += ["--windows", str(table)]
    return [*said, "--step", "10", "--out", str(out), "--json"]


@pytest.fixture(scope="module")
def whole(study: SimpleNamespace) -> SimpleNamespace:
    out = study.folder / "whole"
    said = CliRunner().invoke(app, arguments(study, out))
    assert said.exit_code == 0, said.output
    return SimpleNamespace(out=out, said=said.stdout, log=next(out.glob("rounds-*.jsonl")))


def test_rounds_verdict_and_wishes_are_written(whole: SimpleNamespace) -> None:
    names = {p.name for p in whole.out.iterdir()} - {whole.log.name}
    expected = {"coupling.md", "coupling.png", "facts.json"}
    assert names == expected | {
        f"{s}.{e}" for s in ("rounds", "verdict") for e in ("csv", "parquet")
    }
    facts = json.loads((whole.out / "facts.json").read_text())
    assert all("stranger" in sentence for sentence in facts["apart"])
    assert facts["apart"]
    rows = parquet.read_table(whole.out / "verdict.parquet").to_pylist()
    for row in rows:
        if "stranger" in (row["read"], row["predicted"]):
            assert not row["matches"] or row["after"] < 0
        else:
            assert row["matches"]
            assert row["after"] > row["null"]
    rounds = parquet.read_table(whole.out / "rounds.parquet").to_pylist()
    assert rounds[-1]["kind"] == "stop"
    assert facts["record_next"][0]["gain"] > 0
    page = (whole.out / "coupling.md").read_text()
    assert "What does not match" in page
    assert str(whole.out) not in page


def test_a_second_run_changes_nothing(study: SimpleNamespace, whole: SimpleNamespace) -> None:
    before = whole.log.read_bytes()
    said = CliRunner().invoke(app, arguments(study, whole.out))
    assert said.exit_code == 0, said.output
    assert whole.log.read_bytes() == before


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_end(
    study: SimpleNamespace, whole: SimpleNamespace
) -> None:
    out = study.folder / "killed"
    command = [sys.executable, "-m", "nissl", *arguments(study, out)]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    deadline = time.monotonic() + 60
    log = out / whole.log.name
    while time.monotonic() < deadline and running.poll() is None:
        if log.is_file() and len(log.read_text().splitlines()) >= 2:
            break
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert log.is_file()
    assert len(log.read_text().splitlines()) < len(whole.log.read_text().splitlines())
    said = CliRunner().invoke(app, arguments(study, out))
    assert said.exit_code == 0, said.output
    assert log.read_bytes() == whole.log.read_bytes()


def test_windows_are_asked_for(study: SimpleNamespace) -> None:
    said = CliRunner().invoke(app, ["couple", str(study.path)])
    assert said.exit_code != 0
