"""Simulated spiking networks whose synapses are known.

Leaky integrate-and-fire neurons, excitatory and inhibitory, with delays of their own, a slow
drive that groups of them share, and noise. Some may be left unobserved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Network:
    """Spike trains and the synapses behind them.

    Parameters
    ----------
    trains : tuple of ndarray, int64
        Sorted bins of 1 ms in which each neuron fires.
    n_bins : int
    weights : ndarray, shape (n_neurons, n_neurons), float64
        From presynaptic (row) to postsynaptic (column) neuron, mV; zero without a synapse.
    delays : ndarray, shape (n_neurons, n_neurons), int64
        Milliseconds.
    group : ndarray, shape (n_neurons,), int64
        Neurons of one group share a slow drive.
    """

    trains: tuple[Indices, ...]
    n_bins: int
    weights: Values
    delays: Indices
    group: Indices

    @property
    def truth(self) -> npt.NDArray[np.bool_]:
        """Which ordered pairs have a synapse, shape (n_neurons, n_neurons)."""
        return np.asarray(self.weights != 0)

    def observed(self, seen: npt.ArrayLike) -> Network:
        """The part of the network that is recorded; the rest goes on driving unseen."""
        at = np.asarray(seen, dtype=np.int64)
        return Network(
            tuple(self.trains[i] for i in at),
            self.n_bins,
            self.weights[np.ix_(at, at)],
            self.delays[np.ix_(at, at)],
            self.group[at],
        )


def spiking_network(
    rng: np.random.Generator,
    *,
    n_neurons: int = 40,
    duration_s: float = 600.0,
    probability: float = 0.1,
    weight_mv: float = 2.5,
    inhibitory: float = 0.2,
    longest_ms: int = 20,
    common_mv: float = 3.0,
    common_s: float = 0.2,
    n_groups: int = 4,
    rate_hz: float = 6.0,
) -> Network:
    """Simulate a network in steps of 1 ms.

    Parameters
    ----------
    rng : numpy Generator
    n_neurons : int
    duration_s : float
    probability : float
        Of a synapse, for each ordered pair.
    weight_mv : float
        Jump of the membrane by an excitatory synapse, times a lognormal factor of 0.3;
        threshold lies 15 mV above rest. Inhibitory ones are twice as strong.
    inhibitory : float
        Share of neurons.
    longest_ms : int
        Delays are drawn from 1 to it.
    common_mv, common_s : float
        Standard deviation and time constant of the drive that a group shares.
    n_groups : int
    rate_hz : float
        Aimed at; each neuron's constant input follows it during the first 20 s, which are
        not recorded.
    """
    if n_neurons < 2 or duration_s <= 0 or longest_ms < 1:
        raise BadArgumentError(
            "two or more neurons, a duration above zero, delays of 1 ms or more",
            f"{n_neurons}, {duration_s} s, {longest_ms} ms",
            "Change these numbers.",
        )
    weights = _weights(rng, n_neurons, probability, weight_mv, inhibitory)
    delays = rng.integers(1, longest_ms + 1, weights.shape)
    group = rng.permutation(np.arange(n_neurons) % n_groups)
    targets = [np.flatnonzero(row) for row in weights]
    strengths = [row[at] for row, at in zip(weights, targets, strict=True)]
    lags = [row[at] for row, at in zip(delays, targets, strict=True)]

    keep, warm, ring = np.exp(-1 / 20.0), 20_000, longest_ms + 1
    n_bins = round(1000 * duration_s)
    drift, shared_keep = np.full(n_neurons, 10.0), np.exp(-1 / (1000 * common_s))
    spread = np.sqrt(1 - keep**2) * 3.0  # membrane noise of 3 mV
    arriving = np.zeros((ring, n_neurons))
    membrane, quiet = np.zeros(n_neurons), np.zeros(n_neurons, dtype=np.int64)
    shared = np.zeros(n_groups)
    fired: list[tuple[int, int]] = []
    block = 1000
    for start in range(-warm, n_bins, block):
        noise = spread * rng.standard_normal((block, n_neurons))
        walk = common_mv * np.sqrt(1 - shared_keep**2) * rng.standard_normal((block, n_groups))
        for step in range(min(block, n_bins - start)):
            now = start + step
            slot = now % ring
            shared = shared_keep * shared + walk[step]
            rest = drift + shared[group]
            membrane = rest + keep * (membrane - rest) + arriving[slot] + noise[step]
            arriving[slot] = 0.0
            quiet -= 1
            spikes = np.flatnonzero((membrane > 15.0) & (quiet < 0))
            if now < 0:
                drift += 2e-5 * rate_hz
                drift[spikes] -= 0.02
            if spikes.size:
                membrane[spikes] = 0.0
                quiet[spikes] = 2
                for neuron in spikes:
                    arriving[(now + lags[neuron]) % ring, targets[neuron]] += strengths[neuron]
                if now >= 0:
                    fired.extend((now, int(neuron)) for neuron in spikes)
    at = np.asarray(fired, dtype=np.int64).reshape(-1, 2)
    trains = tuple(at[at[:, 1] == i, 0] for i in range(n_neurons))
    return Network(trains, n_bins, weights, delays, group)


def _weights(
    rng: np.random.Generator, n: int, probability: float, mv: float, inhibitory: float
) -> Values:
    strength = mv * np.exp(0.3 * rng.standard_normal((n, n)))
    sign = np.where(rng.permutation(n) < round(inhibitory * n), -2.0, 1.0)
    present = rng.random((n, n)) < probability
    np.fill_diagonal(present, False)
    return np.where(present, strength * sign[:, None], 0.0)
