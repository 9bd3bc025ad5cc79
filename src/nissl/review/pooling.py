"""What policies are told of the items that may be asked, gathered from desks and journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.review.desk import Desk
from nissl.review.policies import POLICIES, Policy, Pool
from nissl.review.policies.bandit import Bandit, Trial, trials_of
from nissl.review.progress import answers
from nissl.review.room import Room
from nissl.review.timing import TimeModel, ambiguity_of, fit_times, timed_answers

Floats = npt.NDArray[np.float64]
Ref = tuple[Desk, int]
"""A desk and the place of an item among its proposals."""

_TIMES_EVERY = 20  # decisions after which the model of times is fitted anew; later more
_TIMED = 1500  # newest decisions that it is fitted to


def pool_of(room: Room, refs: Sequence[Ref], reader: str) -> Pool:
    """Pool of items of one vocabulary; what has no probabilities counts as unknown.

    Votes and features are there where a model proposed the classes of every desk.
    """
    desks = list(dict.fromkeys(desk for desk, _ in refs))
    width = max(len(desks[0].vocabulary.names), 2)
    places = [np.asarray([p for d, p in refs if d is desk], np.intp) for desk in desks]
    chances = np.concatenate([beliefs(d, at, width) for d, at in zip(desks, places, strict=True)])
    known = [kept_with(room, desk) for desk in desks]
    whole = all(facts is not None for facts in known)
    pairs = [(f, at) for f, at in zip(known, places, strict=True) if f is not None]
    groups = [np.full(at.size, k, np.int64) for k, at in enumerate(places)]
    n = len(refs)
    return Pool(
        items=np.arange(n, dtype=np.int64),
        probabilities=chances,
        votes=np.concatenate([f["votes"][:, at] for f, at in pairs], axis=1) if whole else None,
        features=np.concatenate([f["features"][at] for f, at in pairs]) if whole else None,
        seconds=times(room).seconds(desks[0].view, ambiguity_of(chances), reader=reader),
        answered=_answered(room, desks, known) if whole else None,
        groups=np.concatenate(groups),
    )


def chooser(room: Room, policy: str) -> Policy:
    """The policy of a name, with its past where it has one."""
    return Bandit(_trials(room)) if policy == "bandit" else POLICIES.get(policy)


def beliefs(desk: Desk, places: npt.NDArray[np.intp], width: int) -> Floats:
    """Probabilities of items of a desk, shape (n, width); rows sum to 1.

    Where a method gives only a confidence, the rest is shared by the other classes; where it
    gives nothing, all classes are as likely.
    """
    said = desk.proposals
    if said.probabilities.shape[1] == width:
        out = said.probabilities[places].astype(np.float64)
    else:
        out = np.full((places.size, width), np.nan)
    unknown = ~np.isfinite(out).all(axis=1)
    confidence = said.confidence[places]
    label = np.clip(said.label[places], 0, width - 1)
    sure = unknown & np.isfinite(confidence)
    out[sure] = ((1 - confidence[sure]) / (width - 1))[:, None]
    out[np.flatnonzero(sure), label[sure]] = confidence[sure]
    out[unknown & ~sure] = 1 / width
    out = np.clip(out, 0, None)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def times(room: Room) -> TimeModel:
    """How long decisions take in this project, learnt from its journal."""
    kinds = {base: desk.view for desk in room.desks for base in desk.bases}

    def fit() -> TimeModel:
        return fit_times(timed_answers(room.latest(_TIMED), kinds))

    turn = room.position // max(_TIMES_EVERY, 2 ** (room.position.bit_length() - 4))
    return room.remembered("times", (turn, room.position.bit_length(), len(kinds)), fit)


def kept_with(room: Room, desk: Desk) -> dict[str, Any] | None:
    """Votes and features of a desk's items, as they were kept with the proposals."""
    digest = desk.bases[-1]

    def read() -> dict[str, Any] | None:
        kept = room.store.setting(f"pool:{digest}")
        found = {name: room.store.get_array(kept[name]) for name in kept} if kept else None
        fits = found is not None and len(found["features"]) == desk.item_ids.size
        return found if fits else None

    return room.remembered(f"pool:{digest}", None, read)


def _answered(room: Room, desks: Sequence[Desk], known: Sequence[dict[str, Any] | None]) -> Floats:
    parts = []
    for desk, facts in zip(desks, known, strict=True):
        if facts is not None:
            edits = {base: room.edits(base=base) for base in desk.bases}
            done = list(answers(desk, edits)) if any(edits.values()) else []
            parts.append(facts["features"][np.isin(desk.item_ids, done)])
    return np.concatenate(parts)


def _trials(room: Room) -> tuple[Trial, ...]:
    """What the bandit's past choices brought: was the machine corrected, and in what time."""
    edits = {edit.uuid: edit for edit in room.edits()}
    past = []
    for row in room.store.questions():
        edit = None if row.answered_by is None else edits.get(row.answered_by)
        if edit is not None and "arm" in row.body:
            past.append((row.body, edit.kind.value != "accept", edit.took_s or 0.0))
    return trials_of(past)
