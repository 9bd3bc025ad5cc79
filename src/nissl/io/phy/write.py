"""Writing phy folders and reading them back."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, ExportError
from nissl.io.curation import group_names, human_groups, names_by_target
from nissl.io.files import load_integers, load_npy, read_table
from nissl.io.names import column_name
from nissl.io.phy.read import read_phy
from nissl.io.sidecar import write_sidecar
from nissl.io.spikes import (
    channels_of,
    check_no_row_probabilities,
    clock_of,
    rows_of_units,
    spikes_of,
    spread,
    templates_of,
    units_of,
)
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    same_values,
    set_differences,
)
from nissl.labels import ItemTable, LabelSet
from nissl.labels.kinds import optional_columns
from nissl.tasks import Dossier

_LARGEST_ID = np.iinfo(np.int32).max


def write_phy(
    dossier: Dossier, folder: Path, *, dat_path: str | None = None, dat_dtype: str = "int16"
) -> None:
    """Write a phy folder.

    Parameters
    ----------
    dossier : Dossier
    folder : Path
        An empty folder.
    dat_path : str, optional
        Raw file relative to the folder, where phy shall show traces; absent by default.
    dat_dtype : str
        Sample type of that file.

    Raises
    ------
    ExportError
        No spikes, ids that phy cannot hold, or no sampling rate.
    """
    labels = spikes_of(dossier)
    check_no_row_probabilities(labels)
    units = units_of(dossier)
    if units[0] < 0 or units[-1] > _LARGEST_ID:
        raise ExportError(
            f"unit ids from 0 to {_LARGEST_ID}", f"{units[0]} to {units[-1]}", "Renumber the units."
        )
    template, missing = _templates(dossier, units)
    _save(folder, _spike_arrays(labels, units) | _template_arrays(template))
    if missing is not None:
        np.save(folder / "nissl_template_missing.npy", missing)
    _write_channels(dossier, folder, template.shape[2])
    _write_params(dossier, folder, template.shape[2], (dat_path, dat_dtype))
    _write_clusters(dossier, folder, units)
    held = ("template",) if templates_of(dossier.items) is not None else ()
    write_sidecar(folder, dossier, held=held)


def verify_phy(dossier: Dossier, folder: Path) -> None:
    """Compare a folder with the dossier it was written from; see `Exporter.verify`."""
    with readable(folder):
        back = read_phy(folder)
        differences = set_differences("spikes", dossier.labels, back.labels[0])
        differences += item_differences(dossier.items, back.items[0] if back.items else None)
        differences += classes_differences(dossier.classes, back.labels[1:])
        for name, events in dossier.events.items():
            if back.events.get(name) != events:
                differences.append(f"events: {name}")
        differences += _plain_differences(dossier, folder)
    report(differences, folder)


def _plain_differences(dossier: Dossier, folder: Path) -> list[str]:
    """Compare what phy itself reads, without nissl's subfolder."""
    out = []
    units = units_of(dossier)
    template, _ = _templates(dossier, units)
    for name, wanted in (_spike_arrays(dossier.labels, units) | {"templates": template}).items():
        path = folder / f"{name}.npy"
        integers = wanted.dtype.kind in "iu"
        got = load_integers(path) if integers else load_npy(path, ndim=wanted.ndim)
        if not same_values(wanted.astype(got.dtype), got):
            out.append(f"{name}.npy")
    channels = channels_of(dossier)
    if channels is not None and len(channels) == template.shape[2] and channels.has_geometry:
        got = load_npy(folder / "channel_positions.npy", ndim=2)
        if not same_values(channels.position_um, got):
            out.append("channel_positions.npy")
    human = human_groups(dossier.classes)
    if human is not None and group_names(folder / "cluster_group.tsv") != names_by_target(human):
        out.append("cluster_group.tsv")
    info = read_table(folder / "cluster_info.tsv")
    for name, texts in _metric_texts(dossier.items, units).items():
        if info.get(name) != texts:
            out.append(f"cluster_info.tsv: {name}")
    return out


