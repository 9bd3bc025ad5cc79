"""Desk: what is reviewed together, and the list of all desks of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data import Movie, Recording, Signal
from nissl.errors import SourceNotFoundError
from nissl.labels import ItemTable, Kind, LabelSet, Vocabulary
from nissl.store import LabelRow, SourceRow, Store
from nissl.tasks import TASKS

CLASSES_OF = {"spikes": "curation"}
"""The task that gives classes to the items of another task; both are reviewed at one desk."""
UNLABELLED = "nissl/unlabelled"
"""Author of a set of classes that claims nothing and only waits for people's decisions."""
_VIEWS = {
    Kind.EVENTS: "units",
    Kind.SPANS: "spans",
    Kind.CLASSES: "classes",
    Kind.POINTS: "points",
    Kind.REGIONS: "regions",
    Kind.LINKS: "links",
}
_FACTS = (
    "lines/",
    "responses/",
    UNLABELLED,
)  # authors of what was recorded, not of what is proposed


@dataclass(frozen=True, eq=False)
class Desk:
    """A label set with all that a reader needs to decide on its items.

    Class decisions on units (`has_classes`) are edits on the set of classes over the units;
    everything else is an edit on the base itself.

    Parameters
    ----------
    row : LabelRow
        The base.
    classes_row : LabelRow or None
        The proposed classes of its items, for units.
    source : SourceRow
    store : Store
    raw : callable
        ``(SourceRow) -> Recording``; raises `SourceNotFoundError` where the file is gone.
    """

    row: LabelRow
    classes_row: LabelRow | None
    source: SourceRow
    store: Store
    raw: Callable[[SourceRow], Recording]

    @property
    def key(self) -> str:
        """Digest of the base."""
        return self.row.digest

    @property
    def kind(self) -> Kind:
        """Kind of the base."""
        return Kind(self.row.kind)

    @property
    def view(self) -> str:
        """Name of the view that shows it."""
        own = TASKS.get(self.row.task).view if self.row.task in TASKS else ""
        return own or _VIEWS[self.kind]

    @property
    def bases(self) -> tuple[str, ...]:
        """Digests of the sets that edits at this desk are made on; the base first."""
        return (self.key,) if self.classes_row is None else (self.key, self.classes_row.digest)

    @cached_property
    def labels(self) -> LabelSet:
        """The base set."""
        return self.store.get_labels(self.key)

    @cached_property
    def classes(self) -> LabelSet | None:
        """Proposed classes of the items, or None."""
        return None if self.classes_row is None else self.store.get_labels(self.classes_row.digest)

    @cached_property
    def targets(self) -> dict[int, int]:
        """For each item of the set of classes, the unit it is about; empty without classes."""
        if self.classes is None:
            return {}
        columns = (self.classes.column(name).tolist() for name in ("item", "target"))
        return dict(zip(*columns, strict=True))

    @cached_property
    def items(self) -> ItemTable | None:
        """Facts about the items of the base, where they are known."""
        return None if self.row.items is None else self.store.get_items(self.row.items)

    @cached_property
    def item_ids(self) -> npt.NDArray[np.int64]:
        """Items of the base, increasing; without reading the base where that can be spared."""
        if self.classes is not None and self.classes.n_rows == self.row.n_items:
            return np.unique(self.classes.column("target"))
        if self.items is not None and self.items.items.size == self.row.n_items:
            return self.items.items
        return self.labels.items

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes that a reader chooses from."""
        return (self.classes or self.labels).vocabulary

    @cached_property
    def proposals(self) -> Proposals:
        """What the machine says of every item, in the order of `item_ids`."""
        return propose(self)

    @cached_property
    def unlike(self) -> dict[int | None, str]:
        """Why items lie outside what the model has seen; under None, why the recording does.

        Nothing of such an item, or of such a recording, is accepted automatically.
        """
        found = self.store.findings(self.bases[-1])
        return {f.get("item"): str(f.get("sentence")) for f in found if f.get("check") == "novelty"}

    @property
    def proposals_are_empty(self) -> bool:
        """Whether no method has proposed classes; the set only waits for people's."""
        return self.classes_row is not None and self.classes_row.author.name == UNLABELLED

    @property
    def has_raw(self) -> bool:
        """Whether the raw data can be opened."""
        try:
            framed = self.kind in (Kind.REGIONS, Kind.POINTS)
            return (self.movie if framed else self.signal) is not None
        except SourceNotFoundError:
            return False

    @cached_property
    def signal(self) -> Signal:
        """The stream whose samples the rows count; `SourceNotFoundError` where it is gone."""
        recording = self.raw(self.source)
        stream = self.row.stream
        if stream not in recording.streams and len(recording.streams) == 1:
            stream = next(iter(recording.streams))
        if stream not in recording.streams:
            raise SourceNotFoundError(
                f"the stream {stream!r} of {self.source.name!r}",
                f"the streams {list(recording.streams)}",
                "Add the recording that the labels were made on.",
            )
        return recording[stream]

    @cached_property
    def movie(self) -> Movie:
        """The movie whose pixels the rows name; `SourceNotFoundError` where it is gone."""
        movies = self.raw(self.source).movies
        if self.row.stream not in movies:
            raise SourceNotFoundError(
                f"the movie {self.row.stream!r} of {self.source.name!r}",
                f"the movies {list(movies)}",
                "Add the movie that the regions were drawn on.",
            )
        return movies[self.row.stream]

    def facts(self) -> dict[str, Any]:
        """JSON facts of the list of desks; reads no label set."""
        stream: Mapping[str, Any] = self.source.streams.get(self.row.stream) or next(
            iter(self.source.streams.values()), {}
        )
        return {
            "key": self.key,
            "source": self.source.fingerprint,
            "source_name": self.source.name,
            "task": self.row.task,
            "kind": self.row.kind,
            "view": self.view,
            "n_items": self.row.n_items,
            "n_rows": self.row.n_rows,
            "subject": self.source.subject.get("id", "unknown"),
            "session": self.source.session.get("id", ""),
            "classes": None if self.classes_row is None else self.classes_row.digest,
            "rate_hz": stream.get("rate_hz"),
            "duration_s": stream.get("duration_s"),
            "author": (self.classes_row or self.row).author.name,
        }


