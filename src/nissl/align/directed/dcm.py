"""Dynamic causal models of fMRI: neurons that drive each other, seen through blood flow.

``dx/dt = (A + sum_j u_j B_j) x + C u``; each region's activity drives a Balloon model of its
vessels, whose volume and deoxyhaemoglobin make the signal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.align.directed.arrows import Arrow, Arrows, judge
from nissl.align.directed.laplace import Posterior, variational_laplace
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STABLE_HZ = 0.5
"""Rate at which a region left alone forgets, 1/s, times the exponential of its parameter."""


@dataclass(frozen=True, eq=False)
class Model:
    """Which connections may be there.

    Parameters
    ----------
    a : ndarray, shape (n_regions, n_regions), bool
        From region (column) to region (row); every region decays on its own.
    c : ndarray, shape (n_regions, n_inputs), bool
        Which input drives which region.
    b : ndarray, shape (n_inputs, n_regions, n_regions), bool, optional
        Which input changes which connection; none where None.
    name : str
    """

    a: Mask
    c: Mask
    b: Mask | None = None
    name: str = "model"
    modulated: Mask = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n, n_inputs = self.c.shape
        b = np.zeros((n_inputs, n, n), dtype=np.bool_) if self.b is None else np.asarray(self.b)
        if self.a.shape != (n, n) or b.shape != (n_inputs, n, n):
            raise BadArgumentError(
                f"a of shape {(n, n)} and b of shape {(n_inputs, n, n)}",
                f"{self.a.shape} and {b.shape}",
                "Rows are targets, columns sources.",
            )
        object.__setattr__(self, "modulated", b)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return int(self.c.shape[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each parameter, in order."""
        n, n_inputs = self.c.shape
        out = [f"a{i}{j}" for i in range(n) for j in range(n)]
        out += [f"b{k}:{i}{j}" for k in range(n_inputs) for i in range(n) for j in range(n)]
        out += [f"c{i}{k}" for i in range(n) for k in range(n_inputs)]
        out += [f"transit{i}" for i in range(n)]
        return (*out, "decay", "epsilon")

    @property
    def prior(self) -> tuple[Values, Values]:
        """Mean and variance of each parameter's prior; variance zero fixes it.

        Connections between regions have a standard deviation of 0.3 1/s, what inputs change of
        them 0.5, inputs 0.5; logarithms of the self-inhibition 0.125, of the vessels' times
        0.0625 (as in Friston, Harrison and Penny 2003, small enough to hold stable dynamics).
        """
        n = self.n_regions
        off = self.a & ~np.eye(n, dtype=np.bool_)
        of_a = np.where(np.eye(n, dtype=np.bool_), 1 / 64, np.where(off, 0.3**2, 0.0))
        of_b = np.where(self.modulated, 0.5**2, 0.0)
        of_c = np.where(self.c, 0.5**2, 0.0)
        vessels = np.full(n + 2, 1 / 256)
        variance = np.concatenate([of_a.ravel(), of_b.ravel(), of_c.ravel(), vessels])
        return np.zeros(variance.size), variance

    def split(self, sets: Values) -> tuple[Values, Values, Values, Values]:
        """A, B, C and the vessels' parameters of each set."""
        n, n_inputs = self.c.shape
        at = np.cumsum([n * n, n_inputs * n * n, n * n_inputs])
        a, b, c, vessels = np.split(sets, at, axis=1)
        a = a.reshape(-1, n, n).copy()
        own = np.arange(n)
        a[:, own, own] = -STABLE_HZ * np.exp(a[:, own, own])
        return a, b.reshape(-1, n_inputs, n, n), c.reshape(-1, n, n_inputs), vessels


