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
    "N3": ("n3", "nrem3", "s3", "3", "n4", "nrem4", "s4", "4", "3/4", "sws"),
    "R": ("r", "rem", "5"),
    "unknown": ("?", "unknown", "unscored", "undefined", "movement", "movementtime", "mt"),
}
_STAGE = {text: stage for stage, texts in _WRITTEN.items() for text in texts}
_EXPLICIT = re.compile(r"(?:sleep[ _-]*stage|stage|sleep)[ _:-]+(.+)", re.IGNORECASE)
_CERTAIN = frozenset({"N1", "N2", "N3"})


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

    "R" or "wake" alone may be a key press or a trial; together with "N2" or "Sleep stage W"
    they are stages.

    Parameters
    ----------
    texts : iterable of str
        All classes of a file.
    """
    found = {text: stage for text in set(texts) if (stage := stage_of(text)) is not None}
    certain = any(
        stage in _CERTAIN or _EXPLICIT.fullmatch(text.strip()) for text, stage in found.items()
    )
    return found if certain else {}
