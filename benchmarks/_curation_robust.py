"""Curation in pipelines that lack some of the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from _curation_work import Data
from nissl.annotators.curation.card import balanced_accuracy
from nissl.annotators.curation.features import GROUPS
from nissl.annotators.curation.learner import grown
from nissl.trust.reliability import reliability, top_label

LACKING: Mapping[str, tuple[str, ...]] = (
    {"nothing": ()}
    | {name: (name,) for name in GROUPS}
    | {"all of the template": ("waveform", "space")}
    | {"all of the amplitudes": ("amplitudes", "spread of amplitudes")}
)
STAGES = {"nissl": 2, "gradient boosting": 1}


def robustness(cuts: list[tuple[str, Data, Data]]) -> list[dict[str, Any]]:
    """Scores with metrics missing in the held-out mice; models have learnt from all of them."""
    rows = []
    for method, stages in STAGES.items():
        models = {
            name: grown(known.mapped, rng=np.random.default_rng(0), stages=stages)
            for name, known, _ in cuts
        }
        for what, groups in LACKING.items():
            p, truth = [], []
            for name, _, held in cuts:
                values = without(held, groups)
                p.append(models[name].calibration.apply(models[name].pooled(values)))
                truth.append(held.mapped.label)
            rows.append({"method": method, "lacking": what} | _scores(p, truth))
    return rows


def without(held: Data, groups: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Features of units with some groups missing."""
    values = held.mapped.features.values.copy()
    names = held.mapped.features.names
    gone = [names.index(name) for group in groups for name in GROUPS[group] if name in names]
    values[:, gone] = np.nan
    return values


def _scores(
    p: list[npt.NDArray[np.float64]], truth: list[npt.NDArray[np.int64]]
) -> dict[str, float]:
    said, right = np.concatenate(p), np.concatenate(truth)
    pairs = np.stack([right, said.argmax(axis=1)], axis=1)
    told = reliability(*top_label(said, right), rng=np.random.default_rng(0))
    return {"balanced_accuracy": float(balanced_accuracy(pairs)), "ece": told.ece}
