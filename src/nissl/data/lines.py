"""Line: the edges of a digital line, as a device recorded them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock


@dataclass(frozen=True, eq=False)
class Line:
    """Edges of one digital input (TTL, sync square wave, camera frame clock, barcode).

    Parameters
    ----------
    name : str
        Name of the line within its recording.
    rising, falling : ndarray, shape (n,), int64
        Samples of the edges, increasing, on `clock`.
    clock : Clock
        Clock of the device that sampled the line.
    """

    name: str
    rising: npt.NDArray[np.int64]
    falling: npt.NDArray[np.int64]
    clock: Clock

    def __post_init__(self) -> None:
        for name in ("rising", "falling"):
            edges = np.array(getattr(self, name), dtype=np.int64)
            edges.setflags(write=False)
            object.__setattr__(self, name, edges)

    @property
    def rising_s(self) -> npt.NDArray[np.float64]:
        """Times of the rising edges, seconds of the device's clock."""
        return self.clock.to_seconds(self.rising)
