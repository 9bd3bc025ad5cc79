"""The SpikeInterface recording class over a signal.

Import this module only where SpikeInterface is needed anyway. The class lives at the top of a
module since SpikeInterface finds it again by its import path in worker processes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from probeinterface import Probe
from spikeinterface.core import BaseRecording, BaseRecordingSegment

from nissl.data.channels import ChannelTable
from nissl.data.signal import SampleReader, Signal
from nissl.data.spikeinterface import signal_from_json


class SignalRecording(BaseRecording):  # type: ignore[misc]
    """A signal as a SpikeInterface recording; see `nissl.data.spikeinterface`.

    Parameters
    ----------
    signal : Signal or dict
        The signal, or its description by `signal_to_json`; only the latter fits into JSON.
    """

    def __init__(self, signal: Signal | dict[str, Any]) -> None:
        opened = signal if isinstance(signal, Signal) else signal_from_json(signal)
        table = opened.channels
        BaseRecording.__init__(
            self,
            sampling_frequency=opened.rate_hz,
            channel_ids=np.asarray(table.ids),
            dtype=opened.dtype,
        )
        for part in opened.clock.segments:
            self.add_recording_segment(
                SignalSegment(opened.reader, (part.start, part.stop), part.t0_s, opened.rate_hz)
            )
        self.set_channel_gains(table.gain_uv)
        self.set_channel_offsets(table.offset_uv)
        self.set_property("group", table.shank)
        if table.has_geometry:
            self.set_probe(probe_of(table))
            self.set_property("group", table.shank)  # set_probe puts its own
        if np.any(table.phase != 0):
            self.set_property("inter_sample_shift", table.phase)
        self._serializability["json"] = isinstance(signal, dict)
        self._kwargs = {"signal": signal}


class SignalSegment(BaseRecordingSegment):  # type: ignore[misc]
    """One clock segment of a signal.

    Parameters
    ----------
    reader : SampleReader
    interval : tuple of int
        Samples ``[start, stop)`` of the signal.
    t0_s, rate_hz : float
        Start in seconds of the device's clock, and sampling rate.
    """

    def __init__(
        self, reader: SampleReader, interval: tuple[int, int], t0_s: float, rate_hz: float
    ) -> None:
        BaseRecordingSegment.__init__(self, sampling_frequency=rate_hz, t_start=t0_s)
        self._reader = reader
        self._interval = interval

    def get_num_samples(self) -> int:
        """Samples in the segment."""
        return self._interval[1] - self._interval[0]

    def get_traces(
        self,
        start_frame: int | None = None,
        end_frame: int | None = None,
        channel_indices: Any = None,
    ) -> npt.NDArray[Any]:
        """Stored samples, shape (end_frame - start_frame, n_channels)."""
        first = self._interval[0]
        start = 0 if start_frame is None else int(start_frame)
        stop = self.get_num_samples() if end_frame is None else int(end_frame)
        every = np.arange(self.get_num_channels(), dtype=np.intp)
        chosen = every if channel_indices is None else every[channel_indices]
        return self._reader.read(first + start, first + max(start, stop), chosen)


def probe_of(table: ChannelTable) -> Probe:
    """Build a probe whose contacts are the channels of a table, in their order.

    The probe's own description is used where it fits the channels, so that contact shapes
    and outlines come along.
    """
    own = _own_probe(table)
    if own is not None:
        return own
    probe = Probe(ndim=2, si_units="um")
    probe.set_contacts(
        positions=table.position_um,
        shapes="circle",
        shape_params={"radius": 6.0},
        shank_ids=table.shank.astype(str),
        contact_ids=list(table.ids),
    )
    probe.set_device_channel_indices(np.arange(len(table)))
    return probe


def _own_probe(table: ChannelTable) -> Probe | None:
    """Probe of the table's own description, or None where that does not give one that fits."""
    if table.probe is None or "contact_positions" not in table.probe:
        return None
    try:
        probe = Probe.from_dict(table.probe)
        if probe.device_channel_indices is not None:
            wired = np.flatnonzero(probe.device_channel_indices >= 0)
            order = wired[np.argsort(probe.device_channel_indices[wired], kind="stable")]
            probe = probe.get_slice(order)
        positions = probe.contact_positions[:, :2]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None  # probe files are written by many programs; positions and shanks suffice
    if len(positions) != len(table) or not np.allclose(positions, table.position_um):
        return None
    probe.set_device_channel_indices(np.arange(len(table)))
    return probe
