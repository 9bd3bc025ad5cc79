"""Sorted units whose class is known exactly: damaged copies of the simulator's true trains.

Each session is a simulated recording (`nissl.annotators.spikes.simulate`). From its true spikes
"sorted" units are made: *good* ones lose some spikes and take up to 8 % from elsewhere, *mua*
ones take 12 to 70 % of their spikes from neighbouring neurons, *noise* ones are events at random
times with at most 30 % spikes among them. What was done is the class, so it is exact; the quality
metrics are then measured on the raw samples by `nissl.annotators.spikes.units.describe`, as they
are for any sorting. It is a simulation of what sorters do wrong, not a sorter's output.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.simulate import simulate_truth
from nissl.annotators.spikes.units import SCHEMA, describe
from nissl.data import Recording
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.run.context import Context
from nissl.tasks import Inputs

CLASSES = ("good", "mua", "noise")
NOT_FEATURES = ("item", "channel", "x_um", "y_um", "shank")
FEATURES = tuple(c.name for c in SCHEMA if c.name not in NOT_FEATURES)
_SHARES = (0.4, 0.35, 0.25)
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Units:
    """Units of several sessions: features (n, d) with NaN, class codes (n,), session (n,)."""

    features: npt.NDArray[np.float64]
    classes: Ints
    session: Ints
    names: tuple[str, ...]


def simulated_units(
    sessions: Sequence[int], *, n_units: int = 20, duration_s: float = 60.0
) -> Units:
    """Units of simulated sessions.

    Parameters
    ----------
    sessions : sequence of int
        Their numbers, which seed them.
    n_units : int
        True neurons per session; half as many again units are made.
    duration_s : float

    Returns
    -------
    Units
    """
    parts = [_session(number, n_units, duration_s) for number in sessions]
    return Units(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.repeat(np.asarray(sessions), [p[1].size for p in parts]),
        FEATURES,
    )


def _session(seed: int, n_units: int, duration_s: float) -> tuple[Any, Ints]:
    _, _, table, classes = made_sorting(
        seed, n_neurons=n_units, n_units=n_units * 3 // 2, duration_s=duration_s
    )
    measured = [table.table.column(name).to_numpy().astype(np.float64) for name in FEATURES]
    return np.column_stack(measured), classes


def made_sorting(
    seed: int, *, n_neurons: int, n_units: int, duration_s: float, n_channels: int = 32
) -> tuple[Recording, LabelSet, ItemTable, Ints]:
    """Made units of one simulated recording, with their facts.

    Returns
    -------
    recording : Recording
    labels : LabelSet
        EVENTS of the made units.
    items : ItemTable
        Measured on the raw samples.
    classes : ndarray, shape (n_units,), int64
        Code of `CLASSES` of each unit of `labels`, in the order of its items.
    """
    rng = np.random.default_rng(seed)
    made = simulate_truth(seed, n_units=n_neurons, duration_s=duration_s, n_channels=n_channels)
    truth = made.truth
    trains = [truth.column("sample")[truth.rows_of(int(i))] for i in truth.items]
    place = np.column_stack([made.items.table.column(c).to_numpy() for c in ("x_um", "y_um")])
    n_samples = made.recording["ap"].clock.n_samples
    classes = rng.choice(len(CLASSES), size=n_units, p=_SHARES)
    units = [_unit(int(c), trains, place, n_samples, rng) for c in classes]
    sample = np.concatenate(units)
    item = np.repeat(np.arange(len(units)), [u.size for u in units])
    order = np.lexsort((item, sample))
    provenance = replace(truth.provenance, parameters={}, seed=seed)
    columns = {"item": item[order], "sample": sample[order]}
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)
    with tempfile.TemporaryDirectory() as folder:
        context = Context(Path(folder), seed=seed)
        table = describe(labels, Inputs(made.recording, "ap"), context)
    return made.recording, labels, table, classes[table.items].astype(np.int64)


def _unit(
    code: int,
    trains: list[Ints],
    place: npt.NDArray[np.float64],
    n_samples: int,
    rng: np.random.Generator,
) -> Ints:
    """Spike train of one made unit, shape (n_spikes,), increasing and without repeats."""
    base = int(rng.integers(len(trains)))
    near = np.argsort(np.linalg.norm(place - place[base], axis=1))[1:4]
    size = trains[base].size
    if code == 0:
        own, foreign = rng.uniform(0.75, 1.0), rng.uniform(0.0, 0.08)
        other = np.concatenate([trains[n] for n in near])
    elif code == 1:
        own, foreign = rng.uniform(0.4, 1.0), rng.uniform(0.12, 0.7)
        other = np.concatenate([trains[n] for n in near[: rng.integers(1, 4)]])
    else:
        own, foreign = rng.uniform(0.05, 0.3), rng.uniform(0.7, 1.0)
        other = rng.integers(0, n_samples, size * 2)
    kept = max(1, round(own * size))
    wanted = min(other.size, round(kept * foreign / max(1e-9, 1 - foreign)))
    if code == 2:
        kept, wanted = max(1, round((1 - foreign) * size)), round(foreign * size)
    parts = (
        rng.choice(trains[base], kept, replace=False),
        rng.choice(other, wanted, replace=False),
    )
    return np.unique(np.concatenate(parts)).astype(np.int64)
