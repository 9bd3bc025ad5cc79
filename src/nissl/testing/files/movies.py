"""Small valid movies in HDF5, NWB, Zarr, Suite2p's files and videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_hdf5_movie(
    path: Path, frames: npt.NDArray[Any], *, name: str = "data", **facts: Any
) -> Path:
    """Write an HDF5 file with one data set and return the path.

    Parameters
    ----------
    path : Path
    frames : ndarray, shape (t, y, x) or (t, z, y, x)
    name : str
        Of the data set.
    **facts
        Attributes of the data set (rate, spacing_um, axes); arrays become data sets.
    """
    import h5py

    with h5py.File(path, "w") as file:
        data = file.create_dataset(name, data=frames, chunks=(1, *frames.shape[1:]))
        for key, value in facts.items():
            if isinstance(value, np.ndarray):
                file.create_dataset(key, data=value)
            else:
                data.attrs[key] = value
    return path


def write_targettrack(
    path: Path, volumes: npt.NDArray[Any], points: npt.NDArray[Any] | None = None
) -> Path:
    """Write a file of targettrack and return the path.

    Parameters
    ----------
    path : Path
    volumes : ndarray, shape (t, c, z, y, x), int16
    points : ndarray, shape (t, n_neurons, 3), x y z in voxels, optional
        NaN where a neuron has no place.
    """
    import h5py

    n, n_channels, depth, height, width = volumes.shape
    with h5py.File(path, "w") as file:
        for t, volume in enumerate(volumes):
            file.create_dataset(f"{t}/frame", data=volume.transpose(0, 3, 2, 1), compression="gzip")
        sizes = {"C": n_channels, "W": width, "H": height, "D": depth, "T": n, "name": "example"}
        sizes["N_neurons"] = 0 if points is None else points.shape[1]
        file.attrs.update(sizes)
        if points is not None:
            none = np.full((n, 1, 3), np.nan)  # the first row is background
            file["pointdat"] = np.concatenate([none, points], 1).astype(np.float32)
    return path


def write_nwb_movie(
    path: Path,
    frames: npt.NDArray[Any],
    *,
    rate_hz: float = 30.0,
    timestamps_s: npt.NDArray[np.float64] | None = None,
    spacing_um: Sequence[float] | None = None,
    one_photon: bool = False,
) -> Path:
    """Write a TwoPhotonSeries named "movie" and return the path.

    Parameters
    ----------
    path : Path
        Ending in ".nwb".
    frames : ndarray, shape (t, y, x) or (t, z, y, x)
        Laid out as the format says, (t, x, y) or (t, x, y, z), by this function.
    rate_hz : float
    timestamps_s : ndarray, shape (t,), optional
        In place of the rate.
    spacing_um : sequence of float, optional
        Of x and y, and perhaps z.
    one_photon : bool
        A OnePhotonSeries in place.
    """
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ophys import OnePhotonSeries, OpticalChannel, TwoPhotonSeries

    start = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    file = NWBFile(
        session_description="made for tests",
        identifier="id-1",
        session_start_time=start,
        session_id="day-3",
    )
    spacing: dict[str, Any] = {}
    if spacing_um is not None:
        spacing = {"grid_spacing": list(spacing_um), "grid_spacing_unit": "micrometers"}
    plane = file.create_imaging_plane(
        name="plane",
        optical_channel=OpticalChannel(
            name="green", description="a channel", emission_lambda=510.0
        ),
        description="",
        device=file.create_device(name="microscope"),
        excitation_lambda=920.0,
        indicator="GCaMP6f",
        location="V1",
        **spacing,
    )
    data = frames.transpose(0, 2, 1) if frames.ndim == 3 else frames.transpose(0, 3, 2, 1)
    times: dict[str, Any] = {"rate": rate_hz, "starting_time": 0.0}
    if timestamps_s is not None:
        times = {"timestamps": timestamps_s}
    series = OnePhotonSeries if one_photon else TwoPhotonSeries
    file.add_acquisition(series(name="movie", data=data, imaging_plane=plane, unit="n.a.", **times))
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def write_suite2p(
    folder: Path,
    planes: Sequence[npt.NDArray[np.int16]],
    *,
    second: Sequence[npt.NDArray[np.int16]] = (),
    rate_hz: float = 10.0,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``plane0/data.bin`` and so on with their ``ops.npy`` and return the folder.

    Parameters
    ----------
    folder : Path
    planes, second : sequence of ndarray, shape (t, y, x), int16
        First and second channel of each plane.
    rate_hz : float
    settings : mapping, optional
        Further entries of ``ops.npy``.
    """
    for k, frames in enumerate(planes):
        plane = folder / f"plane{k}"
        plane.mkdir(parents=True, exist_ok=True)
        frames.astype("<i2").tofile(plane / "data.bin")
        if second:
            second[k].astype("<i2").tofile(plane / "data_chan2.bin")
        n_frames, height, width = frames.shape
        ops = {"Ly": height, "Lx": width, "nframes": np.int64(n_frames), "fs": rate_hz}
        np.save(plane / "ops.npy", np.array({**ops, "nplanes": len(planes), **(settings or {})}))
    return folder


def write_video(
    path: Path,
    frames: npt.NDArray[np.uint8],
    *,
    rate_hz: int = 30,
    codec: str = "ffv1",
    times: Sequence[int] | None = None,
) -> Path:
    """Write a grey video and return the path.

    Parameters
    ----------
    path : Path
        The suffix chooses the container.
    frames : ndarray, shape (t, y, x), uint8
    rate_hz : int
    codec : str
        "ffv1" keeps every value.
    times : sequence of int, optional
        Presentation time of each frame in frames, where some were dropped.
    """
    from fractions import Fraction

    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate_hz)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "gray" if codec == "ffv1" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate_hz)
        for k, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="gray")
            frame.pts = k if times is None else times[k]
            frame.time_base = Fraction(1, rate_hz)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
