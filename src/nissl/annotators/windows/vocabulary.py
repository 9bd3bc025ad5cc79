"""Classes of windows: stretches by which recordings can be compared."""

from __future__ import annotations

from nissl.labels import Vocabulary

REST, STIMULUS, MOVEMENT = "rest", "stimulus", "movement"
BOTH, FRAGMENT = "both modalities", "fragment"
VOCABULARY = Vocabulary(
    (REST, STIMULUS, MOVEMENT, BOTH, FRAGMENT),
    ("#56b4e9", "#d55e00", "#e69f00", "#009e73", "#8a8f98"),
)

__all__ = ["BOTH", "FRAGMENT", "MOVEMENT", "REST", "STIMULUS", "VOCABULARY"]
