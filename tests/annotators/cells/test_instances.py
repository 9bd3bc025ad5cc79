"""Instances from maps: what touches is parted, what is small or doubtful is left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from nissl.annotators.cells.instances import Cut, depths, instances

pytest.importorskip("skimage")


def discs(
    shape: tuple[int, ...], centres: list[tuple[int, ...]], radius: float
) -> npt.NDArray[np.int32]:
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    out = np.zeros(shape, np.int32)
    for k, centre in enumerate(centres, 1):
        out[((grid - np.array(centre)) ** 2).sum(-1) <= radius**2] = k
    return out


@pytest.mark.parametrize(
    ("shape", "centres"),
    [
        ((40, 60), [(20, 15), (20, 25), (10, 45)]),
        ((30, 40, 40), [(15, 12, 12), (15, 12, 22), (15, 30, 30)]),
    ],
)
def test_true_maps_give_the_true_instances(
    shape: tuple[int, ...], centres: list[tuple[int, ...]]
) -> None:
    true = discs(shape, centres, 6)
    found = instances((true > 0).astype(np.float32), depths(true), diameter_px=12)
    assert found.score.shape == (3,)
    for k in (1, 2, 3):
        own = true == k
        best = np.bincount(found.labels[own]).argmax()
        assert best > 0
        both = (found.labels == best) & own
        assert both.sum() / ((found.labels == best) | own).sum() > 0.9


def test_depth_is_highest_in_the_middle_and_low_where_cells_touch() -> None:
    true = discs((40, 40), [(20, 14), (20, 25)], 6)
    depth = depths(true)
    assert depth[20, 14] > 0.85
    assert depth[20, 25] == depth.max() == 1
    assert depth[20, 19] < 0.5
    assert not depth[true == 0].any()


def test_specks_and_doubtful_cells_are_left_out() -> None:
    true = discs((40, 60), [(20, 15), (20, 45)], 6)
    true[2, 2:4] = 3
    p = (true > 0).astype(np.float32)
    p[true == 2] = 0.45
    found = instances(p, depths(true), diameter_px=12, cut=Cut(score=0.6))
    assert found.score.tolist() == pytest.approx([1.0], abs=0.1)
    assert not found.labels[2].any()
    none = instances(np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32), diameter_px=8)
    assert none.score.size == 0
    assert not none.labels.any()
