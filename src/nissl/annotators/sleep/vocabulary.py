"""Stages of sleep, and the many spellings under which scorers write them."""

from __future__ import annotations

import re

from nissl.labels import Vocabulary

UNKNOWN = "unknown"
"""The last class of every vocabulary: movement, no signal, or not to be told."""

HUMAN = Vocabulary(
    ("W", "N1", "N2", "N3", "R", UNKNOWN),
    ("#e69f00", "#56b4e9", "#0072b2", "#30307a", "#d55e00", "#8a8f98"),
)
"""AASM stages (Berry et al., The AASM Manual for the Scoring of Sleep and Associated Events)."""
RODENT = Vocabulary(("W", "NREM", "REM", UNKNOWN), ("#e69f00", "#0072b2", "#d55e00", "#8a8f98"))

_CODES = {"w": "W", "wake": "W", "0": "W", "s0": "W", "r": "R", "rem": "R", "5": "R"}
_CODES |= {f"{p}{n}": f"N{min(n, 3)}" for n in (1, 2, 3, 4) for p in ("", "n", "s", "nrem")}
_CODES |= dict.fromkeys(("?", "mt", "m", "movement", "unscored", "unknown", "n/a"), UNKNOWN)
_EXPLICIT = re.compile(r"(?:sleep[ _-]*stage|stage|sleep)[ _:-]+(.+)", re.I)


def stage_of(text: str, *, bare: bool = True) -> str | None:
    """Stage of `HUMAN` that a text names, or None.

    Stages 3 and 4 of Rechtschaffen and Kales (1968) are both N3, as the AASM manual joined them;
    movement time and epochs that were not scored are "unknown".

    Parameters
    ----------
    text : str
        "Sleep stage 2", "SLEEP-S2", "Movement time", ...
    bare : bool
        Take a code on its own ("N2", "W") for a stage too.
    """
    plain = text.strip()
    if plain.lower() == "movement time":
        return UNKNOWN
    explicit = _EXPLICIT.fullmatch(plain)
    if explicit is None and not bare:
        return None
    word = explicit.group(1) if explicit else plain
    return _CODES.get(re.sub(r"[ _]", "", word).lower())


__all__ = ["HUMAN", "RODENT", "UNKNOWN", "stage_of"]
