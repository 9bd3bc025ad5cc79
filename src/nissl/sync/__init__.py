"""Relating the clocks of devices: pulses matched, maps drawn through them, doubt measured.

Conventions: all times are float64 seconds, each on the clock of one named device; "a" is the
device a map starts from and "b" the one it leads to. Nothing is ever guessed: trains that fit
each other in more than one way raise `nissl.errors.AmbiguousClockError`.
"""

from nissl.sync.barcodes import BarcodeFormat, Barcodes, decode_barcodes, match_barcodes
from nissl.sync.clockmap import ClockMap, Residuals, Spread, Verdict
from nissl.sync.frames import FrameTimes, frame_times
from nissl.sync.matching import match_pulses
from nissl.sync.pulses import PulseMatch

__all__ = [
    "BarcodeFormat",
    "Barcodes",
    "ClockMap",
    "FrameTimes",
    "PulseMatch",
    "Residuals",
    "Spread",
    "Verdict",
    "decode_barcodes",
    "frame_times",
    "match_barcodes",
    "match_pulses",
]
