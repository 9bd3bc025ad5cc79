"""`Project.annotate`, and which labels count."""

from __future__ import annotations

from typing import Any

from nissl.errors import BadArgumentError
from nissl.labels import LabelSet
from nissl.project.annotating import Draft, annotate, current
from nissl.project.dossier import nothing_to_show
from nissl.project.source import Source
from nissl.project.verbs.base import Opened


class Annotating(Opened):
    """Labels that methods propose."""

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

    def set_head(self, source: Source | str, task: str, *, by: str, digest: str = "") -> str:
        """Declare the labels that count: those of `digest`, by default the newest."""
        found = self.source(source)
        chosen = self._labels_digest(found, task, digest)
        self.store.set_head(found.fingerprint, task, chosen, by=by)
        return chosen

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
