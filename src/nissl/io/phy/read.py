"""Reading folders of phy and Kilosort 2 to 4; nothing in them is run or modified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.curation import foreign_classes
from nissl.io.files import load_integers, load_npy, parse_assignments
from nissl.io.phy.templates import Folder, cluster_templates, read_channels, read_metrics
from nissl.io.rates import positive_rate
from nissl.io.sidecar import Sidecar, readable_sidecar
from nissl.io.spikes import event_columns, fingerprint_of
from nissl.io.unit_facts import Sorted, item_table
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance


@dataclass(frozen=True)
class Spikes:
    """The flat arrays of a folder, each of shape (n_spikes,)."""

    sample: npt.NDArray[np.int64]
    cluster: npt.NDArray[np.int64]
    template: npt.NDArray[np.int64] | None
    amplitude: npt.NDArray[np.float32] | None


def is_phy(path: Path) -> bool:
    """Whether a folder holds spike_times.npy with clusters or templates."""
    folder = folder_of(path)
    return (folder / "spike_times.npy").is_file() and any(
        (folder / f"{name}.npy").is_file() for name in ("spike_clusters", "spike_templates")
    )


def folder_of(path: Path) -> Path:
    """Return the folder itself, also where its params.py was named."""
    return path.parent if path.name == "params.py" else path


def read_phy(
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
        No spike times or no clusters.
    CorruptSourceError
        Truncated or inconsistent files.
    BadMetadataError
        No sampling rate in params.py and none given, or an impossible one.
    """
    folder = folder_of(path)
    if not is_phy(path):
        raise SourceNotFoundError(
            "spike_times.npy with spike_clusters.npy or spike_templates.npy",
            f"none in {folder}",
            "Give the folder that holds params.py.",
        )
    params, missing = _params(folder)
    sidecar, damage = readable_sidecar(folder)
    missing += damage
    rate = positive_rate(rate_hz if rate_hz is not None else params.get("sample_rate"), folder)
    spikes = _spikes(folder)
    whole = _untouched(folder, sidecar, spikes)
    if whole is not None and sidecar is not None:
        labels, items = whole
        fingerprint = sidecar.fingerprint
    else:
        fingerprint = source or (sidecar.fingerprint if sidecar else "")
        fingerprint = fingerprint or fingerprint_of(spikes.sample, rate)
        labels = _label_set(spikes, sidecar, reviewer, fingerprint)
        items, sentences = _items(folder, labels, spikes, (rate, sidecar))
        missing += sentences
    classes, sentences = foreign_classes(folder, labels, sidecar, reviewer)
    raw, sentence = _raw(folder, params)
    return Imported(
        labels=(labels, *classes),
        items=() if items is None else (items,),
        recording=raw,
        what_is_missing=(*missing, *sentences, *sentence),
        format="phy",
        fingerprint=fingerprint,
        subject=sidecar.fact("subject", "id", "unknown") if sidecar else "unknown",
        session=sidecar.fact("session", "id", "unknown") if sidecar else "unknown",
        events=sidecar.events if sidecar else {},
        facts={"rate_hz": rate, **(sidecar.clock if sidecar else {})},
    )


