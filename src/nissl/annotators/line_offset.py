"""How far the lines scanned backwards lie beside those scanned forwards.

A resonant or galvanometric scanner that records in both directions shifts every other line
where its phase is not set right. Each odd line is compared with the mean of the even lines
above and below it, so that slanted edges cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_PX = 12


@dataclass(frozen=True)
class LineOffset:
    """Offset between odd and even lines.

    Parameters
    ----------
    px : float
        By how many pixels odd lines lie to the right of even ones.
    at_peak, at_zero : float
        Correlation of the lines with that offset and without one.
    """

    px: float
    at_peak: float
    at_zero: float


def line_offset(images: npt.NDArray[np.floating]) -> LineOffset:
    """Estimate the offset from images that are the means of a few frames.

    The correlation of neighbouring lines, differentiated along x and summed over lines and
    images, peaks at the offset; a parabola through the peak gives fractions of a pixel.

    Parameters
    ----------
    images : ndarray, shape (n, y, x)
        Finite; at least 3 lines.

    Returns
    -------
    LineOffset
        Zeros where the images are too small or hold nothing.
    """
    height, width = images.shape[1:]
    reach = min(MOST_PX, width // 4)
    if height < 3 or reach < 2:
        return LineOffset(0.0, 0.0, 0.0)
    edges = np.diff(images.astype(np.float64), axis=2)
    odd = edges[:, 1 : height - 1 : 2]
    even = (edges[:, 0 : height - 2 : 2] + edges[:, 2:height:2]) / 2
    inner = even[:, :, reach : width - 1 - reach]
    corr = np.zeros(2 * reach + 1)
    for k in range(corr.size):
        shifted = odd[:, :, k : k + inner.shape[2]]
        power = np.sqrt((shifted**2).sum() * (inner**2).sum())
        corr[k] = (shifted * inner).sum() / power if power > 0 else 0.0
    peak = int(np.argmax(corr))
    shift = 0.0
    if 0 < peak < corr.size - 1:
        left, top, right = corr[peak - 1 : peak + 2]
        bend = left - 2 * top + right
        shift = float(0.5 * (left - right) / bend) if bend < 0 else 0.0
    return LineOffset(peak - reach + shift, float(corr[peak]), float(corr[reach]))
