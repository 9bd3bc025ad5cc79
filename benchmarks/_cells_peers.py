"""Peers of `cells.py`, each in a process of its own, where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from _common import without_paths
from nissl.annotators.cells.footprints import Footprints
from nissl.data import Movie

SUITE2P = "NISSL_SUITE2P_PYTHON"
CELLPOSE = "NISSL_CELLPOSE_PYTHON"


def suite2p(movie: Movie, kept: Path, timeout_s: float) -> dict[str, Any] | None:
    """Regions of Suite2p, "all" and "called" cells, with its seconds; None if not installed.

    Its answer is kept in `kept` and not asked for again.
    """
    python = os.environ.get(SUITE2P)
    if not python and not kept.is_file():
        return None
    fault = "" if kept.is_file() else _run_suite2p(str(python), movie, kept, timeout_s)
    if fault:
        return {"error": fault}
    with np.load(kept) as file:
        flat = file["y"].astype(np.int64) * movie.shape[2] + file["x"]
        parts = [np.unique(p) for p in np.split(flat, np.cumsum(file["length"])[:-1])]
        called, seconds = file["called"], float(file["seconds"])
    regions = Footprints.build(movie.shape, parts)
    return {"all": regions, "called": regions.take(called), "wall_s": seconds}


def _run_suite2p(python: str, movie: Movie, kept: Path, timeout_s: float) -> str:
    """Run Suite2p on a movie; returns why there is no answer, or nothing."""
    import tifffile

    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "in" / "movie.tif", Path(folder) / "out.npz"
        path.parent.mkdir()
        frames = movie.frames()
        top = float(np.nanmax(frames))
        scaled = frames if top <= 32_000 else frames * (32_000 / top)
        tifffile.imwrite(path, scaled.astype(np.int16))
        script = Path(__file__).with_name("_cells_suite2p.py").resolve()
        try:
            ran = subprocess.run(
                [python, str(script), str(path), str(movie.rate_hz), str(out)],
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                cwd=folder,
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {timeout_s:.0f} s"
        if ran.returncode or not out.is_file():
            lines = ran.stderr.strip().splitlines() or ["no reason given"]
            return without_paths(lines[-1])
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out, kept)
    return ""


def cellpose(mean: np.ndarray, timeout_s: float) -> dict[str, Any] | None:
    """Masks of Cellpose on the mean image; None where no interpreter with its weights is named."""
    python = os.environ.get(CELLPOSE)
    if not python:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "mean.npy", Path(folder) / "masks.npy"
        np.save(source, mean)
        code = (
            "import sys, numpy as np; from cellpose import models; "
            "m = models.CellposeModel(gpu=False); "
            "np.save(sys.argv[2], m.eval(np.load(sys.argv[1]))[0])"
        )
        ran = subprocess.run(
            [python, "-c", code, str(source), str(out)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if ran.returncode or not out.is_file():
            lines = ran.stderr.strip().splitlines() or ["no reason given"]
            return {"error": without_paths(lines[-1])}
        masks = np.load(out)
    return {"all": Footprints.from_masks(masks)}
