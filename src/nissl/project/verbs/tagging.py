"""`Project.tag` and other ground truth of cell types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl.project.source import Source
from nissl.project.verbs.base import Opened

if TYPE_CHECKING:
    from nissl.annotators.celltypes.ground_truth import GroundTruth
    from nissl.annotators.celltypes.library import Library


class Tagging(Opened):
    """Units whose type is known otherwise than by their spikes."""

    def tag(self, source: Source | str, **options: Any) -> GroundTruth:
        """Label the units that light drives directly, with all numbers behind it.

        Parameters
        ----------
        source : Source or str
        **options
            `pulses` (name of a line or of events, or a table onset,duration in seconds), `name`
            (the class that carries the opsin), `criteria`, `plots` (a folder), `seed`.
        """
        from nissl.project import tagging

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
        from nissl.project import tagging

        return tagging.tag_by_drug(self.store, self.source(source), **options)

    def tag_by_table(self, source: Source | str, path: str | Path, *, by: str) -> GroundTruth:
        """Keep classes of units that a person states in a table (unit, class, evidence)."""
        from nissl.project import tagging

        return tagging.tag_by_table(self.store, self.source(source), Path(path), by=by)

    def link_purkinje(self, source: Source | str, **options: Any) -> GroundTruth:
        """Link the complex-spike and simple-spike units of Purkinje cells; merges nothing."""
        from nissl.project import tagging

        return tagging.purkinje(self.store, self.source(source), **options)

    def library(self, **options: Any) -> Library:
        """Units whose cell type is known, as a library to share and to learn from.

        Parameters
        ----------
        **options
            `name`, `licence`, `everything` (units of unknown type too), `resolve`, and `card`
            (further entries, as "description", "citation" or "classes").
        """
        from nissl.project import libraries

        return libraries.library_of(self.store, **options)
