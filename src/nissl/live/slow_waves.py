"""Slow waves on a stream, between zero crossings of a causal band-pass.

The definition is that of `events/slow-waves`: a negative half-wave of 0.25 to 1.25 s, then a
positive one, and limits on the trough and on the swing from trough to peak. Offline the filter
has no phase; here it runs forwards only (0.5 to 4 Hz, some tenths of a second late, which is
taken off the edges), so the halves of a wave are shaped a little differently, and the relative
limit takes the robust deviation of the last minutes instead of the whole record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nissl.annotators.events.slow_waves import LIMITS, SLOW_WAVES
from nissl.errors import BadArgumentError
from nissl.labels import Kind, Vocabulary
from nissl.live.bands import Band, Usual
from nissl.live.blocks import Blocks, Mask
from nissl.live.contract import Claim, Samples, StreamInfo

HOP_S = 0.05
USUAL_S, WARM_S = 180.0, 20.0
"""Past from which the deviation is taken, and how much of it there must be."""


class LiveSlowWaves(Blocks):
    """Single slow waves, channel by channel.

    Parameters
    ----------
    stream : StreamInfo
    columns : list of int
    parameters : mapping
        Those of `events/slow-waves`, complete.
    """

    name = "events/slow-waves"
    version = "1-causal"
    weights = ""
    kind = Kind.SPANS

    def __init__(
        self, stream: StreamInfo, columns: list[int], parameters: Mapping[str, Any]
    ) -> None:
        if parameters["limits"] not in LIMITS:
            raise BadArgumentError(
                f"limits among {LIMITS}", repr(parameters["limits"]), "Choose one of them."
            )
        self.parameters = dict(parameters)
        rate = stream.rate_hz
        low, high = parameters["band_hz"]
        self._hop = max(1, round(HOP_S * rate))
        self._band = Band(rate, float(low), float(high), order=1)
        self._lag = round(self._band.delay_s * rate)
        per_s = rate / self._hop
        self._usual = Usual(
            len(columns),
            longest=round(USUAL_S * per_s),
            least=round(WARM_S * per_s),
            every=round(per_s),
        )
        self.columns = columns
        self.forget()
        super().__init__(stream, columns)

    @property
    def vocabulary(self) -> Vocabulary:
        """Slow wave, and nothing."""
        return SLOW_WAVES.vocabulary

    @property
    def latency_s(self) -> float:
        """Delay of the filter, and one block."""
        return (self._lag + self._hop) / self.stream.rate_hz

    def edge(self, k: int) -> int:
        """Blocks of one length."""
        return k * self._hop

    def forget(self) -> None:
        """A wave that had not ended is not claimed."""
        n = len(self.columns)
        self._band.forget()
        self._usual.forget()
        self._positive = np.zeros(n, bool)
        self._down = np.full(n, -1, np.int64)
        self._up = np.full(n, -1, np.int64)
        self._least, self._most = np.zeros(n), np.zeros(n)
        self._spoilt = np.zeros(n, bool)

    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Waves whose last zero crossing lies in one more block."""
        y = self._band(block.astype(np.float64))
        usual = self._usual.add(np.median(np.abs(y), axis=0))
        positive = y >= 0
        turns = np.diff(np.concatenate([self._positive[None], positive]).astype(np.int8), axis=0)
        least, most = y.min(axis=0), y.max(axis=0)
        turning = turns.any(axis=0)
        self._least = np.where(turning, self._least, np.minimum(self._least, least))
        self._most = np.where(turning, self._most, np.maximum(self._most, most))
        self._spoilt |= missing.any(axis=0)
        claims: list[Claim] = []
        for c in np.flatnonzero(turning).tolist():
            claims += self._channel(c, y[:, c], turns[:, c], missing[:, c], first, usual)
        self._positive = positive[-1].copy()
        return sorted(claims, key=lambda claim: (claim.start, claim.channel))

    def _channel(
        self, c: int, y: Any, turns: Any, missing: Any, first: int, usual: Any
    ) -> list[Claim]:
        claims: list[Claim] = []
        a = 0
        for e in [*np.flatnonzero(turns).tolist(), len(y)]:
            if e > a:
                self._least[c] = min(self._least[c], float(y[a:e].min()))
                self._most[c] = max(self._most[c], float(y[a:e].max()))
            if e < len(y) and turns[e] > 0:
                self._up[c], self._most[c] = first + e, 0.0
            elif e < len(y):
                if usual is not None:
                    claims += self._ended(c, first + e, first + len(y), 1.4826 * float(usual[c]))
                self._down[c], self._up[c], self._least[c] = first + e, -1, 0.0
                self._spoilt[c] = bool(missing[e:].any())
            a = e
        return claims

    def _ended(self, c: int, stop: int, known_at: int, sd: float) -> list[Claim]:
        p = self.parameters
        down, up = int(self._down[c]), int(self._up[c])
        if down < 0 or up < 0 or self._spoilt[c] or sd <= 0:
            return []
        absolute = p["limits"] == "absolute"
        swing = p["swing_uv"] if absolute else p["swing_sd"] * sd
        trough = swing / 2 if absolute else p["trough_sd"] * sd
        low, high = (s * self.stream.rate_hz for s in p["negative_s"])
        if not (low <= up - down <= high and stop - up <= high):
            return []
        if -self._least[c] < trough or self._most[c] - self._least[c] < swing:
            return []
        start = max(down - self._lag, self._start)
        return [Claim(start, stop - self._lag, "slow wave", known_at, self.columns[c])]


__all__ = ["LiveSlowWaves"]
