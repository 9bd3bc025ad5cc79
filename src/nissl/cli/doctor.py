"""`nissl doctor`: the environment, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from nissl import __version__
from nissl.cli.adding import AsJson
from nissl.cli.output import show

_EXTRAS = {
    "ephys": ("spikeinterface", "neo", "probeinterface", "sklearn", "numba", "hdbscan", "pynwb"),
    "imaging": ("tifffile", "skimage", "h5py", "av", "roifile", "pynwb", "onnxruntime"),
    "train": ("torch",),
    "dask": ("dask", "distributed"),
    "postgresql": ("psycopg",),
    "sorters": ("mountainsort5",),
    "interop": ("pynapple", "mne"),
}
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "skimage": "scikit-image"}


def doctor(
    project: Annotated[Path | None, typer.Argument(help="Also examine this project.")] = None,
    as_json: AsJson = False,
) -> None:
    """Examine the environment; each line that is not good names the command that mends it."""
    rows = [_python(), _machine(), _disk(Path.cwd()), _gpu(), *_packages()]
    if project is not None:
        rows.append(_project(project))
    show(f"nissl {__version__}", rows, as_json=as_json)
    if any(row["state"] == "bad" for row in rows):
        raise typer.Exit(4)


def _line(what: str, state: str, detail: str, mend: str = "") -> dict[str, Any]:
    return {"what": what, "state": state, "detail": detail, "mend": mend}


def _python() -> dict[str, Any]:
    good = sys.version_info[:2] >= (3, 11)
    return _line("python", "good" if good else "bad", platform.python_version())


def _machine() -> dict[str, Any]:
    import psutil

    memory = psutil.virtual_memory()
    state = "good" if memory.available > 2e9 else "warning"
    detail = (
        f"{os.cpu_count()} cores, {memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    )
    return _line("machine", state, detail, "" if state == "good" else "use --memory 1GB")


def _disk(path: Path) -> dict[str, Any]:
    free = shutil.disk_usage(path).free
    state = "good" if free > 5e9 else "warning"
    return _line("disk here", state, f"{free / 1e9:.1f} GB free")


def _gpu() -> dict[str, Any]:
    found = shutil.which("nvidia-smi")
    return _line("gpu", "good" if found else "none", "NVIDIA" if found else "not needed")


def _packages() -> list[dict[str, Any]]:
    rows = []
    for extra, modules in _EXTRAS.items():
        lacking = [m for m in modules if importlib.util.find_spec(m) is None]
        present = ", ".join(f"{m} {_version(m)}" for m in modules if m not in lacking)
        optional = "missing" if extra == "ephys" else "absent"
        mend = f'pip install "nissl[{extra}]"' if lacking else ""
        if extra == "train" and lacking:
            mend = "pip install torch (CPU builds are smaller: see pytorch.org)"
        rows.append(
            _line(f"[{extra}]", optional if lacking else "good", present or "nothing", mend)
        )
    return rows


def _version(module: str) -> str:
    try:
        return version(_DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "?"


def _project(path: Path) -> dict[str, Any]:
    from nissl.errors import NisslError
    from nissl.project import open_project

    try:
        with open_project(path, create=False) as study:
            gone = [s.name for s in study.sources() if s.is_recording and not s.has_raw]
    except NisslError as error:
        return _line(f"project {path}", "bad", error.got, error.remedy)
    if gone:
        return _line(
            f"project {path}",
            "warning",
            f"raw data gone: {', '.join(gone)}",
            f"nissl relocate {path} {gone[0]} NEW_PATH",
        )
    return _line(f"project {path}", "good", "opens")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("doctor", short_help="Examine the environment, and say what mends it.")(doctor)
