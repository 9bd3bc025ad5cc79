"""The four folder layouts of SpikeInterface, read without running or unpickling anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError
from nissl.io.files import corrupt, is_text, load_json, load_npy, read_table

_TEMPLATE, _LOCATION, _AMPLITUDE = "templates", "unit_locations", "spike_amplitudes"


@dataclass(frozen=True)
class Found:
    """What a folder holds, as stored.

    Parameters
    ----------
    rate_hz : float
    unit_ids : ndarray, shape (n_units,)
        Numbers or text.
    sample, unit, segment : ndarray, each of shape (n_spikes,), int64
        Sample within its segment, index of the unit, index of the segment.
    properties : mapping of str to ndarray, first axis n_units
    template : ndarray, shape (n_units, n_samples, n_channels), optional
    template_std : ndarray, optional
    ms_before : float, optional
    in_uv : bool
        Whether templates and amplitudes are in uV.
    location_um : ndarray, shape (n_units, 2 or 3), optional
    amplitude : ndarray, shape (n_spikes,), optional
    metrics : mapping of str to ndarray, each of shape (n_units,)
    recording : mapping
        Attributes of the recording (channel_ids, num_samples, ...).
    position_um : ndarray, shape (n_channels, 2), optional
    """

    rate_hz: Any
    unit_ids: npt.NDArray[Any]
    sample: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]
    segment: npt.NDArray[np.int64]
    properties: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    template: npt.NDArray[Any] | None = None
    ms_before: float | None = None
    in_uv: bool = True
    location_um: npt.NDArray[Any] | None = None
    amplitude: npt.NDArray[Any] | None = None
    metrics: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    recording: Mapping[str, Any] = field(default_factory=dict)
    position_um: npt.NDArray[np.float64] | None = None


def layout(folder: Path) -> str | None:
    """Name of the layout of a folder; None where it is none of SpikeInterface's."""
    if (folder / "sorting" / "numpysorting_info.json").is_file():
        return "binary analyzer"
    if (folder / "numpysorting_info.json").is_file():
        return "numpy"
    if (folder / "sorting_cached.npz").is_file():
        return "npz"
    if (folder / "sorting" / "spikes" / "sample_index").is_dir():
        return "zarr analyzer"
    if (folder / "spikes" / "sample_index").is_dir():
        return "zarr"
    return None


def read_folder(folder: Path) -> Found:
    """Read a folder of any layout; `CorruptSourceError` where it is damaged."""
    kind = layout(folder)
    with corrupt(folder, "a folder of SpikeInterface"):
        if kind == "numpy":
            found = _numpy(folder)
        elif kind == "binary analyzer":
            found = _binary_analyzer(folder)
        elif kind == "npz":
            found = _npz(folder)
        else:
            found = _zarr(folder, analyzer=kind == "zarr analyzer")
        _check(found, folder)
        return found


def _numpy(folder: Path, **more: Any) -> Found:
    info = load_json(folder / "numpysorting_info.json")
    spikes = np.load(folder / "spikes.npy", allow_pickle=False)
    properties = {
        p.stem: load_npy(p, kinds="biufUS") for p in sorted((folder / "properties").glob("*.npy"))
    }
    return Found(
        info["sampling_frequency"],
        np.asarray(info["unit_ids"]),
        spikes["sample_index"].astype(np.int64),
        spikes["unit_index"].astype(np.int64),
        spikes["segment_index"].astype(np.int64),
        properties,
        **more,
    )


def _npz(folder: Path) -> Found:
    with np.load(folder / "sorting_cached.npz", allow_pickle=False) as file:
        ids = np.asarray(file["unit_ids"])
        lookup = {value: index for index, value in enumerate(ids.tolist())}
        n = int(np.asarray(file["num_segment"]).ravel()[0])
        samples = [np.asarray(file[f"spike_indexes_seg{k}"], np.int64) for k in range(n)]
        units = [
            np.asarray([lookup[u] for u in file[f"spike_labels_seg{k}"].tolist()], np.int64)
            for k in range(n)
        ]
        rate = float(np.asarray(file["sampling_frequency"]).ravel()[0])
    segment = np.repeat(np.arange(n), [s.size for s in samples])
    return Found(rate, ids, np.concatenate(samples), np.concatenate(units), segment)


def _binary_analyzer(folder: Path) -> Found:
    extensions, info = folder / "extensions", folder / "recording_info"
    more: dict[str, Any] = {}
    if (extensions / _TEMPLATE / "average.npy").is_file():
        more["template"] = load_npy(extensions / _TEMPLATE / "average.npy", ndim=3)
        more["ms_before"] = load_json(extensions / _TEMPLATE / "params.json").get("ms_before")
    if (extensions / _LOCATION / "unit_locations.npy").is_file():
        more["location_um"] = load_npy(extensions / _LOCATION / "unit_locations.npy", ndim=2)
    if (extensions / _AMPLITUDE / "amplitudes.npy").is_file():
        more["amplitude"] = load_npy(extensions / _AMPLITUDE / "amplitudes.npy", ndim=1)
    table = extensions / "quality_metrics" / "metrics.csv"
    if table.is_file():
        more["metrics"] = _metrics(read_table(table))
    if (info / "recording_attributes.json").is_file():
        more["recording"] = load_json(info / "recording_attributes.json")
    if (info / "probegroup.json").is_file():
        more["position_um"] = _contacts(load_json(info / "probegroup.json"))
    if (folder / "settings.json").is_file():
        more["in_uv"] = _in_uv(load_json(folder / "settings.json"))
    return _numpy(folder / "sorting", **more)


