"""Units of two populations that links of the project call the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nissl.align.fragments import Ints
from nissl.align.links import LINKED, SAME
from nissl.labels import Kind
from nissl.labels.replay import Rule, replay
from nissl.project.annotating import current
from nissl.project.relating.populations import SPIKES, Population
from nissl.store import Store

Places = tuple[Ints, Ints]


def same_units(
    store: Store, populations: Sequence[Population], *, resolve: Rule | None = None
) -> dict[tuple[int, int], Places]:
    """Places of units that are the same, of every pair of populations that links speak of.

    The newest links of a pair count, as people left them. Each unit is in one place at most.

    Parameters
    ----------
    store : Store
    populations : sequence of Population
    resolve : callable, optional
        How several readers' decisions are combined.

    Returns
    -------
    dict of tuple of int to tuple of ndarray
        Both orders of a pair are there.
    """
    of = [current(store, p.source, SPIKES) if p.labels else None for p in populations]
    out: dict[tuple[int, int], Places] = {}
    for row in store.label_sets(kind=Kind.LINKS.value):
        if len(row.targets) != 2:
            continue
        sides = [[k for k, digest in enumerate(of) if digest == t] for t in row.targets]
        if not sides[0] or not sides[1] or sides[0] == sides[1]:
            continue
        links = replay(
            store.get_labels(row.digest), store.edits(base=row.digest), resolve=resolve
        ).labels
        if links.vocabulary.names[SAME] != LINKED.names[SAME]:
            continue
        called = links.column("label") == SAME
        pairs = [np.asarray(links.column(k)[called], np.int64) for k in ("a", "b")]
        i, j = sides[0][0], sides[1][0]
        found = _places(pairs[0], pairs[1], populations[i].units, populations[j].units)
        out[i, j], out[j, i] = found, (found[1], found[0])
    return out


def _places(a: Ints, b: Ints, units_a: Ints, units_b: Ints) -> Places:
    """Where linked units stand among those of each population."""
    rows = [
        (int(np.flatnonzero(units_a == x)[0]), int(np.flatnonzero(units_b == y)[0]))
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
        if (units_a == x).any() and (units_b == y).any()
    ]
    both = np.array(rows, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
