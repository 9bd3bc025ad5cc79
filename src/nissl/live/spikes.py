"""`spikes/nissl` on a stream: spikes of units that a recording taught.

The sorter is taught on a recording of the same probe
(`nissl.annotators.spikes.own.live.teaching`), and its units keep their numbers. The same filter,
whitening, templates and pursuit work on the stream; what differs from offline is told in
`nissl.annotators.spikes.own.live.stream`: overlaps are resolved with what is known `wait_ms` after
a spike's window, templates follow the tissue instead of samples being taken to rest, and the last
milliseconds of a segment are not told.

A claim's amplitude is the unit's, times the size of this spike's template. Its confidence is that
of the same model as offline (`own.confidence`): what is of the unit comes from the recording that
taught, what is of the spike is known with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nissl.annotators.spikes.own.confidence.model import LEAST_CONFIDENCE
from nissl.annotators.spikes.own.live.displacing import displaced
from nissl.annotators.spikes.own.live.drifting import Drift, can_drift
from nissl.annotators.spikes.own.live.following import Following
from nissl.annotators.spikes.own.live.stream import WAIT_MS, SpikeStream, Told
from nissl.annotators.spikes.own.live.taught import TaughtShank, TaughtSorter, load_taught
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.proposal import VOCABULARY
from nissl.errors import BadArgumentError, BadMetadataError, MissingInputError
from nissl.labels import Kind, Vocabulary
from nissl.live.blocks import Blocks, Mask
from nissl.live.contract import Claim, Samples, StreamInfo

BLOCK_S = 0.0025
"""Samples are worked on so many at a time: half of the usual chunk, so that no chunk waits."""
LONGEST_WAIT_MS = 100.0
DEFAULTS: Mapping[str, Any] = {
    "state": None,
    "wait_ms": WAIT_MS,
    "least_confidence": LEAST_CONFIDENCE,
    "follow": True,
    "follow_s": 60.0,
    "follow_bound": 0.5,
    "drift": True,
}


class LiveSpikes(Blocks):
    """Spikes of known units on a stream.

    Parameters
    ----------
    stream : StreamInfo
    taught : TaughtSorter
    parameters : mapping, optional
        `wait_ms`: how long after the window of a spike others may still claim its samples;
        `least_confidence`: spikes that are less likely to be real are not told;
        `follow`: whether templates follow slow changes, with the time constant `follow_s`, no
        farther than `follow_bound` of their norms; `drift`: whether those that follow go along the
        probe with the tissue.

    Raises
    ------
    BadMetadataError
        The stream has another rate than the recording that taught, or lacks its channels.
    BadArgumentError
        A parameter outside its values.
    """

    name = "spikes/nissl"
    version = "2-live"
    kind = Kind.EVENTS

    def __init__(
        self,
        stream: StreamInfo,
        taught: TaughtSorter,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        p = {**DEFAULTS, **(parameters or {})}
        if not 0 < float(p["wait_ms"]) <= LONGEST_WAIT_MS:
            raise BadArgumentError(
                f"a wait above 0 and up to {LONGEST_WAIT_MS:g} ms",
                f"{p['wait_ms']} ms",
                "--set wait_ms=1",
            )
        if not 0 <= float(p["least_confidence"]) < 1:
            raise BadArgumentError(
                "a least confidence from 0 (all spikes are told) to below 1",
                f"{p['least_confidence']}",
                f"--set least_confidence={LEAST_CONFIDENCE}",
            )
        columns = _columns(stream, taught)
        self.taught = taught
        self.weights = taught.digest
        self.parameters: Mapping[str, Any] = {
            **{k: v for k, v in p.items() if k != "state"},
            "taught": dict(taught.origin),
        }
        self._p = p
        used = sorted({int(columns[c]) for shank in taught.shanks for c in shank.front.columns})
        self._shanks = [_Shank(shank, columns, used, p) for shank in taught.shanks]
        self._hop = max(1, round(BLOCK_S * stream.rate_hz))
        super().__init__(stream, used)
        self._warm()

    @property
    def vocabulary(self) -> Vocabulary:
        """Unit."""
        return Vocabulary(VOCABULARY)

    @property
    def latency_s(self) -> float:
        """The rest of a spike's window, the wait, the filter's delay, and one block."""
        most = max((shank.delay for shank in self._shanks), default=0)
        return (most + self._hop) / self.stream.rate_hz

    @property
    def distances(self) -> Mapping[int, float]:
        """How far a unit's templates have gone, of their norms; empty without `follow`."""
        return {k: v for shank in self._shanks for k, v in shank.distances.items()}

    @property
    def moved_um(self) -> tuple[float, ...]:
        """How far the tissue of each shank is held to have moved since the stream began."""
        return tuple(0.0 if s.drift is None else s.drift.moved_um for s in self._shanks)

    def edge(self, k: int) -> int:
        """Blocks of one length."""
        return k * self._hop

    def forget(self) -> None:
        """Spikes whose window was not over are not claimed; what templates learnt stays."""
        for shank in self._shanks:
            shank.stream.reset()

    def step(self, block: Samples, missing: Mask, first: int) -> list[Claim]:
        """Spikes that are known after one more block."""
        lost = missing if missing.any() else None
        stop = first + len(block)
        claims = []
        for shank in self._shanks:
            claims += shank.claims(block, lost, self._start, stop)
        return sorted(claims, key=lambda claim: (claim.start, claim.unit))

    def _warm(self) -> None:
        """Compile now, not with the first samples; the streams are made anew after it."""
        quiet = np.zeros((self._hop, len(self.columns)), np.float32)
        for shank in self._shanks:
            shank.warm(quiet)


