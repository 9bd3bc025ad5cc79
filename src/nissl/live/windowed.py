"""Any detector of the task "events" on a stream: over a window that moves along.

Detectors of `nissl.annotators.events` look at a whole stretch with filters that run both ways.
Here they look at the last `window_s` seconds, every `every_s` seconds, and what they find is
claimed once, when it has ended `margin_s` before the end of the window, where what is still to
come can change it little (or up to twice that, where an earlier window saw it end later). Channels
take turns within `every_s`; by default one channel is searched every 0.1 s, and no channel more
often than once a second.

A search runs beside the stream, in a thread of its own, and what it finds is claimed `lag_s` after
the window ended: always then, so that claims do not depend on how fast the machine is. A chunk
waits for a search only where the machine needs longer than `lag_s` for it.

What differs from offline: levels and baselines are those of the window, not of the record; an
event longer than the window less twice the margin is cut or missed; nothing is said of the first
`window_s` seconds before they are over, nor of the last `margin_s` and `lag_s` of a segment.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.method import ALL_CHANNELS, Found, SpanMethod
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.labels import Kind, Vocabulary
from nissl.live.blocks import Blocks, Mask
from nissl.live.contract import Claim, Samples, StreamInfo

HOP_S = 0.1
WINDOW: Mapping[str, Any] = {"window_s": 30.0, "every_s": None, "margin_s": 1.0, "lag_s": 0.5}


_BESIDE = ThreadPoolExecutor(1, "nissl-live-search")
"""One thread for all searches, in their order: another would only fight for the same cores."""


class _Last:
    """The last rows that were added; moved only when its room of twice as many is used up."""

    def __init__(self, n_rows: int, n_columns: int, dtype: Any) -> None:
        self._n, self._stop = n_rows, n_rows
        self._rows = np.zeros((2 * n_rows, n_columns), dtype)

    def add(self, rows: npt.NDArray[Any]) -> None:
        if self._stop + len(rows) > len(self._rows):
            self._rows[: self._n] = self._rows[self._stop - self._n : self._stop]
            self._stop = self._n
        self._rows[self._stop : self._stop + len(rows)] = rows
        self._stop += len(rows)

    def last(self) -> npt.NDArray[Any]:
        return self._rows[self._stop - self._n : self._stop]


@dataclass(frozen=True)
class _Search:
    """A search that was begun: of which channels, at which block and sample, over what."""

    group: int
    block: int
    stop: int
    seen: list[int]
    spoilt: Mask
    found: Future[Found]


class LiveWindows(Blocks):
    """A detector over moving windows.

    Parameters
    ----------
    stream : StreamInfo
    columns : list of int
        Channels that are looked at.
    method : SpanMethod
    parameters : mapping
        Those of the method, complete, with `window_s`, `every_s`, `margin_s` and `lag_s`.
    weights : str
        Digest of the detector's model.
    """

    kind = Kind.SPANS

    def __init__(
        self,
        stream: StreamInfo,
        columns: list[int],
        method: SpanMethod,
        parameters: Mapping[str, Any],
        *,
        weights: str = "",
    ) -> None:
        self.parameters = dict(parameters)
        self.weights = weights
        window, margin = float(parameters["window_s"]), float(parameters["margin_s"])
        every, lag = parameters["every_s"], float(parameters["lag_s"])
        if every is None:
            every = max(1.0, HOP_S * (len(columns) if method.by_channel else 1))
        self.parameters["every_s"] = every = float(every)
        finite = math.isfinite(window) and math.isfinite(lag)
        if not (margin >= 0 and lag >= 0 and every >= HOP_S and finite) or (
            window < every + 2 * margin
        ):
            raise BadArgumentError(
                f"a window longer than every_s and twice the margin, every_s at least {HOP_S} s",
                f"window_s {window}, every_s {every}, margin_s {margin}, lag_s {lag}",
                "Change them: --set window_s=30 --set every_s=1 --set margin_s=1 --set lag_s=0.5",
            )
        self.name = method.name
        self.version = f"{method.version}-windowed-3"
        self._method = method
        self._own = {k: v for k, v in parameters.items() if k not in WINDOW}
        rate = stream.rate_hz
        self._hop = max(1, round(HOP_S * rate))
        self._turns = max(1, round(every / HOP_S))
        self._margin, self._lag = round(margin * rate), round(lag / HOP_S)
        self._length = round(window / HOP_S) * self._hop
        self._groups = [[c] for c in columns] if method.by_channel else [list(columns)]
        self.columns = columns if method.by_channel else list(range(stream.n_channels))
        self.forget()
        super().__init__(stream, self.columns)

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the detector."""
        return self._method.vocabulary

    @property
    def latency_s(self) -> float:
        """Twice the margin, the turn of the channel, and the time that is left for a search."""
        return (2 * self._margin + (self._turns + self._lag) * self._hop) / self.stream.rate_hz

    def edge(self, k: int) -> int:
        """Blocks of one length."""
        return k * self._hop

    def forget(self) -> None:
        """Windows lie within one segment."""
        self._recent = _Last(self._length, len(self.columns), np.float32)
        self._spoilt = _Last(self._length, len(self.columns), np.bool_)
        self._blocks = 0
        self._searches: deque[_Search] = deque()
        self._judged: dict[int, int] = {}
        self._claimed: dict[tuple[int, int | None, str], int] = {}

    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Begin the searches whose turn it is, and claim what those of `lag_s` ago found."""
        self._recent.add(block)
        self._spoilt.add(missing)
        self._blocks += 1
        stop = first + len(block)
        if self._blocks * self._hop >= self._length:
            for g in range(self._blocks % self._turns, len(self._groups), self._turns):
                self._searches.append(self._begun(g, stop))
        claims: list[Claim] = []
        while self._searches and self._searches[0].block + self._lag <= self._blocks:
            claims += self._ended(self._searches.popleft(), stop)
        return sorted(claims, key=lambda c: (c.start, c.stop, c.channel or 0, c.label))

    def _begun(self, g: int, stop: int) -> _Search:
        own = self._groups[g]
        seen = own if self._method.by_channel else self.columns  # the others may explain an event
        places = [self.columns.index(c) for c in seen]
        which = [seen.index(c) for c in own]
        window = self._recent.last()[:, places]
        spoilt = self._spoilt.last()[:, [places[k] for k in which]]
        found = _BESIDE.submit(self._found, window, seen, which)
        return _Search(g, self._blocks, stop, seen, spoilt, found)

    def _found(self, window: Samples, seen: list[int], which: list[int]) -> Found:
        table = _uncalibrated(self.stream.channels.take(seen))
        plain = Signal.from_array(window, self.stream.rate_hz, channels=table)
        return self._method.detect(plain, 0, self._length, which, self._own)

    def _ended(self, search: _Search, known_at: int) -> list[Claim]:
        g, begin = search.group, search.stop - self._length
        since, until = self._judged.get(g, begin), search.stop - self._margin
        self._judged[g] = until - self._margin  # edges move a little from window to window
        claims = []
        for claim in self._claims(search.found.result(), search.seen, begin, known_at):
            which = (g, claim.channel, claim.label)
            new = claim.start >= self._claimed.get(which, begin) and since < claim.stop <= until
            if new and not search.spoilt[claim.start - begin : claim.stop - begin].any():
                self._claimed[which] = claim.stop
                claims.append(claim)
        return claims

    def _claims(self, found: Found, group: list[int], begin: int, known_at: int) -> list[Claim]:
        names = self.vocabulary.names
        claims = []
        for k in range(found.start.size):
            code, channel = int(found.label[k]), int(found.channel[k])
            chances = () if found.probabilities is None else found.probabilities[k]
            p = tuple(float(value) for value in chances)
            a = min(max(int(found.start[k]), 0), self._length - 1)
            b = min(max(int(found.stop[k]), a + 1), self._length)
            claims.append(
                Claim(
                    begin + a,
                    begin + b,
                    names[code],
                    known_at,
                    None if channel == ALL_CHANNELS else group[channel],
                    p[code] if p else math.nan,
                    p,
                )
            )
        return claims


def _uncalibrated(table: Any) -> Any:
    """The channels of samples that are microvolts already."""
    from dataclasses import replace

    n = len(table)
    return replace(table, gain_uv=np.ones(n), offset_uv=np.zeros(n))


__all__ = ["WINDOW", "LiveWindows"]
