"""Labels on neural recordings that one can trust.

>>> import nissl
>>> project = nissl.open("study/")                      # a folder; created when absent
>>> night = project.add("recording.ap.bin")             # lazy, content-fingerprinted
>>> draft = project.annotate(night, "spikes")           # or "spikes/lupin", ...
>>> project.report(night, "spikes")                     # one HTML file
>>> project.export(night, "nwb", "out.nwb", draft=True) # verified by reading back
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nissl.data import Recording, Signal
    from nissl.data.read import read
    from nissl.errors import NisslError
    from nissl.labels import Kind, LabelSet
    from nissl.labels.compare import compare
    from nissl.labels.replay import replay
    from nissl.nets.embedding import embed
    from nissl.project import Project
    from nissl.project import open_project as open

__version__ = "0.1.0"

__all__ = [
    "Kind",
    "LabelSet",
    "NisslError",
    "Project",
    "Recording",
    "Signal",
    "compare",
    "embed",
    "open",
    "read",
    "replay",
]

_HOME = {
    "Kind": "nissl.labels:Kind",
    "LabelSet": "nissl.labels:LabelSet",
    "NisslError": "nissl.errors:NisslError",
    "Project": "nissl.project:Project",
    "Recording": "nissl.data:Recording",
    "Signal": "nissl.data:Signal",
    "compare": "nissl.labels.compare:compare",
    "embed": "nissl.nets.embedding:embed",
    "open": "nissl.project:open_project",
    "read": "nissl.data.read:read",
    "replay": "nissl.labels.replay:replay",
}


def __getattr__(name: str) -> Any:
    """Import a public name at first use, so that `import nissl` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'nissl' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
