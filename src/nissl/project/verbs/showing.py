"""`Project.report` and `Project.export`: what leaves a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nissl.labels import LabelSet
from nissl.labels.atomic import make_folder
from nissl.labels.compare import Comparison, compare
from nissl.labels.replay import Rule
from nissl.project import exporting
from nissl.project.dossier import gather
from nissl.project.source import Source
from nissl.project.verbs.annotating import Annotating
from nissl.tasks import Dossier


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
