"""Samples at rest: which matrix takes them back, block by block of the recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.motion.estimate import BIN_S, Motion
from nissl.annotators.spikes.own.motion.shifting import shift_matrix, shift_to_rest

BLOCK_S = BIN_S[0]
"""No stretch of time of a motion is shorter, all are multiples: jumps lie between blocks."""
STEP_UM = 0.5
"""Displacements are rounded to this, so that blocks that hardly differ share a matrix."""
JUMP_UM = 6.0
"""The tissue is held to jump, not to glide, where it moves by more from one time to the next."""

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rest:
    """How samples of a displaced probe go back to rest.

    Parameters
    ----------
    motion : Motion
        Its times count the samples of the recording.
    position_um : ndarray, shape (n_channels, 2), um
    rate_hz : float
        Of the recording.
    """

    motion: Motion
    position_um: Values
    rate_hz: float

    def runs(self, start: int, n: int, step: int) -> list[tuple[int, int, Values]]:
        """Parts of a stretch that are equally displaced.

        Parameters
        ----------
        start : int
            Sample of the recording that comes first.
        n, step : int
            How many samples come, and how far apart.

        Returns
        -------
        list of (first, stop, displacement)
            Of the samples that come; um at each channel.
        """
        names, first = np.unique(self.block(start, n, step), return_index=True)
        moved = self.displacement(names)
        new = np.ones(names.size, bool)
        new[1:] = np.any(moved[1:] != moved[:-1], axis=1)
        edges = [*first[new].tolist(), n]
        return list(zip(edges[:-1], edges[1:], moved[new], strict=True))

    def block(self, start: int, n: int, step: int) -> Ints:
        """Block of the recording in which each of `n` samples lies, arguments as for `runs`."""
        return (start + np.arange(n, dtype=np.int64) * step) // round(BLOCK_S * self.rate_hz)

    def displacement(self, block: Ints) -> Values:
        """Displacement at each channel, um, shape (n_blocks, n_channels)."""
        time = ((block + 0.5) * round(BLOCK_S * self.rate_hz) / self.rate_hz)[:, None]
        depth = self.position_um[None, :, 1]
        known = self.motion.time_s
        next_one = np.clip(np.searchsorted(known, time), 1, max(known.size - 1, 1))
        before, after = known[next_one - 1], known[np.minimum(next_one, known.size - 1)]
        low, high = self.motion.at(before, depth), self.motion.at(after, depth)
        held = np.where(time - before < after - time, low, high)
        moved = np.where(np.abs(high - low) > JUMP_UM, held, self.motion.at(time, depth))
        return np.asarray(np.round(moved / STEP_UM) * STEP_UM)

    def matrix(self, displacement_um: Values) -> Samples:
        """Samples at rest are ``samples @ matrix.T``."""
        return shift_matrix(self.position_um, displacement_um)

    def seen(self, displacement_um: Values) -> npt.NDArray[np.bool_]:
        """Channels whose place at rest lies within view, shape (n_blocks, n_channels)."""
        rows, block = np.unique(displacement_um, axis=0, return_inverse=True)
        held = [~shift_to_rest(self.position_um, row).unreliable for row in rows]
        return np.asarray(held)[block.ravel()]
