"""Which units people call noise; what a method alone proposes takes no unit away."""

from __future__ import annotations

import numpy as np

from nissl.labels.replay import Rule, replay
from nissl.project.dossier import classes_on
from nissl.store import Store
from nissl.tasks import Dossier

NOISE = "noise"
QUALITY = "curation"


def called_noise(
    store: Store, day: Dossier, base: str, *, resolve: Rule | None = None
) -> frozenset[int]:
    """Units that the newest quality labels call noise, a person's or decided on by one.

    Parameters
    ----------
    store : Store
    day : Dossier
        Spikes as people left them (`nissl.project.dossier.gather`).
    base : str
        Digest of the spikes before people's decisions.
    resolve : callable, optional
        How several readers' decisions are combined.
    """
    said: dict[int, str] = {}
    for before, after in zip(classes_on(store, base), day.classes, strict=True):
        if after.provenance.task != QUALITY:
            continue
        counts = np.ones(after.n_rows, bool)
        if before.provenance.author.kind != "person":
            decided = replay(before, store.edits(base=before.digest), resolve=resolve).decided
            counts = np.isin(after.column("item"), list(decided))
        names = after.vocabulary.names
        pairs = zip(after.column("target")[counts], after.column("label")[counts], strict=True)
        said |= {int(unit): names[code] for unit, code in pairs}
    return frozenset(unit for unit, name in said.items() if name == NOISE)
