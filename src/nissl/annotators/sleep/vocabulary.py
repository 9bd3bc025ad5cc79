"""Stages of sleep; how people spell them is told in `nissl.annotators.sleep.stages`."""

from __future__ import annotations

from nissl.labels import Vocabulary

UNKNOWN = "unknown"
"""The last class of every vocabulary: movement, no signal, or not to be told."""

HUMAN = Vocabulary(
    ("W", "N1", "N2", "N3", "R", UNKNOWN),
    ("#e69f00", "#56b4e9", "#0072b2", "#30307a", "#d55e00", "#8a8f98"),
)
"""AASM stages (Berry et al., The AASM Manual for the Scoring of Sleep and Associated Events)."""
RODENT = Vocabulary(("W", "NREM", "REM", UNKNOWN), ("#e69f00", "#0072b2", "#d55e00", "#8a8f98"))

__all__ = ["HUMAN", "RODENT", "UNKNOWN"]
