"""What lies outside a model's experience, as findings."""

from __future__ import annotations

from collections.abc import Sequence

from nissl.labels import FeatureTable
from nissl.tasks import Finding, Learner
from nissl.trust.novelty import Verdict

NOVELTY = "novelty"
"""Name of the check. Without an item it is about the recording, of which then nothing is accepted
automatically; with one, about the item."""


def unlike(learner: Learner, features: FeatureTable) -> tuple[Finding, ...]:
    """Findings about a recording and its items, by a learner that knows what it has seen."""
    verdict, reasons = learner.unlike(features)
    return findings_of(verdict, features.items.tolist(), reasons)


def findings_of(
    verdict: Verdict | None, items: Sequence[int], reasons: Sequence[str]
) -> tuple[Finding, ...]:
    """Findings of what a learner says; items without a reason are within.

    Parameters
    ----------
    verdict : Verdict or None
    items : sequence of int
    reasons : sequence of str, one per item
    """
    found = []
    if verdict is not None and not verdict.automatic:
        found.append(Finding(NOVELTY, "warning", verdict.reason))
    for item, reason in zip(items, reasons, strict=True):
        if reason:
            found.append(Finding(NOVELTY, "note", reason, item=item))
    return tuple(found)
