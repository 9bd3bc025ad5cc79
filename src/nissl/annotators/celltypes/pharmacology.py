"""Classes of units from their answer to a drug, blocker or chemogenetic silencer.

Firing rates in bins before and after are compared. A unit that falls silent may as well have
been lost by drift; only its return after the washout tells. So a silenced unit without washout
is doubtful unless that is waived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.ground_truth import (
    VERSION,
    GroundTruth,
    class_name,
    class_set,
    item_table,
    require_spikes,
)
from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, LabelSet
from nissl.tasks import Finding
from nissl.trust.discoveries import benjamini_hochberg

METHOD = "celltypes/pharmacology"
CONFIRMED, UNCHANGED, DOUBTFUL = "confirmed", "unchanged", "doubtful"
COLUMNS = {
    "before_hz": "Hz",
    "after_hz": "Hz",
    "washout_hz": "Hz",
    "ratio": "",
    "p": "",
    "q": "",
}
LEAST_BINS = 5

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """What is asked of a unit that the drug marks; written into the provenance.

    Parameters
    ----------
    direction : {"less", "more"}
    factor : float
        How many times less or more, at least.
    bin_s : float
        Width of the bins that are exchanged by the test, seconds; longer than the unit's own
        fluctuations.
    alpha, fdr : float
        Limits of the p value, and of it adjusted for the number of units.
    min_rate_hz : float
        Before, for "less"; after, for "more".
    need_washout : bool
        Whether a unit that fires less must come back to half its rate to be confirmed.
    n_permutations : int
    """

    direction: str = "less"
    factor: float = 5.0
    bin_s: float = 10.0
    alpha: float = 0.01
    fdr: float = 0.05
    min_rate_hz: float = 0.2
    need_washout: bool = True
    n_permutations: int = 2000

    def __post_init__(self) -> None:
        if (
            self.direction not in ("less", "more")
            or not self.factor > 1
            or not self.bin_s > 0
            or not (0 < self.alpha < 1 and 0 < self.fdr < 1)
            or self.n_permutations < 1 / self.alpha
        ):
            raise BadArgumentError(
                "direction 'less' or 'more', a factor above 1, bins above 0 s, limits between 0 "
                "and 1 and enough permutations to reach them",
                f"{self}",
                "Mend the criteria.",
            )


@dataclass(frozen=True)
class Response:
    """Answer of one unit to a drug.

    Parameters
    ----------
    unit : int
    verdict : {"confirmed", "unchanged", "doubtful"}
    sentence : str
    before_hz, after_hz, washout_hz : float
        NaN for a washout that was not given.
    ratio : float
        After over before.
    p : float
        Of a permutation of bins, one-sided in the direction asked for.
    q : float
        Adjusted for the number of units.
    """

    unit: int
    verdict: str = ""
    sentence: str = ""
    before_hz: float = np.nan
    after_hz: float = np.nan
    washout_hz: float = np.nan
    ratio: float = np.nan
    p: float = np.nan
    q: float = np.nan

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what could not be computed."""
        return {
            k: None if isinstance(v, float) and not np.isfinite(v) else v
            for k, v in asdict(self).items()
        }


def responses(
    trains_s: dict[int, Values],
    before_s: npt.ArrayLike,
    after_s: npt.ArrayLike,
    change: Change,
    *,
    washout_s: npt.ArrayLike | None = None,
    rng: np.random.Generator,
) -> tuple[Response, ...]:
    """Compare the rates of all units before and after.

    Parameters
    ----------
    trains_s : dict of int to ndarray, shape (n_spikes,), seconds
        Increasing.
    before_s, after_s, washout_s : array-like, shape (n_spans, 2), seconds
        Recorded spans that do not overlap.
    change : Change
    rng : numpy.random.Generator
        Draws the permutations.
    """
    first = _bins(before_s, change.bin_s, "before")
    second = _bins(after_s, change.bin_s, "after")
    if np.any((first[:, None, 0] < second[None, :, 1]) & (second[None, :, 0] < first[:, None, 1])):
        raise BadLabelsError(
            "spans before and after that do not overlap", "some that do", "Mend the spans."
        )
    third = None if washout_s is None else _bins(washout_s, change.bin_s, "washout")
    order = _permutations(len(first), len(second), change.n_permutations, rng)
    found = [
        _compared(unit, train, (first, second, third), change, order)
        for unit, train in trains_s.items()
    ]
    adjusted = benjamini_hochberg([each.p for each in found])
    return tuple(
        _judged(replace(each, q=float(q)), change) for each, q in zip(found, adjusted, strict=True)
    )


