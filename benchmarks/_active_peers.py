"""Strategies of scikit-activeml (BSD-3-Clause; Kottke et al.) on the same campaigns and learner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from _active_work import Campaign, Choice
from nissl.review.policies import Pool, Ranking

Floats = npt.NDArray[np.float64]

PEERS = ("UncertaintySampling", "QueryByCommittee")


def available() -> Mapping[str, str]:
    """Versions of what is needed, empty where it is not installed."""
    try:
        import skactiveml
    except ImportError:
        return {}
    return {"scikit-activeml": str(skactiveml.__version__)}


def by_peer(name: str) -> Choice:
    """Ask by a strategy with its defaults (margin for uncertainty), 20 questions at a time."""
    return lambda campaign, pool: _ask(name, campaign, pool)


def _ask(name: str, campaign: Campaign, pool: Pool) -> Ranking:
    import skactiveml.pool as strategies

    n = len(campaign.pool)
    y = np.full(n, np.nan)
    y[campaign.asked] = campaign.pool.truth[campaign.asked]
    rows = pool.items
    seed = int(campaign.rng.integers(2**31))
    common: dict[str, Any] = {"candidates": rows, "batch_size": campaign.plan.batch}
    index = np.arange(n, dtype=np.float64)[:, None]
    if name == "UncertaintySampling":
        strategy = strategies.UncertaintySampling(method="margin_sampling", random_state=seed)
        known = _known(campaign.probabilities, index, y)
        picked = strategy.query(index, y, clf=known, fit_clf=False, **common)
    elif name == "QueryByCommittee":
        strategy = strategies.QueryByCommittee(random_state=seed)
        members = [_known(v, index, y) for v in campaign.votes]
        picked = strategy.query(index, y, ensemble=members, fit_ensemble=False, **common)
    else:
        strategy = getattr(strategies, name)(random_state=seed)
        picked = strategy.query(campaign.pool.features, y, **common)
    place = {int(row): position for position, row in enumerate(rows)}
    first = np.array([place[int(row)] for row in picked], dtype=np.int64)
    rest = np.setdiff1d(np.arange(len(rows)), first)
    # It logs no chances. 1 for all of them leaves what was asked as it is: unweighted.
    return Ranking(np.concatenate([first, rest]), np.zeros(len(rows)), np.ones(len(rows)))


def _known(probabilities: Floats, index: Floats, y: Floats) -> Any:
    """A classifier that looks up what the campaign's own learner said about each row."""
    from skactiveml.base import SkactivemlClassifier

    class Known(SkactivemlClassifier):  # type: ignore[misc]
        def fit(self, X: Floats, y: Floats, sample_weight: Floats | None = None) -> Any:
            self._validate_data(X=X, y=y, sample_weight=sample_weight)
            return self

        def predict_proba(self, X: Floats) -> Floats:
            p = probabilities[X[:, 0].astype(int)]
            return np.asarray(p / p.sum(1, keepdims=True))

    return Known(classes=list(range(probabilities.shape[1])), random_state=0).fit(index, y)
