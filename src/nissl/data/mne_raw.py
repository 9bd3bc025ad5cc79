"""Samples of files that MNE-Python opens, read piece by piece through it.

Samples are kept in MNE's SI units (V, T, T/m) as it gives them; the channel table turns them
into uV, fT and fT/cm. MNE opens the file again in each process, when samples are first asked
for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.arrays import damaged

FORMATS = {
    ".vhdr": "read_raw_brainvision",
    ".fif": "read_raw_fif",
    ".set": "read_raw_eeglab",
    ".gdf": "read_raw_gdf",
}
"""Reading function of MNE by suffix; others go through `mne.io.read_raw`."""


def open_raw(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Open a file with MNE without its samples.

    Returns
    -------
    raw : mne.io.BaseRaw
    notes : tuple of str
        What MNE warned of, without paths.
    """
    import mne
    from mne.utils import catch_logging

    name = path.name.lower().removesuffix(".gz")
    function = getattr(mne.io, FORMATS.get(Path(name).suffix, "read_raw"))
    # it also logs what it warns of, to standard output
    with warnings.catch_warnings(record=True) as caught, catch_logging():
        warnings.simplefilter("always")
        raw = function(path, preload=False, verbose="warning")
    said = [" ".join(str(w.message).split()) for w in caught]
    plain = [s.replace(str(path.absolute()), path.name).replace(str(path), path.name) for s in said]
    return raw, tuple(dict.fromkeys(f"MNE says: {s[:300]}" for s in plain))


@lru_cache(maxsize=4)
def _cached(path: str, mtime_ns: int) -> Any:
    return open_raw(Path(path))[0]


@dataclass(frozen=True)
class MneReader:
    """Samples of one file.

    Parameters
    ----------
    path : str
    """

    path: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples, which MNE scales to SI units."""
        return np.dtype(np.float64)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval in SI units, shape (stop - start, len(channels))."""
        if stop <= start or not len(channels):
            return np.empty((stop - start, len(channels)), dtype=self.dtype)
        picks = np.unique(channels)
        try:
            raw = _cached(self.path, Path(self.path).stat().st_mtime_ns)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = raw.get_data(picks=picks, start=start, stop=stop, verbose="error")
        except Exception as error:
            raise damaged(self.path, error) from error
        if data.shape != (picks.size, stop - start):
            raise damaged(self.path, ValueError(f"samples of shape {data.shape}"))
        return np.ascontiguousarray(data[np.searchsorted(picks, channels)].T)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the path is absolute."""
        return {"path": str(Path(self.path).absolute())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> MneReader:
        """Inverse of `to_json`."""
        return cls(**value)
