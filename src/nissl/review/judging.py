"""How a new model does on decided items that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.card import evaluation, make_card
from nissl.errors import EvaluationError, MissingInputError
from nissl.review.groups import NAMED, facts_of
from nissl.store import Store
from nissl.tasks import Examples, Learner
from nissl.trust.bands import UNKNOWN

FOLDS = 5
FEW = 20
"""Examples below which a model's scores are not computed."""

Split = tuple[str, npt.NDArray[np.int64]]


def judged(
    store: Store,
    task: str,
    shipped: Learner,
    fitted: Learner,
    examples: Examples,
    *,
    in_use: Learner | None,
    seed: int,
) -> dict[str, Any]:
    """Card of a new model: how it does on decided items that it has not seen.

    Parameters
    ----------
    store : Store
    task : str
    shipped, fitted : Learner
        What it started from, and the new one.
    examples : Examples
    in_use : Learner, optional
        The project's model in use, where it is not the shipped one.
    seed : int
    """
    rng = np.random.default_rng([seed, 1])
    digest = store.model_head(task) or ""
    before: dict[str, Any] = {"digest": digest, "name": "shipped weights"}
    how, scores = "too few examples to judge", None
    if len(examples) >= FEW:
        how, fold = split(examples, rng)
        unseen = out_of_fold(shipped, examples, fold, seed)
        named = _attributes(store, examples)
        scores = evaluation(unseen, examples, attributes=named, rng=rng)
        old = in_use or shipped
        told = _renamed(old, examples)
        before["evaluation"] = evaluation(told, examples, rng=rng)
        before["changed_classes"] = float(np.mean(told.argmax(axis=1) != unseen.argmax(axis=1)))
        if in_use is not None:
            before["name"] = "model in use"
            before["caution"] = "It may have learnt from some of these items."
    return make_card(
        fitted,
        task,
        examples,
        how=how,
        scores=scores,
        before=before,
        seed=seed,
        licence="as the project's decisions; starts from weights under: "
        + str(shipped.card().get("licence", "no stated licence")),
    )


def _renamed(learner: Learner, examples: Examples) -> npt.NDArray[np.float64]:
    """What a learner says of examples, over their classes; 0 for those that it does not know."""
    p, own = learner.predict(examples.features).probabilities, learner.vocabulary.names
    names = examples.classes or own
    columns = [p[:, own.index(n)] if n in own else np.zeros(len(p)) for n in names]
    return np.stack(columns, axis=1)


def _attributes(store: Store, examples: Examples) -> dict[str, list[str]]:
    """What the project knows of each item's recording: species, lab, region, probe, rig."""
    rows = {row.name: row for row in store.sources()}
    unknown = dict.fromkeys(NAMED, UNKNOWN)  # examples from elsewhere
    sessions = examples.features.session
    facts = [facts_of(rows[name]) if name in rows else unknown for name in sessions]
    found = {key: [own[key] for own in facts] for key in NAMED}
    return {key: values for key, values in found.items() if set(values) != {UNKNOWN}}


def split(examples: Examples, rng: np.random.Generator) -> Split:
    """Parts of the examples that are left out in turn, and how that reads.

    By subject where there are two or more, else by session, else at random.
    """
    for what, names in (
        ("subject", examples.features.subject),
        ("session", examples.features.session),
    ):
        groups, codes = np.unique(np.asarray(names), return_inverse=True)
        if groups.size >= 2:
            order = rng.permutation(groups.size)
            caution = "" if what == "subject" else " (of one subject: flatters)"
            return f"{what}s left out in turn{caution}", order[codes] % min(groups.size, FOLDS)
    if len(examples) < FOLDS:
        raise EvaluationError(
            f"at least {FOLDS} examples", str(len(examples)), "Decide on more items first."
        )
    fold = rng.permutation(len(examples)) % FOLDS
    return "items left out at random (of one session: flatters)", fold.astype(np.int64)


def out_of_fold(
    learner: Learner, examples: Examples, fold: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.float64]:
    """Probabilities of each example by a learner fitted to the other folds."""
    out: npt.NDArray[np.float64] | None = None
    for k in np.unique(fold):
        rest = examples.take(fold != k)
        p = _renamed(_try_fit(learner, rest, seed), examples.take(fold == k))
        out = np.full((len(examples), p.shape[1]), np.nan) if out is None else out
        out[fold == k] = p
    if out is None:
        raise EvaluationError("examples", "none", "Decide on some items first.")
    return out


def _try_fit(learner: Learner, examples: Examples, seed: int) -> Learner:
    """Fitted learner; the learner itself where the rest is too little to learn from."""
    try:
        return learner.fit(examples, rng=np.random.default_rng(seed))
    except MissingInputError:
        return learner


__all__ = ["judged", "out_of_fold", "split"]
