from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.names.affine import moved
from nissl.annotators.names.animals import Animals, write_animals
from nissl.annotators.names.atlas import built
from nissl.annotators.names.confidence import answers
from nissl.annotators.names.drawing import Bodies, bodies
from nissl.annotators.names.naming import named, settled
from nissl.annotators.names.network_method import NISSL
from nissl.annotators.names.simulate import random_affine, simulate_animals, simulate_tracks
from nissl.annotators.names.task import NAMES
from nissl.errors import BadArgumentError
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.testing.annotators import AnnotatorContract

pytest.importorskip("torch")

STEPS = 5


@pytest.fixture(scope="module")
def animals() -> Animals:
    return simulate_animals(np.random.default_rng(1), n_names=30, n_animals=5)


def test_drawn_worms_scatter_as_the_atlas_says(animals: Animals) -> None:
    atlas = built(animals)
    herd = bodies(animals, atlas).draw(np.random.default_rng(0), 200)
    n = len(atlas.names)
    assert np.isin(herd.name[herd.there], np.arange(n + 1)).all()
    assert np.isfinite(herd.xyz).all()
    share = np.mean([np.sum(herd.name[herd.there] == k) for k in range(n)]) / 200
    assert share == pytest.approx(atlas.presence.mean(), abs=0.08)
    assert 0 < np.mean(herd.name[herd.there] == n) < 0.06
    own = herd.there & (herd.name < n)
    off = herd.xyz[own] - atlas.place.centre[herd.name[own]]
    wanted = np.sqrt(np.trace(atlas.place.scale, axis1=1, axis2=2).mean())
    assert np.sqrt((off**2).sum(axis=1)).mean() == pytest.approx(wanted, rel=0.35)
    for worm in range(3):
        shown = herd.colours[worm, herd.there[worm]]
        assert shown.mean(axis=0) == pytest.approx(0, abs=1e-9)


def test_neighbours_that_move_together_are_noticed(animals: Animals) -> None:
    atlas = built(animals)
    alone = bodies(animals, atlas).share
    together = Bodies(atlas, 0.8, 0.6).draw(np.random.default_rng(3), 12)
    xyz = np.full((12, len(atlas.names), 3), np.nan)
    for k in range(12):
        own = together.there[k] & (together.name[k] < len(atlas.names))
        xyz[k, together.name[k, own]] = together.xyz[k, own]
    animals_ = tuple(map(str, range(12)))
    drawn = Animals(atlas.names, xyz, np.zeros((12, len(atlas.names), 0)), animals_)
    found = bodies(drawn, built(drawn))
    assert found.share > alone
    assert found.reach >= 0.3


def test_the_atlas_speaks_alone_before_any_training(animals: Animals) -> None:
    import torch

    from nissl.annotators.names.learning import Learned
    from nissl.annotators.names.transformer import Corrector, Size

    torch.manual_seed(0)
    atlas = built(animals.without(0))
    network = Corrector(atlas, Size())
    seen = np.flatnonzero(animals.seen[0])
    xyz = moved(animals.xyz[0, seen], random_affine(np.random.default_rng(0)))
    for colours in (None, animals.colours[0, seen]):
        first = answers(named(atlas, xyz, colours))
        again = answers(Learned(atlas, network)(xyz, colours))
        assert np.mean(first.name == again.name) > 0.9


def test_places_come_to_rest(animals: Animals) -> None:
    atlas = built(animals)
    herd = bodies(animals, atlas).draw(np.random.default_rng(0), 1)
    points = herd.xyz[0, herd.there[0]]
    assert np.abs(moved(points, settled(atlas, points)) - points).max() < 1


class TestNamesNissl(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):  # type: ignore[no-untyped-def]
        return NISSL

    @pytest.fixture(scope="class")
    def made(self):  # type: ignore[no-untyped-def]
        return simulate_tracks(4, n_names=24, n_animals=4)

    @pytest.fixture(scope="class")
    def inputs(self, made) -> Inputs:  # type: ignore[no-untyped-def]
        recording, tracks, items, _, _ = made
        return Inputs(recording, "red", {"tracks": tracks}, {"tracks": items})

    @pytest.fixture(scope="class")
    def parameters(self, annotator, made, tmp_path_factory):  # type: ignore[no-untyped-def]
        path = tmp_path_factory.mktemp("atlas") / "atlas.npz"
        write_animals(path, made[4])
        return {**annotator.defaults(), "atlas": str(path), "steps": STEPS}

    def test_names_are_right(self, made, run) -> None:  # type: ignore[no-untyped-def]
        assert NAMES.score(run[0].labels[0], made[3])["accuracy"] > 0.5

    def test_bad_parameters(self, annotator, inputs, parameters, tmp_path) -> None:  # type: ignore[no-untyped-def]
        for steps in (0, 1.5, True):
            with pytest.raises(BadArgumentError, match="steps"):
                annotator.annotate(inputs, {**parameters, "steps": steps}, Context(tmp_path))


def test_a_network_of_one_handedness_is_told_of_the_other(animals: Animals) -> None:
    from nissl.annotators.names.learning import learned

    made = learned(animals.without(0), np.random.default_rng(0), steps=STEPS)
    seen = np.flatnonzero(animals.seen[0])
    truth = np.array(animals.names)[seen]
    mirrored = animals.xyz[0, seen] * (1, 1, -1)
    naming = replace(made, mirrored=True)(mirrored, animals.colours[0, seen])
    assert np.mean(np.array(naming.names)[answers(naming).name] == truth) > 0.6
