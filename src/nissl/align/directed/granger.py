"""Granger causality by frequency: Geweke's measure, of pairs or given all other series.

One vector autoregression gives the spectra; those of a part of the series are factorised anew,
so no second model with an order of its own is fitted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.align.directed.estimators import residuals
from nissl.align.directed.series import lagged, order_by_bic, stacked
from nissl.errors import BadArgumentError, MethodFailedError, MissingDependencyError

Values = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]


def spectral_granger(
    series: npt.ArrayLike,
    *,
    rate_hz: float = 1.0,
    order: int | None = None,
    n_frequencies: int = 256,
    conditional: bool = True,
) -> tuple[Values, Values]:
    """Granger causality of every ordered pair at every frequency.

    Parameters
    ----------
    series : array-like, shape (n_series, n_samples) or (n_series, n_trials, n_samples)
    rate_hz : float
    order : int, optional
        By the Bayesian information criterion where None.
    n_frequencies : int
        From zero to half the rate.
    conditional : bool
        Given all other series; else each pair by itself.

    Returns
    -------
    frequencies : ndarray, shape (n_frequencies,), Hz
    granger : ndarray, shape (n_frequencies, n_series, n_series)
        From source (row) to target (column), nats; the mean over frequencies is the measure in
        time, twice the Gaussian transfer entropy.

    References
    ----------
    Geweke 1982, J. Am. Stat. Assoc. 77:304, and 1984, 79:907; Dhamala, Rangarajan and Ding
    2008, NeuroImage 41:354; Chen, Bressler and Ding 2006, J. Neurosci. Methods 150:228.
    """
    x = stacked(series)
    n = len(x)
    chosen = order or order_by_bic(x)
    coefficients, noise = autoregression_of(x, chosen)
    whole = _spectrum(coefficients, noise, 2 * (n_frequencies - 1))
    out = np.zeros((n_frequencies, n, n))
    for source in range(n):
        for target in range(n):
            if source != target:
                others = [at for at in range(n) if at not in (source, target)] * conditional
                part = [target, *others, source]
                full = whole[np.ix_(range(len(whole)), part, part)]
                out[:, source, target] = _geweke(full)[:n_frequencies]
    return np.linspace(0, rate_hz / 2, n_frequencies), out


def autoregression_of(x: Values, order: int) -> tuple[Values, Values]:
    """Least-squares coefficients, shape (order, n, n), and covariance of what is left.

    Parameters
    ----------
    x : ndarray, shape (n_series, n_trials, n_samples)
    order : int
    """
    now, past = lagged(x, order)
    design = np.column_stack([past, np.ones(len(past))])
    fitted, *_ = np.linalg.lstsq(design, now, rcond=None)
    left = residuals(now, past)
    coefficients = fitted[:-1].reshape(order, len(x), len(x)).transpose(0, 2, 1)
    reach = np.zeros((order * len(x),) * 2)
    reach[: len(x)] = np.concatenate(list(coefficients), axis=1)
    reach[len(x) :, : -len(x)] = np.eye((order - 1) * len(x))
    if np.abs(np.linalg.eigvals(reach)).max() >= 1:
        raise BadArgumentError(
            "series that do not drift away",
            "an autoregression that is not stable",
            "Remove trends, or cut the recording into stationary stretches.",
        )
    return np.asarray(coefficients, dtype=np.float64), left.T @ left / len(left)


def _spectrum(coefficients: Values, noise: Values, n: int) -> Complex:
    """Spectral matrices over the whole circle, shape (n, n_series, n_series)."""
    order, size, _ = coefficients.shape
    turn = np.exp(-2j * np.pi * np.outer(np.arange(n) / n, np.arange(1, order + 1)))
    transfer = np.linalg.inv(np.eye(size) - np.tensordot(turn, coefficients, axes=1))
    return np.asarray(transfer @ noise @ transfer.conj().transpose(0, 2, 1))


def factorised(spectrum: Complex, *, most_steps: int = 200) -> tuple[Complex, Values]:
    """Transfer function and covariance of innovations of a spectrum.

    Parameters
    ----------
    spectrum : ndarray, shape (n_frequencies, n, n), complex128
        Over the whole circle of an even number of frequencies.

    References
    ----------
    Wilson 1972, SIAM J. Appl. Math. 23:420.
    """
    n_frequencies, n, _ = spectrum.shape
    start = np.linalg.cholesky(spectrum.mean(axis=0).real)
    psi = np.tile(start.astype(np.complex128), (n_frequencies, 1, 1))
    for _ in range(most_steps):
        inverse = np.linalg.inv(psi)
        inner = inverse @ spectrum @ inverse.conj().transpose(0, 2, 1) + np.eye(n)
        lagged_part = np.fft.ifft(inner, axis=0)
        lagged_part[0] = np.tril(lagged_part[0], -1) + 0.5 * np.diag(np.diag(lagged_part[0]))
        lagged_part[n_frequencies // 2] *= 0.5
        lagged_part[n_frequencies // 2 + 1 :] = 0
        new = psi @ np.fft.fft(lagged_part, axis=0)
        change = float(np.abs(new - psi).max() / np.abs(psi).max())
        psi = new
        if change < 1e-10:
            break
    else:
        raise MethodFailedError(
            "a spectrum that can be factorised",
            f"a change of {change:.1e} after {most_steps} steps",
            "Use more frequencies: the spectrum has narrow peaks.",
        )
    zero = np.fft.ifft(psi, axis=0)[0].real
    return psi @ np.linalg.inv(zero), zero @ zero.T


def _geweke(spectrum: Complex) -> Values:
    """From the last series to the first, given those between, at each frequency."""
    transfer, noise = factorised(spectrum)
    n = len(noise)
    target = 0
    if n == 2:
        total = spectrum[:, 0, 0].real
        left = noise[1, 1] - noise[0, 1] ** 2 / noise[0, 0]
        passed = np.abs(transfer[:, 0, 1]) ** 2 * left
        return np.asarray(np.log(total / np.maximum(total - passed, 1e-300)))
    kept = np.arange(n - 1)
    # innovations are turned so that the target's is independent of the others'
    small, small_noise = _turned(*factorised(spectrum[:, kept[:, None], kept]))
    large, large_noise = _turned(transfer, noise)
    padded = np.tile(np.eye(n, dtype=np.complex128), (len(spectrum), 1, 1))
    padded[:, kept[:, None], kept] = small
    ratio = np.linalg.inv(padded) @ large
    own = np.abs(ratio[:, target, target]) ** 2 * large_noise[target, target]
    return np.asarray(np.log(small_noise[target, target] / own))


def _turned(transfer: Complex, noise: Values) -> tuple[Complex, Values]:
    """The same process with innovations that are all uncorrelated, the first one kept."""
    lower = np.linalg.cholesky(noise)
    diagonal = np.diag(lower)
    unit = lower / diagonal
    return transfer @ unit, np.diag(diagonal**2)


def connectivity(
    epochs: npt.ArrayLike, rate_hz: float, *, method: str = "wpli", low_hz: float, high_hz: float
) -> Values:
    """A spectral measure of mne-connectivity, where that package is installed.

    Parameters
    ----------
    epochs : array-like, shape (n_epochs, n_series, n_samples)
    rate_hz : float
    method : str
        Such as "coh", "imcoh", "pli" or "wpli"; none of them has a direction.
    low_hz, high_hz : float

    Returns
    -------
    ndarray, shape (n_series, n_series), float64
        Symmetric.
    """
    try:
        from mne_connectivity import spectral_connectivity_epochs
    except ImportError as error:
        raise MissingDependencyError(
            "the package mne-connectivity",
            "an installation without it",
            "Install it: pip install mne-connectivity",
        ) from error
    found = spectral_connectivity_epochs(
        np.asarray(epochs, dtype=np.float64),
        method=method,
        sfreq=rate_hz,
        fmin=low_hz,
        fmax=high_hz,
        faverage=True,
        verbose=False,
    )
    lower = np.asarray(found.get_data(output="dense"))[:, :, 0]
    return np.asarray(lower + lower.T)
