"""Streams of the Lab Streaming Layer, in and out, through pylsl (extra ``live``).

Samples are numbered as they arrive. Their time stamps say one thing more: where they jump by more
than `GAP_S` samples were lost on the way, and a new segment begins. Shorter losses cannot be told
from the jitter of the network; amplifiers that number their packets know better, and should stop
and start their stream anew. The rate that is stated is held against the time stamps.

Kothe et al. 2025, The lab streaming layer for synchronized multimodal recording, Imaging
Neuroscience 3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nissl.data.channels import ChannelTable
from nissl.errors import BadMetadataError, MissingDependencyError, SourceNotFoundError
from nissl.live.contract import Claim, Samples, StreamInfo
from nissl.live.sources import Chunk

GAP_S = 0.25
_PULL_S = 0.1
_RATE_CHECKS = ((20.0, 0.05), (60.0, 0.01))
"""Seconds after which the rate is held against the time stamps, and how far it may be off."""
_UV = {"microvolts": 1.0, "microvolt": 1.0, "uv": 1.0, "µv": 1.0, "μv": 1.0,
       "millivolts": 1e3, "mv": 1e3, "volts": 1e6, "volt": 1e6, "v": 1e6}  # fmt: skip


def require_pylsl() -> Any:
    """Return pylsl; `MissingDependencyError` where it or its library cannot be loaded."""
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        raise MissingDependencyError(
            "pylsl with the library liblsl, for streams of LSL",
            str(error).splitlines()[0][:200],
            "Install it: pip install 'nissl[live]'",
        ) from None
    return pylsl


class LslSource:
    """A stream of samples from LSL.

    Parameters
    ----------
    inlet : pylsl.StreamInlet
        Or anything with its `pull_chunk` and `time_correction`.
    info : StreamInfo
    gain : ndarray, shape (n_channels,), float64
        Microvolts in a unit of each channel.
    idle_s : float
        The stream has ended when nothing came for so long.
    """

    def __init__(self, inlet: Any, info: StreamInfo, gain: Any, *, idle_s: float = 60.0) -> None:
        self.info = info
        self._inlet, self._gain, self._idle_s = inlet, np.asarray(gain, np.float64), idle_s
        self._position = 0
        self._last_s = float("nan")
        self._segment: tuple[int, float] | None = None

    @classmethod
    def open(cls, name: str, *, wait_s: float = 10.0, idle_s: float = 60.0) -> LslSource:
        """Connect to the stream of a name.

        Raises
        ------
        SourceNotFoundError
            No such stream was found.
        BadMetadataError
            It carries text, or states no rate.
        """
        pylsl = require_pylsl()
        found = _resolved(pylsl, name, wait_s)
        inlet = pylsl.StreamInlet(found, max_buflen=360, recover=bool(found.source_id()))
        full = inlet.info(timeout=wait_s)
        if full.channel_format() == pylsl.cf_string:
            raise BadMetadataError(
                "a stream of samples", f"{name!r}, which sends text", "Give it as --markers."
            )
        ids, types, gain = described(full)
        table = ChannelTable.plain(ids, kind="eeg")
        info = StreamInfo(name, float(full.nominal_srate()), _typed(table, types))
        inlet.open_stream(timeout=wait_s)
        return cls(inlet, info, gain, idle_s=idle_s)

    def chunks(self) -> Iterator[Chunk]:
        """Chunks as they come; an empty one where nothing came for a moment."""
        quiet_s = 0.0
        limit = max(1, int(self.info.rate_hz))
        while quiet_s < self._idle_s:
            try:
                rows, stamps = self._inlet.pull_chunk(timeout=_PULL_S, max_samples=limit)
            except Exception as error:  # pylsl's own, told by name: the package may be missing
                if type(error).__name__ != "LostError":
                    raise
                return
            if not stamps:
                quiet_s += _PULL_S
                yield Chunk(np.empty((0, self.info.n_channels), np.float32), self._position)
                continue
            quiet_s = 0.0
            values = (np.asarray(rows, np.float64) * self._gain).astype(np.float32)
            yield from self._split(values, np.asarray(stamps, np.float64))

    def sample_at(self, stamp_s: float) -> int:
        """Number of the sample at a time of this machine's LSL clock."""
        local = stamp_s - self._inlet.time_correction()
        later = round(float(local - self._last_s) * self.info.rate_hz)
        return self._position - 1 + int(later)

    def close(self) -> None:
        """Disconnect."""
        close = getattr(self._inlet, "close_stream", None)
        if close is not None:
            close()

    def _split(self, values: Samples, stamps: Any) -> Iterator[Chunk]:
        step = np.diff(np.concatenate([[self._last_s], stamps])) - 1 / self.info.rate_hz
        cuts = [int(k) for k in np.flatnonzero(np.abs(step) > GAP_S)]
        for a, b in zip([0, *cuts], [*cuts, len(stamps)], strict=True):
            if a == b:
                continue
            lost = max(float(step[a]), 0.0) if a in cuts else None
            if lost is not None or self._segment is None:
                self._segment = (self._position, float(stamps[a]))
            first, self._position = self._position, self._position + b - a
            self._last_s = float(stamps[b - 1])
            self._check_rate()
            yield Chunk(values[a:b], first, lost)

    def _check_rate(self) -> None:
        first, began_s = self._segment or (0, self._last_s)
        seconds = self._last_s - began_s
        n = self._position - 1 - first
        for after_s, off in _RATE_CHECKS:
            if after_s <= seconds and abs(n / seconds / self.info.rate_hz - 1) > off:
                raise BadMetadataError(
                    f"{self.info.rate_hz:g} samples per second, as {self.info.name!r} states",
                    f"{n / seconds:.2f} by its time stamps, over {seconds:.0f} s",
                    "Set the rate of the sender right; samples may also be lost on the way.",
                )


