"""Sample readers as JSON values, so that a lazy signal can be described in a file.

A reader that can be described has `to_json` and `from_json` and a name in `SAMPLE_READERS`;
`to_json` may return None where this particular one cannot (samples held in memory).
"""

from __future__ import annotations

from typing import Any

from nissl.data.signal import SampleReader
from nissl.registry import Registry

SAMPLE_READERS: Registry[Any] = Registry(
    "sample_readers",
    {
        "FramesReader": "nissl.data.files:FramesReader",
        "PlanesReader": "nissl.data.files:PlanesReader",
        "EdfReader": "nissl.data.edf.samples:EdfReader",
        "MneReader": "nissl.data.mne_raw:MneReader",
        "NpzReader": "nissl.data.arrays:NpzReader",
        "ZarrReader": "nissl.data.arrays:ZarrReader",
        "Hdf5Reader": "nissl.data.arrays:Hdf5Reader",
        "SpikeInterfaceReader": "nissl.data.spikeinterface:SpikeInterfaceReader",
        "MontageReader": "nissl.data.remontage:MontageReader",
        "ChainReader": "nissl.data.chain:ChainReader",
        "ColumnsReader": "nissl.data.signal:ColumnsReader",
        "AddedReader": "nissl.data.added:AddedReader",
        "PartReader": "nissl.data.added:PartReader",
    },
)


def reader_to_json(reader: SampleReader) -> dict[str, Any] | None:
    """Plain values from which `reader_from_json` makes the reader again, or None."""
    name = type(reader).__name__
    if name not in SAMPLE_READERS or SAMPLE_READERS.get(name) is not type(reader):
        return None
    value = reader.to_json()  # type: ignore[attr-defined]
    return None if value is None else {"reader": name, "value": value}


def reader_from_json(value: dict[str, Any]) -> SampleReader:
    """Inverse of `reader_to_json`."""
    reader: SampleReader = SAMPLE_READERS.get(value["reader"]).from_json(value["value"])
    return reader
