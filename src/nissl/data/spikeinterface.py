"""Signals as SpikeInterface recordings, and the other way round; both ways stay lazy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.channels import ChannelTable
from nissl.data.sample_readers import reader_from_json, reader_to_json
from nissl.data.signal import Signal
from nissl.errors import CorruptSourceError, MissingDependencyError, NisslError


def to_spikeinterface(signal: Signal) -> Any:
    """Wrap a signal as a SpikeInterface recording.

    Nothing is read. Samples stay as stored, with gains and offsets to uV; channel names,
    positions, shanks (as groups), the sampling phase of multiplexed probes (property
    ``inter_sample_shift``) and segments come along; each clock segment is one segment there.
    The recording can be pickled to worker processes, and dumped as JSON where the samples are
    in files.

    Parameters
    ----------
    signal : Signal

    Returns
    -------
    spikeinterface.core.BaseRecording

    Raises
    ------
    MissingDependencyError
        SpikeInterface is not installed.
    """
    require_spikeinterface()
    from nissl.data.si_recording import SignalRecording

    described = signal_to_json(signal)
    return SignalRecording(signal if described is None else described)


def from_spikeinterface(recording: Any, name: str = "signal", *, kind: str = "ephys") -> Signal:
    """Wrap a SpikeInterface recording as a signal; nothing is read but time vectors.

    Parameters
    ----------
    recording : spikeinterface.core.BaseRecording
        Where it states no gain its samples are taken as uV, and the signal's metadata say so
        ("gain_assumed").
    name : str
        Name of the stream.
    kind : str
        What the channels measure.

    Raises
    ------
    BadMetadataError, BadProbeError
        Rate, times, gains or contacts that cannot be.
    """
    n = recording.get_num_channels()
    gain, offset = recording.get_channel_gains(), recording.get_channel_offsets()
    position = _positions(recording)
    table = ChannelTable.plain(
        [str(i) for i in recording.channel_ids],
        gain_uv=1.0 if gain is None else gain,
        offset_uv=0.0 if offset is None else offset,
        position_um=position,
        shank=_shanks(recording),
        phase=recording.get_property("inter_sample_shift"),
        kind=kind,
        probe=_probe(recording) if position is not None and n else None,
    )
    metadata = {"gain_assumed": True} if gain is None else {}
    reader = SpikeInterfaceReader(recording)
    return Signal(name, reader, table, _clock(recording), metadata)


@dataclass(frozen=True, eq=False)
class SpikeInterfaceReader:
    """Samples of a SpikeInterface recording, its segments one after the other.

    Parameters
    ----------
    recording : spikeinterface.core.BaseRecording
    """

    recording: Any

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        dtype: np.dtype[Any] = np.dtype(self.recording.get_dtype())
        return dtype

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        counts = [
            self.recording.get_num_samples(segment_index=i)
            for i in range(self.recording.get_num_segments())
        ]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Samples of an interval, shape (stop - start, len(channels))."""
        if stop <= start or not len(channels):
            return np.empty((stop - start, len(channels)), dtype=self.dtype)
        segment = int(np.searchsorted(self._starts, start, side="right")) - 1
        first = int(self._starts[segment])
        try:
            traces = self.recording.get_traces(
                segment_index=segment,
                start_frame=start - first,
                end_frame=stop - first,
                channel_ids=self.recording.channel_ids[channels],
            )
        except NisslError:
            raise
        except Exception as error:
            raise _unreadable(start, stop, error) from error
        out = np.asarray(traces)
        if out.shape != (stop - start, len(channels)):
            raise _unreadable(start, stop, ValueError(f"samples of shape {out.shape}"))
        return out

    def to_json(self) -> dict[str, Any] | None:
        """SpikeInterface's own description, or None where the recording has none in JSON."""
        if not self.recording.check_serializability("json"):
            return None
        from spikeinterface.core.core_tools import SIJsonEncoder

        described = self.recording.to_dict(
            include_annotations=True, include_properties=True, recursive=True
        )
        plain: dict[str, Any] = json.loads(json.dumps(described, cls=SIJsonEncoder))
        return plain

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SpikeInterfaceReader:
        """Inverse of `to_json`."""
        from spikeinterface.core import load

        return cls(load(value))


def signal_to_json(signal: Signal) -> dict[str, Any] | None:
    """Describe a lazy signal in plain values; None where its samples are held in memory."""
    reader = reader_to_json(signal.reader)
    if reader is None:
        return None
    return {
        "name": signal.name,
        "reader": reader,
        "channels": {**signal.channels.to_json(), "probe": signal.channels.probe},
        "clock": signal.clock.to_json(),
        "metadata": dict(signal.metadata),
    }


def signal_from_json(value: dict[str, Any]) -> Signal:
    """Inverse of `signal_to_json`."""
    return Signal(
        name=value["name"],
        reader=reader_from_json(value["reader"]),
        channels=ChannelTable.from_json(value["channels"]),
        clock=Clock.from_json(value["clock"]),
        metadata=value["metadata"],
    )


def require_spikeinterface() -> None:
    """Raise `MissingDependencyError` where SpikeInterface is not installed."""
    try:
        import spikeinterface.core  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "SpikeInterface", "no such package", "Install it with: pip install 'nissl[ephys]'"
        ) from error


def _unreadable(start: int, stop: int, error: Exception) -> CorruptSourceError:
    return CorruptSourceError(
        f"samples [{start}, {stop}) of the recording",
        f"{type(error).__name__} from its reader ({error})",
        "The file is damaged or has changed since it was opened; restore it from the original.",
    )


def _positions(recording: Any) -> npt.NDArray[np.float64] | None:
    if not recording.has_probe():
        return None
    return np.asarray(recording.get_channel_locations(), dtype=np.float64)[:, :2]


def _shanks(recording: Any) -> npt.NDArray[np.int64] | None:
    """Numbers of the groups (probes, shanks) in the order of their names."""
    group = recording.get_property("group")
    if group is None:
        return None
    values = np.asarray(group)
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.int64)
    return np.unique(values.astype(str), return_inverse=True)[1].astype(np.int64)


def _probe(recording: Any) -> dict[str, Any] | None:
    from nissl.data.si_probe import plain_probe

    probes = recording.get_probegroup().probes
    return plain_probe(probes[0]) if len(probes) == 1 else None


def _clock(recording: Any) -> Clock:
    rate_hz = float(recording.get_sampling_frequency())
    segments: list[list[float]] = []
    start, end_s = 0, 0.0
    for index in range(recording.get_num_segments()):
        n = int(recording.get_num_samples(segment_index=index))
        if recording.has_time_vector(segment_index=index) and n > 1:
            piece = Clock.from_times(recording.get_times(segment_index=index)).to_json()
        else:
            t0_s = recording.get_time_info(segment_index=index)["t_start"]
            piece = [[0, n, end_s if t0_s is None else float(t0_s), rate_hz]]
        segments += [[a + start, b + start, t, r] for a, b, t, r in piece]
        start += n
        a, b, t0, rate = segments[-1]
        end_s = t0 + (b - a) / rate if rate > 0 else t0
    return Clock.from_json(segments)
