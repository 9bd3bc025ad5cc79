"""The usual classes of events; methods and models bring further ones of their own."""

from __future__ import annotations

from nissl.labels import Vocabulary

NOTHING = "nothing"
"""Last class of every vocabulary of this task: a stretch that was looked at and holds no event."""

NAMES = (
    "spindle",
    "slow wave",
    "rapid eye movement",
    "beta burst",
    "seizure",
    "interictal spike",
    "high-frequency oscillation",
    "blink",
    "muscle",
    "flat",
    "bad segment",
    "bad channel",
    "suppression",
)

VOCABULARY = Vocabulary((*NAMES, NOTHING))


def classes(*names: str) -> Vocabulary:
    """Vocabulary of a method: its classes, then "nothing"."""
    return Vocabulary((*names, NOTHING))
