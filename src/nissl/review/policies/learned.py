"""A policy learned by reinforcement on simulated reviewers: what to ask, and when to stop.

A ranking function, linear in a few features of each candidate, and a stop rule, logistic in a few
features of the whole review, were trained together by the cross-entropy method (Rubinstein 1999,
Methodology and Computing in Applied Probability 1, 127-190; as used for policies by Szita and
Lorincz 2006, Neural Computation 18, 2936-2941) to make the least of seconds spent plus the price
of the labels left wrong. `benchmarks/train_policy.py` trains it; `learned.json` holds the weights
and their card. No real recording was used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.review.policies.diversity import typicality
from nissl.review.policies.error_reduction import error_reduction
from nissl.review.policies.measures import (
    entropy_of,
    expected_error,
    margin_of,
    mutual_information,
    nearest,
)
from nissl.review.policies.pool import BATCH, Pool, Ranking, ranked

Floats = npt.NDArray[np.float64]

CANDIDATE = (
    "entropy",
    "margin",
    "least_confident",
    "disagreement",
    "typicality",
    "distance",
    "error_reduction",
    "quickness",
)
"""Features of a candidate: ranks within the pool, 0 to 1; 0.5 where the pool has no such thing."""

REVIEW = ("one", "log_gain", "stage", "doubt")
"""Features of the review that the stop rule sees."""

PRICE_S = 30.0
"""Seconds of work that one wrong label is worth avoiding, where nobody says otherwise."""


@dataclass(frozen=True)
class Weights:
    """What the policy has learned.

    Parameters
    ----------
    early, late : ndarray, shape (8,), float64
        Weights of `CANDIDATE` at the start and at the end of a review; in between they are mixed.
    stop : ndarray, shape (4,), float64
        Weights of `REVIEW`.
    """

    early: Floats
    late: Floats
    stop: Floats

    def __post_init__(self) -> None:
        sizes = (len(CANDIDATE), len(CANDIDATE), len(REVIEW))
        got = tuple(w.shape for w in (self.early, self.late, self.stop))
        if got != tuple((size,) for size in sizes):
            raise BadArgumentError(
                f"weights of lengths {sizes}", f"{got}", "Train them: benchmarks/train_policy.py."
            )

    def to_vector(self) -> Floats:
        """All weights, one after the other."""
        return np.concatenate([self.early, self.late, self.stop])

    @classmethod
    def from_vector(cls, vector: Floats) -> Weights:
        """Inverse of `to_vector`."""
        size = len(CANDIDATE)
        return cls(vector[:size], vector[size : 2 * size], vector[2 * size :])

    def to_json(self) -> dict[str, Any]:
        """Plain values, by name of the feature."""
        return {
            "early": dict(zip(CANDIDATE, self.early.tolist(), strict=True)),
            "late": dict(zip(CANDIDATE, self.late.tolist(), strict=True)),
            "stop": dict(zip(REVIEW, self.stop.tolist(), strict=True)),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Mapping[str, float]]) -> Weights:
        """Inverse of `to_json`."""
        try:
            return cls(
                np.array([value["early"][name] for name in CANDIDATE], dtype=np.float64),
                np.array([value["late"][name] for name in CANDIDATE], dtype=np.float64),
                np.array([value["stop"][name] for name in REVIEW], dtype=np.float64),
            )
        except KeyError as error:
            raise BadArgumentError(
                "weights of every feature", f"none for {error}", "Train them again."
            ) from None


@cache
def shipped() -> Weights:
    """Return the weights that come with the package."""
    return Weights.from_json(card_and_weights()["weights"])


def card_and_weights() -> dict[str, Any]:
    """Read what is shipped: the weights and the card that says how they came about."""
    text = files("nissl.review.policies").joinpath("learned.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


def learned(pool: Pool, rng: np.random.Generator) -> Ranking:
    """Ask by the shipped weights.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
    """
    return ask(pool, shipped(), rng)


def ask(pool: Pool, weights: Weights, rng: np.random.Generator) -> Ranking:
    """Ask by given weights.

    Parameters
    ----------
    pool : Pool
    weights : Weights
    rng : numpy.random.Generator

    Returns
    -------
    Ranking
    """
    stage = stage_of(pool)
    return ranked(candidates(pool, rng) @ ((1 - stage) * weights.early + stage * weights.late), rng)


def stop_probability(
    pool: Pool, *, price_s: float = PRICE_S, weights: Weights | None = None
) -> float:
    """Return how strongly the policy advises to stop now.

    Parameters
    ----------
    pool : Pool
        What could still be asked.
    price_s : float
        Seconds of work that one wrong label is worth avoiding.
    weights : Weights, optional
        The shipped ones by default.

    Returns
    -------
    float
        0 to 1; above 0.5 it would stop. 1 where nothing is left to ask.
    """
    if price_s <= 0:
        raise BadArgumentError("a price above 0 s", f"{price_s}", "Say what an error costs.")
    if len(pool) == 0:
        return 1.0
    logit = float(review(pool, price_s) @ (weights or shipped()).stop)
    return float(1 / (1 + np.exp(-np.clip(logit, -50, 50))))


def stage_of(pool: Pool) -> float:
    """How far the review is, 0 to 1, on a logarithmic scale of answers.

    Parameters
    ----------
    pool : Pool

    Returns
    -------
    float
        0 before the first answer; 1 from 500 answers.
    """
    return float(np.clip(np.log1p(pool.n_answered) / np.log1p(500), 0.0, 1.0))


def candidates(pool: Pool, rng: np.random.Generator) -> Floats:
    """Features of every candidate.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator
        Draws the items that stand for a large pool.

    Returns
    -------
    ndarray, shape (n, 8), float64
        In the order of `CANDIDATE`.
    """
    p, n = pool.probabilities, len(pool)
    columns: list[Floats | None] = [
        entropy_of(p),
        margin_of(p),
        expected_error(p),
        None if pool.votes is None else mutual_information(pool.votes),
        None if pool.features is None else typicality(pool.features, rng),
        None
        if pool.features is None or pool.answered is None or not len(pool.answered)
        else nearest(pool.features, pool.answered),
        None if pool.features is None else error_reduction(pool, rng).score,
        -pool.seconds,
    ]
    ranks = [np.full(n, 0.5) if c is None else _ranks(c) for c in columns]
    return np.stack(ranks, axis=1)


def review(pool: Pool, price_s: float) -> Floats:
    """Features of the review as a whole.

    Parameters
    ----------
    pool : Pool
        Not empty.
    price_s : float

    Returns
    -------
    ndarray, shape (4,), float64
        1; log of the price of errors expected to be found per second of the best batch; stage;
        mean entropy of the pool relative to its largest.
    """
    rate = np.sort(expected_error(pool.probabilities) / pool.seconds)[-BATCH:]
    doubt = float(entropy_of(pool.probabilities).mean() / np.log(pool.probabilities.shape[1]))
    return np.array([1.0, np.log(max(float(rate.mean()) * price_s, 1e-6)), stage_of(pool), doubt])


def _ranks(values: Floats) -> Floats:
    """Ranks from 0 to 1; equal values share their mean rank."""
    n = len(values)
    if n < 2:
        return np.full(n, 0.5)
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    middle = last - (counts - 1) / 2
    return np.asarray(middle[code] / (n - 1), dtype=np.float64)
