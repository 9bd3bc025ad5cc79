"""Masks as a label set, and how they are scored."""

import numpy as np
import pytest

from nissl.annotators.masks.masks import Masks
from nissl.annotators.masks.score import match, score
from nissl.annotators.tracks.positions import Positions
from nissl.errors import BadLabelsError
from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.tasks import TASKS

ABOUT = Provenance(task="masks", source="f" * 64, author=Author("person", "ada"), stream="red")
SHAPE = (3, 8, 10)


def volume(*boxes):
    """Boxes of 2 x 3 x 3 voxels, (number, y, x) each."""
    out = np.zeros(SHAPE, np.uint8)
    for number, y, x in boxes:
        out[:2, y : y + 3, x : x + 3] = number
    return out


def made(*volumes):
    return Masks.of_volumes(enumerate(volumes)).to_labels(ABOUT)


def test_volumes_become_regions_and_come_back():
    volumes = [volume((3, 0, 0), (7, 4, 5)), volume((7, 1, 2))]
    labels = made(*volumes)
    assert labels.kind is Kind.REGIONS
    assert labels.column("frame").tolist() == [0, 0, 1]
    assert labels.column("item").tolist() == [3, 7, 7]
    back = Masks.from_labels(labels, SHAPE)
    for frame, each in enumerate(volumes):
        numbers = np.where(each == 3, 1, np.where(each == 7, 2, 0))
        np.testing.assert_array_equal(back.volume(frame), numbers)
    assert back.sizes.tolist() == [18, 18, 18]
    centres = back.centres()
    np.testing.assert_allclose(centres.xyz[0], [[1, 1, 0.5], [6, 5, 0.5]])
    assert not centres.seen[1, 0]


def test_a_machine_s_rows_called_no_neuron_are_left_out():
    labels = made(volume((1, 0, 0), (2, 4, 5)))
    columns = {name: labels.table.column(name) for name in ("item", "frame", "pixels")}
    columns["label"] = np.array([0, 1], np.int32)
    other = type(labels).build(Kind.REGIONS, columns, labels.vocabulary, ABOUT)
    assert Masks.from_labels(other, SHAPE).item.tolist() == [1]


@pytest.mark.parametrize(
    ("frame", "item", "voxels", "got"),
    [
        ([0, 0], [1, 1], [[0], [1]], "twice"),
        ([0, 0], [1, 2], [[0, 1], [1, 2]], "of two neurons in volume 0"),
        ([0], [1], [[3 * 8 * 10]], "outside"),
    ],
)
def test_masks_that_contradict_themselves_are_refused(frame, item, voxels, got):
    with pytest.raises(BadLabelsError, match=got):
        Masks.build(SHAPE, frame, item, [np.array(each) for each in voxels])


def test_cells_are_no_masks():
    cells = LabelSet.build(
        Kind.REGIONS, {"item": [1], "pixels": [[3, 4]]}, Vocabulary(("cell", "not cell")), ABOUT
    )
    with pytest.raises(BadLabelsError, match="without one"):
        Masks.from_labels(cells, SHAPE)


def test_scores_tell_overlap_from_identity():
    truth = made(volume((1, 0, 0), (2, 4, 5)), volume((1, 0, 0), (2, 4, 5)))
    swapped = made(volume((2, 0, 0), (1, 4, 5)), volume((1, 0, 0), (2, 4, 5)))
    told = score(swapped, truth)
    assert told["dice"] == told["right"] == told["identity"] == told["precision"] == 0.5
    assert told["found"] == 1.0
    shifted = made(volume((1, 0, 1), (2, 4, 5)))
    told = score(shifted, truth)
    assert told["dice"] == pytest.approx((2 / 3 + 1) / 4)
    assert told["found"] == 0.5
    assert told["identity"] == told["precision"] == 1.0
    assert score(truth, truth)["dice"] == 1.0


def test_neurons_of_two_runs_are_the_same_where_their_voxels_are():
    old = made(volume((1, 0, 0), (2, 4, 5)), volume((1, 0, 0), (2, 4, 5)))
    new = made(volume((9, 0, 0), (4, 4, 5)), volume((9, 0, 0)))
    assert match(old, new) == {1: 9, 2: 4}


def test_a_simulated_worm_has_masks_around_its_points():
    settings = {"n_neurons": 8, "n_frames": 3, "shape": (8, 32, 48)}
    recording, truth = TASKS.get("masks").simulate(5, **settings)
    _, tracks = TASKS.get("tracks").simulate(5, **settings)
    shape = recording.movies["red"].shape
    centres = Masks.from_labels(truth, shape).centres()
    points = Positions.from_labels(tracks)
    assert np.isin(centres.items, points.items).all()
    column = np.searchsorted(points.items, centres.items)
    assert np.nanmax(np.abs(centres.xyz - points.xyz[:, column])) < 2.5
