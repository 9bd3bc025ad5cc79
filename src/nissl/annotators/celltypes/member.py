"""A member of the ensemble: a linear classifier, of the inputs or of random features of them.

Random Fourier features (Rahimi and Recht 2007, Random features for large-scale kernel machines,
NeurIPS 20) make a kernel classifier out of a linear one without keeping a single example.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.nets.softmax import Head, fit_head

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

N_RANDOM = 256
WIDTH = 0.3
"""Inverse squared width of the kernel, of the mean squared input."""
STEPS = 12
_STRENGTH = {"linear": 0.1, "random": 1.0}


@dataclass(frozen=True, eq=False)
class Member:
    """A classifier of some of the inputs.

    Parameters
    ----------
    columns : ndarray, shape (n_columns,), int64
        Which inputs it sees.
    head : Head
    frequencies : ndarray, shape (n_columns, n_random), float64, optional
        Without them it is linear.
    phases : ndarray, shape (n_random,), float64, optional
    """

    columns: npt.NDArray[np.int64]
    head: Head
    frequencies: Values | None = None
    phases: Values | None = None

    def scores(self, inputs: Values) -> Values:
        """Raw scores, shape (n_units, n_classes)."""
        return self.head.scores(self.features(inputs))

    def features(self, inputs: Values) -> Values:
        """What its linear classifier is of."""
        own = inputs[:, self.columns]
        if self.frequencies is None or self.phases is None:
            return own
        scale = np.sqrt(2 / self.phases.size)
        return np.asarray(scale * np.cos(own @ self.frequencies + self.phases))

    def slopes(self, inputs: Values) -> Values:
        """Mean gradient of the scores on the way from 0 to the inputs.

        Times the inputs these are integrated gradients (Sundararajan, Taly and Yan 2017), which
        sum to the score minus that of a unit of which nothing is known.

        Returns
        -------
        ndarray, shape (n_units, n_classes, n_inputs), float64
        """
        n_classes = len(self.head.coefficients)
        out = np.zeros((len(inputs), n_classes, inputs.shape[1]))
        if self.frequencies is None or self.phases is None:
            out[:, :, self.columns] = self.head.coefficients
            return out
        own = inputs[:, self.columns] @ self.frequencies
        scale = np.sqrt(2 / self.phases.size)
        sines = np.zeros_like(own)
        for step in (np.arange(STEPS) + 0.5) / STEPS:
            sines -= scale * np.sin(step * own + self.phases) / STEPS
        weighted = sines[:, None, :] * self.head.coefficients
        out[:, :, self.columns] = weighted @ self.frequencies.T
        return out


def blank(
    kind: str, columns: npt.NDArray[np.int64], n_classes: int, rng: np.random.Generator
) -> Member:
    """Member that knows nothing.

    Parameters
    ----------
    kind : {"linear", "random"}
    columns : ndarray, shape (n_columns,), int64
    n_classes : int
    rng : numpy.random.Generator
        Draws the random features.
    """
    if kind == "linear":
        return Member(columns, Head(np.zeros((n_classes, columns.size)), np.zeros(n_classes)))
    spread = np.sqrt(2 * WIDTH / columns.size)
    frequencies = (rng.standard_normal((columns.size, N_RANDOM)) * spread).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, N_RANDOM).astype(np.float32)
    head = Head(np.zeros((n_classes, N_RANDOM)), np.zeros(n_classes))
    return Member(columns, head, frequencies.astype(np.float64), phases.astype(np.float64))


def taught(member: Member, inputs: Values, label: Codes, weight: Values) -> Member:
    """The member after examples; what it knew before is where it starts, and is pulled to.

    Parameters
    ----------
    member : Member
    inputs : ndarray, shape (n_units, n_inputs), float64
    label : ndarray, shape (n_units,), int64
    weight : ndarray, shape (n_units,), float64
    """
    strength = _STRENGTH["linear" if member.frequencies is None else "random"]
    head = fit_head(
        member.features(inputs),
        label,
        weight,
        len(member.head.coefficients),
        before=member.head,
        strength=strength,
    )
    return Member(member.columns, head, member.frequencies, member.phases)


def widened(member: Member, places: list[int | None]) -> Member:
    """The member for another list of classes.

    Parameters
    ----------
    member : Member
    places : list of int or None
        For each new class, the old one that it is; None for one that nothing is known of.
    """
    old = member.head
    coefficients = np.zeros((len(places), old.coefficients.shape[1]))
    intercepts = np.zeros(len(places))
    for k, place in enumerate(places):
        if place is not None:
            coefficients[k], intercepts[k] = old.coefficients[place], old.intercepts[place]
    head = Head(coefficients, intercepts)
    return Member(member.columns, head, member.frequencies, member.phases)
