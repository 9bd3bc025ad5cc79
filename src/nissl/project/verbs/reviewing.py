"""`Project.review` and the decisions of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nissl.labels import Edit
from nissl.labels.replay import Reviewed, Rule, replay
from nissl.project import importing
from nissl.project.source import Source
from nissl.project.verbs.annotating import Annotating
from nissl.registry import Registry
from nissl.review.doubts import Suspect

APPS: Registry[Callable[..., None]] = Registry("apps", {"review": "nissl.web.serve:serve"})
"""What a project can be opened in; named, not imported, for apps stand above projects."""


class Reviewing(Annotating):
    """What people decide."""

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

    def review(self, **options: Any) -> None:
        """Serve the review app on this machine and open it in the browser, until Ctrl-C.

        Parameters
        ----------
        **options
            `port`, `browser`, `say`: see `nissl.web.serve.serve`.
        """
        APPS.get("review")(self.path, **options)

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
