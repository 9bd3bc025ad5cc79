"""Windows that sources share: from speed, sleep, spans and clocks to spans that people review."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import nissl
from nissl.align.fragments import runs
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.annotators.windows.vocabulary import REST, VOCABULARY
from nissl.cli import app
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.project.adding import keep
from nissl.project.reviewing import open_room

RATE_HZ = 1000.0
REST_S = 60.0


def add_day(project, folder, subject, name, seed, *, n_units, speed=True, n_trials=96):
    """A minute of rest, reaches with pauses, a minute of rest; speed on a channel of its own."""
    rng = np.random.default_rng(seed)
    day = simulate_day(rng, subject, n_units=n_units, n_trials=n_trials, bin_s=0.1).fragment
    lines, sample, unit = ["onset,duration,stimulus"], [], []
    at = round(REST_S * RATE_HZ)
    for a, b in zip(*runs(day)[1:], strict=True):
        lines.append(f"{at / RATE_HZ},{(b - a) * 0.1},target {day.condition[a]}")
        counts = day.activity[a:b].astype(int)
        where, who = np.nonzero(counts)
        n = counts[where, who]
        sample.append(at + np.repeat(where * 100, n) + rng.integers(0, 100, n.sum()))
        unit.append(np.repeat(who, n))
        at += (b - a) * 100 + 500
    moving = slice(round(REST_S * RATE_HZ), at)
    length = at + round(REST_S * RATE_HZ)
    quiet = rng.random((n_units, length // 1000)) < 0.9
    who, when = np.nonzero(quiet)
    inside = (when * 1000 < moving.start) | (when * 1000 >= moving.stop)
    sample.append(when[inside] * 1000 + rng.integers(0, 999, inside.sum()))
    unit.append(who[inside])
    amount = np.exp(0.3 * np.repeat(rng.standard_normal(length // 500 + 1), 500)[:length])
    amount[moving] *= 20
    data = np.stack([rng.standard_normal(length), amount], axis=1).astype(np.float32)
    names = ["probe", "speed"] if speed else ["probe", "other"]
    np.savez(folder / f"{name}.npz", data=data, rate_hz=RATE_HZ, channel_names=np.array(names))
    source = project.add(folder / f"{name}.npz", subject="m1")
    sample, unit = np.concatenate(sample), np.concatenate(unit)
    order = np.argsort(sample, kind="stable")
    columns = {
        "item": unit[order] + 1,
        "label": np.zeros(len(sample), int),
        "sample": sample[order],
    }
    stream = next(iter(source.row.streams))
    made_by = Provenance("spikes", source.fingerprint, Author("model", "simulation", "1"), stream)
    keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), made_by))
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder / f"{name}.csv"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("windows")
    subject = simulate_subject(np.random.default_rng(0))
    project = nissl.open(folder / "study")
    tables = {
        name: add_day(project, folder, subject, name, k, n_units=40 + 10 * k)
        for k, name in enumerate(("monday", "friday", "sunday"))
    }
    return SimpleNamespace(project=project, path=folder / "study", tables=tables, folder=folder)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_rest_of_three_days_is_found_described_and_kept(study):
    found = study.project.windows(out=study.folder / "rest")
    (rest,) = found.overlaps
    assert rest.kind == "rest"
    assert [side.name for side in rest.sides] == ["monday", "friday", "sunday"]
    for side in rest.sides:
        assert side.seconds == pytest.approx(2 * REST_S, abs=4)
        assert side.confidence.min() > 0.9
        assert side.about.state == "rest"
    assert rest.rows()[0]["told_by"] == "speed of speed"
    assert rest.weakest[1] == ("species", "session", "region")
    assert "nissl subject" in next(f for f in found.findings if f.check == "metadata").sentence
    assert {p.name for p in found.files} == {
        "windows.csv", "windows.parquet", "facts.json", "windows.png",
    }  # fmt: skip
    table = parquet.read_table(study.folder / "rest" / "windows.parquet")
    assert table.column("units").to_pylist() == [40, 50, 60]
    facts = json.loads((study.folder / "rest" / "facts.json").read_text())
    assert facts["overlaps"][0]["completeness"] == pytest.approx(0.5)
    assert found.labels["monday"].kind is Kind.SPANS
    again = study.project.windows(out=study.folder / "again")
    assert again.labels["monday"].digest == found.labels["monday"].digest


def test_the_same_reaches_are_counted_by_condition_and_rest_stays(study):
    tables = [study.tables[n] for n in ("monday", "friday")]
    found = study.project.windows(
        ["monday", "friday"], kinds=("stimulus",), trials=tables, out=study.folder / "reaches"
    )
    (reaches,) = found.overlaps
    assert len(reaches.counts) == 8
    assert all(n == (12, 12) for n in reaches.counts.values())
    labels = found.labels["friday"]
    assert (labels.column("label") == VOCABULARY.code("rest")).sum() >= 2
    assert (labels.column("label") == VOCABULARY.code("stimulus")).sum() == 96
    again = study.project.windows(
        ["monday", "friday"], kinds=("stimulus",), trials=tables, out=study.folder / "reaches"
    )
    assert again.labels["friday"].digest == labels.digest
    both = study.project.overlap(
        "monday", "friday", "stimulus", bin_s=0.1, out=study.folder / "aligned"
    )
    assert len(both.aligned.maps) == 2


def test_windows_are_reviewed_as_spans_and_decisions_outlive_another_search(study):
    study.project.windows(["monday", "sunday"], out=study.folder / "before")
    store = study.project.store
    source = study.project.source("sunday")
    row = store.label_sets(source=source.fingerprint, task="windows")[-1]
    labels = store.get_labels(row.digest)
    desk = open_room(store).desk(row.digest)
    assert desk.view == "spans"
    rest = np.flatnonzero(labels.column("label") == VOCABULARY.code(REST))
    item = int(labels.column("item")[rest[0]])
    edit = Edit(
        uuid=uuid.uuid4(), group=uuid.uuid4(), reviewer="Ana", role="reviewer",
        base=row.digest, kind=EditKind.REJECT, items=(item,), when_s=1.0, took_s=1.0,
    )  # fmt: skip
    store.append([edit])
    n = len(rest)
    after = study.project.windows(["monday", "sunday"], least_s=11.0, out=study.folder / "after")
    left = after.labels["sunday"]
    assert (left.column("label") == VOCABULARY.code(REST)).sum() == n - 1


def test_two_devices_need_a_map_of_their_clocks(study):
    names = ["monday", "friday"]
    with pytest.raises(BadArgumentError, match=r"not mapped[\s\S]*nissl sync"):
        study.project.windows(names, kinds=("both modalities",))
    found = study.project.windows(
        names, kinds=("both modalities",), same_clock=True, out=study.folder / "both"
    )
    (both,) = found.overlaps
    shortest = min(study.project.source(n).clock("signal").duration_s for n in names)
    assert both.sides[0].seconds == pytest.approx(shortest, abs=0.1)
    assert both.rows()[0]["told_by"] == "clocks said to be one"


def test_drift_that_is_claimed_away_is_refused(study, tmp_path):
    lines = study.tables["monday"].read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    drifted = [f"{float(a) * 1.002},{b},{c}" for a, b, c in rows]
    other = tmp_path / "drifted.csv"
    other.write_text("\n".join([lines[0], *drifted]) + "\n")
    with pytest.raises(BadArgumentError, match=r"drift by 2000 ppm[\s\S]*Map the clocks"):
        study.project.windows(
            ["monday", "friday"],
            kinds=("both modalities",),
            trials=[study.tables["monday"], other],
            same_clock=True,
        )


def test_what_cannot_be_found_is_refused_with_what_would_help(study, tmp_path):
    project = study.project
    with pytest.raises(BadArgumentError, match="two or more sources"):
        project.windows(["monday"])
    with pytest.raises(BadArgumentError, match="kinds among"):
        project.windows(kinds=("lunch",))
    with pytest.raises(BadArgumentError, match="the trials or stimuli"):
        project.windows(kinds=("stimulus",))
    with pytest.raises(BadArgumentError, match="longer than nothing"):
        project.windows(least_s=0)
    with pytest.raises(BadArgumentError, match=r"no overlap[\s\S]*standardised rest"):
        project.windows(least_s=500)
    with pytest.raises(BadArgumentError, match="for each of 3 sources"):
        project.windows(kinds=("stimulus",), trials=["a", "b"])
    other = tmp_path / "other.csv"
    other.write_text(study.tables["friday"].read_text().replace("target", "tone"))
    with pytest.raises(BadArgumentError, match=r"no overlap[\s\S]*the same names"):
        project.windows(
            ["monday", "friday"], kinds=("stimulus",), trials=[study.tables["monday"], other]
        )
    own = nissl.open(tmp_path / "own")
    np.savez(tmp_path / "x.npz", data=np.zeros((5000, 2), np.float32), rate_hz=100.0)
    for k, name in enumerate(("a", "b")):
        subject = simulate_subject(np.random.default_rng(0))
        add_day(own, tmp_path, subject, name, k, n_units=9, n_trials=16)
    own.add(tmp_path / "x.npz")
    with pytest.raises(MissingInputError, match="speed, position"):
        own.windows(["a", "b"], movement="x")


def test_without_speed_the_population_is_asked_and_that_is_said(tmp_path):
    project = nissl.open(tmp_path / "study")
    subject = simulate_subject(np.random.default_rng(0))
    for k, name in enumerate(("a", "b")):
        add_day(project, tmp_path, subject, name, k, n_units=60, speed=False)
    found = project.windows()
    assert found.overlaps[0].rows()[0]["told_by"] == "the population alone"
    assert "review" in next(f for f in found.findings if f.check == "told_by").sentence
    for side in found.overlaps[0].sides:
        middle = (side.start_s + side.stop_s) / 2
        end = project.source(side.name).clock("signal").duration_s
        assert ((middle < REST_S) | (middle > end - REST_S)).all()


def test_how_much_is_needed_is_told_with_an_interval(study):
    tables = [study.tables[n] for n in ("monday", "friday")]
    found = study.project.needed(
        "monday", "friday", tables, bin_s=0.1, subsets=4, out=study.folder / "need"
    )
    need = found.need
    assert need.low <= need.windows <= need.high
    assert 16 <= need.windows <= 200
    assert need.have == 96
    assert "windows of each recording" in found.findings[0].sentence
    facts = json.loads((study.folder / "need" / "facts.json").read_text())
    assert facts["windows"] == need.windows
    with pytest.raises(BadArgumentError, match="a measure among"):
        study.project.needed("monday", "friday", tables, bin_s=0.1, measure="luck")


def test_end_to_end_from_the_command_line(study):
    done = run("windows", "find", study.path, "monday", "friday", "--json",
               "--out", study.folder / "cli")  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["source"] for row in rows] == ["monday", "friday"]
    assert rows[0]["completeness"] == 0.5
    done = run("subject", study.path, "monday", "--species", "Mus musculus", "--region", "CA1")
    assert done.exit_code == 0, done.output
    done = run("windows", "find", study.path, "monday", "friday", "--json",
               "--out", study.folder / "cli")  # fmt: skip
    rows = json.loads(done.stdout)
    assert rows[0]["missing"] == "session"
    assert rows[1]["missing"] == "species, session, region"
    done = run("align", study.path, "monday", "friday", "--by", "overlap", "--windows", "rest",
               "--bin", "0.5", "--axes", "3", "--out", study.folder / "resting")  # fmt: skip
    assert done.exit_code == 0, done.output
    done = run("export", study.path, study.folder / "spans", "--to", "csv", "--task", "windows",
               "--draft", "--source", "monday")  # fmt: skip
    assert done.exit_code == 0, done.output
    with pytest.raises(BadArgumentError, match="trials that both sources have"):
        run("windows", "need", study.path, "monday", "friday")
    done = run("windows", "held", study.path, "monday", "--minutes", "0.5", "--json", "--axes", "3",
               "--permutations", "19", "--out", study.folder / "held")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)) >= 6
    newest = study.project.store.label_sets(
        source=study.project.source("monday").fingerprint, task="windows"
    )[-1]
    names = study.project.store.get_labels(newest.digest).column("label")
    assert {VOCABULARY.names[k] for k in names.tolist()} >= {"rest", "fragment"}
