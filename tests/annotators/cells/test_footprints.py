"""Footprints: pixels of cells, to labels and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nissl.annotators.cells.footprints import Footprints
from nissl.errors import BadArgumentError
from nissl.labels import Author, Provenance

PROVENANCE = Provenance("cells", "f" * 64, Author("model", "cells/test"), stream="movie")


@settings(deadline=None)  # the first one imports scipy.sparse
@given(arrays.arrays(np.int32, (2, 5, 4), elements=st.integers(0, 4)))
def test_masks_and_labels_hold_the_same_pixels(image):
    cells = Footprints.from_masks(image)
    back = Footprints.from_labels(cells.to_labels(PROVENANCE), cells.shape)
    assert len(cells) == len(back) == np.unique(image[image > 0]).size
    numbers = np.unique(image[image > 0])
    for number, pixels, again in zip(numbers, cells.pixels, back.pixels, strict=True):
        np.testing.assert_array_equal(pixels, np.flatnonzero(image.ravel() == number))
        np.testing.assert_array_equal(pixels, again)
    matrix = cells.matrix()
    assert matrix.shape == (len(cells), image.size)
    np.testing.assert_array_equal(np.asarray(matrix.sum(0)).ravel(), (image > 0).ravel())


def test_pixels_are_sorted_with_their_weights_and_cells_may_overlap():
    cells = Footprints.build((1, 3, 3), [[4, 1], [1, 2, 0]], [[2.0, 1.0], [3, 1, 1]], score=[1, 2])
    np.testing.assert_array_equal(cells.pixels[0], [1, 4])
    np.testing.assert_array_equal(cells.weights[0], [1.0, 2.0])
    np.testing.assert_allclose(cells.centres()[0], [0, 2 / 3, 1.0])
    assert cells.take(np.array([False, True])).score.tolist() == [2.0]
    np.testing.assert_array_equal(cells.matrix().toarray()[:, 1], [1.0, 3.0])


def test_probabilities_say_which_are_cells():
    cells = Footprints.build((1, 2, 2), [[0], [3]])
    labels = cells.to_labels(PROVENANCE, probability=np.array([0.9, 0.2]))
    assert labels.column("label").tolist() == [0, 1]
    np.testing.assert_allclose(labels.column("confidence"), [0.9, 0.8], atol=1e-6)
    assert np.isnan(cells.to_labels(PROVENANCE).column("confidence")).all()


def test_no_cells_are_no_rows():
    none = Footprints.build((1, 2, 2), [])
    assert none.to_labels(PROVENANCE).n_rows == 0
    assert none.matrix().shape == (0, 4)


@pytest.mark.parametrize("pixels", [[[0, 0]], [[4]], [[-1]], [[]]])
def test_impossible_pixels_are_refused(pixels):
    with pytest.raises(BadArgumentError):
        Footprints.build((1, 2, 2), pixels)
