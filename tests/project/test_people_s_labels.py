"""Methods that learn from people's labels of their own task: which set they are given."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

import nissl
from nissl.annotators.tracks.positions import Positions
from nissl.errors import MissingInputError
from nissl.labels import Author, Edit, EditKind, Provenance
from nissl.project.annotating import current, people_s
from nissl.project.taught import taught_points


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


def test_where_every_method_needs_drawn_masks_an_import_is_asked_for(study):
    project, source = study
    with pytest.raises(MissingInputError, match="--author NAME"):
        project.annotate(source, "masks/registration")
    with pytest.raises(MissingInputError, match="nissl import"):
        project.annotate(source, "tracks/masks")


def edit(kind: str, base: str, items: tuple[int, ...], **payload: object) -> Edit:
    return Edit(uuid4(), EditKind(kind), base, items, "ada", 0.0, payload=payload)


def test_what_was_found_right_or_moved_is_learnt_from_too(study):
    project, source = study
    told = keep(project, source, Author("person", "someone"), 0.0)
    drafted = keep(project, source, Author("model", "tracks/nissl", "1"), 0.5)
    assert taught_points(project.store, source, "tracks", told) == told
    project.decide([edit("accept", drafted, (0, 1), frames=[1])])
    labels = project.store.get_labels(drafted)
    row = int(labels.column("id")[(labels.column("frame") == 2) & (labels.column("item") == 1)][0])
    project.decide([edit("move", drafted, (1,), row=row, x=20.0, y=3.0, z=1.0)])
    digest = taught_points(project.store, source, "tracks", told)
    found = Positions.from_labels(project.store.get_labels(digest))
    assert found.frames.tolist() == [0, 1, 2]
    assert found.xyz[0, 0].tolist() == [2.0, 2.0, 2.0]  # as was annotated
    assert found.xyz[1, 0].tolist() == [2.5, 2.5, 2.5]  # found right
    assert found.xyz[2].tolist() == [[2.0, 2.0, 2.0], [20.0, 3.0, 1.0]]  # moved
    author = project.store.get_labels(digest).provenance.author
    assert (author.kind, author.name) == ("person", "someone, ada")
    assert people_s(project.store, source, "tracks") == digest
    assert taught_points(project.store, source, "tracks", digest) == digest
    last = project.store.edits(base=drafted)[-1]
    project.decide([edit("undo", drafted, (), target=str(last.uuid))])
    again = taught_points(project.store, source, "tracks", digest)
    found = Positions.from_labels(project.store.get_labels(again))
    assert found.xyz[2, 1].tolist() == [11.0, 11.0, 2.0]  # as was annotated before


def test_a_proposal_from_nothing_teaches_by_what_was_decided_on(study):
    project, source = study
    blobs = keep(project, source, Author("model", "tracks/blobs", "1"), 0.0)
    assert taught_points(project.store, source, "tracks", None) is None
    project.decide([edit("accept", blobs, (0, 1), frames=[2])])
    digest = taught_points(project.store, source, "tracks", None)
    found = Positions.from_labels(project.store.get_labels(digest))
    assert found.frames.tolist() == [2]
    assert found.items.tolist() == [0, 1]
