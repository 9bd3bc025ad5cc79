"""Channels by the names that annotations give them.

Programs spell one channel in many ways ("EEG C3-A2", "C3-M2", "c3-a2", Wonambi's
"C3 (scalp)"). A name is first taken as it is, then without regard to case, then by the
electrode and reference that it means (`nissl.data.electrodes`), where only one channel means
the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nissl.data.electrodes import electrodes

_GROUP = re.compile(r" \([^()]*\)$")
Meaning = tuple[str, str]


def find_channels(names: Iterable[str], ids: Sequence[str]) -> dict[str, int]:
    """Index of the channel that each name means; names that mean none, or several, are left out.

    Parameters
    ----------
    names : iterable of str
        As annotations have them.
    ids : sequence of str
        Channels of the recording, in order.
    """
    exact = {name: k for k, name in enumerate(ids)}
    folded = _unique([name.casefold() for name in ids])
    meant = _unique(_meanings(ids))
    found: dict[str, int] = {}
    for name in dict.fromkeys(names):
        for text in (name, _GROUP.sub("", name)):
            code = exact.get(text, folded.get(text.casefold()))
            if code is None:
                code = meant.get(_meanings([text])[0])
            if code is not None:
                found[name] = code
                break
    return found


def _meanings(names: Sequence[str]) -> list[Meaning | None]:
    """Electrode and reference of each name, None where it says nothing."""
    return [
        (each.name.casefold(), each.reference.casefold()) if each.known else None
        for each in electrodes(list(names))
    ]


def _unique(keys: Sequence[Any]) -> dict[Any, int]:
    """Positions of the keys that occur once."""
    counts = Counter(keys)
    return {key: k for k, key in enumerate(keys) if key is not None and counts[key] == 1}
