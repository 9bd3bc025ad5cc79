"""A sorting with known faults, of simulated units.

It says whether code works, not how good a model is: the simulator's waveforms and noise are
kinder than real ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.annotators.curation.model import VOCABULARY
from nissl.annotators.spikes.simulate import simulate
from nissl.data import Recording
from nissl.labels import Author, Kind, LabelSet, Provenance


def simulate_sorting(seed: int, **size: Any) -> tuple[Recording, LabelSet, LabelSet]:
    """Simulate a recording, a sorting of it, and the true class of each of its units.

    A third of the true units is found as it is (good), a third is found in pairs (mua), and for
    the rest there are as many units of spikes at random times (noise).

    Parameters
    ----------
    seed : int
    **size
        As for `nissl.annotators.spikes.simulate.simulate`; at least 4 units.

    Returns
    -------
    recording : Recording
    sorting : LabelSet
        EVENTS; items 0, 1, ... are good, then mua, then noise.
    truth : LabelSet
        CLASSES over its items.
    """
    recording, spikes = simulate(seed, **size)
    rng = np.random.default_rng(seed)
    units = spikes.items
    n_good = max(1, units.size // 3)
    n_pairs = max(1, (units.size - n_good) // 4)
    item = np.full(spikes.n_rows, -1, np.int64)
    of = spikes.column("item")
    for k, unit in enumerate(units[: n_good + 2 * n_pairs].tolist()):
        item[of == unit] = k if k < n_good else n_good + (k - n_good) // 2
    kept = item >= 0
    n_noise = max(1, units.size - n_good - 2 * n_pairs)
    sample, item = spikes.column("sample")[kept], item[kept]
    per_unit = max(10, sample.size // (n_good + 2 * n_pairs))
    last = recording.signal.n_samples
    noise = [np.sort(rng.choice(last, min(per_unit, last), replace=False)) for _ in range(n_noise)]
    first = n_good + n_pairs
    columns = {
        "sample": np.concatenate([sample, *noise]).astype(np.int64),
        "item": np.concatenate([item, *(np.full(len(s), first + k) for k, s in enumerate(noise))]),
        "amplitude": np.full(sample.size + sum(map(len, noise)), np.nan, np.float32),
    }
    made = spikes.provenance
    author = Author("model", "simulated sorting")
    sorting = LabelSet.build(
        Kind.EVENTS,
        columns,
        spikes.vocabulary,
        Provenance("spikes", made.source, author, made.stream, seed=seed),
    )
    classes = np.repeat([0, 1, 2], [n_good, n_pairs, n_noise])
    truth = LabelSet.build(
        Kind.CLASSES,
        {"target": sorting.items, "item": sorting.items, "id": sorting.items, "label": classes},
        VOCABULARY,
        Provenance(
            "curation", made.source, author, made.stream, seed=seed, targets=(sorting.digest,)
        ),
    )
    return recording, sorting, truth
