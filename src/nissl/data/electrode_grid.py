"""Where the electrodes of the 10-10 system stand relative to each other.

Rows run from the forehead (0) to the back, columns from the left (-5) over the midline (0) to
the right; a name says both. Neighbours are counted on this grid, not in millimetres, so that no
template head is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

CHAINS = (
    ("Fp1", "F7", "T7", "P7", "O1"),
    ("Fp1", "F3", "C3", "P3", "O1"),
    ("Fz", "Cz", "Pz"),
    ("Fp2", "F4", "C4", "P4", "O2"),
    ("Fp2", "F8", "T8", "P8", "O2"),
)
"""Longitudinal chains of the double banana (Acharya et al. 2016, J Clin Neurophysiol 33:312)."""

_ROWS = {"Fp": 0, "AF": 1, "F": 2, "FC": 3, "FT": 3, "C": 4, "T": 4, "CP": 5, "TP": 5}
_ROWS |= {"P": 6, "PO": 7, "O": 8}
_NAME = re.compile(r"(Fp|AF|FC|FT|CP|TP|PO|F|C|T|P|O)(z|10|[1-9])")
_LEAST_NEIGHBOURS = 3


def place(name: str) -> tuple[int, int] | None:
    """Row and column of an electrode of the 10-10 system by its normalised name, or None."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    row, number = found.groups()
    if number == "z":
        return _ROWS[row], 0
    column = (int(number) + 1) // 2
    return _ROWS[row], -column if int(number) % 2 else column


def neighbours(names: Mapping[int, str]) -> dict[int, tuple[int, ...]]:
    """Nearest electrodes to the left, right, front and back of each that has three or four.

    Parameters
    ----------
    names : mapping of int to str
        Channel and normalised name of its electrode.

    Returns
    -------
    dict of int to tuple of int
        Neighbours of a channel; channels at the edge, which have fewer, are left out.
    """
    there: dict[tuple[int, int], int] = {}
    for channel, name in names.items():
        at = place(name)
        if at is not None:
            there.setdefault(at, channel)
    found = {}
    for (row, column), channel in there.items():
        sides = (
            [(abs(c - column), (r, c)) for r, c in there if r == row and c < column],
            [(abs(c - column), (r, c)) for r, c in there if r == row and c > column],
            _beyond(there, row, column, -1),
            _beyond(there, row, column, 1),
        )
        nearest = [there[min(side)[1]] for side in sides if side]
        if len(nearest) >= _LEAST_NEIGHBOURS:
            found[channel] = tuple(nearest)
    return found


def _beyond(
    there: Mapping[tuple[int, int], int], row: int, column: int, step: int
) -> Sequence[tuple[int, tuple[int, int]]]:
    """Electrodes of the next row that has any, with their distance in columns, at most two.

    Fp1, Fp2, O1 and O2 stand as far to the side on the head as F3 and F4 do.
    """
    rows = {r for r, _ in there if (r - row) * step > 0}
    if not rows:
        return []
    nearest = min(rows, key=lambda r: abs(r - row))
    spread = {0: 2, 8: 2}.get(nearest, 1)
    some = [(abs(c * spread - column), (r, c)) for r, c in there if r == nearest]
    return [each for each in some if each[0] <= 2]