class _Shank:
    """Channels that are sorted together, on a stream."""

    def __init__(
        self, taught: TaughtShank, columns: list[int], used: list[int], p: Mapping[str, Any]
    ) -> None:
        self._taught, self._columns, self._p = taught, columns, p
        self._take = np.searchsorted(used, [columns[c] for c in taught.front.columns])
        self._all = bool(np.array_equal(self._take, np.arange(len(used))))
        self.stream = self._fresh()

    @property
    def delay(self) -> int:
        shift = self._taught.shift[self._taught.number >= 0]
        return self.stream.delay - int(min(shift.min(initial=0), 0))

    @property
    def distances(self) -> dict[int, float]:
        if self._following is None:
            return {}
        number, apart = self._taught.number, self._following.distance
        units = np.unique(number[number >= 0]).tolist()
        return {u: float(apart[number == u].max()) for u in units}

    def claims(self, block: Samples, lost: Mask | None, start: int, stop: int) -> list[Claim]:
        own = block if self._all else block[:, self._take]
        gone = lost if lost is None or self._all else lost[:, self._take]
        told = self.stream.push(own, gone)
        if not told.unit.size:
            return []
        doubted = told.confidence < float(self._p["least_confidence"])  # none where there is none
        given = np.flatnonzero((self._taught.number[told.unit] >= 0) & ~doubted)
        return [self._claim(told, i, start, stop) for i in given.tolist()]

    def _claim(self, told: Told, i: int, start: int, stop: int) -> Claim:
        t = self._taught
        template = int(told.unit[i])
        at = min(max(start + int(told.sample[i]) + int(t.shift[template]), start), stop - 1)
        x, y = t.position_um[template].tolist()
        return Claim(
            at,
            at + 1,
            VOCABULARY[0],
            stop,
            self._columns[int(t.channel[template])],
            float(told.confidence[i]),
            (),
            int(t.number[template]),
            float(t.amplitude_uv[template]) * float(told.amplitude[i]),
            (x, y) if math.isfinite(x) and math.isfinite(y) else (),
        )

    def warm(self, quiet: Samples) -> None:
        """Go through everything once with spikes of every unit."""
        self.stream.warm(quiet[:, self._take])
        self.stream = self._fresh()

    def _fresh(self) -> SpikeStream:
        t, p = self._taught, self._p
        rate = t.front.rate_hz
        templates, self.drift = self._begun()
        self._following = None
        if p["follow"]:
            time_s, bound = float(p["follow_s"]), float(p["follow_bound"])
            self._following = Following(
                templates, rate, time_s=time_s, bound=bound, drift=self.drift
            )
        wait = max(1, round(float(p["wait_ms"]) * rate / 1000))
        return SpikeStream(t.front, templates, wait=wait, following=self._following, usual=t.usual)

    def _begun(self) -> tuple[Templates, Drift | None]:
        """Templates where the tissue stood at last, and what may move them on."""
        t = self._taught
        if t.place_um is None or t.moved_um is None:
            return t.templates, None
        whitening = t.front.whitening.matrix
        if self._p["follow"] and self._p["drift"] and can_drift(t.place_um):
            drift = Drift(t.templates, whitening, t.place_um, t.moved_um, t.front.rate_hz)
            return drift.templates, drift
        return displaced(t.templates, whitening, t.place_um, t.moved_um), None


def built(stream: StreamInfo, parameters: Mapping[str, Any], taught: Any) -> LiveSpikes:
    """The method, of a sorter that is given or of the file that `state` names.

    Raises
    ------
    MissingInputError
        There is neither.
    """
    if not isinstance(taught, TaughtSorter):
        if parameters.get("state") is None:
            raise MissingInputError(
                "a recording of the same probe that teaches the units",
                "none",
                "Name it: --teach SOURCE, or a sorter that was kept: --set state='\"FILE\"'",
            )
        taught = load_taught(Path(str(parameters["state"])))
    return LiveSpikes(stream, taught, parameters)


def _columns(stream: StreamInfo, taught: TaughtSorter) -> list[int]:
    """Column of the stream of each channel that taught; -1 of those that nothing needs."""
    ids = {name: k for k, name in enumerate(stream.channels.ids)}
    needed = {taught.channels[c] for shank in taught.shanks for c in shank.front.columns}
    lacking = sorted(needed - set(ids))
    if lacking or abs(stream.rate_hz / taught.rate_hz - 1) > 1e-4:
        raise BadMetadataError(
            f"a stream at {taught.rate_hz:g} Hz with the {len(needed)} channels "
            f"{sorted(needed)[:6]} on which the sorter was taught",
            f"{stream.rate_hz:g} Hz, without {lacking[:6]}",
            "Teach it on a recording of this stream: --teach SOURCE",
        )
    return [ids.get(name, -1) for name in taught.channels]


__all__ = ["DEFAULTS", "LiveSpikes", "built"]
