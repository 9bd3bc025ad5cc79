"""Voltage imaging taken apart: bleaching, spikes with their probability, subthreshold voltage.

1. Bleaching is taken off (`nissl.annotators.rates.bleaching`).
2. A spike is looked for with a matched filter (`nissl.annotators.rates.matched`). The template
   begins as a pulse of one millisecond, then is the mean of the surest spikes, the spectrum that
   of the trace without them, and so on until both hold still. (The iterated template is that of
   Cai et al. 2021, PLoS Computational Biology 17, e1008806; filter and threshold are not.)
3. Its maxima are spikes with a probability (`nissl.annotators.rates.spike_or_noise`). On which
   side spikes are is told in the same way (`polarity_of`).
4. Spikes are subtracted, each at its height; what is left, smoothed, is subthreshold voltage.

Depolarisation is positive in everything that is returned, whatever the indicator does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.bleaching import SIGMA, relative
from nissl.annotators.rates.matched import filtered, first_template, maxima, minima, reach
from nissl.annotators.rates.spike_or_noise import Mixture, calibrated, mixture

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ROUNDS = 4
SLOW_S = 0.1
"""Standard deviation of the Gaussian whose mean counts as slow."""
TOLD = 6.0
"""Logarithm of the ratio of likelihoods from which on polarity is told."""
MOST_GAIN = 20.0
"""What one cell can say of it at most."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A trace of voltage taken apart.

    Parameters
    ----------
    frame : ndarray, shape (n_spikes,), int64
        Frames of the spikes' peaks, ascending.
    confidence : ndarray, shape (n_spikes,), float64
        Probability that each is a spike, from `least` on.
    height : ndarray, shape (n_spikes,), float64, dF/F
    subthreshold : ndarray, shape (n_frames,), float64, dF/F
    baseline : ndarray, shape (n_frames,), float64, unit of the trace
        Fluorescence at rest as it bleaches.
    template : ndarray, shape (n_lags,), float64, dF/F
        A spike of height 1 at the filter, from `BEFORE_S` before its peak.
    snr : float
        Height of the template over the standard deviation of the noise of a frame.
    separation : float
        Mean height of spikes at the filter in standard deviations of its noise (d').
    polarity : int
    """

    frame: Ints
    confidence: Values
    height: Values
    subthreshold: Values
    baseline: Values
    template: Values
    snr: float
    separation: float
    polarity: int


def take_apart(
    trace: npt.ArrayLike,
    rate_hz: float,
    polarity: int,
    *,
    least: float = 0.5,
    smooth_hz: float = 50.0,
) -> Taken:
    """Take one trace apart.

    Parameters
    ----------
    trace : array-like, shape (n_frames,)
        Fluorescence in any unit, or dF/F (what has a median near 0 counts as such); NaN where
        a frame is missing.
    rate_hz : float
    polarity : {1, -1}
        Whether fluorescence brightens or darkens with a spike.
    least : float
        Least probability of a spike that is returned.
    smooth_hz : float
        Where subthreshold voltage is cut off.
    """
    seen = relative(trace, rate_hz)
    y, even = polarity * seen.dff * seen.even, seen.even
    spikes = _searched(fast(y, rate_hz), rate_hz)
    p = calibrated(spikes.found.probability)
    kept, sure = p >= least, p >= 0.5
    rest = y - spikes.drawn(y.size, sure)
    noise = SIGMA / np.sqrt(2) * float(np.median(np.abs(np.diff(rest))))
    peak = spikes.height * float(spikes.template.max())
    return Taken(
        frame=spikes.frame[kept],
        confidence=p[kept],
        height=(peak / even[spikes.frame])[kept],
        subthreshold=smoothed(rest / even, rate_hz, smooth_hz),
        baseline=seen.baseline,
        template=spikes.template,
        snr=float(np.median(peak[sure])) / noise if sure.any() and noise > 0 else float("nan"),
        separation=spikes.found.mean,
        polarity=polarity,
    )


def found_in(trace: npt.ArrayLike, rate_hz: float, polarity: int) -> tuple[Ints, Values]:
    """Frames of all maxima, and the mixture's probabilities before they are calibrated."""
    seen = relative(trace, rate_hz)
    spikes = _searched(fast(polarity * seen.dff * seen.even, rate_hz), rate_hz)
    return spikes.frame, spikes.found.probability


def polarity_of(traces: Sequence[npt.ArrayLike], rate_hz: float) -> tuple[int, float]:
    """Whether fluorescence brightens (1) or darkens (-1) with spikes, and how sure that is.

    On either side it is asked how much better heights of maxima are said by noise and spikes than
    by the noise of the other side. The sure-ness is the difference, a logarithm of a ratio of
    likelihoods, each cell's bounded so that one artefact decides nothing; below `TOLD` the sign
    is a guess.
    """
    evidence = 0.0
    for trace in traces:
        seen = relative(trace, rate_hz)
        y = fast(seen.dff * seen.even, rate_hz)
        gains = [_Spikes.of(side * y, rate_hz).found.gain for side in (1, -1)]
        evidence += float(np.clip(gains[0] - gains[1], -MOST_GAIN, MOST_GAIN))
    return (1 if evidence >= 0 else -1), abs(evidence)


@dataclass(frozen=True, eq=False)
class _Spikes:
    """Spikes of one round.

    `height` is in parts of the template; `template` has its peak at lag 0 of `lags`.
    """

    rate_hz: float
    template: Values
    frame: Ints
    height: Values
    found: Mixture

    @classmethod
    def of(cls, x: Values, rate_hz: float) -> _Spikes:
        """First round: a pulse of a millisecond."""
        return cls._found(x, x, first_template(rate_hz), rate_hz)

    def again(self, x: Values) -> _Spikes:
        """Another round with the template and the noise that this one found."""
        sure = self.found.probability > 0.9
        rest = x - self.drawn(x.size, self.found.probability > 0.5)
        if int(sure.sum()) < 5:
            return self._found(x, rest, self.template, self.rate_hz)
        # a spike with another in its template would teach that spikes come in pairs
        frames, far = self.frame[sure], reach(self.rate_hz)[1]
        gap = np.diff(frames, prepend=-far, append=x.size + far)
        alone = (gap[1:] >= far) & (gap[:-1] >= far)
        frames = frames[alone] if int(alone.sum()) >= 5 else frames
        template = _mean_of(x, frames, self.rate_hz, self.template)
        return self._found(x, rest, template, self.rate_hz)

    @classmethod
    def _found(cls, x: Values, noise: Values, template: Values, rate_hz: float) -> _Spikes:
        score, response, left = filtered(x, template, rate_hz, noise=noise)
        frame, height = maxima(score, response, rate_hz)
        found = mixture(height, minima(left, rate_hz))
        return cls(rate_hz, template, frame, height / float(response.max()), found)

    def drawn(self, n_frames: int, which: npt.NDArray[np.bool_]) -> Values:
        """Spikes as their templates, shape (n_frames,)."""
        at = np.zeros(n_frames)
        np.add.at(at, self.frame[which], self.height[which])
        before, _ = reach(self.rate_hz)
        return np.convolve(at, self.template)[before : before + n_frames]


def fast(x: Values, rate_hz: float) -> Values:
    """A trace without what is slower than `SLOW_S`, which no short filter would take out."""
    from scipy.ndimage import gaussian_filter1d

    out: Values = x - gaussian_filter1d(x, SLOW_S * rate_hz)
    return out


def _searched(y: Values, rate_hz: float) -> _Spikes:
    """Rounds of the search until they find the same."""
    spikes = _Spikes.of(y, rate_hz)
    for _ in range(ROUNDS):
        again = spikes.again(y)
        still = np.array_equal(again.frame, spikes.frame)
        spikes = again
        if still:
            break
    return spikes


def _mean_of(x: Values, frames: Ints, rate_hz: float, usual: Values) -> Values:
    """Mean course around spikes, drawn to what is usual where spikes are few."""
    before, after = reach(rate_hz)
    inside = frames[(frames >= before + 1) & (frames < x.size - after - 1)]
    if inside.size < 5:
        return usual
    lags = np.arange(-before - 1, after + 2)
    mean = x[inside[:, None] + lags].mean(axis=0)
    # the highest frame within one of the filter's maximum is the peak
    shift = int(np.argmax(mean[before : before + 3])) - 1
    mean = mean[1 + shift : mean.size - 1 + shift]
    ends = np.interp(np.arange(mean.size), [0, mean.size - 1], [mean[0], mean[-3:].mean()])
    pulse = mean - ends
    few = usual * max(float(pulse.max()), 1e-12) / float(usual.max())
    share = inside.size / (inside.size + 10)
    out: Values = share * pulse + (1 - share) * few
    return out


def smoothed(x: Values, rate_hz: float, cut_hz: float) -> Values:
    """Low-pass without delay; unchanged where the frame rate is below what it cuts."""
    from scipy.signal import butter, sosfiltfilt

    if cut_hz >= 0.45 * rate_hz:
        return x
    out: Values = sosfiltfilt(butter(2, cut_hz, fs=rate_hz, output="sos"), x)
    return out
