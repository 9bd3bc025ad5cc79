"""Nights of sleep to review: a simulated recording, who scored it, and how likely that is right.

The scorers do not look at the signals. The proposal is right as often as its confidence says,
and wrong by a stage that is easily taken for the true one; an expert differs now and then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.numbers import item_table
from nissl.annotators.sleep.simulate import simulate_night
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.atomic import make_folder
from nissl.project import Project, open_project
from nissl.project.adding import keep

N_STAGES = 5
_ALIKE = np.array([[1], [2], [1], [2], [1]])
"""For each stage the one that it is most often taken for."""
_DIFFERS = 0.1


def night_project(
    folder: Path,
    rng: np.random.Generator,
    *,
    hours: float = 1.0,
    name: str = "night",
    expert: bool = True,
    numbers: bool = True,
    **night: Any,
) -> tuple[Project, LabelSet]:
    """Project with a simulated night as a file, scored by a machine and by an expert.

    Parameters
    ----------
    folder : Path
        Gets ``<name>.npz`` and the project ``study``; may hold one already.
    rng : numpy.random.Generator
    hours : float
    name : str
        Of the recording.
    expert : bool
        Keep the expert's hypnogram, too; a model that learns takes all of it for decisions.
    numbers : bool
        Keep the numbers of the epochs, from which a model learns and says why.
    **night
        As for `nissl.annotators.sleep.simulate.simulate_night`.

    Returns
    -------
    Project
        Open.
    LabelSet
        The true hypnogram; no part of the project.
    """
    recording, truth = simulate_night(int(rng.integers(2**31)), hours=hours, **night)
    signal = recording["signal"]
    path = make_folder(folder) / f"{name}.npz"
    np.savez(
        path,
        data=signal.read(0, signal.n_samples),
        rate_hz=signal.rate_hz,
        channel_names=np.asarray(signal.channels.ids),
    )
    project = open_project(folder / "study")
    source = project.add(path, subject=name)
    stream = source.recording.signal.name
    true = truth.column("label").astype(np.int64)
    start, stop = truth.column("start"), truth.column("stop")
    slipped = _slipped(true, rng)
    if expert:
        about = Provenance("sleep", source.fingerprint, Author("person", "expert"), stream)
        keep(project.store, _scored(start, stop, slipped, about=about))
    scorer = Provenance(
        "sleep", source.fingerprint, Author("model", "sleep/simulated", "1"), stream
    )
    proposal = _scored(start, stop, *_proposed(true, rng), about=scorer)
    items: ItemTable | None = None
    if numbers:
        items = item_table(proposal, source.recording[stream], progress=None)
    keep(project.store, proposal, items=None if items is None else project.store.put_items(items))
    return project, truth


def _slipped(true: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.where(rng.random(true.size) < _DIFFERS, _ALIKE[true, 0], true)


def _proposed(
    true: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Stages, and the probabilities of all classes."""
    confidence = 0.35 + 0.65 * rng.beta(4, 1.2, true.size)
    right = rng.random(true.size) < confidence
    said = np.where(right, true, _ALIKE[true, 0])
    p = np.repeat((1 - confidence)[:, None] / (N_STAGES - 1), len(HUMAN), axis=1)
    p[:, N_STAGES:] = 0
    p[np.arange(true.size), said] = confidence
    return said, p


def _scored(
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    stage: npt.NDArray[np.int64],
    p: npt.NDArray[np.float64] | None = None,
    *,
    about: Provenance,
) -> LabelSet:
    columns: dict[str, Any] = {"start": start, "stop": stop, "label": stage.astype(np.int32)}
    if p is not None:
        columns |= {
            "confidence": p[np.arange(len(p)), stage].astype(np.float32),
            "probabilities": p.astype(np.float32),
        }
    return LabelSet.build(Kind.SPANS, columns, HUMAN, about)


__all__ = ["night_project"]
