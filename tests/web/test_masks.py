"""Masks in the view of tracks: what the server gives of them, and what a browser draws."""

from __future__ import annotations

import json
from urllib.parse import unquote
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from nissl.annotators.masks.masks import Masks
from nissl.labels import Edit, EditKind
from nissl.review.room import Room
from nissl.testing.masks import masks_beside
from nissl.testing.worms import tracked_worm
from nissl.web.app import create_app

SHAPE = (6, 32, 48)


@pytest.fixture
def worm(tmp_path):
    made = tracked_worm(
        tmp_path, np.random.default_rng(3), n_neurons=6, n_frames=4, shape=SHAPE, synthetic=False
    )
    yield made
    made.project.close()


def ask(worm, path, status=200, **query):
    client = TestClient(create_app(Room(worm.project.store, worm.raw)))
    path = f"/api/desks/{worm.labels.digest}/masks/{path}"
    answer = client.get(path, params={"reader": "Ana"} | query)
    assert answer.status_code == status, answer.text
    return answer


def cuts(answer):
    flat = np.frombuffer(answer.content, np.uint16)
    parts = []
    for shape in json.loads(unquote(answer.headers["X-Nissl-Meta"]))["shapes"]:
        size = int(np.prod(shape))
        parts.append(flat[:size].reshape(shape)[0])
        flat = flat[size:]
    return parts


def test_planes_and_projections_of_the_masks_of_the_same_movie(worm):
    labels = masks_beside(worm)
    told = ask(worm, "field").json()
    assert told == {"items": labels.items.tolist(), "author": "ada"}
    volume = Masks.from_labels(labels, SHAPE).volume(2)
    z, y, x = (int(k) for k in np.argwhere(volume == 3)[0])
    xy, xz, yz = cuts(ask(worm, "cuts", frame=2, z=z, y=y, x=x))
    np.testing.assert_array_equal(xy, volume[z])
    np.testing.assert_array_equal(xz, volume[:, y])
    np.testing.assert_array_equal(yz, volume[:, :, x].T)
    flat, _, _ = cuts(ask(worm, "cuts", frame=2, flat=True))
    np.testing.assert_array_equal(flat > 0, volume.max(axis=0) > 0)
    half, _, _ = cuts(ask(worm, "cuts", frame=2, z=z, y=y, x=x, level=1))
    np.testing.assert_array_equal(half, volume[z, ::2, ::2])
    late, _, _ = cuts(ask(worm, "cuts", frame=3000))
    assert not late.any()


def test_without_masks_there_are_none_and_no_error(worm):
    assert ask(worm, "field").json() == {"items": [], "author": ""}
    assert "masks of this movie" in ask(worm, "cuts", status=410, frame=0).text


def test_a_mask_that_somebody_removed_is_shown_no_more(worm):
    labels = masks_beside(worm)
    item = int(labels.items[0])
    edit = Edit(uuid4(), EditKind.REMOVE, labels.digest, (item,), "Bo", 0.0)
    worm.project.store.append([edit])
    assert ask(worm, "field").json()["items"] == labels.items.tolist()[1:]