def _zarr(folder: Path, *, analyzer: bool) -> Found:
    import zarr

    root = zarr.open(str(folder), mode="r")
    home = root["sorting"] if analyzer else root
    slices = np.asarray(home["spikes/segment_slices"][:], np.int64)
    sample = np.asarray(home["spikes/sample_index"][:], np.int64)
    segment = np.zeros(sample.size, np.int64)
    for index, (start, stop) in enumerate(slices.tolist()):
        segment[start:stop] = index
    properties = {}
    if "properties" in home:
        for name, array in home["properties"].arrays():
            if array.dtype.kind in "biufUS":
                properties[name] = np.asarray(array[:])
    return Found(
        home.attrs["sampling_frequency"],
        np.asarray(home["unit_ids"][:]),
        sample,
        np.asarray(home["spikes/unit_index"][:], np.int64),
        segment,
        properties,
        **(_zarr_extensions(root) if analyzer else {}),
    )


def _zarr_extensions(root: Any) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if f"extensions/{_TEMPLATE}/average" in root:
        more["template"] = np.asarray(root[f"extensions/{_TEMPLATE}/average"][:])
        params = root[f"extensions/{_TEMPLATE}"].attrs.get("params", {})
        more["ms_before"] = params.get("ms_before")
    if f"extensions/{_LOCATION}/unit_locations" in root:
        more["location_um"] = np.asarray(root[f"extensions/{_LOCATION}/unit_locations"][:])
    if f"extensions/{_AMPLITUDE}/amplitudes" in root:
        more["amplitude"] = np.asarray(root[f"extensions/{_AMPLITUDE}/amplitudes"][:])
    if "extensions/quality_metrics/metrics" in root:
        more["metrics"] = {
            name: np.asarray(array[:], np.float64)
            for name, array in root["extensions/quality_metrics/metrics"].arrays()
            if array.dtype.kind in "biuf" and name != "index"
        }
    attributes = root["recording_info"].attrs if "recording_info" in root else {}
    more["recording"] = attributes.get("recording_attributes", {})
    if attributes.get("probegroup"):
        more["position_um"] = _contacts(attributes["probegroup"])
    more["in_uv"] = _in_uv(root.attrs.get("settings", {}))
    return more


def _metrics(table: Mapping[str, list[str]]) -> dict[str, npt.NDArray[np.float64]]:
    out = {}
    for index, (name, texts) in enumerate(table.items()):
        if index == 0:  # the unit ids
            continue
        try:
            out[name] = np.asarray([float(t) if t else np.nan for t in texts], np.float64)
        except ValueError:
            continue  # a column of text is no metric
    return out


def _contacts(probes: Mapping[str, Any]) -> npt.NDArray[np.float64] | None:
    """Contact positions in order of the recording's channels, where every contact has one."""
    place: dict[int, list[float]] = {}
    for probe in probes.get("probes", []):
        indices = probe.get("device_channel_indices")
        positions = probe.get("contact_positions", [])
        for k, position in enumerate(positions):
            place[int(indices[k]) if indices else len(place)] = [float(v) for v in position[:2]]
    if not place or sorted(place) != list(range(len(place))):
        return None
    return np.asarray([place[k] for k in range(len(place))], np.float64)


def _in_uv(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("return_in_uV", settings.get("return_scaled", True)))


def _check(found: Found, folder: Path) -> None:
    """Raise where arrays do not fit each other."""
    n, k = found.sample.size, len(found.unit_ids)
    wrong = [
        f"text beyond Unicode in {name}"
        for name, values in {"unit_ids": found.unit_ids, **found.properties}.items()
        if not is_text(values)
    ]
    if not n or found.unit.size != n or found.segment.size != n:
        wrong.append(f"{n} samples, {found.unit.size} units, {found.segment.size} segments")
    elif found.unit.min() < 0 or found.unit.max() >= k or found.sample.min() < 0:
        wrong.append(f"unit indices up to {found.unit.max()} of {k} units, or negative samples")
    elif found.segment.min() < 0 or found.segment.max() > 10_000:
        wrong.append("segment indices below 0 or above 10000")
    if len(set(found.unit_ids.tolist())) != k:
        wrong.append("unit ids that repeat")
    if found.amplitude is not None and found.amplitude.shape != (n,):
        wrong.append(f"{found.amplitude.shape} amplitudes")
    for name, array in (("templates", found.template), ("locations", found.location_um)):
        if array is not None and array.shape[0] != k:
            wrong.append(f"{array.shape[0]} {name} of {k} units")
    if found.template is not None and found.template.ndim != 3:
        wrong.append(f"templates of shape {found.template.shape}")
    wrong += [f"{v.shape} values of {m}" for m, v in found.metrics.items() if v.shape != (k,)]
    wrong += [f"{v.shape} of {m}" for m, v in found.properties.items() if v.shape[:1] != (k,)]
    if wrong:
        raise CorruptSourceError(
            f"{n} spikes of {k} units that fit each other (at least one)",
            "; ".join(wrong[:4]),
            f"Save {folder} again with SpikeInterface.",
        )
