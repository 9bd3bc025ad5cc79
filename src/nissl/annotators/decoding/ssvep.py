"""Steady-state visual responses: canonical correlation, filter banks, task-related components.

A class is a frequency of stimulation. `CanonicalCorrelation` needs no training (Lin, Zhang, Wu
and Gao 2006, Frequency recognition based on canonical correlation analysis for SSVEP-based BCIs,
IEEE Trans. Biomed. Eng. 53, 2610-2614); with more than one band it is FBCCA (Chen, Wang, Gao,
Jung and Gao 2015, Filter bank canonical correlation analysis for implementing a high-speed
SSVEP-based brain-computer interface, J. Neural Eng. 12, 046008). Labelled trials only set how
far its scores are to be trusted.

`TaskRelated` learns spatial filters that repeat over trials (Nakanishi et al. 2018, Enhancing
detection of SSVEPs for a high-speed brain speller using task-related component analysis, IEEE
Trans. Biomed. Eng. 65, 104-112); it needs stimuli that begin with the same phase in each trial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import (
    Chances,
    Codes,
    Trials,
    checked_examples,
    checked_trials,
    softmax,
)
from nissl.errors import BadArgumentError

Array = npt.NDArray[np.float64]

WEIGHT_POWER, WEIGHT_OFFSET = 1.25, 0.25
"""Weight of the n-th band: n to the minus power, plus the offset (Chen et al. 2015, eq. 6)."""
RIPPLE_DB, BAND_ORDER, TOP_HZ = 0.5, 4, 88.0
UNTRAINED = 30.0
"""Factor of scores before they are made probabilities where there are no labels to fit it."""
_FACTORS = np.geomspace(0.1, 1000.0, 81)


def band_weights(n_bands: int) -> Array:
    """Weight of each band of a filter bank, (n_bands,)."""
    return np.asarray(np.arange(1, n_bands + 1) ** -WEIGHT_POWER + WEIGHT_OFFSET, np.float64)


def filter_bank(x: Trials, rate_hz: float, first_hz: float, n_bands: int) -> Array:
    """Copies of trials from the n-th multiple of `first_hz` upwards.

    Chen et al. 2015, design M3: harmonics share the upper end of the pass-band. Each copy is
    filtered forwards and backwards within the window.

    Returns
    -------
    ndarray, shape (n_bands, n_trials, n_channels, n_samples)

    Raises
    ------
    BadArgumentError
        A band that begins above the upper end.
    """
    from scipy.signal import cheby1, sosfiltfilt

    top = min(TOP_HZ, 0.45 * rate_hz)
    if first_hz <= 0 or n_bands < 1 or n_bands * first_hz >= top:
        raise BadArgumentError(
            f"{n_bands} bands that begin below {top:g} Hz",
            f"the first at {first_hz:g} Hz",
            "Ask for fewer bands.",
        )
    out = np.empty((n_bands, *x.shape))
    for k in range(n_bands):
        edges = ((k + 1) * first_hz, top)
        sections = cheby1(BAND_ORDER, RIPPLE_DB, edges, "bandpass", fs=rate_hz, output="sos")
        reach = min(x.shape[-1] - 1, 3 * (2 * len(sections) + 1))
        out[k] = sosfiltfilt(sections, x, axis=-1, padlen=reach)
    return out


def references(frequency_hz: float, rate_hz: float, n_samples: int, n_harmonics: int) -> Array:
    """Sines and cosines of a frequency and its harmonics below half the rate, (n, n_samples)."""
    t = np.arange(n_samples) / rate_hz
    below = [h for h in range(1, n_harmonics + 1) if h * frequency_hz < rate_hz / 2]
    waves = [
        (np.sin, np.cos)[k % 2](2 * np.pi * h * frequency_hz * t) for h in below for k in (0, 1)
    ]
    return np.asarray(waves)


def directions(x: Array) -> Array:
    """Orthonormal rows that span the channels of each trial; zeros where channels are sums.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_samples)

    Returns
    -------
    ndarray, shape (n_trials, min(n_channels, n_samples), n_samples)
    """
    centred = x - x.mean(axis=2, keepdims=True)
    _, size, rows = np.linalg.svd(centred, full_matrices=False)
    kept = size > 1e-9 * size[:, :1]
    return np.asarray(rows * kept[..., None])


def canonical(rows: Array, basis: Array) -> Array:
    """Largest canonical correlation of each trial with a basis.

    Parameters
    ----------
    rows : ndarray, shape (n_trials, n, n_samples)
        `directions` of the trials.
    basis : ndarray, shape (n_waves, n_samples)

    Returns
    -------
    ndarray, shape (n_trials,)
    """
    waves = np.linalg.qr((basis - basis.mean(axis=1, keepdims=True)).T)[0]
    return np.asarray(np.linalg.svd(rows @ waves, compute_uv=False)[:, 0])


@dataclass(frozen=True)
class CanonicalCorrelation:
    """CCA (one band) and FBCCA (several): which frequency is in a trial.

    Parameters
    ----------
    frequencies_hz : tuple of float
        Of each class.
    rate_hz : float
    n_harmonics : int
    n_bands : int
        1 is plain CCA on the trials as they are.
    first_hz : float
        Where the first band begins.
    """

    frequencies_hz: tuple[float, ...]
    rate_hz: float
    n_harmonics: int = 3
    n_bands: int = 1
    first_hz: float = 8.0

    def scores(self, x: Trials) -> Array:
        """Correlation with each class, (n_trials, n_classes); of a bank, weighted squares."""
        trials = checked_trials(x)
        n = trials.shape[2]
        bases = [references(f, self.rate_hz, n, self.n_harmonics) for f in self.frequencies_hz]
        if self.n_bands == 1:
            rows = directions(trials)
            return np.stack([canonical(rows, basis) for basis in bases], axis=1)
        bank = filter_bank(trials, self.rate_hz, self.first_hz, self.n_bands)
        each = [[canonical(rows, basis) ** 2 for basis in bases] for rows in map(directions, bank)]
        return np.asarray(np.einsum("b,bkn->nk", band_weights(self.n_bands), np.asarray(each)))

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedScores:
        """Learn how far to trust the scores; the decision itself needs no examples."""
        del rng  # nothing in it is random
        trials, codes, n_classes = checked_examples(x, y)
        if n_classes > len(self.frequencies_hz):
            raise BadArgumentError(
                f"a frequency for each of {n_classes} classes",
                f"{len(self.frequencies_hz)}",
                "Leave out classes without one (rest), or use decoding/riemann.",
            )
        return FittedScores(self, best_factor(self.scores(trials), codes))

    def untrained(self) -> FittedScores:
        """The decoder without any example; its probabilities are a guess."""
        return FittedScores(self, UNTRAINED)


@dataclass(frozen=True)
class FittedScores:
    """Scores made probabilities by one factor."""

    settings: CanonicalCorrelation | FittedComponents
    factor: float

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities, (n_trials, n_classes)."""
        return softmax(self.factor * self.settings.scores(x))


