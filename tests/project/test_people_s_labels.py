"""Methods that learn from people's labels of their own task: which set they are given."""

from __future__ import annotations

import numpy as np
import pytest

import nissl
from nissl.annotators.tracks.positions import Positions
from nissl.errors import MissingInputError
from nissl.labels import Author, Provenance
from nissl.project.annotating import current, people_s


@pytest.fixture
def study(tmp_path):
    volumes = np.random.default_rng(0).poisson(20, (3, 4, 24, 30)).astype(np.uint16)
    np.savez(tmp_path / "worm.npz", movie=volumes, rate=4.0, spacing_um=[1.5, 0.5, 0.5])
    with nissl.open(tmp_path / "study") as project:
        yield project, project.add(tmp_path / "worm.npz")


def keep(project, source, author: Author, shift: float) -> str:
    places = np.full((3, 2, 3), 2.0) + np.float32([[0, 0, 0], [9, 9, 0]]) + shift
    made_by = Provenance("tracks", source.fingerprint, author, "movie")
    labels = Positions.build(np.arange(3), places).to_labels(made_by)
    digest = project.store.put_labels(labels)
    project.store.record_labels(digest)
    return str(digest)


def test_people_come_before_a_newer_machine(study):
    project, source = study
    assert people_s(project.store, source, "tracks") is None
    told = keep(project, source, Author("person", "someone"), 0.0)
    drafted = keep(project, source, Author("model", "tracks/registration", "1"), 0.5)
    assert current(project.store, source, "tracks") == drafted
    assert people_s(project.store, source, "tracks") == told


def test_without_any_labels_the_method_that_needs_none_is_named(study):
    project, source = study
    with pytest.raises(MissingInputError, match="--task tracks/blobs"):
        project.annotate(source, "tracks/registration")
