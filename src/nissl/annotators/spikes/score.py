"""Scoring a sorting against known spikes, by SpikeForest's definition."""

from __future__ import annotations

from collections.abc import Mapping

from nissl.labels import LabelSet
from nissl.labels.compare import compare

KEPT = {
    "accuracy": "accuracy_mean",
    "accuracy_median": "accuracy_median",
    "precision": "precision_mean",
    "recall": "recall_mean",
    "n_good": "units_at_least_0.8",
    "n_false_positive": "false_positive_units",
    "n_missed": "missed_units",
}


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Accuracy over the true units.

    Parameters
    ----------
    proposal, truth : LabelSet
        EVENTS on the same stream.

    Returns
    -------
    mapping of str to float
        `accuracy_mean`, `accuracy_median`, `precision_mean`, `recall_mean` over true units (0
        for unmatched ones), `units_at_least_0.8`, `false_positive_units`, `missed_units`,
        `true_units`, `found_units`.

    Notes
    -----
    Magland et al. 2020, eLife 9:e55167 (SpikeForest).
    """
    metrics = compare(truth, proposal).metrics
    found = {name: float(metrics[key]) for key, name in KEPT.items() if key in metrics}
    return found | {
        "true_units": float(truth.items.size),
        "found_units": float(proposal.items.size),
    }
