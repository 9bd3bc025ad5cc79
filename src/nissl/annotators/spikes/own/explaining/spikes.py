"""Why a spike was given to its unit: what was there, what is left of it, who was the runner-up.

All is in white samples, whose noise has an SD of 1, after the other spikes were taken out. The
runner-up is the other unit with the largest gain within half a millisecond, where that gain is
above 0: otherwise the choice was between this unit and no spike. Both gains (module `pursuit`)
are sums over channels, but for what the prior on amplitudes and the rates add; their difference is
the log likelihood ratio, and a channel's part in it says how much that channel decided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.explaining.surroundings import Surroundings, units_of
from nissl.annotators.spikes.own.matching.pursuit import (
    LEAST_AMPLITUDE,
    MOST_AMPLITUDE,
    PRIOR,
    RIVAL_MS,
    costs,
)
from nissl.annotators.spikes.own.matching.subtraction import subtract, used_amplitude
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.annotators.spikes.own.templates.projection import project
from nissl.annotators.spikes.own.templates.templates import Templates

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

DECIDED = 0.8
"""Channels that together hold this share of all that spoke for the unit are those that decided."""
REFINED = 4
"""So many of the best other units are tried at parts of a sample."""


@dataclass(frozen=True, eq=False)
class Explained:
    """One spike.

    Parameters
    ----------
    sample : int
        Of the recording.
    unit, template : int
        Of the fitted sorter.
    amplitude : float
        In templates, as it was matched; what is subtracted is drawn towards 1 by the prior.
    gain : float
        Log likelihood ratio against no spike, once all other spikes are known.
    rival, rival_template : int
        The runner-up; -1 where no other unit gains anything.
    rival_gain : float
        0 where there is none.
    columns : tuple of int
        Channels of the signal.
    rate_hz : float
        Of the white samples.
    peak : int
        Row at which the spike is.
    samples, others, own, runner_up : ndarray, shape (n, n_channels), float32
        White samples; what other spikes explain of them; what was subtracted for this one;
        what the runner-up would have subtracted (zeros: none). Noise SDs.
    energy_before, energy_after : float
        Mean square on the channels of the template in the window by which spikes are told,
        before and after this spike is subtracted, others taken out; as a share of that of the
        noise: what is left around the spike, on the same channels.
    llr : ndarray, shape (n_channels,), float64
        Each channel's part in the log likelihood ratio between the unit and the runner-up.
    llr_prior : float
        Part of the amplitudes' and the rates' priors.
    """

    sample: int
    unit: int
    template: int
    amplitude: float
    gain: float
    rival: int
    rival_template: int
    rival_gain: float
    columns: tuple[int, ...]
    rate_hz: float
    peak: int
    samples: Samples
    others: Samples
    own: Samples
    runner_up: Samples
    energy_before: float
    energy_after: float
    llr: Values
    llr_prior: float

    @property
    def left(self) -> Samples:
        """What is left when all spikes are subtracted, shape (n, n_channels)."""
        return self.samples - self.others - self.own

    @property
    def share(self) -> Values:
        """Share of each channel in all that spoke for the unit; negative where it spoke against."""
        total = float(np.sum(np.maximum(self.llr, 0)))
        return self.llr / total if total > 0 else np.zeros_like(self.llr)

    @property
    def deciding(self) -> tuple[int, ...]:
        """Channels that decided, columns of the signal, the weightiest first."""
        return tuple(self.columns[c] for c in deciding(self.llr))

    @property
    def odds(self) -> Values:
        """Probabilities of this unit, the runner-up and no spike, by the gains alone.

        They hold for noise as it was modelled and templates without error, so they are surer than
        they should be; they are not a calibrated confidence.
        """
        every = np.asarray([self.gain, self.rival_gain if self.rival >= 0 else -np.inf, 0.0])
        weight = np.exp(every - every.max())
        return np.asarray(weight / weight.sum())


def deciding(llr: Values) -> list[int]:
    """The fewest channels that hold `DECIDED` of all that is positive, the largest first."""
    order = np.argsort(-llr, kind="stable")
    held = np.cumsum(np.maximum(llr[order], 0))
    if not held[-1] > 0:
        return []
    return [int(c) for c in order[: 1 + int(np.searchsorted(held, DECIDED * held[-1]))]]


@dataclass(frozen=True, eq=False)
class _Claim:
    """How well a template explains samples: gain, and its parts."""

    template: int
    gain: float
    amplitude: float
    by_channel: Values
    prior: float
    wave: Samples


def explain(around: Surroundings, which: int, fitted: Fitted) -> Explained:
    """Explain a spike from its surroundings.

    Parameters
    ----------
    around : Surroundings
    which : int
        Row of its spikes.
    fitted : Fitted
        The sorter that matched them.
    """
    templates, front = fitted.templates, fitted.front
    if templates is None:  # then there are no spikes
        raise IndexError(which)
    spikes, windows = around.spikes, templates.windows
    one = spikes.taken(np.asarray([which]))
    template = int(spikes.unit[which])
    first = int(spikes.at[which]) - windows.long_before
    own = _cut(-subtract(np.zeros_like(around.z), one, templates), first, windows.long)
    nothing = subtract(around.z, spikes, templates)
    left = _cut(nothing, first, windows.long)
    samples = _cut(around.z, first, windows.long)
    clean = left + own
    seen = project(clean, templates.basis).transpose(2, 1, 0)
    cost = costs(templates, front.rate_hz)
    used = float(used_amplitude(one, templates)[0])
    claim = _claimed(own / np.float32(used), seen[windows.lead], template, templates, cost, used)
    rival = _rival(seen, template, fitted, templates, cost)
    rows = slice(windows.lead, windows.lead + windows.scored)
    held = templates.channels[template]
    near = held[held >= 0]
    noise = _noise(nothing[:, near], first, windows.long)
    return Explained(
        sample=int(around.sample[which]),
        unit=int(units_of(fitted)[template]),
        template=template,
        amplitude=float(spikes.amplitude[which]),
        gain=claim.gain,
        rival=-1 if rival is None else int(units_of(fitted)[rival.template]),
        rival_template=-1 if rival is None else rival.template,
        rival_gain=0.0 if rival is None else rival.gain,
        columns=front.columns,
        rate_hz=front.rate_hz,
        peak=windows.long_before,
        samples=samples,
        others=samples - left - own,
        own=own,
        runner_up=np.zeros_like(own) if rival is None else rival.wave,
        energy_before=float(np.mean(clean[rows][:, near] ** 2)) / noise,
        energy_after=float(np.mean(left[rows][:, near] ** 2)) / noise,
        llr=claim.by_channel - (0.0 if rival is None else rival.by_channel),
        llr_prior=claim.prior - (0.0 if rival is None else rival.prior),
    )


def _cut(z: Samples, first: int, n: int) -> Samples:
    """Rows `first` to `first + n`, zeros where there are none."""
    out = np.zeros((n, z.shape[1]), np.float32)
    low, high = max(first, 0), min(first + n, len(z))
    if low < high:
        out[low - first : high - first] = z[low:high]
    return out


def _noise(left: Samples, first: int, n: int) -> float:
    """Variance of what is left outside of some rows; robust, as something may be unexplained."""
    outside = np.ones(len(left), np.bool_)
    outside[max(first, 0) : max(first + n, 0)] = False
    if not outside.any() or not left.size:
        return 1.0
    level = float(np.median(np.abs(left[outside]))) / 0.6745
    return max(level**2, 1e-6)


def _gains(
    score: Values | float, norm: Values | float, cost: Samples | float
) -> tuple[Values, Values]:
    """Gain of scores, and the amplitudes at which it is reached."""
    best = (np.asarray(score, np.float64) + PRIOR) / (norm + PRIOR)
    amplitude = np.asarray(np.clip(best, LEAST_AMPLITUDE, MOST_AMPLITUDE))
    prior = PRIOR / 2 * (amplitude - 1) ** 2
    gain = amplitude * score - amplitude**2 * norm / 2 - prior - cost
    return np.asarray(gain, np.float64), amplitude


def _claimed(
    wave: Samples,
    seen: Samples,
    template: int,
    templates: Templates,
    cost: Samples,
    amplitude: float | None = None,
) -> _Claim:
    """What a template that is moved in time explains of projected samples.

    Parameters
    ----------
    wave : ndarray, shape (n_long, n_channels)
        The template at its moment.
    seen : ndarray, shape (n_shapes, n_channels)
    """
    windows = templates.windows
    shapes = templates.basis @ wave[windows.lead : windows.lead + windows.scored]
    score = np.sum(shapes * seen, axis=0, dtype=np.float64)
    norm = np.sum(shapes**2, axis=0, dtype=np.float64)
    if amplitude is None:
        _, best = _gains(float(score.sum()), float(norm.sum()), float(cost[template]))
        amplitude = float(best)
    by_channel = np.asarray(amplitude * score - amplitude**2 * norm / 2, np.float64)
    prior = -PRIOR / 2 * (amplitude - 1) ** 2 - float(cost[template])
    gain = float(by_channel.sum()) + prior
    return _Claim(template, gain, amplitude, by_channel, prior, np.float32(amplitude) * wave)


def _rival(
    seen: Samples, template: int, fitted: Fitted, templates: Templates, cost: Samples
) -> _Claim | None:
    """The other unit that explains the samples best, if any explains them better than noise."""
    unit, windows = units_of(fitted), templates.windows
    others = np.flatnonzero(templates.overlaps[template] & (unit != unit[template]))
    if not others.size:
        return None
    half = min(max(1, round(RIVAL_MS * fitted.front.rate_hz / 1000)) // 2, windows.lead)
    rows = seen[windows.lead - half : windows.lead + half + 1]
    score = np.asarray(
        rows.reshape(len(rows), -1) @ templates.weights[others].reshape(others.size, -1).T
    ).astype(np.float64)
    gain, _ = _gains(score, templates.norms[others].astype(np.float64), cost[others])
    best = np.argsort(-gain.max(axis=0), kind="stable")[:REFINED]
    claims = [
        _at_best_phase(seen, int(np.argmax(gain[:, k])) - half, int(others[k]), templates, cost)
        for k in best
    ]
    found = max(claims, key=lambda claim: claim.gain)
    return found if found.gain > 0 else None


def _at_best_phase(
    seen: Samples, lag: int, template: int, templates: Templates, cost: Samples
) -> _Claim:
    """A template's claim at the part of a sample at which it gains most."""
    windows, near = templates.windows, templates.channels[template]
    near = near[near >= 0]
    row = seen[windows.lead + lag]
    moved = templates.moved[template][:, :, : near.size]
    shapes = np.einsum(
        "kj,pjm->pkm", templates.basis, moved[:, windows.lead : windows.lead + windows.scored]
    )
    score = np.einsum("pkm,km->p", shapes, row[:, near], dtype=np.float64)
    norm = np.asarray(np.sum(shapes**2, axis=(1, 2)), np.float64)
    phase = int(np.argmax(_gains(score, norm, float(cost[template]))[0]))
    wave = np.zeros((windows.long, seen.shape[2]), np.float32)
    wave[:, near] = moved[phase]
    claim = _claimed(wave, row, template, templates, cost)
    return replace(claim, wave=_later(claim.wave, lag))


def _later(wave: Samples, lag: int) -> Samples:
    out = np.zeros_like(wave)
    n = len(wave)
    out[max(lag, 0) : n + min(lag, 0)] = wave[max(-lag, 0) : n - max(lag, 0)]
    return out
