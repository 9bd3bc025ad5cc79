"""Answers of neurons to stimuli: from traces or rates to labels, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from nissl.annotators.rates.traces import HIGH, LOW, items_of
from nissl.annotators.responses.answers import Window
from nissl.annotators.responses.measured import AUTHOR, TASK, Neurons, measured
from nissl.annotators.responses.table import rows
from nissl.data import Signal
from nissl.data.channels import BRAIN, MOVIE, SPIKING
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import ItemTable, LabelSet, Provenance
from nissl.labels.atomic import make_folder
from nissl.labels.replay import Rule
from nissl.project.adding import keep
from nissl.project.annotating import items_of as item_table_of
from nissl.project.deriving import labels_behind, lineage, made_from
from nissl.project.source import Source
from nissl.project.stimulating import find_stimuli
from nissl.project.writing import write_facts, write_table
from nissl.store import Store
from nissl.tasks import Finding

MOST_VALUES = 1 << 28
"""Samples of all traces that are held at once (2 GB)."""


@dataclass(frozen=True)
class Answers:
    """What was measured, already kept in the project.

    Parameters
    ----------
    labels : LabelSet
        CLASSES of the task "responses": a row for each neuron and stimulus.
    items : ItemTable
        Effects, P, Q, mean courses, answers of single trials.
    table : pyarrow.Table
        A row for each neuron, stimulus and measure, comparisons between stimuli among them.
    findings : tuple of Finding
    files : tuple of Path
        Tables and pictures that were written, where a folder was named.
    """

    labels: LabelSet
    items: ItemTable
    table: pa.Table
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def respond(
    store: Store,
    source: Source,
    stimuli: str | Path,
    *,
    before_s: float = 3.0,
    after_s: float = 3.0,
    duration_s: float | None = None,
    outside: str = "error",
    permutations: int | None = None,
    q: float = 0.05,
    seed: int = 0,
    stream: str | None = None,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Answers:
    """Measure answers and keep them; see `nissl.project.Project.responses`."""
    _require(before_s, after_s, permutations, q)
    signal = _traces(store, source, stream)
    told = find_stimuli(
        store,
        source,
        signal.name,
        stimuli,
        duration_s=duration_s,
        outside=outside,
        resolve=resolve,
    )
    neurons, of_neurons = _neurons(store, source, signal)
    made_by = Provenance(
        task=TASK,
        source=source.fingerprint,
        stream=signal.name,
        author=AUTHOR,
        parameters={
            "stimuli": Path(stimuli).name,
            "before_s": before_s,
            "after_s": after_s,
            "duration_s": duration_s,
            "outside": outside,
            "permutations": permutations,
            "q": q,
            "traces": made_from(source),
        },
        seed=seed,
        made_from=(*told.labels, *of_neurons),
    )
    labels, items, findings = measured(
        neurons,
        told.stimuli,
        Window(before_s, after_s),
        made_by,
        permutations=permutations,
        q=q,
    )
    if told.lost:
        sentence = f"{told.lost} stimuli at times that were not recorded were left out."
        lost = Finding("outside", "warning", sentence, value=told.lost, limit=0)
        findings = (lost, *findings)
    digest = keep(store, labels, items=store.put_items(items))
    store.record_findings(digest, [each.to_json() for each in findings])
    table = rows(items)
    files = () if out is None else tuple(_written(labels, items, table, Path(out)))
    return Answers(labels, items, table, findings, files)


def _require(before_s: float, after_s: float, permutations: int | None, q: float) -> None:
    if not (0 < before_s <= 3600 and 0 < after_s <= 3600):
        raise BadArgumentError(
            "seconds before and after a stimulus above 0",
            f"{before_s!r} and {after_s!r}",
            "Give --before 3 --after 3.",
        )
    if permutations is not None and not 99 <= permutations <= 1_000_000:
        raise BadArgumentError(
            "permutations from 99 to 1,000,000", f"{permutations}", "2000 give P down to 0.0005."
        )
    if not 0 < q < 1:
        raise BadArgumentError("a false discovery rate between 0 and 1", f"{q!r}", "Give --q 0.05.")


def _traces(store: Store, source: Source, stream: str | None) -> Signal:
    """The stream of traces of a source."""
    kinds = {name: str(facts.get("kind")) for name, facts in source.row.streams.items()}
    fitting = [name for name, kind in kinds.items() if kind not in (*SPIKING, *BRAIN, MOVIE)]
    chosen = stream if stream in fitting else (fitting[0] if len(fitting) == 1 else None)
    if chosen is None or (stream is not None and stream != chosen):
        derived = [
            row.name
            for row in store.sources()
            if row.format == "derived"
            and source.fingerprint in {e.fingerprint for e in lineage(store, Source(row, store))}
        ]
        raise BadArgumentError(
            f"traces or rates of neurons, a channel each: {fitting or derived or 'none'}",
            f"{stream or source.name!r} with {kinds}",
            f"Name one of these, or make them: nissl traces {store.path} {source.name}",
        )
    signal = source.recording[chosen]
    if signal.n_samples * signal.n_channels > MOST_VALUES:
        raise BadArgumentError(
            f"at most {MOST_VALUES:,} samples of all traces",
            f"{signal.n_samples * signal.n_channels:,}",
            "Cut the recording into sessions.",
        )
    return signal


def _neurons(store: Store, source: Source, signal: Signal) -> tuple[Neurons, tuple[str, ...]]:
    """Traces with names of the neurons, and the digest of the labels that tell who is who."""
    ids = signal.channels.ids
    own = [k for k, name in enumerate(ids) if not name.endswith((LOW, HIGH))]
    parts = [signal.read(s.start, s.stop, own) for s in signal.clock.segments]
    values = np.concatenate(parts).astype(np.float64)
    if not np.isfinite(values).any():
        raise BadLabelsError(
            f"traces of {source.name!r} with numbers", "none", "Look at what they were made from."
        )
    items = items_of([ids[k] for k in own])
    order = np.argsort(items)
    names: dict[int, str] = {}
    digest = labels_behind(store, source)
    table = None if digest is None else item_table_of(store, digest)
    if table is not None and "name" in table.table.column_names:
        said = table.table.column("name").to_pylist()
        names = {int(i): str(n) for i, n in zip(table.items, said, strict=True) if n}
    unit = str(signal.metadata.get("unit", "")).partition(",")[0]
    sorted_items = np.asarray(items, np.int64)[order]
    called = [names.get(int(i), "") for i in sorted_items]
    traced = Neurons(values[:, order], signal.clock, sorted_items, called, unit)
    return traced, () if digest is None else (digest,)


def _written(labels: LabelSet, items: ItemTable, table: pa.Table, folder: Path) -> Sequence[Path]:
    """Tables, what they were made from, and pictures."""
    from nissl.report.response_plots import write_plots

    make_folder(folder)
    tables = write_table(table, folder, "responses")
    facts = {
        "labels": labels.digest,
        "provenance": labels.provenance.to_json(),
        "measured": {k: v for k, v in items.context.items() if k != "times_s"},
    }
    return (*tables, write_facts(facts, folder), *write_plots(items, folder))


__all__ = ["Answers", "respond"]
