"""Small valid NWB files, through pynwb."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_nwb(
    path: Path,
    samples: npt.NDArray[np.int16],
    *,
    rate_hz: float = 20_000.0,
    gain_uv: float | npt.NDArray[np.float64] = 0.5,
    timestamps_s: npt.NDArray[np.float64] | None = None,
    **options: Any,
) -> Path:
    """Write one ElectricalSeries and return the path.

    Parameters
    ----------
    path : Path
        Ending in ".nwb".
    samples : ndarray, shape (n_samples, n_channels), int16
    rate_hz : float
    gain_uv : float or ndarray, shape (n_channels,)
        Microvolts per step, for all or for each channel.
    timestamps_s : ndarray, shape (n_samples,), optional
        A time per sample, in place of a rate.
    **options
        offset_uv (0), start_s (0), name ("ElectricalSeries"); position_um, shape
        (n_channels, 2); shank, one number per channel; subject, keywords of pynwb's Subject;
        file, keywords of pynwb's NWBFile; lf, samples of an LFP series at a tenth of the rate.
    """
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ecephys import LFP, ElectricalSeries
    from pynwb.file import Subject

    start = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    facts = {"session_id": "day-3", "session_start_time": start, "identifier": "id-1"}
    file = NWBFile(**{"session_description": "made for tests", **facts, **options.get("file", {})})
    if "subject" in options:
        file.subject = Subject(**options["subject"])
    region = _electrodes(file, samples.shape[1], options)
    gains = np.broadcast_to(np.asarray(gain_uv, dtype=np.float64), samples.shape[1])
    same = bool(np.all(gains == gains[0]))
    scale: dict[str, Any] = {
        "conversion": float(gains[0]) * 1e-6 if same else 1e-6,
        "channel_conversion": None if same else gains,
        "offset": options.get("offset_uv", 0.0) * 1e-6,
        "electrodes": region,
    }
    times: dict[str, Any] = {"rate": rate_hz, "starting_time": options.get("start_s", 0.0)}
    if timestamps_s is not None:
        times = {"timestamps": timestamps_s}
    name = options.get("name", "ElectricalSeries")
    file.add_acquisition(ElectricalSeries(name=name, data=samples, **times, **scale))
    if "lf" in options:
        lfp = ElectricalSeries(name="lf", data=options["lf"], rate=rate_hz / 10, **scale)
        module = file.create_processing_module("ecephys", "LFP")
        module.add(LFP(electrical_series=lfp))
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def _electrodes(file: Any, n_channels: int, options: dict[str, Any]) -> Any:
    shank = options.get("shank", [0] * n_channels)
    position = options.get("position_um")
    device = file.create_device(name="probe")
    groups = {
        number: file.create_electrode_group(
            name=f"shank{number}", description="", location="CA1", device=device
        )
        for number in sorted(set(shank))
    }
    for channel in range(n_channels):
        place = {}
        if position is not None:
            place = {"rel_x": float(position[channel][0]), "rel_y": float(position[channel][1])}
        file.add_electrode(group=groups[shank[channel]], location="CA1", **place)
    return file.create_electrode_table_region(list(range(n_channels)), "all")
