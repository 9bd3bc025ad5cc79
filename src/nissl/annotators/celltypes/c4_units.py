"""Units as a file in the layout of the C4 database (see `c4`), which C4's classifier reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.layers import layer_code
from nissl.annotators.celltypes.unit import Unit

Values = npt.NDArray[np.float64]

RATE_HZ = 30_000
"""C4 counts correlograms in samples of 30 kHz, whatever rate a file states."""

N_SAMPLES, PEAK = 180, 90
"""6 ms of waveform, the largest deflection in their middle, as the database keeps them."""

N_CHANNELS = 4
LEAST_SPIKES = 100
"""C4 does not classify units with fewer."""

LAYERS = {1.0: "ML", 2.0: "PCL", 3.0: "GCL"}
LAB = "nissl"


def usable(unit: Unit) -> bool:
    """Whether C4 can be asked of a unit: it has spikes enough, and a waveform."""
    spikes = unit.spikes_s is not None and unit.spikes_s.size >= LEAST_SPIKES
    return spikes and waveform_of(unit) is not None


def write_units(path: Path, units: list[Unit], ids: list[int]) -> None:
    """Write units that are `usable`, one group each, in their order.

    Parameters
    ----------
    path : Path
        Ends in ``.h5``.
    units : list of Unit
    ids : list of int
    """
    import h5py

    with h5py.File(path, "w") as file:
        for number, (unit, own) in enumerate(zip(units, ids, strict=True)):
            group = file.create_group(f"{LAB}_neuron_{number}")
            for name, value in _fields(unit, own, number).items():
                group[name] = value


def waveform_of(unit: Unit) -> tuple[Values, Values] | None:
    """Mean spike around the main channel, and where its channels are.

    Returns
    -------
    waveform : ndarray, shape (n_channels, 180), float64
        At 30 kHz; beyond what is known its first and last value stand.
    position_um : ndarray, shape (n_channels, 2), float64
        Zero where not known.
    """
    if unit.waveform is None or unit.rate_hz is None:
        return None
    known = np.isfinite(unit.waveform).all(axis=0) & np.any(unit.waveform != 0, axis=0)
    channels = np.flatnonzero(known)
    if not channels.size:
        return None
    wave = unit.waveform[:, channels]
    main = int(np.abs(wave).max(axis=0).argmax())
    position = np.zeros((channels.size, 2)) if unit.position_um is None else unit.position_um[known]
    position = np.nan_to_num(position)
    away = np.linalg.norm(position - position[main], axis=1)
    near = np.sort(np.lexsort((np.abs(np.arange(channels.size) - main), away))[:N_CHANNELS])
    return _resampled(wave[:, near], unit.rate_hz).T, position[near]


def _resampled(wave: Values, rate_hz: float) -> Values:
    """Waveform at 30 kHz on 180 samples, largest deflection at the 90th."""
    from scipy.interpolate import CubicSpline

    at = np.arange(len(wave)) / rate_hz
    fine = wave
    if rate_hz != RATE_HZ and len(wave) > 1:
        wanted = np.arange(int(at[-1] * RATE_HZ) + 1) / RATE_HZ
        fine = np.asarray(CubicSpline(at, wave, axis=0)(wanted))
    peak = int(np.abs(fine).max(axis=1).argmax())
    rows = np.clip(np.arange(N_SAMPLES) - PEAK + peak, 0, len(fine) - 1)
    return np.asarray(fine[rows])


def _fields(unit: Unit, own: int, number: int) -> dict[str, Any]:
    wave, position = waveform_of(unit) or (np.zeros((1, N_SAMPLES)), np.zeros((1, 2)))
    spikes = np.zeros(0) if unit.spikes_s is None else unit.spikes_s
    sample = np.round(spikes * RATE_HZ).astype(np.int64)
    return {
        "lab_id": LAB,
        "dataset_id": LAB,
        "neuron_id": f"/{LAB}_neuron_{number}",
        "neuron_relative_id": own,
        "line": "",
        "sampling_rate": RATE_HZ,
        "spike_indices": sample,
        "sane_spikes": np.ones(sample.size, bool),
        "fn_fp_filtered_spikes": np.ones(sample.size, bool),
        "amplitudes": np.ones(sample.size),
        "mean_waveform_preprocessed": wave,
        "channelmap": position,
        "ground_truth_label": "",
        "phyllum_layer": LAYERS.get(layer_code(unit.layer), "unknown"),
    }


__all__ = ["LEAST_SPIKES", "usable", "waveform_of", "write_units"]
