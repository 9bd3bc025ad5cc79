"""How far an item, or a whole recording, lies from what a model has seen.

Items: features are standardised robustly (median and interquartile range, then an inverse
hyperbolic sine that bounds heavy tails), missing values stand at the median and count by a
column of their own. The distance is Mahalanobis' with a covariance shrunk after Ledoit and Wolf
(2004, J. Multivar. Anal. 88, 365-411), or the mean distance to the nearest neighbours; whichever
tells real items of left-out animals better from damaged ones. It is calibrated to a p-value on
animals left out (the pooled distribution function of Dunn, Wasserman and Ramdas 2022, J. Am.
Stat. Assoc. 118, 2491-2502): the share of items of a new animal that would lie at least as far,
each training animal counting alike; it is off by the order of one over their number.

Recordings: medians of features, their missing rates, their usual relations (principal components
within animals) and the mean distance are held against those of the training animals by
`nissl.trust.shift`; what lies outside switches automatic acceptance off, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.distance import KINDS, Distance, fit_distance, left_out
from nissl.trust.frame import Frame, fit_frame
from nissl.trust.shift import Family, fit_family

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MIN_GROUPS = 3
MIN_ITEMS = 5
_MEDIAN_VARIANCE = np.pi / 2  # of a median, against that of a mean
_SPREAD_VARIANCE = 1.36  # of the log of a median absolute deviation of n normal values, times n
_FLOORS = {"missing": 0.05**2}  # a few items without a value are no reason to stop
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Items:
    """Novelty of each item of a recording.

    Parameters
    ----------
    distance, p : ndarray, shape (n,), float64
    reasons : tuple of str
        In plain words, by item: the features that put it there.
    """

    distance: Floats
    p: Floats
    reasons: tuple[str, ...]

    def novel(self, level: float = 0.01) -> npt.NDArray[np.bool_]:
        """Items further out than all but this share of a new animal's items."""
        return np.asarray(self.p <= level)


