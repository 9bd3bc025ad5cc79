"""Which channels stand for the two derivations that the model reads.

The model knows a frontal and an occipital derivation: Fpz-Cz and Pz-Oz of Sleep-EDF (Kemp et al.
2000). On other montages the nearest EEG channel stands in, and the report says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nissl.data.electrodes import electrodes

FRONT, BACK = "front", "back"
ROLES = (FRONT, BACK)
_WANTED = {
    FRONT: ("Fpz", "Fz", "Fp1", "Fp2", "AFz", "F3", "F4", "FCz", "F7", "F8", "Cz", "C3", "C4"),
    BACK: ("Pz", "Oz", "POz", "O1", "O2", "P3", "P4", "CPz", "P7", "P8", "Cz", "C4", "C3"),
}
_TRAINED = {FRONT: ("Fpz", "Cz"), BACK: ("Pz", "Oz")}


@dataclass(frozen=True)
class Derivation:
    """A channel in a role.

    Parameters
    ----------
    role : {"front", "back"}
    column : int
        Of the stream.
    given : str
        Its name in the file.
    trained : bool
        Whether it is the derivation that the shipped weights were trained on.
    """

    role: str
    column: int
    given: str
    trained: bool


def derivations(
    ids: Sequence[str], *, types: Sequence[str] = (), chosen: Sequence[str] = ()
) -> tuple[Derivation, ...]:
    """Channels for the roles, at most one for each and no channel for both.

    Parameters
    ----------
    ids : sequence of str
        Names as the file gives them.
    types : sequence of str, optional
        What each channel measures, as the file says.
    chosen : sequence of str, optional
        Names of the frontal and the occipital channel, where a person says so.

    Returns
    -------
    tuple of Derivation
        Empty without a channel of EEG (or intracranial recording).
    """
    found = electrodes(ids, types)
    if chosen:
        pairs = zip(ROLES, chosen, strict=False)
        return tuple(Derivation(role, list(ids).index(name), name, False) for role, name in pairs)
    neural = [k for k, e in enumerate(found) if e.type in ("eeg", "ecog", "seeg", "lfp", "meg")]
    out: list[Derivation] = []
    for role in ROLES:
        free = [k for k in neural if k not in {d.column for d in out}]
        rank = {name: i for i, name in enumerate(_WANTED[role])}
        free.sort(key=lambda k: (rank.get(found[k].name, len(rank)), k))
        if free and (role == FRONT or found[free[0]].name in rank):
            best = found[free[0]]
            trained = (best.name, best.reference) == _TRAINED[role]
            out.append(Derivation(role, free[0], best.given, trained))
    return tuple(out)


__all__ = ["BACK", "FRONT", "ROLES", "Derivation", "derivations"]
