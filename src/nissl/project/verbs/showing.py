"""`Project.report`, `Project.explain` and `Project.export`: what leaves a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nissl.labels import LabelSet
from nissl.labels.atomic import make_folder
from nissl.labels.compare import Comparison, compare
from nissl.labels.replay import Rule
from nissl.project import exporting
from nissl.project.dossier import gather
from nissl.project.source import Source
from nissl.project.verbs.annotating import Annotating
from nissl.tasks import Dossier

if TYPE_CHECKING:
    from nissl.project.annotating import Resources
    from nissl.project.explaining import Explanations


class Showing(Annotating):
    """What is shown and given away."""

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

    def explain(
        self,
        source: Source | str,
        units: Sequence[int] = (),
        *,
        at_s: float | None = None,
        most: int = 200,
        out: str | Path | None = None,
        resources: Resources | None = None,
    ) -> Explanations:
        """Explain units of a sorting by `spikes/nissl`, and a spike of each.

        Parameters
        ----------
        source : Source or str
        units : sequence of int
            Items of the labels; all of them where none is named.
        at_s : float, optional
            Explain the spike of each unit that is nearest to this moment, too.
        most : int
            Spikes of a unit that are looked at.
        out : str or Path, optional
            Folder of pictures and facts; by default among the project's reports.
        resources : Resources, optional

        Returns
        -------
        Explanations
            Energies before and after subtraction, runners-up, channels that decided, expected
            false positives and negatives.

        Raises
        ------
        MissingInputError
            No sorting by `spikes/nissl`.
        BadArgumentError
            No such unit.
        """
        from nissl.project.explaining import Asked, explain

        asked = Asked(tuple(units), at_s, most, None if out is None else Path(out))
        return explain(self.store, self.source(source), asked, resources)

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
