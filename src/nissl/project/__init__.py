"""The facade: open a folder, add sources, annotate, report, export. One line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from nissl.annotators.celltypes.ground_truth import GroundTruth
from nissl.annotators.celltypes.library import Library
from nissl.annotators.events.erp import Component, Window
from nissl.errors import BadArgumentError
from nissl.labels import Edit, LabelSet
from nissl.labels.atomic import make_folder
from nissl.labels.compare import Comparison, compare
from nissl.labels.replay import Reviewed, Rule, replay
from nissl.project import (
    adding,
    aligning,
    exporting,
    importing,
    learning,
    libraries,
    points,
    regions,
    syncing,
    tagging,
)
from nissl.project import evoked as evoking
from nissl.project.annotating import Draft, Resources, annotate, current
from nissl.project.dossier import gather, nothing_to_show
from nissl.project.source import Source
from nissl.registry import Registry
from nissl.review.doubts import Suspect
from nissl.store import Store
from nissl.tasks import Dossier

__all__ = ["Draft", "Project", "Resources", "Source", "open_project"]


def open_project(path: str | Path, *, create: bool = True, database: str | None = None) -> Project:
    """Open a project folder; created when absent.

    Parameters
    ----------
    path : str or Path
    create : bool
        Whether a folder without a project becomes one.
    database : str, optional
        ``postgresql://...`` for a journal that a lab shares; by default NISSL_DATABASE, else
        SQLite inside the folder.

    Raises
    ------
    StoreError
        The folder cannot be used: missing, read-only, corrupt, or written by a newer nissl.
    """
    return Project(Store.open(Path(path), create=create, database=database))


APPS: Registry[Callable[..., None]] = Registry("apps", {"review": "nissl.web.serve:serve"})
"""What a project can be opened in; named, not imported, for apps stand above projects."""


class Project:
    """Sources, labels and decisions in one folder.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.store.path

    def close(self) -> None:
        """Close the journal."""
        self.store.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, path: str | Path, **options: Any) -> Source:
        """Add a recording, or a folder of work done elsewhere, modifying neither.

        Parameters
        ----------
        path : str or Path
        **options
            As for `nissl.read`: `subject`, `session`, `probe`, `rate_hz`, ...; `reviewer` names
            the person behind imported human labels.
        """
        return adding.add(self.store, adding.prepare(Path(path), **options))

    def add_labels(self, source: Source | str, path: str | Path, **options: Any) -> LabelSet:
        """Import a table of trials, events or behaviour (CSV, BIDS events.tsv, NWB) to a source."""
        return adding.add_table(self.store, self.source(source), Path(path), **options)

    def add_annotations(
        self, source: Source | str, path: str | Path, **options: Any
    ) -> tuple[LabelSet, ...]:
        """Import annotations that people have (EDF+, Wonambi, MNE, SzCORE, BIDS, hypnograms).

        Parameters
        ----------
        source : Source or str
        path : str or Path
        **options
            `format`, `name` (the task), `author`, `stream`, `outside` ("error" or "cut"),
            `together` (both begin together, whatever they state), and `start`, `epoch_s`,
            `coding` where the format needs them.

        Returns
        -------
        tuple of LabelSet
            One for each author, kind and task in the file; the largest first.
        """
        return importing.add_annotations(self.store, self.source(source), Path(path), **options)

    def add_regions(
        self, source: Source | str, path: str | Path, **options: Any
    ) -> tuple[LabelSet, ...]:
        """Import regions of a movie (Suite2p, CaImAn, Cellpose, ImageJ, label images, Neurofinder).

        Parameters
        ----------
        source : Source or str
            The movie.
        path : str or Path
        **options
            `format`, `author` (who outlined or judged them) and `stream`.

        Returns
        -------
        tuple of LabelSet
            What a program found, then what a person made of it; traces become sources.
        """
        return regions.add_regions(self.store, self.source(source), Path(path), **options)

    def add_points(
        self, source: Source | str, path: str | Path, **options: Any
    ) -> tuple[LabelSet, ...]:
        """Import places of neurons in volumes (targettrack, tables), people's before networks'.

        Options are those of `add_regions`.
        """
        return points.add_points(self.store, self.source(source), Path(path), **options)

    def align(
        self,
        a: Source | str,
        b: Source | str,
        *,
        by: str = "cells",
        everything: bool = False,
        activity: bool = False,
    ) -> aligning.Alignment:
        """Find the same cells in two sources of one field of view.

        Parameters
        ----------
        a, b : Source or str
            Each with labels of the task "cells", taken as people left them.
        by : {"cells"}
        everything : bool
            Also regions that are called no cells.
        activity : bool
            Take how the cells fired as evidence too; not where stability of activity is studied.

        Returns
        -------
        Alignment
            LINKS with the probability of each, kept in the project, and the registration.
        """
        first, second = self.source(a), self.source(b)
        return aligning.align(
            self.store, first, second, by=by, everything=everything, activity=activity
        )

    def suspicious_spans(
        self, source: Source | str, task: str, *, author: str | None = None
    ) -> list[Suspect]:
        """Labels of a person that look wrong to the newest proposal of a model, worst first.

        Parameters
        ----------
        source : Source or str
        task : str
            A task of SPANS ("sleep", "events").
        author : str, optional
            Whose labels; the newest set of any person by default.
        """
        found = self.source(source)
        return importing.suspicious_spans(self.store, found, task, author=author)[1]

    def evoked(
        self, source: Source | str, windows: Sequence[Window], **options: Any
    ) -> list[tuple[str, Component]]:
        """Amplitude and latency of evoked components, for each class of trials.

        Parameters
        ----------
        source : Source or str
        windows : sequence of nissl.annotators.events.erp.Window
        **options
            `trials` (name of the imported set), `stream`, `seed`, and `most_uv`: trials with a
            larger swing are left out.

        Returns
        -------
        list of (class, nissl.annotators.events.erp.Component)
            Scores with their standardised measurement errors.
        """
        return evoking.evoked(self.store, self.source(source), windows, **options)

    def sources(self) -> list[Source]:
        """All sources, in the order they were added."""
        return [Source(row, self.store) for row in self.store.sources()]

    def source(self, key: Source | str) -> Source:
        """Source by name, path or beginning of its fingerprint."""
        return key if isinstance(key, Source) else Source(self.store.source(key), self.store)

    def annotated(self, task: str) -> list[Source]:
        """Sources that have labels of a task; `MissingInputError` where there are none."""
        return exporting.annotated(self.store, task)

    @property
    def main_task(self) -> str:
        """Task that is meant where none is named; see `nissl.project.exporting.main_task`."""
        return exporting.main_task(self.store)

    def only_source(self) -> Source:
        """The only source; `BadArgumentError` where there are none or several."""
        rows = self.sources()
        if len(rows) != 1:
            raise BadArgumentError(
                "one source to work on",
                f"the sources {[s.name for s in rows]}",
                f"Name one; add one with: nissl add {self.path} PATH",
            )
        return rows[0]

    def annotate(self, source: Source | str, task: str, **options: Any) -> Draft:
        """Propose labels with "task" or "task/method"; finished jobs are not computed again.

        Parameters
        ----------
        source : Source or str
        task : str
            "spikes", "spikes/tridesclous2", ...
        **options
            `stream`, `seed`, `head` (move the head to the result), `resources` (`Resources`)
            and `parameters` of the method.
        """
        return annotate(self.store, self.source(source), task, **options)

    def labels(self, source: Source | str, task: str) -> LabelSet:
        """Labels of a task: the head where there is one, else the newest; edits not applied."""
        return self.store.get_labels(self._current(source, task))

    def decide(self, edits: Iterable[Edit]) -> None:
        """Append people's decisions; they are on disk when this returns."""
        self.store.append(list(edits))

    def reviewed(self, source: Source | str, task: str, *, resolve: Rule | None = None) -> Reviewed:
        """Replay all decisions on a task's current labels.

        Parameters
        ----------
        source : Source or str
        task : str
        resolve : callable, optional
            How several readers are combined (see `nissl.labels.replay`); without it their
            decisions on one set are an error.
        """
        labels = self.store.get_labels(self._current(source, task))
        return replay(labels, self.store.edits(base=labels.digest), resolve=resolve)

    def set_head(self, source: Source | str, task: str, *, by: str, digest: str = "") -> str:
        """Declare the labels that count: those of `digest`, by default the newest."""
        found = self.source(source)
        chosen = self._labels_digest(found, task, digest)
        self.store.set_head(found.fingerprint, task, chosen, by=by)
        return chosen

    def review(self, **options: Any) -> None:
        """Serve the review app on this machine and open it in the browser, until Ctrl-C.

        Parameters
        ----------
        **options
            `port`, `browser`, `say`: see `nissl.web.serve.serve`.
        """
        APPS.get("review")(self.path, **options)

    def learn(self, task: str, **options: Any) -> learning.Learned:
        """Fit a new model to people's decisions; it is kept with its card and not yet in use.

        Parameters
        ----------
        task : str
        **options
            `seed`, `progress`, and `resolve` (how readers who disagree are combined).
        """
        return learning.learn(self.store, task, **options)

    def models(self, task: str) -> list[learning.ModelState]:
        """Models of a task, the shipped weights first."""
        return learning.models(self.store, task)

    def model(self, task: str, digest: str = "") -> learning.ModelState:
        """Model by the beginning of its digest, or "shipped"; the one in use by default."""
        return learning.find(self.store, task, digest)

    def use_model(self, task: str, digest: str, *, by: str) -> learning.Used:
        """Put a model into use: new proposals everywhere, decisions carried over to them."""
        return learning.use(self.store, task, self.model(task, digest).digest, by=by)

    def rollback_model(self, task: str, *, by: str) -> learning.Used:
        """Put the model back that was in use before."""
        return learning.rollback(self.store, task, by=by)

    def sync(self, a: Source | str, b: Source | str, **options: Any) -> syncing.Synchrony:
        """Match the pulses that two devices share and map their clocks onto each other."""
        return syncing.sync(self.store, self.source(a), self.source(b), **options)

    def tag(self, source: Source | str, **options: Any) -> GroundTruth:
        """Label the units that light drives directly, with all numbers behind it.

        Parameters
        ----------
        source : Source or str
        **options
            `pulses` (name of a line or of events, or a table onset,duration in seconds), `name`
            (the class that carries the opsin), `criteria`, `plots` (a folder), `seed`.
        """
        return tagging.tag(self.store, self.source(source), **options)

    def tag_by_drug(self, source: Source | str, **options: Any) -> GroundTruth:
        """Label the units whose rate a drug changes.

        Parameters
        ----------
        source : Source or str
        **options
            `before`, `after`, `washout` (names of spans or tables), `name` (the class that
            answers so), `change`, `seed`.
        """
        return tagging.tag_by_drug(self.store, self.source(source), **options)

    def tag_by_table(self, source: Source | str, path: str | Path, *, by: str) -> GroundTruth:
        """Keep classes of units that a person states in a table (unit, class, evidence)."""
        return tagging.tag_by_table(self.store, self.source(source), Path(path), by=by)

    def link_purkinje(self, source: Source | str, **options: Any) -> GroundTruth:
        """Link the complex-spike and simple-spike units of Purkinje cells; merges nothing."""
        return tagging.purkinje(self.store, self.source(source), **options)

    def library(self, **options: Any) -> Library:
        """Units whose cell type is known, as a library to share and to learn from.

        Parameters
        ----------
        **options
            `name`, `licence`, `everything` (units of unknown type too), `resolve`, and `card`
            (further entries, as "description", "citation" or "classes").
        """
        return libraries.library_of(self.store, **options)

    def compare(self, source: Source | str, task: str, truth: LabelSet) -> Comparison:
        """Compare a task's current labels with a reference."""
        return compare(truth, self.labels(source, task))

    def dossier(
        self,
        source: Source | str,
        task: str,
        *,
        draft: bool = False,
        resolve: Rule | None = None,
    ) -> Dossier:
        """All that is known about a source and task, with people's decisions applied."""
        return gather(self.store, self.source(source), task, draft=draft, resolve=resolve)

    def report(
        self,
        source: Source | str,
        task: str,
        path: str | Path | None = None,
        *,
        resolve: Rule | None = None,
    ) -> Path:
        """Write the HTML report of a source; by default into the project's `reports` folder."""
        from nissl.report import write_report

        found = self.source(source)
        target = Path(path) if path else self.path / "reports" / f"{found.name}.{task}.html"
        dossier = self.dossier(found, task, draft=True, resolve=resolve)
        make_folder(target.parent)
        return write_report(dossier, target)

    def export(
        self,
        source: Source | str,
        to: str,
        path: str | Path,
        *,
        task: str | None = None,
        draft: bool = False,
        resolve: Rule | None = None,
        **options: Any,
    ) -> Path:
        """Export the head of a task ("nwb", "phy", ...) and verify it by reading it back."""
        dossier = self.dossier(source, task or self.main_task, draft=draft, resolve=resolve)
        return exporting.export(self.store, dossier, to, Path(path), **options)

    def _current(self, source: Source | str, task: str) -> str:
        found = self.source(source)
        return current(self.store, found, task) or self._labels_digest(found, task)

    def _labels_digest(self, source: Source, task: str, beginning: str = "") -> str:
        rows = self.store.label_sets(source=source.fingerprint, task=task)
        if not rows:
            raise nothing_to_show(self.store, source, task)
        found = [row.digest for row in rows if row.digest.startswith(beginning)]
        if not found:
            raise BadArgumentError(
                f"the digest of a label set of {task!r} on {source.name!r}",
                repr(beginning),
                f"`nissl show {self.path}` lists them.",
            )
        return found[-1]

    def __repr__(self) -> str:
        return f"Project({self.store.name!r}: {len(self.store.sources())} sources, {self.path})"
