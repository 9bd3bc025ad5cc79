"""Spans that a person has labelled and that look wrong to a model which has not learnt from them.

People bring hypnograms and marked events along; a model has an opinion on every stretch of the
same recording. Each labelled item is given the model's probabilities over the time it lasts,
and what is doubtful among them is found as for any other labels (`nissl.trust.label_errors`).
Only times that the model speaks of are judged: an event that it has not seen at all is no error
of a label, but a miss of the model, and `nissl.labels.compare` counts those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError, MissingInputError
from nissl.labels import Kind, LabelSet
from nissl.review.doubts import NEEDED, Suspect
from nissl.trust.label_errors import find_label_errors

LEAST_SEEN = 0.5
"""Part of an item's time that the model must speak of."""


@dataclass(frozen=True, eq=False)
class Opinions:
    """What a model says of the items that somebody else has labelled.

    Parameters
    ----------
    items : ndarray, shape (n,), int64
        Items that both speak of.
    label : ndarray, shape (n,), int64
        Codes of `classes`, as given.
    probabilities : ndarray, shape (n, n_classes), float64
        The model's, averaged over the time of the item; rows sum to 1.
    classes : tuple of str
        Those of the model.
    """

    items: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]


def opinions(given: LabelSet, model: LabelSet) -> Opinions:
    """Probabilities of a model over the time of each item of another set.

    Items of classes that the model does not know ("unknown") are left out, and so are those of
    which it speaks for less than half their time.

    Parameters
    ----------
    given : LabelSet
        SPANS of a person; epochs need not be those of the model.
    model : LabelSet
        SPANS with probabilities on the same stream; spans without any count as not seen.

    Raises
    ------
    BadArgumentError
        No spans, other samples, or no probabilities.
    EvaluationError
        The model has learnt from the labels that it is to judge.
    """
    _check(given, model)
    names = model.vocabulary.names
    column = model.table.column("probabilities")
    rows = np.flatnonzero(~np.asarray(column.is_null().to_numpy()))
    flat = column.drop_null().combine_chunks().flatten()
    said = np.asarray(flat, np.float64).reshape(-1, len(names))
    start, stop = (model.column(name)[rows] for name in ("start", "stop"))
    own = given.vocabulary.names
    known = np.asarray([names.index(name) if name in names else -1 for name in own])
    code = known[given.column("label")]
    seen, weighed = _weighed(given, start, stop, said)
    lasts = (given.column("stop") - given.column("start")).astype(np.float64)
    items, inverse = np.unique(given.column("item"), return_inverse=True)
    total, total_seen = np.zeros(items.size), np.zeros(items.size)
    summed = np.zeros((items.size, len(names)))
    label = np.full(items.size, -1)
    np.add.at(total, inverse, lasts)
    np.add.at(total_seen, inverse, seen)
    np.add.at(summed, inverse, weighed)
    label[inverse] = code
    mass = summed.sum(axis=1)
    judged = (label >= 0) & (total_seen >= LEAST_SEEN * total) & (mass > 0)
    probabilities = summed[judged] / mass[judged, None]
    return Opinions(items[judged], label[judged].astype(np.int64), probabilities, names)


def span_suspects(given: LabelSet, model: LabelSet, *, source: str = "") -> list[Suspect]:
    """Items of a person's set that look wrong to a model, the most doubtful first.

    Parameters
    ----------
    given, model : LabelSet
        As for `opinions`.
    source : str
        Name of the recording, for those who read the list.

    Returns
    -------
    list of Suspect
        Its desk is the digest of `given`.

    Raises
    ------
    MissingInputError
        Fewer than `NEEDED` items that both speak of.
    BadArgumentError, EvaluationError
        As for `opinions`.
    """
    found = opinions(given, model)
    if found.items.size < NEEDED:
        raise MissingInputError(
            f"at least {NEEDED} spans of {given.provenance.author.name!r} that "
            f"{model.provenance.author.name!r} speaks of",
            f"{found.items.size}",
            "Doubts about so few would say nothing; look at them one by one.",
        )
    errors = find_label_errors(found.label, found.probabilities)
    return [
        Suspect(
            desk=given.digest,
            item=int(found.items[k]),
            source=source,
            given=found.classes[found.label[k]],
            suggested=found.classes[errors.suggested[k]],
            probability=float(errors.probability[k]),
        )
        for k in errors.order[errors.selected[errors.order]].tolist()
    ]


def _weighed(
    given: LabelSet,
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    said: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Samples of each row that the model speaks of, and its probabilities times samples.

    Where the model's spans overlap each other, a sample counts once for each.
    """
    seen = np.zeros(given.n_rows)
    weighed = np.zeros((given.n_rows, said.shape[1]))
    if not start.size:
        return seen, weighed
    longest = int((stop - start).max())
    rows = zip(given.column("start").tolist(), given.column("stop").tolist(), strict=True)
    for row, (a, b) in enumerate(rows):
        near = slice(np.searchsorted(start, a - longest), np.searchsorted(start, b))
        shared = np.minimum(stop[near], b) - np.maximum(start[near], a)
        shared = np.maximum(shared, 0)
        seen[row] = min(int(shared.sum()), b - a)
        weighed[row] = shared @ said[near]
    return seen, weighed


def _check(given: LabelSet, model: LabelSet) -> None:
    if given.kind is not Kind.SPANS or model.kind is not Kind.SPANS:
        raise BadArgumentError(
            "two sets of spans", f"{given.kind.value} and {model.kind.value}", "Give spans."
        )
    places = [(s.provenance.source, s.provenance.stream) for s in (given, model)]
    if places[0] != places[1]:
        raise BadArgumentError(
            "two sets on one stream of one recording",
            f"{places[0][1]!r} and {places[1][1]!r} of {places[0][0][:12]}, {places[1][0][:12]}",
            "Annotate the stream that the labels are on.",
        )
    if model.table.column("probabilities").null_count == model.n_rows:
        raise BadArgumentError(
            "a model with probabilities",
            f"none of {model.provenance.author.name!r}",
            "Use a method that says how sure it is.",
        )
    if given.digest in (*model.provenance.made_from, *model.provenance.targets):
        raise EvaluationError(
            "a model that has not learnt from the labels it judges",
            "one made from them",
            "Judge with the shipped weights, or with a model of other recordings.",
        )
