"""Suite2p on a movie, in a process of its own: it is under the GPL and is never imported here.

    $NISSL_SUITE2P_PYTHON benchmarks/_cells_suite2p.py MOVIE.tif RATE_HZ OUT.npz

Writes the pixels of its regions, which of them it calls cells, and its seconds.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import numpy as np


class Absent(types.ModuleType):
    """A package that Suite2p imports and does not need for what is asked of it here."""

    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for a torchvision that does not fit the torch beside it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Answer for torchvision alone."""
        if name.split(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        """Make an empty module."""
        return Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to do."""


def main(movie: str, rate_hz: str, out: str) -> None:
    """Run Suite2p with its defaults on the CPU."""
    try:
        import torchvision  # noqa: F401
    except Exception:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        sys.meta_path.insert(0, Finder())
    import suite2p

    settings = suite2p.default_settings()
    settings["fs"] = float(rate_hz)
    settings["torch_device"] = "cpu"
    with tempfile.TemporaryDirectory() as folder:
        db = {**suite2p.default_db(), "data_path": [str(Path(movie).parent)], "save_path0": folder}
        began = time.perf_counter()
        suite2p.run_s2p(db=db, settings=settings)
        seconds = time.perf_counter() - began
        plane = Path(folder) / "suite2p" / "plane0"
        stat = np.load(plane / "stat.npy", allow_pickle=True)
        iscell = np.load(plane / "iscell.npy") if (plane / "iscell.npy").is_file() else None
    called = np.ones(len(stat), bool) if iscell is None else iscell[:, 0] > 0
    np.savez(
        out,
        y=np.concatenate([s["ypix"] for s in stat]),
        x=np.concatenate([s["xpix"] for s in stat]),
        length=np.array([len(s["ypix"]) for s in stat]),
        called=called,
        seconds=seconds,
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
