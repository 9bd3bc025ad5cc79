"""The contracts that annotators, learners and checks fulfil.

A Task says what a kind of annotation needs and gives; an Annotator is one method for it; a
Learner is an annotator that can be fitted. Everything generic is written over these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nissl.data import Recording, Signal
from nissl.errors import BadArgumentError
from nissl.labels import Edit, FeatureTable, ItemTable, Kind, LabelSet, Vocabulary
from nissl.registry import Registry
from nissl.run.context import Context

if TYPE_CHECKING:
    from nissl.trust.novelty import Verdict

SEVERITIES = ("note", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """Something doubtful, with the number behind it and a sentence a person understands.

    Parameters
    ----------
    check : str
        Name of the check ("isi_violations", "dead_channels", "clock_residual").
    severity : {"note", "warning", "error"}
    sentence : str
        What is wrong and what it means, in plain words.
    item : int, optional
        Item of the label set that was checked; None for the recording as a whole.
    value, limit : float, optional
        What was measured and where doubt begins.
    unit : str
        Unit of both.
    """

    check: str
    severity: str
    sentence: str
    item: int | None = None
    value: float | None = None
    limit: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise BadArgumentError(
                f"a severity among {SEVERITIES}", repr(self.severity), "Use one of them."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Finding:
        """Inverse of `to_json`."""
        return cls(**value)


@dataclass(frozen=True)
class Promises:
    """What an annotator guarantees; its contract tests hold it to this.

    Parameters
    ----------
    chunked : bool
        Works chunk by chunk and resumes at the first unfinished one.
    deterministic : bool
        Same input, parameters and seed give the same digest, whatever the number of workers.
    memory : {"budget", "measured"}
        Keeps to the budget, or runs whole and has its peak measured and reported.
    """

    chunked: bool
    deterministic: bool
    memory: str


@dataclass(frozen=True)
class Inputs:
    """What a method works on.

    Parameters
    ----------
    recording : Recording
    stream : str
        The stream to annotate.
    labels : mapping of str to LabelSet
        The current set of each task that the task needs.
    items : mapping of str to ItemTable
        Their item tables, where there are any.
    """

    recording: Recording
    stream: str
    labels: Mapping[str, LabelSet] = field(default_factory=dict)
    items: Mapping[str, ItemTable] = field(default_factory=dict)

    @property
    def signal(self) -> Signal:
        """The stream to annotate."""
        return self.recording[self.stream]


@dataclass(frozen=True)
class Result:
    """What a method returns.

    Parameters
    ----------
    labels : tuple of LabelSet
        The first is the task's proposal.
    items : tuple of ItemTable
        Facts about the items of those sets.
    sources : tuple of Signal
        Derived streams (rates, embeddings, traces).
    log : mapping
        JSON values that the report tells: preprocessing steps with their numbers, bad
        channels, wall time, peak memory.
    findings : tuple of Finding
        What the method itself found doubtful, beside the task's checks.
    """

    labels: tuple[LabelSet, ...]
    items: tuple[ItemTable, ...] = ()
    sources: tuple[Signal, ...] = ()
    log: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@runtime_checkable
class Annotator(Protocol):
    """One method that fulfils a task.

    Implementers: constructors only store parameters; import heavy packages inside methods.
    """

    @property
    def name(self) -> str:
        """Name of the method, "task/method"."""

    @property
    def version(self) -> str:
        """Version of the method itself; part of the job's hash."""

    @property
    def promises(self) -> Promises:
        """What it guarantees."""

    def missing(self) -> Mapping[str, str]:
        """Packages that are not installed, with the command that installs each."""

    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that compute; part of the job's hash."""

    def defaults(self) -> Mapping[str, Any]:
        """Parameters with their default values, JSON values only."""

    def annotate(self, inputs: Inputs, parameters: Mapping[str, Any], context: Context) -> Result:
        """Propose labels. `parameters` is complete: defaults filled in, names checked."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Items whose class people decided: what a learner learns from.

    Parameters
    ----------
    features : FeatureTable
        One row per item; several sources may stand below each other.
    label : ndarray, shape (n_items,), int64
        Code of the task's vocabulary.
    weight : ndarray, shape (n_items,), float64
        How much each counts: the inverse of the probability with which it was asked, mean 1.
    classes : tuple of str
        Names of the codes where they are not those of the learner's own vocabulary; only
        learners of a task with an open vocabulary take such.
    afresh : bool
        Whether these replace the classes that the learner knows, instead of adding to them.
    """

    features: FeatureTable
    label: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    classes: tuple[str, ...] = ()
    afresh: bool = False

    def __post_init__(self) -> None:
        n = len(self.features.items)
        if self.label.shape != (n,) or self.weight.shape != (n,) or not np.all(self.weight >= 0):
            raise BadArgumentError(
                f"{n} labels and weights that are not negative",
                f"labels {self.label.shape}, weights {self.weight.shape}",
                "Give one of each per row of features.",
            )

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: npt.NDArray[Any]) -> Examples:
        """Rows by index or mask."""
        picked = np.arange(len(self))[rows]
        table = self.features
        return Examples(
            features=FeatureTable(
                items=table.items[picked],
                names=table.names,
                values=table.values[picked],
                units=table.units,
                subject=tuple(table.subject[k] for k in picked.tolist()),
                session=tuple(table.session[k] for k in picked.tolist()),
            ),
            label=self.label[picked],
            weight=self.weight[picked],
            classes=self.classes,
            afresh=self.afresh,
        )


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a learner says of items.

    Parameters
    ----------
    probabilities : ndarray, shape (n_items, n_classes), float64
        Calibrated, over the task's vocabulary.
    votes : ndarray, shape (n_members, n_items, n_classes), float64
        What the members of its ensemble say, for disagreement.
    """

    probabilities: npt.NDArray[np.float64]
    votes: npt.NDArray[np.float64]


@runtime_checkable
class Learner(Annotator, Protocol):
    """An annotator that can be fitted; `fit` returns a new one and changes nothing.

    It works on labels and item tables, never on raw data, so that it can be asked and fitted
    when the recording is gone.
    """

    @property
    def weights(self) -> str:
        """Digest of what `files` holds; part of every proposal's author."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes that it proposes; the task's own unless the task's vocabulary is open."""

    def featurise(
        self, labels: LabelSet, items: ItemTable | None, *, subject: str = "", session: str = ""
    ) -> FeatureTable:
        """One row of features per item of the labels that the task needs."""

    def fit(self, examples: Examples, *, rng: np.random.Generator) -> Learner:
        """Return a new learner that also knows these examples."""

    def predict(self, features: FeatureTable) -> Prediction:
        """Say classes with probabilities."""

    def unlike(self, features: FeatureTable) -> tuple[Verdict | None, Sequence[str]]:
        """Whether a recording, and each of its items, lies outside what the model has seen."""

    def embedded(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """Features on one scale without NaN, (n_items, d), for policies that compare items."""

    def propose(self, labels: LabelSet, features: FeatureTable, *, use: int = 0) -> LabelSet:
        """Classes of the items of `labels` as a set; `use` tells apart proposals made anew."""

    def facts(
        self, labels: LabelSet, features: FeatureTable, items: ItemTable | None
    ) -> ItemTable | None:
        """Facts about proposed items that its task's view shows; None where it shows none."""

    def contributions(self, features: FeatureTable) -> npt.NDArray[np.float64]:
        """How much each feature speaks for each class, (n_items, n_features, n_classes)."""

    @property
    def says(self) -> Mapping[str, str]:
        """Words for a feature with a place for its value, as ``str.format`` takes it."""

    def card(self) -> Mapping[str, Any]:
        """Model card of the weights that the method ships."""

    def files(self) -> Mapping[str, bytes]:
        """What `restored` needs; plain text or numbers, never code."""

    def restored(self, files: Mapping[str, bytes]) -> Learner:
        """Return the learner whose `files` these are."""


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
    match : callable, optional
        ``(old, new, old_items, new_items) -> {old item: new item}``, one to one: items of two
        runs that are the same thing. By default as `nissl.labels.compare` matches.
    open_vocabulary : bool
        Whether methods and models bring classes of their own; `vocabulary` is then a usual one,
        and the last class of every vocabulary means that none of the others is claimed.
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
    match: Match | None = None
    open_vocabulary: bool = False
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


TASKS: Registry[Task] = Registry(
    "tasks",
    {
        name: f"nissl.annotators.{name}.task:{name.upper()}"
        for name in ("spikes", "curation", "celltypes")
    },
)
ANNOTATORS: Registry[Annotator] = Registry(
    "annotators",
    {
        f"spikes/{name}": f"nissl.annotators.spikes.adapters:{name.upper()}"
        for name in ("lupin", "tridesclous2", "spykingcircus2", "mountainsort5", "kilosort4")
    }
    | {
        "curation/nissl": "nissl.annotators.curation.learner:LEARNER",
        "curation/thresholds": "nissl.annotators.curation.thresholds:THRESHOLDS",
        "celltypes/nissl": "nissl.annotators.celltypes.learner:LEARNER",
        "celltypes/putative": "nissl.annotators.celltypes.putative:PUTATIVE",
        "celltypes/c4": "nissl.annotators.celltypes.c4_method:C4_METHOD",
    },
)


def resolve(name: str) -> tuple[Task, Annotator]:
    """Task and method of "task" or "task/method"; the first installed method by default.

    Raises
    ------
    BadArgumentError
        No such task or method.
    MissingDependencyError
        The method, or every method of the task, lacks a package.
    """
    from nissl.errors import MissingDependencyError

    task = TASKS.get(name.partition("/")[0])
    names = [name] if "/" in name else list(task.methods)
    lacking: dict[str, str] = {}
    for candidate in names:
        annotator = ANNOTATORS.get(candidate)
        missing = annotator.missing()
        if not missing:
            return task, annotator
        lacking |= missing
    raise MissingDependencyError(
        f"an installed method for {name!r}",
        f"none; missing {sorted(lacking)}",
        f"Install with: {next(iter(lacking.values()))}",
    )
