"""The transformer's word and that of registration, joined."""

from __future__ import annotations

import numpy as np

from nissl.annotators.tracks.following import Opinion
from nissl.annotators.tracks.joining import joined

SAYS = np.log(np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]]))
"""Of two blobs and two neurons, by the transformer."""


def opinion(share: np.ndarray) -> Opinion:
    return Opinion(share, np.zeros((2, 3)), np.ones(2), 0, 0.0)


def test_what_is_joined_are_probabilities_of_each_blob() -> None:
    out = joined(SAYS, opinion(np.full((2, 2), 0.4)), 5)
    np.testing.assert_allclose(np.exp(out).sum(axis=1), 1)
    assert out[:, :2].argmax(axis=1).tolist() == [0, 1]


def test_a_transformer_of_few_annotated_sets_yields_to_registration() -> None:
    swapped = opinion(np.array([[0.1, 0.85], [0.85, 0.1]]))
    assert joined(SAYS, swapped, 2)[:, :2].argmax(axis=1).tolist() == [1, 0]
    assert joined(SAYS, swapped, 100)[:, :2].argmax(axis=1).tolist() == [0, 1]


def test_registration_that_knows_nothing_changes_no_order_of_neurons() -> None:
    out = joined(SAYS, opinion(np.zeros((2, 2))), 2)
    assert np.isfinite(out).all()
    assert out[:, :2].argmax(axis=1).tolist() == [0, 1]
