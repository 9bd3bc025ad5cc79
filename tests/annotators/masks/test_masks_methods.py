"""Masks of every volume from a few: what is carried there, what is learnt, what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.masks.annotated import annotated
from nissl.annotators.masks.centres import CENTRES
from nissl.annotators.masks.learning import grid_of
from nissl.annotators.masks.masks import Masks
from nissl.annotators.masks.method import NISSL
from nissl.annotators.masks.registering import REGISTRATION
from nissl.annotators.masks.task import MASKS
from nissl.annotators.masks.trust import learnt
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.simulate import simulate_worm
from nissl.data import Recording
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, Provenance
from nissl.run.context import Context
from nissl.tasks import Inputs

N_FRAMES = 8
GIVEN = (0, 3, 5, 7)
ABOUT = Provenance(task="masks", source="3" * 64, author=Author("person", "ada"), stream="red")


@pytest.fixture(scope="module")
def worm():
    return simulate_worm(
        np.random.default_rng(3), n_neurons=8, n_frames=N_FRAMES, shape=(8, 32, 48)
    )


@pytest.fixture(scope="module")
def truth(worm):
    return Masks.of_volumes((k, worm.masks(k)) for k in range(N_FRAMES))


def inputs(worm, masks, author=ABOUT.author):
    movies = {movie.name: movie for movie in worm.volumes.channels}
    recording = Recording(None, "array", {}, fingerprint="3" * 64, movies=movies)
    labels = masks.to_labels(replace(ABOUT, author=author))
    return Inputs(recording, "red", labels={"masks": labels})


def annotate(method, worm, truth, folder, **parameters):
    given = truth.take(np.isin(truth.frame, GIVEN))
    return method.annotate(
        inputs(worm, given), {**method.defaults(), **parameters}, Context(folder, seed=4)
    )


def test_registered_masks_lie_on_the_neurons_and_people_s_stay(worm, truth, tmp_path):
    made = annotate(REGISTRATION, worm, truth, tmp_path).labels[0]
    found = Masks.from_labels(made, worm.volumes.shape)
    assert found.frames.tolist() == list(range(N_FRAMES))
    assert np.isnan(found.confidence).all()
    for frame in GIVEN:
        items = truth.items
        np.testing.assert_array_equal(found.volume(frame, items), truth.volume(frame, items))
    rest = truth.take(~np.isin(truth.frame, GIVEN)).to_labels(ABOUT)
    told = MASKS.score(made, rest)
    assert told["found"] > 0.3
    assert told["dice"] > 0.15


def test_a_network_draws_masks_the_same_after_it_was_interrupted(worm, truth, tmp_path):
    pytest.importorskip("torch")
    how = {"steps": 40, "targets": 2, "folds": 2}
    whole = annotate(NISSL, worm, truth, tmp_path / "a", **how)
    first = whole.labels[0]
    assert whole.log["annotated_volumes"] == list(GIVEN)
    rest = truth.take(~np.isin(truth.frame, GIVEN)).to_labels(ABOUT)
    assert MASKS.score(first, rest)["identity"] > 0.4
    (tmp_path / "a" / "masks-0.npz").unlink()
    (tmp_path / "a" / "taught-1.safetensors").unlink()
    again = annotate(NISSL, worm, truth, tmp_path / "a", **how).labels[0]
    assert again.digest == first.digest
    assert whole.sources[0].name == "mask_score"


def test_centres_of_masks_are_tracks(worm, truth, tmp_path):
    sure = replace(truth, confidence=np.linspace(0, 1, truth.frame.size).astype(np.float32))
    made = CENTRES.annotate(inputs(worm, sure), {}, Context(tmp_path)).labels[0]
    found = Positions.from_labels(made)
    assert made.provenance.task == "tracks"
    np.testing.assert_array_equal(found.items, truth.items)
    column = int(np.searchsorted(found.items, truth.item[0]))
    assert found.confidence[0, column] == 0.0
    z, y, x = np.unravel_index(truth.voxels[0], truth.shape)
    np.testing.assert_allclose(found.xyz[0, column], [x.mean(), y.mean(), z.mean()], rtol=1e-6)


def test_one_volume_or_few_are_told_and_have_no_confidence(worm, truth, tmp_path):
    pytest.importorskip("torch")
    one = truth.take(truth.frame == 0)
    parameters = {**NISSL.defaults(), "steps": 4, "rounds": 0}
    made = NISSL.annotate(inputs(worm, one), parameters, Context(tmp_path))
    assert {each.check for each in made.findings} == {"one_annotated_volume", "uncalibrated"}
    assert np.isnan(made.labels[0].column("confidence")).all()


def test_a_machine_s_masks_are_no_annotation_unless_volumes_are_named(worm, truth):
    machine = inputs(worm, truth, Author("model", "masks/nissl", "1")).labels["masks"]
    with pytest.raises(BadLabelsError, match="a person drew"):
        annotated(machine, worm.volumes)
    assert annotated(machine, worm.volumes, [0, 2]).frames.tolist() == [0, 2]
    with pytest.raises(BadLabelsError, match="77"):
        annotated(machine, worm.volumes, [77])


def test_parameters_outside_their_values_are_refused(worm, truth, tmp_path):
    with pytest.raises(BadArgumentError, match="targets"):
        annotate(NISSL, worm, truth, tmp_path, targets=0)


def test_masks_of_another_movie_are_refused(worm, truth):
    late = replace(truth, frame=truth.frame + 100).to_labels(ABOUT)
    with pytest.raises(BadLabelsError, match="masks in volume"):
        annotated(late, worm.volumes)


def test_confidence_follows_what_was_right_and_is_not_made_up():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.3, 1.0, 400)
    right = rng.uniform(0, 1, 400) < probability**2
    trust = learnt(probability, np.ones(400), right)
    assert trust is not None
    assert np.all(np.abs(trust(np.array([0.5, 0.9]), np.ones(2)) - [0.25, 0.81]) < 0.12)
    assert learnt(probability[:10], np.ones(10), right[:10]) is None
    assert learnt(probability, np.ones(400), np.ones(400, bool)) is None


def test_facts_and_doubts_of_masks(worm, truth, tmp_path):
    grown = list(truth.voxels)
    item = int(truth.items[0])
    rows = np.flatnonzero(truth.item == item)
    taken = set(
        np.concatenate([truth.voxels[k] for k in np.flatnonzero(truth.frame == 0)]).tolist()
    )
    free = np.array([k for k in range(8 * 32 * 48) if k not in taken][:400])
    grown[rows[0]] = np.union1d(grown[rows[0]], free)
    labels = replace(truth, voxels=tuple(grown)).to_labels(ABOUT)
    given = inputs(worm, truth)
    found = MASKS.check(labels, None, given, Context(tmp_path))
    assert [each.item for each in found if each.check == "size"] == [item]
    facts = MASKS.describe(labels, given, Context(tmp_path))
    assert facts.items.tolist() == truth.items.tolist()
    assert facts.context["grid"] == [8, 32, 48]
    assert grid_of(worm.volumes).factor == 1