def _params(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    if not (folder / "params.py").is_file():
        return {}, ("There is no params.py, so the raw file is not known.",)
    return parse_assignments(folder / "params.py"), ()


def _spikes(folder: Path) -> Spikes:
    sample = load_integers(folder / "spike_times.npy", lowest=0)
    found = {}
    for name in ("spike_clusters", "spike_templates"):
        path = folder / f"{name}.npy"
        if path.is_file():
            found[name] = load_integers(path, lowest=0)
    amplitude = None
    if (folder / "amplitudes.npy").is_file():
        amplitude = load_npy(folder / "amplitudes.npy", ndim=1).astype(np.float32)
    lengths = {k: v.size for k, v in found.items()}
    if amplitude is not None:
        lengths["amplitudes"] = amplitude.size
    wrong = {k: n for k, n in lengths.items() if n != sample.size}
    if wrong or not sample.size:
        raise CorruptSourceError(
            f"as many entries as spike times ({sample.size}, at least one)",
            f"{wrong or 'no spikes'}",
            f"Restore the files of {folder}.",
        )
    template = found.get("spike_templates")
    cluster = found.get("spike_clusters", template)
    if cluster is None:  # is_phy has seen one of them
        raise SourceNotFoundError("spike_clusters.npy", f"none in {folder}", "Restore it.")
    return Spikes(sample, cluster, template, amplitude)


def _untouched(
    folder: Path, sidecar: Sidecar | None, spikes: Spikes
) -> tuple[LabelSet, ItemTable | None] | None:
    """Sets as nissl wrote them, while the spikes are still the same."""
    if sidecar is None:
        return None
    columns = event_columns(
        spikes.sample, spikes.cluster, amplitude=spikes.amplitude, extra=sidecar.extra
    )
    labels = sidecar.restore(columns)
    if labels is None:
        return None
    if sidecar.items is None:
        return labels, None
    arrays: dict[str, npt.NDArray[Any]] = {}
    if "template" in sidecar.facts["items"]["arrays"] and "template" not in sidecar.items.arrays:
        template = load_npy(folder / "templates.npy", ndim=3).astype(np.float32)
        bits = folder / "nissl_template_missing.npy"
        if bits.is_file():
            flags = np.unpackbits(load_npy(bits, ndim=1), count=template.size)
            template[flags.reshape(template.shape).astype(bool)] = np.nan
        units = np.union1d(labels.items, sidecar.items.items)
        arrays["template"] = template[np.isin(units, sidecar.items.items)]
    return labels, sidecar.items_with(arrays)


def _label_set(
    spikes: Spikes, sidecar: Sidecar | None, reviewer: str | None, fingerprint: str
) -> LabelSet:
    order = np.argsort(spikes.sample, kind="stable")
    amplitude = None if spikes.amplitude is None else spikes.amplitude[order]
    columns = event_columns(spikes.sample[order], spikes.cluster[order], amplitude=amplitude)
    curated = spikes.template is not None and not np.array_equal(spikes.cluster, spikes.template)
    kilosort = sidecar is None
    parameters: dict[str, Any] = {"imported_from": "phy"}
    if kilosort:
        parameters["amplitude_unit"] = "a.u."
        parameters["clusters_differ_from_templates"] = bool(curated)
    author = Author("model", "kilosort or another sorter, read from a phy folder")
    made_from: tuple[str, ...] = ()
    stream, task = "", "spikes"
    if sidecar is not None:
        author = Author("person", reviewer or "phy user")
        provenance = sidecar.facts["labels"]["provenance"]
        made_from = (str(sidecar.facts["labels"]["digest"]),)
        stream, task = str(provenance["stream"]), str(provenance["task"])
    return LabelSet.build(
        Kind.EVENTS,
        columns,
        ("unit",),
        Provenance(
            task=task,
            source=fingerprint,
            author=author,
            stream=stream,
            parameters=parameters,
            made_from=made_from,
        ),
    )


def _items(
    folder: Path, labels: LabelSet, spikes: Spikes, known: tuple[float, Sidecar | None]
) -> tuple[ItemTable, tuple[str, ...]]:
    rate, sidecar = known
    units = np.asarray(labels.items)
    unit_of_template = "a.u."
    if sidecar is not None and sidecar.items is not None:
        unit_of_template = sidecar.items.units.get("template", "uV")
    here = Folder(folder, units, spikes.cluster, spikes.template)
    channels, missing = read_channels(here)
    template, sentences = cluster_templates(here, unwhiten=sidecar is None)
    missing += sentences
    columns, sentences = read_metrics(here)
    missing += sentences
    n_samples = int(spikes.sample.max()) + 1
    missing += (
        f"The length of the recording is not known; rates count from its start to the last "
        f"spike at {n_samples / rate:.1f} s.",
    )
    if template is not None and unit_of_template != "uV":
        missing += (
            "Templates and amplitudes are in the sorter's own scale, not in uV; "
            "signal-to-noise ratios and amplitudes in uV need the raw data.",
        )
    if template is not None and channels.ids and template.shape[2] != len(channels.ids):
        raise CorruptSourceError(
            f"{template.shape[2]} channels, as in templates.npy",
            f"{len(channels.ids)} in channel_map.npy or channel_positions.npy",
            f"Restore the files of {folder}.",
        )
    facts = Sorted(
        rate_hz=rate,
        n_samples=n_samples,
        template=template,
        template_unit=unit_of_template,
        amplitude_unit="a.u." if sidecar is None else "uV",
        channel_ids=channels.ids,
        position_um=channels.position_um,
        shank=channels.shank,
        columns=columns,
    )
    return item_table(labels, units, facts), missing


def _raw(folder: Path, params: dict[str, Any]) -> tuple[Path | None, tuple[str, ...]]:
    value = params.get("dat_path")
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if not isinstance(value, str) or value in ("", "None"):
        return None, ("params.py names no raw file; traces and waveforms cannot be shown.",)
    try:
        path = Path(value)
        path = path if path.is_absolute() else folder / path
        there = path.is_file()
    except (OSError, ValueError):
        return None, ("params.py names a raw file that is no path.",)
    if not there:
        sentence = (
            f"The raw file {path.name} is not where params.py says; metrics, review and export "
            "work from the templates, traces cannot be shown."
        )
        return path, (sentence,)
    return path, ()
