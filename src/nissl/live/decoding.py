"""Decoding on a stream: windows at markers or one after another, by a decoder taught offline.

Windows are cut by the cutter that also cuts files (`nissl.annotators.decoding.windows`), behind
the same causal filter, so a trial that is announced to the stream gets the probabilities that
`nissl annotate` gives it. Without markers a window is decided every `every_s` seconds; a decoder
that was taught trials only may be sure of windows between them, which hold none of its classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nissl.annotators.decoding.given import UNKNOWN
from nissl.annotators.decoding.methods import Taught
from nissl.annotators.decoding.windows import Cutter
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.labels import Kind, Vocabulary
from nissl.live.blocks import Blocks, Mask
from nissl.live.contract import Claim, Samples, StreamInfo

HOP_S = 0.02
"""Length of a block: windows are decided at the end of one."""


class LiveDecoder(Blocks):
    """Decides on windows of a stream.

    Parameters
    ----------
    stream : StreamInfo
    taught : Taught
        What `nissl.annotators.decoding.methods.Decoder.teach` gives.
    name : str
        Of the method that was taught.
    every_s : float, optional
        Decide a window that often; by default only at markers, see `onset`.

    Raises
    ------
    BadMetadataError
        The stream has another rate than the decoder was taught, or lacks its channels.
    """

    version = "1"
    weights = ""
    kind = Kind.SPANS

    def __init__(
        self,
        stream: StreamInfo,
        taught: Taught,
        *,
        name: str = "decoding",
        every_s: float | None = None,
    ) -> None:
        lacking = [c for c in taught.channels if c not in stream.channels.ids]
        if lacking or abs(stream.rate_hz / taught.settings.rate_hz - 1) > 1e-4:
            raise BadMetadataError(
                f"a stream at {taught.settings.rate_hz:g} Hz with the channels "
                f"{list(taught.channels[:8])}, as {name} was taught",
                f"{stream.rate_hz:g} Hz, without {lacking[:8]}",
                "Record the training session as the stream is sent, and teach it on that.",
            )
        if every_s is not None and not (math.isfinite(every_s) and every_s >= HOP_S):
            raise BadArgumentError(
                f"a step of at least {HOP_S} s", f"{every_s}", "--set every_s=0.5"
            )
        self.name, self.taught = name, taught
        self._every = None if every_s is None else max(1, round(every_s * stream.rate_hz))
        self.every_s = every_s
        self._hop = max(1, round(HOP_S * stream.rate_hz))
        super().__init__(stream, [stream.channels.ids.index(c) for c in taught.channels])
        self.forget()

    @property
    def vocabulary(self) -> Vocabulary:
        """Classes that it was taught, and unknown."""
        return Vocabulary((*self.taught.classes, UNKNOWN))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Window, band and step."""
        s = self.taught.settings
        return {
            "start_s": s.start_s,
            "stop_s": s.stop_s,
            "band_hz": None if s.band_hz is None else list(s.band_hz),
            "average": s.average,
            "every": s.every,
            "every_s": self.every_s,
            "channels": list(self.taught.channels),
        }

    @property
    def latency_s(self) -> float:
        """One block; the delay of the band-pass is inside the window, as offline."""
        return self._hop / self.stream.rate_hz

    def edge(self, k: int) -> int:
        """Blocks of one length."""
        return k * self._hop

    def forget(self) -> None:
        """Windows lie within one segment; onsets announced before are dropped."""
        settings = self.taught.settings
        self._cutter = Cutter(settings, len(self.columns), start=self._start)
        self._bad = -1
        self._due = self._start - settings.first

    def onset(self, sample: int) -> None:
        """Say that a trial begins at a sample, ahead or up to some seconds ago.

        Raises
        ------
        BadArgumentError
            Its samples are no longer kept.
        """
        self._cutter.ask(sample)

    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Windows that are complete after one more block."""
        settings = self.taught.settings
        stop = first + len(block)
        if missing.any():
            self._bad = first + int(np.flatnonzero(missing.any(axis=1))[-1])
        while self._every is not None and self._due + settings.first < stop:
            self._cutter.ask(self._due)
            self._due += self._every
        found = self._cutter.push(block.astype(np.float64))
        return [self._decided(onset, window, stop) for onset, window in found]

    def _decided(self, onset: int, window: Any, known_at: int) -> Claim:
        a = onset + self.taught.settings.first
        b = a + self.taught.settings.n_samples
        if a <= self._bad or not np.isfinite(window).all():
            return Claim(a, b, UNKNOWN, known_at)
        p = self.taught.chances(window[None])[0]
        trusted = self.taught.calibration is not None
        return Claim(
            a,
            b,
            self.taught.classes[int(p.argmax())],
            known_at,
            None,
            float(p.max()) if trusted else math.nan,
            (*(float(value) for value in p), 0.0) if trusted else (),
        )


class SteadyStop:
    """Decides on trials of a stream as soon as one class is likely enough.

    Parameters
    ----------
    stream : StreamInfo
    decoders : mapping of float to Taught
        Decoder for each length of the window in seconds, all from the same start.
    confidence : float
        At which a trial is decided early; the longest window decides in any case.
    """

    def __init__(
        self, stream: StreamInfo, decoders: Mapping[float, Taught], confidence: float
    ) -> None:
        if not decoders or not 0 < confidence <= 1:
            raise BadArgumentError(
                "at least one window and a confidence above 0, at most 1",
                f"{sorted(decoders)} and {confidence}",
                "Mend the arguments.",
            )
        self.confidence = confidence
        self._live: dict[float, LiveDecoder] = {}
        for length in sorted(decoders):
            settings = decoders[length].settings
            settings = replace(settings, stop_s=settings.start_s + length)
            self._live[length] = LiveDecoder(stream, replace(decoders[length], settings=settings))
        self._undecided: set[int] = set()

    def onset(self, sample: int) -> None:
        """Say that a trial begins at a sample."""
        first = next(iter(self._live.values())).taught.settings.first
        self._undecided.add(sample + first)
        for each in self._live.values():
            each.onset(sample)

    def push(self, chunk: Samples, first_sample: int) -> list[Claim]:
        """Take a chunk and decide on trials that are sure enough, or complete."""
        longest = max(self._live)
        out = []
        for length, each in self._live.items():
            for claim in each.push(chunk, first_sample):
                sure = claim.confidence >= self.confidence or length == longest
                if sure and claim.start in self._undecided:
                    self._undecided.discard(claim.start)
                    out.append(claim)
        return sorted(out, key=lambda claim: (claim.known_at, claim.start))

    def reset(self, first_sample: int) -> None:
        """Begin a new segment; trials that were not decided are dropped."""
        self._undecided.clear()
        for each in self._live.values():
            each.reset(first_sample)


__all__ = ["LiveDecoder", "SteadyStop"]