def best_factor(scores: Array, codes: Codes) -> float:
    """Factor with the least log-loss of the softmax of scores; a grid, for it is one number."""
    rows = np.arange(len(codes))
    losses = [-np.log(np.maximum(softmax(f * scores)[rows, codes], 1e-12)).mean() for f in _FACTORS]
    return float(_FACTORS[int(np.argmin(losses))])


@dataclass(frozen=True)
class TaskRelated:
    """Ensemble TRCA with a filter bank.

    Parameters
    ----------
    rate_hz : float
    n_bands : int
    first_hz : float
    """

    rate_hz: float
    n_bands: int = 3
    first_hz: float = 8.0

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedScores:
        """Learn filters and templates; how far to trust scores, from trials left out in turn."""
        del rng  # nothing in it is random
        trials, codes, n_classes = checked_examples(x, y)
        bank = filter_bank(trials, self.rate_hz, self.first_hz, self.n_bands)
        left_out = np.empty((len(codes), n_classes))
        turn = np.zeros(len(codes), np.int64)
        for k in range(n_classes):
            own = np.flatnonzero(codes == k)
            turn[own] = np.arange(own.size) % min(3, own.size)
        for fold in np.unique(turn):
            kept = turn != fold
            part = self._components(bank[:, kept], codes[kept], n_classes)
            left_out[~kept] = part.correlations(bank[:, ~kept])
        whole = self._components(bank, codes, n_classes)
        return FittedScores(whole, best_factor(left_out, codes))

    def _components(self, bank: Array, codes: Codes, n_classes: int) -> FittedComponents:
        filters = np.empty((len(bank), bank.shape[2], n_classes))
        templates = np.empty((len(bank), n_classes, *bank.shape[2:]))
        for b, part in enumerate(bank):
            for k in range(n_classes):
                filters[b, :, k] = repeating(part[codes == k])
                templates[b, k] = part[codes == k].mean(axis=0)
        return FittedComponents(self, filters, templates)


@dataclass(frozen=True)
class FittedComponents:
    """Filters and templates of `TaskRelated`.

    Parameters
    ----------
    settings : TaskRelated
    filters : ndarray, shape (n_bands, n_channels, n_classes)
    templates : ndarray, shape (n_bands, n_classes, n_channels, n_samples)
    """

    settings: TaskRelated
    filters: Array
    templates: Array

    def scores(self, x: Trials) -> Array:
        """Weighted correlation with each class's template, (n_trials, n_classes)."""
        s, trials = self.settings, checked_trials(x)
        if trials.shape[1:] != self.templates.shape[2:]:
            raise BadArgumentError(
                f"trials of {self.templates.shape[2:]} channels and samples, as it was taught",
                f"{trials.shape[1:]}",
                "Cut them with the same window and channels.",
            )
        return self.correlations(filter_bank(trials, s.rate_hz, s.first_hz, s.n_bands))

    def correlations(self, bank: Array) -> Array:
        """Scores of trials that went through the filter bank."""
        out = np.zeros((bank.shape[1], self.templates.shape[1]))
        weights = band_weights(len(bank))
        for b, part in enumerate(bank):
            seen = _unit(np.einsum("cf,nct->nft", self.filters[b], part))
            known = _unit(np.einsum("cf,kct->kft", self.filters[b], self.templates[b]))
            out += weights[b] * np.einsum("nft,kft->nk", seen, known)
        return out


def repeating(x: Array) -> Array:
    """Spatial filter whose output repeats over trials most (Nakanishi et al. 2018, eq. 5-8).

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_samples)

    Returns
    -------
    ndarray, shape (n_channels,)
    """
    from scipy.linalg import eigh

    centred = x - x.mean(axis=2, keepdims=True)
    total = centred.sum(axis=0)
    within = np.einsum("nct,ndt->cd", centred, centred)
    across = total @ total.T - within
    n = within.shape[0]
    ridge = 1e-9 * np.trace(within) / n + np.finfo(float).tiny
    _, vectors = eigh(across, within + ridge * np.eye(n))
    return np.asarray(vectors[:, -1])


def _unit(x: Array) -> Array:
    """Outputs of all filters as one centred vector of length 1 per trial, same shape."""
    centred = x - x.mean(axis=(1, 2), keepdims=True)
    size = np.sqrt(np.sum(centred**2, axis=(1, 2), keepdims=True))
    return np.asarray(centred / np.where(size > 0, size, 1.0))
