"""Whether a decoder of the reference is worth carrying over, or a fresh one is as good."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nissl.align.fragments import Fragment, runs
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.decoding import OWN_AXES, behaviour, fitted, r2, taught
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import n_steps
from nissl.errors import BadArgumentError

WORTH = 0.02
"""Gain in R² from which on carrying a decoder over pays."""


@dataclass(frozen=True)
class Carried:
    """R² of a behaviour on windows held out, mean of two halves.

    Parameters
    ----------
    behaviour : str
    turned : float
        The reference's decoder, reading the other's latents in the common space.
    taught : float
        The other's own decoder, taught by windows that it was paired with; NaN without pairs.
    fresh : float
        A decoder of the other's own half alone, all of whose behaviour is known.
    """

    behaviour: str
    turned: float
    taught: float
    fresh: float

    @property
    def gain(self) -> float:
        """Of the better way to carry it over, over the fresh one."""
        return float(np.nanmax([self.turned, self.taught])) - self.fresh

    @property
    def sentence(self) -> str:
        """What to do."""
        own = f"taught {self.taught:.2f}, " if np.isfinite(self.taught) else ""
        told = f"{self.behaviour}: R² carried over {self.turned:.2f}, {own}fresh {self.fresh:.2f}."
        if self.gain >= WORTH:
            return f"{told} The reference's decoder is worth carrying over."
        return f"{told} Where behaviour was measured as here, recalibrate: a fresh one is as good."


def carried(
    reference: Fragment,
    other: Fragment,
    hidden: tuple[Fragment, Fragment],
    method: str,
    name: str,
    rng: np.random.Generator,
    settings: Settings,
) -> Carried:
    """Score decoders of a behaviour on each half of the other's windows, fitted on the other half.

    Parameters
    ----------
    reference, other : Fragment
        With the behaviour, NaN where it was not measured.
    hidden : tuple of Fragment
        The same as the aligner may see them.
    method : str
    name : str
        Of the behaviour.
    rng : numpy.random.Generator
    settings : Settings

    Raises
    ------
    BadArgumentError
        Of fewer than four windows of the other.
    """
    number, _, _ = runs(other)
    if len(number) < 4:
        raise BadArgumentError(
            f"four or more windows of {other.name!r}", f"{len(number)}", "Name more windows."
        )
    scores = []
    for k in (0, 1):
        fit, test = number[k::2], other.in_windows(number[1 - k :: 2])
        mine, part = other.in_windows(fit), hidden[1].in_windows(fit)
        found = align((hidden[0], part), method, rng=rng, settings=settings)
        base = fitted(found.maps[0], reference, name)
        truth = behaviour(test, name)
        turned = r2(truth, replace(base, reads=found.maps[1]).predict(test))
        own = float("nan")
        if found.couplings:
            blind = replace(mine, behaviour={})
            steps = n_steps(hidden[0], part)
            learnt = taught(reference, blind, found.couplings[0], steps, name)
            own = r2(truth, learnt.predict(test))
        rank = int(np.linalg.matrix_rank(mine.activity - mine.activity.mean(axis=0)))
        reads = own_space(mine, n_axes=min(OWN_AXES, rank), smooth_s=settings.smooth_s)
        scores.append((turned, own, r2(truth, fitted(reads, mine, name).predict(test))))
    return Carried(name, *(float(v) for v in np.mean(scores, axis=0)))
