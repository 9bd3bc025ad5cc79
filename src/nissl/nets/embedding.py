"""Features of any recording by a trained encoder, as a signal of their own: `nissl.embed`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError
from nissl.nets.inference import Network
from nissl.nets.windows import Grid, Scale, read_window, scale_of

BATCH = 64
CHANNELS = ("mean", "each")


@dataclass(frozen=True, eq=False)
class EmbeddingReader:
    """Features that are computed where they are read.

    Parameters
    ----------
    signal : Signal
    network : Network
    grid : Grid
    scale : Scale
    channels : {"mean", "each"}
    n_features : int
        Of one channel.
    """

    signal: Signal
    network: Network
    grid: Grid
    scale: Scale
    channels: str
    n_features: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the features."""
        return np.dtype(np.float32)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """First sample of each window."""
        return np.concatenate(self.grid.starts(self.signal))

    def read(self, start: int, stop: int, channels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
        """Features of windows, (stop - start, len(channels)); NaN where nothing is heard."""
        parts = [
            self._features(self.starts[a : min(a + BATCH, stop)]) for a in range(start, stop, BATCH)
        ]
        width = self.n_features * (self.signal.n_channels if self.channels == "each" else 1)
        return np.concatenate(parts or [np.empty((0, width), np.float32)])[:, channels]

    def _features(self, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        x = np.stack([read_window(self.signal, s, self.grid, self.scale) for s in starts.tolist()])
        n, c, t = x.shape
        flat = x.reshape(n * c, 1, t)
        heard = np.isfinite(flat).all(axis=(1, 2))
        out = np.full((n * c, self.n_features), np.nan, np.float32)
        if heard.any():
            out[heard] = self.network(flat[heard])
        each = out.reshape(n, c, self.n_features)
        if self.channels == "each":
            return each.reshape(n, -1)
        known = np.isfinite(each)
        total = np.where(known, each, 0).sum(axis=1)
        return np.asarray(np.where(known.any(axis=1), total / known.sum(axis=1).clip(1), np.nan))


def embed(
    source: Signal | Recording,
    model: str | Path | Network,
    *,
    stream: str | None = None,
    step_s: float | None = None,
    channels: str = "mean",
) -> Signal:
    """Features of a recording as a derived signal, one sample per window; read lazily.

    Parameters
    ----------
    source : Signal or Recording
        Of any rate and any number of channels.
    model : path or Network
        An encoder, as `nissl.nets.pretraining` makes them.
    stream : str, optional
        Of a recording with several streams.
    step_s : float, optional
        From one window to the next, seconds; as the encoder was trained by default.
    channels : {"mean", "each"}
        Mean over the channels, or the features of every channel beside each other.

    Returns
    -------
    Signal
        Its clock gives the start of each window; gaps of the source are gaps of it. Its
        metadata hold `made_from` (fingerprint of the source), the encoder's digest and header,
        and the window's length.

    Raises
    ------
    BadArgumentError
        The model is no encoder, or the recording is shorter than a window.
    CorruptSourceError
        The model is not one of nissl's.
    """
    signal = _signal(source, stream)
    network = model if isinstance(model, Network) else Network.read(model)
    head = network.header
    if head.get("kind") != "encoder" or channels not in CHANNELS:
        raise BadArgumentError(
            f"an encoder, and channels among {CHANNELS}",
            f"a model of kind {head.get('kind')!r}, channels {channels!r}",
            "Train one with nissl.nets.pretraining.pretrain.",
        )
    length = float(head["length_s"])
    grid = Grid(float(head["rate_hz"]), length, float(step_s or head["step_s"]))
    counts = [len(starts) for starts in grid.starts(signal)]
    if not sum(counts):
        raise BadArgumentError(
            f"a recording of {length:g} s or longer without a gap",
            f"{signal.duration_s:g} s in {len(counts)} segments",
            "Take an encoder of shorter windows.",
        )
    n_features = int(head["n_features"])
    reader = EmbeddingReader(signal, network, grid, scale_of(signal), channels, n_features)
    own = [f"f{k}" for k in range(n_features)]
    names = [f"{c}:{f}" for c in signal.channels.ids for f in own] if channels == "each" else own
    return Signal(
        f"{signal.name}:embedding",
        reader,
        ChannelTable.plain(names, kind="derived"),
        _clock(signal, counts, grid.step_s),
        {
            "made_from": [_fingerprint(source, signal)],
            "stream": signal.name,
            "model": network.digest,
            "encoder": dict(head),
            "length_s": length,
            "channels": channels,
        },
    )


def _signal(source: Signal | Recording, stream: str | None) -> Signal:
    if isinstance(source, Signal):
        return source
    return source.signal if stream is None else source[stream]


def _fingerprint(source: Signal | Recording, signal: Signal) -> str:
    """Of the recording; of a signal alone, over its shape and evenly spaced samples."""
    if isinstance(source, Recording) and source.fingerprint:
        return source.fingerprint
    facts = [signal.n_samples, signal.channels.to_json(), signal.clock.to_json()]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for at in np.unique(np.linspace(0, signal.n_samples, 17).astype(np.int64))[:-1].tolist():
        for a, b in signal.clock.split(at, min(at + 256, signal.n_samples)):
            digest.update(np.ascontiguousarray(signal.read_raw(a, b)).tobytes())
    return digest.hexdigest()


def _clock(signal: Signal, counts: Sequence[int], step_s: float) -> Clock:
    """One segment for each of the source's that holds a window."""
    pairs = [
        (segment.t0_s, n) for segment, n in zip(signal.clock.segments, counts, strict=True) if n
    ]
    starts, lengths = [t for t, _ in pairs], [n for _, n in pairs]
    return Clock.from_segments(1.0 / step_s, lengths, starts)


__all__ = ["EmbeddingReader", "embed"]
