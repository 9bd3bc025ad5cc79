"""The slow course of a neuron's light, which is divided out, and what that makes unsure.

Bleaching, and whatever else is slower than about a minute, is followed by medians of blocks of a
quarter of that, smoothed over one and a half blocks. The course follows a part of the activity and
of the noise too; how much of them is known from their sizes and speeds, and belongs to what is not
known of activity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.two_channels import LONGEST_S, Model

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLOW_S = 60.0
"""Changes slower than this are bleaching; they are taken out of every channel."""
SMOOTH = 1.5
"""Standard deviation of the smoothing, in blocks."""
LEAST_SEEN = 3
ROUNDS = 6
"""Of a fixed point that is near after two."""
MEDIAN = np.pi / 2
"""Variance of a median over that of a mean, of independent normal noise."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Volumes in which a neuron was seen, in blocks of time.

    Parameters
    ----------
    seen : ndarray, shape (n_seen,), int64
        Volumes.
    block : ndarray, shape (n_seen,), int64
        Which of the blocks that hold any of them each lies in.
    centres : ndarray, shape (n_blocks,), float64
        In volumes.
    n_frames : int
    """

    seen: Ints
    block: Ints
    centres: Floats
    n_frames: int

    @classmethod
    def of(cls, light: Floats, rate_hz: float) -> Blocks | None:
        """Blocks of a trace, (n_frames,); None where it is hardly ever known."""
        seen = np.flatnonzero(np.isfinite(light))
        if seen.size < LEAST_SEEN:
            return None
        length = max(round(SLOW_S / 4 * rate_hz), 1)
        number, block = np.unique(seen // length, return_inverse=True)
        return cls(seen, block, np.asarray((number + 0.5) * length, np.float64), light.size)

    def course(self, light: Floats) -> Floats:
        """Slow course of a trace, (n_frames,)."""
        middle = [np.median(light[self.seen[self.block == b]]) for b in range(self.centres.size)]
        return self._between(self._smooth(np.array(middle)))

    def variance(self, model: Model, rate_hz: float) -> Floats:
        """Variance of what the slow courses add to or take from activity, (n_frames,), (dF/F)^2.

        Motion is in both courses alike and cancels in their difference, activity is in one, noise
        in each. Medians are taken to follow activity as means do.

        The model was fitted to light whose slow course is gone already, which makes activity
        smaller and faster than it is, by the same factor: steps between volumes stay as they were.

        Parameters
        ----------
        model : Model
            As fitted to both channels over their slow courses.
        rate_hz : float
        """
        n = self.centres.size
        counts = np.bincount(self.block, minlength=n)
        means = np.zeros((self.n_frames, n))
        means[self.seen, self.block] = 1 / counts[self.block]
        weights = self._between(self._smooth(np.eye(n)))
        seconds = model.activity_s
        for _ in range(ROUNDS):
            with_course, of_course = _shared(means, weights, seconds * rate_hz)
            left = 1 - 2 * with_course.mean() + of_course.mean()
            seconds = min(model.activity_s / max(left, 1e-3), LONGEST_S)
        size = model.activity**2 * seconds / model.activity_s
        alone = MEDIAN * ((model.gain * model.red) ** 2 + model.green**2) / counts
        return np.asarray(size * of_course + weights**2 @ alone)

    def _smooth(self, values: Floats) -> Floats:
        from scipy.ndimage import gaussian_filter1d

        if len(values) <= 2:
            return values
        return np.asarray(gaussian_filter1d(values, SMOOTH, axis=0, mode="nearest"))

    def _between(self, values: Floats) -> Floats:
        """Values at every volume, along a straight line between blocks."""
        at = np.arange(self.n_frames)
        if values.ndim == 1:
            return np.interp(at, self.centres, values)
        return np.stack([np.interp(at, self.centres, each) for each in values.T], axis=1)


def _shared(means: Floats, weights: Floats, steps: float) -> tuple[Floats, Floats]:
    """Covariance of a process of size 1 with its slow course, and variance of that, (n_frames,)."""
    from scipy.signal import lfilter

    a = float(np.exp(-1 / steps))
    ahead = lfilter([1.0], [1.0, -a], means, axis=0)
    back = lfilter([1.0], [1.0, -a], means[::-1], axis=0)[::-1]
    along = ahead + back - means
    of_means = means.T @ along
    return (weights * along).sum(axis=1), ((weights @ of_means) * weights).sum(axis=1)


def relative(light: Floats, rate_hz: float) -> Floats:
    """Light over its own slow course, (n_frames, n_neurons), about 1; NaN where it is not known.

    NaN throughout for a neuron that is no brighter than the ground around it.
    """
    out = np.full(light.shape, np.nan)
    for k in range(light.shape[1]):
        blocks = Blocks.of(light[:, k], rate_hz)
        if blocks is None:
            continue
        typical = float(np.median(light[blocks.seen, k]))
        if typical > 0:
            out[:, k] = light[:, k] / np.maximum(blocks.course(light[:, k]), 0.2 * typical)
    return out


__all__ = ["LEAST_SEEN", "SLOW_S", "Blocks", "relative"]
