"""Groups of fragments, or none, and what explains a map."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform

from nissl.align.errormap.grouping import embedded, explained, groups
from nissl.align.errormap.maps import ErrorMap
from nissl.errors import BadArgumentError


def mapped(distance: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> ErrorMap:
    skill = 1 - distance
    np.fill_diagonal(skill, 1.0)
    names = tuple(f"f{k}" for k in range(len(skill)))
    return ErrorMap(names, skill, skill, skill, skill * 0, skill * 0, skill * 0)


def cloud(rng: np.random.Generator, n: int, n_groups: int, apart: float) -> ErrorMap:
    centres = apart * np.eye(6)[np.arange(n) % n_groups]
    distance = squareform(pdist(centres + rng.standard_normal((n, 6)))) / 12
    return mapped(np.clip(distance, 0, 1))


@pytest.mark.parametrize("n_groups", [2, 3])
def test_planted_groups_are_found(n_groups: int) -> None:
    rng = np.random.default_rng(n_groups)
    found = groups(cloud(rng, 15, n_groups, 7.0), rng)
    assert found.n == n_groups
    assert found.p <= 0.05
    assert len({tuple(found.group[k::n_groups]) for k in range(n_groups)}) == n_groups
    assert f"{n_groups} groups" in found.says


def test_one_cloud_has_no_groups() -> None:
    p = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = groups(cloud(rng, 12, 1, 0.0), rng)
        p.append(found.p)
        assert (found.n == 1) == (found.p > 0.05)
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    few = groups(cloud(rng, 4, 2, 9.0), rng)
    assert few.n == 1
    assert "too few" in few.says


def test_distances_in_a_plane_come_back() -> None:
    rng = np.random.default_rng(0)
    places = rng.standard_normal((8, 2))
    distance = squareform(pdist(places))
    assert_allclose(squareform(pdist(embedded(distance))), distance, atol=1e-9)
    assert embedded(np.zeros((1, 1))).shape == (1, 2)


def two_regions(rng: np.random.Generator, gap: float, of: str) -> tuple[ErrorMap, list[str]]:
    """Ten animals, two fragments each; regions (of animals) or states (within each) differ."""
    animal = np.repeat(np.arange(10), 2)
    kind = animal % 2 if of == "region" else np.arange(20) % 2
    own = rng.standard_normal((10, 10)) * 0.1
    skill = 0.5 + gap * (kind[:, None] == kind[None]) + own[np.ix_(animal, animal)]
    return mapped(1 - skill + 0.02 * rng.standard_normal((20, 20))), [f"k{k}" for k in kind]


ANIMALS = tuple(f"a{k // 2}" for k in range(20))


@pytest.mark.parametrize("of", ["region", "state"])
def test_what_explains_a_map_is_found_and_what_does_not_is_not(of: str) -> None:
    rng = np.random.default_rng(0)
    found, kind = two_regions(rng, 0.2, of)
    told = explained(found, of, tuple(kind), ANIMALS, rng)
    assert told.p < 0.05
    assert told.same > told.other
    assert told.exchanged == ("animals" if of == "region" else "fragments of an animal")
    assert "explains the map" in told.says
    p = []
    for _ in range(10):
        nothing, kind = two_regions(rng, 0.0, of)
        p.append(explained(nothing, of, tuple(kind), ANIMALS, rng).p)
    assert np.mean(np.array(p) < 0.05) <= 0.2


def test_too_few_animals_test_nothing() -> None:
    rng = np.random.default_rng(0)
    found = cloud(rng, 6, 2, 5.0)
    kinds = ("x", "x", "x", "x", "y", "y")
    told = explained(found, "region", kinds, ("a", "a", "b", "b", "c", "c"), rng)
    assert told.ways == 3
    assert "not testable, because animals" in told.says
    animal = explained(found, "subject", ("a", "a", "b", "b", "c", "c"), tuple("aabbcc"), rng)
    assert animal.exchanged == "fragments"
    with pytest.raises(BadArgumentError, match="a region of every source"):
        explained(found, "region", ("", *kinds[1:]), tuple("aabbcc"), rng)
    with pytest.raises(BadArgumentError, match="two or more values"):
        explained(found, "region", ("x",) * 6, tuple("aabbcc"), rng)
