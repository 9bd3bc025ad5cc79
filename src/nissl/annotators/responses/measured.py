"""Answers of all neurons to all stimuli, as labels with the numbers behind them.

A row is a neuron and a stimulus. Its class says what the false discovery rate lets one say; the
numbers, mean courses and single trials stand in the item table, from which tables and pictures are
made. Q values control the false discovery rate over the neurons, for each stimulus (or pair of
stimuli) and measure by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.responses.answers import (
    LEAST_TRIALS,
    Responses,
    Window,
    compared,
    responses,
)
from nissl.annotators.responses.stimuli import Stimuli
from nissl.clock import Clock
from nissl.errors import MissingInputError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.tasks import Finding

Floats = npt.NDArray[np.float64]

TASK = "responses"
AUTHOR = Author("model", "responses/permutation", "1")
CLASSES = Vocabulary(
    ("rises", "falls", "answers at the end", "no answer told"),
    ("#d55e00", "#3a8fc9", "#cc79a7", "#9a9a9a"),
)
RISES, FALLS, AFTER, NONE = range(4)
FEWEST, MOST = 2000, 20_000
"""Permutations by default."""
MEASURES = ("on", "off", "adaptation")


@dataclass(frozen=True, eq=False)
class Neurons:
    """Traces whose answers are measured.

    Parameters
    ----------
    values : ndarray, shape (n_frames, n_neurons), float64
        NaN where nothing is known.
    clock : Clock
    items : ndarray, shape (n_neurons,), int64
    names : sequence of str
        "" for those that have none.
    unit : str
    """

    values: Floats
    clock: Clock
    items: npt.NDArray[np.int64]
    names: Sequence[str]
    unit: str


def measured(
    neurons: Neurons,
    stimuli: Stimuli,
    window: Window,
    made_by: Provenance,
    *,
    permutations: int | None = None,
    q: float = 0.05,
) -> tuple[LabelSet, ItemTable, tuple[Finding, ...]]:
    """Answers as CLASSES, their numbers, and what is doubtful.

    Parameters
    ----------
    neurons : Neurons
    stimuli : Stimuli
    window : Window
    made_by : Provenance
        With the seed of the permutations.
    permutations : int, optional
        By default `FEWEST`, or as many as let a single answer among all neurons be told, twice
        over, up to `MOST`.
    q : float
        False discovery rate up to which an answer is told.

    Raises
    ------
    MissingInputError
        No stimulus with three trials that lie within the recording.
    """
    rate_hz = neurons.clock.rate_hz
    before = max(round(window.before_s * rate_hz), 1)
    after = max(round(window.after_s * rate_hz), 1)
    if permutations is None:
        permutations = min(max(FEWEST, int(np.ceil(2 * neurons.items.size / q))), MOST)
    trials, doubts = _enough(stimuli, neurons.clock, before, after, window)
    seed = made_by.seed or 0
    found = [
        responses(
            neurons.values,
            own.start.tolist(),
            own.stop.tolist(),
            rate_hz,
            np.random.default_rng([seed, k]),
            window=window,
            permutations=permutations,
        )
        for k, own in enumerate(trials.values())
    ]
    columns = _columns(neurons, tuple(trials), found)
    courses = [_course(neurons.values, own, before, after) for own in trials.values()]
    arrays: dict[str, npt.NDArray[Any]] = {
        "average": _padded([course for course, _ in courses]),
        "average_se": _padded([error for _, error in courses]),
        "answers": _padded([each.on.T for each in found]),
        **_apart(found, seed, permutations),
    }
    context = {
        "stimuli": list(trials),
        "trials": [int(own.start.size) for own in trials.values()],
        "duration_s": [float(np.median(t.stop - t.start)) / rate_hz for t in trials.values()],
        "times_s": ((np.arange(arrays["average"].shape[1]) - before) / rate_hz).tolist(),
        "window_s": [window.before_s, window.after_s],
        "rate_hz": rate_hz,
        "unit": neurons.unit,
        "q": q,
        "permutations": permutations,
    }
    own_columns = {
        "item": columns["item"],
        "target": columns["neuron"],
        "label": _classes(columns, q),
    }
    labels = LabelSet.build(Kind.CLASSES, own_columns, CLASSES, made_by)
    table = pa.table({**columns, "name": pa.array(columns["name"], pa.string())})
    units = {name: _unit(name, neurons.unit) for name in (*columns, *arrays)}
    items = ItemTable(labels.digest, table, units, arrays, context)
    doubts += [*_coarse(neurons, permutations, q), *_seldom(columns, neurons, len(trials))]
    return labels, items, tuple(doubts)


def _columns(neurons: Neurons, names: Sequence[str], found: Sequence[Responses]) -> dict[str, Any]:
    """Facts of each neuron and stimulus, neuron by neuron."""
    n, m = neurons.items.size, len(names)
    columns: dict[str, Any] = {
        "item": np.arange(n * m, dtype=np.int64),
        "neuron": np.repeat(neurons.items, m),
        "name": [name for name in neurons.names for _ in names],
        "stimulus": list(names) * n,
        "trials": _by_row([np.isfinite(each.on).sum(axis=0) for each in found]).astype(np.int64),
    }
    for measure in MEASURES:
        columns[measure] = _by_row([_effect(each, measure) for each in found])
        columns[f"{measure}_se"] = _by_row([_error(each, measure) for each in found])
        for letter in "pq":
            numbers = [getattr(each, f"{letter}_{measure}") for each in found]
            columns[f"{letter}_{measure}"] = _by_row(numbers)
    return columns


def _unit(name: str, unit: str) -> str:
    """Unit of a column or array; "" of what has none."""
    if name.removesuffix("_se") == "adaptation":
        return f"{unit} per trial"
    measured_in = ("on", "off", "average", "answers", "difference")
    return unit if name.removesuffix("_se") in measured_in else ""


def _enough(
    stimuli: Stimuli, clock: Clock, before: int, after: int, window: Window
) -> tuple[dict[str, Stimuli], list[Finding]]:
    """Whole trials of each stimulus that has enough of them, and what was left out."""
    whole = stimuli.whole(clock, before, after)
    around = f"{window.before_s:g} s before and {window.after_s:g} s after"
    doubts, kept, counts = [], {}, []
    for name in stimuli.names:
        own = stimuli.which == stimuli.names.index(name)
        n, cut = int((own & whole).sum()), int((own & ~whole).sum())
        counts.append(f"{n} of {name!r}")
        if cut:
            sentence = (
                f"{cut} of {n + cut} trials of {name!r} were left out: the recording does not hold "
                f"{around} them without a gap."
            )
            doubts.append(Finding("cut_trials", "warning", sentence, value=cut, limit=0))
        if n < LEAST_TRIALS:
            sentence = (
                f"{name!r} has {n} trials, too few to tell an answer from chance: it was left out."
            )
            doubts.append(Finding("few_trials", "warning", sentence, value=n, limit=LEAST_TRIALS))
        else:
            kept[name] = stimuli.take(own & whole)
    if not kept:
        raise MissingInputError(
            f"{LEAST_TRIALS} trials of a stimulus within the recording, {around} them included",
            ", ".join(counts),
            "One trial cannot be told from chance: record more, or shorten what is compared with "
            "--before and --after.",
        )
    return kept, doubts


def _apart(found: Sequence[Responses], seed: int, permutations: int) -> dict[str, Floats]:
    """Differences of on answers, with P and Q: a row for each neuron and stimulus, by the other."""
    m = len(found)
    shape = (found[0].on.shape[1], m, m)
    out = {name: np.full(shape, np.nan) for name in ("difference", "p_difference", "q_difference")}
    for a, b in combinations(range(m), 2):
        rng = np.random.default_rng([seed, m, a, b])
        told = compared(found[a].on, found[b].on, rng, permutations=permutations)
        for (name, values), each in zip(out.items(), told, strict=True):
            values[:, a, b] = each
            values[:, b, a] = -each if name == "difference" else each
    return {name: values.reshape(-1, m) for name, values in out.items()}


def _course(values: Floats, trials: Stimuli, before: int, after: int) -> tuple[Floats, Floats]:
    """Mean course around the beginning and its standard error, each (n_neurons, n_times).

    Each trial less its mean before the stimulus; as long as the median trial.
    """
    length = round(float(np.median(trials.stop - trials.start)))
    place = trials.start[:, None] + np.arange(-before, length + after)
    inside = (place >= 0) & (place < len(values))
    cut = np.where(inside[..., None], values[np.clip(place, 0, len(values) - 1)], np.nan)
    rest = _mean(cut[:, :before], 1)
    cut = cut - rest[:, None]
    mean = _mean(cut, 0)
    return mean.T, _standard_error(cut, mean).T


def _mean(values: Floats, axis: int) -> Floats:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=axis) / known.sum(axis=axis))


def _standard_error(values: Floats, mean: Floats) -> Floats:
    """Of means over the first axis; NaN where there are fewer than two values."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    squares = np.where(known, (values - mean) ** 2, 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan))


