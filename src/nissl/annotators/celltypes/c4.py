"""The C4 database of cerebellar units as a library.

Beau et al. 2025, Cell 188:2218-2234: units of known type from several laboratories, one HDF5
file each (``C4_database_<laboratory>.h5``). The layout is that which NeuroPyxels 4.3.1
(``npyx.h5``, ``npyx.datasets``) writes and reads; only names were taken from it. The database
itself was not at hand when this was written: files in its layout were.

    <lab>_neuron_<n>/        one group per unit
        spike_indices            samples of its spikes, at sampling_rate
        sane_spikes              spikes of undisturbed time (before light, say), bool
        fn_fp_filtered_spikes    spikes of time with few missed and few foreign ones, bool
        mean_waveform_preprocessed   (channels, samples), largest deflection in its middle
        channelmap               (channels, 2), um
        ground_truth_label, ground_truth_source, expert_label, mli_cluster
        phyllum_layer, human_layer, line, lab_id, dataset_id, neuron_relative_id

Only spikes that pass both filters count, as in NeuroPyxels; time without them is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.library import Library
from nissl.annotators.celltypes.merging import stacked
from nissl.annotators.celltypes.unit import Unit
from nissl.annotators.celltypes.vocabulary import canonical
from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    MissingDependencyError,
    NisslError,
    SourceNotFoundError,
    UnknownFormatError,
)

Values = npt.NDArray[np.float64]

NAME = "C4 database"
CITATION = "Beau et al. 2025, Cell 188:2218-2234"
NO_LABEL = ("", "0", "unlabelled", "unlabeled", "unknown")
LAYERS = {
    "ml": "molecular",
    "ml_layer": "molecular",
    "pcl": "Purkinje",
    "pkc_layer": "Purkinje",
    "gcl": "granular",
    "grc_layer": "granular",
}
SPECIES = {"hausser": "mouse", "hull": "mouse", "medina": "mouse", "lisberger": "macaque"}
SOURCES = {
    "optotagged": "optotagging",
    "optogagged": "optotagging",  # as NeuroPyxels writes it
    "csxss": "expert",  # Purkinje cells by the pause of simple spikes after complex ones
}
_GROUP = re.compile(r"(?P<lab>.+)_neuron_(?P<number>\d+)")
_DATASET = re.compile(r"\d\d-\d\d-\d\d_(?P<animal>[A-Za-z]{2}\d{3})_probe\d", re.IGNORECASE)
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Cell:
    """A unit of the database."""

    unit: Unit
    label: str
    evidence: str
    subject: str
    session: str
    facts: Mapping[str, str]


def read_c4(path: str | Path, *, licence: str, expert_labels: bool = False) -> Library:
    """Units of a file of the database, or of all in a folder.

    Parameters
    ----------
    path : str or Path
        An ``.h5`` file, or a folder that holds some.
    licence : str
        Terms under which you have it.
    expert_labels : bool
        Whether units without ground truth take the label that experts gave, where they did.

    Raises
    ------
    SourceNotFoundError
        No such file.
    UnknownFormatError
        A file without units in the layout of the database.
    CorruptSourceError
        A file that cannot be read, or a unit that lacks what it needs; it is named.
    BadArgumentError
        No licence.
    """
    if not licence.strip():
        raise BadArgumentError(
            "the terms under which you have the database", "none", "State them: --licence TERMS"
        )
    files = _files(Path(path))
    tables, kept, left_out = [], [], 0
    found = _cells(files, expert_labels=expert_labels)
    while batch := list(islice(found, _BATCH)):  # spikes of a few units are held at a time
        cells = [cell for cell in batch if cell is not None]
        left_out += len(batch) - len(cells)
        tables += [_features(cells)] if cells else []
        kept += [replace(cell, unit=Unit()) for cell in cells]
    if not kept:
        raise CorruptSourceError(
            "units with spikes that pass the database's filters", "none", "Fetch it again."
        )
    names = tuple(dict.fromkeys(name for cell in kept for name in cell.facts))
    return Library(
        stacked(tables),
        tuple(cell.label for cell in kept),
        tuple(cell.evidence for cell in kept),
        {name: tuple(cell.facts[name] for cell in kept) for name in names},
        {
            "name": NAME,
            "licence": licence.strip(),
            "sources": [
                {"name": file.name, "citation": CITATION, "licence": licence.strip()}
                for file in files
            ],
            "left_out": {"no spikes that pass the filters": left_out},
        },
    )


def _features(cells: list[Cell]) -> Any:
    return featurise_units(
        [cell.unit for cell in cells],
        subject=[cell.subject for cell in cells],
        session=[cell.session for cell in cells],
    )


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.h5")) if path.is_dir() else []
    if not found:
        raise SourceNotFoundError(
            "a .h5 file of the C4 database, or a folder of them",
            f"{path.name} without one" if path.is_dir() else f"no {path.name}",
            "Name the file that you fetched.",
        )
    return found


def _cells(files: Iterable[Path], *, expert_labels: bool) -> Iterator[Cell | None]:
    """Units file by file, in the order of their numbers; None for those without good spikes."""
    for path in files:
        with _opened(path) as file:
            matches = [match for name in file if (match := _GROUP.fullmatch(name))]
            if not matches:
                raise UnknownFormatError(
                    "groups named <laboratory>_neuron_<number>",
                    f"{path.name} without any",
                    "Name a file of the C4 database.",
                )
            for match in sorted(matches, key=lambda m: (m["lab"], int(m["number"]))):
                name = match[0]
                try:
                    yield _cell(file[name], match["lab"], expert_labels=expert_labels)
                except (KeyError, ValueError, TypeError, OSError, NisslError) as error:
                    raise CorruptSourceError(
                        f"a unit of the C4 database in {path.name}/{name}",
                        f"{type(error).__name__}: {error}",
                        "Fetch the file again, or leave the unit out.",
                    ) from None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError(
            "the package h5py", "nothing of that name", 'pip install "nissl[ephys]"'
        ) from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CorruptSourceError(
            f"an HDF5 file in {path.name}", str(error), "Fetch it again."
        ) from None
    with file:
        yield file


def _cell(group: Any, lab: str, *, expert_labels: bool) -> Cell | None:
    rate_hz = float(group["sampling_rate"][()])
    sample = group["spike_indices"][()].astype(np.int64).ravel()
    good = np.ones(sample.size, bool)
    for name in ("sane_spikes", "fn_fp_filtered_spikes"):
        if name in group:
            own = group[name][()].astype(bool).ravel()
            if own.size != sample.size:
                raise ValueError(f"{name} of {own.size} spikes, where there are {sample.size}")
            good &= own
    if not good.any():
        return None
    waveform, position = _waveform(group)
    layer = _text(group, "phyllum_layer") or _text(group, "human_layer")
    label, evidence = _label(group, expert_labels=expert_labels)
    dataset = _text(group, "dataset_id")
    animal = _DATASET.fullmatch(dataset)
    layer = LAYERS.get(layer.lower(), "")
    return Cell(
        Unit(
            spikes_s=without_gaps(sample / rate_hz, good),
            waveform=waveform,
            rate_hz=rate_hz,
            position_um=position,
            in_uv=False,
            layer=layer,
        ),
        label,
        evidence,
        f"{lab}/{animal['animal'] if animal else dataset}",
        dataset,
        {
            "lab": lab,
            "species": SPECIES.get(lab, ""),
            "region": "cerebellum",
            "layer": layer,
            "line": _text(group, "line"),
            "unit": _text(group, "neuron_relative_id"),
            "subtype": _text(group, "mli_cluster"),
            "evidence as stated": _text(group, "ground_truth_source"),
        },
    )


def without_gaps(time_s: Values, good: npt.NDArray[np.bool_]) -> Values:
    """Times of good spikes, where the stretches of others are taken out.

    Parameters
    ----------
    time_s : ndarray, shape (n_spikes,), float64
        Not decreasing.
    good : ndarray, shape (n_spikes,), bool

    Returns
    -------
    ndarray, shape (n_good,), float64
        From a stretch of bad spikes a median interval is left, so that neither rates nor
        correlograms take it for silence.
    """
    kept = time_s[good]
    interval = np.diff(kept)
    beside = np.diff(np.flatnonzero(good)) == 1
    if beside.all():
        return np.asarray(kept)
    usual = float(np.median(interval[beside])) if beside.any() else float(interval.min())
    interval = np.where(beside, interval, np.minimum(interval, usual))
    return np.asarray(kept[0] + np.concatenate([[0.0], np.cumsum(interval)]))


def _waveform(group: Any) -> tuple[Values | None, Values | None]:
    """Mean spike, (samples, channels), and where its channels are."""
    if "mean_waveform_preprocessed" not in group:
        return None, None
    mean = np.atleast_2d(np.asarray(group["mean_waveform_preprocessed"][()], np.float64))
    if mean.ndim != 2 or not mean.size:
        raise ValueError(f"mean_waveform_preprocessed of shape {mean.shape}")
    waveform = mean if mean.shape[0] > mean.shape[1] else mean.T
    if "channelmap" not in group:
        return waveform, None
    position = np.asarray(group["channelmap"][()], np.float64)
    return waveform, position if position.shape == (waveform.shape[1], 2) else None


def _label(group: Any, *, expert_labels: bool) -> tuple[str, str]:
    truth, expert = _text(group, "ground_truth_label"), _text(group, "expert_label")
    if truth.lower() not in NO_LABEL:
        return canonical(truth), SOURCES.get(_text(group, "ground_truth_source").lower(), "")
    if expert_labels and expert.lower() not in NO_LABEL:
        return canonical(expert), "expert"
    return "", ""


def _text(group: Any, name: str) -> str:
    """Text of a field, "" where there is none; fields are scalars, some of them in an array."""
    if name not in group:
        return ""
    value = np.asarray(group[name][()]).ravel()
    if not value.size:
        return ""
    first = value[0]
    return (first.decode() if isinstance(first, bytes) else str(first)).strip()


__all__ = ["read_c4", "without_gaps"]
