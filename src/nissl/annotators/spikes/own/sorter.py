"""The whole sorter: units are found on a part of the recording, then matched to all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from nissl.annotators.spikes.own.confidence.evidence import crowds, evidence
from nissl.annotators.spikes.own.confidence.expectations import (
    Expected,
    expect_all,
    least_amplitudes,
)
from nissl.annotators.spikes.own.confidence.model import LEAST_CONFIDENCE, confidences
from nissl.annotators.spikes.own.confidence.usual import Usual, usual_of
from nissl.annotators.spikes.own.finding.seeking import seek
from nissl.annotators.spikes.own.keeping import Kept, kept_front, kept_units
from nissl.annotators.spikes.own.matching.devices import CPU
from nissl.annotators.spikes.own.matching.matching import Job, Placed, matched_everywhere
from nissl.annotators.spikes.own.matching.pursuit import LEAST_AMPLITUDE, PRIOR, costs
from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.motion.peaks import find_motion
from nissl.annotators.spikes.own.preprocessing.front import Front, at_rest, fit_front
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.zones import along
from nissl.data import Signal
from nissl.run.context import Context

Ints = npt.NDArray[np.int64]

FEWEST_SPIKES = 20


@dataclass(frozen=True, eq=False)
class Fitted:
    """A sorter that knows the units of some channels.

    Parameters
    ----------
    front : Front
    templates : Templates or None
        None where no units were found.
    unit : ndarray, shape (n_templates,), int64
        Which unit each template belongs to; moving units may have several.
    device : str
        From `devices.chosen`; where templates are matched.
    """

    front: Front
    templates: Templates | None
    unit: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    device: str = CPU

    @property
    def motion(self) -> Motion | None:
        """How the tissue moved; None where it stood still or nobody can tell."""
        return None if self.front.rest is None else self.front.rest.motion


@dataclass(frozen=True, eq=False)
class Found:
    """Spikes of a recording.

    Parameters
    ----------
    sample : ndarray, shape (n,), int64
    unit : ndarray, shape (n,), int64
        0 to n_units - 1, none empty.
    amplitude : ndarray, shape (n,), float32
        In templates.
    gain : ndarray, shape (n,), float32
        Log likelihood ratio against no spike.
    confidence : ndarray, shape (n,), float32
        Probability that it is a spike of its unit (`confidence`).
    template : ndarray, shape (n_units,), int64
        A template of each unit; moving units may have more.
    doubted : int
        Spikes that were left out for a confidence below `LEAST_CONFIDENCE`.
    expected : tuple of Expected, one a unit
        False positives and negatives.
    piece : ndarray, shape (n,), int64
        The template that each spike is of: one of its unit's.
    """

    sample: Ints
    unit: Ints
    amplitude: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    template: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    doubted: int = 0
    expected: tuple[Expected, ...] = ()
    piece: Ints = field(default_factory=lambda: np.empty(0, np.int64))


def fit(
    signal: Signal,
    columns: list[int],
    band_hz: tuple[float, float],
    context: Context,
    stage: str,
    device: str = CPU,
    kept: Kept | None = None,
) -> Fitted:
    """Estimate the noise and find the units.

    Parameters
    ----------
    signal : Signal
    columns : list of int
        Channels that are sorted together; the front has them in an order of its own.
    band_hz : tuple of float
    context : Context
        Its seed is the only source of randomness.
    stage : str
        For progress.
    device : str
        From `devices.chosen`; where templates are matched, here and later.
    kept : Kept, optional
        Where to look for what an earlier run of the job has found, and to leave what this one does.

    Raises
    ------
    BadMetadataError
        A rate or a band that no filter fits.
    """
    columns = along(columns, _places(signal, columns))
    front = kept_front(kept, lambda: _front(signal, columns, band_hz, context.workers))
    places = _places(signal, columns)
    with threadpool_limits(1):
        units = kept_units(kept, lambda: seek(signal, front, places, context, stage, device, kept))
    return Fitted(front, *units, device)


def _front(signal: Signal, columns: list[int], band_hz: tuple[float, float], workers: int) -> Front:
    front = fit_front(signal, columns, *band_hz)
    motion = find_motion(signal, front, workers)
    return front if motion is None else at_rest(signal, front, motion)


def match(
    signal: Signal, fitted: Fitted, context: Context, stage: str, kept: Kept | None = None
) -> Found:
    """Spikes of the fitted units in the whole recording, arguments as for `fit`.

    Chunks lie on a grid of their own in each segment, so that the result does not depend on the
    number of workers.
    """
    if fitted.templates is None or not len(fitted.templates):
        i, f = np.empty(0, np.int64), np.empty(0, np.float32)
        return Found(i, i, f, f, f)
    placed = matched_spikes(signal, fitted, context, stage, kept)
    return found_of(placed, fitted, signal)


def found_of(placed: Placed, fitted: Fitted, signal: Signal) -> Found:
    """What is given out of the spikes that were matched."""
    confidence = confidences(evidence_of(placed, fitted, signal))
    return _found(placed, confidence, fitted, signal)


def matched_spikes(
    signal: Signal, fitted: Fitted, context: Context, stage: str, kept: Kept | None = None
) -> Placed:
    """Match the templates to all of the recording."""
    if fitted.templates is None:
        raise ValueError("a fitted sorter with templates was expected; it has none")
    job = Job(signal, fitted.front, fitted.templates, fitted.device)
    return matched_everywhere(job, context, stage, kept)


def evidence_of(placed: Placed, fitted: Fitted, signal: Signal) -> npt.NDArray[np.float64]:
    """Evidence for each spike (`evidence`)."""
    if fitted.templates is None:
        raise ValueError("a fitted sorter with templates was expected; it has none")
    spikes, step = placed.spikes, fitted.front.band.step
    return evidence(
        placed.exact / step,
        spikes.unit,
        spikes.amplitude,
        spikes.gain,
        spikes.rival_gain,
        fitted.templates,
        signal.n_samples / signal.rate_hz,
        fitted.front.rate_hz,
    )


def usual_of_all(placed: Placed, fitted: Fitted, signal: Signal) -> Usual:
    """What is usual for spikes of each template, from all that were matched (`usual`)."""
    if fitted.templates is None:
        raise ValueError("a fitted sorter with templates was expected; it has none")
    at, unit, rate_hz = (
        placed.exact / fitted.front.band.step,
        placed.spikes.unit,
        fitted.front.rate_hz,
    )
    crowd = crowds(at, unit, fitted.templates, rate_hz)
    seconds = signal.n_samples / signal.rate_hz
    return usual_of(at, unit, placed.spikes.amplitude, crowd, fitted.templates, seconds, rate_hz)


def _places(signal: Signal, columns: list[int]) -> npt.NDArray[np.float64]:
    return np.asarray(signal.channels.position_um, dtype=np.float64)[columns, :2]


def _found(
    placed: Placed, confidence: npt.NDArray[np.float32], fitted: Fitted, signal: Signal
) -> Found:
    """Spikes that are rather real than not, of units with enough of them."""
    spikes = placed.spikes
    n_templates = int(spikes.unit.max(initial=-1)) + 1
    unit_of = fitted.unit if fitted.unit.size else np.arange(n_templates)
    unit = unit_of[spikes.unit]
    own = confidence >= LEAST_CONFIDENCE
    count = np.bincount(unit[own], minlength=int(unit_of.max(initial=-1)) + 1)
    kept = count >= FEWEST_SPIKES
    number = np.cumsum(kept) - 1
    own &= kept[unit]
    segments = signal.clock.segments
    first = np.asarray([segment.start for segment in segments])[placed.segment]
    last = np.asarray([segment.stop - 1 for segment in segments])[placed.segment]
    sample = np.round(placed.exact).astype(np.int64) - fitted.front.delay
    sample = np.clip(sample, first, last)
    order = np.flatnonzero(own)
    order = order[np.lexsort((number[unit[order]], sample[order]))]
    return Found(
        sample[order],
        number[unit[order]].astype(np.int64),
        spikes.amplitude[order],
        spikes.gain[order],
        confidence[order],
        np.asarray([np.argmax(unit_of == k) for k in np.flatnonzero(kept)], dtype=np.int64),
        int(np.sum(confidence < LEAST_CONFIDENCE)),
        _expected(
            placed, confidence, fitted, own, np.where(kept, number, -1), signal.clock.rate_hz
        ),
        spikes.unit[order],
    )


def _expected(
    placed: Placed,
    confidence: npt.NDArray[np.float32],
    fitted: Fitted,
    given: npt.NDArray[np.bool_],
    number: Ints,
    rate_hz: float,
) -> tuple[Expected, ...]:
    """What to expect of the units that are given out; `number` is -1 for the others."""
    templates, spikes = fitted.templates, placed.spikes
    if templates is None:
        return ()
    of = number[fitted.unit] if fitted.unit.size else number
    unit = of[spikes.unit]
    rows = np.flatnonzero(unit >= 0)
    unit, template = unit[rows], spikes.unit[rows]
    norms = templates.norms.astype(np.float64)
    cost = costs(templates, fitted.front.rate_hz).astype(np.float64)
    least = least_amplitudes(norms, cost, PRIOR, LEAST_AMPLITUDE)
    member = of == np.arange(number.max(initial=-1) + 1)[:, None]
    return tuple(
        expect_all(
            np.round(placed.exact[rows]).astype(np.int64),
            unit,
            spikes.amplitude[rows],
            confidence[rows],
            given=given[rows],
            least=least[template],
            norm=np.bincount(unit, norms[template]) / np.bincount(unit),
            overlaps=member @ templates.overlaps @ member.T,
            rate_hz=rate_hz,
        )
    )