@dataclass(frozen=True)
class Verdict:
    """Whether a recording may be accepted automatically, by what the model has seen.

    Parameters
    ----------
    automatic : bool
    p : float
        How probable so large a difference is for a further animal, corrected for the number
        of statistics; NaN where it cannot be told.
    n : int
        Items of the recording.
    n_groups : int
        Animals that it was compared with.
    share_novel : float
        Share of items beyond 99 % of a new animal's.
    features : tuple of str
        What differs: single features first, each kind by how improbable it is.
    reason : str
        In plain words.
    """

    automatic: bool
    p: float
    n: int
    n_groups: int
    share_novel: float
    features: tuple[str, ...]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not known is None."""
        values = vars(self) | {"features": list(self.features)}
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in values.items()}


@dataclass(frozen=True, eq=False)
class Novelty:
    """A fitted measure of novelty; plain arrays, see `fit_novelty`.

    Parameters
    ----------
    frame : Frame
    distance : Distance
    null : tuple of ndarray
        Sorted distances of each training group's items from the other groups.
    families : mapping of str to Family
        "features" (medians), "missing" (rates), "relations" (medians), "spreads", "distance".
    relations : ndarray, shape (d, d), float64
        Principal directions within groups, one a column, scaled to unit variance.
    medians : ndarray, shape (n_groups, d), float64
        Median of each feature in each training group, in its own unit.
    evidence : mapping of str to float
        Area under the curve of real against damaged items of left-out groups, by kind.
    """

    frame: Frame
    distance: Distance
    null: tuple[Floats, ...]
    families: Mapping[str, Family]
    relations: Floats
    medians: Floats
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_groups(self) -> int:
        """Training groups (animals)."""
        return len(self.null)

    def items(self, features: npt.ArrayLike) -> Items:
        """Novelty of each item.

        Parameters
        ----------
        features : array-like, shape (n, d)
            In the order of `frame.names`; NaN where not measured.
        """
        x = np.asarray(features, dtype=np.float64)
        z = self.frame.z(x)
        distance, parts = self.distance.measure(self.frame.embed(z))
        shares = parts[:, : z.shape[1]] + parts[:, z.shape[1] :]
        reasons = tuple(
            _reason(self.frame, row, share) for row, share in zip(x, shares, strict=True)
        )
        return Items(distance, self._p(distance), reasons)

    def _p(self, distance: Floats) -> Floats:
        beyond = [1 - np.searchsorted(own, distance, side="left") / own.size for own in self.null]
        total = sum(own.size for own in self.null)
        return np.asarray((1 + total * np.mean(beyond, axis=0)) / (1 + total))

    def verdict(self, features: npt.ArrayLike, *, level: float = 0.01) -> Verdict:
        """Judge a recording as a whole.

        Parameters
        ----------
        features : array-like, shape (n, d)
            Of all its items.
        level : float
            Probability with which a further animal of the same kind is refused.
        """
        x = np.asarray(features, dtype=np.float64)
        found = self.items(x)
        share = float(np.mean(found.novel())) if len(x) else float("nan")
        facts = (len(x), self.n_groups, share)
        refusal = _cannot_tell(len(x), self.n_groups)
        if refusal:
            return Verdict(False, float("nan"), *facts, features=(), reason=refusal)
        z = self.frame.z(x)
        told, each, names = [], [], []
        values = _statistics(z, self.relations, found.distance)
        for family, statistic in values.items():
            p = self.families[family].test(statistic, len(x))
            p = np.where(np.isnan(p), 1.0, np.minimum(1.0, p * p.size * len(values)))
            for index in np.argsort(p, kind="stable")[:3].tolist():
                told.append(_sentence(self, family, index, x, statistic))
                names.append(_name(self, family, index))
                each.append(float(p[index]))
        worst = [i for i in range(len(each)) if each[i] < level][:3]  # plain features first
        p_value = float(min(each))
        if not worst:
            reason = f"within what {self.n_groups} animals show (p = {p_value:.2g}, n = {len(x)})"
            return Verdict(True, p_value, *facts, features=(), reason=reason)
        reason = "automatic acceptance off: " + "; ".join(told[i] for i in worst)
        names = [names[i] for i in worst]
        return Verdict(False, p_value, *facts, features=tuple(names), reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        frame = self.frame
        return {
            "names": list(frame.names),
            "centre": frame.centre.tolist(),
            "scale": frame.scale.tolist(),
            "missing": frame.missing.tolist(),
            "usual": frame.usual.tolist(),
            "kind": self.distance.kind,
            "distance_centre": self.distance.centre.tolist(),
            "distance_matrix": self.distance.matrix.tolist(),
            "null": [own.tolist() for own in self.null],
            "families": {name: f.to_json() for name, f in self.families.items()},
            "relations": self.relations.tolist(),
            "medians": [[None if np.isnan(v) else v for v in row] for row in self.medians.tolist()],
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Novelty:
        """Inverse of `to_json`."""

        def array(name: str) -> Floats:
            return np.asarray(value[name], dtype=np.float64)

        names = tuple(str(n) for n in value["names"])
        usual = array("usual")
        return cls(
            Frame(names, array("centre"), array("scale"), array("missing"), usual),
            Distance(str(value["kind"]), array("distance_centre"), array("distance_matrix")),
            tuple(np.asarray(own, dtype=np.float64) for own in value["null"]),
            {name: Family.from_json(f) for name, f in value["families"].items()},
            array("relations"),
            array("medians"),
            dict(value["evidence"]),
        )


def fit_novelty(
    features: npt.ArrayLike,
    groups: Sequence[Any] | npt.NDArray[Any],
    *,
    names: Sequence[str],
    rng: np.random.Generator,
    kind: str | None = None,
    max_reference: int = 2000,
) -> Novelty:
    """Learn what is usual.

    Parameters
    ----------
    features : array-like, shape (n, d)
        NaN where not measured.
    groups : sequence of length n
        Animal of each item. Recordings of one animal are one group.
    names : sequence of str, length d
    rng : numpy.random.Generator
        Damages items for the choice, draws reference items.
    kind : {"mahalanobis", "neighbours"}, optional
        By default chosen by evidence. "neighbours" keeps training items: models that are
        given away take "mahalanobis".
    max_reference : int
        Training items kept by "neighbours".

    Returns
    -------
    Novelty

    Raises
    ------
    BadArgumentError
        Shapes that do not fit, an unknown kind.
    EvaluationError
        There is only one group: nothing can be said about a further one.
    """
    x, codes = _checked(features, groups, names, kind)
    frame = fit_frame(x, names)
    z = frame.z(x)
    embedded = frame.embed(z)
    kinds = KINDS if kind is None else (kind,)
    scores: dict[str, Floats] = {}
    evidence: dict[str, float] = {}
    for name in kinds:
        scores[name], evidence[name] = left_out(name, z, frame, codes, rng, max_reference)
    chosen = max(kinds, key=lambda name: evidence[name])
    members = [np.flatnonzero(codes == g) for g in range(codes.max() + 1)]
    relations = _relations(z, members)
    return Novelty(
        frame,
        fit_distance(chosen, embedded, rng, max_reference),
        tuple(np.sort(scores[chosen][rows]) for rows in members),
        _families(z, relations, scores[chosen], members),
        relations,
        np.stack([_nanmedian(x[rows]) for rows in members]),
        evidence,
    )


def _relations(z: Floats, members: Sequence[npt.NDArray[np.intp]]) -> Floats:
    filled = np.nan_to_num(z)
    centred = np.concatenate([filled[rows] - np.median(filled[rows], axis=0) for rows in members])
    value, vector = np.linalg.eigh(centred.T @ centred / len(centred))
    return np.asarray(vector / np.sqrt(np.maximum(value, 0.0) + _RIDGE))


def _statistics(z: Floats, relations: Floats, distance: Floats) -> dict[str, Floats]:
    return {
        "features": np.sinh(_nanmedian(z)),  # a median needs no bound on heavy tails
        "missing": np.isnan(z).mean(axis=0),
        "relations": np.median(np.nan_to_num(z) @ relations, axis=0),
        "spreads": _spread(np.nan_to_num(z) @ relations),
        "distance": np.asarray([np.log(np.mean(distance) + 1e-9)]),
    }


def _spread(values: Floats) -> Floats:
    """Log of the median absolute deviation of each column."""
    return np.asarray(np.log(np.median(np.abs(values - np.median(values, axis=0)), axis=0) + 1e-6))


def _families(
    z: Floats, relations: Floats, score: Floats, members: Sequence[npt.NDArray[np.intp]]
) -> dict[str, Family]:
    each = [_statistics(z[rows], relations, score[rows]) for rows in members]
    rate = np.isnan(z).mean(axis=0)
    filled = np.nan_to_num(z) @ relations
    within = {
        "features": _MEDIAN_VARIANCE * _pooled(z, members),
        "missing": rate * (1 - rate),
        "relations": _MEDIAN_VARIANCE * _pooled(filled, members),
        "spreads": np.full(filled.shape[1], _SPREAD_VARIANCE),
        "distance": _pooled(np.log(score + 1e-9)[:, None], members),
    }
    return {
        name: fit_family(np.stack([s[name] for s in each]), variance, floor=_FLOORS.get(name, 0.0))
        for name, variance in within.items()
    }


def _pooled(values: Floats, members: Sequence[npt.NDArray[np.intp]]) -> Floats:
    """Mean variance within groups of each column; 0 where it is never known."""
    parts = []
    for rows in members:
        known = ~np.isnan(values[rows])
        n = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, values[rows], 0.0)
        mean = filled.sum(axis=0) / n
        parts.append(np.where(known, np.square(filled - mean), 0.0).sum(axis=0) / n)
    return np.asarray(np.mean(parts, axis=0))


def _nanmedian(values: Floats) -> Floats:
    gone = np.isnan(values).all(axis=0)
    return np.where(gone, np.nan, np.nanmedian(np.where(gone, 0.0, values), axis=0))


def _cannot_tell(n: int, n_groups: int) -> str:
    if n_groups < MIN_GROUPS:
        return (
            f"automatic acceptance off: the model has seen {n_groups} animals, "
            f"and {MIN_GROUPS} are needed to know how animals differ"
        )
    if n < MIN_ITEMS:
        return f"automatic acceptance off: {n} items, and {MIN_ITEMS} are needed to judge"
    return ""


def _name(novelty: Novelty, family: str, index: int) -> str:
    if family == "distance":
        return "distance"
    if family in ("relations", "spreads"):
        loading = np.abs(novelty.relations[:, index])
        first, second = [*np.argsort(-loading, kind="stable").tolist(), 0][:2]
        return f"{novelty.frame.names[first]} against {novelty.frame.names[second]}"
    return novelty.frame.names[index]


def _sentence(novelty: Novelty, family: str, index: int, x: Floats, statistic: Floats) -> str:
    name, n = _name(novelty, family, index), novelty.n_groups
    if family == "distance":
        return f"items lie further out on average than in the {n} animals seen"
    if family in ("relations", "spreads"):
        return f"the relation of {name.replace(' against ', ' and ')} differs from all {n} animals"
    if family == "missing":
        return f"{name} is missing in {100 * statistic[index]:.0f} % of the items"
    own = novelty.medians[:, index]
    median = float(_nanmedian(x[:, index : index + 1])[0])
    return (
        f"the median of {name} is {median:.3g} where {n} animals show "
        f"{np.nanmin(own):.3g} to {np.nanmax(own):.3g}"
    )


def _reason(frame: Frame, row: Floats, share: Floats, n: int = 3) -> str:
    total = max(float(np.abs(share).sum()), 1e-12)
    told: list[str] = []
    for index in np.argsort(-share, kind="stable")[:n].tolist():
        if share[index] < 0.1 * total and told:
            break
        low, high = frame.usual[index]
        value = "missing" if np.isnan(row[index]) else f"{row[index]:.3g}"
        told.append(f"{frame.names[index]} {value} (usually {low:.3g} to {high:.3g})")
    return "; ".join(told)


def _checked(
    features: npt.ArrayLike,
    groups: Sequence[Any] | npt.NDArray[Any],
    names: Sequence[str],
    kind: str | None,
) -> tuple[Floats, Ints]:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.shape != (len(groups), len(names)) or (kind or KINDS[0]) not in KINDS:
        raise BadArgumentError(
            f"features (n, d), n groups, d names, a kind among {KINDS}",
            f"{x.shape}, {len(groups)}, {len(names)}, {kind!r}",
            "Mend the arguments.",
        )
    found, codes = np.unique(np.asarray(groups), return_inverse=True)
    if found.size < 2:
        raise EvaluationError(
            "items of two animals or more", f"{found.size}", "Fit on another animal too."
        )
    return x, codes.astype(np.int64)
