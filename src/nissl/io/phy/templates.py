"""Templates, channels and metrics of clusters in phy and Kilosort folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError
from nissl.io.curation import group_names
from nissl.io.files import load_integers, load_npy, read_table

_MOST_VALUES = 2**29
_NOT_METRICS = frozenset(
    {"cluster_id", "id", "group", "KSLabel", "ch", "sh", "depth", "fr", "n_spikes", "si_unit_id"}
)


@dataclass(frozen=True)
class Folder:
    """A folder with the clusters found in it.

    Parameters
    ----------
    path : Path
    units : ndarray, shape (n_units,), int64
        Clusters with spikes, increasing.
    cluster : ndarray, shape (n_spikes,), int64
    template : ndarray, shape (n_spikes,), int64, optional
    """

    path: Path
    units: npt.NDArray[np.int64]
    cluster: npt.NDArray[np.int64]
    template: npt.NDArray[np.int64] | None


@dataclass(frozen=True)
class Channels:
    """Channels of a folder; None for what it does not tell."""

    ids: tuple[str, ...] = ()
    position_um: npt.NDArray[np.float64] | None = None
    shank: npt.NDArray[np.int64] | None = None


def read_channels(folder: Folder) -> tuple[Channels, tuple[str, ...]]:
    """Names (rows of the raw file), positions and shanks of the channels."""
    path = folder.path
    ids: tuple[str, ...] = ()
    position = shank = None
    missing = []
    if (path / "channel_map.npy").is_file():
        ids = tuple(str(i) for i in load_integers(path / "channel_map.npy").tolist())
    if (path / "channel_positions.npy").is_file():
        position = load_npy(path / "channel_positions.npy", ndim=2).astype(np.float64)
        if position.shape[1] < 2 or (ids and len(ids) != position.shape[0]):
            raise CorruptSourceError(
                f"x and y of {len(ids) or 'all'} channels in channel_positions.npy",
                f"shape {position.shape}",
                f"Restore the files of {path}.",
            )
        position = position[:, :2]
    else:
        missing.append("There is no channel_positions.npy; places of units are not known.")
    if (path / "channel_shanks.npy").is_file():
        shank = load_integers(path / "channel_shanks.npy")
    n = len(ids) if ids else (position.shape[0] if position is not None else 0)
    if shank is not None and shank.size != n:
        raise CorruptSourceError(
            f"{n} entries in channel_shanks.npy", f"{shank.size}", f"Restore the files of {path}."
        )
    if len(set(ids)) != len(ids) or not ids:
        ids = tuple(str(k) for k in range(n))
    return Channels(ids, position, shank), tuple(missing)


def cluster_templates(
    folder: Folder, *, unwhiten: bool
) -> tuple[npt.NDArray[np.float32] | None, tuple[str, ...]]:
    """Templates of the clusters, dense, (n_units, n_samples, n_channels); NaN where unknown.

    Clusters that a person made by merging or splitting take the mean of the sorter's
    templates, weighted by the spikes of each (as phy shows them).
    """
    if not (folder.path / "templates.npy").is_file():
        return None, ("There is no templates.npy; waveforms need the raw data.",)
    raw = load_npy(folder.path / "templates.npy", ndim=3).astype(np.float32)
    dense = _dense(folder.path, raw)
    sentences: list[str] = []
    if unwhiten:
        dense, note = _unwhitened(folder.path, dense)
        sentences += note
    out = np.full((folder.units.size, *dense.shape[1:]), np.nan, np.float32)
    unknown = []
    for row, unit in enumerate(folder.units.tolist()):
        weights = _weights(folder, unit, dense.shape[0])
        if weights is None:
            unknown.append(unit)
        elif weights[0].size == 1:
            out[row] = dense[weights[0][0]]
        else:
            out[row] = np.average(dense[weights[0]], axis=0, weights=weights[1])
    if unknown:
        sentences.append(f"No template for {len(unknown)} clusters ({unknown[:5]} ...).")
    return out, tuple(sentences)


def read_metrics(
    folder: Folder,
) -> tuple[dict[str, npt.NDArray[np.float64]], tuple[str, ...]]:
    """Numeric columns of the cluster tables, one value per unit; NaN where a unit has none."""
    tables = sorted(
        p
        for p in folder.path.glob("cluster_*")
        if p.suffix in (".tsv", ".csv") and p.is_file() and not p.stem.startswith("cluster_group")
    )
    out: dict[str, npt.NDArray[np.float64]] = {}
    text = set()
    for path in tables:
        for name in read_table(path):
            if name in _NOT_METRICS or name in out or not name:
                continue
            values = group_names(path, name)
            numbers = _numbers([values.get(u, "") for u in folder.units.tolist()])
            if numbers is None:
                text.add(name)
            else:
                out[name] = numbers
    if not text:
        return out, ()
    return out, (f"Columns of text were not taken over: {', '.join(sorted(text))}.",)


def _dense(path: Path, raw: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Put sparse templates on all channels; -1 in the index pads."""
    found = [p for p in (path / "templates_ind.npy", path / "template_ind.npy") if p.is_file()]
    if not found:
        return raw
    index = load_npy(found[0], ndim=2).astype(np.int64)
    n_channels = _n_channels(path, int(index.max(initial=-1)) + 1)
    if index.shape != (raw.shape[0], raw.shape[2]) or np.any(index >= n_channels):
        raise CorruptSourceError(
            f"channel indices of shape {(raw.shape[0], raw.shape[2])} below {n_channels}",
            f"shape {index.shape}, up to {int(index.max(initial=-1))}, in {found[0].name}",
            f"Restore the files of {path}.",
        )
    if raw.shape[2] == n_channels and np.array_equal(
        index, np.broadcast_to(np.arange(n_channels), index.shape)
    ):
        return raw
    if raw.shape[0] * raw.shape[1] * n_channels > _MOST_VALUES:
        raise CorruptSourceError(
            f"at most {_MOST_VALUES} values in the templates on all channels",
            f"{raw.shape[0]} x {raw.shape[1]} x {n_channels}",
            f"Check {found[0]}.",
        )
    out = np.zeros((*raw.shape[:2], n_channels), np.float32)
    for row in range(raw.shape[0]):
        used = index[row] >= 0
        out[row][:, index[row][used]] = raw[row][:, used]
    return out


