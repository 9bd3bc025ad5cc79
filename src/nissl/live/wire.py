"""What goes over a socket of ZeroMQ: our own format of samples, and that of Open Ephys.

Our own has three parts: the text ``nissl``, a header of JSON, and the samples, one frame of all
channels after the other::

    {"format": 1, "type": "samples", "first_sample": 0, "n_samples": 30, "rate_hz": 30000,
     "channels": ["1", "2"], "dtype": "int16", "gain_uv": 0.195}

`dtype` is ``float32`` or ``int16``, little-endian; `gain_uv` (1 where it is left out) is uV per
unit, one number or one for each channel; `first_sample` counts from wherever the sender likes and
goes on over what was lost. A header ``{"format": 1, "type": "end"}`` ends the stream.

Open Ephys' ZMQ Interface sends one message per channel and buffer, also of three parts: an
envelope (``DATA``), a header of JSON whose `content` has `stream`, `channel_num`, `num_samples`,
`sample_num` and `sample_rate`, and float32, uV. See the plugin's page in the manual of Open Ephys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nissl.errors import BadMetadataError
from nissl.live.contract import Samples

FORMAT = 1
TOPIC = b"nissl"
_DTYPES = {"float32": "<f4", "int16": "<i2"}


@dataclass(frozen=True, eq=False)
class Block:
    """Samples as they were sent.

    Parameters
    ----------
    name : str
        Of the stream.
    first : int
        The sender's number of the first sample.
    rate_hz : float
    channels : tuple of str
    samples : ndarray, shape (n, n_channels), float32, uV
    """

    name: str
    first: int
    rate_hz: float
    channels: tuple[str, ...]
    samples: Samples


def packed(
    samples: np.ndarray[Any, Any],
    first_sample: int,
    *,
    rate_hz: float,
    channels: Sequence[str],
    gain_uv: float | Sequence[float] = 1.0,
    name: str = "stream",
) -> list[bytes]:
    """Parts of a message of samples.

    Parameters
    ----------
    samples : ndarray, shape (n, n_channels), float32 or int16
        In units of `gain_uv`.
    first_sample : int
    rate_hz : float
    channels : sequence of str
    gain_uv : float or sequence of float
        uV per unit.
    name : str
        Of the stream.
    """
    kind = "int16" if samples.dtype == np.int16 else "float32"
    header = {
        "format": FORMAT,
        "type": "samples",
        "name": name,
        "first_sample": first_sample,
        "n_samples": len(samples),
        "rate_hz": rate_hz,
        "channels": list(channels),
        "dtype": kind,
        "gain_uv": gain_uv if isinstance(gain_uv, int | float) else list(gain_uv),
    }
    data = np.ascontiguousarray(samples, _DTYPES[kind]).tobytes()
    return [TOPIC, json.dumps(header).encode(), data]


def ended() -> list[bytes]:
    """Parts of the message that ends a stream."""
    return [TOPIC, json.dumps({"format": FORMAT, "type": "end"}).encode()]


def unpacked(parts: Sequence[bytes]) -> Block | None:
    """Samples of a message of our own format; None where it ends the stream.

    Raises
    ------
    BadMetadataError
        It is another format.
    """
    try:
        header = json.loads(parts[1])
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']}")
        if header["type"] == "end":
            return None
        names = tuple(str(each) for each in header["channels"])
        gain = np.broadcast_to(np.asarray(header.get("gain_uv", 1.0), np.float64), len(names))
        data = np.frombuffer(parts[2], _DTYPES[header["dtype"]])
        samples = data.reshape(int(header["n_samples"]), len(names))
        return Block(
            str(header.get("name", "stream")),
            int(header["first_sample"]),
            _rate(header["rate_hz"]),
            names,
            (samples * gain).astype(np.float32),
        )
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _not_understood("our format of samples (see the manual, Live)", error) from error


class OpenEphysBuffers:
    """Puts the channels of Open Ephys together.

    The first `settle` buffers show which channels there are, and are kept. A buffer is given when
    all of its channels have come; one that stays without a channel while `patience` later ones
    came is dropped, so that its samples are missing in the numbering.

    Parameters
    ----------
    stream : str, optional
        Name of the stream to take; by default that of the first message.
    settle, patience : int
    """

    def __init__(self, stream: str | None = None, *, settle: int = 3, patience: int = 8) -> None:
        self._stream, self._settle, self._patience = stream, settle, patience
        self._parts: dict[int, dict[int, Samples]] = {}
        self._rate = math.nan
        self._channels: tuple[int, ...] | None = None

    def push(self, parts: Sequence[bytes]) -> list[Block]:
        """Take a message and give the buffers that are whole by now.

        Raises
        ------
        BadMetadataError
            The header is another one, or a channel came that was not there at first.
        """
        if not parts or parts[0].rstrip(b"\0").upper() != b"DATA":
            return []
        try:
            header: Mapping[str, Any] = json.loads(parts[1].rstrip(b"\0"))
            told = header.get("content", header)
            channel, first = int(told["channel_num"]), int(told["sample_num"])
            stream, rate = str(told["stream"]), _rate(told["sample_rate"])
            n = int(told["num_samples"])
            samples = np.frombuffer(parts[2], "<f4", count=n) if n else np.empty(0, np.float32)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise _not_understood("messages of Open Ephys' ZMQ Interface", error) from error
        self._stream = stream if self._stream is None else self._stream
        if stream != self._stream or not n:
            return []
        if self._channels is not None and (channel not in self._channels or rate != self._rate):
            raise BadMetadataError(
                f"channels {list(self._channels[:6])} at {self._rate:g} Hz, as at first",
                f"channel {channel} at {rate:g} Hz",
                "Start the session anew: the channels that are sent were changed.",
            )
        self._rate = rate
        self._parts.setdefault(first, {})[channel] = samples
        return self._whole()

    def finish(self) -> list[Block]:
        """What is whole when the stream has ended, also before it settled."""
        if self._channels is None and self._parts:
            self._channels = tuple(sorted(set().union(*self._parts.values())))
        return self._whole()

    def _whole(self) -> list[Block]:
        if self._channels is None:
            if len(self._parts) <= self._settle:
                return []
            self._channels = tuple(sorted(set().union(*self._parts.values())))
        ready = []
        for first in sorted(self._parts):
            part = self._parts[first]
            if len(part) == len(self._channels):
                ready.append(self._block(first, self._parts.pop(first)))
        while len(self._parts) > self._patience:
            del self._parts[min(self._parts)]
        return ready

    def _block(self, first: int, part: Mapping[int, Samples]) -> Block:
        channels = self._channels or ()
        n = min(len(each) for each in part.values())
        samples = np.stack([part[channel][:n] for channel in channels], axis=1)
        names = tuple(f"CH{channel + 1}" for channel in channels)
        return Block(self._stream or "stream", first, self._rate, names, samples)


def _rate(value: Any) -> float:
    rate = float(value)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"a rate of {rate} Hz")
    return rate


def _not_understood(wanted: str, error: Exception) -> BadMetadataError:
    return BadMetadataError(
        wanted,
        f"a message that is not: {str(error)[:150]}",
        "Check the address, and whether it is zmq: or openephys: that sends there.",
    )


__all__ = ["FORMAT", "TOPIC", "Block", "OpenEphysBuffers", "ended", "packed", "unpacked"]