def drug_units(
    spikes: LabelSet,
    spans: Sequence[npt.ArrayLike],
    clock: Clock,
    name: str,
    *,
    change: Change | None = None,
    spans_from: Sequence[str] = (),
    seed: int = 0,
) -> GroundTruth:
    """Label the units that answer to a drug as asked.

    Parameters
    ----------
    spikes : LabelSet
        EVENTS; an item is a unit.
    spans : sequence of array-like, each of shape (n_spans, 2), seconds
        Before, after, and where there is one the washout.
    clock : Clock
    name : str
        Class that answers so.
    change : Change, optional
    spans_from : sequence of str
        Digests of the sets that hold the spans.
    seed : int
        Of the permutations.
    """
    limits, called = change or Change(), class_name(name)
    require_spikes(spikes)
    trains = {
        unit: clock.to_seconds(np.unique(spikes.column("sample")[spikes.rows_of(unit)]))
        for unit in spikes.items.tolist()
    }
    verdicts = responses(
        trains,
        spans[0],
        spans[1],
        limits,
        washout_s=spans[2] if len(spans) > 2 else None,
        rng=np.random.default_rng(seed),
    )
    labels = class_set(
        spikes,
        {each.unit: called for each in verdicts if each.verdict == CONFIRMED},
        Author("model", METHOD, VERSION),
        {"evidence": "pharmacology", "criteria": asdict(limits), "class": called},
        names=(called,),
        made_from=spans_from,
        seed=seed,
    )
    tested = tuple(each.to_json() for each in verdicts)
    rows = {each.unit: each.to_json() for each in verdicts if each.verdict == CONFIRMED}
    items = item_table(labels, rows, COLUMNS, {"tested": list(tested), "criteria": asdict(limits)})
    findings = tuple(
        Finding(
            "doubtful_pharmacology",
            "note",
            f"Unit {each.unit} has no class. {each.sentence}",
            item=each.unit,
            value=each.ratio if np.isfinite(each.ratio) else None,
        )
        for each in verdicts
        if each.verdict == DOUBTFUL
    )
    return GroundTruth(labels, items, findings, tested)


def _bins(spans_s: npt.ArrayLike, bin_s: float, what: str) -> Values:
    """Whole bins within spans, shape (n_bins, 2), seconds."""
    spans = np.asarray(spans_s, dtype=np.float64).reshape(-1, 2)
    if not np.all(np.isfinite(spans)) or np.any(spans[:, 1] <= spans[:, 0]):
        raise BadLabelsError(f"spans {what} that last", "others", "Mend the spans.")
    edges = [
        np.arange(np.floor((b - a) / bin_s + 1e-9))[:, None] * bin_s + [a, a + bin_s]
        for a, b in spans.tolist()
    ]
    bins = np.concatenate([np.empty((0, 2)), *edges])
    if len(bins) < LEAST_BINS:
        raise BadLabelsError(
            f"at least {LEAST_BINS} bins of {bin_s:g} s {what}",
            f"{len(bins)} in {len(spans)} spans",
            "Give longer spans or shorter bins.",
        )
    return bins


def _permutations(n: int, m: int, times: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which of the bins come first, shape (times, n + m)."""
    first = np.zeros((times, n + m), bool)
    first[:, :n] = True
    return np.asarray(rng.permuted(first, axis=1))


def _compared(
    unit: int,
    train: Values,
    bins: tuple[Values, Values, Values | None],
    change: Change,
    order: npt.NDArray[np.bool_],
) -> Response:
    first, second = _counts(train, bins[0]), _counts(train, bins[1])
    third = None if bins[2] is None else _counts(train, bins[2])
    sign = 1.0 if change.direction == "less" else -1.0
    counts = np.concatenate([first, second])
    drop = sign * (first.mean() - second.mean())
    before = order @ counts / first.size
    after = (counts.sum() - order @ counts) / second.size
    p = (1 + np.sum(sign * (before - after) >= drop - 1e-12)) / (1 + len(order))
    return Response(
        unit,
        before_hz=float(first.mean() / change.bin_s),
        after_hz=float(second.mean() / change.bin_s),
        washout_hz=np.nan if third is None else float(third.mean() / change.bin_s),
        ratio=float(second.mean() / first.mean()) if first.any() else np.nan,
        p=float(p),
    )


def _counts(train: Values, bins: Values) -> Values:
    return np.asarray(np.diff(np.searchsorted(train, bins), axis=1)[:, 0], dtype=np.float64)


def _judged(found: Response, change: Change) -> Response:
    rates = f"from {found.before_hz:.2f} to {found.after_hz:.2f} Hz (p = {found.p:.2g})"
    less = change.direction == "less"
    if (found.before_hz if less else found.after_hz) < change.min_rate_hz:
        sentence = f"It fires too rarely to tell: {rates}."
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    far = (
        found.after_hz * change.factor <= found.before_hz
        if less
        else found.after_hz >= found.before_hz * change.factor
    )
    if not found.p < change.alpha:
        sentence = f"Its rate goes {rates}: no change in the direction asked for."
        return replace(found, verdict=UNCHANGED, sentence=sentence)
    if not far or not found.q < change.fdr:
        sentence = (
            f"Its rate goes {rates}: not {change.factor:g} times {change.direction}, or no more "
            f"than chance among so many units (q = {found.q:.2g})."
        )
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    if less and change.need_washout and not found.washout_hz >= 0.5 * found.before_hz:
        seen = (
            "there is no washout"
            if np.isnan(found.washout_hz)
            else f"it does not come back in the washout ({found.washout_hz:.2f} Hz)"
        )
        sentence = f"Its rate goes {rates}, but {seen}: the unit may have been lost."
        return replace(found, verdict=DOUBTFUL, sentence=sentence)
    back = "" if np.isnan(found.washout_hz) else f", and {found.washout_hz:.2f} Hz in the washout"
    return replace(found, verdict=CONFIRMED, sentence=f"Its rate goes {rates}{back}.")
