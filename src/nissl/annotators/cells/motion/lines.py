"""Offset between the lines of a scanner that writes in both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MOST_PX = 8.0
_FINER = 16


def line_offset(frames: npt.NDArray[Any]) -> float:
    """By how many pixels odd lines lie to the right of even ones.

    Each odd line is compared with the mean of its neighbours by phase correlation, summed over
    lines and frames, to a small part of a pixel.

    Parameters
    ----------
    frames : ndarray, shape (n, y, x)
        Some dozens of frames, uncorrected: motion within a frame moves neighbours alike.
    """
    _, height, width = frames.shape
    if height < 8 or width < 32:
        return 0.0
    taper = np.hanning(width)
    n_odd = (height - 1) // 2
    total = np.zeros(width // 2 + 1, np.complex128)
    for frame in frames:
        lines = np.nan_to_num(frame.astype(np.float64))
        lines = (lines - lines.mean(axis=1, keepdims=True)) * taper
        spectra = np.fft.rfft(lines, axis=1)
        around = (spectra[0::2][:n_odd] + spectra[2::2][:n_odd]) / 2
        total += (spectra[1::2][:n_odd] * around.conj()).sum(axis=0)
    size = np.abs(total)
    if not size.max() > 0:
        return 0.0
    wave = np.fft.rfftfreq(width)
    weight = np.exp(-0.5 * (wave / 0.12) ** 2) * (1 - np.exp(-0.5 * (wave * 40) ** 2))
    finer = np.fft.irfft(total / np.where(size > 0, size, 1) * weight, width * _FINER)
    reach = int(MOST_PX * _FINER)
    near = np.concatenate([finer[-reach:], finer[: reach + 1]])
    best = int(np.argmax(near))
    if 0 < best < near.size - 1:
        left, middle, right = near[best - 1 : best + 2]
        bend = left - 2 * middle + right
        return float((best + (0.5 * (left - right) / bend if bend < 0 else 0.0) - reach) / _FINER)
    return float((best - reach) / _FINER)


__all__ = ["line_offset"]
