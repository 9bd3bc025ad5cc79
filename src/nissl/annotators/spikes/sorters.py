"""What each sorter does itself, and how its own doubles of our steps are switched off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sorter:
    """A SpikeInterface sorter as nissl calls it.

    Parameters
    ----------
    name : str
        In SpikeInterface.
    does : tuple of str
        Preprocessing steps that it does itself as nissl calls it: never also nissl's.
    packages : mapping of str to str
        Import name of what it needs to the command that installs it.
    versions : tuple of str
        Distributions whose versions shape the result.
    band_hz : tuple of float
        Pass band its authors chose.
    settings : callable
        ``(motion, seed, n_jobs) -> dict``: parameters that switch off what nissl has done.
    corrects_motion : bool
        Whether it can.
    one_segment : bool
        Whether it takes gapless recordings only, and is given the segments joined.
    reference : str
        What to cite.
    """

    name: str
    does: tuple[str, ...]
    packages: Mapping[str, str]
    versions: tuple[str, ...]
    band_hz: tuple[float, float]
    settings: Callable[[bool, int, int], dict[str, Any]]
    corrects_motion: bool = True
    one_segment: bool = False
    reference: str = ""
    words: Mapping[str, str] = field(default_factory=dict)


def job_options(n_jobs: int) -> dict[str, Any]:
    """SpikeInterface's own parallel work: processes, chunks of one second."""
    return {"n_jobs": n_jobs, "chunk_duration": "1s", "progress_bar": False}


def _components(motion: bool, seed: int, n_jobs: int) -> dict[str, Any]:
    """Lupin and tridesclous2: an empty pipeline leaves them whitening and motion only."""
    return {
        "apply_preprocessing": True,
        "preprocessing_dict": [],
        "apply_motion_correction": motion,
        "save_array": False,
        "seed": seed,
        "job_kwargs": job_options(n_jobs),
    }


def _circus(motion: bool, seed: int, n_jobs: int) -> dict[str, Any]:
    return {
        "apply_preprocessing": False,
        "apply_whitening": True,
        "apply_motion_correction": motion,
        "seed": seed,
        "job_kwargs": job_options(n_jobs),
    }


def _mountainsort(motion: bool, seed: int, n_jobs: int) -> dict[str, Any]:
    return {
        "scheme": "2",
        "filter": False,
        "whiten": True,
        "whitening_seed": seed,
        **job_options(n_jobs),
    }


_EPHYS = "pip install 'nissl[ephys]'"
_BASE = {
    "spikeinterface": _EPHYS,
    "numba": _EPHYS,
    "hdbscan": _EPHYS,
    "sklearn": _EPHYS,
    "networkx": _EPHYS,
}
_VERSIONS = ("spikeinterface", "numpy", "scipy", "numba", "scikit-learn")
_WHITENED = {
    "whitening": "Whitened by the sorter, from the covariance of each channel with its neighbours.",
    "motion": "Motion estimated and corrected by the sorter (DREDge).",
}

SORTERS = {
    "lupin": Sorter(
        name="lupin",
        does=("whitening", "motion"),
        packages=_BASE | {"torch": "pip install 'nissl[ephys,train]'"},
        versions=(*_VERSIONS, "torch"),
        band_hz=(150.0, 7000.0),
        settings=_components,
        reference="Buccino et al. 2020, eLife 9:e61834 (SpikeInterface; sorter Lupin)",
        words=_WHITENED,
    ),
    "tridesclous2": Sorter(
        name="tridesclous2",
        does=("whitening", "motion"),
        packages=_BASE,
        versions=(*_VERSIONS, "hdbscan"),
        band_hz=(150.0, 6000.0),
        settings=_components,
        reference="Buccino et al. 2020, eLife 9:e61834 (SpikeInterface; sorter Tridesclous2)",
        words=_WHITENED,
    ),
    "spykingcircus2": Sorter(
        name="spykingcircus2",
        does=("whitening", "motion"),
        packages=_BASE,
        versions=(*_VERSIONS, "hdbscan"),
        band_hz=(150.0, 7000.0),
        settings=_circus,
        reference="Yger et al. 2018, eLife 7:e34518 (SpyKING CIRCUS; second version in "
        "SpikeInterface)",
        words=_WHITENED,
    ),
    "mountainsort5": Sorter(
        name="mountainsort5",
        does=("whitening",),
        packages={"spikeinterface": _EPHYS, "mountainsort5": "pip install 'nissl[sorters]'"},
        versions=("spikeinterface", "numpy", "scipy", "mountainsort5", "isosplit6"),
        band_hz=(300.0, 6000.0),
        settings=_mountainsort,
        corrects_motion=False,
        one_segment=True,
        reference="Chung et al. 2017, Neuron 95(6):1381-1394 (MountainSort)",
        words={"whitening": "Whitened by the sorter, over all channels."},
    ),
}


def _kilosort(motion: bool, seed: int, n_jobs: int) -> dict[str, Any]:
    return {"motion": motion, "threads": n_jobs}


KILOSORT = Sorter(
    name="kilosort4",
    does=("bandpass", "reference", "whitening", "motion"),
    packages={},
    versions=(),
    band_hz=(300.0, 6000.0),
    settings=_kilosort,
    reference="Pachitariu et al. 2024, Nature Methods 21:914-921 (Kilosort4)",
    words={
        "bandpass": "High-pass filtered by the sorter (300 Hz).",
        "reference": "Common median subtracted by the sorter.",
        "whitening": "Whitened by the sorter, over neighbouring channels.",
        "motion": "Drift estimated and corrected by the sorter.",
    },
)
