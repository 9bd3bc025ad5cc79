"""What a region of an imaged field may be."""

from __future__ import annotations

from nissl.labels import Vocabulary

CELL, NOT_CELL = 0, 1
CELLS = Vocabulary(("cell", "not cell"), ("#0072b2", "#d55e00"))
"""A soma or dendrite whose fluorescence is one neuron's; and everything else that was outlined."""
