"""A small model of spans: standardised features, softmax regressions, a calibration; as JSON.

Twenty marked examples cannot feed trees; a regression with a strong penalty, chosen by
cross-validation over examples, is what they can carry. Members are fitted to bootstrap draws
and vote, for disagreement.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, replace
from importlib.resources import files as package_files
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.candidates import Search
from nissl.errors import BadLabelsError
from nissl.trust.calibration import Calibration

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEMBERS = 5
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the penalty among which cross-validation chooses."""
_WIDEST = 6.0


@dataclass(frozen=True, eq=False)
class SpanModel:
    """Which class a span is, from its features.

    Parameters
    ----------
    classes : tuple of str
        The last claims nothing.
    features : tuple of str
        In the order of the weights.
    middle, scale : ndarray, shape (n_features,), float64
    weights : ndarray, shape (n_members, n_classes, n_features + 1), float64
        The last column is the intercept.
    searches : tuple of Search
        Where candidates are looked for.
    calibration : Calibration
    threshold : float
        Probability of "nothing" below one minus which a candidate is claimed.
    trained_on : str
        In words.
    """

    classes: tuple[str, ...]
    features: tuple[str, ...]
    middle: Values
    scale: Values
    weights: Values
    searches: tuple[Search, ...]
    calibration: Calibration
    threshold: float = 0.5
    trained_on: str = ""

    def votes(self, values: Values) -> Values:
        """What each member says, (n_members, n_spans, n_classes), calibrated."""
        z = self.standardised(values)
        logits = np.einsum("nd,mkd->mnk", z, self.weights[:, :, :-1]) + self.weights[:, None, :, -1]
        p = _softmax(logits)
        return np.stack([self._calibrated(each) for each in p]) if len(values) else p

    def probabilities(self, values: Values) -> Values:
        """Mean of the members, calibrated, shape (n_spans, n_classes)."""
        if not len(values):
            return np.empty((0, len(self.classes)))
        return self._calibrated(self.raw(values))

    def _calibrated(self, p: Values) -> Values:
        return p if len(self.classes) == 1 else self.calibration.apply(p)

    def raw(self, values: Values) -> Values:
        """Mean of the members before calibration."""
        z = self.standardised(values)
        logits = np.einsum("nd,mkd->mnk", z, self.weights[:, :, :-1]) + self.weights[:, None, :, -1]
        return np.asarray(_softmax(logits).mean(axis=0))

    def standardised(self, values: Values) -> Values:
        """Features on one scale, missing ones in the middle, extremes cut."""
        z = (values - self.middle) / self.scale
        return np.clip(
            np.nan_to_num(z, nan=0.0, posinf=_WIDEST, neginf=-_WIDEST), -_WIDEST, _WIDEST
        )

    def to_bytes(self) -> bytes:
        """JSON, numbers to 9 digits."""
        value: dict[str, Any] = {
            "format": 1,
            "classes": list(self.classes),
            "features": list(self.features),
            "searches": [asdict(s) for s in self.searches],
            "calibration": self.calibration.to_json() if len(self.classes) > 1 else None,
            "threshold": self.threshold,
            "trained_on": self.trained_on,
        }
        for name in ("middle", "scale", "weights"):
            value[name] = np.vectorize(lambda v: float(f"{v:.9g}"))(getattr(self, name)).tolist()
        return json.dumps(value, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> SpanModel:
        """Inverse of `to_bytes`."""
        try:
            value = json.loads(content)
            return cls(
                classes=tuple(value["classes"]),
                features=tuple(value["features"]),
                middle=np.asarray(value["middle"], np.float64),
                scale=np.asarray(value["scale"], np.float64),
                weights=np.asarray(value["weights"], np.float64),
                searches=tuple(Search(**s) for s in value["searches"]),
                calibration=_calibration(value["calibration"]),
                threshold=float(value["threshold"]),
                trained_on=str(value["trained_on"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BadLabelsError(
                "a model of spans as JSON", f"{type(error).__name__}: {error}", "Fit it again."
            ) from None

    @property
    def digest(self) -> str:
        """Hex SHA-256 of `to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def fitted(
    values: Values,
    label: Ints,
    weight: Values,
    *,
    classes: tuple[str, ...],
    features: tuple[str, ...],
    searches: tuple[Search, ...],
    rng: np.random.Generator,
    trained_on: str = "",
) -> SpanModel:
    """Model of examples; the penalty is what predicts left-out examples best.

    Parameters
    ----------
    values : ndarray, shape (n, n_features), float64
    label : ndarray, shape (n,), int64
        Codes of `classes`.
    weight : ndarray, shape (n,), float64
    classes, features, searches, trained_on
        See `SpanModel`.
    rng : numpy.random.Generator
    """
    middle = np.nan_to_num(np.nanmedian(values, axis=0)) if len(values) else np.zeros(len(features))
    scale = np.nan_to_num(np.nanstd(values, axis=0), nan=1.0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    k, d = len(classes), len(features)
    model = SpanModel(
        classes, features, middle, scale, np.zeros((1, k, d + 1)), searches,
        Calibration("identity", k), trained_on=trained_on,
    )  # fmt: skip
    z = model.standardised(values)
    strength = _penalty(z, label, weight, rng)
    members = []
    for member in range(MEMBERS):
        rows = np.arange(len(z)) if member == 0 else _draw(label, rng)
        members.append(_regression(z[rows], label[rows], weight[rows], strength, k))
    return replace(model, weights=np.stack(members))


def shipped(name: str) -> SpanModel:
    """Model of the package's weights."""
    folder = package_files("nissl.annotators.events") / "weights"
    return SpanModel.from_bytes((folder / f"{name}.json").read_bytes())


def _calibration(value: dict[str, Any] | None) -> Calibration:
    return Calibration("identity", 2) if value is None else Calibration.from_json(value)


def _draw(label: Ints, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Bootstrap draw within each class, so that none is lost."""
    rows = [np.flatnonzero(label == c) for c in np.unique(label)]
    return np.concatenate([rng.choice(r, r.size) for r in rows])


def _penalty(z: Values, label: Ints, weight: Values, rng: np.random.Generator) -> float:
    counts = np.unique(label, return_counts=True)[1]
    folds = int(min(5, counts.min())) if counts.size > 1 else 0
    if folds < 2:
        return PENALTIES[0]
    fold = np.empty(len(label), np.int64)
    for c in np.unique(label):
        rows = rng.permutation(np.flatnonzero(label == c))
        fold[rows] = np.arange(rows.size) % folds
    k = int(label.max()) + 1
    losses = []
    for strength in PENALTIES:
        loss = 0.0
        for f in range(folds):
            out = fold == f
            w = _regression(z[~out], label[~out], weight[~out], strength, k)
            p = _softmax(z[out] @ w[:, :-1].T + w[:, -1])
            own = np.clip(p[np.arange(out.sum()), label[out]], 1e-9, 1)
            loss -= float(np.sum(weight[out] * np.log(own)))
        losses.append(loss)
    return PENALTIES[int(np.argmin(losses))]


def _regression(z: Values, label: Ints, weight: Values, strength: float, k: int) -> Values:
    """Softmax weights, (k, d + 1); classes without an example are never claimed."""
    from sklearn.linear_model import LogisticRegression

    out = np.zeros((k, z.shape[1] + 1))
    out[:, -1] = -30.0
    seen = np.unique(label)
    if seen.size == 1:
        out[seen[0], -1] = 0.0
        return out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = LogisticRegression(C=strength, max_iter=500).fit(z, label, sample_weight=weight)
    coef, intercept = found.coef_, found.intercept_
    if seen.size == 2:
        coef, intercept = np.vstack([0 * coef, coef]), np.concatenate([0 * intercept, intercept])
    out[seen, :-1], out[seen, -1] = coef, intercept
    return out


def _softmax(logits: Values) -> Values:
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
