"""When several sources ran at once, through the maps between their clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats
from nissl.align.windows.overlap import at_once
from nissl.annotators.clock_checks import EPHYS_LIMIT_S
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.project.deriving import lineage
from nissl.project.source import Source
from nissl.project.syncing import synced
from nissl.store import Store
from nissl.sync import ClockMap


@dataclass(frozen=True, eq=False)
class Shared:
    """Time that all sources recorded.

    Parameters
    ----------
    intervals : tuple of ndarray, shape (n, 2)
        On each source's own clock, s.
    told : str
        How the clocks are related.
    """

    intervals: tuple[Floats, ...]
    told: str


def clock_between(store: Store, a: Source, b: Source) -> ClockMap | None:
    """Map from seconds of one source to those of another; None where they are the same clock.

    Raises
    ------
    BadArgumentError
        Two devices whose clocks nobody has mapped.
    """
    roots = [lineage(store, s) for s in (a, b)]
    known = {s.fingerprint for s in roots[1]}
    if any(s.fingerprint in known for s in roots[0]):
        return None
    for own in roots[1]:
        for other, bridge, _, _ in synced(store, own):
            if other.fingerprint in {s.fingerprint for s in roots[0]}:
                return bridge
    raise BadArgumentError(
        f"{a.name!r} and {b.name!r} on one clock",
        "two devices whose clocks are not mapped: they drift apart, so that when both ran is not "
        "known",
        f"Map them: nissl sync {store.path} {a.name} {b.name}; or, if both count the same seconds, "
        "say so: --same-clock",
    )


def shared_time(
    store: Store,
    sources: Sequence[Source],
    clocks: Sequence[Clock],
    *,
    same_clock: bool = False,
    bin_s: float = 0.05,
    marks: Sequence[Floats] | None = None,
) -> Shared:
    """When all sources ran at once.

    Parameters
    ----------
    store : Store
    sources : sequence of Source
    clocks : sequence of Clock
        Of the streams that are compared.
    same_clock : bool
        Take all to count the same seconds, where no map says otherwise.
    bin_s : float
        Drift of more than half of it over the recording is refused.
    marks : sequence of ndarray, optional
        Beginnings of the same trials on each clock; a claimed common clock is held against them.

    Raises
    ------
    BadArgumentError
        Clocks that are not mapped, or that drift though they are claimed to be one; no time in
        common.
    BadMetadataError
        A map whose residuals exceed half a bin.
    """
    recorded = [np.array([[s.t0_s, s.end_s] for s in c.segments], float) for c in clocks]
    bridges: list[ClockMap | None] = [None]
    told = []
    for k, source in enumerate(sources[1:], start=1):
        try:
            bridge = clock_between(store, source, sources[0])
        except BadArgumentError:
            if not same_clock:
                raise
            if marks is not None:
                _check_marks(marks[0], marks[k], sources[0].name, source.name, bin_s)
            bridge = None
            told.append("clocks said to be one")
        else:
            told.append("one device" if bridge is None else "mapped clocks")
        if bridge is not None:
            verdict = bridge.verdict(max(bin_s / 2, EPHYS_LIMIT_S))
            if verdict.outcome == "above":
                raise BadMetadataError(
                    f"clocks of {source.name!r} and {sources[0].name!r} mapped within "
                    f"{verdict.limit_s * 1e3:g} ms",
                    f"{verdict.value_s * 1e3:.3g} ms between pulses",
                    "Look for lost pulses, or ask for longer bins: --bin 0.5",
                )
        bridges.append(bridge)
    common = recorded[0]
    for own, bridge in zip(recorded[1:], bridges[1:], strict=True):
        common = at_once(common, _through(bridge, own))
    if not len(common):
        raise BadArgumentError(
            "a time at which all sources ran",
            "none: there is no overlap",
            "Are they of one session? If their clocks begin at 0 each: nissl sync maps them.",
        )
    intervals = [common]
    for bridge in bridges[1:]:
        intervals.append(_through(None if bridge is None else bridge.inverse(), common))
    return Shared(tuple(intervals), ", ".join(dict.fromkeys(told)))


def _through(bridge: ClockMap | None, intervals: Floats) -> Floats:
    if bridge is None:
        return intervals
    return np.stack([bridge(intervals[:, 0]), bridge(intervals[:, 1])], axis=1)


def _check_marks(a: Floats, b: Floats, first: str, second: str, bin_s: float) -> None:
    """Raise where the same trials drift apart on two clocks that are claimed to be one."""
    if len(a) != len(b) or len(a) < 3:
        return
    slope, offset = np.polyfit(a, b, 1)
    scatter = float(np.abs(b - (slope * a + offset)).max())
    apart = float(np.abs(b - a).max())
    if scatter < bin_s / 2 and apart > bin_s / 2 and abs(slope - 1) * 1e6 > 1:
        raise BadArgumentError(
            f"one clock of {first!r} and {second!r}",
            f"the same trials drift by {abs(slope - 1) * 1e6:.0f} ppm, up to {apart * 1e3:.0f} ms "
            "apart",
            "Map the clocks through pulses that both devices recorded: nissl sync",
        )


__all__ = ["Shared", "clock_between", "shared_time"]