def predicted(
    model: Model, sets: Values, inputs: Values, *, interval_s: float, step_s: float = 0.125
) -> Values:
    """Signal of each region at each scan, percent of its baseline.

    Parameters
    ----------
    model : Model
    sets : ndarray, shape (n_sets, n_parameters), float64
    inputs : ndarray, shape (n_scans, n_inputs)
        Of each scan's interval, held constant in it.
    interval_s : float
        Between scans, s.
    step_s : float
        At most, of the integration.

    Returns
    -------
    ndarray, shape (n_sets, n_scans, n_regions), float64

    Notes
    -----
    The Balloon model of Buxton, Wong and Frank 1998 (Magn. Reson. Med. 39:855), driven as in
    Friston et al. 2000 (NeuroImage 12:466), with the coefficients of the signal of Stephan et
    al. 2007 (NeuroImage 38:387) at 1.5 T. Flow, volume and content are followed as logarithms,
    which keeps them positive.
    """
    a, b, c, vessels = model.split(sets)
    n_sets, n = len(sets), model.n_regions
    per_scan = max(1, int(np.ceil(interval_s / step_s)))
    dt = interval_s / per_scan
    transit = 2.0 * np.exp(vessels[:, :n])
    decay = 0.64 * np.exp(vessels[:, n])[:, None]
    epsilon = np.exp(vessels[:, n + 1])[:, None]
    alpha, e0, v0, feedback = 0.32, 0.4, 4.0, 0.32
    k1, k2, k3 = 4.3 * 40.3 * e0 * 0.04, epsilon * 25.0 * e0 * 0.04, 1.0 - epsilon
    x, s, f, v, q = np.zeros((5, n_sets, n))
    out = np.empty((n_sets, len(inputs), n))
    with np.errstate(all="ignore"):
        for scan, u in enumerate(inputs):
            dynamics = a + np.tensordot(u, b, axes=(0, 1)) if np.any(u) else a
            drive = c @ u
            for _ in range(per_scan):
                flow, volume, content = np.exp(f), np.exp(v), np.exp(q)
                leaving = volume ** (1 / alpha)
                extracted = (1 - (1 - e0) ** (1 / flow)) / e0
                dx = np.matmul(dynamics, x[:, :, None])[:, :, 0] + drive
                ds = x - decay * s - feedback * (flow - 1)
                df = s / flow
                dv = (flow - leaving) / (transit * volume)
                dq = (flow * extracted - leaving * content / volume) / (transit * content)
                x, s, f, v, q = x + dt * dx, s + dt * ds, f + dt * df, v + dt * dv, q + dt * dq
            volume, content = np.exp(v), np.exp(q)
            out[:, scan] = v0 * (
                k1 * (1 - content) + k2 * (1 - content / volume) + k3 * (1 - volume)
            )
    return out


def fit(model: Model, signal: Values, inputs: Values, *, interval_s: float) -> Posterior:
    """Posterior of a model's parameters, and its evidence.

    Parameters
    ----------
    model : Model
    signal : ndarray, shape (n_scans, n_regions)
        Percent of the baseline.
    inputs : ndarray, shape (n_scans, n_inputs)
    interval_s : float

    References
    ----------
    Friston, Harrison and Penny 2003, NeuroImage 19:1273.
    """
    if signal.shape != (len(inputs), model.n_regions) or inputs.shape[1] != model.c.shape[1]:
        raise BadArgumentError(
            f"a signal of {model.n_regions} regions and {model.c.shape[1]} inputs, scan by scan",
            f"{signal.shape} and {inputs.shape}",
            "Give one row per scan in both.",
        )
    if not np.any(inputs):
        raise BadArgumentError(
            "inputs that are not zero throughout",
            "none",
            "Without known inputs this model has no cause; use regression of rest (`rdcm`).",
        )
    mean, variance = model.prior
    return variational_laplace(
        lambda sets: predicted(model, sets, inputs, interval_s=interval_s),
        np.asarray(signal, dtype=np.float64),
        mean,
        variance,
        confounds=np.ones((len(signal), 1)),
    )


def model_probabilities(fits: list[Posterior]) -> Values:
    """Probability of each model of the same data, all the same before, shape (n_models,)."""
    energy = np.asarray([each.free_energy for each in fits])
    weight = np.exp(energy - energy.max())
    return np.asarray(weight / weight.sum())