def _effect(found: Responses, measure: str) -> Floats:
    return found.adaptation if measure == "adaptation" else _mean(getattr(found, measure), 0)


def _error(found: Responses, measure: str) -> Floats:
    """Standard error over trials; of a slope, by what trials scatter about it."""
    if measure != "adaptation":
        answers = getattr(found, measure)
        return _standard_error(answers, _mean(answers, 0))
    known = np.isfinite(found.on)
    n = known.sum(axis=0)
    order = np.arange(len(found.on), dtype=np.float64)[:, None]
    x = np.where(known, order - _mean(np.where(known, order, np.nan), 0), np.nan)
    rest = found.on - _mean(found.on, 0) - found.adaptation * x
    with np.errstate(invalid="ignore", divide="ignore"):
        scatter = np.nansum(rest**2, axis=0) / (n - 2)
        return np.asarray(np.where(n > 2, np.sqrt(scatter / np.nansum(x**2, axis=0)), np.nan))


def _by_row(of_stimuli: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Numbers of each neuron and stimulus, neuron by neuron."""
    return np.ascontiguousarray(np.stack(of_stimuli, axis=1)).reshape(-1)


def _padded(of_stimuli: Sequence[Floats]) -> npt.NDArray[np.float32]:
    """Rows of each neuron and stimulus, as long as the longest; NaN behind the end.

    Each is (n_neurons, n).
    """
    longest = max(each.shape[1] for each in of_stimuli)
    out = np.full((len(of_stimuli[0]), len(of_stimuli), longest), np.nan, np.float32)
    for k, each in enumerate(of_stimuli):
        out[:, k, : each.shape[1]] = each
    return out.reshape(-1, longest)


def _classes(columns: Mapping[str, Any], q: float) -> npt.NDArray[np.int32]:
    with np.errstate(invalid="ignore"):
        on, off = columns["q_on"] <= q, columns["q_off"] <= q
    said = np.full(on.size, NONE, np.int32)
    said[off] = AFTER
    said[on] = np.where(columns["on"][on] > 0, RISES, FALLS)
    return said


def _coarse(neurons: Neurons, permutations: int, q: float) -> list[Finding]:
    """Too few permutations for one answer among all neurons to be told."""
    least = neurons.items.size / (permutations + 1)
    if least <= q:
        return []
    sentence = (
        f"With {permutations} permutations and {neurons.items.size} neurons, no Q is below "
        f"{least:.2g} unless several neurons answer: give more with --permutations."
    )
    return [Finding("few_permutations", "warning", sentence, value=least, limit=q)]


def _seldom(columns: Mapping[str, Any], neurons: Neurons, n_stimuli: int) -> list[Finding]:
    """Neurons that were seen in too few trials of a stimulus."""
    seen = columns["trials"].reshape(neurons.items.size, n_stimuli).min(axis=1)
    few = neurons.items[seen < LEAST_TRIALS].tolist()
    if not few:
        return []
    told = ", ".join(str(item) for item in few[:10]) + (" and others" if len(few) > 10 else "")
    sentence = (
        f"{len(few)} neurons are known in fewer than {LEAST_TRIALS} trials of a stimulus, of which "
        f"no answer of theirs is told: {told}."
    )
    return [Finding("seldom_seen", "warning", sentence, value=float(len(few)), limit=0.0)]


__all__ = ["AUTHOR", "CLASSES", "MEASURES", "TASK", "Neurons", "measured"]
