"""What a method on a stream takes and gives.

Counting: samples are numbered by arrival, from 0, and the numbers are the truth; seconds are
derived. A gap (samples that were lost) does not consume numbers: what comes after it is a new
segment of the same numbering, as in `nissl.clock`. A claim lies within one segment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.labels import Kind, Vocabulary

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a stream before its first sample.

    Parameters
    ----------
    name : str
    rate_hz : float
        As stated by the sender.
    channels : ChannelTable
        In the order of the columns; gains are applied already, samples come in uV.
    """

    name: str
    rate_hz: float
    channels: ChannelTable

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise BadMetadataError(
                "a stream with a sampling rate above 0 Hz",
                f"{self.rate_hz} Hz from {self.name!r}",
                "Streams of single events (LSL's irregular rate) cannot be annotated: "
                "choose the stream of samples.",
            )

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @classmethod
    def of(cls, signal: Signal) -> StreamInfo:
        """That of a signal, as when it is replayed."""
        return cls(signal.name, signal.rate_hz, signal.channels)

    @classmethod
    def plain(cls, ids: list[str], rate_hz: float, *, name: str = "stream") -> StreamInfo:
        """Stream of EEG with these channel names."""
        return cls(name, rate_hz, ChannelTable.plain(ids, kind="eeg"))


@dataclass(frozen=True)
class Claim:
    """One thing that is said of a stream.

    Parameters
    ----------
    start, stop : int
        Samples, half-open; of a point event, its sample and the one after.
    label : str
        A class of the method's vocabulary.
    known_at : int
        Samples that had arrived when it was known; nothing later was looked at.
    channel : int, optional
        Column of the stream; None for all of them.
    confidence : float
        Calibrated probability that the label is right; NaN where the method has none.
    probabilities : tuple of float
        Over the vocabulary; empty where the method has none.
    unit : int, optional
        Which thing it is of: the unit of a spike.
    amplitude : float
        uV; NaN where the method has none.
    position : tuple of float
        Where on the probe it came from, x and y, um; empty where the method does not say.
    """

    start: int
    stop: int
    label: str
    known_at: int
    channel: int | None = None
    confidence: float = math.nan
    probabilities: tuple[float, ...] = ()
    unit: int | None = None
    amplitude: float = math.nan
    position: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; a confidence that is not known is null, what only events have left out."""
        more: dict[str, Any] = {} if self.unit is None else {"unit": self.unit}
        if not math.isnan(self.amplitude):
            more["amplitude"] = self.amplitude
        if self.position:
            more["position"] = list(self.position)
        return {
            "start": self.start,
            "stop": self.stop,
            "label": self.label,
            "channel": self.channel,
            "confidence": None if math.isnan(self.confidence) else self.confidence,
            "probabilities": list(self.probabilities),
            "known_at": self.known_at,
            **more,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Claim:
        """Inverse of `to_json`; KeyError, TypeError or ValueError where it is not one."""
        confidence = value["confidence"]
        channel, unit = value["channel"], value.get("unit")
        return cls(
            int(value["start"]),
            int(value["stop"]),
            str(value["label"]),
            int(value["known_at"]),
            None if channel is None else int(channel),
            math.nan if confidence is None else float(confidence),
            tuple(float(p) for p in value["probabilities"]),
            None if unit is None else int(unit),
            float(value.get("amplitude", math.nan)),
            tuple(float(p) for p in value.get("position", ())),
        )


@runtime_checkable
class LiveMethod(Protocol):
    """A method on a stream.

    Implementers: claims of the same samples are the same whatever the chunks; nothing is looked
    at that comes after a claim's `known_at`; memory does not grow with the stream.
    """

    @property
    def name(self) -> str:
        """Name, "task/method"."""

    @property
    def version(self) -> str:
        """Changes whenever claims on the same samples may change."""

    @property
    def weights(self) -> str:
        """Digest of the model that it uses; "" without one."""

    @property
    def kind(self) -> Kind:
        """Kind of its labels: SPANS, or EVENTS, each of which is one sample long."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes, the last of which claims nothing."""

    @property
    def stream(self) -> StreamInfo:
        """The stream it was built for."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All its parameters, JSON values."""

    @property
    def latency_s(self) -> float:
        """Most seconds of samples from the end of what is claimed to `known_at`."""

    def push(self, chunk: Samples, first_sample: int) -> list[Claim]:
        """Take the next samples and say what is known by now.

        Parameters
        ----------
        chunk : ndarray, shape (n, n_channels), float32, uV
            Any n, also 0; values that are not finite count as missing.
        first_sample : int
            Number of its first sample.

        Raises
        ------
        BadArgumentError
            Another number of channels, or a sample that is not the next one.
        """

    def reset(self, first_sample: int) -> None:
        """Begin a new segment: nothing from before it is continued.

        Parameters
        ----------
        first_sample : int
            Number of the next sample.
        """


def offline(method: LiveMethod, signal: Signal, *, block: int = 1 << 14) -> list[Claim]:
    """What a live method says of a recording: the same code, run over the file.

    Parameters
    ----------
    method : LiveMethod
        A fresh one.
    signal : Signal
    block : int
        Samples read at once; the result does not depend on it.
    """
    check_fits(method, StreamInfo.of(signal))
    claims: list[Claim] = []
    for segment in signal.clock.segments:
        method.reset(segment.start)
        for a in range(segment.start, segment.stop, block):
            claims += method.push(signal.read(a, min(a + block, segment.stop)), a)
    return claims


def check_fits(method: LiveMethod, stream: StreamInfo) -> None:
    """Raise `BadMetadataError` where a stream is not the one that a method was built for."""
    wanted = method.stream
    same = abs(stream.rate_hz / wanted.rate_hz - 1) < 1e-4
    if not same or stream.channels.ids != wanted.channels.ids:
        raise BadMetadataError(
            f"{wanted.n_channels} channels {list(wanted.channels.ids[:6])} at {wanted.rate_hz:g} "
            f"Hz, for which {method.name} was set up",
            f"{stream.n_channels} channels {list(stream.channels.ids[:6])} at "
            f"{stream.rate_hz:g} Hz from {stream.name!r}",
            "Set the method up for this stream, or have the amplifier send the other one.",
        )


def check_chunk(chunk: npt.NDArray[Any], n_channels: int, first: int, expected: int) -> None:
    """Raise `BadArgumentError` where a chunk does not go on from what came before."""
    if chunk.ndim != 2 or chunk.shape[1] != n_channels:
        raise BadArgumentError(
            f"samples of shape (n, {n_channels})", f"shape {chunk.shape}", "Mend the chunk."
        )
    if first != expected:
        raise BadArgumentError(
            f"sample {expected} next",
            f"sample {first}",
            "Samples are numbered by arrival; after a gap call reset first.",
        )


__all__ = ["Claim", "LiveMethod", "Samples", "StreamInfo", "check_chunk", "check_fits", "offline"]