def turned(model: Model, source: int, target: int) -> Model:
    """The model with one connection, and what changes it, the other way round."""
    a, b = model.a.copy(), model.modulated.copy()
    for mask in (a, *b):
        mask[source, target], mask[target, source] = mask[target, source], mask[source, target]
    return Model(a, model.c, b, f"{model.name}, {target} to {source}")


def arrows(
    model: Model,
    signal: Values,
    inputs: Values,
    *,
    interval_s: float,
    names: tuple[str, ...] | None = None,
    alpha: float = 0.05,
) -> Arrows:
    """Connections of a model that are not zero, and whether the other way would do as well.

    P values are two-sided tails of the posterior. The direction of a connection that goes one
    way only is feigned with the probability of the model in which it is turned round, and that
    model is fitted where the connection is significant; of two that go both ways, with the
    probability that the way back is as strong.

    Parameters
    ----------
    model, signal, inputs, interval_s
        As in `fit`.
    names : tuple of str, optional
    alpha : float
    """
    from scipy.stats import norm

    found = fit(model, signal, inputs, interval_s=interval_s)
    n = model.n_regions
    mean, spread = found.mean[: n * n], found.covariance[: n * n, : n * n]
    present = [(j, i) for i in range(n) for j in range(n) if i != j and model.a[i, j]]
    tested = []
    for j, i in present:
        at = i * n + j
        p = 2 * norm.sf(abs(mean[at]) / np.sqrt(spread[at, at]))
        tested.append(Arrow(j, i, float(mean[at]), float(p)))

    def direction(source: int, target: int) -> float:
        there, back = target * n + source, source * n + target
        if model.a[source, target]:
            signs = np.sign(mean[[there, back]])
            gap = abs(mean[there]) - abs(mean[back])
            both = spread[np.ix_([there, back], [there, back])]
            width = np.sqrt(signs * [1, -1] @ both @ (signs * [1, -1]))
            return float(norm.sf(gap / width))
        other = fit(turned(model, source, target), signal, inputs, interval_s=interval_s)
        return float(model_probabilities([found, other])[1])

    return judge(
        tested,
        names or tuple(str(at) for at in range(n)),
        method=f"dynamic causal model, {model.name}",
        unit="1/s",
        alpha=alpha,
        direction=direction,
    )


def simulated(
    model: Model,
    inputs: Values,
    rng: np.random.Generator,
    *,
    interval_s: float,
    noise: float = 0.5,
    least: float = 0.0,
) -> tuple[Values, Values]:
    """Draw parameters from the prior, and their signal with noise.

    Parameters
    ----------
    noise : float
        Standard deviation, percent.
    least : float
        Connections and changes of them that are nearer to zero than this are drawn again.

    Returns
    -------
    parameters : ndarray, shape (n_parameters,)
    signal : ndarray, shape (n_scans, n_regions)
    """
    mean, variance = model.prior
    n, n_inputs = model.c.shape
    coupling = np.arange(n * n + n_inputs * n * n)
    own = np.arange(n) * (n + 1)
    coupling = coupling[(variance[coupling] > 0) & ~np.isin(coupling, own)]
    for _ in range(1000):
        drawn = mean + np.sqrt(variance) * rng.standard_normal(mean.size)
        if least and np.abs(drawn[coupling]).min(initial=np.inf) < least:
            continue
        if not _stable(model, drawn, inputs):
            continue
        signal = predicted(model, drawn[None], inputs, interval_s=interval_s)[0]
        if np.isfinite(signal).all() and np.abs(signal).max() < 20:
            return drawn, signal + noise * rng.standard_normal(signal.shape)
    raise BadArgumentError(
        "a model whose prior allows stable dynamics",
        "none in 1000 draws",
        "Leave connections out, or ask for a smaller least strength.",
    )


def _stable(model: Model, parameters: Values, inputs: Values) -> bool:
    a, b, *_ = model.split(parameters[None])
    each = [a[0] + np.tensordot(u, b[0], axes=1) for u in np.unique(inputs, axis=0)]
    return all(float(np.linalg.eigvals(m).real.max()) < -0.05 for m in each)
