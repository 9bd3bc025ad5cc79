"""Units to add that do not come from the recording: built in, or from files people bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.hybrid_units import CELLEXPLORER, HybridUnit, load_cellexplorer
from nissl.errors import BadMetadataError, SourceNotFoundError

BUILT_IN_HZ = 30_000.0
_WINDOW_MS = (1.2, 2.4)
_N_CHANNELS = 12
_PITCH_UM = 20.0
_NO_TRAIN = np.array([0.0, 1.0])


def built_in(n: int, rng: np.random.Generator) -> tuple[HybridUnit, ...]:
    """Units of analytic shape, so that nothing need be brought.

    A trough between a small rise before and a slower one after, three Gaussians whose widths
    are drawn over the range from narrow (fast-spiking) to broad (pyramidal) cells; amplitudes
    fall off exponentially over a line of contacts, and farther ones come later and broader.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    tuple of HybridUnit
        "built-in 0" and so on; templates (n_samples, 12) with a trough of 100 uV at 30 kHz.
        Trains are not theirs: they hold two spikes.
    """
    return tuple(_analytic(k, rng) for k in range(n))


def _analytic(number: int, rng: np.random.Generator) -> HybridUnit:
    n_before, n_after = (round(ms * BUILT_IN_HZ / 1000) for ms in _WINDOW_MS)
    t_ms = np.arange(-n_before, n_after)[:, None] / BUILT_IN_HZ * 1000
    distance = _PITCH_UM * ((np.arange(_N_CHANNELS) + 1) // 2)[None, :]
    trough = rng.uniform(0.08, 0.2)
    later = distance / 400.0
    wide = 1 + distance / 250.0
    after = rng.uniform(2.0, 4.0) * trough
    shape = -_bell(t_ms - later, trough * wide)
    shape += rng.uniform(0.05, 0.2) * _bell(t_ms - later + 2.5 * trough, 1.2 * trough * wide)
    shape += rng.uniform(0.15, 0.45) * _bell(t_ms - later - 1.8 * after, after * wide)
    wave = shape * 100.0 * np.exp(-distance / rng.uniform(18.0, 40.0))
    name = f"built-in {number}"
    return HybridUnit(name, name, wave.astype(np.float32), BUILT_IN_HZ, _NO_TRAIN, "simulated")


def _bell(t_ms: npt.NDArray[np.float64], sigma_ms: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * (t_ms / np.asarray(sigma_ms)) ** 2), np.float64)


def read_library(path: Path) -> tuple[HybridUnit, ...]:
    """Read units that somebody brings.

    Parameters
    ----------
    path : Path
        An ``.npz`` with `templates` (n_units, n_samples, n_channels) in uV and `rate_hz`
        (optional `names`, `labels`); an ``.nwb`` file whose units have `waveform_mean`; or a
        folder with CellExplorer's published sessions as `load_cellexplorer` reads them.

    Returns
    -------
    tuple of HybridUnit

    Raises
    ------
    SourceNotFoundError
        Nothing there, or of no kind that can be read.
    BadMetadataError
        The file holds no mean waveforms.
    """
    if path.is_dir() and (path / CELLEXPLORER).is_dir():
        return load_cellexplorer(path)
    if path.is_file() and path.suffix == ".npz":
        return _from_npz(path)
    if path.is_file() and path.suffix == ".nwb":
        return _from_nwb(path)
    raise SourceNotFoundError(
        "a library of units: .npz with templates and rate_hz, .nwb with waveform_mean, or a "
        f"folder with {CELLEXPLORER}",
        f"{'another kind of file' if path.exists() else 'nothing'} at {path}",
        "Check the path, or leave --library out to use the built-in shapes.",
    )


def _from_npz(path: Path) -> tuple[HybridUnit, ...]:
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise BadMetadataError(
            f"an .npz file of arrays at {path}", f"{error}", "Save it again with numpy.savez."
        ) from error
    lacking = {"templates", "rate_hz"} - set(stored)
    if lacking:
        raise BadMetadataError(
            "arrays templates (n_units, n_samples, n_channels) in uV and rate_hz",
            f"{sorted(stored)}",
            f"Add {sorted(lacking)}.",
        )
    n = len(stored["templates"])
    names = [str(x) for x in stored.get("names", np.arange(n))]
    labels = [str(x) for x in stored.get("labels", np.full(n, ""))]
    return _units(path, stored["templates"], float(stored["rate_hz"]), names, labels)


def _from_nwb(path: Path) -> tuple[HybridUnit, ...]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            units = file.get("units")
            if units is None or "waveform_mean" not in units:
                raise BadMetadataError(
                    f"units with waveform_mean in {path.name}",
                    "none",
                    "Export the units with their mean waveforms, or bring another library.",
                )
            mean = units["waveform_mean"]
            rate_hz = float(mean.attrs.get("sampling_rate", 0.0))
            templates = np.asarray(mean[()], np.float64) * 1e6  # NWB states volts
            names = [str(x) for x in units["id"][()]] if "id" in units else []
    except OSError as error:
        raise BadMetadataError(
            f"an NWB file at {path}", f"{error}", "Restore it from the original."
        ) from error
    if templates.ndim == 2:
        templates = templates[:, :, None]
    names = names or [str(k) for k in range(len(templates))]
    return _units(path, templates, rate_hz, names, [""] * len(templates))


def _units(
    path: Path,
    templates: npt.NDArray[np.floating],
    rate_hz: float,
    names: Sequence[str],
    labels: Sequence[str],
) -> tuple[HybridUnit, ...]:
    if templates.ndim != 3 or not len(templates) or len(names) != len(templates):
        raise BadMetadataError(
            "templates of shape (n_units, n_samples, n_channels), with a name each",
            f"shape {templates.shape}, {len(names)} names",
            "Give the mean waveform of every unit in uV.",
        )
    return tuple(
        HybridUnit(
            f"{path.stem}/{name}", path.stem, wave.astype(np.float32), rate_hz, _NO_TRAIN, label
        )
        for name, wave, label in zip(names, templates, labels, strict=True)
    )
