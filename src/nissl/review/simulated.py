"""Simulated readers: known confusion, lapses, and times that look like people's.

For tests, for training policies, and for playing a reader through a whole review. A decision's
time is log-normal, longer for doubtful items and for the first ones of a session, and longer
again with fatigue; now and then the reader goes away (an idle gap).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pace:
    """How long a reader takes.

    Parameters
    ----------
    median_s : float
        Median time of an easy decision in mid-session, seconds.
    sigma : float
        Standard deviation of the logarithm of the time.
    slowing : float
        An item of full ambiguity takes exp(slowing) times as long as a clear one.
    warming : float
        The first decision of a session takes exp(warming) times as long; the excess halves every
        ten decisions.
    fatigue : float
        Growth of the logarithm of the time per hundred decisions.
    idle : float
        Chance of an idle gap in a decision.
    idle_s : float
        Mean length of a gap beyond one minute, seconds.
    """

    median_s: float = 3.0
    sigma: float = 0.5
    slowing: float = 1.2
    warming: float = 0.4
    fatigue: float = 0.02
    idle: float = 0.0
    idle_s: float = 300.0

    def __post_init__(self) -> None:
        if self.median_s <= 0 or self.sigma < 0 or not 0 <= self.idle <= 1 or self.idle_s <= 0:
            raise BadArgumentError(
                "times above 0 and a chance of 0 to 1", str(self), "Mend the reader's pace."
            )

    def expected_s(self, ambiguity: Floats, order: Ints | int = 50) -> Floats:
        """Mean time of decisions without idle gaps.

        Parameters
        ----------
        ambiguity : ndarray, shape (n,), float64
            0 (clear) to 1.
        order : ndarray, shape (n,), int64, or int
            How many decisions of the session went before.

        Returns
        -------
        ndarray, shape (n,), float64
            Seconds.
        """
        return np.asarray(np.exp(self._location(ambiguity, order) + self.sigma**2 / 2))

    def draw_s(self, ambiguity: Floats, order: Ints | int, rng: np.random.Generator) -> Floats:
        """Times of decisions.

        Parameters
        ----------
        ambiguity, order
            As in `expected_s`.
        rng : numpy.random.Generator

        Returns
        -------
        ndarray, shape (n,), float64
            Seconds, idle gaps included.
        """
        n = len(ambiguity)
        times = np.exp(self._location(ambiguity, order) + self.sigma * rng.standard_normal(n))
        away = rng.random(n) < self.idle
        times[away] += 60.0 + rng.exponential(self.idle_s, int(away.sum()))
        return np.asarray(times, dtype=np.float64)

    def _location(self, ambiguity: Floats, order: Ints | int) -> Floats:
        went = np.asarray(order, dtype=np.float64)
        warm = self.warming * 0.5 ** (went / 10) + self.fatigue * went / 100
        return np.asarray(np.log(self.median_s) + self.slowing * ambiguity + warm)


@dataclass(frozen=True)
class SimulatedReader:
    """A reader who errs in a known way.

    Parameters
    ----------
    name : str
    confusion : ndarray, shape (k, k), float64
        Row: true class; column: answer; rows sum to 1.
    lapse : float
        Chance to answer without looking: any class with the same chance.
    pace : Pace
    """

    name: str
    confusion: Floats
    lapse: float = 0.0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        matrix = self.confusion
        square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] >= 2
        if not square or np.any(matrix < 0) or np.any(abs(matrix.sum(1) - 1) > 1e-6):
            raise BadArgumentError(
                "a square confusion matrix whose rows sum to 1", f"{matrix}", "Normalise it."
            )
        if not 0 <= self.lapse <= 1:
            raise BadArgumentError("a lapse rate of 0 to 1", f"{self.lapse}", "Correct it.")

    @classmethod
    def accurate(
        cls, name: str, k: int, accuracy: float, *, lapse: float = 0.0, pace: Pace | None = None
    ) -> SimulatedReader:
        """Return a reader of given accuracy whose errors spread over the other classes evenly.

        Parameters
        ----------
        name : str
        k : int
            Classes.
        accuracy : float
            Chance of the right answer, lapses apart.
        lapse, pace
            As in the class.
        """
        if k < 2 or not 0 <= accuracy <= 1:
            raise BadArgumentError(
                "two or more classes and an accuracy of 0 to 1", f"{k}, {accuracy}", "Correct them."
            )
        confusion = np.full((k, k), (1 - accuracy) / (k - 1))
        np.fill_diagonal(confusion, accuracy)
        return cls(name, confusion, lapse, pace or Pace())

    @property
    def effective_confusion(self) -> Floats:
        """Confusion with lapses, shape (k, k)."""
        k = len(self.confusion)
        return (1 - self.lapse) * self.confusion + self.lapse / k

    def answer(
        self,
        truth: Ints,
        ambiguity: Floats,
        rng: np.random.Generator,
        *,
        order: int = 0,
    ) -> tuple[Ints, Floats]:
        """Decide on items, one after the other.

        Parameters
        ----------
        truth : ndarray, shape (n,), int64
            True class of each item.
        ambiguity : ndarray, shape (n,), float64
            0 (clear) to 1; it slows the reader, and does not change the answer.
        rng : numpy.random.Generator
        order : int
            Decisions of this session that went before.

        Returns
        -------
        labels : ndarray, shape (n,), int64
        seconds : ndarray, shape (n,), float64
        """
        n = len(truth)
        sums = self.effective_confusion[truth].cumsum(1)
        labels = (rng.random(n)[:, None] > sums[:, :-1]).sum(1)
        seconds = self.pace.draw_s(ambiguity, order + np.arange(n), rng)
        return labels.astype(np.int64), seconds
