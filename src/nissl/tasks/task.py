"""A Task says what a kind of annotation needs and gives, and how it is judged and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from nissl.data import Recording, Signal
from nissl.data.channels import SPIKING
from nissl.labels import Edit, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.run.context import Context
from nissl.tasks.contracts import Finding, Inputs

Match = Callable[[LabelSet, LabelSet, ItemTable | None, ItemTable | None], Mapping[int, int]]


@dataclass(frozen=True)
class Task:
    """A kind of annotation.

    Parameters
    ----------
    name : str
    gives : Kind
    vocabulary : Vocabulary
    needs : tuple of str
        Tasks whose current labels must exist first.
    methods : tuple of str
        Its built-in methods, the best first; the default is the first installed.
    describe : callable
        ``(labels, inputs, context) -> ItemTable``: facts about the items.
    update : callable
        ``(items, edit) -> ItemTable``: cheap update of those facts after an edit.
    check : callable
        ``(labels, items, inputs | None, context) -> list of Finding``: of the labels, and of
        the recording when `inputs` is given.
    score : callable
        ``(proposal, truth) -> mapping of str to float``: the field's own metrics.
    simulate : callable
        ``(seed, **size) -> (Recording, truth LabelSet)``.
    streams : tuple of str
        Kinds of the streams that it is meant for (`nissl.data.channels`).
    match : callable, optional
        ``(old, new, old_items, new_items) -> {old item: new item}``, one to one: items of two
        runs that are the same thing. By default as `nissl.labels.compare` matches.
    open_vocabulary : bool
        Whether methods and models bring classes of their own; `vocabulary` is then a usual one,
        and the last class of every vocabulary means that none of the others is claimed.
    denies : bool
        Whether the last class is a decision of its own ("nothing happens here", "not cell") rather
        than an abstention; an item that people removed then counts as decided so, but for a
        region whose place another one holds.
    view : str
        Name of the view of the review app that shows its sets; that of its kind by default.
    evidence : tuple of str
        Authors of sets that are measured, not proposed (a test of light responses, say): they
        count as decisions when a model learns.
    remarks : callable, optional
        ``(needed labels, their items or None) -> list of Finding``: what `check` tells of the
        labels that the task needs, whatever it proposes; told again when another model is put
        into use.
    """

    name: str
    gives: Kind
    vocabulary: Vocabulary
    needs: tuple[str, ...]
    methods: tuple[str, ...]
    describe: Callable[[LabelSet, Inputs, Context], ItemTable]
    update: Callable[[ItemTable, Edit], ItemTable]
    check: Callable[[LabelSet, ItemTable | None, Inputs | None, Context], list[Finding]]
    score: Callable[[LabelSet, LabelSet], Mapping[str, float]]
    simulate: Callable[..., tuple[Recording, LabelSet]]
    streams: tuple[str, ...] = SPIKING
    match: Match | None = None
    open_vocabulary: bool = False
    denies: bool = False
    view: str = ""
    evidence: tuple[str, ...] = ()
    remarks: Callable[[LabelSet, ItemTable | None], list[Finding]] | None = None


@dataclass(frozen=True)
class Dossier:
    """All that is known about one source and task: what reports and exporters are given.

    Parameters
    ----------
    labels : LabelSet
        The set that is reported or exported.
    items : ItemTable, optional
    recording : Recording, optional
        None when the raw file is gone; what then cannot be shown is said.
    stream : str
    classes : tuple of LabelSet
        CLASSES sets whose target is `labels` (quality, cell type), each by its author.
    events : mapping of str to LabelSet
        Named EVENTS and SPANS of the session (TTL lines, trials, behaviour), already on the
        clock of `stream`.
    findings : tuple of Finding
    log : mapping
        The run's log (see `Result`).
    source : mapping
        JSON facts of the source row: path as stored, format, subject, session, fingerprint.
    reviewed : float
        Fraction of items that a person has decided on, 0 to 1.
    draft : bool
        Whether no person has moved the head here.
    proposed : Provenance, optional
        Of the set that people decided on, where `labels` is what became of it.
    decided_by : mapping of int to str
        Who decided on an item of `labels`; items that nobody decided on are absent.
    signals : mapping of str to Signal
        Derived signals of the items (traces, rates) by name; channels are named by item.
    images : mapping of str to ndarray, shape (z, y, x), float32
        Pictures of the field that the labels lie in ("mean", "max", "correlation"), NaN where
        unknown.
    answers : mapping of str to ItemTable
        Answers of the items to stimuli (the task "responses"), by the source of their traces.
    """

    labels: LabelSet
    items: ItemTable | None = None
    recording: Recording | None = None
    stream: str = ""
    classes: tuple[LabelSet, ...] = ()
    events: Mapping[str, LabelSet] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    log: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    reviewed: float = 0.0
    draft: bool = True
    proposed: Provenance | None = None
    decided_by: Mapping[int, str] = field(default_factory=dict)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    images: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    answers: Mapping[str, ItemTable] = field(default_factory=dict)

    @property
    def made_by(self) -> Provenance:
        """How the labels came about before people decided on some of them."""
        return self.proposed or self.labels.provenance
