"""What a track may be; which neuron it is stands in its item, its name in classes over tracks."""

from __future__ import annotations

from nissl.labels import Vocabulary

NEURON, NOT_NEURON = 0, 1
TRACKS = Vocabulary(("neuron", "not neuron"), ("#0072b2", "#d55e00"))
"""One neuron through all volumes in which it was seen; and what was followed by mistake."""
