"""Agreement of found cells with others."""

from __future__ import annotations

import numpy as np
import pytest

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.matching import agreement, f_score, matched, nearness, overlap


def test_overlap_and_agreement_by_hand() -> None:
    a, b = np.zeros((4, 8), int), np.zeros((4, 8), int)
    a[:2, :4], a[2:, 6:] = 1, 2
    b[:2, :3], b[0, 7] = 1, 2
    found, true = Footprints.from_masks(a), Footprints.from_masks(b)
    np.testing.assert_allclose(overlap(found, true), [[6 / 8, 0], [0, 0]])
    np.testing.assert_allclose(nearness(found, true)[0, 0], -0.5)
    assert agreement(found, true) == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    unsure = np.zeros((4, 8), bool)
    unsure[2:, 6:] = True
    assert agreement(found, true, doubtful=unsure)["precision"] == 1.0


def test_as_many_pairs_as_can_be() -> None:
    score = np.array([[0.9, 0.6], [0.8, 0.0]])
    assert sorted(matched(score, 0.5)) == [(0, 1), (1, 0)]
    assert matched(np.zeros((2, 0)), 0.5) == []


@pytest.mark.parametrize(("n", "f1"), [((0, 0, 0), 1.0), ((0, 3, 0), 0.0), ((2, 4, 2), 2 / 3)])
def test_scores_of_empty_fields(n: tuple[int, int, int], f1: float) -> None:
    assert f_score(*n)["f1"] == pytest.approx(f1)
