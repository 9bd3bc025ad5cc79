"""YASA's detectors as methods (Vallat and Walker 2021, eLife 10:e70092); thresholds are its own.

Signals are handed over at 100 Hz. YASA gives no probabilities, so there is no confidence.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nissl.annotators.events.method import ALL_CHANNELS, Found, SpanMethod, samples, together
from nissl.annotators.events.vocabulary import classes
from nissl.annotators.events.waves import WORK_HZ, Values, at_rate, require_rate
from nissl.data import Signal
from nissl.data.electrodes import electrodes
from nissl.errors import BadArgumentError, MissingInputError

REQUIRES = {"yasa": "pip install 'nissl[eeg]'"}
_KEYS = {
    "spindles_detect": {"freq_sp": [12, 15], "freq_broad": [1, 30], "duration": [0.5, 2.0],
                        "min_distance": 500, "thresh": {"corr": 0.65, "rel_pow": 0.2, "rms": 1.5}},
    "sw_detect": {"freq_sw": [0.3, 1.5], "dur_neg": [0.3, 1.5], "dur_pos": [0.1, 1.0],
                  "amp_neg": [40, 200], "amp_pos": [10, 150], "amp_ptp": [75, 350]},
    "rem_detect": {"amplitude": [50, 325], "duration": [0.3, 1.2], "freq_rem": [0.5, 5.0],
                   "relative_prominence": 0.8},
}  # fmt: skip
"""YASA's defaults, written out so that they stand in the labels' provenance."""


def spindles(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """`yasa.spindles_detect` on each channel."""
    return _each(signal, start, stop, channels, "spindles_detect", parameters)


def slow_waves(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """`yasa.sw_detect` on each channel."""
    return _each(signal, start, stop, channels, "sw_detect", parameters)


def rems(
    signal: Signal, start: int, stop: int, channels: Sequence[int], parameters: Mapping[str, Any]
) -> Found:
    """`yasa.rem_detect` on the two channels of the eyes."""
    require_rate(signal.rate_hz, 30.0, "eye movements")
    names = [e.name for e in electrodes([signal.channels.ids[c] for c in channels])]
    pair = [channels[names.index(eye)] for eye in ("E1", "E2") if eye in names]
    pair = pair if len(pair) == 2 else list(channels)
    if len(pair) != 2:
        raise MissingInputError(
            "two channels of the eyes (E1 and E2, or LOC and ROC)",
            f"{[signal.channels.ids[c] for c in channels]}",
            'Name them: --set channels=\'["LOC", "ROC"]\'',
        )
    left, right = (at_rate(samples(signal, start, stop, c), signal.rate_hz) for c in pair)
    return _spans(_called("rem_detect", parameters, left, right, sf=WORK_HZ), signal, ALL_CHANNELS)


def _each(
    signal: Signal,
    start: int,
    stop: int,
    channels: Sequence[int],
    function: str,
    parameters: Mapping[str, Any],
) -> Found:
    require_rate(signal.rate_hz, 50.0, "YASA's detectors")
    parts = []
    for c in channels:
        x = at_rate(samples(signal, start, stop, c), signal.rate_hz)
        if len(x) > 2 * WORK_HZ and np.ptp(x) > 0:
            parts.append(_spans(_called(function, parameters, x, sf=WORK_HZ), signal, c))
    return together(parts)


def _called(function: str, parameters: Mapping[str, Any], *x: Values, **options: Any) -> Any:
    import yasa

    given = {name: parameters[name] for name in _KEYS[function]}
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    logger = logging.getLogger("yasa")
    before = logger.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(yasa, function)(*x, **given, **options, verbose="CRITICAL")
    except (ValueError, AssertionError, TypeError) as error:
        raise BadArgumentError(
            f"samples and options that yasa.{function} takes", str(error), "See YASA's manual."
        ) from None
    finally:
        logger.setLevel(before)


def _spans(result: Any, signal: Signal, channel: int) -> Found:
    if result is None:
        return together([])
    table = result.summary()
    edges = (np.rint(table[n].to_numpy() * signal.rate_hz).astype(int) for n in ("Start", "End"))
    return Found.of(*edges, channel=channel)


YASA_SPINDLES = SpanMethod(
    "events/yasa-spindles", spindles, classes("spindle"), _KEYS["spindles_detect"],
    requires=REQUIRES,
)  # fmt: skip
YASA_SLOW_WAVES = SpanMethod(
    "events/yasa-slow-waves", slow_waves, classes("slow wave"), _KEYS["sw_detect"],
    requires=REQUIRES,
)  # fmt: skip
YASA_REMS = SpanMethod(
    "events/yasa-rems", rems, classes("rapid eye movement"), _KEYS["rem_detect"],
    types=("eog",), requires=REQUIRES, by_channel=False,
)  # fmt: skip
