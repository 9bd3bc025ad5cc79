"""Regions from elsewhere on the movie that they lie in, and back out again."""

import numpy as np
import pytest

import nissl
from nissl.errors import BadArgumentError, UnknownFormatError
from nissl.io.pickled import save
from nissl.labels import Kind
from nissl.project.regions import on_stream
from nissl.testing.regions import example_footprints


@pytest.fixture
def study(tmp_path):
    """Project with a movie of 20 frames of 48 x 64 pixels."""
    movie = nissl.data.Movie.from_array(
        np.random.default_rng(0).integers(0, 99, (20, 48, 64), np.uint16), 10.0
    )
    recording = nissl.data.Recording(
        None, "memory", {}, movies={"movie": movie}, fingerprint="a" * 64
    )
    project = nissl.open(tmp_path / "study")
    from nissl.project.source import describe_streams
    from nissl.store import SourceRow

    row = SourceRow(
        "a" * 64, "film", str(tmp_path / "film.tif"), "memory", streams=describe_streams(recording)
    )
    project.store.add_source(row)
    return project


@pytest.fixture
def masks(tmp_path):
    path = tmp_path / "film_seg.npy"
    image = np.zeros((48, 64), np.int32)
    for k, pixels in enumerate(example_footprints(np.random.default_rng(0), 5).pixels):
        image.ravel()[pixels] = k + 1
    save(path, {"masks": image})
    return path


def test_regions_are_put_on_the_movie(study, masks):
    (labels,) = study.add_regions("film", masks)
    assert labels.kind is Kind.REGIONS
    assert labels.provenance.source == "a" * 64
    (row,) = study.store.label_sets(source="a" * 64)
    assert row.stream == "movie"
    assert study.store.get_items(row.items).of == labels.digest
    dossier = study.dossier("film", "cells", draft=True)
    assert dossier.labels == labels


def test_a_field_of_another_size_is_refused(study, masks, tmp_path):
    save(masks, {"masks": np.eye(30, dtype=np.int32)})
    with pytest.raises(BadArgumentError, match="48, 64"):
        study.add_regions("film", masks)
    (tmp_path / "x.txt").write_text("nothing")
    with pytest.raises(UnknownFormatError):
        study.add_regions("film", tmp_path / "x.txt")


def test_work_is_moved_to_a_stream_whole(tmp_path):
    from nissl.io import IMPORTERS

    path = tmp_path / "a_seg.npy"
    save(path, {"masks": np.eye(9, dtype=np.int32)})
    found = IMPORTERS.get("cellpose").read(path)
    moved = on_stream(found, "green")
    assert moved.labels[0].provenance.stream == "green"
    assert moved.items[0].of == moved.labels[0].digest
    assert on_stream(found, "movie") == found


def test_rois_of_imagej_take_the_movies_size(study, tmp_path):
    from roifile import ImagejRoi

    path = tmp_path / "one.roi"
    ImagejRoi.frompoints([[3, 2], [7, 2], [7, 5], [3, 5]]).tofile(path)
    (labels,) = study.add_regions("film", path, author="A")
    wanted = [y * 64 + x for y in range(2, 5) for x in range(3, 7)]
    assert labels.table.column("pixels")[0].as_py() == wanted
    assert labels.provenance.author.name == "A"
