"""How well a hypnogram agrees with another: the field's own figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nissl.annotators.sleep.vocabulary import UNKNOWN
from nissl.labels import LabelSet
from nissl.labels.overlap import lying_over


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Agreement over the epochs that both score.

    Each epoch of the proposal is held against the true span that covers most of it.

    Returns
    -------
    mapping of str to float
        "kappa" (Cohen 1960), "accuracy", "macro_f1", "f1_<stage>" (of stages in either),
        "n_epochs".
    """
    over = lying_over(proposal, truth)
    said = _names(proposal)
    true = _names(truth)
    pairs = [(said[i], true[j]) for i, j in over.items()]
    pairs = [pair for pair in pairs if UNKNOWN not in pair]
    names = [n for n in dict.fromkeys((*truth.vocabulary.names, *proposal.vocabulary.names))]
    names = [n for n in names if any(n in pair for pair in pairs)]
    a = np.asarray([names.index(one) for one, _ in pairs], np.int64)
    b = np.asarray([names.index(one) for _, one in pairs], np.int64)
    out = {"n_epochs": float(len(pairs)), **agreement(a, b)}
    return out | {f"f1_{name}": f1(a, b, k) for k, name in enumerate(names)}


def agreement(said: npt.NDArray[np.int64], true: npt.NDArray[np.int64]) -> dict[str, float]:
    """Kappa, accuracy and the mean F1 of the stages that occur; NaN without an epoch."""
    if not said.size:
        return {"kappa": np.nan, "accuracy": np.nan, "macro_f1": np.nan}
    accuracy = float(np.mean(said == true))
    stages = np.union1d(said, true)
    chance = float(sum(np.mean(said == k) * np.mean(true == k) for k in stages))
    kappa = (accuracy - chance) / (1 - chance) if chance < 1 else 1.0
    return {
        "kappa": kappa,
        "accuracy": accuracy,
        "macro_f1": float(np.mean([f1(said, true, int(k)) for k in stages])),
    }


def f1(said: npt.NDArray[np.int64], true: npt.NDArray[np.int64], code: int) -> float:
    """F1 of one stage; NaN where neither names it."""
    both = int(np.sum((said == code) & (true == code)))
    total = int(np.sum(said == code) + np.sum(true == code))
    return 2 * both / total if total else float("nan")


def _names(labels: LabelSet) -> dict[int, str]:
    items, codes = labels.column("item").tolist(), labels.column("label").tolist()
    return {i: labels.vocabulary.names[c] for i, c in zip(items, codes, strict=True)}


__all__ = ["agreement", "f1", "score"]
