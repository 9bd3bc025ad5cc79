"""What tests need, shipped: ground truth, contract suites, Hypothesis strategies.

>>> from nissl.testing import build_hybrid, simulate_spikes
>>> recording, truth = simulate_spikes(0, n_channels=16, duration_s=30.0, n_units=6)

Contract suites are classes to inherit from in a test file: `nissl.testing.readers`,
`nissl.testing.annotators` and `nissl.testing.exporters`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nissl.annotators.spikes.hybrid import build_hybrid
    from nissl.annotators.spikes.simulate import simulate as simulate_spikes
    from nissl.testing.dossiers import spike_dossier
    from nissl.testing.sessions import simulate_session

__all__ = ["build_hybrid", "simulate_session", "simulate_spikes", "spike_dossier"]

_HOME = {
    "build_hybrid": "nissl.annotators.spikes.hybrid:build_hybrid",
    "simulate_session": "nissl.testing.sessions:simulate_session",
    "simulate_spikes": "nissl.annotators.spikes.simulate:simulate",
    "spike_dossier": "nissl.testing.dossiers:spike_dossier",
}


def __getattr__(name: str) -> Any:
    """Import a public name at first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'nissl.testing' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    return getattr(import_module(module), attribute)
