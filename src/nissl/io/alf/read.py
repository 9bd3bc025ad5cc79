"""Reading ALF folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import BadMetadataError, CorruptSourceError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.curation import stated_classes
from nissl.io.files import corrupt, load_integers, load_npy, parse_assignments, read_table
from nissl.io.rates import MICROSECONDS_HZ, positive_rate
from nissl.io.sidecar import Sidecar, readable_sidecar
from nissl.io.spikes import event_columns, fingerprint_of
from nissl.io.unit_facts import Sorted, item_table
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

IDS = "clusters.nisslIds"
_LARGEST_S = 1e8
_MOST_VALUES = 2**29
_TEXT_CLASSES = ("ks2_label", "KSLabel", "ks_label", "group", "quality")


@dataclass(frozen=True)
class Times:
    """Samples of the spikes and the clock behind them."""

    sample: npt.NDArray[np.int64]
    clock: Clock
    sentences: tuple[str, ...]


def find(folder: Path, attribute: str) -> Path | None:
    """File of an attribute such as "spikes.times".

    Name spaces (``_ibl_spikes.times.npy``), time scales (``spikes.times_ephysClock.npy``) and
    further parts before the extension are allowed; the shortest name is taken.
    """
    pattern = re.compile(
        r"(_[A-Za-z0-9]+_)?" + re.escape(attribute) + r"(_[A-Za-z0-9]+)?(\.[\w-]+)*\.npy"
    )
    if not folder.is_dir():
        return None
    fitting = [p for p in folder.iterdir() if pattern.fullmatch(p.name)]
    return min(fitting, key=lambda p: (len(p.name), p.name), default=None)


def is_alf(path: Path) -> bool:
    """Whether a folder holds spikes and their clusters."""
    spikes = find(path, "spikes.times") or find(path, "spikes.samples")
    return spikes is not None and find(path, "spikes.clusters") is not None


def read_alf(
    path: Path,
    *,
    reviewer: str | None = None,
    source: str | None = None,
    rate_hz: float | None = None,
) -> Imported:
    """Read a folder; see `nissl.io.contracts.Importer.read`.

    Raises
    ------
    SourceNotFoundError
        No spikes or no clusters.
    CorruptSourceError
        Truncated or inconsistent files.
    BadMetadataError
        Samples without times, and no rate given.
    """
    clusters = find(path, "spikes.clusters")
    if not is_alf(path) or clusters is None:
        raise SourceNotFoundError(
            "spikes.times.npy or spikes.samples.npy with spikes.clusters.npy",
            f"none in {path}",
            "Give the folder that holds them.",
        )
    cluster = load_integers(clusters, lowest=0)
    sidecar, missing = readable_sidecar(path)
    if sidecar is not None:
        ours = _ours(path, sidecar, cluster)
        if ours is not None:
            return ours
        missing += ("The spikes were changed since nissl exported them.",)
    times = _times(path, cluster.size, rate_hz)
    rate = times.clock.rate_hz
    fingerprint = source or fingerprint_of(times.sample, rate)
    labels = _label_set(path, times, cluster, fingerprint)
    items, stated, sentences = _items(path, labels, times.clock)
    classes, doubts = stated_classes(labels, stated, "an ALF folder", reviewer)
    return Imported(
        labels=(labels, *classes),
        items=(items,),
        what_is_missing=(*missing, *times.sentences, *sentences, *doubts),
        format="alf",
        fingerprint=fingerprint,
        facts={"rate_hz": rate, "clock": times.clock.to_json()},
    )


def _ours(path: Path, sidecar: Sidecar, cluster: npt.NDArray[np.int64]) -> Imported | None:
    ids_file, samples_file = path / f"{IDS}.npy", path / "spikes.samples.npy"
    if not (ids_file.is_file() and samples_file.is_file()):
        return None
    ids, sample = load_integers(ids_file), load_integers(samples_file)
    if sample.size != cluster.size or (cluster.size and cluster.max() >= ids.size):
        return None
    extra = dict(sidecar.extra)
    amplitude = extra.pop("amplitude", None)
    labels = sidecar.restore(event_columns(sample, ids[cluster], amplitude=amplitude, extra=extra))
    if labels is None:
        return None
    items = sidecar.items_with({})
    with corrupt(path / "facts.json", "the clock of an export"):
        clock = Clock.from_json(sidecar.facts["clock"])
    return Imported(
        labels=(labels, *sidecar.classes),
        items=() if items is None else (items,),
        what_is_missing=("The folder names no raw file; traces cannot be shown.",),
        format="alf",
        fingerprint=sidecar.fingerprint,
        subject=sidecar.fact("subject", "id", "unknown"),
        session=sidecar.fact("session", "id", "unknown"),
        events=sidecar.events,
        facts={"rate_hz": clock.rate_hz, "clock": clock.to_json()},
    )


def _times(path: Path, n: int, given: float | None) -> Times:
    """Samples and clock from what there is of samples, times and a rate."""
    seconds = samples = None
    times_file, samples_file = find(path, "spikes.times"), find(path, "spikes.samples")
    if times_file is not None:
        seconds = load_npy(times_file, ndim=1).astype(np.float64)
        fits = seconds.size and np.all(np.isfinite(seconds))
        if not fits or np.abs(seconds).max() > _LARGEST_S:
            raise CorruptSourceError(
                "finite spike times in seconds", "none, NaN or above 3 years", f"Mend {times_file}."
            )
    if samples_file is not None:
        samples = load_integers(samples_file, lowest=0)
    sizes = {a.size for a in (seconds, samples) if a is not None}
    if sizes != {n} or n == 0:
        raise CorruptSourceError(
            "as many spike times and samples as clusters, at least one",
            f"{sorted(sizes)} and {n}",
            f"Restore the files of {path}.",
        )
    rate = given if given is not None else _stated_rate(path)
    if samples is not None:
        return _from_samples(path, samples, seconds, rate)
    if seconds is None:  # one of them was found
        raise SourceNotFoundError("spikes.times.npy", f"none in {path}", "Restore it.")
    sentences: tuple[str, ...] = ()
    if rate is None:
        sentences = (
            "The folder gives spike times in seconds and no sampling rate; samples count "
            "microseconds. Give the rate with --rate.",
        )
    hertz = positive_rate(rate if rate is not None else MICROSECONDS_HZ, path)
    t0_s = min(float(seconds.min()), 0.0)
    sample = np.rint((seconds - t0_s) * hertz).astype(np.int64)
    return Times(sample, Clock.regular(hertz, int(sample.max()) + 1, t0_s), sentences)


def _from_samples(
    path: Path,
    samples: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64] | None,
    rate: Any,
) -> Times:
    n = int(samples.max()) + 1
    if seconds is None or np.unique(samples).size < 2:
        if rate is None:
            raise BadMetadataError(
                f"a sampling rate for the samples of {path}", "none", "Give it: --rate 30000."
            )
        return Times(samples, Clock.regular(positive_rate(rate, path), n), ())
    slope, t0_s = np.polynomial.polynomial.polyfit(samples.astype(np.float64), seconds, 1)[::-1]
    fitted = positive_rate(1.0 / slope if slope > 0 else None, path)
    off = float(np.abs(t0_s + samples / fitted - seconds).max())
    sentences: tuple[str, ...] = ()
    if off * fitted > 0.5:
        sentences = (
            f"Times and samples differ from one straight clock by up to {1e3 * off:.3f} ms; "
            "samples were kept, times follow the line.",
        )
    return Times(samples, Clock.regular(fitted, n, float(t0_s)), sentences)


def _stated_rate(path: Path) -> Any:
    params = path / "params.py"
    return parse_assignments(params).get("sample_rate") if params.is_file() else None


def _label_set(
    path: Path, times: Times, cluster: npt.NDArray[np.int64], fingerprint: str
) -> LabelSet:
    order = np.argsort(times.sample, kind="stable")
    amplitude = None
    file = find(path, "spikes.amps")
    if file is not None:
        amplitude = load_npy(file, ndim=1)
        if amplitude.size != cluster.size:
            raise CorruptSourceError(
                f"{cluster.size} amplitudes in {file.name}", f"{amplitude.size}", "Restore it."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            amplitude = (amplitude[order].astype(np.float64) * 1e6).astype(np.float32)
    columns = event_columns(times.sample[order], cluster[order], amplitude=amplitude)
    author = Author("model", "unknown sorter, read from an ALF folder")
    parameters = {"imported_from": "alf"}
    provenance = Provenance("spikes", fingerprint, author, parameters=parameters)
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)


def _items(
    path: Path, labels: LabelSet, clock: Clock
) -> tuple[ItemTable, dict[str, dict[int, str]], tuple[str, ...]]:
    units = np.asarray(labels.items)
    missing = [
        "The folder names no raw file; traces cannot be shown.",
        "The length of the recording is not known; rates count up to the last spike.",
    ]
    position = None
    file = find(path, "channels.localCoordinates")
    if file is not None:
        position = load_npy(file, ndim=2).astype(np.float64)[:, :2]
        if position.shape[1] != 2:
            raise CorruptSourceError(f"x and y in {file.name}", f"{position.shape}", "Restore it.")
    template = _templates(path, units, position)
    if template is None:
        missing.append("There are no mean waveforms; templates need the raw data.")
    elif position is not None and len(position) != template.shape[2]:
        position = None
    columns, stated = _metrics(path, units)
    facts = Sorted(
        rate_hz=clock.rate_hz,
        n_samples=clock.n_samples,
        template=template,
        position_um=position,
        columns=columns,
        context={"clock": clock.to_json()},
    )
    return item_table(labels, units, facts), stated, tuple(missing)


def _templates(
    path: Path, units: npt.NDArray[np.int64], position: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float32] | None:
    """Mean waveforms in uV on all channels, (n_units, n_samples, n_channels); ALF keeps volts."""
    for name in ("clusters", "templates"):
        file = find(path, f"{name}.waveforms")
        if file is None:
            continue
        volts = load_npy(file, ndim=3)
        index_file = find(path, f"{name}.waveformsChannels")
        every = np.broadcast_to(np.arange(volts.shape[2]), (volts.shape[0], volts.shape[2]))
        index = every if index_file is None else load_npy(index_file, ndim=2).astype(np.int64)
        n = len(position) if position is not None else int(index.max(initial=0)) + 1
        if index.shape != every.shape or index.max(initial=-1) >= n:
            raise CorruptSourceError(
                f"channels below {n} of shape {every.shape}",
                f"shape {index.shape}",
                f"Mend {file}.",
            )
        if units.size * volts.shape[1] * n > _MOST_VALUES:
            raise CorruptSourceError(
                f"at most {_MOST_VALUES} values in the templates on all channels",
                f"{units.size} x {volts.shape[1]} x {n}",
                f"Check {file}.",
            )
        out = np.full((units.size, volts.shape[1], n), np.nan, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for row, unit in enumerate(units.tolist()):
                if unit < volts.shape[0]:
                    used = index[unit] >= 0
                    out[row] = 0
                    scaled = volts[unit].astype(np.float64) * 1e6
                    out[row][:, index[unit][used]] = scaled[:, used]
        return out
    return None


def _metrics(
    path: Path, units: npt.NDArray[np.int64]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, dict[int, str]]]:
    """Numeric columns of clusters.metrics and per-cluster arrays; classes given as text."""
    columns: dict[str, npt.NDArray[Any]] = {}
    for name, target in (("clusters.depths", "depth_um"), ("clusters.amps", "amplitude_v")):
        file = find(path, name)
        if file is not None:
            columns[target] = _at(load_npy(file, ndim=1).astype(np.float64), units)
    table = _table(path)
    key = next((k for k in ("cluster_id", "id") if k in table), None)
    n = len(next(iter(table.values()), []))
    with corrupt(path / "clusters.metrics", "whole numbers as cluster ids"):
        ids = [int(float(t)) for t in table[key]] if key is not None else list(range(n))
    rows = {cluster: row for row, cluster in enumerate(ids)}
    stated: dict[str, dict[int, str]] = {}
    for name, texts in table.items():
        values = {u: texts[rows[u]] for u in units.tolist() if u in rows}
        if name in _TEXT_CLASSES:
            stated[name] = values
        elif name and name != key:
            try:
                numbers = [float(values.get(u, "") or "nan") for u in units.tolist()]
            except ValueError:
                continue  # text that is no class: uuids, notes
            columns[name] = np.asarray(numbers, np.float64)
    return columns, stated


def _table(path: Path) -> dict[str, list[str]]:
    for file in sorted(path.glob("*clusters.metrics*")):
        if file.suffix in (".csv", ".tsv"):
            return read_table(file)
        if file.suffix in (".pqt", ".parquet"):
            with corrupt(file, "a Parquet table"):
                import pyarrow.parquet as pq

                table = pq.read_table(file)
                return {
                    name: ["" if v is None else str(v) for v in table.column(name).to_pylist()]
                    for name in table.column_names
                }
    return {}


def _at(values: npt.NDArray[np.float64], units: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    out = np.full(units.size, np.nan)
    known = units < values.size
    out[known] = values[units[known]]
    return out
