"""Learning from people's decisions: new models, which one is in use, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.annotators.curation.card import render
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels.replay import Rule
from nissl.review.loop import Learned, Used, learner_of, use
from nissl.review.loop import learn as learn_from
from nissl.run.progress import Progress
from nissl.store import Store
from nissl.tasks import TASKS

__all__ = ["Learned", "ModelState", "Used", "find", "learn", "models", "rollback", "use"]


@dataclass(frozen=True)
class ModelState:
    """A model of a project.

    Parameters
    ----------
    digest : str
        "" for the weights that the method ships.
    task, name, version : str
    card : mapping
    made_s : float or None
        Unix time, seconds; None for shipped weights.
    in_use : bool
    """

    digest: str
    task: str
    name: str
    version: str
    card: Mapping[str, Any]
    made_s: float | None
    in_use: bool

    @property
    def page(self) -> str:
        """Its card as a Markdown page."""
        names = self.card.get("classes") or TASKS.get(self.task).vocabulary.names
        return render(self.card, tuple(names))


def learn(
    store: Store,
    task: str,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    resolve: Rule | None = None,
    libraries: Sequence[Path] = (),
    extend: bool = False,
) -> Learned:
    """Fit a new model; see `nissl.project.Project.learn`."""
    more = None
    if libraries:
        from nissl.annotators.celltypes.teaching import examples_of

        more = examples_of(libraries, learner_of(store, task, ""), extend=extend)
    if extend and not TASKS.get(task).open_vocabulary:
        raise BadArgumentError(
            "a task with an open vocabulary to extend", repr(task), "Leave --extend out."
        )
    return learn_from(
        store, task, seed=seed, progress=progress, resolve=resolve, more=more, extend=extend
    )


def models(store: Store, task: str) -> list[ModelState]:
    """Models of a task, the shipped weights first, then the project's own by age."""
    head = store.model_head(task) or ""
    shipped = learner_of(store, task, "").card()
    first = ModelState(
        "",
        task,
        str(shipped.get("name", "")),
        str(shipped.get("version", "")),
        shipped,
        None,
        not head,
    )
    rows = store.models(task)
    return [
        first,
        *(
            ModelState(r.digest, r.task, r.name, r.version, r.card, r.made_s, r.digest == head)
            for r in rows
        ),
    ]


def find(store: Store, task: str, beginning: str) -> ModelState:
    """Model by the beginning of its digest.

    "shipped" stands for the weights that the method ships, "" for the model in use.

    Raises
    ------
    MissingInputError
        None.
    BadArgumentError
        Several.
    """
    known = models(store, task)
    if not beginning:
        return next(model for model in known if model.in_use)
    if beginning == "shipped":
        return known[0]
    found = [model for model in known[1:] if model.digest.startswith(beginning)]
    if not found:
        raise MissingInputError(
            f"a model of {task!r} that begins with {beginning!r}",
            f"{[m.digest[:12] for m in known[1:]]}",
            f"`nissl models {store.path}` lists them.",
        )
    if len(found) > 1:
        raise BadArgumentError(
            "the beginning of one digest", f"{len(found)} models with it", "Give more of it."
        )
    return found[0]


def rollback(store: Store, task: str, *, by: str) -> Used:
    """Put the model back that was in use before the present one.

    Raises
    ------
    MissingInputError
        No model was put into use yet.
    """
    moves = store.model_head_history(task)
    if not moves:
        raise MissingInputError(
            "a model that was put into use before",
            "only the shipped weights",
            f"`nissl models {store.path}` lists what there is.",
        )
    before = moves[-2].digest if len(moves) > 1 else ""
    return use(store, task, before, by=by)