def _spike_arrays(labels: LabelSet, units: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    item = labels.column("item")
    place = optional_columns(labels.kind, labels.table.column_names)
    positions = np.stack([labels.column(n) for n in place], axis=1) if len(place) == 2 else None
    return {
        **({} if positions is None else {"spike_positions": positions}),
        "spike_times": labels.column("sample").astype(np.int64),
        "spike_clusters": item.astype(np.int32),
        "spike_templates": np.searchsorted(units, item).astype(np.int32),
        "amplitudes": labels.column("amplitude").astype(np.float32),
    }


def _templates(
    dossier: Dossier, units: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8] | None]:
    """Templates of all units, zero where missing, and packed bits of what is missing."""
    found = templates_of(dossier.items)
    channels = channels_of(dossier)
    n_channels = len(channels) if channels is not None else 1
    if found is None or dossier.items is None:
        return np.zeros((units.size, 2, n_channels), np.float32), None
    whole = spread(found[0], rows_of_units(dossier.items, units)).astype(np.float32)
    missing = np.isnan(whole)
    return np.nan_to_num(whole, nan=0.0), np.packbits(missing) if missing.any() else None


def _template_arrays(template: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    n_channels = template.shape[2]
    flat = template.reshape(template.shape[0], -1).astype(np.float64)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 0)
    return {
        "templates": template,
        "similar_templates": (unit @ unit.T).astype(np.float32),
        "whitening_mat": np.eye(n_channels),
        "whitening_mat_inv": np.eye(n_channels),
    }


def _save(folder: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def _write_channels(dossier: Dossier, folder: Path, n_channels: int) -> None:
    np.save(folder / "channel_map.npy", np.arange(n_channels, dtype=np.int32))
    channels = channels_of(dossier)
    if channels is None or len(channels) != n_channels:
        return
    np.save(folder / "channel_shanks.npy", channels.shank.astype(np.int32))
    if channels.has_geometry:  # without the file phy draws the channels in one line
        np.save(folder / "channel_positions.npy", channels.position_um)


def _write_params(
    dossier: Dossier, folder: Path, n_channels: int, dat: tuple[str | None, str]
) -> None:
    path, dtype = dat
    if path is not None and (Path(path).is_absolute() or np.dtype(dtype).kind not in "iuf"):
        raise BadArgumentError(
            "a raw file relative to the folder and a type of numbers",
            f"{path!r} of {dtype!r}",
            "Write dat_path='../recording.dat', dat_dtype='int16'.",
        )
    lines = [
        f"dat_path = {path!r}" if path is not None else "dat_path = []",
        f"n_channels_dat = {n_channels}",
        f"dtype = {dtype!r}",
        "offset = 0",
        f"sample_rate = {clock_of(dossier).rate_hz!r}",
        "hp_filtered = False",
    ]
    (folder / "params.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_clusters(dossier: Dossier, folder: Path, units: npt.NDArray[np.int64]) -> None:
    ids = [str(u) for u in units.tolist()]
    human = human_groups(dossier.classes)
    groups = names_by_target(human) if human is not None else {}
    if human is not None:
        _write_tsv(
            folder / "cluster_group.tsv",
            {"cluster_id": [str(k) for k in groups], "group": list(groups.values())},
        )
    metrics = _metric_texts(dossier.items, units)
    for labels in dossier.classes:
        name = column_name(labels)
        if labels is human or name in metrics:
            continue
        names = names_by_target(labels)
        metrics[name] = [names.get(u, "") for u in units.tolist()]
    for name, texts in metrics.items():
        _write_tsv(folder / f"cluster_{name}.tsv", {"cluster_id": ids, name: texts})
    group = [groups.get(u, "unsorted") for u in units.tolist()]
    _write_tsv(folder / "cluster_info.tsv", {"cluster_id": ids, "group": group, **metrics})


def _metric_texts(items: ItemTable | None, units: npt.NDArray[np.int64]) -> dict[str, list[str]]:
    if items is None:
        return {}
    rows = rows_of_units(items, units).tolist()
    out = {}
    for name in items.table.column_names:
        column = items.table.column(name).to_pylist()
        numbers = all(v is None or isinstance(v, int | float | bool) for v in column)
        if name not in ("item", "cluster_id", "group") and name.isidentifier() and numbers:
            out[name] = [_text(column[r]) if r >= 0 else "" for r in rows]
    return out


def _text(value: Any) -> str:
    return "" if value is None or value != value else repr(value)


def _write_tsv(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
