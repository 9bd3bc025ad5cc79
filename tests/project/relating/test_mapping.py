"""Error maps of a project: what is kept, what goes on after a stop, and who is left out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.align.errormap.simulate import PLANTED
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.links import DIFFERENT, LINKED, SAME
from nissl.cli import app
from nissl.errors import BadArgumentError, MissingInputError
from nissl.io.curation import class_set
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.project.adding import keep
from nissl.testing.days import add_day

NAMES = ("monday", "friday", "stranger")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("map")
    rng = np.random.default_rng(0)
    subject, strange = simulate_subject(rng), simulate_subject(np.random.default_rng(77))
    tables = {}
    with nissl.open(folder / "study") as project:
        for k, (name, who) in enumerate(zip(NAMES, (subject, subject, strange), strict=True)):
            day = simulate_day(rng, who, n_units=100 - 10 * k, n_trials=96)
            tables[name] = add_day(project, folder, day, name, k)
    return SimpleNamespace(path=folder / "study", tables=tables, folder=folder)


def arguments(study: SimpleNamespace, *more: str) -> list[str]:
    out = ["errormap", str(study.path), *NAMES, "--bin", "0.1", "--workers", "1"]
    for name in NAMES:
        out += ["--windows", str(study.tables[name])]
    return [*out, *more]


def test_the_error_map_tells_whom_a_day_predicts(study: SimpleNamespace) -> None:
    said = CliRunner().invoke(app, arguments(study, "--json"))
    assert said.exit_code == 0, said.output
    folder = study.path / "reports" / "errormap"
    rows = parquet.read_table(folder / "errormap.parquet").to_pylist()
    skill = {(r["read"], r["predicted"]): r["relative"] for r in rows}
    assert len(rows) == 9
    assert skill["monday", "friday"] > skill["monday", "stranger"]
    facts = json.loads((folder / "facts.json").read_text())
    assert {r["name"] for r in facts["reasons"]} == set(PLANTED)
    assert facts["groups"]["n"] == 1
    assert "too few to tell groups" in said.output
    assert "predicted from" in said.output
    assert (folder / "errormap.png").stat().st_size > 5000
    with np.load(folder / "cells.npz", allow_pickle=False) as cells:
        predicted, came = cells["axes_0"][1], cells["came_axes_1"]
    told = np.corrcoef(predicted.ravel(), came.ravel())[0, 1]
    assert told > 0.7, "a day of one subject is predicted well"
    assert not list((study.path / "work").glob("*/errormap-*")), "rows are kept until the end"


def test_noise_is_left_out_and_told(study: SimpleNamespace, tmp_path: Path) -> None:
    with nissl.open(study.path) as project:
        source = project.source("monday")
        (row,) = project.store.label_sets(source=source.fingerprint, task="spikes")
        units = project.store.get_labels(row.digest)
        proposed = class_set(units, {7: "noise", 8: "noise"}, Author("model", "curation/x", "1"))
        keep(project.store, proposed)
        accepted = int(proposed.column("item")[proposed.column("target") == 7][0])
        base = project.store.label_sets(source=source.fingerprint, task="curation")[-1].digest
        project.store.append(
            [
                Edit(
                    uuid=uuid.uuid4(), group=uuid.uuid4(), reviewer="Ann", role="reviewer",
                    base=base, kind=EditKind.ACCEPT, items=(accepted,), when_s=1.0, took_s=1.0,
                )
            ]
        )  # fmt: skip
        names = {1: "noise", 2: "noise", 3: "good"}
        keep(project.store, class_set(units, names, Author("person", "Ann")))
        tables = [study.tables[name] for name in NAMES[:2]]
        found = project.errormap(tables, NAMES[:2], bin_s=0.1, permutations=9, out=tmp_path / "a")
        # A proposal that nobody decided on takes no unit away; unit 7 was accepted to be noise.
        assert found.left_out == {"monday": 3, "friday": 0}
        every = project.errormap(
            tables, NAMES[:2], bin_s=0.1, permutations=9, out=tmp_path / "b", everything=True
        )
        assert every.left_out == {"monday": 0, "friday": 0}
        facts = json.loads((tmp_path / "a" / "facts.json").read_text())
        assert facts["units"][0] == 97
        all_noise = {unit: "noise" for unit in units.items.tolist()}
        keep(project.store, class_set(units, all_noise, Author("person", "Eve")))
        with pytest.raises(MissingInputError, match="not called noise"):
            project.errormap(tables, NAMES[:2], bin_s=0.1)
        keep(project.store, class_set(units, {1: "good"}, Author("person", "Zoe")))


def test_units_that_links_call_the_same_are_known(study: SimpleNamespace, tmp_path: Path) -> None:
    with nissl.open(study.path) as project:
        sources = [project.source(name) for name in NAMES[:2]]
        sets = [
            project.store.label_sets(source=s.fingerprint, task="spikes")[0].digest for s in sources
        ]
        n = 30
        columns = {
            "item": np.arange(n),
            "label": np.where(np.arange(n) < 25, SAME, DIFFERENT),
            "a": np.arange(n) + 1,
            "b": np.arange(n) + 11,
        }
        made = Provenance(
            "links", sources[0].fingerprint, Author("model", "test", "1"), targets=tuple(sets)
        )
        keep(project.store, LabelSet.build(Kind.LINKS, columns, LINKED, made))
        tables = [study.tables[name] for name in NAMES[:2]]
        found = project.errormap(
            tables, NAMES[:2], bin_s=0.1, permutations=9, everything=True, out=tmp_path / "a"
        )
        facts = json.loads((tmp_path / "a" / "facts.json").read_text())
        forth, back = facts["same"]
        assert forth["places"] == back["places"][::-1]
        assert forth["places"][0] == list(range(25))
        assert forth["places"][1] == list(range(10, 35))
        told = next(r for r in found.reasons if r.name == "remapping")
        assert told.tested


def test_fields_that_are_not_known_are_asked_for(study: SimpleNamespace) -> None:
    said = CliRunner().invoke(app, arguments(study, "--group", "colour"))
    assert "a field among" in str(said.exception)
    said = CliRunner().invoke(app, arguments(study, "--group", "region"))
    assert isinstance(said.exception, BadArgumentError)
    assert "a region of every source" in str(said.exception)
    table = study.folder / "about.csv"
    table.write_text("source,region,subject\nmonday,M1,a\nfriday,M1,b\nstranger,V1,c\n")
    out = str(study.folder / "about")
    more = ("--group", "region", "--about", str(table), "--permutations", "9", "--out", out)
    said = CliRunner().invoke(app, arguments(study, *more))
    assert said.exit_code == 0, said.output
    assert "not testable, because animals can be exchanged in 3 ways only" in said.output
    facts = json.loads((study.folder / "about" / "facts.json").read_text())
    assert facts["explained"][0]["by"] == "region"
    for text in ("source,colour\nmonday,red\n", "source,region\nsunday,M1\n"):
        table.write_text(text)
        said = CliRunner().invoke(app, arguments(study, *more))
        assert isinstance(said.exception, BadArgumentError)
    table.unlink()
    said = CliRunner().invoke(app, arguments(study, *more))
    assert "a table of sources" in str(said.exception)


SLOW = """
import sys, time
from nissl.align.errormap import maps as errormap
from nissl.align.errormap.simulate import PLANTED
from nissl.cli import app
inner = errormap.read_row
def read_row(plan, chunk):
    if chunk.start == 2:
        print("third", flush=True)
        time.sleep(60)
    return inner(plan, chunk)
