"""A signal in another montage, as lazy as the signal it is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.data.channels import ChannelTable
from nissl.data.electrodes import electrodes
from nissl.data.montage import Montage, montage
from nissl.data.signal import SampleReader, Signal


@dataclass(frozen=True)
class MontageReader:
    """Traces of a montage over the calibrated samples of another reader.

    Parameters
    ----------
    reader : SampleReader
    gain_uv, offset_uv : tuple of float
        Calibration of its channels.
    montage : Montage
    """

    reader: SampleReader
    gain_uv: tuple[float, ...]
    offset_uv: tuple[float, ...]
    montage: Montage

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples, uV."""
        return np.dtype(np.float32)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Traces of an interval, shape (stop - start, len(channels)), float32, uV."""
        traces = np.asarray(channels, dtype=np.intp)
        columns = self.montage.columns(traces)
        samples = self.reader.read(start, stop, columns).astype(np.float32)
        samples *= np.asarray(self.gain_uv, dtype=np.float32)[columns]
        samples += np.asarray(self.offset_uv, dtype=np.float32)[columns]
        return self.montage.apply(samples, columns, traces)

    def to_json(self) -> dict[str, Any] | None:
        """Plain values, or None where the inner reader has none."""
        from nissl.data.sample_readers import reader_to_json

        inner = reader_to_json(self.reader)
        if inner is None:
            return None
        shown = {**vars(self.montage), "less": [list(less) for less in self.montage.less]}
        return {
            "reader": inner,
            "gain_uv": list(self.gain_uv),
            "offset_uv": list(self.offset_uv),
            "montage": {k: list(v) if isinstance(v, tuple) else v for k, v in shown.items()},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> MontageReader:
        """Inverse of `to_json`."""
        from nissl.data.sample_readers import reader_from_json

        shown = value["montage"]
        made = Montage(
            name=shown["name"],
            labels=tuple(shown["labels"]),
            plus=tuple(shown["plus"]),
            less=tuple(tuple(less) for less in shown["less"]),
            middle=shown["middle"],
        )
        return cls(
            reader_from_json(value["reader"]),
            tuple(value["gain_uv"]),
            tuple(value["offset_uv"]),
            made,
        )


def remontaged(signal: Signal, name: str) -> Signal:
    """Return a signal in another montage: its channels are the traces, in uV.

    Parameters
    ----------
    signal : Signal
    name : str
        One of `nissl.data.montage.montage_names`, or "reference CHANNEL".

    Raises
    ------
    BadArgumentError
        A montage that these channels do not have.

    Examples
    --------
    >>> remontaged(recording["256Hz"], "linked mastoids").read(0, 256)      # doctest: +SKIP
    """
    shown = montage(name, signal.channels)
    if shown.as_recorded:
        return signal
    table = signal.channels
    reader = MontageReader(
        signal.reader, tuple(table.gain_uv.tolist()), tuple(table.offset_uv.tolist()), shown
    )
    meant = electrodes(table.ids, table.types)
    channels = ChannelTable.plain(
        shown.labels, kind=table.kind, types=[meant[i].type for i in shown.plus]
    )
    units = signal.metadata.get("units", {})
    kept = {
        shown.labels[k]: units[table.ids[i]]
        for k, i in enumerate(shown.plus)
        if table.ids[i] in units
    }
    metadata = {k: v for k, v in signal.metadata.items() if k not in ("units", "bad_channels")}
    metadata = {**metadata, "montage": name, **({"units": kept} if kept else {})}
    return replace(signal, reader=reader, channels=channels, metadata=metadata)
