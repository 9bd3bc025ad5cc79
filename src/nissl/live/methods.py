"""The methods that run on a stream, by the names that they have offline.

`events/spindles`, `events/bursts` and `events/slow-waves` have causal forms of their own, which
know an event a fraction of a second after it ended; ``windowed=true`` takes the offline detector
over a moving window instead, as all other detectors are. `decoding/...` methods are taught on a
recording first: see `nissl.live.decoding`. `spikes/nissl` is taught its units on a recording of the
same probe: see `nissl.live.spikes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nissl.annotators.events.learner import EventLearner
from nissl.annotators.events.method import BRAIN, SpanMethod, chosen
from nissl.annotators.events.microstates import MICROSTATES
from nissl.annotators.events.slow_waves import SLOW_WAVES
from nissl.annotators.sleep.learner import SleepLearner
from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingDependencyError, MissingInputError
from nissl.live.contract import LiveMethod, StreamInfo
from nissl.live.oscillations import BURSTS, SPINDLES, LiveBursts, Search
from nissl.live.sleep import LiveSleep
from nissl.live.slow_waves import LiveSlowWaves
from nissl.live.windowed import WINDOW, LiveWindows
from nissl.tasks.registered import ANNOTATORS, EVENTS

Build = Callable[[StreamInfo, dict[str, Any], Any], LiveMethod]
_LONG: Mapping[str, Mapping[str, float]] = {
    "events/artifacts": {"window_s": 20.0, "every_s": 5.0, "margin_s": 2.0},
    "events/seizures": {"window_s": 180.0, "every_s": 5.0, "margin_s": 5.0},
    "events/suppression": {"window_s": 60.0, "every_s": 5.0, "margin_s": 2.0},
    "events/respiration": {"window_s": 180.0, "every_s": 5.0, "margin_s": 5.0},
    "events/arousals": {"window_s": 60.0, "every_s": 5.0, "margin_s": 2.0},
    "events/background": {"window_s": 120.0, "every_s": 5.0, "margin_s": 0.0},
    "events/microstates": {"window_s": 10.0, "every_s": 0.5, "margin_s": 0.5},
}
"""Windows of detectors of what lasts long, or needs a long baseline."""


def live_method(
    name: str,
    stream: StreamInfo,
    parameters: Mapping[str, Any] | None = None,
    *,
    learnt: Any = None,
) -> LiveMethod:
    """Set up a method for a stream.

    Parameters
    ----------
    name : str
        A key of `LIVE`; "sleep" and "spikes" stand for "sleep/nissl" and "spikes/nissl".
    stream : StreamInfo
    parameters : mapping, optional
        Those that differ from the defaults.
    learnt : Annotator or TaughtSorter, optional
        A method with a model of one's own in place of the registered one; of "spikes", what a
        recording taught.

    Raises
    ------
    BadArgumentError
        There is no such method for streams, or no such parameter.
    MissingDependencyError
        A package is missing.
    """
    whole = f"{name}/nissl" if name in ("sleep", "spikes") else name
    if whole not in LIVE:
        raise BadArgumentError(
            f"a method for streams among {sorted(LIVE)}, or decoding/... taught on a recording",
            repr(name),
            "Choose one of them, or record the stream and annotate the file.",
        )
    return LIVE[whole](stream, dict(parameters or {}), learnt)


def _complete(name: str, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise BadArgumentError(
            f"parameters of {name} on a stream among {sorted(defaults)}", f"{unknown}", "Mend them."
        )
    return {**defaults, **given}


def _sleep(stream: StreamInfo, given: dict[str, Any], learnt: Any) -> LiveMethod:
    p = _complete("sleep/nissl", {"epoch_s": 30.0, "channels": []}, given)
    model = learnt.model if isinstance(learnt, SleepLearner) and learnt.causal else None
    return LiveSleep(
        stream, epoch_s=float(p["epoch_s"]), channels=tuple(p["channels"]), model=model
    )


def _spikes(stream: StreamInfo, given: dict[str, Any], learnt: Any) -> LiveMethod:
    # only here: numba takes a second to load
    from nissl.live.spikes import DEFAULTS, built

    return built(stream, _complete("spikes/nissl", dict(DEFAULTS), given), learnt)


def _columns(stream: StreamInfo, names: Any, types: tuple[str, ...] = BRAIN) -> list[int]:
    empty = np.empty((0, stream.n_channels), np.float32)
    return chosen(Signal.from_array(empty, stream.rate_hz, channels=stream.channels), names, types)


def _oscillation(search: Search) -> Build:
    def build(stream: StreamInfo, given: dict[str, Any], learnt: Any) -> LiveMethod:
        if given.pop("windowed", False):
            return _windowed(search.name)(stream, given, learnt)
        own = {k: v for k, v in vars(search).items() if k not in ("name", "label")}
        p = _complete(search.name, {**own, "channels": None}, given)
        columns = _columns(stream, p.pop("channels"))
        low, high = p.pop("band_hz")
        changed = replace(search, band_hz=(float(low), float(high)), **p)
        return LiveBursts(stream, columns, changed)

    return build


def _slow_waves(stream: StreamInfo, given: dict[str, Any], learnt: Any) -> LiveMethod:
    if given.pop("windowed", False):
        return _windowed("events/slow-waves")(stream, given, learnt)
    p = _complete("events/slow-waves", SLOW_WAVES.defaults(), given)
    return LiveSlowWaves(stream, _columns(stream, p["channels"]), p)


def _windowed(name: str) -> Build:
    def build(stream: StreamInfo, given: dict[str, Any], learnt: Any) -> LiveMethod:
        method = ANNOTATORS.get(name) if learnt is None else learnt
        lacking = method.missing()
        if lacking:
            package, how = next(iter(lacking.items()))
            raise MissingDependencyError(package, "no such package", f"Install it: {how}")
        defaults = {**method.defaults(), **WINDOW, **_LONG.get(name, {})}
        p = _complete(name, defaults, given)
        weights = ""
        if isinstance(method, EventLearner):
            if method.model is None:
                raise MissingInputError(
                    "a detector that has been taught",
                    f"{name}, which knows no event yet",
                    "Teach it on a recording: nissl learn STUDY --task events/nissl",
                )
            weights = method.weights
            method = method.detector(float(p["threshold"]))
        if not isinstance(method, SpanMethod):
            raise BadArgumentError("a detector of spans", name, "Choose another method.")
        if name == MICROSTATES.name and p["maps"] is None:
            raise MissingInputError(
                "maps that were fitted to a recording with the channels of the stream",
                "none",
                "Name the recording: --teach SOURCE, or give them: --set maps=[[...], ...]",
            )
        columns = _columns(stream, p["channels"], method.types)
        return LiveWindows(stream, columns, method, p, weights=weights)

    return build


LIVE: Mapping[str, Build] = {
    **{f"events/{name}": _windowed(f"events/{name}") for name in EVENTS},
    "sleep/nissl": _sleep,
    "spikes/nissl": _spikes,
    "events/spindles": _oscillation(SPINDLES),
    "events/bursts": _oscillation(BURSTS),
    "events/slow-waves": _slow_waves,
}

__all__ = ["LIVE", "live_method"]
