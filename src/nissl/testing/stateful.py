"""Stateful test of a store against a plain model in memory.

Hypothesis calls the methods of `StoreMachine` in any order and compares after each step what
the store tells with what plain lists and dicts remember; on failure it prints the shortest
sequence that shows the fault. Subclass it and override `open_store` to test another database::

    class TestShared(StoreMachine.TestCase): ...

Reopening is one of the steps, so nothing may live in the process only.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nissl.errors import BadEditError, MissingInputError
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.store import SourceRow, Store

_SEEDS = st.integers(0, 4)
_NAMES = st.sampled_from(["anna", "ben", "µ ☃"])


def small_labels(seed: int) -> LabelSet:
    """Label set of a few events; another one for every seed."""
    provenance = Provenance("spikes", f"f{seed % 2}", Author("model", "m"), seed=seed)
    columns = {"sample": np.arange(seed + 1), "item": np.arange(seed + 1) % 2}
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)


def small_items(seed: int, value: float) -> ItemTable:
    """Item table of `small_labels` of the same seed."""
    import pyarrow as pa

    labels = small_labels(seed)
    table = pa.table({"item": labels.items, "snr": np.full(labels.items.size, value)})
    return ItemTable(labels.digest, table, {"snr": ""})


class StoreMachine(RuleBasedStateMachine):
    """The steps, the model and the comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nissl-stateful-"))
        self.store: Store = self.open_store(self.folder / "p")
        self.edits: list[Edit] = []
        self.put: set[int] = set()
        self.recorded: dict[int, str | None] = {}
        self.heads: dict[str, list[tuple[str, str]]] = {"f0": [], "f1": []}
        self.sources: dict[str, SourceRow] = {}
        self.runs: dict[str, tuple[str, int]] = {}
        self.found: dict[int, list[dict[str, Any]]] = {}

    def open_store(self, path: Path) -> Store:
        """Open the store under test; override it for another database."""
        return Store.open(path, database="sqlite")

    def teardown(self) -> None:
        """Close the store and remove its folder."""
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize()
    def begin(self) -> None:
        """Start from an empty project."""
        assert self.store.sources() == []

    @rule()
    def reopen(self) -> None:
        """Close and open again."""
        identity = self.store.id
        self.store.close()
        self.store = self.open_store(self.folder / "p")
        assert self.store.id == identity

    @rule(
        number=st.integers(0, 12),
        reviewer=_NAMES,
        seed=_SEEDS,
        text=st.text(st.characters(codec="utf-8"), max_size=5),
        when_s=st.floats(0, 2e9),
    )
    def append(self, number: int, reviewer: str, seed: int, text: str, when_s: float) -> None:
        """Append an edit, whose uuid may have been used before."""
        base = small_labels(seed).digest
        payload = {"text": text}
        edit = Edit(UUID(int=number), EditKind.NOTE, base, (1,), reviewer, when_s, payload)
        known = next((e for e in self.edits if e.uuid == edit.uuid), None)
        if known is not None and known != edit:
            try:
                self.store.append([edit])
            except BadEditError:
                return
            raise AssertionError("a uuid was taken twice")
        self.store.append([edit, edit])
        self.edits += [] if known else [edit]

    @rule(number=st.integers(0, 12))
    def retry(self, number: int) -> None:
        """Send all edits again, and one that does not fit, which refuses the whole batch."""
        self.store.append(self.edits)
        if self.edits:
            other = replace(self.edits[number % len(self.edits)], role="someone else")
            fresh = replace(other, uuid=UUID(int=10**6))
            try:
                self.store.append([fresh, other])
            except BadEditError:
                return
            raise AssertionError("a changed edit was taken")

    @rule(seed=_SEEDS)
    def put_labels(self, seed: int) -> None:
        """Keep a label set."""
        assert self.store.put_labels(small_labels(seed)) == small_labels(seed).digest
        self.put.add(seed)

    @rule(seed=_SEEDS, value=st.none() | st.floats(0, 9))
    def record(self, seed: int, value: float | None) -> None:
        """Put a label set on record, with or without an item table."""
        digest = small_labels(seed).digest
        if seed not in self.put:
            try:
                self.store.record_labels(digest)
            except MissingInputError:
                return
            raise AssertionError("a label set was recorded that is not there")
        items = None if value is None else self.store.put_items(small_items(seed, value))
        self.store.record_labels(digest, items=items)
        self.recorded[seed] = items or self.recorded.get(seed)

    @rule(seed=_SEEDS, by=_NAMES)
    def move_head(self, seed: int, by: str) -> None:
        """Move a head."""
        labels = small_labels(seed)
        source = labels.provenance.source
        try:
            self.store.set_head(source, "spikes", labels.digest, by=by)
        except MissingInputError:
            assert seed not in self.recorded
            return
        assert seed in self.recorded
        self.heads[source].append((labels.digest, by))

    @rule(seed=_SEEDS, values=st.lists(st.floats(allow_nan=False), max_size=3))
    def check(self, seed: int, values: list[float]) -> None:
        """Record findings."""
        found = [{"check": "c", "severity": "note", "value": v, "item": None} for v in values]
        self.store.record_findings(small_labels(seed).digest, found)
        self.found[seed] = found

    @rule(number=st.integers(0, 5), name=_NAMES)
    def add_source(self, number: int, name: str) -> None:
        """Add a source, whose name or fingerprint may be taken."""
        row = self.store.add_source(SourceRow(f"{number}abc", name, f"raw/{number}", "raw"))
        if row.fingerprint in self.sources:
            assert row == self.sources[row.fingerprint]
        else:
            assert row.name not in {s.name for s in self.sources.values()}
        self.sources[row.fingerprint] = row

    @rule(number=st.integers(0, 5), subject=_NAMES)
    def update_source(self, number: int, subject: str) -> None:
        """Change a source's subject."""
        key = f"{number}abc"
        try:
            row = self.store.update_source(key, subject={"id": subject})
        except MissingInputError:
            assert key not in self.sources
            return
        self.sources[key] = replace(self.sources[key], subject={"id": subject})
        assert row == self.sources[key]

    @rule(job=st.sampled_from(["j1", "j2"]), action=st.sampled_from(["start", "fail", "finish"]))
    def run(self, job: str, action: str) -> None:
        """Start, fail or finish a job."""
        state, attempts = self.runs.get(job, ("", 0))
        try:
            if action == "start":
                self.store.start_run(job, {"job": job})
            elif action == "fail":
                self.store.fail_run(job, "why")
            else:
                self.store.finish_run(job, outputs=[job], log={})
        except MissingInputError:
            assert not state
            return
        if action == "finish":
            self.runs[job] = ("finished", attempts)
        elif state != "finished":
            new = "running" if action == "start" else "failed"
            self.runs[job] = (new, attempts + (action == "start"))

    @invariant()
    def same(self) -> None:
        """Store and model tell the same."""
        assert self.store.edits() == self.edits
        rows = self.store.label_sets()
        assert [(r.digest, r.items) for r in rows] == [
            (small_labels(seed).digest, items) for seed, items in self.recorded.items()
        ]
        assert self.store.sources() == list(self.sources.values())
        for source, moves in self.heads.items():
            told = [(m.digest, m.by) for m in self.store.head_history(source, "spikes")]
            assert told == moves
        for job, (state, attempts) in self.runs.items():
            told_run = self.store.run(job)
            assert told_run is not None
            assert (told_run.state, told_run.attempts) == (state, attempts)
        for seed, found in self.found.items():
            assert self.store.findings(small_labels(seed).digest) == found
        for seed in self.put:
            assert self.store.get_labels(small_labels(seed).digest) == small_labels(seed)
