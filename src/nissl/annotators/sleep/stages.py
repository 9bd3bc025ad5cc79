"""Names of sleep stages, as formats and people write them.

Everything is told in the terms of the AASM (W, N1, N2, N3, R); stages 3 and 4 of Rechtschaffen
and Kales are N3, and movement time and what nobody scored are "unknown". Bare numbers are not
read here: 4 is REM in one laboratory and stage 4 in another, and 1, 2, 3 are triggers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nissl.annotators.sleep.vocabulary import HUMAN

STAGES = HUMAN.names

_WRITTEN = {
    "W": ("w", "wake", "awake", "wakefulness", "s0", "0"),
    "N1": ("n1", "nrem1", "s1", "1"),
    "N2": ("n2", "nrem2", "s2", "2"),
    "N3": ("n3", "nrem3", "s3", "3", "n4", "nrem4", "s4", "4", "3/4"),
    "R": ("r", "rem", "5"),
    "unknown": ("?", "unknown", "unscored", "undefined", "movement", "movementtime", "mt"),
}
_STAGE = {text: stage for stage, texts in _WRITTEN.items() for text in texts}
_EXPLICIT = re.compile(r"(?:sleep[ _-]*stage|stage|sleep)[ _:-]+(.+)", re.IGNORECASE)
_CERTAIN = re.compile(r"(n|nrem)[ _]*[1-4]", re.IGNORECASE)
_MARKERS = re.compile(r"s\s*\d", re.IGNORECASE)
_AWAKE_OR_REM = frozenset({"w", "wake", "awake", "rem"})


def stage_of(text: str) -> str | None:
    """Stage that a text names, None where it names none; a number alone names none."""
    plain = text.strip()
    explicit = _EXPLICIT.fullmatch(plain)
    if explicit is None and plain[:1].isdigit():
        return None
    word = explicit[1] if explicit is not None else plain
    return _STAGE.get(re.sub(r"[\s_]+", "", word).lower())


def stages_among(texts: Iterable[str]) -> dict[str, str]:
    """Those texts that name stages, with the stage of each; empty where it is no staging.

    "R" or "wake" alone may be a key press or a trial, and "S  1" is a marker of many EEG systems;
    together with "N2" or "Sleep stage W" they are stages, and "S1" together with "REM" too.

    Parameters
    ----------
    texts : iterable of str
        All classes of a file.
    """
    found = {text: stage for text in set(texts) if (stage := stage_of(text)) is not None}
    words = {text.strip().lower() for text in found}
    certain = any(_CERTAIN.fullmatch(word) or _EXPLICIT.fullmatch(word) for word in words)
    scored = any(_MARKERS.fullmatch(word) for word in words) and words & _AWAKE_OR_REM
    return found if certain or scored else {}
