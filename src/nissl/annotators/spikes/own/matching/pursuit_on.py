"""Scores and matching pursuit through PyTorch: the passes of `pursuit`, all spikes of one at once.

On one device the spikes are the same from run to run: no sum depends on which of its threads comes
first. What several spikes of a pass take out of one score is taken out in turns, by spikes so far
apart that no two of a turn touch the same number. On another device, or by the compiled code,
sums are rounded otherwise: spikes whose gain is next to nothing, or next to a rival's, may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.matching.pursuit import (
    LEAST_AMPLITUDE,
    MAX_PASSES,
    MOST_AMPLITUDE,
    PRIOR,
    Matched,
    costs,
    no_spikes,
    rivals_of,
)
from nissl.annotators.spikes.own.templates.projection import N_PHASES
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.errors import MemoryBudgetError
from nissl.nets.backend import pytorch

Samples = npt.NDArray[np.float32]
Tensor = Any

BLOCK = 4096
"""Samples whose projections are held at once."""
AT_ONCE = 2**21
"""Pairs of candidates, or scores to be changed, that are held at once."""


def pursue_on(
    z: Samples, templates: Templates, rate_hz: float, least: float, device: str
) -> Matched:
    """Find the spikes of all units in white samples, as `pursuit.pursue` does.

    Threads take turns: one stretch at a time is on the device, whatever the number of workers.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    templates : Templates
        They stay on the device for as long as they are used.
    rate_hz : float
        Of the white samples.
    least : float
        Least amplitude of a spike, in templates.
    device : str
        From `devices.chosen`, not "cpu".

    Returns
    -------
    Matched
        In order of samples, ties by unit.

    Raises
    ------
    MemoryBudgetError
        The device has too little memory.
    """
    windows = templates.windows
    if not len(templates) or len(z) < windows.scored:
        return no_spikes()
    torch = pytorch()
    with _LOCK, torch.inference_mode(), _exact(torch), _enough(torch, z, device):
        held = _held(templates, device)
        total = templates.norms.astype(np.float64) + PRIOR
        cost = costs(templates, rate_hz).astype(np.float64)
        limits = _limits(templates, total, cost, least)
        scores = scores_on(z, held)
        found = _pursue(scores, held, held.real(total), held.real(cost), limits, rivals_of(rate_hz))
    if not len(found):
        return found
    return found.taken(np.lexsort((found.unit, found.at))).moved(windows.before)


@dataclass(frozen=True, eq=False)
class Held:
    """What a pursuit needs of templates, on a device.

    Parameters
    ----------
    basis : tensor, shape (n_shapes, n_scored), float32
    weights : tensor, shape (n_units, n_channels * n_shapes), float32
    norms : tensor, shape (n_units,), float32
    overlaps : tensor, shape (n_units, n_units), bool
    start, columns : tensor, int64
        `Templates.pairs`.
    echoes : tensor, shape (n_pairs, 11, n_lags), float32
    heights, skews : tensor, shape (n_units, 11), float64
        Each unit's score at its own spike at 11 shifts, and the peak of the parabola through it
        and its neighbours; float32 on "mps", which has no other.
    reach, refractory : int
        Samples; of `Templates` and `Windows`.
    """

    basis: Tensor
    weights: Tensor
    norms: Tensor
    overlaps: Tensor
    start: Tensor
    columns: Tensor
    echoes: Tensor
    heights: Tensor
    skews: Tensor
    reach: int
    refractory: int

    @property
    def n_lags(self) -> int:
        """Scores of a unit that a spike changes."""
        return int(self.echoes.shape[2])

    def real(self, values: Any) -> Tensor:
        """Numbers beside these, with the digits that single spikes are computed with."""
        known = pytorch().as_tensor(values).to(self.heights.dtype)
        return known.to(self.heights.device)


_LOCK = Lock()
_ON: WeakKeyDictionary[Templates, dict[str, Held]] = WeakKeyDictionary()


def _held(templates: Templates, device: str) -> Held:
    """Templates on a device, brought there once."""
    known = _ON.setdefault(templates, {})
    if device not in known:
        known[device] = _brought(templates, device)
    return known[device]


def _brought(templates: Templates, device: str) -> Held:
    torch = pytorch()
    where = torch.device(device.removeprefix("torch:"))
    real = torch.float32 if where.type == "mps" else torch.float64

    def there(values: Any, kind: Any = torch.float32) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(values)).to(kind).to(where)

    start, columns = templates.pairs
    left, heights, right = (templates.own[:, :, k].astype(np.float64) for k in range(3))
    bend = 2 * heights - left - right
    bent = bend > 1e-6
    ends = np.where(np.arange(bend.shape[1]) < bend.shape[1] // 2, -9.0, 9.0)
    skews = np.where(bent, 0.5 * (right - left) / np.where(bent, bend, 1), ends)
    return Held(
        there(templates.basis),
        there(templates.weights.transpose(0, 2, 1)).flatten(1),
        there(templates.norms),
        there(templates.overlaps, torch.bool),
        there(start, torch.int64),
        there(columns, torch.int64),
        there(templates.echoes),
        there(heights, real),
        there(skews, real),
        templates.reach,
        templates.windows.refractory,
    )


@contextmanager
def _exact(torch: Any) -> Iterator[None]:
    """Products of matrices in full float32, whatever the program around has chosen."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _enough(torch: Any, z: Samples, device: str) -> Iterator[None]:
    """Say what to do where a device has too little memory."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryBudgetError(
            f"memory on device={device} for {z.shape[0]} samples of {z.shape[1]} channels",
            str(error).partition("\n")[0],
            "End what else computes there, or take device=cpu.",
        ) from error


def scores_on(z: Samples, held: Held) -> Tensor:
    """Scores of templates, with room on both sides for what spikes take out beyond the ends.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
    held : Held

    Returns
    -------
    tensor, shape (n_units, n - n_scored + n_lags), float32
        Number `held.reach` + t is of the scored window that begins at sample t.
    """
    torch = pytorch()
    scored = held.basis.shape[1]
    n = len(z) - scored + 1
    x = torch.as_tensor(np.ascontiguousarray(z)).to(held.basis.device).T.contiguous()
    out = held.norms.new_zeros(len(held.norms), n + held.n_lags - 1)
    for first in range(0, n, BLOCK):
        stop = min(first + BLOCK, n)
        cut = x[:, first : stop + scored - 1].unfold(1, stop - first, 1)
        rows = torch.matmul(held.basis, cut).reshape(-1, stop - first)
        out[:, held.reach + first : held.reach + stop] = held.weights @ rows
    return out


def _limits(
    templates: Templates, total: npt.NDArray[Any], cost: npt.NDArray[Any], least: float
) -> npt.NDArray[Any]:
    """Least score of each unit that a spike may have where its samples happen to lie."""
    low = np.sqrt(2 * total * (cost + PRIOR / 2)) - PRIOR
    own = templates.own[:, :, 1].astype(np.float64)
    off = np.minimum(own[:, 0], own[:, -1]) / own[:, own.shape[1] // 2]
    return np.asarray(np.maximum(low * off * 0.95, least * templates.norms))


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Peaks of scores that would gain something, in order of time, ties by unit; tensors."""

    at: Tensor
    unit: Tensor
    shift: Tensor
    peak: Tensor
    gain: Tensor

    def taken(self, which: Tensor) -> _Candidates:
        return _Candidates(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def _pursue(
    scores: Tensor, held: Held, total: Tensor, cost: Tensor, limits: Any, rivals: int
) -> Matched:
    """Passes until nothing is gained; the spikes of one after those of the other."""
    torch = pytorch()
    n_units, wide = held.norms.shape[0], scores.shape[1]
    n, around = wide - held.n_lags + 1, 2 * held.refractory + 1
    barred = torch.zeros((n_units, n + around - 1), dtype=torch.bool, device=scores.device)
    limits = torch.as_tensor(limits).to(scores)
    near = torch.arange(around, device=scores.device)
    out: list[tuple[Tensor, ...]] = []
    for _ in range(MAX_PASSES):
        free = ~barred[:, held.refractory : held.refractory + n]
        inside = scores[:, held.reach : held.reach + n]
        seen = _candidates(inside, free, held, total, cost, limits)
        if not len(seen.at):
            break
        best, rival, rival_gain = _winners(seen, held.overlaps, rivals)
        spikes = seen.taken(best)
        out.append(
            (
                spikes.at,
                spikes.shift,
                spikes.unit,
                spikes.peak / held.norms[spikes.unit],
                spikes.gain,
                rival,
                rival_gain,
            )
        )
        rows = spikes.unit * barred.shape[1] + spikes.at
        barred.view(-1)[rows[:, None] + near] = True
        _take_out(scores, spikes, held, total)
    if not out:
        return no_spikes()
    return Matched(*(torch.cat(each).cpu().numpy() for each in zip(*out, strict=True)))


def _candidates(
    scores: Tensor, free: Tensor, held: Held, total: Tensor, cost: Tensor, limits: Tensor
) -> _Candidates:
    torch = pytorch()
    middle = scores[:, 1:-1]
    peaks = (middle >= limits[:, None]) & (scores[:, :-2] <= middle) & (scores[:, 2:] < middle)
    unit, at = torch.nonzero(peaks & free[:, 1:-1], as_tuple=True)
    at, order = torch.sort(at + 1, stable=True)
    unit = unit[order]
    left, middle, right = (scores[unit, at + k].to(total) for k in (-1, 0, 1))
    shift, peak = _sub_sample(held.heights[unit], held.skews[unit], left, middle, right)
    gain = (peak + PRIOR) ** 2 / (2 * total[unit]) - PRIOR / 2 - cost[unit]
    every = _Candidates(at, unit, shift.float(), peak.float(), gain.float())
    return every.taken(gain > 0)


def _sub_sample(
    heights: Tensor, skews: Tensor, left: Tensor, middle: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    """Shift at which each unit's own scores look like these, and the score at the peak itself."""
    torch = pytorch()
    last = heights.shape[1] - 1
    bend = 2 * middle - left - right
    bent = bend > 1e-6
    seen = torch.where(bent, 0.5 * (right - left) / torch.where(bent, bend, 1.0), 0.0)[:, None]
    beyond = skews >= seen
    after = torch.where(beyond.any(1), beyond.int().argmax(1), last)[:, None]
    before = (after - 1).clamp(min=0)
    v, w = skews.gather(1, before), skews.gather(1, after)
    part = ((seen - v) / (w - v).clamp(min=1e-6)).clamp(0.0, 1.0)
    low, high = heights.gather(1, before), heights.gather(1, after)
    shift = (before + part) / last - 0.5
    peak = middle * heights[:, last // 2] / (low + part * (high - low))[:, 0]
    return shift[:, 0], peak


def _winners(seen: _Candidates, overlaps: Tensor, rivals: int) -> tuple[Tensor, Tensor, Tensor]:
    """Candidates with the largest gain near them, among units that overlap.

    Returns
    -------
    best : tensor, shape (n_best,), int64
    rival : tensor, shape (n_best,), int64
        The unit that gains the most beside each; -1 none.
    rival_gain : tensor, shape (n_best,), float32
    """
    torch = pytorch()
    n, at = len(seen.at), seen.at
    order = torch.sort(seen.gain, descending=True, stable=True).indices
    rank = torch.empty_like(order)  # equal gains: the first counts as more
    rank[order] = torch.arange(n, 0, -1, device=at.device)
    low = torch.searchsorted(at, at - rivals)
    count = torch.searchsorted(at, at + rivals, right=True) - low
    most = int(count.max())
    places = torch.arange(most, device=at.device)
    found: list[tuple[Tensor, Tensor]] = []
    for some in torch.arange(n, device=at.device).split(max(1, AT_ONCE // most)):
        other = (low[some, None] + places).clamp(max=n - 1)
        own, unit = seen.unit[some, None], seen.unit[other]
        ranks = torch.where((places < count[some, None]) & overlaps[own, unit], rank[other], 0)
        best = torch.nonzero(ranks.amax(1) <= rank[some])[:, 0]
        apart = (at[other] - at[some, None]).abs() * 4 > rivals
        second = torch.where((unit == own) | apart, 0, ranks)[best].amax(1)
        found.append((some[best], second))
    best, second = (torch.cat(each) for each in zip(*found, strict=True))
    there = second > 0
    which = order[torch.where(there, n - second, 0)]
    return best, torch.where(there, seen.unit[which], -1), torch.where(there, seen.gain[which], 0.0)


def _take_out(scores: Tensor, spikes: _Candidates, held: Held, total: Tensor) -> None:
    """Take spikes out of the scores of all units that overlap theirs, in place.

    Spikes that change a unit's scores are counted in order of time, and come in as many turns as
    there are at most within the lags of one: those of a turn are too far apart to meet.
    """
    torch = pytorch()
    wide, n_lags, device = scores.shape[1], held.n_lags, scores.device
    size = ((spikes.peak + PRIOR) / total[spikes.unit].float()).clamp(
        LEAST_AMPLITUDE, MOST_AMPLITUDE
    )
    first = held.start[spikes.unit]
    count = held.start[spikes.unit + 1] - first
    spike = torch.repeat_interleave(torch.arange(len(count), device=device), count)
    nth = torch.arange(len(spike), device=device)
    pair = first[spike] + nth - (torch.cumsum(count, 0) - count)[spike]
    key, order = torch.sort(held.columns[pair] * (wide + n_lags) + spikes.at[spike], stable=True)
    spike, pair = spike[order], pair[order]
    turns = int((nth - torch.searchsorted(key, key - n_lags + 1)).max()) + 1
    rows = held.columns[pair] * wide + spikes.at[spike]
    place = (spikes.shift.to(total) + 0.5) * N_PHASES
    phase = place.long().clamp(max=N_PHASES - 1)
    part = (place - phase).float()
    lags = torch.arange(n_lags, device=device)
    flat = scores.view(-1)
    for turn in range(turns):
        for some in nth[turn::turns].split(max(1, AT_ONCE // n_lags)):
            i, q = spike[some], pair[some]
            p, late = phase[i], part[i][:, None]
            echo = (1 - late) * held.echoes[q, p] + late * held.echoes[q, p + 1]
            flat[rows[some, None] + lags] -= size[i, None] * echo
