from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Movie
from nissl.errors import BadLabelsError, BadMetadataError
from nissl.labels import Author, Kind, LabelSet, Provenance

PERSON = Provenance(task="tracks", source="0" * 64, author=Author("person", "ada"))


def some(n_frames: int = 3, n: int = 5) -> Positions:
    xyz = np.random.default_rng(0).uniform(0, 30, (n_frames, n, 3))
    xyz[1, 2] = np.nan
    return Positions.build(np.arange(n_frames) * 7, xyz, items=np.arange(n) + 10)


def test_labels_keep_places_volumes_and_tracks() -> None:
    made = some()
    again = Positions.from_labels(made.to_labels(PERSON))
    np.testing.assert_array_equal(again.frames, made.frames)
    np.testing.assert_array_equal(again.items, made.items)
    np.testing.assert_array_equal(again.xyz, made.xyz)
    assert not again.seen[1, 2]
    assert again.seen.sum() == 14


def test_a_neuron_twice_in_a_volume_is_told_with_its_place() -> None:
    labels = some().to_labels(PERSON)
    rows = labels.table.to_pydict()
    rows["item"][1] = rows["item"][0]
    columns = {k: v for k, v in rows.items() if k not in ("id", "probabilities")}
    twice = LabelSet.build(
        Kind.POINTS, {k: pa.array(v) for k, v in columns.items()}, labels.vocabulary, PERSON
    )
    with pytest.raises(BadLabelsError, match=r"volume 0 \(neuron 10"):
        Positions.from_labels(twice)


def test_micrometres_need_a_spacing() -> None:
    made = some()
    np.testing.assert_allclose(made.in_um((2.0, 0.5, 0.25))[0, 0], made.xyz[0, 0] * [0.25, 0.5, 2])
    with pytest.raises(BadMetadataError, match="size of a voxel"):
        made.in_um(None)


def test_channels_of_another_shape_are_refused() -> None:
    red = Movie.from_array(np.zeros((2, 3, 8, 9), np.uint8), 5.0, name="red")
    short = Movie.from_array(np.zeros((2, 3, 8, 8), np.uint8), 5.0, name="green")
    assert Volumes((red, red))[1].shape == (2, 3, 8, 9)
    with pytest.raises(BadMetadataError, match="green"):
        Volumes((red, short))
