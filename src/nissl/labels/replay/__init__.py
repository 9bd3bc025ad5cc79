"""People's edits over a label set, replayed into the reviewed set.

`replay` never changes its base: it gives a new immutable set with, for every item, what was
decided and by whom. Several reviewers are replayed apart and combined only by an explicit
rule. What cannot be applied is listed as a question, never dropped.
"""

from nissl.labels.replay.live import Live
from nissl.labels.replay.rebase import Rebased, rebase, retarget
from nissl.labels.replay.replay import replay
from nissl.labels.replay.resolve import Outcome, Rule, adjudicated, by_reviewer, majority, single
from nissl.labels.replay.reviewed import (
    STATES,
    Link,
    Question,
    Remark,
    Reviewed,
    decided_rows,
)

__all__ = [
    "STATES",
    "Link",
    "Live",
    "Outcome",
    "Question",
    "Rebased",
    "Remark",
    "Reviewed",
    "Rule",
    "adjudicated",
    "by_reviewer",
    "decided_rows",
    "majority",
    "rebase",
    "replay",
    "retarget",
    "single",
]
