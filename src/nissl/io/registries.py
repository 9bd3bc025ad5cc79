"""Which formats there are, and which of them a path is in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nissl.errors import SourceNotFoundError, UnknownFormatError
from nissl.io.contracts import Exporter, Imported, Importer
from nissl.registry import Registry

ANNOTATIONS = {
    "edf-annotations": "nissl.io.edf_annotations:EDF_ANNOTATIONS",
    "mne": "nissl.io.mne_annotations:MNE",
    "szcore": "nissl.io.szcore:SZCORE",
    "wonambi": "nissl.io.wonambi:WONAMBI",
    "luna": "nissl.io.luna:LUNA",
    "dreams": "nissl.io.dreams:DREAMS",
    "hypnogram": "nissl.io.hypnogram:HYPNOGRAM",
    "bids": "nissl.io.bids:BIDS",  # after szcore, whose tables are tables of events too
}
"""Formats of SPANS and EVENTS: BIDS, and single files (`nissl.io.mark_format.MarkFormat`)."""

MASKS = {
    "ctc": "nissl.io.mask_volumes:CTC",
    "mask-stack": "nissl.io.mask_volumes:MASK_STACK",
}
"""Masks of volumes as images; the first is written too."""

EXPORTERS: Registry[Exporter] = Registry(
    "exporters",
    {
        "nwb": "nissl.io.nwb:NWB",
        "phy": "nissl.io.phy:PHY",
        "spikeinterface": "nissl.io.spikeinterface:SPIKEINTERFACE",
        "alf": "nissl.io.alf:ALF",
        "suite2p": "nissl.io.suite2p:SUITE2P",
        "imagej": "nissl.io.imagej:IMAGEJ",
        "targettrack": "nissl.io.targettrack:TARGETTRACK",
        "ctc": MASKS["ctc"],
        "csv": "nissl.io.tables:CSV",
        "parquet": "nissl.io.tables:PARQUET",
        **ANNOTATIONS,
    },
)

REGIONS = {
    "caiman": "nissl.io.caiman:CAIMAN",
    "cellpose": "nissl.io.label_images:CELLPOSE",
    "label-image": "nissl.io.label_images:LABEL_IMAGE",
    "neurofinder": "nissl.io.neurofinder:NEUROFINDER",
}
"""Files of regions that are only read."""

IMPORTERS: Registry[Importer] = Registry(
    "importers",
    {
        "parquet": "nissl.io.tables:PARQUET",
        "csv": "nissl.io.tables:CSV",
        "phy": "nissl.io.phy:PHY",
        "spikeinterface": "nissl.io.spikeinterface:SPIKEINTERFACE",
        "alf": "nissl.io.alf:ALF",
        "suite2p": "nissl.io.suite2p:SUITE2P",
        "imagej": "nissl.io.imagej:IMAGEJ",
        "nwb": "nissl.io.nwb:NWB",
        **MASKS,  # before images of labels, which are stacks of one volume
        **REGIONS,
        "targettrack": "nissl.io.targettrack:TARGETTRACK",
        "track-table": "nissl.io.track_tables:TRACK_TABLE",
        **ANNOTATIONS,
    },
)


def find_importer(path: str | os.PathLike[str]) -> Importer | None:
    """First importer that knows what is at `path`; None where it holds no labels we know."""
    target = Path(path)
    if not target.exists():
        return None
    for name in IMPORTERS:
        importer = IMPORTERS.get(name)
        if importer.matches(target):
            return importer
    return None


def import_labels(path: str | os.PathLike[str], **options: Any) -> Imported:
    """Read labels that somebody made elsewhere, whatever their format.

    Parameters
    ----------
    path : path-like
    **options
        Those of the importer (see `Importer.read`), the same names for all.

    Raises
    ------
    SourceNotFoundError
        Nothing is there.
    UnknownFormatError
        No importer knows it.
    """
    target = Path(path)
    if not target.exists():
        raise SourceNotFoundError("labels to import", f"nothing at {target}", "Check the path.")
    importer = find_importer(target)
    if importer is None:
        raise UnknownFormatError(
            f"labels in one of the formats {sorted(IMPORTERS)}",
            f"something else at {target}",
            "Give the folder that holds params.py, spikes.times.npy or si_folder.json, "
            "or the NWB file.",
        )
    return importer.read(target, **options)
