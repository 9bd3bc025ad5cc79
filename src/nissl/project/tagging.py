"""Ground truth of cell types in a project: light pulses, drugs, tables, Purkinje cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.evidence import known_units, statements_of
from nissl.annotators.celltypes.ground_truth import GroundTruth
from nissl.annotators.celltypes.optotagging import Criteria
from nissl.annotators.celltypes.pharmacology import Change, drug_units
from nissl.annotators.celltypes.pulses import Pulses
from nissl.annotators.celltypes.purkinje import Pause
from nissl.annotators.celltypes.purkinje_links import Pair, link_purkinje
from nissl.annotators.celltypes.tagging import Waveforms, pulses_of, tag_units
from nissl.annotators.celltypes.unit_waveforms import waveforms_of
from nissl.annotators.spikes.similarity import Templates, likely_merges
from nissl.clock import Clock
from nissl.errors import (
    MissingDependencyError,
    MissingInputError,
    SourceNotFoundError,
)
from nissl.io.files import read_table
from nissl.labels import EditKind, ItemTable, LabelSet
from nissl.project.adding import keep
from nissl.project.annotating import current, items_of
from nissl.project.dossier import nothing_to_show
from nissl.project.light import find_spans, time_set
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import Finding

CHANGED = (EditKind.MERGE, EditKind.SPLIT, EditKind.SWAP)


class Sorting:
    """The spikes of a source that ground truth is made for.

    Parameters
    ----------
    store : Store
    source : Source

    Raises
    ------
    MissingInputError
        No spikes, or nothing tells their clock.
    """

    def __init__(self, store: Store, source: Source) -> None:
        digest = current(store, source, "spikes")
        if digest is None:
            raise nothing_to_show(store, source, "spikes")
        self.store, self.source = store, source
        self.spikes: LabelSet = store.get_labels(digest)
        self.items: ItemTable | None = items_of(store, digest)
        named = self.spikes.provenance.stream
        self.stream = named if named in source.row.streams else source.stream()
        facts = source.row.streams.get(self.stream)
        if not facts or not facts.get("clock"):
            raise MissingInputError(
                f"the sampling rate of the spikes of {source.name!r}",
                "none",
                "Add the work again with --rate.",
            )
        self.clock = Clock.from_json(facts["clock"])

    def waveforms(self) -> Waveforms | None:
        """Reader of waveforms; None where the raw data or the ephys packages are missing."""
        if not self.source.has_raw:
            return None
        try:
            signal = self.source.recording[self.stream]
            return waveforms_of(signal, self.spikes, self.items)
        except (MissingDependencyError, SourceNotFoundError):
            return None

    def keep(self, found: GroundTruth) -> GroundTruth:
        """Keep labels, numbers and findings; returns them with what the project adds."""
        extra = self._changed()
        digest = keep(self.store, found.labels, items=self.store.put_items(found.items))
        findings = (*found.findings, *extra)
        self.store.record_findings(digest, [f.to_json() for f in findings])
        return GroundTruth(found.labels, found.items, findings, found.tested)

    def merges(self) -> dict[Pair, str]:
        """Pairs of units that somebody merged or suggests to merge."""
        found: dict[Pair, str] = {}
        if self.items is not None and "template" in self.items.arrays:
            spikes, sample = self.spikes, self.spikes.column("sample")
            alike = likely_merges(
                Templates.of(self.items, spikes.items),
                lambda unit: sample[spikes.rows_of(unit)],
                self.clock.rate_hz,
            )
            found |= {frozenset((one.a, one.b)): "A merge is likely by shape" for one in alike}
        for row in self.store.questions(labels=self.spikes.digest, policy="merge"):
            if row.item is not None and "beside" in row.body:
                found[frozenset((row.item, int(row.body["beside"])))] = "Review asks for a merge"
        for edit in self.store.edits(base=self.spikes.digest):
            if edit.kind is EditKind.MERGE:
                for a in edit.items:
                    found |= {
                        frozenset((a, b)): f"{edit.reviewer} merged them"
                        for b in edit.items
                        if b != a
                    }
        return found

    def places(self) -> dict[int, npt.NDArray[np.float64]]:
        """Where each unit lies, um; units of unknown place are left out."""
        if self.items is None or not {"x_um", "y_um"} <= set(self.items.table.column_names):
            return {}
        columns = [self.items.table.column(n).to_numpy() for n in ("x_um", "y_um")]
        place = np.stack(columns, axis=1).astype(np.float64)
        pairs = zip(self.items.items.tolist(), place, strict=True)
        return {unit: xy for unit, xy in pairs if np.isfinite(xy).all()}

    def _changed(self) -> tuple[Finding, ...]:
        edits = [e for e in self.store.edits(base=self.spikes.digest) if e.kind in CHANGED]
        if not edits:
            return ()
        return (
            Finding(
                "units_changed_in_review",
                "note",
                "Units were merged or split in review; this speaks of the units as they were "
                "sorted, and labels of units that changed do not follow.",
                value=float(len(edits)),
            ),
        )


def tag(
    store: Store,
    source: Source,
    *,
    pulses: str | Path,
    name: str,
    criteria: Criteria | None = None,
    plots: str | Path | None = None,
    seed: int = 0,
) -> GroundTruth:
    """Label the units that light drives directly; see `nissl.project.Project.tag`."""
    sorting = Sorting(store, source)
    light = time_set(store, source, sorting.stream, sorting.clock, pulses)
    train: Pulses = pulses_of(light.labels, sorting.clock, light.name)
    found = tag_units(
        sorting.spikes,
        train,
        sorting.clock,
        name,
        criteria=criteria,
        waveforms=sorting.waveforms(),
        pulses_from=light.kept,
        seed=seed,
    )
    if plots is not None:
        from nissl.report.tagging_plots import write_figures

        write_figures(found, sorting.spikes, train, sorting.clock, Path(plots))
    return sorting.keep(found)


def tag_by_drug(
    store: Store,
    source: Source,
    *,
    before: str | Path,
    after: str | Path,
    name: str,
    washout: str | Path | None = None,
    change: Change | None = None,
    seed: int = 0,
) -> GroundTruth:
    """Label the units that a drug changes; see `nissl.project.Project.tag_by_drug`."""
    sorting = Sorting(store, source)
    names = [before, after, *([] if washout is None else [washout])]
    sets = [time_set(store, source, sorting.stream, sorting.clock, each) for each in names]
    found = drug_units(
        sorting.spikes,
        [find_spans(each, sorting.clock) for each in sets],
        sorting.clock,
        name,
        change=change,
        spans_from=tuple(dict.fromkeys(d for each in sets for d in each.kept)),
        seed=seed,
    )
    return sorting.keep(found)


def tag_by_table(store: Store, source: Source, path: Path, *, by: str) -> GroundTruth:
    """Keep classes that a person states; see `nissl.project.Project.tag_by_table`."""
    if not path.is_file():
        raise SourceNotFoundError(
            "a table with the columns unit, class, evidence", f"no file {path}", "Check the path."
        )
    sorting = Sorting(store, source)
    statements = statements_of(read_table(path), path.name)
    return sorting.keep(known_units(sorting.spikes, statements, by, table=path.name))


def purkinje(store: Store, source: Source, *, pause: Pause | None = None) -> GroundTruth:
    """Link the units of Purkinje cells; see `nissl.project.Project.link_purkinje`."""
    sorting = Sorting(store, source)
    found = link_purkinje(
        sorting.spikes,
        sorting.clock,
        place_um=sorting.places(),
        merges=sorting.merges(),
        pause=pause,
    )
    return sorting.keep(found)
