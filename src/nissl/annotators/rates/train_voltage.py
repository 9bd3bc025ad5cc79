"""How probabilities of spikes in voltage are calibrated, and how found spikes are held to truth.

``python -m nissl.annotators.rates.train_voltage`` prints the numbers that
`nissl.annotators.rates.spike_or_noise` holds. Benchmarks use other seeds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.simulate import frames_of
from nissl.annotators.rates.simulate_voltage import voltage
from nissl.annotators.rates.voltage import found_in

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

KNOTS = (0.0, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 0.995, 1.0)


def paired(
    true: Ints, found: Ints, confidence: npt.ArrayLike, *, within: int = 1
) -> tuple[Bools, Bools]:
    """Which true and which found spikes have each other, at most one each.

    The most confident choose first, each the nearest that is left.

    Parameters
    ----------
    true : ndarray, shape (n_true,), int64, ascending
        Frames.
    found : ndarray, shape (n_found,), int64
        Frames.
    confidence : array-like, shape (n_found,)
    within : int
        Frames that a pair may lie apart.

    Returns
    -------
    hit : ndarray, shape (n_true,), bool
    right : ndarray, shape (n_found,), bool
    """
    hit, right = np.zeros(true.size, bool), np.zeros(found.size, bool)
    first = np.searchsorted(true, found - within, "left")
    last = np.searchsorted(true, found + within, "right")
    for k in np.argsort(-np.asarray(confidence), kind="stable").tolist():
        left = [j for j in range(first[k], last[k]) if not hit[j]]
        if left:
            hit[min(left, key=lambda j: abs(int(true[j]) - int(found[k])))] = right[k] = True
    return hit, right


def examples(n_traces: int, seed: int, *, duration_s: float = 15.0) -> tuple[Values, Bools]:
    """Probabilities of the mixture on simulated traces of many kinds, and what was a spike.

    Returns
    -------
    said : ndarray, shape (n,), float64
    spike : ndarray, shape (n,), bool
    """
    said, spike = [], []
    for k in range(n_traces):
        rng = np.random.default_rng([seed, k])
        rate_hz = float(rng.choice([400.0, 700.0, 1000.0, 2000.0]))
        made = voltage(
            rate_hz,
            round(duration_s * rate_hz),
            float(np.exp(rng.uniform(np.log(2.5), np.log(12.0)))),
            int(rng.choice([-1, 1])),
            rng,
        )
        frame, probability = found_in(made.fluorescence, rate_hz, made.polarity)
        true = frames_of(made.spikes_s, rate_hz, made.fluorescence.size)
        said.append(probability)
        spike.append(paired(true, frame, probability)[1])
    return np.concatenate(said), np.concatenate(spike)


def fit_calibration(n_traces: int = 300, seed: int = 20) -> tuple[Values, Values]:
    """What the mixture says and how often it was a spike, both ascending, shape (n_knots,)."""
    said, spike = examples(n_traces, seed)
    at = np.clip(np.searchsorted(KNOTS, said, side="right") - 1, 0, len(KNOTS) - 2)
    n = np.bincount(at, minlength=len(KNOTS) - 1)
    kept = n > 0
    mean = np.bincount(at, said, len(KNOTS) - 1)[kept] / n[kept]
    # half a spike in each bin keeps probabilities off 0 and 1
    true = (np.bincount(at, spike, len(KNOTS) - 1)[kept] + 0.5) / (n[kept] + 1)
    return mean, np.maximum.accumulate(true)


if __name__ == "__main__":
    for name, values in zip(("SAID", "TRUE"), fit_calibration(), strict=True):
        print(name, "=", tuple(round(float(v), 5) for v in values))  # noqa: T201