def _n_channels(path: Path, least: int) -> int:
    for name in ("channel_map", "channel_positions"):
        if (path / f"{name}.npy").is_file():
            return int(load_npy(path / f"{name}.npy").shape[0])
    return least


def _unwhitened(
    path: Path, dense: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], list[str]]:
    file = path / "whitening_mat_inv.npy"
    if not file.is_file():
        return dense, [
            "There is no whitening_mat_inv.npy; templates stay whitened, so places and best "
            "channels are approximate."
        ]
    inverse = load_npy(file, ndim=2).astype(np.float32)
    n = dense.shape[2]
    if inverse.shape != (n, n):
        raise CorruptSourceError(
            f"a matrix of {n} x {n} in {file.name}", f"shape {inverse.shape}", f"Restore {file}."
        )
    # Kilosort 4 (it leaves an ops.npy) multiplies from the left, earlier ones from the right
    matrix = inverse.T if (path / "ops.npy").is_file() else inverse
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(dense @ matrix, np.float32), []


def _weights(
    folder: Folder, unit: int, n_templates: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Templates that a cluster's spikes came from, with the number of spikes of each."""
    if folder.template is not None:
        used, counts = np.unique(folder.template[folder.cluster == unit], return_counts=True)
        # a cluster as the sorter left it is its own template, whatever first detected its spikes
        merged = used.size > 1 and unit >= n_templates
        if used.size and used[-1] < n_templates and (used.size == 1 or merged):
            return used, counts
    if unit < n_templates:
        return np.asarray([unit]), np.asarray([1])
    return None


def _numbers(texts: list[str]) -> npt.NDArray[np.float64] | None:
    try:
        return np.asarray([float(t) if t else np.nan for t in texts], np.float64)
    except ValueError:
        return None
