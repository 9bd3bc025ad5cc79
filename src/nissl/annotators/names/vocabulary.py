"""Names of neurons as classes, and which names are of one kind."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nissl.errors import BadArgumentError
from nissl.labels import Vocabulary

UNKNOWN = "unknown"
"""The last class of every vocabulary: none of the others, or not to be told."""

USUAL = ("AVAL", "AVAR", "AVBL", "AVBR", "AVEL", "AVER", "RIML", "RIMR", "ASEL", "ASER")
"""Some names of *C. elegans*, for a vocabulary before any atlas is given."""

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_SERIES = re.compile(r"^(AS|DA|DB|DD|VA|VB|VC|VD)\d+$")
"""Motor neurons along the cord, numbered from front to back."""


def vocabulary(names: Sequence[str]) -> Vocabulary:
    """Vocabulary of some names, with "unknown" as its last class.

    Parameters
    ----------
    names : sequence of str
        Each once; "unknown" may be left out.
    """
    known = [str(name) for name in names if name != UNKNOWN]
    if not known:
        raise BadArgumentError("names of neurons", "none", "Give an atlas with named neurons.")
    colours = [_COLOURS[k % len(_COLOURS)] for k in range(len(known))]
    return Vocabulary((*known, UNKNOWN), (*colours, "#8a8f98"))


def kinds(names: Sequence[str]) -> tuple[str, ...]:
    """Kind of each neuron: partners of the two sides are one kind, as are numbered series.

    Neurons of a kind express the same genes, hence have the same colours in strains that tell
    neurons apart by reporters (Yemini et al. 2021, Cell 184:272-288), and about the same scatter.

    Parameters
    ----------
    names : sequence of str

    Examples
    --------
    >>> kinds(["AVAL", "AVAR", "VA11", "VA12", "RIS"])
    ('AVA', 'AVA', 'VA', 'VA', 'RIS')
    """
    known = set(names)
    return tuple(_kind(name, known) for name in names)


def partner(name: str) -> str:
    """Name of the same neuron of the other side, "" where a name has no side.

    Examples
    --------
    >>> partner("AVAL"), partner("RIS")
    ('AVAR', '')
    """
    sides = {"L": "R", "R": "L"}
    return name[:-1] + sides[name[-1]] if len(name) > 2 and name[-1] in sides else ""


def _kind(name: str, known: set[str]) -> str:
    base = name[:-1] if partner(name) in known else name
    series = _SERIES.match(base)
    return series.group(1) if series else base


NAMES_OF_WORM = vocabulary(USUAL)
