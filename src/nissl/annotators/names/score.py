"""How many names are right, and how many of those that were claimed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nissl.annotators.names.vocabulary import UNKNOWN
from nissl.labels import LabelSet


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Compare names of tracks; vocabularies may differ, names are compared as such.

    Returns
    -------
    mapping
        Over tracks that the truth names: `accuracy`, the fraction that got the right name;
        `claimed`, the fraction that got a name; `precision`, right ones of those. Tracks that
        the proposal lacks count as wrong. NaN where there is nothing to count.
    """
    said = {int(k): proposal.vocabulary.names[c] for k, c in _rows(proposal)}
    known = {int(k): truth.vocabulary.names[c] for k, c in _rows(truth)}
    asked = [k for k, name in known.items() if name != UNKNOWN]
    claimed = [k for k in asked if said.get(k, UNKNOWN) != UNKNOWN]
    right = sum(said[k] == known[k] for k in claimed)
    return {
        "accuracy": right / len(asked) if asked else float("nan"),
        "claimed": len(claimed) / len(asked) if asked else float("nan"),
        "precision": right / len(claimed) if claimed else float("nan"),
    }


def _rows(labels: LabelSet) -> list[tuple[int, int]]:
    target, label = labels.column("target"), labels.column("label")
    return list(zip(target.tolist(), np.asarray(label).tolist(), strict=True))
