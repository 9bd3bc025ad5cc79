"""Results of CaImAn: the HDF5 file that its `save` writes.

Footprints stand in a sparse matrix whose pixels count down the columns of the image first
(Fortran order); here they count along the rows. Components that CaImAn did not accept are "not
cell".
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.cells.footprints import Footprints
from nissl.errors import CorruptSourceError
from nissl.io.files import corrupt
from nissl.io.regions import DECONVOLVED, DFF, RAW, Found, RegionFile
from nissl.labels import Author

_FACTS = ("SNR_comp", "r_values", "cnn_preds")


def is_caiman(path: Path) -> bool:
    """Whether a file is HDF5 with CaImAn's estimates."""
    if path.suffix not in (".hdf5", ".h5") or not path.is_file():
        return False
    try:
        import h5py

        with h5py.File(path, "r") as file:
            return "estimates" in file and "A" in file["estimates"]
    except (ImportError, OSError, RuntimeError, KeyError, ValueError):
        return False


def find_caiman(path: Path, reviewer: str | None) -> Found:
    """Components of a file, their facts and traces."""
    del reviewer
    import h5py

    with corrupt(path, "CaImAn's estimates"), h5py.File(path, "r") as file:
        held = file["estimates"]
        dims = _dims(file, held)
        pixels, weights = _components(held["A"], dims)
        n = len(pixels)
        traces = {
            name: _numbers(held, key, n) for name, key in ((DFF, "F_dff"), (DECONVOLVED, "S"))
        }
        fitted, residual = _numbers(held, "C", n), _numbers(held, "YrA", n)
        if fitted is not None:
            traces[RAW] = fitted if residual is None else fitted + residual
        facts = {k: v for k in _FACTS if (v := _column(held, k, n)) is not None}
        accepted = _indices(held, "idx_components")
        rate = _scalar(file, "params/data/fr")
        version = _words(file, "caiman_version")
    cell = None if accepted is None else np.isin(np.arange(n), accepted)
    depth = dims[2] if len(dims) == 3 else 1
    return Found(
        Footprints.build((depth, dims[0], dims[1]), pixels, weights),
        Author("model", "caiman", version),
        cell=cell,
        facts=facts,
        traces={name: values.T for name, values in traces.items() if values is not None},
        rate_hz=rate,
    )


def _dims(file: Any, held: Any) -> tuple[int, ...]:
    for group in (file, held):
        if "dims" in group and getattr(group["dims"], "shape", None):
            return tuple(int(n) for n in group["dims"][()])
    raise CorruptSourceError("the size of the field (dims)", "none", "Save the results again.")


def _components(
    held: Any, dims: tuple[int, ...]
) -> tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.float32]]]:
    """Pixels (C order over z, y, x) and weights of each component."""
    data, indices, indptr = (np.asarray(held[k][()]) for k in ("data", "indices", "indptr"))
    n_pixels = int(np.prod(dims))
    shape = tuple(int(n) for n in held["shape"][()]) if "shape" in held else (n_pixels, -1)
    wrong = shape[0] != n_pixels or np.any(np.diff(indptr) < 0) or indptr[-1] != indices.size
    if wrong or data.size != indices.size or (indices.size and indices.max() >= n_pixels):
        raise ValueError(f"a matrix of {shape} for a field of {dims}")
    at = np.unravel_index(indices.astype(np.int64), dims, order="F")
    flat = at[0] * dims[1] + at[1]
    if len(dims) == 3:
        flat += at[2] * dims[0] * dims[1]
    pixels, weights = [], []
    for a, b in pairwise(indptr.tolist()):
        some = data[a:b] > 0
        if not some.any():
            raise ValueError("a component without pixels")
        pixels.append(flat[a:b][some])
        weights.append(data[a:b][some].astype(np.float32))
    return pixels, weights


def _numbers(held: Any, name: str, n: int) -> npt.NDArray[np.float64] | None:
    """Rows of an array (n, n_frames); None where CaImAn kept none."""
    if name not in held or getattr(held[name], "ndim", 0) != 2 or held[name].shape[0] != n:
        return None
    return np.asarray(held[name][()], np.float64)


def _column(held: Any, name: str, n: int) -> npt.NDArray[np.float64] | None:
    if (
        name not in held
        or getattr(held[name], "size", 0) != n
        or held[name].dtype.kind not in "iuf"
    ):
        return None
    return np.asarray(held[name][()], np.float64).reshape(n)


def _indices(held: Any, name: str) -> npt.NDArray[np.int64] | None:
    if name not in held or getattr(held[name], "ndim", 0) != 1:
        return None
    values = np.asarray(held[name][()])
    return values.astype(np.int64) if values.dtype.kind in "iuf" else None


def _scalar(file: Any, name: str) -> float:
    try:
        return float(file[name][()])
    except (KeyError, TypeError, ValueError):
        return float("nan")


def _words(file: Any, name: str) -> str:
    value = file[name][()] if name in file and file[name].shape == () else ""
    return value.decode() if isinstance(value, bytes) else str(value)


CAIMAN = RegionFile("caiman", is_caiman, find_caiman)
