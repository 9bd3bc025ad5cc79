"""The trials that a decoder is given: when they are, and which of them have a known class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import LEAST_PER_CLASS
from nissl.data import Signal
from nissl.errors import BadArgumentError, BadLabelsError, MissingInputError
from nissl.labels import Kind, LabelSet
from nissl.labels.remap import join_pieces
from nissl.sync.intervals import event_samples, span_seconds
from nissl.tasks import Inputs

UNKNOWN = "unknown"
NEED = "trials"


@dataclass(frozen=True)
class Given:
    """Trials in the order of time.

    Parameters
    ----------
    item : ndarray, shape (n_trials,), int64
        Of the trials' label set.
    onset : ndarray, shape (n_trials,), int64
        Sample of the stream that is annotated.
    length_s : ndarray, shape (n_trials,), float64
        NaN for events.
    label : ndarray, shape (n_trials,), int64
        Index into `classes`; -1 where the class is not known.
    classes : tuple of str
    """

    item: npt.NDArray[np.int64]
    onset: npt.NDArray[np.int64]
    length_s: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.item)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Whether the class of each trial is known."""
        return self.label >= 0


def given_trials(inputs: Inputs, unknown: Sequence[str]) -> Given:
    """Trials on the samples of the stream that is annotated.

    Parameters
    ----------
    inputs : Inputs
        With the labels "trials": SPANS, or EVENTS at the onsets.
    unknown : sequence of str
        Names of classes that say nothing.

    Raises
    ------
    BadLabelsError
        Neither spans nor events; trials outside the recording or of a stream that it lacks.
    MissingInputError
        No trials at all.
    """
    trials = inputs.labels[NEED]
    if trials.kind is Kind.SPANS:
        rows, start, stop = join_pieces(trials)
        first = np.unique(trials.column("item")[rows], return_index=True)[1]  # of cut trials
        rows, start, stop = rows[first], start[first], stop[first]
    elif trials.kind is Kind.EVENTS:
        rows = np.arange(trials.n_rows)
        start = stop = trials.column("sample").astype(np.int64)
    else:
        raise BadLabelsError(
            "trials as spans or events", trials.kind.value, "Import them: nissl import STUDY NAME F"
        )
    if not rows.size:
        raise MissingInputError("at least one trial", "none", "Import a table that has some.")
    own = _stream(inputs, trials)
    last = own.n_samples
    outside = (start < 0) | (stop > last) | (start >= last)
    if outside.any():
        raise BadLabelsError(
            f"trials within the {last} samples of {own.name!r}",
            f"{int(outside.sum())} outside, such as one from {start[outside][0]} to "
            f"{stop[outside][0]}",
            "Check the clock of the table: nissl import takes times on the recording's clock.",
        )
    length_s = np.full(rows.size, np.nan)
    if trials.kind is Kind.SPANS:
        begin_s, end_s = span_seconds(own.clock, start.astype(np.float64), stop)
        length_s = end_s - begin_s
    onset = start if own.name == inputs.stream else _moved(own, inputs.signal, start)
    names = [trials.vocabulary.names[c] for c in trials.column("label")[rows]]
    vague = {name.lower() for name in unknown}
    classes = tuple(
        n for n in trials.vocabulary.names if n in set(names) and n.lower() not in vague
    )
    label = np.array([classes.index(n) if n in classes else -1 for n in names], np.int64)
    order = np.argsort(onset, kind="stable")
    item = trials.column("item")[rows].astype(np.int64)
    return Given(item[order], onset[order], length_s[order], label[order], classes)


def _stream(inputs: Inputs, trials: LabelSet) -> Signal:
    """The stream whose samples the trials count."""
    named = trials.provenance.stream
    if not named or named == inputs.stream:
        return inputs.signal
    if named not in inputs.recording.streams:
        raise BadLabelsError(
            f"trials on a stream among {sorted(inputs.recording.streams)}",
            f"on {named!r}",
            "Import them on the clock of this recording.",
        )
    return inputs.recording[named]


def _moved(own: Signal, target: Signal, start: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Samples of another stream of the recording at the same time."""
    samples, recorded = event_samples(target.clock, own.clock.to_seconds(start))
    if not recorded.all():
        raise BadLabelsError(
            f"trials while {target.name!r} was recorded",
            f"{int((~recorded).sum())} at other times",
            "Annotate the stream that the trials are of: --stream.",
        )
    return np.asarray(samples, np.int64)


def window_stop(given: Given, start_s: float, stop_s: float | None) -> float:
    """End of the window after the onset, seconds: as stated, or the shortest trial's.

    Raises
    ------
    BadArgumentError
        Events without a stated end.
    """
    if stop_s is not None:
        return float(stop_s)
    shortest = float(np.min(given.length_s))
    if not np.isfinite(shortest) or shortest <= start_s:
        raise BadArgumentError(
            "trials that last, or a stated window",
            "events" if np.isnan(given.length_s).any() else f"trials of {shortest:g} s",
            "State the window: --set start_s=0 --set stop_s=1",
        )
    return shortest


def check_enough(given: Given) -> None:
    """Raise `MissingInputError` where no decoder can be taught."""
    counts = {name: int(np.sum(given.label == k)) for k, name in enumerate(given.classes)}
    if len(counts) < 2 or min(counts.values()) < LEAST_PER_CLASS:
        raise MissingInputError(
            f"trials of at least two classes, {LEAST_PER_CLASS} of each, to learn from",
            f"{counts or 'no trial of a known class'}",
            "Name the class of more trials in the table that you import; unknown ones stand "
            "as 'unknown' or 'n/a'.",
        )


def frequencies(classes: Sequence[str], stated: Mapping[str, Any]) -> tuple[float, ...]:
    """Frequency of stimulation of each class: as stated, or as its name begins ("13 Hz").

    Raises
    ------
    BadArgumentError
        A class without one.
    """
    out = []
    for name in classes:
        found = re.match(r"\s*(\d+(?:\.\d+)?)", name)
        value = stated.get(name, float(found.group(1)) if found else None)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise BadArgumentError(
                "a frequency for each class",
                f"none for {name!r}",
                f"""State them: --set frequencies_hz='{{"{name}": 13}}'""",
            )
        out.append(float(value))
    return tuple(out)