@dataclass(frozen=True)
class Proposals:
    """What is proposed for each item of a desk.

    Parameters
    ----------
    items : ndarray, shape (n_items,), int64
    label : ndarray, shape (n_items,), int32
        Codes of the desk's vocabulary; -1 where nothing is proposed.
    confidence : ndarray, shape (n_items,), float64
        Of an item with many rows (a track), their mean; NaN where the method has none.
    probabilities : ndarray, shape (n_items, n_classes), float64
        NaN where there are none.
    """

    items: npt.NDArray[np.int64]
    label: npt.NDArray[np.int32]
    confidence: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]


def propose(desk: Desk) -> Proposals:
    """Collect the machine's claims about a desk's items."""
    items = desk.item_ids
    n, names = items.size, desk.vocabulary.names
    label = np.full(n, -1, np.int32)
    confidence = np.full(n, np.nan)
    probabilities = np.full((n, len(names)), np.nan)
    claims = desk.classes if desk.classes is not None else desk.labels
    if claims.provenance.author.name == UNLABELLED:
        return Proposals(items, label, confidence, probabilities)
    key = "target" if desk.classes is not None else "item"
    owner, first = np.unique(claims.column(key), return_index=True)
    place = np.searchsorted(items, owner)
    known = (place < n) & (items[np.minimum(place, n - 1)] == owner) if n else place < 0
    rows, place = first[known], place[known]
    label[place] = claims.column("label")[rows]
    confidence[place] = _of_items(claims, key, owner)[known]
    column = claims.table.column("probabilities")
    if column.null_count < len(column):
        flat = column.combine_chunks()
        dense = np.full((len(flat), len(names)), np.nan)
        valid = np.flatnonzero(np.asarray(flat.is_valid()))
        dense[valid] = np.asarray(flat.drop_null().flatten()).reshape(-1, len(names))
        probabilities[place] = dense[rows]
    return Proposals(items, label, confidence, probabilities)


def _of_items(claims: LabelSet, key: str, owner: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Confidence of each item: the mean of its rows that have one, NaN where none has."""
    sure = np.asarray(claims.column("confidence"), np.float64)
    told = np.isfinite(sure)
    place = np.searchsorted(owner, claims.column(key)[told])
    n = np.bincount(place, minlength=owner.size)
    total = np.bincount(place, sure[told], minlength=owner.size)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def find_desks(store: Store, raw: Callable[[SourceRow], Recording]) -> list[Desk]:
    """All desks of a project, in the order of its sources; no label set is read.

    A desk stands on the head of each source and task, else on its newest set. Sets by persons
    are no proposals and have no desk, except classes of units, which stand beside them, and
    spans that somebody has made the head.
    """
    sources = {row.fingerprint: row for row in store.sources()}
    rows = store.label_sets()
    units = {row.digest: row for row in rows if row.task in CLASSES_OF}
    beside: dict[str, list[LabelRow]] = {}
    newest: dict[tuple[str, str], list[LabelRow]] = {}
    heads = cache(store.head)
    for row in rows:
        about = [t for t in row.targets if t in units] if row.kind == Kind.CLASSES else []
        if about and row.task == CLASSES_OF[units[about[0]].task]:
            beside.setdefault(about[0], []).append(row)
        elif row.source in sources and (
            _is_proposal(row)
            or (row.kind == Kind.SPANS and heads(row.source, row.task) == row.digest)
        ):
            newest.setdefault((row.source, row.task), []).append(row)
    found = []
    for (source, task), sets in newest.items():
        head = heads(source, task)
        base = next((row for row in sets if row.digest == head), sets[-1])
        classes = _chosen(beside.get(base.digest, []))
        found.append(Desk(base, classes, sources[source], store, raw))
    order = {fingerprint: index for index, fingerprint in enumerate(sources)}
    return sorted(found, key=lambda desk: (order[desk.source.fingerprint], desk.row.task))


def _is_proposal(row: LabelRow) -> bool:
    if row.kind == Kind.EVENTS:
        return row.task in CLASSES_OF
    evidence = TASKS.get(row.task).evidence if row.task in TASKS else ()
    by_machine = row.author.kind == "model" and row.author.name not in evidence
    return by_machine and not row.author.name.startswith(_FACTS)


def _chosen(rows: list[LabelRow]) -> LabelRow | None:
    """The newest proposal by a method with a probability; else by any author."""
    ours = [row for row in rows if row.author.name.startswith("curation/")]
    machine = [row for row in rows if row.author.kind == "model"]
    return next((some[-1] for some in (ours, machine, rows) if some), None)
