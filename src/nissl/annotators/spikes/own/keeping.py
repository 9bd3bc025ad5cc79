"""What a job has found, kept in its scratch folder: a run that was interrupted goes on from there.

Files are those of chunks (`nissl.run.results`): arrays without pickle, whole or not there. What is
read again is what was written, bit for bit, so that a run that was interrupted gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.motion.resting import Rest
from nissl.annotators.spikes.own.preprocessing.filtering import Band
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.preprocessing.whitening import Whitening
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows
from nissl.annotators.spikes.own.zones import Part, Zone
from nissl.run.chunks import Chunk
from nissl.run.results import Arrays, ChunkFiles, kept_arrays, stage_key

Ints = npt.NDArray[np.int64]
Units = tuple[Templates | None, Ints]


@dataclass(frozen=True)
class Kept:
    """Where the stages of one shank are kept.

    Parameters
    ----------
    folder : Path
        The job's scratch folder.
    of : mapping
        JSON values of all that they are computed from: fingerprint of the source, stream, columns,
        parameters, seed, version of the sorter.
    """

    folder: Path
    of: Mapping[str, Any]

    def arrays(self, name: str, make: Callable[[], Arrays], **also: Any) -> Arrays:
        """Arrays of a stage; `also` is what it depends on beside `of`."""
        return kept_arrays(self.folder, stage_key(name, {**self.of, **also}), make)

    def chunks(
        self, name: str, job: str, plan: Sequence[Chunk], function: Callable[..., Any]
    ) -> ChunkFiles:
        """Files of a stage that is cut into chunks; `job` is the digest of what it is given."""
        key = stage_key(name, {**self.of, "job": job})
        return ChunkFiles(self.folder, key, plan=plan, function=function)


def kept_front(kept: Kept | None, make: Callable[[], Front]) -> Front:
    """How samples become white, and how the tissue moved."""
    if kept is None:
        return make()
    return _front_of(kept.arrays("front", lambda: _of_front(make())))


def kept_units(kept: Kept | None, make: Callable[[], Units]) -> Units:
    """Templates of a shank, None where it has no units, and which unit each belongs to."""
    if kept is None:
        return make()
    return _units_of(kept.arrays("units", lambda: _of_units(*make())))


def kept_part(kept: Kept | None, zone: Zone, make: Callable[[], Part | None]) -> Part | None:
    """What was found in one zone."""
    if kept is None:
        return make()

    def arrays() -> Arrays:
        part = make()
        if part is None:
            return _of_units(None, np.empty(0, np.int64))
        spikes = {f"spikes_{k}": getattr(part.spikes, k) for k in Matched.__dataclass_fields__}
        return _of_units(part.templates, part.unit) | spikes

    found = kept.arrays("zone", arrays, channels=zone.channels.tolist(), core=zone.core.tolist())
    templates, unit = _units_of(found)
    if templates is None:
        return None
    spikes = Matched(*(found[f"spikes_{k}"] for k in Matched.__dataclass_fields__))
    return Part(zone, templates, unit, spikes)


def _of_units(templates: Templates | None, unit: Ints) -> Arrays:
    if templates is None:
        return {"unit": unit}
    return {
        "unit": unit,
        "waveforms": templates.waveforms,
        "basis": templates.basis,
        "rate_hz": templates.rate_hz,
        "windows": np.asarray(astuple(templates.windows), np.int64),
    }


def _units_of(arrays: Arrays) -> Units:
    if "waveforms" not in arrays:
        return None, arrays["unit"]
    windows = Windows(*arrays["windows"].tolist())
    templates = Templates(arrays["waveforms"], arrays["basis"], arrays["rate_hz"], windows)
    return templates, arrays["unit"]


def _of_front(front: Front) -> Arrays:
    band, whitening, rest = front.band, front.whitening, front.rest
    arrays: Arrays = {
        "columns": np.asarray(front.columns, np.int64),
        "delay_step": np.asarray([front.delay, band.step], np.int64),
        "rate_hz": np.asarray([band.rate_hz], np.float64),
        "sections": band.sections,
        "prediction": whitening.prediction,
        "matrix": whitening.matrix,
        "noise_uv": whitening.noise_uv,
    }
    if rest is not None:
        arrays |= {
            "time_s": rest.motion.time_s,
            "depth_um": rest.motion.depth_um,
            "displacement_um": rest.motion.displacement_um,
            "position_um": rest.position_um,
        }
    return arrays


def _front_of(arrays: Arrays) -> Front:
    delay, step = arrays["delay_step"].tolist()
    rate_hz = float(arrays["rate_hz"][0])
    rest = None
    if "time_s" in arrays:
        motion = Motion(arrays["time_s"], arrays["depth_um"], arrays["displacement_um"])
        rest = Rest(motion, arrays["position_um"], rate_hz)
    return Front(
        tuple(arrays["columns"].tolist()),
        Band(rate_hz, step, arrays["sections"]),
        Whitening(arrays["prediction"], arrays["matrix"], arrays["noise_uv"]),
        delay,
        rest,
    )
