"""White samples of a stream, block by block: filter state, whitening history, blanks.

The same samples as `front.white` gives, but for two things: the filter runs on where a file is
read in pieces whose filters begin anew (they agree to a thousandth), and nothing is blanked
before an artifact, for what came before it has been used already.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.preprocessing.filtering import fresh_state, run_filter
from nissl.annotators.spikes.own.preprocessing.front import ARTIFACT_S, ARTIFACT_SD, Front
from nissl.annotators.spikes.own.preprocessing.whitening import apply_whitening

Samples = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class WhiteStream:
    """Makes samples white as they come.

    Parameters
    ----------
    front : Front

    Attributes
    ----------
    n : int
        White samples given since the segment began.
    artifact : int
        The last of them that no neuron can be; -1 where there was none.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._reach = round(ARTIFACT_S * front.rate_hz)
        self.reset()

    def reset(self) -> None:
        """Begin a new segment."""
        front = self._front
        n_channels = len(front.columns)
        self._state = fresh_state(front.band, n_channels)
        self._phase = 0
        self._offset: Samples | None = None
        self._history = np.zeros((front.whitening.order, n_channels), np.float32)
        self._until = np.zeros(n_channels, np.int64)
        self._silent_to = 0
        self.n, self.artifact = 0, -1

    def push(self, raw: Samples, missing: Mask | None = None) -> Samples:
        """White samples of one more block.

        Parameters
        ----------
        raw : ndarray, shape (n, n_channels), float32, uV
            All finite.
        missing : ndarray, shape of `raw`, bool, optional
            Values that were made up; their channels are silent until the filter has forgotten
            them.

        Returns
        -------
        ndarray, shape (about n / step, n_channels), float32
        """
        front = self._front
        if not len(raw):
            return np.empty((0, raw.shape[1]), np.float32)
        if self._offset is None:
            self._offset = raw[0].copy()
        y, self._phase = run_filter(raw - self._offset, front.band, self._state, self._phase)
        x = np.concatenate([self._history, y])
        self._history = x[len(x) - front.whitening.order :]
        z = apply_whitening(x, front.whitening)
        if missing is not None and missing.any():
            lost = missing.any(axis=0)
            self._until[lost] = self._silent_to = self.n + len(z) + self._reach
        self._blank(z)
        self.n += len(z)
        return z

    def _blank(self, z: Samples) -> None:
        far = np.flatnonzero(np.abs(z).max(axis=1, initial=0) > ARTIFACT_SD)
        if not far.size and self._silent_to <= self.n:
            return
        rows = np.arange(self.n, self.n + len(z))
        silent = rows[:, None] < self._until
        for row in far.tolist():
            silent[row : row + self._reach + 1] = True
        if far.size:
            self.artifact = self.n + int(far[-1])
            self._until = np.maximum(self._until, self.artifact + self._reach + 1)
        self._silent_to = int(self._until.max())
        z[silent] = 0
