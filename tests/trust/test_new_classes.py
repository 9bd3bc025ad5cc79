import json

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.trust.new_classes import associate, propose_classes, rediscovery
from nissl.trust.novelty import fit_novelty

CENTRES = np.array(
    [[0, 0, 0, 0, 0, 0], [7, 0, 0, 2, 0, 0], [0, 7, 0, 0, 2, 0], [0, 0, 8, -3, 0, 4]], dtype=float
)


def animals(rng, n_animals, classes, per_class=40, first=0):
    """Items of known class in animals that differ a little: features, class, animal."""
    parts = []
    for animal in range(n_animals):
        code = np.repeat(classes, per_class)
        x = CENTRES[code] + rng.normal(size=(code.size, 6)) + rng.normal(0, 0.3, 6)
        parts.append((x, code, np.full(code.size, first + animal)))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def with_left_out(left_out, seed, new_animals=3):
    """Features, novelty and truth of new animals, to a model that never saw one class."""
    rng = np.random.default_rng(seed)
    known = [k for k in range(4) if k != left_out]
    x, _, owner = animals(rng, 6, known)
    novelty = fit_novelty(x, owner, names=tuple("abcdef"), rng=rng)
    fresh, code, animal = animals(rng, new_animals, [0, 1, 2, 3], first=10)
    return novelty.frame.z(fresh), novelty.items(fresh).novel(0.05), code == left_out, animal, rng


@pytest.mark.parametrize("left_out", [0, 1, 2, 3])
def test_a_class_that_was_left_out_is_rediscovered(left_out):
    z, novel, truth, animal, rng = with_left_out(left_out, left_out)
    proposals = propose_classes(z, novel, animal, rng=rng, n_bootstrap=20)
    assert rediscovery(proposals, truth) >= 0.7
    best = next(p for p in proposals if p.offered)
    assert truth[best.exemplars].all()
    assert best.animals == (10, 11, 12)
    json.dumps([p.to_json() for p in proposals])


def test_nothing_is_offered_where_nothing_is_new():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x, _, owner = animals(rng, 6, [0, 1, 2])
        novelty = fit_novelty(x, owner, names=tuple("abcdef"), rng=rng)
        fresh, _, animal = animals(rng, 3, [0, 1, 2], first=10)
        novel = novelty.items(fresh).novel(0.05)
        found = propose_classes(novelty.frame.z(fresh), novel, animal, rng=rng, n_bootstrap=10)
        assert not any(p.offered for p in found)


def test_one_animal_alone_or_one_rig_alone_is_refused_with_the_reason():
    z, novel, truth, animal, rng = with_left_out(3, 5)
    alone = ~truth | (animal == 10)
    (found, *_) = propose_classes(z[alone], novel[alone], animal[alone], rng=rng, n_bootstrap=10)
    assert not found.offered
    assert "1 animal" in found.reason
    rig = np.where(animal == 12, "north", "south")
    keep = ~truth | (rig == "south")
    rigs = np.where(truth | (animal == 11), "south", "north")[keep]
    (found, *_) = propose_classes(
        z[keep], novel[keep], animal[keep], rng=rng, confounds={"rig": rigs}, n_bootstrap=10
    )
    assert not found.offered
    assert "nothing but rig" in found.reason


def test_what_snr_alone_explains_is_refused_and_what_it_does_not_is_offered():
    z, novel, truth, animal, rng = with_left_out(2, 6)
    weak = np.where(truth, 2.0, 9.0) + rng.normal(0, 1, truth.size)
    alike = rng.normal(8, 2, truth.size)
    (found, *_) = propose_classes(
        z, novel, animal, rng=rng, confounds={"snr": weak}, n_bootstrap=10
    )
    assert not found.offered
    assert "nothing but snr" in found.reason
    (found, *_) = propose_classes(
        z, novel, animal, rng=rng, confounds={"snr": alike}, n_bootstrap=10
    )
    assert found.offered
    assert found.associations[0].p > 0.001


def test_the_permutation_test_of_association_keeps_its_level():
    rng = np.random.default_rng(7)
    owner = np.repeat(np.arange(4), 50)
    p = []
    for _ in range(100):
        member = rng.random(200) < np.array([0.1, 0.2, 0.3, 0.4])[owner]
        snr = rng.normal(size=200) + owner  # differs between animals, not by membership
        p.append(associate("snr", snr, member, owner, rng=rng, n=99).p)
    assert 0.0 <= np.mean(np.asarray(p) <= 0.05) <= 0.12
    assert associate("snr", np.full(200, np.nan), member, owner, rng=rng).p == 1.0


def test_too_few_novel_items_propose_nothing_and_bad_shapes_are_refused():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(50, 3))
    assert propose_classes(x, np.arange(50) < 5, [0] * 50, rng=rng) == ()
    with pytest.raises(BadArgumentError, match="finite"):
        propose_classes(x * np.nan, np.ones(50), [0] * 50, rng=rng)
    with pytest.raises(BadArgumentError, match="one value per item"):
        propose_classes(x, np.ones(50), [0] * 50, rng=rng, confounds={"rig": ["a"]})
