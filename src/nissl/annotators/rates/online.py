"""Spikes and rates frame by frame, while a recording runs, with a stated delay.

Frame `t` is answered once frame ``t + look_ahead`` is there, from frames up to that one and from
nothing later. `OnlineDeconvolution` answers what `nissl.annotators.rates.pools` would answer for
the trace cut off there. `OnlineNetwork` answers what the network would for a trace cut off there;
with a look-ahead of its whole reach (the default) that is its answer for the whole trace.

What is taken from a trace as a whole offline (baseline and penalty, the scales of the network) is
taken from the past here: first after `warm_s`, when all frames until then are answered at once,
then anew every `refresh_s`, one cell after the other, from the last `past_s`. Answers do not depend
on how many frames come at once. The same code over a file is the offline form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.deconvolution import decay_of, filled, noise_of, taken_of
from nissl.annotators.rates.model import Ensemble
from nissl.annotators.rates.network import Array, Scale
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

NEAR = 0.05
"""Part by which a stream's rate may differ from a network's."""
POOLS = 1024
"""Pools that are kept of each cell."""


class _Online(ABC):
    """What both share: chunks, the past, warming up and refreshing.

    Parameters
    ----------
    n_cells : int
    rate_hz : float
        Frames per second.
    look_ahead : int
        Frames after a frame that its answer depends on.
    hop : int
        Frames that are answered together.
    warm_s, refresh_s, past_s : float
        See the module.
    """

    def __init__(
        self,
        n_cells: int,
        rate_hz: float,
        look_ahead: int,
        *,
        hop: int = 1,
        warm_s: float = 20.0,
        refresh_s: float = 30.0,
        past_s: float = 120.0,
    ) -> None:
        warm, every, past = (round(s * rate_hz) for s in (warm_s, refresh_s, past_s))
        if min(n_cells, hop) < 1 or look_ahead < 0 or warm < 3 or every < 1 or past < warm:
            raise BadArgumentError(
                "a cell or more, a look-ahead from 0 on, three frames to warm up, a past that is "
                "no shorter, and some time between refreshments",
                f"{n_cells} cells, {look_ahead} frames, warm {warm}, past {past}, every {every}",
                "Mend the settings.",
            )
        self.n_cells, self.rate_hz = n_cells, rate_hz
        self.look_ahead, self.hop = look_ahead, hop
        self._warm, self._every = warm, every
        self._past = np.full((past, n_cells), np.nan)
        self._seen = 0
        self._answered = 0

    @property
    def delay_frames(self) -> int:
        """Most frames from a frame to its answer, after warming up."""
        return self.look_ahead + self.hop - 1

    @property
    def delay_s(self) -> float:
        """The same in seconds, the frame itself included."""
        return (self.delay_frames + 1) / self.rate_hz

    def push(self, frames: npt.ArrayLike) -> tuple[int, Values]:
        """Take the next frames.

        Parameters
        ----------
        frames : array-like, shape (n, n_cells), dF/F
            Any n, also 0; NaN where a value is missing.

        Returns
        -------
        first : int
            Number of the first frame that is answered now.
        answers : ndarray, shape (m, n_cells), float64
            Unit of the method; NaN where nothing can be said.
        """
        new = np.asarray(frames, np.float64)
        if new.ndim != 2 or new.shape[1] != self.n_cells:
            raise BadArgumentError(
                f"frames of shape (n, {self.n_cells})", f"shape {new.shape}", "Mend the chunk."
            )
        first, parts = self._answered, [np.empty((0, self.n_cells))]
        start = 0
        while start < len(new):
            stop = min(start + self._until_change(), len(new))
            parts.append(self._taken(new[start:stop]))
            start = stop
        answers = np.concatenate(parts)
        self._answered += len(answers)
        return first, answers

    def finish(self) -> tuple[int, Values]:
        """Answer the last frames with what is there; nothing can be pushed after."""
        first = self._answered
        answers = self._last() if self._seen >= self._warm else np.empty((0, self.n_cells))
        self._answered += len(answers)
        return first, answers

    def _until_change(self) -> int:
        """Frames until something is fitted."""
        if self._seen < self._warm:
            return self._warm - self._seen
        # cells take turns, so that no frame waits for all of them
        turn = max(self._every // self.n_cells, 1)
        return turn - (self._seen - self._warm) % turn

    def _taken(self, new: Values) -> Values:
        keep = len(self._past) - len(new)
        self._past = np.concatenate([self._past[len(self._past) - max(keep, 0) :], new])[
            -len(self._past) :
        ]
        warm_before = self._seen >= self._warm
        self._seen += len(new)
        if not warm_before:
            if self._seen < self._warm:
                return np.empty((0, self.n_cells))
            for cell in range(self.n_cells):
                self._fit(cell, self._past[-self._warm :, cell])
            return self._step(self._past[-self._warm :])
        answers = self._step(new)
        turn = max(self._every // self.n_cells, 1)
        if (self._seen - self._warm) % turn == 0:
            cell = (self._seen - self._warm) // turn % max(self.n_cells, self._every // turn)
            if cell < self.n_cells:
                self._fit(cell, self._past[-min(self._seen, len(self._past)) :, cell])
        return answers

    @abstractmethod
    def _fit(self, cell: int, past: Values) -> None:
        """Take what is needed of a trace as a whole from its past."""

    @abstractmethod
    def _step(self, new: Values) -> Values:
        """Answers that more frames bring."""

    @abstractmethod
    def _last(self) -> Values:
        """Answers to the frames that still wait."""


class OnlineDeconvolution(_Online):
    """Deconvolution of first order frame by frame; answers are gains of dF/F.

    Parameters
    ----------
    n_cells : int
    rate_hz : float
    look_ahead_s : float
        Later frames can merge a jump with an earlier one; most do within some frames.
    decay_s : float, optional
        Time constant of the indicator; by default estimated when warm, cell by cell.
    warm_s, refresh_s, past_s : float
        See the module.
    """

    def __init__(
        self,
        n_cells: int,
        rate_hz: float,
        *,
        look_ahead_s: float = 0.3,
        decay_s: float | None = None,
        warm_s: float = 20.0,
        refresh_s: float = 30.0,
        past_s: float = 120.0,
    ) -> None:
        super().__init__(
            n_cells,
            rate_hz,
            round(look_ahead_s * rate_hz),
            warm_s=warm_s,
            refresh_s=refresh_s,
            past_s=past_s,
        )
        if self.look_ahead > POOLS // 4:
            raise BadArgumentError(
                f"a look-ahead of at most {POOLS // 4} frames",
                f"{self.look_ahead}",
                "Deconvolve the file when it is complete.",
            )
        self._decay_s = decay_s
        self._g, self._offset = np.full(n_cells, np.nan), np.zeros(n_cells)
        self._level, self._weight = np.zeros((n_cells, POOLS)), np.zeros((n_cells, POOLS))
        self._length = np.zeros((n_cells, POOLS), np.int64)
        self._n_pools = np.zeros(n_cells, np.int64)

    def _fit(self, cell: int, past: Values) -> None:
        if int(np.isfinite(past).sum()) < 3:
            return
        sd = noise_of(past)
        if np.isnan(self._g[cell]):
            tau = decay_of(past, self.rate_hz, sd) if self._decay_s is None else self._decay_s
            self._g[cell] = np.exp(-1 / (self.rate_hz * tau))
        self._offset[cell] = taken_of(past, float(self._g[cell]), sd)

    def _step(self, new: Values) -> Values:
        from nissl.annotators.rates import pools

        g = np.where(np.isnan(self._g), 0.0, self._g)
        out: Values = pools.advance(
            np.ascontiguousarray(new), g, self._offset, self.look_ahead,
            self._level, self._weight, self._length, self._n_pools,
        )  # fmt: skip
        early = max(self.look_ahead - (self._seen - len(new)), 0)
        out[:, np.isnan(self._g)] = np.nan
        return out[early:]

    def _last(self) -> Values:
        from nissl.annotators.rates import pools

        level, weight, length, count = self._level, self._weight, self._length, self._n_pools
        waiting = range(min(self.look_ahead, self._seen) - 1, -1, -1)
        out = np.full((len(waiting), self.n_cells), np.nan)
        for j in np.flatnonzero(np.isfinite(self._g)).tolist():
            g, n = float(self._g[j]), int(count[j])
            out[:, j] = [pools.jump(level[j], weight[j], length[j], n, g, b) for b in waiting]
        return out


class OnlineNetwork(_Online):
    """The network of `rates/nissl` frame by frame; answers are spikes per second.

    Parameters
    ----------
    ensemble : Ensemble
        Trained at the rate of the stream or near it.
    n_cells : int
    rate_hz : float
    look_ahead_s : float, optional
        By default the network's reach. With less, the network sees an end where it has not
        been taught to expect one: fewer seconds of delay are paid with accuracy.
    hop : int
        Frames that are answered together; more of them cost less time and more delay.
    scales : sequence of Scale, optional
        Of each cell, where they are known from before; they are then never refreshed.
    warm_s, refresh_s, past_s : float
        See the module.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        n_cells: int,
        rate_hz: float,
        *,
        look_ahead_s: float | None = None,
        hop: int = 4,
        scales: tuple[Scale, ...] = (),
        warm_s: float = 20.0,
        refresh_s: float = 30.0,
        past_s: float = 120.0,
    ) -> None:
        if abs(rate_hz / ensemble.rate_hz - 1) > NEAR or len(scales) not in (0, n_cells):
            raise BadArgumentError(
                f"a stream within {NEAR:.0%} of {ensemble.rate_hz:g} Hz, and a scale per cell or "
                "none",
                f"{rate_hz:g} Hz, {len(scales)} scales of {n_cells} cells",
                "Take the network of a nearer rate, or train one at this rate.",
            )
        self.reach = max(member.shape.reach for member in ensemble.members)
        ahead = self.reach if look_ahead_s is None else round(look_ahead_s * rate_hz)
        super().__init__(
            n_cells,
            rate_hz,
            min(ahead, self.reach),
            hop=hop,
            warm_s=warm_s,
            refresh_s=refresh_s,
            past_s=past_s,
        )
        self.ensemble, self._given = ensemble, bool(scales)
        self._scales: list[Scale | None] = list(scales) or [None] * n_cells
        inputs = ensemble.members[0].shape.inputs
        self._inputs: Array = np.empty((n_cells, inputs, 0), np.float32)
        self._held = np.full(n_cells, np.nan)
        self._known = np.empty((0, n_cells), bool)
        self._first = 0
        """Of the frames that are held, the first that is not answered."""

    def _fit(self, cell: int, past: Values) -> None:
        if not self._given and int(np.isfinite(past).sum()) >= 3:
            self._scales[cell] = Scale.of(filled(past), self.rate_hz)

    def _step(self, new: Values) -> Values:
        self._extend(new)
        parts = [np.empty((0, self.n_cells))]
        # windows of one size: even the last bit does not depend on how frames arrive
        while self._first + self.hop + self.look_ahead <= self._inputs.shape[2]:
            parts.append(self._answers(self._first + self.hop, self.look_ahead))
        return np.concatenate(parts)

    def _last(self) -> Values:
        return self._answers(self._inputs.shape[2], 0)

    def _extend(self, new: Values) -> None:
        """Add frames as the network sees them; a missing value holds the last one."""
        known = np.isfinite(new)
        rows = np.concatenate([self._held[None], new])
        place = np.where(np.concatenate([np.ones((1, self.n_cells), bool), known]),
                         np.arange(len(rows))[:, None], 0)  # fmt: skip
        held = np.take_along_axis(rows, np.maximum.accumulate(place, axis=0), axis=0)
        self._held = held[-1]
        seen = np.zeros((*self._inputs.shape[:2], len(new)), np.float32)
        for cell, scale in enumerate(self._scales):
            if scale is not None:
                trace = np.where(np.isfinite(held[1:, cell]), held[1:, cell], scale.low)
                seen[cell] = scale(trace)
        self._inputs = np.concatenate([self._inputs, seen], axis=2)
        self._known = np.concatenate([self._known, known])

    def _answers(self, stop: int, ahead: int) -> Values:
        """Answers up to a frame of those that are held; what is no longer needed is dropped."""
        begin = max(self._first - self.reach, 0)
        out = np.full((stop - self._first, self.n_cells), np.nan)
        for cell, scale in enumerate(self._scales):
            if scale is not None:
                rate = self.ensemble.of_inputs(self._inputs[cell, :, begin : stop + ahead])
                out[:, cell] = rate[self._first - begin : stop - begin]
        out *= self.rate_hz / self.ensemble.rate_hz
        out[~self._known[self._first : stop]] = np.nan
        drop = max(stop - self.reach, 0)
        self._inputs, self._known = self._inputs[:, :, drop:], self._known[drop:]
        self._first = stop - drop
        return out


__all__ = ["OnlineDeconvolution", "OnlineNetwork"]
