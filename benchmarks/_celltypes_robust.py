"""What must not change a class, and how long a thousand units take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from _celltypes_data import PLACE, Cells
from _celltypes_work import learner
from nissl.annotators.celltypes.encoder import Encoder
from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.learner import CelltypesLearner, with_curves
from nissl.annotators.celltypes.simulate import simulate_units
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import UNKNOWN
from nissl.errors import NisslError


def scaled(unit: Unit) -> Unit:
    """Half the amplitude."""
    return replace(unit, waveform=0.5 * _waveform(unit))


def shifted(unit: Unit) -> Unit:
    """One sample later."""
    return replace(unit, waveform=np.roll(_waveform(unit), 1, axis=0))


def faster(unit: Unit) -> Unit:
    """From two thirds of the rate: 20 kHz where the unit was recorded at 30 kHz."""
    from scipy.signal import resample_poly

    assert unit.rate_hz is not None
    slow = resample_poly(_waveform(unit), 2, 3, axis=0, padtype="line")
    return replace(unit, waveform=slow, rate_hz=unit.rate_hz * 2 / 3)


def thinned(unit: Unit) -> Unit:
    """Without 30 % of the spikes; the rate is multiplied back afterwards."""
    assert unit.spikes_s is not None
    kept = np.random.default_rng(0).random(unit.spikes_s.size) < 0.7
    return replace(unit, spikes_s=unit.spikes_s[kept])


def inverted(unit: Unit) -> Unit:
    """Upside down."""
    return replace(unit, waveform=-_waveform(unit))


CHANGES: Mapping[str, Callable[[Unit], Unit]] = {
    "amplitude halved": scaled,
    "shifted by a sample": shifted,
    "resampled from two thirds of the rate": faster,
    "30 % of spikes dropped, rate rescaled": thinned,
    "a single unit inverted": inverted,
}


def robustness(learn: Cells, test: Path, encoders: Mapping[str, Encoder]) -> dict[str, Any]:
    """Share of confident units whose class changes, and what becomes of inverted ones.

    Units with spike times and waveform from the collection's session files (simulated ones where
    there are none) are classified by a learner of all its cells. Confident are the half with
    the larger probabilities, whether a class is claimed or not: few are claimed.
    """
    known = learner(learn, encoders, 0)
    units, origin = session_units(test), "session files"
    if not units:
        units, origin = list(simulate_units(5, n_units=200, duration_s=900.0).units), "simulated"
    out: dict[str, Any] = {"units": len(units), "from": origin}
    before = _classes(known, units)
    sure = before[1] >= np.median(before[1])
    out["confident"] = int(sure.sum())
    for name, change in CHANGES.items():
        after = _classes(known, [change(u) for u in units], rescaled="dropped" in name)
        differ = (before[0] != after[0])[sure]
        row = {"changed": float(differ.mean()) if sure.any() else None}
        row["confidence_before"] = float(before[1][sure].mean()) if sure.any() else None
        row["confidence_after"] = float(after[1][sure].mean()) if sure.any() else None
        row["claimed_before"] = float(before[2].mean())
        row["claimed_after"] = float(after[2].mean())
        out[name] = row
    return out


def session_units(folder: Path) -> list[Unit]:
    """Units of the collection's session files of which there are spikes and a waveform."""
    place = folder / PLACE / "cellexplorer_groundtruth" / "sessions"
    out = []
    for path in sorted(place.glob("*.npz")):
        with np.load(path, allow_pickle=False) as z:
            for name in z.files:
                key, _, what = name.partition("_")
                if what == "spike_times_10us" and f"{key}_wave_filt" in z.files:
                    step = float(np.median(np.diff(z[f"{key}_wave_time_ms"])))
                    out.append(
                        Unit(
                            spikes_s=np.sort(z[name].astype(np.float64)) * 1e-5,
                            waveform=z[f"{key}_wave_filt"].astype(np.float64)[:, None],
                            rate_hz=1000 / step,
                        )
                    )
    return out


def speed(n_units: int) -> dict[str, Any]:
    """Seconds for featurising and classifying units, given templates and spike times."""
    units = list(simulate_units(9, n_units=n_units, duration_s=600.0).units)
    known = CelltypesLearner()
    known.known  # noqa: B018 - read the weights first
    began = time.perf_counter()
    table = with_curves(featurise_units(units))
    middle = time.perf_counter()
    known.claims(table)
    done = time.perf_counter()
    spikes = int(np.mean([0 if u.spikes_s is None else u.spikes_s.size for u in units]))
    return {
        "units": n_units,
        "spikes_per_unit": spikes,
        "featurise_s": middle - began,
        "classify_s": done - middle,
    }


def _classes(known: CelltypesLearner, units: list[Unit], *, rescaled: bool = False) -> Any:
    """Likeliest class, its probability, and whether it is claimed, of every unit."""
    try:
        table = with_curves(featurise_units(units))
    except NisslError as error:  # pragma: no cover - the changes keep units valid
        raise RuntimeError(str(error)) from error
    if rescaled:
        values = table.values.copy()
        values[:, table.names.index("firing_rate_hz")] /= 0.7
        table = replace(table, values=values)
    p = known.predict(table).probabilities[:, :-1]
    code, _ = known.claims(table)
    claimed = np.asarray(known.vocabulary.names)[code] != UNKNOWN
    return p.argmax(axis=1), p.max(axis=1), claimed


def _waveform(unit: Unit) -> np.ndarray:
    assert unit.waveform is not None
    return unit.waveform