class LslMarkers:
    """Onsets from a stream of markers.

    Parameters
    ----------
    name : str
    source : LslSource
        The samples that the markers lie on.
    """

    def __init__(self, name: str, source: LslSource, *, wait_s: float = 10.0) -> None:
        pylsl = require_pylsl()
        self._inlet = pylsl.StreamInlet(_resolved(pylsl, name, wait_s))
        self._inlet.open_stream(timeout=wait_s)
        self._source = source

    def __call__(self) -> list[int]:
        """Samples of the markers that came since it was last asked."""
        _, stamps = self._inlet.pull_chunk(timeout=0.0)
        shift = self._inlet.time_correction() if stamps else 0.0
        return [self._source.sample_at(float(stamp) + shift) for stamp in stamps]


class MarkerSink:
    """Claims as a stream of markers, one JSON text each, stamped when it is sent.

    Parameters
    ----------
    name : str
        Of the stream, as others find it.
    push : callable, optional
        Takes a text; by default that of an LSL outlet.
    """

    def __init__(self, name: str, push: Callable[[str], None] | None = None) -> None:
        self._outlet: Any = None
        if push is None:
            pylsl = require_pylsl()
            told = pylsl.StreamInfo(
                name, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, f"nissl-{name}"
            )
            self._outlet = pylsl.StreamOutlet(told)
        self._push = push if push is not None else lambda text: self._outlet.push_sample([text])

    def write(self, claims: Sequence[Claim]) -> None:
        """Send them."""
        for claim in claims:
            self._push(json.dumps(claim.to_json()))

    def gap(self, first_sample: int, lost_s: float) -> None:
        """Send it."""
        self._push(json.dumps({"gap": {"sample": first_sample, "lost_s": lost_s}}))

    def close(self) -> None:
        """End the stream."""
        self._outlet = None


def described(full: Any) -> tuple[list[str], list[str], list[float]]:
    """Names, types and microvolts per unit of the channels, from a stream's description.

    Names that are missing or not unique are replaced by numbers; a unit that is missing is taken
    for microvolts, as amplifiers send them.
    """
    ids, types, gain = [], [], []
    channel = full.desc().child("channels").child("channel")
    for k in range(int(full.channel_count())):
        ids.append(channel.child_value("label") or f"{k + 1}")
        types.append(channel.child_value("type").lower())
        unit = channel.child_value("unit").lower()
        if unit and unit not in _UV:
            raise BadMetadataError(
                f"channels in a unit among {sorted(_UV)}",
                f"{unit!r} of {ids[-1]!r}",
                "Have the sender state the unit, or send microvolts.",
            )
        gain.append(_UV.get(unit, 1.0))
        channel = channel.next_sibling()
    if len(set(ids)) != len(ids):
        ids = [f"{k + 1}" for k in range(len(ids))]
    return ids, types, gain


def _typed(table: ChannelTable, types: list[str]) -> ChannelTable:
    from dataclasses import replace

    known = ("eeg", "eog", "emg", "ecg", "meg", "seeg", "ecog", "lfp", "misc", "resp", "stim")
    given = tuple(t if t in known else "" for t in types)
    return replace(table, types=given) if any(given) else table


def _resolved(pylsl: Any, name: str, wait_s: float) -> Any:
    found = pylsl.resolve_byprop("name", name, timeout=wait_s)
    if not found:
        there = sorted({each.name() for each in pylsl.resolve_streams(1.0)})
        raise SourceNotFoundError(
            f"an LSL stream named {name!r}",
            f"the streams {there}",
            "Start the amplifier's stream, and check that both machines are in one network.",
        )
    return found[0]


__all__ = ["GAP_S", "LslMarkers", "LslSource", "MarkerSink", "described", "require_pylsl"]
