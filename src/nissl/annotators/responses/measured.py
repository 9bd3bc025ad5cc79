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
    permutations: int = 2000,
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
    permutations : int
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
    trials, doubts = _enough(stimuli, neurons.clock, before, after, window)
    names = tuple(trials)
    found: list[Responses] = []
    for k, name in enumerate(names):
        own = trials[name]
        rng = np.random.default_rng([made_by.seed or 0, k])
        start, stop = own.start.tolist(), own.stop.tolist()
        found.append(
            responses(
                neurons.values, start, stop, rate_hz, rng, window=window, permutations=permutations
            )
        )
    courses = [_course(neurons.values, trials[name], before, after) for name in names]
    n, m = neurons.items.size, len(names)
    difference, p_difference, q_difference = (np.full((n, m, m), np.nan) for _ in range(3))
    for a, b in combinations(range(m), 2):
        rng = np.random.default_rng([made_by.seed or 0, m, a, b])
        apart, p, adjusted = compared(found[a].on, found[b].on, rng, permutations=permutations)
        difference[:, a, b], difference[:, b, a] = apart, -apart
        for to, values in ((p_difference, p), (q_difference, adjusted)):
            to[:, a, b] = to[:, b, a] = values
    columns: dict[str, Any] = {
        "item": np.arange(n * m, dtype=np.int64),
        "neuron": np.repeat(neurons.items, m),
        "name": np.repeat(np.asarray(neurons.names, dtype=object), m).tolist(),
        "stimulus": list(names) * n,
        "trials": _by_row([np.isfinite(each.on).sum(axis=0) for each in found]).astype(np.int64),
    }
    for measure in MEASURES:
        columns[measure] = _by_row([_effect(each, measure) for each in found])
        columns[f"{measure}_se"] = _by_row([_error(each, measure) for each in found])
        for letter in "pq":
            numbers = [getattr(each, f"{letter}_{measure}") for each in found]
            columns[f"{letter}_{measure}"] = _by_row(numbers)
    arrays = {
        "average": _padded([course for course, _ in courses]),
        "average_se": _padded([error for _, error in courses]),
        "answers": _padded([each.on.T for each in found]),
        "difference": difference.reshape(n * m, m),
        "p_difference": p_difference.reshape(n * m, m),
        "q_difference": q_difference.reshape(n * m, m),
    }
    context = {
        "stimuli": list(names),
        "trials": [int(trials[name].start.size) for name in names],
        "duration_s": [float(np.median(t.stop - t.start)) / rate_hz for t in trials.values()],
        "times_s": ((np.arange(arrays["average"].shape[1]) - before) / rate_hz).tolist(),
        "window_s": [window.before_s, window.after_s],
        "rate_hz": rate_hz,
        "unit": neurons.unit,
        "q": q,
        "permutations": permutations,
    }
    labels = LabelSet.build(
        Kind.CLASSES,
        {
            "item": columns["item"],
            "target": columns["neuron"],
            "label": _classes(columns, q),
        },
        CLASSES,
        made_by,
    )
    units = {name: neurons.unit for name in ("on", "on_se", "off", "off_se", *list(arrays)[:4])}
    units |= dict.fromkeys(("adaptation", "adaptation_se"), f"{neurons.unit} per trial")
    units |= {name: "" for name in (*columns, *arrays) if name not in units}
    table = {k: v for k, v in columns.items() if k != "name"} | {
        "name": pa.array(columns["name"], pa.string())
    }
    items = ItemTable(labels.digest, pa.table(table), units, arrays, context)
    return labels, items, (*doubts, *_seldom(columns, neurons, names))


def rows(items: ItemTable) -> pa.Table:
    """Table of a row for each neuron, stimulus and measure.

    Columns: `neuron`, `name`, `stimulus`, `against` (another stimulus, of differences), `measure`
    ("on", "off", "adaptation" a trial, "difference" of on answers), `effect`, `se` (standard error
    over trials), `unit`, `trials`, `p`, `q`.
    """
    facts = items.table.to_pydict()
    stimuli = list(items.context["stimuli"])
    unit = str(items.context["unit"])
    out: list[dict[str, Any]] = []
    for k in range(items.table.num_rows):
        own = {name: facts[name][k] for name in ("neuron", "name", "stimulus")}
        for measure in MEASURES:
            out.append(
                {
                    **own,
                    "against": None,
                    "measure": measure,
                    "effect": facts[measure][k],
                    "se": facts[f"{measure}_se"][k],
                    "unit": f"{unit} per trial" if measure == "adaptation" else unit,
                    "trials": facts["trials"][k],
                    "p": facts[f"p_{measure}"][k],
                    "q": facts[f"q_{measure}"][k],
                }
            )
        mine = stimuli.index(own["stimulus"])
        first = k - mine
        for other in range(mine + 1, len(stimuli)):
            error = np.hypot(facts["on_se"][k], facts["on_se"][first + other])
            out.append(
                {
                    **own,
                    "against": stimuli[other],
                    "measure": "difference",
                    "effect": float(items.arrays["difference"][k, other]),
                    "se": float(error),
                    "unit": unit,
                    "trials": facts["trials"][k] + facts["trials"][first + other],
                    "p": float(items.arrays["p_difference"][k, other]),
                    "q": float(items.arrays["q_difference"][k, other]),
                }
            )
    kinds = {"neuron": pa.int64(), "trials": pa.int64()}
    kinds |= dict.fromkeys(("effect", "se", "p", "q"), pa.float64())
    order = ("neuron", "name", "stimulus", "against", "measure", "effect", "se", "unit", "trials",
             "p", "q")  # fmt: skip
    fields = [pa.field(name, kinds.get(name, pa.string())) for name in order]
    return pa.Table.from_pylist(out, schema=pa.schema(fields))


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


def _seldom(columns: Mapping[str, Any], neurons: Neurons, names: Sequence[str]) -> list[Finding]:
    """Neurons that were seen in too few trials of a stimulus."""
    seen = columns["trials"].reshape(neurons.items.size, len(names)).min(axis=1)
    few = neurons.items[seen < LEAST_TRIALS].tolist()
    if not few:
        return []
    told = ", ".join(str(item) for item in few[:10]) + (" and others" if len(few) > 10 else "")
    sentence = (
        f"{len(few)} neurons are known in fewer than {LEAST_TRIALS} trials of a stimulus, of which "
        f"no answer of theirs is told: {told}."
    )
    return [Finding("seldom_seen", "warning", sentence, value=float(len(few)), limit=0.0)]


__all__ = ["AUTHOR", "CLASSES", "MEASURES", "TASK", "Neurons", "measured", "rows"]
