"""Spindles and bursts on a stream, by the power of a band.

An event begins where the amplitude in the band exceeds a multiple of what has been usual, and
ends where it falls below a share of that limit. "Usual" is the median amplitude of the last
minute, so a quarter or so of the minute may be oscillating without moving the limit much. For
spindles the band must also hold a share of the power of 1 to 30 Hz, as YASA's relative power asks
(Vallat and Walker 2021, eLife 10), lest movements pass for them.

Filters run forwards only. The delay of the band-pass and of the amplitude is taken off the edges
of an event, so that they lie where they would without it, on average. There is no model and so no
confidence: offline, `events/spindles` has both, and looks at what comes after an event.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.vocabulary import classes
from nissl.errors import BadArgumentError
from nissl.labels import Kind, Vocabulary
from nissl.live.bands import Amplitude, Band, Usual
from nissl.live.blocks import Blocks, Mask
from nissl.live.contract import Claim, Samples, StreamInfo

BROAD_HZ = (1.0, 30.0)
HOP_S = 0.05
"""Length of a block: claims wait for its end."""
_EVERY_S = 1.0


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Parameters
    ----------
    name, label : str
        Of the method and of its class.
    band_hz : (float, float)
    over : float
        Multiple of the usual amplitude from which an event begins.
    edge : float
        Share of that limit at which it ends.
    shortest_s, longest_s : float
        Shorter and longer ones are not claimed.
    share : float
        Least share of the power of `BROAD_HZ`, at the largest amplitude; 0 asks nothing.
    smooth_s : float
        Time constant of the amplitude.
    usual_s, warm_s : float
        How much of the past is usual, and how much there must be before anything is said.
    """

    name: str
    label: str
    band_hz: tuple[float, float]
    over: float
    edge: float
    shortest_s: float
    longest_s: float
    share: float
    smooth_s: float
    usual_s: float = 60.0
    warm_s: float = 10.0


SPINDLES = Search("events/spindles", "spindle", (11.0, 16.0), 2.6, 0.6, 0.4, 3.0, 0.2, 0.08)
BURSTS = Search("events/bursts", "beta burst", (13.0, 30.0), 2.2, 0.6, 0.1, 5.0, 0.0, 0.03)