read_row.__module__, read_row.__qualname__ = inner.__module__, inner.__qualname__
errormap.read_row = read_row
app()
"""


def test_a_map_that_was_killed_goes_on_where_it_was(study: SimpleNamespace) -> None:
    given = arguments(study, "--permutations", "19", "--out", str(study.folder / "resumed"))
    run = [sys.executable, "-c", SLOW, *given]
    started = subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    assert started.stdout is not None
    until = time.monotonic() + 120
    while "third" not in (started.stdout.readline() or "third") and time.monotonic() < until:
        pass
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    rows = sorted((study.path / "work").glob("*/errormap-*/*.npz"))
    assert len(rows) == 2
    computed: list[int] = []
    from nissl.align.errormap import maps as errormap

    inner = errormap.read_row

    def counted(plan, chunk):  # type: ignore[no-untyped-def]
        if len(plan.fragments) == 3:  # a row of the map, no reading for reasons
            computed.append(chunk.start)
        return inner(plan, chunk)

    counted.__module__, counted.__qualname__ = inner.__module__, inner.__qualname__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errormap, "read_row", counted)
        said = CliRunner().invoke(app, given)
    assert said.exit_code == 0, said.output
    assert computed == [2]
    given[-1] = str(study.folder / "whole")
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 0
    for name in ("errormap.parquet", "cells.npz", "populations.npz"):
        whole, resumed = (study.folder / f / name for f in ("whole", "resumed"))
        assert whole.read_bytes() == resumed.read_bytes()
