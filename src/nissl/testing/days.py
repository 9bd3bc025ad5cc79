"""Simulated days as sources of a project: spikes as labels, trials as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.fragments import runs
from nissl.align.latent.simulate import SimulatedDay
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.project import Project
from nissl.project.adding import keep

RATE_HZ = 1000.0
BIN = 100
GAP_S = 0.5


def spikes_and_trials(
    day: SimulatedDay, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Spike samples and units, a table of trials with a pause between them, and the length."""
    counts = day.fragment.activity.astype(int)
    offset = np.zeros(len(counts), np.int64)
    lines = ["onset,duration,stimulus"]
    at = round(GAP_S * RATE_HZ)
    for a, b in zip(*runs(day.fragment)[1:], strict=True):
        offset[a:b] = at + np.arange(b - a) * BIN
        target = np.asarray(day.fragment.condition)[a]
        lines.append(f"{at / RATE_HZ},{(b - a) * BIN / RATE_HZ},target {target}")
        at += (b - a) * BIN + round(GAP_S * RATE_HZ)
    where, unit = np.nonzero(counts)
    n = counts[where, unit]
    sample = np.repeat(offset[where], n) + rng.integers(0, BIN, n.sum())
    return sample, np.repeat(unit, n), "\n".join(lines) + "\n", at


def add_day(
    project: Project, folder: Path, day: SimulatedDay, name: str, seed: int, **facts: Any
) -> Path:
    """Add a day with its spikes; returns its table of trials.

    Parameters
    ----------
    project : Project
    folder : Path
        Of the recording and the table.
    day : SimulatedDay
        Of bins of 100 ms.
    name : str
    seed : int
    **facts
        What is known of the source (`subject_id`, ...), as of `Project.add`.
    """
    rng = np.random.default_rng(seed)
    sample, unit, table, length = spikes_and_trials(day, rng)
    np.savez(
        folder / f"{name}.npz",
        data=rng.standard_normal((length, 2)).astype(np.float32),
        rate_hz=RATE_HZ,
    )
    source = project.add(folder / f"{name}.npz", **facts)
    order = np.argsort(sample, kind="stable")
    columns = {
        "item": unit[order] + 1,
        "label": np.zeros(len(sample), int),
        "sample": sample[order],
    }
    author = Author("model", "simulation", "1")
    stream = next(iter(source.row.streams))
    made_by = Provenance("spikes", source.fingerprint, author, stream)
    keep(project.store, LabelSet.build(Kind.EVENTS, columns, ("unit",), made_by))
    path = folder / f"{name}.csv"
    path.write_text(table)
    return path