class LiveBursts(Blocks):
    """Events of one band, channel by channel.

    Parameters
    ----------
    stream : StreamInfo
    columns : list of int
        Channels that are looked at.
    search : Search
    """

    version = "1-causal"
    weights = ""
    kind = Kind.SPANS

    def __init__(self, stream: StreamInfo, columns: list[int], search: Search) -> None:
        _check(search)
        self.search = search
        self.name = search.name
        rate = stream.rate_hz
        n = len(columns)
        self._hop = max(1, round(HOP_S * rate))
        self._band = Band(rate, *search.band_hz)
        self._amplitude = Amplitude(rate, search.smooth_s)
        top = min(BROAD_HZ[1], 0.45 * rate)
        self._broad = Band(rate, BROAD_HZ[0], top) if search.share else None
        self._broad_amplitude = Amplitude(rate, search.smooth_s)
        per_s = rate / self._hop
        self._usual = Usual(
            n,
            longest=round(search.usual_s * per_s),
            least=round(search.warm_s * per_s),
            every=round(_EVERY_S * per_s),
        )
        self._lag = round((self._band.delay_s + search.smooth_s) * rate)
        self.columns = columns
        self.forget()
        super().__init__(stream, columns)

    @property
    def vocabulary(self) -> Vocabulary:
        """Its class, and nothing."""
        return classes(self.search.label)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those of the search."""
        told = {k: v for k, v in vars(self.search).items() if k not in ("name", "label")}
        return {**told, "band_hz": list(self.search.band_hz)}

    @property
    def latency_s(self) -> float:
        """Delay of the filters, and one block; the edge that is claimed is that much earlier."""
        return (self._lag + self._hop) / self.stream.rate_hz

    def edge(self, k: int) -> int:
        """Blocks of one length."""
        return k * self._hop

    def forget(self) -> None:
        """An event that had not ended is not claimed."""
        n = len(self.columns)
        for each in (self._band, self._amplitude, self._broad, self._broad_amplitude, self._usual):
            if each is not None:
                each.forget()
        self._inside = np.zeros(n, bool)
        self._since = np.zeros(n, np.int64)
        self._peak = np.zeros(n)
        self._share = np.zeros(n)
        self._spoilt = np.zeros(n, bool)

    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Events that ended within one more block."""
        x = block.astype(np.float64)
        amplitude = self._amplitude(self._band(x))
        broad = None if self._broad is None else self._broad_amplitude(self._broad(x))
        usual = self._usual.add(np.median(amplitude, axis=0))
        if usual is None:
            return []
        limit = np.maximum(self.search.over * usual, 1e-9)
        inside = _hysteresis(amplitude, limit, self.search.edge * limit, self._inside)
        claims = []
        active = np.flatnonzero(inside.any(axis=0) | self._inside)
        for c in active.tolist():
            share = None if broad is None else broad[:, c]
            claims += self._channel(c, inside[:, c], amplitude[:, c], share, missing[:, c], first)
        self._inside = inside[-1].copy()
        return sorted(claims, key=lambda claim: (claim.start, claim.channel))

    def _channel(
        self,
        c: int,
        inside: npt.NDArray[np.bool_],
        amplitude: npt.NDArray[np.float64],
        broad: npt.NDArray[np.float64] | None,
        missing: npt.NDArray[np.bool_],
        first: int,
    ) -> list[Claim]:
        steps = np.diff(np.concatenate([[self._inside[c]], inside]).astype(np.int8))
        edges = np.flatnonzero(steps)
        claims: list[Claim] = []
        a = 0
        for e in [*edges.tolist(), len(inside)]:
            running = bool(inside[a]) if e > a else False
            if running:
                self._seen(c, amplitude[a:e], None if broad is None else broad[a:e], missing[a:e])
            if e < len(inside):
                if steps[e] > 0:
                    self._since[c] = first + e
                    self._peak[c], self._spoilt[c] = 0.0, False
                else:
                    claims += self._ended(c, first + e, first + len(inside))
            a = e
        return claims

    def _seen(
        self,
        c: int,
        amplitude: npt.NDArray[np.float64],
        broad: npt.NDArray[np.float64] | None,
        missing: npt.NDArray[np.bool_],
    ) -> None:
        k = int(amplitude.argmax())
        self._spoilt[c] |= bool(missing.any())
        if amplitude[k] > self._peak[c]:
            self._peak[c] = amplitude[k]
            if broad is not None:
                self._share[c] = (amplitude[k] / max(broad[k], 1e-9)) ** 2

    def _ended(self, c: int, stop: int, known_at: int) -> list[Claim]:
        s = self.search
        length = (stop - self._since[c]) / self.stream.rate_hz
        poor = s.share > 0 and self._share[c] < s.share
        if self._spoilt[c] or poor or not s.shortest_s <= length <= s.longest_s:
            return []
        start = max(int(self._since[c]) - self._lag, self._start)
        return [Claim(start, stop - self._lag, s.label, known_at, self.columns[c])]


def _hysteresis(
    x: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    low: npt.NDArray[np.float64],
    before: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Whether each sample is inside: from `high` upwards until below `low`."""
    told = np.concatenate([np.ones((1, x.shape[1]), bool), (x >= high) | (x < low)])
    value = np.concatenate([before[None], x >= high])
    place = np.maximum.accumulate(np.where(told, np.arange(len(told))[:, None], 0), axis=0)
    return np.asarray(np.take_along_axis(value, place, axis=0)[1:])


def _check(search: Search) -> None:
    numbers = (search.over, search.edge, search.shortest_s, search.longest_s, search.smooth_s)
    fine = all(math.isfinite(value) and value > 0 for value in numbers)
    if not fine or search.edge > 1 or search.shortest_s > search.longest_s:
        raise BadArgumentError(
            "positive numbers, an edge of at most 1, and lengths in order",
            f"over {search.over}, edge {search.edge}, {search.shortest_s} to {search.longest_s} s",
            "Change the parameters: --set over=2.5",
        )


__all__ = ["BURSTS", "SPINDLES", "LiveBursts", "Search"]
