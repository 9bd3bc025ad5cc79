"""The one class of the task "rates": a spike."""

from __future__ import annotations

from nissl.labels import Vocabulary

SPIKES = Vocabulary(("spike",))
