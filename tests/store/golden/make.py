"""Makes a golden project: ``python tests/store/golden/make.py NEW_FOLDER``.

It was run once per format version and its output is committed; a later nissl must open that
output and find exactly `expected` in it. Never run it over a folder that is there.

Inventory of v1: two sources (one with a subject, one moved since), spikes (EVENTS, 6 rows,
2 units) with two item tables, curation (CLASSES), a head moved twice, findings of two checks,
a finished, a failed and a running run, four edits by two reviewers (one undone), one array.
v2 has in addition: two questions (one answered), two models, the head of a task's model moved
twice, a setting set twice.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.store import QuestionRow, SourceRow, Store

F1, F2 = "1" * 64, "2" * 64


def spikes() -> LabelSet:
    provenance = Provenance(
        "spikes",
        F1,
        Author("model", "spikes/lupin", "1"),
        stream="ap",
        parameters={"threshold_uv": 50.5},
        seed=3,
        packages={"numpy": "1.26"},
    )
    columns = {
        "sample": [10, 20, 30, 40, 50, 60],
        "item": [0, 1, 0, 1, 0, 1],
        "amplitude": [-80.0, -60.5, -81.25, -61.0, -79.0, -60.0],
        "channel": [3, 4, 3, 4, 3, 4],
    }
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)


def curation() -> LabelSet:
    provenance = Provenance(
        "curation", F1, Author("person", "anna"), stream="ap", targets=(spikes().digest,)
    )
    columns = {"target": [0, 1], "label": [0, 2], "probabilities": None}
    return LabelSet.build(Kind.CLASSES, columns, ("good", "mua", "noise"), provenance)


def items(snr: float) -> ItemTable:
    table = pa.table({"item": pa.array([0, 1]), "snr": pa.array([snr, float("nan")])})
    template = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    return ItemTable(spikes().digest, table, {"snr": ""}, {"template": template}, {"n_before": 1})


def edits() -> list[Edit]:
    base, group = spikes().digest, UUID(int=77)
    return [
        Edit(UUID(int=1), EditKind.MERGE, base, (0, 1), "anna", 1000.25, group=group, took_s=2.5),
        Edit(UUID(int=2), EditKind.NOTE, base, (1,), "ben µ", 1001.0, {"text": 'so "so"\n'}),
        Edit(UUID(int=3), EditKind.UNDO, base, (), "anna", 1002.0, {"target": str(UUID(int=1))}),
        Edit(
            UUID(int=4), EditKind.ACCEPT, base, (0,), "ben µ", 1003.0, {}, None, "adjudicator",
            UUID(int=2),
        ),
    ]  # fmt: skip


def array() -> np.ndarray:
    return np.array([[1.5, np.nan], [-0.0, 1e300]])


def fill(store: Store) -> None:
    store.add_source(
        SourceRow(F1, "night1", "raw/night1.bin", "raw", {"rate_hz": 30000}, {"id": "m1"},
                  {"day": "2026-11-21"}, {"ap": {"rate_hz": 30000.0, "n_samples": 100}},
                  hashed=(10**18, 200))
    )  # fmt: skip
    store.add_source(SourceRow(F2, "night1", "/data/old.bin", "spikeglx"))
    store.update_source(F2, path="/data/new.bin", full_hash="e" * 64)
    for labels in (spikes(), curation()):
        store.put_labels(labels)
    for snr in (1.0, 5.5):
        store.record_labels(spikes().digest, items=store.put_items(items(snr)), run="a" * 64)
    store.record_labels(curation().digest)
    store.set_head(F1, "spikes", spikes().digest, by="anna")
    store.set_head(F1, "spikes", spikes().digest, by="ben µ")
    store.record_findings(spikes().digest, [{"check": "old", "severity": "note"}])
    finding = {"check": "snr", "severity": "warning", "sentence": "low", "item": 1, "value": 0.5}
    store.record_findings(spikes().digest, [finding])
    store.start_run("a" * 64, {"annotator": "spikes/lupin", "seed": 3})
    store.finish_run("a" * 64, outputs=[spikes().digest], log={"wall_s": 1.5})
    store.start_run("b" * 64, {})
    store.fail_run("b" * 64, "no spikes")
    store.start_run("c" * 64, {})
    store.append(edits()[:2])
    store.append(edits()[2:])
    store.put_array(array())
    fill_review(store)


def fill_review(store: Store) -> None:
    base = spikes().digest
    asked = [
        QuestionRow(UUID(int=21), base, 0, "margin", 0.5, {"probability": 0.25}),
        QuestionRow(UUID(int=22), base, None, "audit", body={"reason": "µ"}),
    ]
    store.ask(asked)
    store.append([edits()[3]], answering=UUID(int=21))
    for version in ("1", "2"):
        card = {"task": "curation", "name": "curation/nissl", "version": version}
        store.put_model({"model.txt": f"tree {version}".encode()}, card)
    for model in store.models("curation"):
        store.set_model_head("curation", model.digest, by="anna")
    store.set_setting("reader:anna", {"keys": {"accept": "a"}})
    store.set_setting("reader:anna", {"keys": {}})


def content(store: Store) -> dict[str, Any]:
    """All that the store can tell, as plain values."""
    from nissl.labels.digest import digest_array

    digest = spikes().digest
    row = store.label_sets()[0]
    return {
        "name": store.name,
        "sources": [asdict(s) for s in store.sources()],
        "history": store.source_history(F2),
        "labels": [asdict(r) for r in store.label_sets()],
        "spikes": store.get_labels(digest).table.to_pylist(),
        "curation": store.get_labels(curation().digest).table.to_pylist(),
        "provenance": store.get_labels(digest).provenance.to_json(),
        "snr": store.get_items(row.items or "").table.column("snr").to_pylist()[0],
        "template": store.get_items(row.items or "").arrays["template"].tolist(),
        "heads": [asdict(m) for m in store.head_history(F1, "spikes")],
        "findings": store.findings(digest),
        "runs": [asdict(run) for letter in "abcd" if (run := store.run(letter * 64))],
        "edits": [e.to_json() for e in store.edits()],
        "questions": [_plain(q) for q in store.questions()],
        "models": [asdict(m) for m in store.models()],
        "files": [sorted(store.get_model(m.digest)[0]) for m in store.models()],
        "model_heads": [asdict(m) for m in store.model_head_history("curation")],
        "setting": store.setting("reader:anna"),
        "array": [repr(x) for x in store.get_array(digest_array(array())).ravel().tolist()],
    }


def _plain(question: QuestionRow) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, UUID) else v for k, v in asdict(question).items()}


def make(folder: Path) -> dict[str, Any]:
    clock = iter(range(100, 10_000))
    with Store.open(folder, now=lambda: float(next(clock))) as store:
        fill(store)
        return content(store)


if __name__ == "__main__":
    import json

    target = Path(sys.argv[1])
    if target.exists():
        sys.exit(f"{target} is there already")
    expected = make(target)
    (target / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False))
