"""Components of event-related potentials: amplitude, latency, and how well they were measured.

The standardised measurement error (SME; Luck et al. 2021, Psychophysiology 58, e13793) is the
standard error of a score of one person's average: for a mean amplitude the deviation over trials
by the root of their number, for everything else the deviation of the score over bootstrap draws of
the trials. A score without it says nothing of how many trials it would have taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadArgumentError, MissingInputError

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """Where a component is measured.

    Parameters
    ----------
    name : str
        "P300".
    channel : str
    from_s, to_s : float
        After the event.
    positive : bool
        Whether it goes up.
    """

    name: str
    channel: str
    from_s: float
    to_s: float
    positive: bool = True


@dataclass(frozen=True)
class Component:
    """Scores of a component in an average.

    Parameters
    ----------
    window : Window
    n_trials, n_refused : int
        Trials averaged, and left out for their size or their place.
    mean_uv, mean_sme_uv : float
        Mean amplitude in the window and its SME.
    peak_uv, peak_sme_uv : float
    latency_s, latency_sme_s : float
        Of half the area under the component (fractional area, 50 %), and its SME.
    """

    window: Window
    n_trials: int
    n_refused: int
    mean_uv: float
    mean_sme_uv: float
    peak_uv: float
    peak_sme_uv: float
    latency_s: float
    latency_sme_s: float


def epochs(
    signal: Signal,
    onsets: npt.NDArray[np.int64],
    channel: str,
    *,
    span_s: tuple[float, float] = (-0.2, 0.8),
    baseline_s: tuple[float, float] = (-0.2, 0.0),
    most_uv: float = 150.0,
) -> tuple[Values, Values, int]:
    """Trials around events on one channel, against their baseline.

    Parameters
    ----------
    signal : Signal
    onsets : ndarray, shape (n_events,), int64
        Samples.
    channel : str
    span_s, baseline_s : tuple of float
        Around each event.
    most_uv : float
        Trials with a peak-to-peak beyond this are left out.

    Returns
    -------
    trials : ndarray, shape (n_trials, n_samples), float64, uV
    time_s : ndarray, shape (n_samples,)
    n_refused : int
        Trials beyond the limit, or that leave the recording or cross a gap.
    """
    low, high = round(span_s[0] * signal.rate_hz), round(span_s[1] * signal.rate_hz)
    if low >= high:
        raise BadArgumentError("a span that ends after it begins", f"{span_s} s", "Mend it.")
    time = np.arange(low, high) / signal.rate_hz
    use = (time >= baseline_s[0]) & (time < baseline_s[1])
    kept, refused = [], 0
    for onset in np.asarray(onsets).tolist():
        inside = any(
            s.start <= onset + low and onset + high <= s.stop for s in signal.clock.segments
        )
        if not inside:
            refused += 1
            continue
        x = signal.read(onset + low, onset + high, [channel])[:, 0].astype(np.float64)
        x = x - (x[use].mean() if use.any() else 0.0)
        if not np.isfinite(x).all() or np.ptp(x) > most_uv:
            refused += 1
            continue
        kept.append(x)
    if not kept:
        raise MissingInputError(
            "a trial within the recording and the amplitude limit",
            f"{refused} of {len(onsets)} left out",
            "Check the events' clock, the gain, or raise most_uv.",
        )
    return np.stack(kept), time, refused


def components(
    signal: Signal,
    onsets: npt.NDArray[np.int64],
    windows: Sequence[Window],
    *,
    rng: np.random.Generator,
    n_draws: int = 500,
    most_uv: float = 150.0,
) -> list[Component]:
    """Scores of components with their measurement errors.

    Parameters
    ----------
    signal : Signal
    onsets : ndarray, shape (n_events,), int64
    windows : sequence of Window
    rng : numpy.random.Generator
        For the bootstrap over trials.
    n_draws : int
    most_uv : float
        See `epochs`.
    """
    out = []
    for window in windows:
        span = (min(-0.2, window.from_s - 0.1), max(0.8, window.to_s + 0.1))
        trials, time, refused = epochs(signal, onsets, window.channel, span_s=span, most_uv=most_uv)
        use = (time >= window.from_s) & (time <= window.to_s)
        if use.sum() < 2:
            raise BadArgumentError(
                "a window of two samples or more",
                f"{window.from_s} to {window.to_s} s at {signal.rate_hz:g} Hz",
                "Widen it.",
            )
        x, t, sign = trials[:, use], time[use], 1.0 if window.positive else -1.0
        draws = rng.integers(0, len(x), (n_draws, len(x)))
        again = np.array([_peak_and_latency(x[d].mean(axis=0), t, sign) for d in draws])
        peak, latency = _peak_and_latency(x.mean(axis=0), t, sign)
        per_trial = x.mean(axis=1)
        sme = per_trial.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else float("nan")
        out.append(
            Component(
                window, len(x), refused, float(per_trial.mean()), float(sme),
                peak, float(np.std(again[:, 0], ddof=1)),
                latency, float(np.std(again[:, 1], ddof=1)),
            )
        )  # fmt: skip
    return out


def _peak_and_latency(x: Values, time_s: Values, sign: float) -> tuple[float, float]:
    """Peak, and when half of the area on the component's side has passed."""
    area = np.cumsum(np.maximum(sign * x, 0.0))
    peak = float(x[int(np.argmax(sign * x))])
    if area[-1] <= 0:
        return peak, float("nan")
    return peak, float(np.interp(0.5 * area[-1], area, time_s))
