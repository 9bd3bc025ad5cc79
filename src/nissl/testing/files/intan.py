"""Small valid Intan files: RHD2000, version 2, header and samples in one file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK = 128
GAIN_UV, ADC_GAIN_V, AUX_GAIN_V = 0.195, 312.5e-6, 37.4e-6
_AMPLIFIER, _AUX, _ADC, _DIGITAL = 0, 1, 3, 4


def write_intan_rhd(
    path: Path,
    samples: npt.NDArray[np.uint16],
    *,
    adc: npt.NDArray[np.uint16] | None = None,
    digital: npt.NDArray[np.uint16] | None = None,
    rate_hz: float = 20_000.0,
    notes: Sequence[str] = ("", "", ""),
    first: int = 0,
) -> Path:
    """Write an .rhd file and return its path.

    Parameters
    ----------
    path : Path
        Ending in ".rhd".
    samples : ndarray, shape (n_samples, n_channels), uint16
        Amplifier channels of port A; 32768 is 0 uV. The format holds whole blocks of 128.
    adc : ndarray, shape (n_samples, n_inputs), uint16, optional
        Analogue inputs; 32768 is 0 V.
    digital : ndarray, shape (n_samples,), uint16, optional
        Words of the digital inputs, of which the first two lines are switched on.
    rate_hz : float
    notes : sequence of str
        The three notes of the header.
    first : int
        Time stamp of the first sample.
    """
    inputs = np.zeros((len(samples), 0), np.uint16) if adc is None else adc
    channels = [(f"A-{i:03d}", i, _AMPLIFIER) for i in range(samples.shape[1])]
    channels += [(f"ANALOG-IN-{i + 1}", i, _ADC) for i in range(inputs.shape[1])]
    if digital is not None:
        channels += [(f"DIGITAL-IN-{i + 1}", i, _DIGITAL) for i in range(2)]
    out = [struct.pack("<Ihhf", 0xC6912702, 2, 0, rate_hz)]
    out.append(struct.pack("<hffffffhff", 0, 1, 0.1, 7500, 1, 0.1, 7500, 0, 1000, 1000))
    out += [_text(note) for note in (*notes, "", "", "")[:3]]
    out.append(struct.pack("<hh", 0, 13))  # no temperature sensors; recording controller
    out += [_text("n/a"), struct.pack("<h", 1), _text("Port A"), _text("A")]
    out.append(struct.pack("<hhh", 1, len(channels), samples.shape[1]))
    out += [_channel(name, order, kind) for name, order, kind in channels]
    with path.open("wb") as file:
        file.write(b"".join(out))
        for start in range(0, len(samples), BLOCK):
            stop = start + BLOCK
            file.write(np.arange(first + start, first + stop, dtype="<i4").tobytes())
            file.write(np.ascontiguousarray(samples[start:stop].T, dtype="<u2").tobytes())
            file.write(np.ascontiguousarray(inputs[start:stop].T, dtype="<u2").tobytes())
            if digital is not None:
                file.write(digital[start:stop].astype("<u2").tobytes())
    return path


def _text(text: str) -> bytes:
    """A QString: bytes, then UTF-16."""
    raw = text.encode("utf-16-le")
    return struct.pack("<I", len(raw)) + raw


def _channel(name: str, order: int, kind: int) -> bytes:
    numbers = (order, order, kind, 1, order, 0, 0, 0, 0, 0)
    return _text(name) * 2 + struct.pack("<10hff", *numbers, 1e5, 0.0)
